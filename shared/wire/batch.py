"""Batches of events in columns: up to 1,000 events of one source in one entry."""

from collections.abc import Iterable
from typing import Annotated, Any, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field

from shared.wire.days import DAY_US, day_number
from shared.wire.events import (
    COUNTED_MAX,
    DAY_MAX,
    DAY_MIN,
    SEQUENCE_MAX,
    Event,
    EventId,
    Name,
    Revision,
)
from shared.wire.rows import Row

BATCH_MAX = 1000
ENTRY_BYTES_MAX = 1 << 20  # a longer entry is refused whole
_DAY_MIN, _DAY_MAX = day_number(DAY_MIN), day_number(DAY_MAX)
TIME_MIN, TIME_MAX = _DAY_MIN * DAY_US, (_DAY_MAX + 1) * DAY_US - 1
COLUMN_FIELDS = {
    "ids": "id", "types": "name", "times": "time", "lines": "line", "days": "day", "wafers": "wafers",
    "revisions": "revision", "products": "product", "sites": "site", "suppliers": "supplier", "rests": "rest",
    "causes": "cause", "correlations": "correlation",
}  # fmt: skip
"""The columns of a batch, each with the field of a `Row` that it holds."""

Cell = TypeVar("Cell")
# One bad cell is enough to read strictly: pydantic would describe each of half a million
Column = Annotated[list[Cell], Field(max_length=BATCH_MAX, fail_fast=True)]


class EventBatch(BaseModel):
    """Up to 1,000 events of one source, one column a field; an unused column is left out.

    `wafers`, `days` and `lines` hold the fields that `EventData.columns` names, `rests` the other fields as JSON.
    Row n has the sequence `sequence + n`. Times are microseconds and days are days since 1970, UTC.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    source: Name
    sequence: Annotated[int, Field(ge=1, le=SEQUENCE_MAX - BATCH_MAX + 1)]
    recorded: Annotated[int, Field(ge=TIME_MIN, le=TIME_MAX)] | None = None
    ids: Annotated[Column[EventId], Field(min_length=1)]
    types: Column[str]
    times: Column[Annotated[int, Field(ge=TIME_MIN, le=TIME_MAX)]]
    lines: Column[Name | None] | None = None
    days: Column[Annotated[int, Field(ge=_DAY_MIN, le=_DAY_MAX)] | None] | None = None
    wafers: Column[Annotated[int, Field(ge=0, le=COUNTED_MAX)] | None] | None = None
    revisions: Column[Revision | None] | None = None
    products: Column[Name | None] | None = None
    sites: Column[Name | None] | None = None
    suppliers: Column[Name | None] | None = None
    rests: Column[str | None] | None = None
    causes: Column[EventId | None] | None = None
    correlations: Column[EventId | None] | None = None

    @classmethod
    def of(cls, events: Iterable[Event], recorded: int | None = None) -> "EventBatch":
        """Return the batch of some events of one source with consecutive sequences, at most 1,000."""
        rows = [Row.of(event) for event in events]
        first = rows[0]
        if any(row.source != first.source or row.sequence != first.sequence + n for n, row in enumerate(rows)):
            raise ValueError("a batch holds one source's events in the order of their sequence, without a gap")
        columns: dict[str, Any] = {
            column: values
            for column, values in ((c, [getattr(row, f) for row in rows]) for c, f in COLUMN_FIELDS.items())
            if any(value is not None for value in values)
        }
        return cls(source=first.source, sequence=first.sequence, recorded=recorded, **columns)

    def encode(self) -> bytes:
        """Return the JSON that an entry carries."""
        return orjson.dumps({name: value for name, value in self if value is not None})
