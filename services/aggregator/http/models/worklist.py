"""Response model of `/worklist`."""

from datetime import date
from typing import Literal

from services.aggregator.http.models.elements import AtPlan
from services.aggregator.http.models.remarks import AcknowledgementRow, NoteRow
from shared.http.answering import Described
from shared.wire.firmness import Firmness


class Work(Described):
    """Something that can still be done."""

    product: str | None
    """Null of a line of several."""
    site: str | None
    """Null of a line of several, and of overdue lines, which are of a supplier."""
    supplier: str | None
    wafers: int
    mw_waiting: float | None
    """Megawatts that wait for these wafers, to one decimal; null where it is not known, 0 where no planned
    phase takes the product."""
    day: date | None
    """By which to act; the earliest due day of overdue lines; null where no day presses."""
    days_left: int | None
    """From today to that day; below 0 where it has passed."""


class WorkItemRow(Work, title="WorkItem"):
    """A product at a site, or the overdue lines of a supplier's product."""

    alert: str | None
    """The name of its open alert: `short_within` of a shortage, `cover_below` of stock to secure, `slip_beyond` of
    overdue lines; null: none is open."""
    acknowledged: AcknowledgementRow | None
    """Of that alert."""
    notes: list[NoteRow]
    """On the product and the site, the oldest first."""


class WorkLineRow(Work, title="WorkLine"):
    """A line of the worklist: an item, or several of one kind."""

    kind: Literal["expedite", "promise", "pull_in", "secure", "move", "chase", "surplus"]
    synthetic: bool
    """Whether its items are of sites that are declared as synthetic: such lines come last, one of a kind."""
    count: int
    """Its items."""
    items: list[WorkItemRow]
    """Ranked as the lines are."""


class Worklist(AtPlan):
    """Work that can still be done, the first to act on first."""

    firmness: Firmness
    rows: list[WorkLineRow]
    """At most four of a kind: where there are more items, they are grouped, and none is left out."""
    count: int
    """Items of all lines."""
    synthetic_count: int
    """Of these, items of synthetic sites."""
    resting: int
    """Items left out, as their alert is snoozed until a later day."""
    next: None
