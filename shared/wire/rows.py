"""Rows: events as they lie in columns, the layout of each type, and the canonical text of a row."""

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
from pydantic import BaseModel, create_model

from shared.wire.days import ENDED, day_number, iso_day, iso_time, microseconds
from shared.wire.events import EVENTS, PREFIX, VERSION, Event, EventData, canonical

COLUMNS = ("line", "day", "wafers", "revision", "product", "site", "supplier")
WATERMARKS = frozenset({"source.advanced", "source.ended"})
DECLARATIONS = frozenset({"product.declared", "platform.declared", "programme.declared", "party.declared"})
REMARKS = frozenset({"alert.acknowledged", "note.added"})
CACHED_REST_MAX = 512  # characters: caching the rest of a row with a thousand lots would fill the memory


class Row(NamedTuple):
    """One valid event as it lies in the columns. Times in microseconds, days since 1970."""

    source: str
    sequence: int
    id: str
    name: str
    time: int
    line: str | None
    day: int | None
    wafers: int | None
    revision: int | None
    product: str | None
    site: str | None
    supplier: str | None
    rest: str | None
    cause: str | None
    correlation: str | None

    @classmethod
    def of(cls, event: Event) -> "Row":
        """Return the row of an event."""
        layout = LAYOUTS[event.data.type]
        cells: dict[str, Any] = dict.fromkeys(COLUMNS)
        cells.update((column, getattr(event.data, field)) for column, field in layout.fields.items())
        if isinstance(cells["day"], date):
            cells["day"] = day_number(cells["day"])
        present = ((name, _plain(getattr(event.data, name))) for name in layout.rest_fields)
        rest = {name: value for name, value in present if (name, value) not in layout.defaults.items()}
        return cls(
            source=event.source,
            sequence=event.sequence,
            id=event.id,
            name=event.data.type,
            time=microseconds(event.time),
            rest=canonical(rest).decode() if rest else None,
            cause=event.causationid,
            correlation=event.correlationid,
            **cells,
        )

    @property
    def others(self) -> dict[str, Any]:
        """The fields without a column, by name, defaults filled in; cached, not to be changed."""
        if self.rest is None or len(self.rest) <= CACHED_REST_MAX:
            return _short_others(self.name, self.rest)
        return _others(self.name, self.rest)

    def content(self) -> dict[str, Any]:
        """Return the event's `Event.content` without building the event."""
        layout = LAYOUTS[self.name]
        data = {field: self[index] for index, field in layout.cells}
        if layout.day_field is not None:
            data[layout.day_field] = iso_day(self.day)
        if self.rest is not None:
            data.update(orjson.loads(self.rest))
        content = {
            "specversion": "1.0",
            "id": self.id,
            "source": self.source,
            "type": layout.cloud_type,
            "time": iso_time(self.time),
            "sequence": str(self.sequence),
            "datacontenttype": "application/json",
            "data": data,
        }
        if self.line is not None:
            content["subject"] = self.line
        if self.product is not None:
            content["partitionkey"] = self.product
        if self.cause is not None:
            content["causationid"] = self.cause
        if self.correlation is not None:
            content["correlationid"] = self.correlation
        return content

    @classmethod
    def read(cls, body: str) -> "Row":
        """Return the row of a canonical text."""
        return cls(*orjson.loads(body))

    def event(self, recorded: int | None = None) -> Event:
        """Return the event of this row."""
        content = self.content()
        if recorded is not None:
            content["recordedtime"] = iso_time(recorded)
        return Event.read(content)


def canonical_bodies(rows: Sequence[Row]) -> list[str]:
    """Return the canonical text of each row: its fields in order, as a JSON array of RFC 8785 (docs/proof.md)."""
    text = orjson.dumps([tuple(row) for row in rows]).decode()
    bodies = text[2:-2].split("],[") if rows else []
    if len(bodies) != len(rows):  # the separator occurs inside a row, too
        return [orjson.dumps(tuple(row)).decode() for row in rows]
    return [f"[{body}]" for body in bodies]


def read_rows(bodies: Sequence[str]) -> list[Row]:
    """Return the rows of some canonical texts."""
    return [*map(Row._make, orjson.loads(f"[{','.join(bodies)}]"))]


class EventHead(NamedTuple):
    """The fields of an event before its columns, read from its canonical text without parsing the rest."""

    sequence: int
    name: str
    time: int  # microseconds since 1970

    @classmethod
    def of(cls, body: str) -> "EventHead":
        """Return the head of a canonical text: no field before the time holds a quote."""
        _, _, sequence, _, _, name, rest = body.split('"', 6)
        return cls(int(sequence[1:-1]), name, int(rest[1 : rest.index(",", 1)]))


def event_name(body: str) -> str:
    """Return the name of the event in a canonical text: no field before it holds a quote."""
    return body.split('"', 6)[5]


def watermark_of(row: Row) -> int:
    """Return the watermark of an event of `WATERMARKS`: days since 1970, and `ENDED` more where the source ends.

    The greatest that is not reversed holds, so that neither order nor batches matter.
    """
    assert row.day is not None
    return row.day + ENDED if row.name == "source.ended" else row.day


class Layout(NamedTuple):
    """The columns of one event's fields."""

    cloud_type: str
    data: type[EventData]
    fields: dict[str, str]  # column -> field
    cells: tuple[tuple[int, str], ...]  # index in a Row -> field, the day left out
    day_field: str | None
    rest_fields: tuple[str, ...]
    rest: type[BaseModel]
    defaults: dict[str, Any]
    needs: tuple[bool, ...]  # in the order of COLUMNS
    wafers_min: int
    wafers_max: int


def _lay_out(data: type[EventData]) -> Layout:
    fields: dict[str, str] = {}
    for column in COLUMNS:
        field = data.columns.get(column, column)
        if field in data.model_fields and field not in fields.values():
            fields[column] = field
    bounds = [0, 0]
    if "wafers" in fields:
        metadata = data.model_fields[fields["wafers"]].metadata
        bounds = [next(getattr(m, side) for m in metadata if hasattr(m, side)) for side in ("ge", "le")]
    rest_fields = tuple(name for name in data.model_fields if name not in fields.values())
    rest: Any = create_model(
        f"{data.__name__}Rest",
        __config__=data.model_config,
        **{name: (_annotation(data, name), data.model_fields[name]) for name in rest_fields},  # type: ignore[call-overload]
    )
    return Layout(
        cloud_type=PREFIX + data.type + VERSION,
        data=data,
        fields=fields,
        cells=tuple((Row._fields.index(column), field) for column, field in fields.items() if column != "day"),
        day_field=fields.get("day"),
        rest_fields=rest_fields,
        rest=rest,
        defaults={name: field.default for name, field in rest.model_fields.items() if not field.is_required()},
        needs=tuple(column in fields for column in COLUMNS),
        wafers_min=bounds[0],
        wafers_max=bounds[1],
    )


def _plain(value: Any) -> Any:
    """Return a value as JSON has it where it is a group of fields, or a list of them, their defaults left out."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value.model_dump(mode="json", exclude_defaults=True) if isinstance(value, BaseModel) else value


def _annotation(data: type[EventData], name: str) -> Any:
    return data.model_fields[name].annotation


LAYOUTS: dict[str, Layout] = {name: _lay_out(data) for name, data in EVENTS.items()}
"""The layout of each event, by its name."""


def _others(name: str, rest: str | None) -> dict[str, Any]:
    others: dict[str, Any] = LAYOUTS[name].defaults.copy()
    if rest is not None:
        others.update(orjson.loads(rest))
    return others


_short_others = lru_cache(maxsize=8_192)(_others)  # many rows have the same rest
