"""Elements of several answers: the position, a ratio, wafers by firmness, a line and its event."""

from datetime import date
from typing import Annotated

from pydantic import Field

from shared.http.answering import Described

YearMonth = Annotated[str, Field(pattern="^[0-9]{4}-[0-9]{2}$")]


class RecordedBy(Described):
    """The batches recorded by the end of a day of knowledge, where no position of the log has just these."""

    day: str
    """The answer includes the batches recorded by the end of this day."""
    batches: int
    """Their number."""


class WentBack(Described):
    """The last complete day went back: a source's watermark lies before a day that was complete."""

    from_: date = Field(alias="from")
    """The last day that was complete."""
    position: int
    """The last batch after which it was: with it as `as_of` an answer has the last plan before."""
    sources: list[str]
    """The sources that have not completed that day."""


class AtPosition(Described):
    """The position of an answer."""

    complete_through: date | None
    """The last day that every source with a watermark has completed; null while no source has one: then nothing is
    known of today, and an answer without rows does not mean that there is nothing."""
    position: int
    """The last batch of the ledger that the answer includes."""
    head: str
    """The chain head of that batch, which proves it; empty before the first batch, and with `recorded_by`."""
    recorded_by: RecordedBy | None
    """Not null: no position of the log has just the batches recorded by the end of the day of `as_of`."""
    went_back: WentBack | None
    """Not null: the last complete day went back, until it is reached again."""
    missing_sources: list[str]
    """Sources that have published, or are expected, and have no watermark: no answer waits for them."""


class AtPlan(AtPosition):
    """The position of an answer from the plan."""

    today: date | None
    """The day after the last complete one: earlier days are actual, later days are planned."""


class Ratio(Described):
    """A ratio with its two numbers."""

    numerator: int
    denominator: int
    percent: float | None
    """To one decimal; null where the denominator is 0."""


class ByFirmness(Described):
    """Wafers by the firmness of their commits."""

    planned: int
    material: int
    manufacturing: int
    firm: int
    immediate: int


class LineEvent(Described):
    """A line and its event: the ledger serves it at `/events/{source}/{event}`."""

    kind: str
    source: str
    line: str
    event: str | None
