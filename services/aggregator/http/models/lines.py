"""Response models of `/lines`, `/names` and `/watermarks`."""

from datetime import date
from typing import Literal

from services.aggregator.http.models.elements import AtPlan, AtPosition
from services.aggregator.http.models.remarks import NoteRow
from services.aggregator.terms import LineKind
from shared.http.answering import Described
from shared.wire.firmness import Firmness


class ListedLineRow(Described):
    """A commit, order, forecast or shipment as it is in force."""

    kind: LineKind
    source: str
    """Its party."""
    line: str
    product: str
    site: str
    supplier: str
    synthetic: bool
    """Whether the site is declared as synthetic: such rows come last."""
    due: date
    """The due day; a shipment's ETA."""
    wafers: int
    open_wafers: int
    """Not dispatched of a commit, under way of a shipment, of a forecast all. Of an order what was not consumed for
    it; consumption that names no order serves the earliest due first, so the backorder is open of the latest."""
    days_overdue: int | None
    """Not null: open wafers are overdue by so many days. A forecast never is."""
    firmness: Firmness | None
    """Of a commit."""
    priority: int | None
    """Of an order, 1 first."""
    revision: int | None
    """Null: a shipment as it was sent."""
    stated_on: date
    """The day of the event that states it; of a shipment that of its dispatch."""
    reason: str | None
    """Of a commit that gives one."""
    event: str
    """The event that states it, as source/id."""
    notes: list[NoteRow]
    """Of planners, on this line."""


class ListedLines(AtPlan):
    """Lines by due day."""

    count: int
    """Lines of all pages."""
    synthetic_count: int
    """Of these, lines of synthetic sites, which are in no other sum."""
    wafers: int
    """Of all pages."""
    open_wafers: int
    """Of all pages."""
    synthetic_wafers: int
    synthetic_open_wafers: int
    rows: list[ListedLineRow]
    next: int | None
    """`offset` of the next page; null: this is the last one."""


class NamedThing(Described):
    """A product, site, supplier, source or party."""

    kind: Literal["party", "product", "site", "source", "supplier"]
    id: str
    name: str | None
    """As it is declared, of a supplier or source by the party of its id; null where no name is."""


class Names(AtPosition):
    """The products, sites, suppliers, sources and parties that events name, by kind and id."""

    rows: list[NamedThing]
    count: int
    """Rows of all pages."""
    next: str | None
    """`after` of the next page; null on the last."""


class WatermarkRow(Described):
    """The progress of a source."""

    source: str
    completed_through: date | None
    """The last day that it has completed by a watermark; null: none, and no answer waits for it."""
    ended: bool
    """It has ended, and holds up no day any more."""
    days_behind: int | None
    """Days between its last day and the latest of any source; null where it has no watermark, or has ended."""
    holds_up: bool
    """It holds up the last complete day: others are further."""
    days_with_late_events: int
    """Days of which it published an event after it had completed them."""


class Watermarks(AtPosition):
    """The sources, those that hold up the last complete day first."""

    latest_day: date | None
    """The latest day that any source has completed."""
    rows: list[WatermarkRow]
