"""Reading of the entries on a party's stream: by columns where all is regular, else event by event, strictly."""

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import count, repeat
from typing import Any

import orjson

from shared.wire.batch import BATCH_MAX, COLUMN_FIELDS, TIME_MAX, TIME_MIN, EventBatch
from shared.wire.days import DAY_US, iso_day, iso_time, microseconds
from shared.wire.events import (
    PREFIX,
    SEQUENCE_MAX,
    VERSION,
    Event,
    Refused,
    canonical,
    parse_strictly,
    validate_strictly,
)
from shared.wire.refusal import RefusedEvent
from shared.wire.rows import CACHED_REST_MAX, COLUMNS, LAYOUTS, Layout, Row
from shared.wire.streams import Role

_ISO_MIN, _ISO_MAX = -62_135_596_800_000_000, 253_402_300_799_999_999  # microseconds: the years 1 to 9999
_is_id = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch
_is_sequence = re.compile(r"[1-9][0-9]{0,17}").fullmatch


def read_entry(body: bytes, source: str, role: Role) -> tuple[list[Row], list[RefusedEvent], int | None]:
    """Return the valid rows of an entry on a party's stream, the refused ones, and the recorded time of its sender.

    An entry is an `EventBatch` or one CloudEvent. An invalid row is refused alone, any other entry as a whole.
    """
    batch = _read_batch(body)
    if batch is not None and batch.source == source:
        good = _read_rows(batch, source, role)
        if good is not None:
            return good, [], batch.recorded
    try:
        raw = parse_strictly(body)
        in_columns = "ids" in raw or "types" in raw
        cloud_events = list(_unfold(raw, source)) if in_columns else [(raw, None)]
    except Refused as why:
        return [], [RefusedEvent(None, None, why.code, why.path, why.message, source, body)], None
    rows: list[Row] = []
    refused: list[RefusedEvent] = []
    recorded: int | None = raw.get("recorded") if in_columns else None
    for cloud_event, wrong in cloud_events:
        try:
            if wrong is not None:
                raise wrong
            event = _read_event(cloud_event, source, role)
        except Refused as why:
            # not orjson: a refused event may hold a lone surrogate, NaN or 40 digits
            bytes_ = json.dumps(cloud_event).encode() if in_columns else body
            refused.append(_refuse(cloud_event, source, why, bytes_))
        else:
            rows.append(Row.of(event))
            if event.recordedtime is not None:
                recorded = microseconds(event.recordedtime)
    return rows, refused, recorded


# ---------------------------------------------------------------- by columns


def _read_batch(body: bytes) -> EventBatch | None:
    """Return the batch if every column has its type and length and occurs once, else None."""
    try:
        # not model_validate_json: half a million empty lists take it seconds
        batch = EventBatch.model_validate(orjson.loads(body))
    except ValueError:
        return None
    if any(isinstance(column, list) and len(column) != len(batch.ids) for _, column in batch):
        return None
    if batch.encode() != body:  # not in our own form, so a key may occur twice
        try:
            parse_strictly(body)
        except Refused:
            return None
    return batch


def _read_rows(batch: EventBatch, source: str, role: Role) -> list[Row] | None:
    """Return the rows of a batch; None where one is doubtful, so that the strict reading decides.

    A row that passes here passes the model, too. A column holds few different values: each is checked once.
    """
    nothing: list[None] = [None] * len(batch.ids)
    types, wafers, suppliers, rests = batch.types, batch.wafers or nothing, batch.suppliers or nothing, batch.rests
    lines, days, revisions = batch.lines or nothing, batch.days or nothing, batch.revisions or nothing
    products, sites = batch.products or nothing, batch.sites or nothing
    filled = ([cell is not None for cell in c] for c in (lines, days, wafers, revisions, products, sites, suppliers))
    for name, *needs in set(zip(types, *filled, strict=True)):
        layout = LAYOUTS.get(name)
        if layout is None or role not in layout.data.published_by or tuple(needs) != layout.needs:
            return None
    for name, count_ in set(zip(types, wafers, strict=True)):
        if count_ is not None and not LAYOUTS[name].wafers_min <= count_ <= LAYOUTS[name].wafers_max:
            return None
    if role == "supplier" and not {source, None}.issuperset(suppliers):
        return None
    pairs = list(zip(types, rests or nothing, strict=True))
    try:
        read = {(name, rest): _read_rest(LAYOUTS[name], rest) for name, rest in set(pairs)}
    except Refused:
        return None
    checked = [read[pair] for pair in pairs]
    if 0 in wafers and any(n == 0 and '"wafers_damaged":0' in (r or "") for n, r in zip(wafers, checked, strict=True)):
        return None
    cells = zip(
        repeat(source), count(batch.sequence), batch.ids, types, batch.times, lines, days, wafers, revisions,
        products, sites, suppliers, checked, batch.causes or nothing, batch.correlations or nothing,
    )  # fmt: skip
    return list(map(Row._make, cells))


def _read_rest(layout: Layout, rest: str | None) -> str | None:
    """Return the fields beyond the columns, checked, in the form of `Row.of`; raise `Refused` where one is invalid."""
    if rest is None:
        if not layout.rest_fields:
            return None
        rest = "{}"
    return _read_short_rest(layout.data.type, rest) if len(rest) <= CACHED_REST_MAX else _read_any_rest(layout, rest)


def _read_any_rest(layout: Layout, rest: str) -> str | None:
    checked = validate_strictly(layout.rest, parse_strictly(rest), "data.")
    fields = checked.model_dump(mode="json", exclude_defaults=True)
    return canonical(fields).decode() if fields else None


@lru_cache(maxsize=8_192)
def _read_short_rest(name: str, rest: str) -> str | None:
    return _read_any_rest(LAYOUTS[name], rest)  # many rows have the same rest


# ---------------------------------------------------------------- event by event


def _read_event(cloud_event: dict[str, Any], source: str, role: Role) -> Event:
    """Return the event; raise `Refused` where the party may not publish it."""
    event = Event.read(cloud_event)
    if event.source != source:
        raise Refused("foreign_source", "source", f"is {event.source!r} on the stream of {source!r}")
    if role not in event.data.published_by:
        raise Refused("foreign_source", "type", f"{event.data.type} is not said by a {role}")
    supplier = getattr(event.data, "supplier", source)
    if role == "supplier" and supplier != source:
        raise Refused("foreign_source", "data.supplier", f"{source!r} speaks for {supplier!r}")
    return event


def _unfold(raw: dict[str, Any], source: str) -> Iterator[tuple[dict[str, Any], Refused | None]]:
    """Yield the CloudEvents in the columns of a doubtful batch, each with its refusal where it cannot be one."""
    stranger = next((name for name in raw if name not in EventBatch.model_fields), None)
    if stranger is not None:
        raise Refused("malformed", stranger, "is no column of a batch")
    ids, sequence, recorded = raw.get("ids"), raw.get("sequence"), raw.get("recorded")
    if not isinstance(ids, list):
        raise Refused("malformed", "ids", "is not a column")
    if not 1 <= len(ids) <= BATCH_MAX:
        raise Refused("out_of_bounds", "ids", f"holds {len(ids)} rows, not 1 to {BATCH_MAX}")
    columns: dict[str, list[Any]] = {}
    for column in COLUMN_FIELDS:
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
    if recorded is not None and not _is_within(recorded, TIME_MIN, TIME_MAX):
        raise Refused("malformed", "recorded", "is not a time in microseconds since 1970")
    for n, cells in enumerate(zip(*columns.values(), strict=True)):
        yield _cloud_event_of(source, sequence + n, dict(zip(COLUMN_FIELDS.values(), cells, strict=True)))


def _cloud_event_of(source: str, sequence: int, cells: dict[str, Any]) -> tuple[dict[str, Any], Refused | None]:
    """Return a row as a CloudEvent, invalid values included, and the refusal of a value that no CloudEvent can hold."""
    name, time, day, rest = cells["name"], cells["time"], cells["day"], cells["rest"]
    data: dict[str, Any] = {}
    cloud_event = {
        "specversion": "1.0",
        "id": cells["id"],
        "source": source,
        "type": f"{PREFIX}{name}{VERSION}" if isinstance(name, str) else name,
        "time": iso_time(time) if _is_within(time, _ISO_MIN, _ISO_MAX) else time,
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
    for column in COLUMNS:
        if cells[column] is not None:
            data[layout.fields.get(column, f"{column}s")] = cells[column]
    if day is not None and layout.day_field is not None:
        if _is_within(day, _ISO_MIN // DAY_US, _ISO_MAX // DAY_US):
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
    own = cloud_event.get("source") == source  # the number of another source's event is none of ours
    numbered = own and isinstance(sequence, str) and _is_sequence(sequence)
    return RefusedEvent(
        sequence=int(str(sequence)) if numbered else None,
        id=id_ if isinstance(id_, str) and _is_id(id_) else None,
        code=why.code,
        path=why.path,
        message=why.message,
        source=source,
        body=body,
    )


def _is_within(value: object, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high
