"""Facts of a scenario: a value with its sources, the day since which it is known, its confidence, and its bounds."""

import re
from datetime import date
from typing import Annotated, Generic, Literal, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Value = TypeVar("Value")
Confidence = Literal["high", "medium", "low", "assumed"]


def _month(value: object) -> object:
    """Take a month as YYYY-MM: its first day."""
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}", value):
        return date.fromisoformat(value + "-01")
    return value


Month = Annotated[date, BeforeValidator(_month)]
Percent = Annotated[int, Field(ge=0, le=200)]
Permille = Annotated[int, Field(ge=0, le=1000)]
Count = Annotated[int, Field(ge=0)]


class ScenarioPart(BaseModel):
    """A part of a scenario: frozen, strict, without a field that is not described."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Evidenced(ScenarioPart):
    """A fact with its evidence: sources that state it, or, of an assumption, the reason."""

    sources: list[str] = []
    anchors: list[str] = []  # that an assumption goes by, and that do not state it
    known_from: date | None = None
    confidence: Confidence = "assumed"
    note: str = ""  # the reason of an assumption, or the derivation of a number from its sources

    @model_validator(mode="after")
    def _rests_on_something(self) -> Self:
        if self.sources and (self.known_from is None or self.confidence == "assumed"):
            raise ValueError("a fact with sources has the day since which it is known, and a confidence of its own")
        if not self.sources and (self.confidence != "assumed" or not self.note):
            raise ValueError("a fact without sources is assumed, and its note gives the reason")
        return self


class Based(Evidenced, Generic[Value]):
    """A value and its evidence, with the lowest and the highest value that sources state."""

    value: Value
    low: Value | None = None
    high: Value | None = None
