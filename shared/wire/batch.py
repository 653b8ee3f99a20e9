"""Events in columns: how up to 1,000 events of one source travel in one entry, and how each row is read strictly."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from functools import lru_cache
from itertools import count, repeat
from typing import Annotated, Any, NamedTuple, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, create_model

from shared.wire.days import DAY_US, day_number, iso_day, iso_time, microseconds
from shared.wire.events import (
    DAY_MAX,
    DAY_MIN,
    EVENTS,
    PREFIX,
    SEQUENCE_MAX,
    VERSION,
    Event,
    EventData,
    EventId,
    Name,
    Product,
    Refused,
    Revision,
    WafersOrNone,
    canonical,
    parse_strictly,
    validate_strictly,
)
from shared.wire.refusal import RefusedEvent
from shared.wire.streams import Role

BATCH_MAX = 1000
ENTRY_BYTES_MAX = 1 << 20  # a longer entry is refused whole
_COLUMNS = ("line", "day", "wafers", "revision", "product", "site", "supplier")
_DAY_MIN, _DAY_MAX = day_number(DAY_MIN), day_number(DAY_MAX)
_TIME_MIN, _TIME_MAX = _DAY_MIN * DAY_US, (_DAY_MAX + 1) * DAY_US - 1
_SAYABLE_MIN, _SAYABLE_MAX = -62_135_596_800_000_000, 253_402_300_799_999_999  # years 1 to 9999
_CACHED_REST_MAX = 512  # characters: what a thousand lots take would fill the memory
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch
Cell = TypeVar("Cell")
# one bad cell is enough to read strictly: pydantic would describe each of half a million
Column = Annotated[list[Cell], Field(max_length=BATCH_MAX, fail_fast=True)]


class EventBatch(BaseModel):
    """Up to 1,000 events of one source, one column a field; a column that nobody uses is left out.

    `wafers`, `days` and `lines` hold what `EventData.columns` names for the type, `rests` the other fields as JSON.
    Row n has the sequence `sequence + n`. Times are microseconds and days are days since 1970, UTC.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    source: Name
    sequence: Annotated[int, Field(ge=1, le=SEQUENCE_MAX - BATCH_MAX + 1)]
    recorded: Annotated[int, Field(ge=_TIME_MIN, le=_TIME_MAX)] | None = None
    ids: Annotated[Column[EventId], Field(min_length=1)]
    types: Column[str]
    times: Column[Annotated[int, Field(ge=_TIME_MIN, le=_TIME_MAX)]]
    lines: Column[Name | None] | None = None
    days: Column[Annotated[int, Field(ge=_DAY_MIN, le=_DAY_MAX)] | None] | None = None
    wafers: Column[WafersOrNone | None] | None = None
    revisions: Column[Revision | None] | None = None
    products: Column[Product | None] | None = None
    sites: Column[Name | None] | None = None
    suppliers: Column[Name | None] | None = None
    rests: Column[str | None] | None = None
    causes: Column[EventId | None] | None = None
    correlations: Column[EventId | None] | None = None

    @classmethod
    def of(cls, events: Iterable["Event"], recorded: int | None = None) -> "EventBatch":
        """Return the batch of some events of one source with consecutive sequences, at most 1,000."""
        rows = [Row.of(event) for event in events]
        first = rows[0]
        if any(row.source != first.source or row.sequence != first.sequence + n for n, row in enumerate(rows)):
            raise ValueError("a batch holds one source's events in the order of their sequence, without a gap")
        columns: dict[str, Any] = {
            column: values
            for column, values in ((c, [getattr(row, f) for row in rows]) for c, f in _ROW_FIELDS.items())
            if any(value is not None for value in values)
        }
        return cls(source=first.source, sequence=first.sequence, recorded=recorded, **columns)

    def encode(self) -> bytes:
        """Return the JSON that an entry carries."""
        return orjson.dumps({name: value for name, value in self if value is not None})


class Row(NamedTuple):
    """One event as it stands in the columns, read and found good. Times in microseconds, days since 1970."""

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
        cells: dict[str, Any] = dict.fromkeys(_COLUMNS)
        cells.update((column, getattr(event.data, field)) for column, field in layout.fields.items())
        if isinstance(cells["day"], date):
            cells["day"] = day_number(cells["day"])
        spoken = ((name, getattr(event.data, name)) for name in layout.rest_fields)
        rest = {name: value for name, value in spoken if (name, value) not in layout.defaults.items()}
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
        """The fields that have no column of their own, by name, defaults filled in; to be read, not to be changed."""
        if self.rest is None or len(self.rest) <= _CACHED_REST_MAX:
            return _short_others(self.name, self.rest)
        return _others(self.name, self.rest)

    def content(self) -> dict[str, Any]:
        """Return what `Event.content` returns for the same event, without making the event."""
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
        """Return the row that a canonical text says."""
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
    if len(bodies) != len(rows):  # the separator stands inside a row, too
        return [orjson.dumps(tuple(row)).decode() for row in rows]
    return [f"[{body}]" for body in bodies]


def event_name(body: str) -> str:
    """Return the name of the event that a canonical text says: what stands before it holds no quotes but its own."""
    return body.split('"', 6)[5]


def read_entry(body: bytes, source: str, role: Role) -> tuple[list[Row], list[RefusedEvent], int | None]:
    """Return the good rows of an entry on a party's stream, the refused ones, and the time its sender recorded.

    An entry is an `EventBatch` or one CloudEvent; a row that is wrong is refused alone, an entry that is neither whole.
    """
    batch = _read_batch(body)
    if batch is not None and batch.source == source:
        good = _read_rows(batch, source, role)
        if good is not None:
            return good, [], batch.recorded
    try:
        raw = parse_strictly(body)
        folded = "ids" in raw or "types" in raw
        said = list(_unfold(raw, source)) if folded else [(raw, None)]
    except Refused as why:
        return [], [RefusedEvent(None, None, why.code, why.path, why.message, source, body)], None
    rows: list[Row] = []
    refused: list[RefusedEvent] = []
    recorded: int | None = raw.get("recorded") if folded else None
    for cloud_event, wrong in said:
        try:
            if wrong is not None:
                raise wrong
            event = _read_event(cloud_event, source, role)
        except Refused as why:
            # not orjson: what was refused may hold a lone surrogate, NaN or 40 digits
            spoken = json.dumps(cloud_event).encode() if folded else body
            refused.append(_refuse(cloud_event, source, why, spoken))
        else:
            rows.append(Row.of(event))
            if event.recordedtime is not None:
                recorded = microseconds(event.recordedtime)
    return rows, refused, recorded


# ---------------------------------------------------------------- how a type lies in the columns


class Layout(NamedTuple):
    """How the fields of one event lie in the columns."""

    cloud_type: str
    data: type[EventData]
    fields: dict[str, str]  # column -> field
    cells: tuple[tuple[int, str], ...]  # index in a Row -> field, the day left out
    day_field: str | None
    rest_fields: tuple[str, ...]
    rest: type[BaseModel]
    defaults: dict[str, Any]
    needs: tuple[bool, ...]  # in the order of _COLUMNS
    wafers_min: int
    wafers_max: int


def _lay_out(data: type[EventData]) -> Layout:
    fields: dict[str, str] = {}
    for column in _COLUMNS:
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
        needs=tuple(column in fields for column in _COLUMNS),
        wafers_min=bounds[0],
        wafers_max=bounds[1],
    )


def _annotation(data: type[EventData], name: str) -> Any:
    return data.model_fields[name].annotation


LAYOUTS: dict[str, Layout] = {name: _lay_out(data) for name, data in EVENTS.items()}
_ROW_FIELDS = {
    "ids": "id", "types": "name", "times": "time", "lines": "line", "days": "day", "wafers": "wafers",
    "revisions": "revision", "products": "product", "sites": "site", "suppliers": "supplier", "rests": "rest",
    "causes": "cause", "correlations": "correlation",
}  # fmt: skip


def _read_rest(layout: Layout, rest: str | None) -> str | None:
    """Return the fields beyond the columns, checked, as `Row.of` writes them; raise `Refused` where one is wrong."""
    if rest is None:
        if not layout.rest_fields:
            return None
        rest = "{}"
    return _read_short_rest(layout.data.type, rest) if len(rest) <= _CACHED_REST_MAX else _read_any_rest(layout, rest)


def _read_any_rest(layout: Layout, rest: str) -> str | None:
    checked = validate_strictly(layout.rest, parse_strictly(rest), "data.")
    fields = checked.model_dump(mode="json", exclude_defaults=True)
    return canonical(fields).decode() if fields else None


@lru_cache(maxsize=8_192)
def _read_short_rest(name: str, rest: str) -> str | None:
    return _read_any_rest(LAYOUTS[name], rest)  # many rows say the same


def _others(name: str, rest: str | None) -> dict[str, Any]:
    others: dict[str, Any] = LAYOUTS[name].defaults.copy()
    if rest is not None:
        others.update(orjson.loads(rest))
    return others


_short_others = lru_cache(maxsize=8_192)(_others)  # many rows say the same


# ---------------------------------------------------------------- reading the columns


def _read_batch(body: bytes) -> EventBatch | None:
    """Return the batch where every column is of its type and length and named once, else None."""
    try:
        # not model_validate_json: half a million empty lists take it seconds
        batch = EventBatch.model_validate(orjson.loads(body))
    except ValueError:
        return None
    if any(isinstance(column, list) and len(column) != len(batch.ids) for _, column in batch):
        return None
    if batch.encode() != body:  # not written as we write it, so a key may stand there twice
        try:
            parse_strictly(body)
        except Refused:
            return None
    return batch


def _read_rows(batch: EventBatch, source: str, role: Role) -> list[Row] | None:
    """Return the rows of a batch, None where one is doubtful: then the strict reading has the word.

    What passes here, the model would take too. Columns hold few different values: each is looked at once.
    """
    nothing: list[None] = [None] * len(batch.ids)
    types, wafers, suppliers, rests = batch.types, batch.wafers or nothing, batch.suppliers or nothing, batch.rests
    lines, days, revisions = batch.lines or nothing, batch.days or nothing, batch.revisions or nothing
    products, sites = batch.products or nothing, batch.sites or nothing
    spoken = ([cell is not None for cell in c] for c in (lines, days, wafers, revisions, products, sites, suppliers))
    for name, *needs in set(zip(types, *spoken, strict=True)):
        layout = LAYOUTS.get(name)
        if layout is None or role not in layout.data.said_by or tuple(needs) != layout.needs:
            return None
    for name, count_ in set(zip(types, wafers, strict=True)):
        if count_ is not None and not LAYOUTS[name].wafers_min <= count_ <= LAYOUTS[name].wafers_max:
            return None
    if role == "supplier" and not {source, None}.issuperset(suppliers):
        return None
    said = list(zip(types, rests or nothing, strict=True))
    try:
        read = {(name, rest): _read_rest(LAYOUTS[name], rest) for name, rest in set(said)}
    except Refused:
        return None
    checked = [read[pair] for pair in said]
    if 0 in wafers and any(n == 0 and '"wafers_damaged":0' in (r or "") for n, r in zip(wafers, checked, strict=True)):
        return None
    cells = zip(
        repeat(source), count(batch.sequence), batch.ids, types, batch.times, lines, days, wafers, revisions,
        products, sites, suppliers, checked, batch.causes or nothing, batch.correlations or nothing,
    )  # fmt: skip
    return list(map(Row._make, cells))


def _read_event(cloud_event: dict[str, Any], source: str, role: Role) -> Event:
    """Return the event that a party may say; raise `Refused` if it may not."""
    event = Event.read(cloud_event)
    if event.source != source:
        raise Refused("foreign_source", "source", f"is {event.source!r} on the stream of {source!r}")
    if role not in event.data.said_by:
        raise Refused("foreign_source", "type", f"{event.data.type} is not said by a {role}")
    supplier = getattr(event.data, "supplier", source)
    if role == "supplier" and supplier != source:
        raise Refused("foreign_source", "data.supplier", f"{source!r} speaks for {supplier!r}")
    return event


def _unfold(raw: dict[str, Any], source: str) -> Iterator[tuple[dict[str, Any], Refused | None]]:
    """Yield the CloudEvents that the columns of a doubtful batch say, as far as they can be told apart."""
    stranger = next((name for name in raw if name not in EventBatch.model_fields), None)
    if stranger is not None:
        raise Refused("malformed", stranger, "is no column of a batch")
    ids, sequence, recorded = raw.get("ids"), raw.get("sequence"), raw.get("recorded")
    if not isinstance(ids, list):
        raise Refused("malformed", "ids", "is not a column")
    if not 1 <= len(ids) <= BATCH_MAX:
        raise Refused("out_of_bounds", "ids", f"holds {len(ids)} rows, not 1 to {BATCH_MAX}")
    columns: dict[str, list[Any]] = {}
    for column in _ROW_FIELDS:
        values = raw.get(column)
        if values is None and column not in ("types", "times"):
            values = [None] * len(ids)
        if not isinstance(values, list) or len(values) != len(ids):
            raise Refused("malformed", column, "is not a column as long as ids")
        columns[column] = values
    if raw.get("source") != source:
        raise Refused("foreign_source", "source", f"is not {source!r}, whose stream this is")
    if type(sequence) is not int:
        raise Refused("malformed", "sequence", "is not the whole number of the first row")
    if not 1 <= sequence <= SEQUENCE_MAX - BATCH_MAX + 1:
        raise Refused("out_of_bounds", "sequence", f"is outside 1 to {SEQUENCE_MAX - BATCH_MAX + 1}")
    if recorded is not None and not _is_within(recorded, _TIME_MIN, _TIME_MAX):
        raise Refused("malformed", "recorded", "is not a time in microseconds since 1970")
    for n, cells in enumerate(zip(*columns.values(), strict=True)):
        yield _tell(source, sequence + n, dict(zip(_ROW_FIELDS.values(), cells, strict=True)))


def _tell(source: str, sequence: int, cells: dict[str, Any]) -> tuple[dict[str, Any], Refused | None]:
    """Return a row as the CloudEvent it means to say, wrong values and all, and what no CloudEvent can say."""
    name, time, day, rest = cells["name"], cells["time"], cells["day"], cells["rest"]
    data: dict[str, Any] = {}
    cloud_event = {
        "specversion": "1.0",
        "id": cells["id"],
        "source": source,
        "type": f"{PREFIX}{name}{VERSION}" if isinstance(name, str) else name,
        "time": iso_time(time) if _is_within(time, _SAYABLE_MIN, _SAYABLE_MAX) else time,
        "sequence": str(sequence),
        "data": data,
    }
    for attribute, cell in (("causationid", "cause"), ("correlationid", "correlation")):
        if cells[cell] is not None:
            cloud_event[attribute] = cells[cell]
    layout = LAYOUTS.get(name) if isinstance(name, str) else None
    if layout is None:
        return cloud_event, None
    wrong = None
    for column in _COLUMNS:
        if cells[column] is not None:
            data[layout.fields.get(column, f"{column}s")] = cells[column]
    if day is not None and layout.day_field is not None:
        if _is_within(day, _SAYABLE_MIN // DAY_US, _SAYABLE_MAX // DAY_US):
            data[layout.day_field] = iso_day(day)
        else:
            wrong = Refused("malformed", f"data.{layout.day_field}", "is not a number of days since 1970")
    if type(time) is not int:
        wrong = Refused("malformed", "time", "is not a number of microseconds since 1970")
    if rest is not None:
        try:
            others = parse_strictly(rest) if isinstance(rest, str) else {"rests": rest}
        except Refused as why:
            wrong = Refused(why.code, f"data.{why.path or 'rests'}", why.message)
            others = {"rests": rest}
        for field in others.keys() & layout.fields.values():
            wrong = Refused("malformed", f"data.{field}", "has a column of its own")
        data.update(others)
    return cloud_event, wrong


def _refuse(cloud_event: dict[str, Any], source: str, why: Refused, body: bytes) -> RefusedEvent:
    id_, sequence = cloud_event.get("id"), cloud_event.get("sequence")
    own = cloud_event.get("source") == source  # the number of another's event says nothing about ours
    numbered = own and isinstance(sequence, str) and re.fullmatch(r"[1-9][0-9]{0,17}", sequence)
    return RefusedEvent(
        sequence=int(str(sequence)) if numbered else None,
        id=id_ if isinstance(id_, str) and _ID(id_) else None,
        code=why.code,
        path=why.path,
        message=why.message,
        source=source,
        body=body,
    )


def _is_within(value: object, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high
