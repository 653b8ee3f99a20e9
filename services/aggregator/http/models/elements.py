"""Elements of several answers: the position, a ratio, wafers by firmness, a line and its event."""

from datetime import date
from typing import Annotated

from pydantic import Field

from shared.http.answering import Described

YearMonth = Annotated[str, Field(pattern="^[0-9]{4}-[0-9]{2}$")]


class AtPosition(Described):
    """The position of an answer."""

    complete_through: date | None
    """The last day that every source has completed; null until each has completed one."""
    position: int
    """The last batch of the ledger that the answer includes."""
    head: str
    """The chain head of that batch, which proves it; empty before the first batch."""


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
