"""The poison: every way we know for an event to be wrong, with the refusal that is due."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from shared.play.numbering import Numbering
from shared.wire.batch import EventBatch
from shared.wire.events import Event, LotStarted, ReasonCode

SOURCE = "samsung"
_HOLE = "<here>"
_COLUMNS = {
    "id": "ids", "type": "types", "time": "times", "causationid": "causes", "data.lot": "lines",
    "data.due_out": "days", "data.wafers": "wafers", "data.product": "products", "data.site": "sites",
    "data.supplier": "suppliers",
}  # fmt: skip
_SAME = "the same"


class Bad(NamedTuple):
    """JSON text in place of a field of a good event, and how it is refused."""

    name: str
    path: str
    said: str  # JSON text for a CloudEvent's field
    code: ReasonCode
    row: str | None = _SAME  # JSON text for the column's cell, or for the field in `rests`; None: cannot be said there
    schema: bool = True  # the JSON Schema refuses it too

    def cloud_event(self) -> bytes:
        content: dict[str, Any] = good_events()[1].cloud_event()
        place = content
        *parents, field = self.path.split(".")
        for parent in parents:
            place = place[parent]
        place[field] = _HOLE
        return json.dumps(content, ensure_ascii=False).replace(f'"{_HOLE}"', self.said).encode()

    def batch(self) -> bytes:
        """Return three rows of which the second is bad."""
        cell = self.said if self.row == _SAME else str(self.row)
        columns = good_columns()
        if self.path in _COLUMNS:
            columns.setdefault(_COLUMNS[self.path], [None] * 3)[1] = _HOLE
            return json.dumps(columns, ensure_ascii=False).replace(f'"{_HOLE}"', cell).encode()
        rest = json.loads(columns["rests"][1]) | {self.path.removeprefix("data."): _HOLE}
        columns["rests"][1] = json.dumps(rest).replace(f'"{_HOLE}"', cell)
        return json.dumps(columns).encode()


class BadEntry(NamedTuple):
    """A body that is wrong as a whole, or in a way that no single field shows."""

    name: str
    body: bytes
    code: ReasonCode
    path: str
    good: int = 0  # rows beside it that are taken
    schema: bool = True  # the JSON Schema of an event or of a batch refuses it too


def good_events() -> list[Event]:
    """Return three good events of one source."""
    numbering = Numbering(SOURCE)
    start = datetime(2026, 3, 1, tzinfo=UTC)
    return [
        numbering.emit(
            start + timedelta(hours=n),
            LotStarted(
                product="HBM4-12H", site="abilene", supplier=SOURCE, lot=f"L{n}", fab="P4", wafers=25,
                due_out=date(2026, 6, 1),
            ),
        )
        for n in range(3)
    ]  # fmt: skip


def good_columns() -> dict[str, Any]:
    """Return the same three as the columns of a batch."""
    columns: dict[str, Any] = json.loads(EventBatch.of(good_events()).encode())
    return columns


def _us(text: str) -> str:
    since = datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)
    return str(since // timedelta(microseconds=1))


def _day(text: str) -> str:
    return str((date.fromisoformat(text) - date(1970, 1, 1)).days)


_DEEP = "[" * 100_000 + "]" * 100_000
_LONG = json.dumps("x" * 10_000)
_UPPER_ID = '"019A0000-0000-7000-8000-000000000000"'

BAD_EVENTS = [
    Bad("a fraction", "data.wafers", "1.5", "fraction"),
    Bad("a whole number written as a fraction", "data.wafers", "25.0", "fraction", schema=False),
    Bad("a whole number with an exponent", "data.wafers", "2e1", "fraction", schema=False),
    Bad("a number as text", "data.wafers", '"7"', "malformed"),
    Bad("a truth as a number", "data.wafers", "true", "malformed"),
    Bad("no number", "data.wafers", "null", "malformed"),
    Bad("a list as a number", "data.wafers", "[25]", "malformed"),
    Bad("an object as a number", "data.wafers", '{"a":1}', "malformed"),
    Bad("no wafers where that means nothing", "data.wafers", "0", "out_of_bounds"),
    Bad("a negative number", "data.wafers", "-1", "out_of_bounds"),
    Bad("more than a lot holds", "data.wafers", "26", "out_of_bounds"),
    Bad("more than a million", "data.wafers", "1000001", "out_of_bounds"),
    Bad("2^53", "data.wafers", str(2**53), "out_of_bounds"),
    Bad("2^63", "data.wafers", str(2**63), "out_of_bounds"),
    Bad("-2^63-1", "data.wafers", str(-(2**63) - 1), "out_of_bounds"),
    Bad("2^64", "data.wafers", str(2**64), "out_of_bounds"),
    Bad("5,000 digits", "data.wafers", "9" * 5000, "out_of_bounds", schema=False),
    Bad("1e400", "data.wafers", "1e400", "out_of_bounds", schema=False),
    Bad("NaN", "data.wafers", "NaN", "malformed", schema=False),
    Bad("Infinity", "data.wafers", "Infinity", "out_of_bounds", schema=False),
    Bad("a product that is no name", "data.product", '"HBM 9"', "malformed"),
    Bad("an empty product", "data.product", '""', "malformed"),
    Bad("a product that is a number", "data.product", "4", "malformed"),
    Bad("a product of 10 kB", "data.product", _LONG, "malformed"),
    Bad("an unknown type", "type", '"waferline.lot.stolen.v1"', "unknown_type", '"lot.stolen"'),
    Bad("a type of somebody else", "type", '"com.example.lot.started.v1"', "unknown_type", '"x.lot.started"'),
    Bad("an unknown version", "type", '"waferline.lot.started.v2"', "unknown_version", None),
    Bad("no version", "type", '"waferline.lot.started"', "unknown_type", None),
    Bad("a version after the version", "type", '"waferline.lot.started.v1.v1"', "unknown_type", '"lot.started.v1"'),
    Bad("a type that is a number", "type", "7", "malformed"),
    Bad("a type that is nothing", "type", "null", "malformed"),
    Bad("a type that is a list", "type", '["lot.started"]', "malformed"),
    Bad("a time before 2000", "time", '"1999-12-31T23:59:59Z"', "date_out_of_bounds", _us("1999-12-31T23:59:59Z"),
        schema=False),
    Bad("a time after 2100", "time", '"2101-01-01T00:00:00Z"', "date_out_of_bounds", _us("2101-01-01T00:00:00Z"),
        schema=False),
    Bad("a time before the year 1", "time", '"0001-01-01T00:00:00+23:00"', "date_out_of_bounds", None),
    Bad("a time after the year 9999", "time", '"9999-12-31T23:59:59-23:00"', "date_out_of_bounds", None),
    Bad("a time without an offset", "time", '"2026-03-01T00:00:00"', "malformed"),
    Bad("a time with an offset of four digits", "time", '"2026-03-01T00:00:00+0000"', "malformed"),
    Bad("a time that is a day", "time", '"2026-03-01"', "malformed"),
    Bad("a time that is a number", "time", "1772323200", "malformed", None),
    Bad("a time in 30 February", "time", '"2026-02-30T00:00:00Z"', "malformed", None, schema=False),
    Bad("a time with a line break", "time", '"2026-03-01T00:00:00Z\\n"', "malformed", schema=False),
    Bad("a time in Arabic digits", "time", '"٢٠٢٦-03-01T00:00:00Z"', "malformed"),
    Bad("a time that is text in a column of numbers", "time", '"today"', "malformed", '"2026-03-01T00:00:00Z"'),
    Bad("a time that is a truth", "time", "true", "malformed"),
    Bad("a time past all years", "time", '"99999-01-01T00:00:00Z"', "malformed", str(10**30)),
    Bad("a day before 2000", "data.due_out", '"1999-12-31"', "date_out_of_bounds", _day("1999-12-31")),
    Bad("a day after 2100", "data.due_out", '"2101-01-01"', "date_out_of_bounds", _day("2101-01-01")),
    Bad("a day that is none", "data.due_out", '"2026-02-30"', "malformed", "2.5", schema=False),
    Bad("a day as a number", "data.due_out", "20605", "malformed", '"2026-06-01"'),
    Bad("a day with a time", "data.due_out", '"2026-06-01T00:00:00"', "malformed", "true"),
    Bad("a day in Arabic digits", "data.due_out", '"٢٠٢٦-06-01"', "malformed", None),
    Bad("a day with a line break", "data.due_out", '"2026-06-01\\n"', "malformed", str(10**12), schema=False),
    Bad("a name with a NUL", "data.lot", '"L\\u00001"', "malformed"),
    Bad("a name that is a lone surrogate", "data.lot", '"\\ud800"', "malformed"),
    Bad("a name of 10 kB", "data.lot", _LONG, "malformed"),
    Bad("a name of 65 characters", "data.site", json.dumps("x" * 65), "malformed"),
    Bad("an empty name", "data.site", '""', "malformed"),
    Bad("a name with a line break at its end", "data.site", '"abilene\\n"', "malformed", schema=False),
    Bad("a name that begins with a dash", "data.site", '"-x"', "malformed"),
    Bad("a name with a letter beyond ASCII", "data.site", '"münchen"', "malformed"),
    Bad("a name that is a number", "data.fab", "4", "malformed"),
    Bad("a name that is a lone surrogate, in the rest", "data.fab", '"\\ud800"', "malformed"),
    Bad("a number with 5,000 digits, in the rest", "data.fab", "9" * 5000, "malformed", schema=False),
    Bad("an extra field", "data.yield", "1", "malformed"),
    Bad("a misspelt field", "data.wafer", "25", "malformed"),
    Bad("an id that is no UUID", "id", '"1"', "malformed"),
    Bad("an id in capitals", "id", _UPPER_ID, "malformed"),
    Bad("an id that is nothing", "id", "null", "malformed"),
    Bad("an id that is a list", "id", "[]", "malformed"),
    Bad("a cause that is no UUID", "causationid", '"because"', "malformed"),
    Bad("a supplier speaking for another", "data.supplier", '"skhynix"', "foreign_source", schema=False),
    Bad("another source", "source", '"skhynix"', "foreign_source", None, schema=False),
    Bad("another version of CloudEvents", "specversion", '"0.3"', "malformed", None),
    Bad("a sequence that is a number", "sequence", "2", "malformed", None),
    Bad("a sequence of 0", "sequence", '"0"', "malformed", None),
    Bad("a sequence that is negative", "sequence", '"-1"', "malformed", None),
    Bad("a sequence with a leading zero", "sequence", '"02"', "malformed", None),
    Bad("a sequence of 19 digits", "sequence", '"1000000000000000000"', "malformed", None),
    Bad("a sequence in Arabic digits", "sequence", '"1٣"', "malformed", None),
    Bad("a subject that the data does not say", "subject", '"L7"', "malformed", None, schema=False),
    Bad("a partition key that the data does not say", "partitionkey", '"HBM9"', "malformed", None, schema=False),
    Bad("XML as data", "datacontenttype", '"application/xml"', "malformed", None),
    Bad("an attribute that is none of ours", "traceparent", '"00"', "malformed", None),
    Bad("data that is text", "data", '"x"', "malformed", None),
    Bad("data that is nothing", "data", "null", "malformed", None),
]  # fmt: skip


def _said(**changes: Any) -> bytes:
    return json.dumps(good_events()[1].cloud_event() | changes).encode()


def _without(name: str) -> bytes:
    return json.dumps({field: value for field, value in json.loads(_said()).items() if field != name}).encode()


def _data(**changes: Any) -> bytes:
    return _said(data=json.loads(_said())["data"] | changes)


def _columns(**changes: Any) -> bytes:
    return json.dumps(good_columns() | changes).encode()


def _rest(rest: Any) -> bytes:
    return _columns(rests=[None, rest, None] if rest is None else ['{"fab":"P4"}', rest, '{"fab":"P4"}'])


def _many(body: bytes, before: bytes, fields: int) -> bytes:
    return body.replace(before, b"".join(b'"x%d":1,' % n for n in range(fields)) + before, 1)


def _foreign_type() -> bytes:
    content = json.loads(_said())
    data = {"product": "HBM4-12H", "site": "abilene", "supplier": SOURCE, "wafers": 25}
    return json.dumps(content | {"type": "waferline.stock.opened.v1", "subject": None, "data": data}).encode()


def _foreign_row() -> bytes:
    columns = good_columns()
    for name, cell in (("types", "stock.opened"), ("lines", None), ("days", None), ("rests", None)):
        columns[name][1] = cell
    return json.dumps(columns).encode()


def _unfinished(name: str) -> bytes:
    columns = good_columns()
    columns[name][1] = None
    return json.dumps(columns).encode()


_GOOD, _BATCH = _said(), json.dumps(good_columns(), separators=(",", ":")).encode()

BAD_ENTRIES = [
    BadEntry("nothing", b"", "malformed", ""),
    BadEntry("not JSON", b"{", "malformed", ""),
    BadEntry("a batch cut short", _BATCH[:-9], "malformed", ""),
    BadEntry("two objects", _GOOD + _GOOD, "malformed", ""),
    BadEntry("a byte order mark", b"\xef\xbb\xbf" + _GOOD, "malformed", "", schema=False),
    BadEntry("UTF-16", _GOOD.decode().encode("utf-16"), "malformed", "", schema=False),
    BadEntry("bytes that are no UTF-8", _GOOD.replace(b"P4", b"\xff"), "malformed", ""),
    BadEntry("a surrogate in bytes", _GOOD.replace(b"P4", b"\xed\xa0\x80"), "malformed", ""),
    BadEntry("a list of events", b"[" + _GOOD + b"]", "malformed", ""),
    BadEntry("a text", b'"lot.started"', "malformed", ""),
    BadEntry("null", b"null", "malformed", ""),
    BadEntry("an empty object", b"{}", "malformed", "specversion"),
    BadEntry("nesting of 100,000 lists", _DEEP.encode(), "malformed", ""),
    BadEntry("nesting of 100,000 in a field", _GOOD.replace(b"25", _DEEP.encode()), "malformed", ""),
    BadEntry(
        "nesting of 500 in a field",
        _GOOD.replace(b"25", b"[" * 500 + b"]" * 500),
        "malformed",
        "data.wafers.0.0.0.0.0.0",
    ),
    BadEntry(
        "nesting of 500 in a cell",
        _BATCH.replace(b"25", b"[" * 500 + b"]" * 500, 1),
        "malformed",
        "wafers.0.0.0.0.0.0.0",
    ),
    BadEntry(
        "nesting of 500 in a rest",
        _rest('{"fab":' * 500 + "1" + "}" * 500),
        "malformed",
        "data" + ".fab" * 8,
        good=2,
        schema=False,
    ),
    BadEntry("nesting of 100,000 in a rest", _rest(_DEEP), "malformed", "data.rests", good=2, schema=False),
    BadEntry("no type", _without("type"), "malformed", "type"),
    BadEntry("no time", _without("time"), "malformed", "time"),
    BadEntry("no sequence", _without("sequence"), "malformed", "sequence"),
    BadEntry("no data", _without("data"), "malformed", "data"),
    BadEntry("data that lacks a field", _said(data={"product": "HBM4-12H"}), "malformed", "data.site"),
    BadEntry("a field named with a lone surrogate", _data(**{"\ud800": 1}), "malformed", "data.\\ud800"),
    BadEntry("a field named with a NUL", _data(**{"a\0": 1}), "malformed", "data.a\\x00"),
    BadEntry(
        "an attribute said twice",
        _GOOD.replace(b'"id"', b'"source": "samsung", "id"'),
        "duplicate_key",
        "source",
        schema=False,
    ),
    BadEntry(
        "a field said twice",
        _GOOD.replace(b'"wafers"', b'"wafers": 1, "wafers"'),
        "duplicate_key",
        "data.wafers",
        schema=False,
    ),
    BadEntry(
        "a field said twice, once in escapes",
        _GOOD.replace(b'"wafers"', b'"\\u0077afers": 1, "wafers"'),
        "duplicate_key",
        "data.wafers",
        schema=False,
    ),
    BadEntry(
        "a field said twice in a rest",
        _rest('{"fab":"P4","fab":"P5"}'),
        "duplicate_key",
        "data.fab",
        good=2,
        schema=False,
    ),
    BadEntry(
        "a rest that repeats a column",
        _rest('{"fab":"P4","wafers":1}'),
        "malformed",
        "data.wafers",
        good=2,
        schema=False,
    ),
    BadEntry("a rest that is not JSON", _rest("fab"), "malformed", "data.rests", good=2, schema=False),
    BadEntry("a rest that is a list", _rest('["fab"]'), "malformed", "data.rests", good=2, schema=False),
    BadEntry("a rest that is an object", _rest({"fab": "P4"}), "malformed", "data.rests", good=2),
    BadEntry("a rest that lacks a field", _rest("{}"), "malformed", "data.fab", good=2, schema=False),
    BadEntry("a row without wafers", _unfinished("wafers"), "malformed", "data.wafers", good=2, schema=False),
    BadEntry("a row without a product", _unfinished("products"), "malformed", "data.product", good=2, schema=False),
    BadEntry("a row without a time", _unfinished("times"), "malformed", "time", good=2),
    BadEntry(
        "a row with a column its type has not",
        _columns(revisions=[None, 1, None]),
        "malformed",
        "data.revisions",
        good=2,
        schema=False,
    ),
    BadEntry("a type that a supplier does not say", _foreign_type(), "foreign_source", "type", schema=False),
    BadEntry("a row that a supplier does not say", _foreign_row(), "foreign_source", "type", good=2, schema=False),
    BadEntry("a batch of another source", _columns(source="skhynix"), "foreign_source", "source", schema=False),
    BadEntry("a batch of no source", _columns(source=None), "foreign_source", "source"),
    BadEntry(
        "a batch of a source that is a lone surrogate",
        _columns(source="\ud800"),
        "foreign_source",
        "source",
        schema=False,
    ),
    BadEntry(
        "a batch of no rows",
        _columns(**{name: [] for name in good_columns() if name not in ("source", "sequence")}),
        "out_of_bounds",
        "ids",
    ),
    BadEntry(
        "a batch of 1,001 rows",
        _columns(**{name: cells * 334 for name, cells in good_columns().items() if isinstance(cells, list)}),
        "out_of_bounds",
        "ids",
    ),
    BadEntry("a column that is shorter", _columns(wafers=[25, 25]), "malformed", "wafers", schema=False),
    BadEntry("a column that is longer", _columns(types=["lot.started"] * 4), "malformed", "types", schema=False),
    BadEntry("a column that is a text", _columns(lines="L0L1L2"), "malformed", "lines"),
    BadEntry("a column of ids that is a number", _columns(ids=3), "malformed", "ids"),
    BadEntry("no column of types", _columns(types=None), "malformed", "types"),
    BadEntry("no column of ids", _columns(ids=None), "malformed", "ids"),
    BadEntry("an unknown column", _columns(yields=[1, 1, 1]), "malformed", "yields"),
    BadEntry("a column said twice", _BATCH[:-1] + b',"wafers":[1,1,1]}', "duplicate_key", "wafers", schema=False),
    BadEntry(
        "a column said twice, once with a blank",
        _BATCH[:-1] + b',"wafers" :[1,1,1]}',
        "duplicate_key",
        "wafers",
        schema=False,
    ),
    BadEntry(
        "a column said twice, once in escapes",
        _BATCH[:-1] + b',"w\\u0061fers":[1,1,1]}',
        "duplicate_key",
        "wafers",
        schema=False,
    ),
    BadEntry(
        "a batch's sequence said twice", _BATCH[:-1] + b',"sequence":1}', "duplicate_key", "sequence", schema=False
    ),
    BadEntry("a batch without a sequence", _columns(sequence=None), "malformed", "sequence"),
    BadEntry("a batch's sequence of 0", _columns(sequence=0), "out_of_bounds", "sequence"),
    BadEntry("a batch's sequence of 10^18", _columns(sequence=10**18), "out_of_bounds", "sequence"),
    BadEntry("a batch's sequence as text", _columns(sequence="1"), "malformed", "sequence"),
    BadEntry("a batch's sequence that is true", _columns(sequence=True), "malformed", "sequence"),
    BadEntry("a batch recorded past all years", _columns(recorded=2**62), "malformed", "recorded"),
    BadEntry("200,000 fields too many", _many(_GOOD, b'"wafers"', 200_000), "malformed", "data.x0"),
    BadEntry("200,000 attributes too many", _many(_GOOD, b'"id"', 200_000), "malformed", "x0"),
    BadEntry("200,000 columns too many", _many(_BATCH, b'"ids"', 200_000), "malformed", "x0"),
    BadEntry(
        "200,000 fields, the last one twice",
        _many(_GOOD, b'"wafers"', 200_000).replace(b'"wafers"', b'"wafers":1,"wafers"'),
        "duplicate_key",
        "data.wafers",
        schema=False,
    ),
    BadEntry("300,000 empty lists", b'{"ids":[' + b"[]," * 300_000 + b"[]]}", "out_of_bounds", "ids"),
    BadEntry("2 MB of text", _data(fab="x" * 2_000_000), "malformed", "data.fab"),
]
"""Each is refused once, as a whole or as its one bad row."""
