"""Response model of `/since`."""

from datetime import date
from typing import Literal

from services.aggregator.http.models.bridge import Since
from services.aggregator.http.models.elements import AtPlan
from services.aggregator.http.models.remarks import AcknowledgementRow, NoteRow
from services.aggregator.plan.bridge.bridge import CAUSES
from shared.http.answering import Described
from shared.wire.alerts import AlertCode
from shared.wire.firmness import Firmness


class SinceChange(Described):
    """A cause, and the wafers by which it changes the balance projected for `day`."""

    cause: Literal[CAUSES]  # type: ignore[valid-type]
    """As in `/bridge`."""
    wafers: int
    """Positive where it raises the balance."""
    lines: int
    """Lines, or movements of stock by kind, behind it."""
    line: str | None
    """The line with the most wafers; null for movements of stock."""
    kind: str
    event: str | None
    """The event that states it now: `/events/{event_source}/{event}`; null for movements, and where it was reversed."""
    event_source: str | None
    due_then: date | None
    due_now: date | None
    """The day on which that line is due; null where it was or is none."""
    reason: str | None
    """The reason that the supplier gives with it, in its words."""


class SinceRow(Described):
    """Changes of one party to one product at one site, and the wafers by which they move its shortage."""

    product: str
    site: str
    synthetic: bool
    source: str | None
    """The party whose lines these are; null for movements of stock."""
    supplier: str | None
    """The supplier whose stock was moved, counted or opened; null for lines."""
    more_short: int
    """Wafers that are more short at worst by them; below zero: fewer."""
    changes: list[SinceChange]
    """The greatest first."""
    day: date
    """The day whose balance they change: the worst one now, or then where the shortage has become smaller."""
    parts: int
    """Rows of this product at this site: their `more_short` sum to `shortage_now` less `shortage_then`."""
    shortage_then: int
    """Wafers short at worst, of the days from today on, as projected then; 0 where nothing ran short."""
    shortage_now: int
    first_short_then: date | None
    """The first short day from today on, as projected then."""
    first_short_now: date | None


class WithoutEffect(Described):
    """Changes that move no shortage, counted."""

    lines: int
    """Lines that were altered and are behind no row."""
    of_lines: int
    """All lines that were altered."""


class SinceAlert(Described):
    """An alert that was raised or cleared."""

    name: str
    code: AlertCode
    subject: dict[str, str]
    synthetic: bool
    """Whether it is about a synthetic site: such alerts come last."""
    day: date | None
    wafers: int | None
    """Of a shortage those at worst."""


class SincePhase(Described):
    """A phase that is planned anew or otherwise."""

    site: str
    phase: str
    source: str
    event: str
    mw_then: int | None
    """Null where it is new."""
    mw_now: int
    energise_on_then: date | None
    energise_on_now: date
    status_then: str | None
    status_now: str
    platform_then: str | None
    platform_now: str


class SincePage(AtPlan):
    """Changes between two positions, ranked by the wafers by which they move shortages."""

    firmness: Firmness
    since: Since
    """The earlier position."""
    short_then: int
    """The wafers short at worst of every product at every site that is not synthetic, summed, as projected then."""
    short_now: int
    """The same now: without a supplier, the `more_short` of their rows, on all pages, sum to the difference."""
    synthetic_then: int
    """The same of synthetic sites."""
    synthetic_now: int
    rows: list[SinceRow]
    """The most wafers first, those of synthetic sites after all others."""
    count: int
    next: int | None
    without_effect: WithoutEffect
    alerts_raised: list[SinceAlert]
    """Open now and not then, the most urgent first."""
    alerts_cleared: list[SinceAlert]
    acknowledged: list[AcknowledgementRow]
    """Made since then, and in force."""
    notes: list[NoteRow]
    phases: list[SincePhase]
