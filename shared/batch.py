"""Events in columns: how up to 1,000 events of one source travel in one entry, and how each row is read strictly."""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from operator import attrgetter
from typing import Annotated, Any, NamedTuple

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from shared.catalog import PRODUCTS
from shared.events import (
    DAY_MAX,
    DAY_MIN,
    EPOCH,
    EVENTS,
    PREFIX,
    VERSION,
    Event,
    EventData,
    ReasonCode,
    Refused,
    canonical,
    data_class,
    day_number,
    microseconds,
    parse_strictly,
)
from shared.streams import Role

BATCH_MAX = 1000
_COLUMNS = ("line", "day", "wafers", "revision", "product", "site", "supplier")
_DAY_MIN, _DAY_MAX = day_number(DAY_MIN), day_number(DAY_MAX)
_TIME_MIN, _TIME_MAX = _DAY_MIN * 86_400_000_000, (_DAY_MAX + 1) * 86_400_000_000 - 1
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:\-]{0,63}").fullmatch

Column = Annotated[list[str | None], Field(max_length=BATCH_MAX)]
Numbers = Annotated[list[int | None], Field(max_length=BATCH_MAX)]


class EventBatch(BaseModel):
    """Up to 1,000 events of one source, one column a field; a column that nobody uses is left out.

    `wafers`, `days` and `lines` hold what `EventData.columns` names for the type, `rests` the other fields as JSON.
    Row n has the sequence `sequence + n`. Times are microseconds and days are days since 1970, UTC.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    source: str
    sequence: Annotated[int, Field(ge=1, le=10**18)]
    recorded: int | None = None
    ids: Annotated[list[str], Field(min_length=1, max_length=BATCH_MAX)]
    types: Annotated[list[str], Field(max_length=BATCH_MAX)]
    times: Annotated[list[int], Field(max_length=BATCH_MAX)]
    lines: Column | None = None
    days: Numbers | None = None
    wafers: Numbers | None = None
    revisions: Numbers | None = None
    products: Column | None = None
    sites: Column | None = None
    suppliers: Column | None = None
    rests: Column | None = None
    causes: Column | None = None
    correlations: Column | None = None

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
        rest = {name: getattr(event.data, name) for name in layout.rest_fields}
        return cls(
            source=event.source,
            sequence=event.sequence,
            id=event.id,
            name=event.data.type,
            time=microseconds(event.time),
            rest=orjson.dumps(rest).decode() if rest else None,
            cause=event.causationid,
            correlation=event.correlationid,
            **cells,
        )

    @property
    def others(self) -> dict[str, Any]:
        """The fields that have no column of their own, by name."""
        return _read_rest(self.name, self.rest)

    def content(self) -> dict[str, Any]:
        """Return what `Event.content` returns for the same event, without making the event."""
        layout = LAYOUTS[self.name]
        data = {field: self[index] for index, field in layout.cells}
        if layout.day_field is not None:
            data[layout.day_field] = _iso_day(self.day)  # type: ignore[arg-type]
        if layout.rest_fields:
            data.update(self.others)
        content = {
            "specversion": "1.0",
            "id": self.id,
            "source": self.source,
            "type": layout.type,
            "time": _iso_time(self.time),
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

    def digest(self) -> bytes:
        """Return the SHA-256 of the canonical content, 32 bytes."""
        return sha256(canonical(self.content())).digest()

    def event(self, recorded: int | None = None) -> Event:
        """Return the event of this row."""
        content = self.content()
        if recorded is not None:
            content["recordedtime"] = _iso_time(recorded)
        return Event.read(content)


class RefusedRow(NamedTuple):
    """An event that was not taken: as much of its identity as could be read, why, and what was said."""

    source: str
    sequence: int | None
    id: str | None
    code: ReasonCode
    path: str
    message: str
    body: bytes


def read_entry(body: bytes, source: str, role: Role) -> tuple[list[Row], list[RefusedRow], int | None]:
    """Return the good rows of an entry on a party's stream, the refused ones, and the time its sender recorded.

    An entry is an `EventBatch` or one CloudEvent; a row that is wrong is refused alone, an entry that is neither whole.
    """
    batch = _read_batch(body)
    if batch is not None and batch.source == source:
        good, doubtful = _read_rows(batch, source, role)
        if not doubtful:
            return good, [], batch.recorded
    rows: list[Row] = []
    refused: list[RefusedRow] = []
    recorded: int | None = batch.recorded if batch is not None else None
    try:
        raw = parse_strictly(body)
        said = list(_unfold(raw)) if "ids" in raw else [raw]
    except Refused as why:
        return [], [RefusedRow(source, None, None, why.code, why.path, why.message, body)], recorded
    for cloud_event in said:
        try:
            rows.append(_read_event(cloud_event, source, role))
        except Refused as why:
            spoken = orjson.dumps(cloud_event, default=repr, option=orjson.OPT_NON_STR_KEYS) if "ids" in raw else body
            refused.append(_refuse(cloud_event, source, why, spoken))
    return rows, refused, recorded


# ---------------------------------------------------------------- how a type lies in the columns


class Layout(NamedTuple):
    """How the fields of one event lie in the columns."""

    type: str
    data: type[EventData]
    fields: dict[str, str]  # column -> field
    cells: tuple[tuple[int, str], ...]  # index in a Row -> field, the day left out
    day_field: str | None
    rest_fields: tuple[str, ...]
    rest: type[BaseModel]
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
        type=PREFIX + data.type + VERSION,
        data=data,
        fields=fields,
        cells=tuple((Row._fields.index(column), field) for column, field in fields.items() if column != "day"),
        day_field=fields.get("day"),
        rest_fields=rest_fields,
        rest=rest,
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


@lru_cache(maxsize=65_536)
def _read_rest(name: str, rest: str | None) -> dict[str, Any]:
    """Return the checked fields beyond the columns, defaults filled in; many rows say the same ones."""
    layout = LAYOUTS[name]
    raw = parse_strictly(rest) if rest is not None else {}
    return layout.rest.model_validate(raw).model_dump(mode="json")


# ---------------------------------------------------------------- reading the columns


def _read_batch(body: bytes) -> EventBatch | None:
    """Return the batch where every column is of its type and length and named once, else None."""
    try:
        batch = EventBatch.model_validate_json(body)
    except ValidationError:
        return None
    rows = len(batch.ids)
    for name, column in batch:
        if isinstance(column, list) and (len(column) != rows or body.count(b'"%b":' % name.encode()) != 1):
            return None
    return batch


def _read_rows(batch: EventBatch, source: str, role: Role) -> tuple[list[Row], bool]:
    """Return the rows of a batch, and whether one is doubtful: then the strict reading has the word.

    What passes here, the model would take too; it is the same check in a tenth of the time.
    """
    rows = len(batch.ids)
    nothing: list[None] = [None] * rows
    good = []
    names: set[str] = set()
    for n, (id_, name, time, line, day, wafers, revision, product, site, supplier, rest, cause, correlation) in enumerate(
        zip(
            batch.ids, batch.types, batch.times, batch.lines or nothing, batch.days or nothing,
            batch.wafers or nothing, batch.revisions or nothing, batch.products or nothing, batch.sites or nothing,
            batch.suppliers or nothing, batch.rests or nothing, batch.causes or nothing,
            batch.correlations or nothing, strict=True,
        )
    ):  # fmt: skip
        layout = LAYOUTS.get(name)
        if (
            layout is None
            or role not in layout.data.said_by
            or not _ID(id_)
            or not _TIME_MIN <= time <= _TIME_MAX
            or (
                line is not None, day is not None, wafers is not None, revision is not None,
                product is not None, site is not None, supplier is not None,
            ) != layout.needs
            or (line is not None and not _NAME(line))
            or (day is not None and not _DAY_MIN <= day <= _DAY_MAX)
            or (wafers is not None and not layout.wafers_min <= wafers <= layout.wafers_max)
            or (revision is not None and not 0 <= revision <= 1_000_000)
            or (product is not None and product not in PRODUCTS)
            or (site is not None and site not in names and not _NAME(site))
            or (supplier is not None and supplier not in names and not _NAME(supplier))
            or (role == "supplier" and supplier is not None and supplier != source)
            or (cause is not None and not _ID(cause))
            or (correlation is not None and not _ID(correlation))
        ):  # fmt: skip
            return [], True
        if site is not None:
            names.add(site)
        if supplier is not None:
            names.add(supplier)
        if layout.rest_fields:
            try:
                others = _read_rest(name, rest)
            except (ValidationError, Refused):
                return [], True
            if wafers == 0 and others.get("wafers_damaged") == 0:
                return [], True
        elif rest is not None:
            return [], True
        row = Row(
            source, batch.sequence + n, id_, name, time, line, day, wafers, revision, product, site, supplier,
            rest, cause, correlation,
        )  # fmt: skip
        good.append(row)
    return good, False


def _read_event(cloud_event: dict[str, Any], source: str, role: Role) -> Row:
    """Return the row of one CloudEvent that its party may say; raise `Refused` if not."""
    event = Event.read(cloud_event)
    if event.source != source:
        raise Refused("foreign_source", "source", f"is {event.source!r} on the stream of {source!r}")
    if role not in event.data.said_by:
        raise Refused("foreign_source", "type", f"{event.data.type} is not said by a {role}")
    supplier = getattr(event.data, "supplier", source)
    if role == "supplier" and supplier != source:
        raise Refused("foreign_source", "data.supplier", f"{source!r} speaks for {supplier!r}")
    return Row.of(event)


def _unfold(raw: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the CloudEvents that the columns of a doubtful batch say, as far as they can be told apart."""
    columns = {column: raw.get(column) for column in _ROW_FIELDS}
    stranger = next((name for name in raw if name not in EventBatch.model_fields), None)
    if stranger is not None:
        raise Refused("malformed", stranger[:80], "is no column of a batch")
    for column, values in columns.items():
        if values is None and column not in ("ids", "types", "times"):
            columns[column] = [None] * len(raw["ids"])
        elif not isinstance(values, list) or not isinstance(raw["ids"], list) or len(values) != len(raw["ids"]):
            raise Refused("malformed", column, "is not a column as long as ids")
    if not 1 <= len(raw["ids"]) <= BATCH_MAX:
        raise Refused("out_of_bounds", "ids", f"holds {len(raw['ids'])} rows, not 1 to {BATCH_MAX}")
    if type(raw.get("sequence")) is not int:
        raise Refused("malformed", "sequence", "is not the whole number of the first row")
    recorded = raw.get("recorded")
    if recorded is not None and (type(recorded) is not int or not _TIME_MIN <= recorded <= _TIME_MAX):
        raise Refused("malformed", "recorded", "is not a time in microseconds since 1970")
    for n, cells in enumerate(zip(*columns.values(), strict=True)):
        yield _tell(raw, n, dict(zip(_ROW_FIELDS.values(), cells, strict=True)))


def _tell(raw: dict[str, Any], n: int, cells: dict[str, Any]) -> dict[str, Any]:
    """Return row n as the CloudEvent it means to say, wrong values and all."""
    cloud_event: dict[str, Any] = {
        "specversion": "1.0",
        "id": cells["id"],
        "source": raw.get("source"),
        "type": f"{PREFIX}{cells['name']}{VERSION}",
        "time": _iso_time(cells["time"]) if _is_within(cells["time"], _TIME_MIN, _TIME_MAX) else cells["time"],
        "sequence": raw["sequence"] + n,
    }
    if cells["cause"] is not None:
        cloud_event["causationid"] = cells["cause"]
    if cells["correlation"] is not None:
        cloud_event["correlationid"] = cells["correlation"]
    try:
        layout = LAYOUTS[data_class(cloud_event["type"]).type]
    except Refused:
        return cloud_event | {"data": {}}
    data: dict[str, Any] = {}
    for column in _COLUMNS:
        value, field = cells[column], layout.fields.get(column)
        if column == "day" and type(value) is int:
            value = _far_day(value)
        if field is not None and value is not None:
            data[field] = value
        elif value is not None:
            data[f"{column}s" if column != "wafers" else column] = value
    rest = cells["rest"]
    if isinstance(rest, str):
        try:
            data.update(parse_strictly(rest))
        except Refused:
            data["rests"] = rest
    elif rest is not None:
        data["rests"] = rest
    return cloud_event | {"data": data}


def _refuse(cloud_event: dict[str, Any], source: str, why: Refused, body: bytes) -> RefusedRow:
    id_, sequence = cloud_event.get("id"), cloud_event.get("sequence")
    if isinstance(sequence, str) and re.fullmatch(r"[1-9]\d{0,17}", sequence):
        sequence = int(sequence)
    return RefusedRow(
        source=source,
        sequence=sequence if type(sequence) is int and 0 < sequence < 10**18 else None,
        id=id_ if isinstance(id_, str) and _ID(id_) else None,
        code=why.code,
        path=why.path[:200],
        message=why.message[:500],
        body=body,
    )


# ---------------------------------------------------------------- days and times as text


def _is_within(value: object, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high


def _far_day(day: int) -> object:
    return _iso_day(day) if -700_000 < day < 2_900_000 else day


@lru_cache(maxsize=65_536)
def _iso_day(day: int) -> str:
    return (EPOCH + timedelta(days=day)).isoformat()


def _iso_time(us: int) -> str:
    seconds, rest = divmod(us, 1_000_000)
    day, second = divmod(seconds, 86_400)
    return f"{_iso_day(day)}T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}.{rest:06d}Z"


def time_of(us: int) -> datetime:
    """Return the instant of microseconds since 1970, UTC."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)


by_sequence = attrgetter("sequence")
