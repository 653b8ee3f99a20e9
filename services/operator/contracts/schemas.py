"""The contracts as documents: JSON Schemas, an AsyncAPI document and a reference page, all made from the models."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from inspect import getdoc
from pathlib import Path
from typing import Any, get_args

import orjson
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from shared.play.voice import Voice
from shared.wire.alerts import SUBJECTS, AlertBatch, AlertChange, AlertCode, change_id
from shared.wire.batch import BATCH_MAX, LAYOUTS, EventBatch, Row, canonical_bodies
from shared.wire.events import (
    EVENTS,
    NESTING_MAX,
    PREFIX,
    UNALLOCATED,
    UNATTRIBUTED,
    VERSION,
    DemandForecast,
    DemandRequired,
    Envelope,
    Event,
    EventData,
    EventReversed,
    LotFinished,
    LotScrapped,
    LotStarted,
    PhasePlanned,
    ReasonCode,
    ShipmentDispatched,
    ShipmentLost,
    ShipmentReceived,
    ShipmentRevised,
    SiteDeclared,
    SourceAdvanced,
    StockCounted,
    StockOpened,
    StockTransferred,
    SupplyAgreed,
    SupplyCommitted,
    WafersConsumed,
)
from shared.wire.postings import BalanceBatch, Measure, PostingBatch, Recorded, Refusal
from shared.wire.streams import ALERTS, BALANCES, DATA, PARTITION, POSTINGS, Role, recorded, said

SCHEMAS_URL = "https://waferline.dev/schemas/"
KEPT_IN = Path("tests/contracts")
PAGE = Path("docs/events.md")
ALERTS_PAGE = Path("docs/alerts.md")
PROOF = Path("docs/proof.md")
PROOF_BEGIN, PROOF_END = "<!-- `make contracts` writes from here -->", "<!-- to here -->"
BATCHES: dict[str, type[BaseModel]] = {
    "event_batch": EventBatch,
    "posting_batch": PostingBatch,
    "recorded": Recorded,
    "balance_batch": BalanceBatch,
    "alert_batch": AlertBatch,
}
"""What travels in columns, by the name of its schema."""

REASONS: dict[ReasonCode, tuple[str, str]] = {
    "malformed": (
        "It is not JSON, or at the path stands something of another kind than agreed, or a field too many.",
        "Compare the field at the path with the table of its event. Nothing at the path means: the whole.",
    ),
    "duplicate_key": (
        "An object names the key at the path twice; which one was meant nobody can know.",
        "Say it once. A list of pairs that was turned into JSON by hand is the usual cause.",
    ),
    "unknown_type": (
        "No event of ours has this `type`.",
        "Compare it with the names on this page; they begin with the prefix and end with the version.",
    ),
    "unknown_version": (
        "The event is known, but not in this version.",
        "Say the version on this page, or update the ledger before its parties.",
    ),
    "unknown_product": (
        "The product is not in the catalogue.",
        "Use a name of the catalogue, or have it added there: `shared/wire/catalog.py`.",
    ),
    "fraction": (
        "A quantity is written as a fraction; 25.0 is one, too.",
        "Say whole wafers. Rounding is the sender's decision, so that sums stay what was said.",
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
        "Say a movement when it has happened; what is to come is a plan. Check the sender's clock.",
    ),
    "identity_conflict": (
        "The source has said another content under this id before.",
        "Say a change as a new event, with the next revision or as a reversal.",
    ),
    "foreign_source": (
        "The event names another source or supplier than the one on whose stream it was, or its role may not say it.",
        "Each party says its own events, on its own stream.",
    ),
}
"""What each reason code means, and what whoever gets it should do."""

ALERT_CODES: dict[AlertCode, tuple[str, str, str]] = {
    "source_silent": (
        (
            "The source has completed its days up to `day`, more than 3 (`SILENT_DAYS`) before the latest that any"
            " source has completed. Without `days`: it has completed none, or is expected (`WAFERLINE_SOURCES`) and has"
            " said nothing."
        ),
        "`days` behind",
        "Ask it for `source.advanced`. It holds up the last complete day, and so every number and alert of today.",
    ),
    "stock_negative": (
        (
            "At the end of the last complete day, all suppliers together, more was consumed, transferred or written off"
            " than ever came."
        ),
        "`wafers` below zero",
        "The books are wrong: a receipt or an opening stock was not said, or a consumption twice. Count the stock.",
    ),
    "received_beyond_dispatched": (
        "By the last complete day more of the shipment's product was received, damaged or lost than was dispatched.",
        "`dispatched`, `ended`, `wafers` too many",
        "The books are wrong: a dispatch was not said, or a receipt under another shipment's name, or twice.",
    ),
    "short_within": (
        (
            "The projected balance falls below zero within 30 days (`SHORT_DAYS`), with what is committed at `planned`"
            " (`FIRMNESS`) or above. `day` is the first short day, or since when it has been short."
        ),
        "`first_short_day` from today on, `wafers` short on it, `wafers_at_worst`",
        "Its causes say what changed most. Bring something forward, or move it here: `waferline shortages`.",
    ),
    "cover_below": (
        (
            "If nothing comes, what is on hand lasts for less than 7 days (`COVER_DAYS`) of what is required; it is not"
            " short within 30 days, else that is said instead. `day` is the first that is not covered."
        ),
        "`days` covered in full, `on_hand`, `wafers` that lack on `day`",
        "It hangs on what is to come: see that it does, or hold more. `waferline cover`.",
    ),
    "slip_beyond": (
        (
            "The next wafer of the supplier's product to come was committed for a day more than 14 (`SLIP_DAYS`) before"
            " the last complete one. Counted from the first commit on: what has come (or was damaged, or lost) fills"
            " what was due first."
        ),
        "`oldest_due_day` of what has not come, `days` since then, `wafers` late beyond the limit",
        "Ask the supplier. It clears when the wafers come, or are committed for another day.",
    ),
}
"""What each alert means, what its detail says, and what a planner should do."""

_UNITS = {
    "wafers": "WSE", "wafers_per_month": "WSE a month", "wafers_damaged": "WSE", "counted": "WSE",
    "yield_variance": "WSE", "mw": "MW", "pue_percent": "%", "land_ha": "ha", "waterplane_m2": "m²",
    "kg_co2_per_mwh": "kg CO₂ per MWh",
}  # fmt: skip
_SHAPES = {
    r"^[A-Za-z0-9][A-Za-z0-9._:\-]{0,63}$": "name",
    r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$": "UUID in small letters",
    r"^[A-Z]{2}$": "two capitals, ISO 3166-1",
    "^[1-9][0-9]{0,17}$": "a positive whole number as text, up to 18 digits",
}


def example_events() -> dict[str, Event]:
    """Return one valid event of each type, by its name, for the documents."""
    supplier, datacenter = Voice("samsung"), Voice("stargate-americas")
    start, first = datetime(2026, 3, 2, 6, 30, tzinfo=UTC), date(2026, 3, 2)
    key = {"product": "HBM4-12H", "site": "abilene", "supplier": supplier.source}
    examples: tuple[EventData, ...] = (
        SupplyAgreed(
            product="HBM4-12H", site=UNALLOCATED, supplier=supplier.source, agreement="LOI-2025-10-01",
            instrument="LOI",
            wafers_per_month=450_000, starts_on=date(2026, 1, 1), ends_on=date(2029, 12, 31), revision=0,
        ),
        SupplyCommitted(
            **key, line="C-2026-07-A", due=date(2026, 7, 15), firmness="firm", wafers=12_000, revision=2,
            reason="pull-in",
        ),
        LotStarted(**key, lot="P4L-26090417", fab="P4L", wafers=25, due_out=first + timedelta(days=120)),
        LotScrapped(**key, lot="P4L-26090417", wafers=1, cause="edge chip"),
        LotFinished(**key, lot="P4L-26090417", wafers=23, yield_variance=1),
        ShipmentDispatched(
            **key, shipment="S-000871", commit="C-2026-07-A", wafers=48, eta=first + timedelta(days=9),
            lots=["P4L-26090417", "P4L-26090418"],
        ),
        ShipmentRevised(**key, shipment="S-000871", eta=first + timedelta(days=12), revision=1),
        ShipmentLost(**key, shipment="S-000870", owner=supplier.source, wafers=3),
        SiteDeclared(
            site="abilene", name="Abilene", country="US", mooring="onshore", mw=1200, pue_percent=120, land_ha=445,
            waterplane_m2=None, kg_co2_per_mwh=380, evidence="press release of 21 January 2025", confidence="sourced",
            revision=0,
        ),
        PhasePlanned(
            site="abilene", phase="abilene-3", mw=200, platform="GB300", energise_on=date(2026, 9, 1), status="planned",
            revision=1,
        ),
        DemandForecast(
            product="HBM4-12H", site="abilene", supplier=UNATTRIBUTED, line="F-abilene-3", due=date(2026, 8, 1),
            wafers=9_000, revision=0,
        ),
        DemandRequired(
            **key, line="O-abilene-3-1", due=date(2026, 8, 1), start_by=date(2026, 3, 15), priority=3, wafers=6_000,
            revision=0,
        ),
        ShipmentReceived(**key, shipment="S-000871", owner=supplier.source, wafers=47, wafers_damaged=1),
        WafersConsumed(**key, phase="abilene-2", wafers=40),
        StockOpened(**key, wafers=1_500),
        StockTransferred(**key, to_site="shackelford", wafers=100),
        StockCounted(**key, counted=1_406),
        EventReversed(reversed="019cacc2-7b40-7a69-9d19-3fc4e9c1b2d7", reason="entered twice"),
        SourceAdvanced(through=first),
    )  # fmt: skip
    voices: dict[Role, Voice] = {"supplier": supplier, "datacenter": datacenter}
    return {
        data.type: voices["supplier" if "supplier" in data.said_by else "datacenter"].say(
            start + timedelta(minutes=n), data
        )
        for n, data in enumerate(examples)
    }


# ---------------------------------------------------------------- JSON Schema


class _Untitled(GenerateJsonSchema):
    """JSON Schema whose fields go without a title: it would say the name again."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False


def json_schemas() -> dict[str, dict[str, Any]]:
    """Return the JSON Schema (2020-12) of every event, and of every batch, by its name."""
    schemas = {name + VERSION: _event_schema(data) for name, data in EVENTS.items()}
    schemas |= {name: model.model_json_schema(schema_generator=_Untitled) for name, model in BATCHES.items()}
    return {name: _identified(name, schema) for name, schema in schemas.items()}


def _event_schema(data: type[EventData]) -> dict[str, Any]:
    schema = Envelope.model_json_schema(schema_generator=_Untitled)
    says = data.model_json_schema(schema_generator=_Untitled)
    schema |= {"title": data.__name__, "description": getdoc(data)}
    schema["properties"]["type"] = {"const": PREFIX + data.type + VERSION}
    schema["properties"]["data"] = {name: value for name, value in says.items() if name not in ("title", "description")}
    return schema


def _identified(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"{SCHEMAS_URL}{name}.json"} | schema


# ---------------------------------------------------------------- AsyncAPI


def asyncapi() -> dict[str, Any]:
    """Return the AsyncAPI 3.0 document: the streams, what is on them, and which service says and reads it."""
    return {
        "asyncapi": "3.0.0",
        "id": "urn:waferline",
        "info": {
            "title": "Waferline",
            "version": VERSION[1:],
            "description": "The streams of Waferline. An event at the edge is a CloudEvents 1.0 JSON object; on the "
            f"streams travel batches of up to {BATCH_MAX:,}, a row of which says the same.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "redis": {
                "host": "{host}",
                "pathname": "/0",
                "protocol": "redis",
                "description": f"Redis Streams: XADD and XREAD. The body stands in the field `{DATA}` of an entry. "
                "An ACL confines each party to its own stream.",
                "variables": {"host": {"default": "localhost:6379"}},
                "bindings": {"redis": {}},
            }
        },
        "channels": _channels(),
        "operations": _operations(),
        "components": {"messages": {name: _message(name) for name in (*EVENTS, *BATCHES)}},
    }


def _channels() -> dict[str, Any]:
    supplies, demands = ([name for name, data in EVENTS.items() if role in data.said_by] for role in get_args(Role)[:2])
    return {
        "supply": _channel(said("supplier", "{supplier}"), "What a supplier says.", ["event_batch", *supplies]),
        "demand": _channel(said("datacenter", "{datacenter}"), "What a datacenter says.", ["event_batch", *demands]),
        "postings": _channel(POSTINGS, "What the ledger made of the events, batch by batch.", ["posting_batch"]),
        "recorded": _channel(recorded("{source}"), "What the ledger recorded of a source, or refused.", ["recorded"]),
        "balances": _channel(BALANCES, "The balances that a batch of postings changed.", ["balance_batch"]),
        "alerts": _channel(ALERTS, "The alerts that are raised and cleared, each once.", ["alert_batch"]),
    }


_PARAMETERS = {
    "0": {
        "description": "The partition, braces included: they make it a Redis Cluster hash tag.",
        "enum": [PARTITION],
        "default": PARTITION,
    },
    "supplier": {"description": "The source that says it: one stream each.", "examples": ["samsung", "skhynix"]},
    "datacenter": {"description": "The source that says it: one stream each.", "examples": ["stargate-americas"]},
    "source": {"description": "The source it is told to.", "examples": ["samsung", "stargate-americas"]},
}


def _channel(address: str, description: str, messages: list[str]) -> dict[str, Any]:
    return {
        "address": address,
        "description": description,
        "servers": [{"$ref": "#/servers/redis"}],
        "parameters": {name: _PARAMETERS[name] for name in re.findall(r"\{(\w+)\}", address)},
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
    }


_OPERATIONS = (
    ("supplier", "send", "supply", "Say supply events, from the outbox."),
    ("supplier", "receive", "demand", "Read forecasts, orders and receipts."),
    ("supplier", "receive", "recorded", "Learn what need not be sent again."),
    ("datacenter", "send", "demand", "Say demand events, from the outbox."),
    ("datacenter", "receive", "supply", "Read commits and shipments."),
    ("datacenter", "receive", "recorded", "Learn what need not be sent again."),
    ("ledger", "receive", "supply", "Record supply events, or refuse them."),
    ("ledger", "receive", "demand", "Record demand events, or refuse them."),
    ("ledger", "send", "postings", "Publish each recorded batch, in order."),
    ("ledger", "send", "recorded", "Tell each source what was recorded or refused."),
    ("aggregator", "receive", "postings", "Fold postings into balances."),
    ("aggregator", "send", "balances", "Publish the balances that have changed."),
    ("aggregator", "send", "alerts", "Raise and clear alerts."),
    ("aggregator", "receive", "alerts", "Learn at the start what is open."),
    ("console", "receive", "balances", "Show the balances."),
    ("console", "receive", "alerts", "Show what is open."),
)


def _operations() -> dict[str, Any]:
    return {
        f"{service}.{action}.{channel}": {
            "action": action,
            "channel": {"$ref": f"#/channels/{channel}"},
            "summary": summary,
            "tags": [{"name": service}],
        }
        for service, action, channel, summary in _OPERATIONS
    }


def _message(name: str) -> dict[str, Any]:
    model = EVENTS.get(name) or BATCHES[name]
    is_event = name in EVENTS
    return {
        "name": name,
        "title": model.__name__,
        "summary": str(getdoc(model)).partition("\n")[0],
        "contentType": "application/cloudevents+json" if is_event else "application/json",
        "payload": {
            "schemaFormat": "application/schema+json;version=2020-12",
            "schema": {"$ref": f"./{name}{VERSION if is_event else ''}.json"},
        },
        "examples": [{"name": name, "payload": example_payloads()[name]}],
    }


def example_payloads() -> dict[str, dict[str, Any]]:
    """Return one valid payload of each message, by its name."""
    events = example_events()
    said_by_supplier = [event for event in events.values() if event.source == "samsung"][2:4]
    batches: tuple[EventBatch | PostingBatch | Recorded | BalanceBatch | AlertBatch, ...] = (
        EventBatch.of(said_by_supplier),
        PostingBatch(
            epoch=1, batch=7, previous=6, events=3, head="9f" * 32, names=["HBM4-12H", "abilene", "samsung"],
            products=[0, 0, 0, 0], sites=[1, 1, 1, 1], suppliers=[2, 2, 2, 2],
            measures=[Measure.STARTED, Measure.SCRAPPED, Measure.DISPATCHED, Measure.TRANSIT_DUE],
            days=[20_514, 20_514, 20_514, 20_523], wafers=[25, 1, 48, 48], watermarks={"samsung": 20_513},
            sources=["samsung"], said=canonical_bodies([Row.of(events["shipment.dispatched"])]),
        ),
        Recorded(
            batch=7, source="samsung", through=5, recorded=3, duplicates=1,
            refusals=[
                Refusal(
                    sequence=5, id=events["lot.finished"].id, code="fraction", path="data.wafers",
                    message="should be a valid integer, not 23.5",
                )
            ],
        ),
        BalanceBatch(
            epoch=1, position=7, day=20_513, products=["HBM4-12H"], sites=["abilene"], suppliers=["samsung"], wip=[24],
            finished=[0], in_transit=[0], on_hand=[1_406], open_commit=[12_000],
        ),
        AlertBatch(
            epoch=1, number=2, position=7, complete_through=20_513,
            changes=[
                AlertChange(
                    id=change_id(1, 2, "cleared", "source_silent", ("skhynix",)), code="source_silent",
                    status="cleared", subject={"source": "skhynix"}, day=None, detail={}, causes=[],
                ),
                AlertChange(
                    id=change_id(1, 2, "raised", "short_within", ("HBM4-12H", "abilene")), code="short_within",
                    status="raised", subject={"product": "HBM4-12H", "site": "abilene"}, day=20_530,
                    detail={"first_short_day": 20_530, "wafers": 120, "wafers_at_worst": 3_400},
                    causes=[f"samsung/{events['supply.committed'].id}"],
                ),
            ],
        ),
    )  # fmt: skip
    payloads = {name: event.cloud_event() for name, event in events.items()}
    return payloads | {name: orjson.loads(batch.encode()) for name, batch in zip(BATCHES, batches, strict=True)}


# ---------------------------------------------------------------- the reference page


def events_page() -> str:
    """Return the reference page of all events, in Markdown."""
    parts = [_INTRODUCTION, *_envelope(), _IDENTITY, *_batch(), *_reasons(), "## The events"]
    for name, event in example_events().items():
        parts += _event(name, event)
    return "\n\n".join(parts) + "\n"


_INTRODUCTION = f"""\
# The events

<!-- Written by `make contracts` from the models in shared/wire/events.py: change them, not this page. -->

An event is a fact that one party says: it has happened, so it is never corrected, only followed by another. At the
edges it is a CloudEvents 1.0 JSON object, on the streams a row of a batch; both say the same. How it is kept, and what
proves it, is in [proof.md](proof.md). The JSON Schemas and the AsyncAPI document that programs can read are kept in
[tests/contracts](../tests/contracts).

- `wafers` are whole 300 mm wafer-start equivalents at planned yield (**WSE**). A lot starts with its physical wafers.
- A **day** is `YYYY-MM-DD`, 2000-01-01 to 2100-12-31. A movement's day is the UTC day of its `time`.
- A **name** is 1 to 64 letters, digits, `.`, `_`, `:` or `-` of ASCII, a letter or digit first. The site
  `{UNALLOCATED}` and the supplier `{UNATTRIBUTED}` stand for none yet. A **text** is one line of Unicode.
- A **revision** is of one line: its greatest (revision, id) holds. 0 wafers withdraw it.
- Nothing is converted: `"7"`, `25.0` and `true` are no numbers of wafers. No field may be added, none named twice, and
  nothing nested more than {NESTING_MAX} deep."""

_IDENTITY = """\
## Identity and content

**Identity** is the pair (`source`, `id`). The same pair with the same content is a duplicate: counted, and dropped.
With another content it is refused as `identity_conflict`. Any UUID will do as an `id`; ours are of version 7 and made
so that an event said again gets the same one again. With the id it follows from, or nothing, as its cause:

    the hash: SHA-256 of the UTF-8 of source + "\\n" + cause + "\\n" + sequence
    48 bits: milliseconds of `time` since 1970 | 4 bits: 7 | 12 bits of the hash | 2 bits: 10 | 62 bits of the hash

The hash gives its first ten bytes; the version and the variant overwrite the bits in their places.

**Content** is the JSON object with exactly these attributes:

| attribute | value |
|---|---|
| `specversion`, `datacontenttype` | `"1.0"`, `"application/json"`, also where the latter was not said |
| `id`, `source`, `type` | as said |
| `time` | the same instant in UTC with six decimals: `2026-03-02T06:32:00.000000Z` |
| `sequence` | as said: a string |
| `subject` | the field that stands in the column `lines` of a batch (see each event); left out where there is none |
| `partitionkey` | the product; left out where the event has none |
| `causationid`, `correlationid` | as said; left out where not said, or null |
| `data` | its fields; one that equals its default is left out |

`recordedtime` is not content: the ledger gives it. A field that a contract gains later has a default, so it alters
the content of no event that was said before.

What the ledger stores of an event, and seals in its chain, is this content as an array: see [proof.md](proof.md)."""


def _envelope() -> Iterator[str]:
    schema = Envelope.model_json_schema(schema_generator=_Untitled)
    yield "## The envelope"
    yield "\n".join(["| attribute | value | |", "|---|---|---|", *_attributes(schema)])


_ATTRIBUTES = {
    "specversion": "the version of CloudEvents",
    "id": "with `source` its identity, see below",
    "source": "who says it; it has to be on this source's own stream",
    "type": f"`{PREFIX}`, the name of the event, `{VERSION}`",
    "time": "when it happened",
    "sequence": "counts the events of the source, from 1, without a gap",
    "subject": "what it is about; if said, it has to be what the data says",
    "datacontenttype": "no other",
    "recordedtime": "when the ledger recorded it; of a sender it is taken in a replay only",
    "partitionkey": "the product; if said, it has to be what the data says",
    "correlationid": "what it belongs to",
    "causationid": "the id of the event it follows from",
    "data": "what it says, by its type",
}


def _attributes(schema: dict[str, Any]) -> Iterator[str]:
    for name, value in schema["properties"].items():
        optional = "" if name in schema["required"] else "; may be left out"
        yield f"| `{name}` | {_shape(value)}{optional} | {_ATTRIBUTES[name]} |"


def _batch() -> Iterator[str]:
    yield f"""\
## A batch

An entry of a stream carries one CloudEvent, or an `EventBatch`: 1 to {BATCH_MAX:,} events of one source in columns of
equal length. Row n, from 0, has the sequence `sequence` + n. `ids`, `types` (without `{PREFIX}` and `{VERSION}`)
and `times` (microseconds since 1970, UTC) are always there; a column that no row uses is left out, and a row without
a value in one has `null`. Which field stands in `lines`, `days` (since 1970), `wafers`, `revisions`, `products`,
`sites` or `suppliers` is said with each event; the others stand in `rests` as a JSON object in a string,
`causationid` in `causes`, `correlationid` in `correlations`. `recorded` is the `recordedtime` of all, in microseconds.

A row that is wrong is refused alone. A batch is refused whole where its rows cannot be told apart, or where it is not
the source's own. In a batch an event is read in a tenth of the time."""
    yield _json(example_payloads()["event_batch"])


def _reasons() -> Iterator[str]:
    yield "## Why an event is refused"
    yield (
        "A refusal has one of these codes, the path of the field (`data.wafers`), and a message. They are told on "
        f"`{recorded('{source}')}`. Codes are stable: a program may act on them."
    )
    rows = (f"| `{code}` | {meaning} | {remedy} |" for code, (meaning, remedy) in REASONS.items())
    yield "\n".join(["| code | what it means | what to do |", "|---|---|---|", *rows])
    yield "A fact is never refused for being inconvenient: more received than sent is posted as it was said."


def _event(name: str, event: Event) -> Iterator[str]:
    layout, data = LAYOUTS[name], EVENTS[name]
    columns = {field: f"`{_COLUMN_NAMES[column]}`" for column, field in layout.fields.items()}
    schema = data.model_json_schema(schema_generator=_Untitled)
    kind = "A movement. " if data.movement else ""
    yield f"### {name}"
    yield str(getdoc(data))
    yield f"{kind}Said by: {' or '.join(role for role in get_args(Role) if role in data.said_by)}."
    rows = [
        f"| `{field}` | {_shape(value)}{_default(value)} | {_UNITS.get(field, '')} | {columns.get(field, '`rests`')} |"
        for field, value in schema["properties"].items()
    ]
    yield "\n".join(["| field | value | unit | column |", "|---|---|---|---|", *rows])
    yield _json(event.cloud_event())


_COLUMN_NAMES = {
    "line": "lines", "day": "days", "wafers": "wafers", "revision": "revisions", "product": "products", "site": "sites",
    "supplier": "suppliers",
}  # fmt: skip


def _default(schema: dict[str, Any]) -> str:
    return f"; `{orjson.dumps(schema['default']).decode()}` if left out" if "default" in schema else ""


def _shape(schema: dict[str, Any]) -> str:
    """Return in words which values a JSON Schema allows."""
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
    return {"null": "null", "object": "object"}[schema["type"]]


# ---------------------------------------------------------------- the page of the alerts


def alerts_page() -> str:
    """Return the page of all alerts, in Markdown."""
    rows = (
        f"| `{code}` | {', '.join(f'`{name}`' for name in SUBJECTS[code])} | {meaning} | {detail} | {remedy} |"
        for code, (meaning, detail, remedy) in ALERT_CODES.items()
    )
    table = "\n".join(["| code | of | it means | its detail says | what to do |", "|---|---|---|---|---|", *rows])
    return "\n\n".join([_OF_ALERTS, table, _TOLD, _json(example_payloads()["alert_batch"])]) + "\n"


_OF_ALERTS = """\
# The alerts

<!-- Written by `make contracts` from services/operator/contracts/schemas.py: change that, not this page. -->

An alert is about one thing: its code and its subject. Which are open follows from what is recorded, as of the last day
that every source has completed: whoever folds the same events in whatever order comes to the same ones. Until a day is
complete, and while a source has spoken and completed none, only `source_silent` is looked for.

`waferline alerts` and `GET /alerts?code=&limit=&offset=` at the aggregator list those that are open as they stand, the
most urgent first: those that make the other numbers doubtful, by code; then by day, then by wafers. The limits are
settings of the aggregator, `WAFERLINE_ALERT_` and the name in capitals below."""

_TOLD = f"""\
All wafers are WSE. Where events explain an alert, `causes` names up to five, each as `source/id`: at the ledger
`GET /events/source/id` shows one.

## The stream

On `{ALERTS}` each alert is **raised once and cleared once**. The aggregator reads there at its start what is open, and
says differences only, each entry whole or not at all and under its own number: a kill, a restart or a rebuild neither
repeats one nor loses one. It says nothing while it catches up. A new store of the ledger (`epoch`) clears what the old
one has raised. The detail is that of the moment of raising; as it goes on it is in `GET /alerts`. Whoever trims the
stream has what is open raised again at the next start; keep it whole, it is short."""


# ---------------------------------------------------------------- the table of the proof


def layouts_table() -> str:
    """Return which field of each event stands at which position of its canonical bytes, in Markdown."""
    columns = list(_COLUMN_NAMES)
    lines = [
        f"| event | {' | '.join(f'`{column}`' for column in columns)} | `rest` |",
        "|---" * (len(columns) + 2) + "|",
    ]
    for name, layout in LAYOUTS.items():
        cells = [f"`{layout.fields[column]}`" if column in layout.fields else "" for column in columns]
        rest = ", ".join(f"`{field}`{_left_out(layout.defaults, field)}" for field in layout.rest_fields)
        lines.append(f"| `{name}` | {' | '.join(cells)} | {rest} |")
    return "\n".join(lines)


def _left_out(defaults: dict[str, Any], field: str) -> str:
    return f" (not if `{orjson.dumps(defaults[field]).decode()}`)" if field in defaults else ""


def proof_page(page: str) -> str:
    """Return the page of the proof, which is written by hand, with the table that is not."""
    before, begin, rest = page.partition(PROOF_BEGIN)
    _, end, after = rest.partition(PROOF_END)
    if not begin or not end:
        raise ValueError(f"{PROOF} has no place for its table: {PROOF_BEGIN} ... {PROOF_END}")
    return f"{before}{begin}\n\n{layouts_table()}\n\n{end}{after}"


# ---------------------------------------------------------------- the files they are kept in


def contract_files() -> dict[Path, str]:
    """Return the text of every document by its place in the project."""
    documents = {f"{name}.json": schema for name, schema in json_schemas().items()} | {"asyncapi.json": asyncapi()}
    return {KEPT_IN / name: _pretty(document) for name, document in documents.items()} | {
        PAGE: events_page(),
        ALERTS_PAGE: alerts_page(),
    }


def write_contracts(directory: Path) -> list[Path]:
    """Write every document at its place below the project's directory, and return the files whose text has changed."""
    texts = contract_files()
    if (directory / PROOF).exists():
        texts[PROOF] = proof_page((directory / PROOF).read_text(encoding="utf-8"))
    return write_texts(directory, texts)


def write_texts(directory: Path, texts: Mapping[Path, str]) -> list[Path]:
    """Write each text at its place below a directory, and return the files whose text has changed."""
    changed = []
    for place, text in texts.items():
        file = directory / place
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            changed.append(file)
    return changed


def _pretty(document: dict[str, Any]) -> str:
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def _json(document: dict[str, Any]) -> str:
    return f"```json\n{_pretty(document)}```"
