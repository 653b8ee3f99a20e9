"""Response model of `/bridge`."""

from datetime import date
from typing import Literal

from services.aggregator.http.models.elements import AtPlan
from services.aggregator.http.models.planning import Remarked
from services.aggregator.plan.bridge.bridge import CAUSES
from shared.http.answering import Described
from shared.wire.firmness import Firmness


class Since(AtPlan):
    """The earlier position."""

    as_of: str
    """The batch, or the day of knowledge, that was queried or chosen: `0` is the empty log."""


class BridgeEntryRow(Described, title="BridgeEntry"):
    """The effect of one line, or of the movements of one supplier."""

    wafers: int
    """Positive where it raises the projected balance."""
    kind: str
    """The kind of the line, or the movement."""
    source: str
    """The source of the line, or the supplier of the movements."""
    line: str | None
    event: str | None
    """The ledger serves it at `/events/{event_source}/{event}`; null for `movements`, and where it was reversed."""
    event_source: str | None
    """The party that states it: a site states what was received, damaged or lost of a supplier's shipment."""
    reason: str | None
    """The reason that the supplier gives with a commit, in its words; null if it gives none."""


class MovementsQueryRow(Described, title="BridgeMovements"):
    """The parameters of the ledger's `/movements`, beside `product` and `site`, that list the events of a bar."""

    types: str
    since: str
    through: str
    by: date


class BridgeRow(Described):
    """A cause, and the wafers by which it changes the projected balance."""

    cause: Literal[CAUSES]  # type: ignore[valid-type]
    wafers: int
    movements: MovementsQueryRow | None
    """Null for lines, whose entries name their events."""
    entries: list[BridgeEntryRow]
    """The largest first, fifty at most."""
    entries_count: int


class BridgePage(AtPlan, Remarked, title="Bridge"):
    """The projected balance of a product at a site on a day, then and now: the rows sum to the difference.

    Acknowledged is its alert `short_within`.
    """

    product: str
    site: str
    day: date
    firmness: Firmness
    since: Since
    projected_then: int | None
    projected_now: int | None
    """Null while `today` is null: a projection is not known before a day is complete."""
    rows: list[BridgeRow]
    """In the order in which the causes apply (docs/numbers.md)."""
