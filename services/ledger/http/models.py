"""Response models of the ledger's HTTP API: for its description and its tests. No answer is built from them."""

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, RootModel

from shared.http.answering import Described, optional_field


class CloudEvent(BaseModel, title="Event"):
    """An event as its source published it: a CloudEvent (docs/events.md)."""

    model_config = ConfigDict(extra="allow")

    specversion: Literal["1.0"]
    type: str
    source: str
    id: str
    time: datetime
    data: dict[str, Any]


class Events(RootModel[list[CloudEvent]]):
    """Events, in the order of the log."""


class Verdict(Described):
    """The verdict on an event: `recorded` with the event and its place, or `refused` with the reason."""

    status: Literal["recorded", "refused"]
    batch: int
    seq: int = optional_field()
    """Its place in the log."""
    event: CloudEvent = optional_field()
    effect: str = optional_field()
    """Its effect now: `holds`, `superseded by <id>`, or `none`; left out for sites and phases."""
    why: str = optional_field()
    """The reason why it does not hold."""
    code: str = optional_field()
    path: str = optional_field()
    """The field that is wrong."""
    message: str = optional_field()


class SealedBatch(Described):
    """A batch as its hash seals it."""

    epoch: int
    batch: int
    head: str
    """The SHA-256 of the document."""
    document: str
    """A header, then a line for each event and refusal."""


class MovementRow(Described):
    """A recorded event of stock, or the reversal of one."""

    source: str
    id: str
    type: str
    """Its type, without prefix and version."""
    time: datetime
    supplier: str
    site: str
    to_site: str | None
    """The site that a transfer goes to."""
    wafers: int
    """The wafers that it moves, counts or asks for; of a reversal, those of the event that it reverses."""
    reverses: str | None
    """The id of the event that it reverses."""
    effect: str
    """Its effect now: `holds`, `superseded by <id>`, or `none`."""
    batch: int
    seq: int
    """Its place in the log."""


class Movements(Described):
    """A page of movements."""

    rows: list[MovementRow]
    next: int | None
    """The place in the log after which the next page begins; null on the last."""


class LineRow(Described):
    """A line, with its terms in force."""

    source: str
    kind: Literal["agreement", "commit", "forecast", "order", "shipment"]
    line: str
    """Its name: unique for the source and the kind, and of a shipment for its product."""
    product: str
    site: str
    supplier: str
    day: date
    """The day it is due; of a shipment its last ETA, of an agreement its first day."""
    wafers: int
    """Of a shipment, those dispatched; of an agreement, those of a month."""
    open_wafers: int
    """The wafers not yet dispatched on a commit, consumed for an order, or received or lost of a shipment."""
    revision: int | None
    """The revision in force; null for a shipment that was never revised."""
    state: Literal["open", "closed", "withdrawn"]
    """`withdrawn` at 0 wafers, `closed` when no wafers are open."""
    firmness: str | None
    """The grade of a commit."""
    start_by: date | None
    """Of an order."""
    priority: int | None
    """Of an order."""
    id: str
    """The id of the event in force."""
    time: datetime
    """The time of the event in force."""


class Lines(Described):
    """A page of lines."""

    rows: list[LineRow]
    next: str | None
    """The line after which the next page begins; null on the last page."""


class HoldingEvents(Described):
    """A page of events that hold."""

    rows: list[CloudEvent]
    next: int | None
    """The place in the log after which the next page begins; null on the last."""


class DayRow(Described, title="Day"):
    """A UTC day on which something was recorded."""

    day: date
    batches: int
    first: int
    """The first batch of the day."""
    last: int
    """The last batch of the day."""
    events: int
    refusals: int


class DaysOfLog(Described):
    """All days of the log."""

    position: int
    """The last batch."""
    rows: list[DayRow]


class BatchRow(Described):
    """A batch of a day."""

    batch: int
    source: str
    recorded: datetime
    events: int
    refusals: int


class BatchesOfDay(Described):
    """A page of the batches of a day."""

    rows: list[BatchRow]
    next: int | None
    """The batch after which the next page begins; null on the last."""


class AsOfPosition(Described, title="Known"):
    """The position of the log after a batch, or at the end of a day."""

    epoch: int
    """The epoch of the store."""
    position: int
    """The last batch recorded by then."""
    head: str
    """The chain head of that batch."""
    day: date | None
    """The day, where some batches up to the position were recorded later: a simulation's days overlap in the log."""


class SourceProgress(Described, title="Spoken"):
    """The progress of a source."""

    through: int
    """Every sequence up to this one is recorded or refused."""
    ahead: list[tuple[int, int]]
    """Runs of sequences beyond the first missing one."""
    advanced: int | None
    """The last day that the source declares complete, days since 1970."""
    gaps: list[tuple[int, int]]
    """Runs of missing sequences."""


class Head(Described):
    """The progress of the ledger and of each source."""

    epoch: int
    position: int
    events: int
    head: str
    """The chain head (docs/proof.md)."""
    sources: dict[str, SourceProgress]


class RefusalRow(Described, title="Refused"):
    """A refused event, and the reason."""

    batch: int
    source: str
    sequence: int | None
    id: str | None
    code: str
    path: str
    message: str


class Refusals(RootModel[list[RefusalRow]]):
    """The latest refusals, the last one last."""


class Counts(RootModel[dict[str, int]]):
    """The number of recorded events by type."""


class RehearsalRefusal(Described):
    """An event that would be refused."""

    line: int | None
    """Its line in the body."""
    id: str | None
    code: str
    path: str
    message: str


class Rehearsal(Described):
    """The batch that some events would become."""

    postings: dict[str, Any]
    """As the ledger publishes it (docs/events.md), after the batch `previous`; it has no head, and no events."""
    duplicates: int
    """Events that are recorded already, or come twice."""
    refused: list[RehearsalRefusal]
