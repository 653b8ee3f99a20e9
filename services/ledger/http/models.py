"""What the ledger answers, described: the page of the API and the tests read it, an answer is never made of it."""

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, RootModel

from shared.http.answering import Described, unasked


class Event(BaseModel):
    """An event as it was said: a CloudEvent (docs/events.md)."""

    model_config = ConfigDict(extra="allow")

    specversion: Literal["1.0"]
    type: str
    source: str
    id: str
    time: datetime
    data: dict[str, Any]


class Events(RootModel[list[Event]]):
    """Events, in the order of the log."""


class Verdict(Described):
    """What became of an event: `recorded` has it and its place, `refused` says why."""

    status: Literal["recorded", "refused"]
    batch: int
    seq: int = unasked()
    """Its place in the log."""
    event: Event = unasked()
    code: str = unasked()
    path: str = unasked()
    """The field that is wrong."""
    message: str = unasked()


class SealedBatch(Described):
    """A batch as it is sealed."""

    epoch: int
    batch: int
    head: str
    """The SHA-256 of the document."""
    document: str
    """A header, then a line for each event and refusal."""


class Known(Described):
    """What was known after a batch, or at the end of a day."""

    epoch: int
    """Which store it is."""
    position: int
    """The last batch that was known."""
    head: str
    """The chain head of that batch."""
    day: date | None
    """The day, where not all batches up to the position were known then: a simulation's days overlap in the log."""


class Spoken(Described):
    """How far a source has come."""

    through: int
    """Every sequence up to this one is judged."""
    ahead: list[tuple[int, int]]
    """Runs of sequences that came before one that is missing."""
    advanced: int | None
    """The last day that it has completed, since 1970."""
    gaps: list[tuple[int, int]]
    """Runs of sequences that are missing."""


class Head(Described):
    """How far the ledger and each source have come."""

    epoch: int
    position: int
    events: int
    head: str
    """The chain head (docs/proof.md)."""
    sources: dict[str, Spoken]


class Refused(Described):
    """An event that was refused, and why."""

    batch: int
    source: str
    sequence: int | None
    id: str | None
    code: str
    path: str
    message: str


class Refusals(RootModel[list[Refused]]):
    """The latest refusals, the last one last."""


class Counts(RootModel[dict[str, int]]):
    """How many events were recorded, by type."""
