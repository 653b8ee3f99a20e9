"""The reference page of all events, docs/events.md."""

from collections.abc import Iterator
from inspect import getdoc
from typing import Any, get_args

import orjson

from services.operator.contracts.examples import example_events, example_payloads
from services.operator.contracts.layouts_table import COLUMN_NAMES
from services.operator.contracts.markdown import json_block, prose, table
from services.operator.contracts.schemas import schema_of
from shared.wire.batch import BATCH_MAX
from shared.wire.events import (
    EVENTS,
    NESTING_MAX,
    PREFIX,
    UNALLOCATED,
    UNATTRIBUTED,
    VERSION,
    Envelope,
    Event,
    Kilowatts,
    Pue,
    ReasonCode,
    Share,
    Yield,
)
from shared.wire.rows import LAYOUTS
from shared.wire.streams import Role, recorded_stream

REASONS: dict[ReasonCode, tuple[str, str]] = {
    "malformed": (
        "The event is not JSON, or the field at the path has the wrong type, or is not in the contract.",
        "Compare the field at the path with the table of its event. An empty path means the whole event.",
    ),
    "duplicate_key": (
        "An object names the key at the path twice, so its value is ambiguous.",
        "Name each key once. A list of pairs that was turned into JSON by hand is the usual cause.",
    ),
    "unknown_type": (
        "No event has this `type`.",
        "Compare it with the names on this page; they begin with the prefix and end with the version.",
    ),
    "unknown_version": (
        "The event is known, but not in this version.",
        "Send the version on this page, or update the ledger before its parties.",
    ),
    "unknown_product": (
        (
            "No planner has declared the product. Only a door refuses it (HTTP, import, command line), never the"
            " ledger; refusals in older stores keep this code."
        ),
        "Use one of the nearest names in the message, or declare the product: `waferline declare product`.",
    ),
    "fraction": (
        "A quantity is written as a fraction; 25.0 is one, too.",
        "Send whole wafers. The sender decides on rounding, so that sums stay as they were sent.",
    ),
    "out_of_bounds": (
        "A number, a text or a list is outside its bounds.",
        "Compare it with the table; more than 1,000,000 wafers are several events.",
    ),
    "date_out_of_bounds": (
        "A day or a time is outside 2000-01-01 to 2100-12-31.",
        "Look for seconds taken for microseconds, or a placeholder such as 9999-12-31.",
    ),
    "movement_in_future": (
        "A movement is more than a day later than the time it was recorded.",
        "Publish a movement once it has happened; a future one is a plan. Check the sender's clock.",
    ),
    "watermark_in_future": (
        "A watermark is beyond the day after the one on which it was recorded.",
        "Publish a watermark once its day is over. Compare its year with the calendar.",
    ),
    "identity_conflict": (
        "The source has published another content under this id before.",
        "Publish a change as a new event, with the next revision or as a reversal.",
    ),
    "foreign_source": (
        "The event names a source or supplier other than that of its stream, or its role may not publish it.",
        "Each party publishes its own events, on its own stream.",
    ),
}
"""The meaning of each reason code, and the action for the sender."""


def _pattern(text: Any) -> str:
    return str(get_args(text)[1].pattern)


_UNITS = {
    "wafers": "WSE", "wafers_per_month": "WSE a month", "wafers_damaged": "WSE", "counted": "WSE",
    "yield_variance": "WSE", "mw": "MW", "pue_percent": "%", "land_ha": "ha", "waterplane_m2": "m²",
    "kg_co2_per_mwh": "kg CO₂ per MWh",
}  # fmt: skip
_SHAPES = {
    r"^[A-Za-z0-9][A-Za-z0-9._:\-]{0,63}$": "name",
    r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$": "UUID in small letters",
    _pattern(Yield): "a fraction above 0, up to 1, as text",
    _pattern(Share): "a fraction of 0 to 1 as text",
    _pattern(Pue): "a number of 1 to below 10 as text",
    _pattern(Kilowatts): "a positive number as text",
    r"^[A-Z]{2}$": "two capitals, ISO 3166-1",
    "^[1-9][0-9]{0,17}$": "a positive whole number as text, up to 18 digits",
}


def events_page() -> str:
    """Return the reference page of all events, in Markdown."""
    parts = [_INTRODUCTION, *_envelope(), _IDENTITY, *_batch(), *_reasons(), "## The events"]
    for name, event in example_events().items():
        parts += _event(name, event)
    return "\n\n".join(parts) + "\n"


_INTRODUCTION = f"""\
# The events

<!-- Written by `make contracts` from the models in shared/wire/events.py: change them, not this page. -->

An event is a fact that one party publishes: it has happened, so it is never corrected, only followed by another. At the
edges an event is a CloudEvents 1.0 JSON object, on the streams it is a row of a batch; both carry the same fields. Its
stored form and its proof are in [proof.md](proof.md). The JSON Schemas and the AsyncAPI document, for programs, are in
[contracts](../contracts).

- `wafers` are whole 300 mm wafer-start equivalents at planned yield (**WSE**). A lot starts with its physical wafers.
- A **day** is `YYYY-MM-DD`, 2000-01-01 to 2100-12-31. A movement's day is the UTC day of its `time`.
- A **time** is one of RFC 3339 with its offset. Its fraction may have any number of digits; the microseconds are kept,
  the digits beyond are cut off. A leap second (`:60`) is refused: give the second before it or after it.
- A **name** is 1 to 64 letters, digits, `.`, `_`, `:` or `-` of ASCII, a letter or digit first. The site
  `{UNALLOCATED}` and the supplier `{UNATTRIBUTED}` stand for none yet. A **text** is one line of Unicode: no
  control character (C0, C1, DEL), no mark of direction (U+061C, U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069), no
  U+2028 or U+2029. Events recorded before this rule may hold those beyond C0 and DEL; they stay recorded.
- A **revision** belongs to a line: its greatest (revision, time, id) holds. 0 wafers withdraw the line.
  So it is with the counts of one product, site and supplier on one day.
- Nothing is converted: `"7"`, `25.0` and `true` are no numbers of wafers. No field may be added, none named twice, and
  nothing nested more than {NESTING_MAX} deep."""

_IDENTITY = """\
## Identity and content

**Identity** is the pair (`source`, `id`). The same pair with the same content is a duplicate: counted, and dropped.
With another content it is refused as `identity_conflict`. Any UUID will do as an `id`; ours are of version 7 and made
so that the same event, published again, has the same id again. With the id of its cause, or nothing, as cause:

    the hash: SHA-256 of the UTF-8 of source + "\\n" + cause + "\\n" + sequence
    48 bits: milliseconds of `time` since 1970 | 4 bits: 7 | 12 bits of the hash | 2 bits: 10 | 62 bits of the hash

The hash gives its first ten bytes; the version and the variant overwrite the bits in their places.

**Content** is the JSON object with exactly these attributes:

| attribute | value |
|---|---|
| `specversion`, `datacontenttype` | `"1.0"`, `"application/json"`, also where the event leaves out the latter |
| `id`, `source`, `type` | as sent |
| `time` | the same instant in UTC with six decimals: `2026-03-02T06:32:00.000000Z` |
| `sequence` | as sent: a string |
| `subject` | the field in the column `lines` of a batch (see each event); left out where there is none |
| `partitionkey` | the product; left out where the event has none |
| `causationid`, `correlationid` | as sent; left out where absent, or null |
| `data` | its fields; a field that equals its default is left out |

`recordedtime` is not content: the ledger sets it. `POST /events` drops a `sequence` that is sent and gives its own, so
there an event sent again is a duplicate however it is written: with another order of keys, another offset of its time,
attributes left out or null. It gets no new sequence. A field that a contract gains later has a default, so it alters
the content of no earlier event.

The ledger stores this content as an array, and seals that in its chain: see [proof.md](proof.md)."""


def _envelope() -> Iterator[str]:
    schema = schema_of(Envelope)
    rows = (
        (f"`{name}`", _shape(value) + ("" if name in schema["required"] else "; may be left out"), _ATTRIBUTES[name])
        for name, value in schema["properties"].items()
    )
    yield "## The envelope"
    yield table(("attribute", "value", "meaning"), rows)


_ATTRIBUTES = {
    "specversion": "the version of CloudEvents",
    "id": "with `source` the event's identity, see below",
    "source": "the party that publishes the event, on its own stream",
    "type": f"`{PREFIX}`, the name of the event, `{VERSION}`",
    "time": "the time at which it happened",
    "sequence": "counts the events of the source, from 1, without a gap",
    "subject": "the line; must equal the line in `data`",
    "datacontenttype": "no other",
    "recordedtime": "the time at which the ledger recorded it; a sender's value is used in a replay only",
    "partitionkey": "the product; must equal the product in `data`",
    "correlationid": "joins events that belong together",
    "causationid": "the id of the event it follows from",
    "data": "the fields of its type",
}


def _batch() -> Iterator[str]:
    yield f"""\
## A batch

An entry of a stream carries one CloudEvent, or an `EventBatch`: 1 to {BATCH_MAX:,} events of one source in columns of
equal length. Row n, from 0, has the sequence `sequence` + n. `ids`, `types` (without `{PREFIX}` and `{VERSION}`)
and `times` (microseconds since 1970, UTC) are always there; a column that no row uses is left out, and a row without
a value in one has `null`. The table of each event names the fields in `lines`, `days` (since 1970), `wafers`,
`revisions`, `products`, `sites` and `suppliers`; the others are in `rests` as a JSON object in a string, `causationid`
in `causes`, `correlationid` in `correlations`. `recorded` is the `recordedtime` of all rows, in microseconds.

A row that is wrong is refused alone. A batch is refused whole where its rows cannot be separated, or where it is not
the source's own. The ledger reads an event in a batch in a tenth of the time."""
    yield json_block(example_payloads()["event_batch"])


def _reasons() -> Iterator[str]:
    yield "## Why an event is refused"
    yield prose(
        "A refusal has one of these codes, the path of the field (`data.wafers`), and a message. The ledger publishes "
        f"it on `{recorded_stream('{source}')}`. Codes are stable: a program may act on them."
    )
    rows = ((f"`{code}`", meaning, action) for code, (meaning, action) in REASONS.items())
    yield table(("code", "meaning", "what to do"), rows)
    yield "A fact is never refused for being inconvenient: more received than sent is posted as it was sent."


def _event(name: str, event: Event) -> Iterator[str]:
    layout, data = LAYOUTS[name], EVENTS[name]
    columns = {field: f"`{COLUMN_NAMES[column]}`" for column, field in layout.fields.items()}
    kind = "A movement. " if data.movement else ""
    yield f"### {name}"
    yield prose(str(getdoc(data)))
    yield f"{kind}Published by: {' or '.join(role for role in get_args(Role) if role in data.published_by)}."
    schema = schema_of(data)
    rows = (
        (f"`{field}`", _shape(value) + _default(value), _UNITS.get(field, ""), columns.get(field, "`rests`"))
        for field, value in schema["properties"].items()
    )
    yield table(("field", "value", "unit", "column"), rows)
    for group, fields in schema.get("$defs", {}).items():
        yield prose(f"`{group}`: {fields['description']}")
        yield table(
            ("field", "value"),
            ((f"`{name}`", _shape(value) + _default(value)) for name, value in fields["properties"].items()),
        )
    yield json_block(event.cloud_event())


def _default(schema: dict[str, Any]) -> str:
    return f"; `{orjson.dumps(schema['default']).decode()}` if left out" if "default" in schema else ""


def _shape(schema: dict[str, Any]) -> str:
    """Return the values that a JSON Schema allows, in words."""
    if "$ref" in schema:
        return f"`{schema['$ref'].rpartition('/')[2]}`, see below"
    if "anyOf" in schema:
        return " or ".join(_shape(inner) for inner in schema["anyOf"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "format" in schema:
        return {"date": "day", "date-time": "RFC 3339 time with its offset"}[schema["format"]]
    if schema["type"] == "integer":
        return f"{schema['minimum']:,} to {schema['maximum']:,}".replace("-", "−")
    if schema["type"] == "array":
        return f"up to {schema['maxItems']:,}, each: {_shape(schema['items'])}"
    if schema["type"] == "string":
        return _SHAPES.get(schema.get("pattern", ""), f"text, up to {schema.get('maxLength')} characters")
    if "patternProperties" in schema:
        [(pattern, value)] = schema["patternProperties"].items()
        return f"up to {schema['maxProperties']} of {_SHAPES[pattern]}: {_shape(value)}"
    return {"null": "null", "object": "object", "boolean": "`true` or `false`"}[schema["type"]]
