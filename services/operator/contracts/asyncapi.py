"""The AsyncAPI 3.0 document: streams, their messages, and the services that send and receive them."""

import re
from inspect import getdoc
from typing import Any, get_args

from services.operator.contracts.examples import example_payloads
from services.operator.contracts.schemas import BATCHES
from shared.wire.batch import BATCH_MAX
from shared.wire.events import EVENTS, VERSION
from shared.wire.streams import ALERTS, BALANCES, DATA, PARTITION, POSTINGS, Role, party_stream, recorded_stream


def asyncapi() -> dict[str, Any]:
    """Return the document."""
    return {
        "asyncapi": "3.0.0",
        "id": "urn:waferline",
        "info": {
            "title": "Waferline",
            "version": VERSION[1:],
            "description": "The streams of Waferline. An event at the edge is a CloudEvents 1.0 JSON object; the "
            f"streams carry batches of up to {BATCH_MAX:,}, with the same fields in each row.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "redis": {
                "host": "{host}",
                "pathname": "/0",
                "protocol": "redis",
                "description": f"Redis Streams: XADD and XREAD. The body is the field `{DATA}` of an entry. "
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
    supplies, demands, plans = (
        [name for name, data in EVENTS.items() if role in data.published_by] for role in get_args(Role)
    )
    return {
        "supply": _channel(
            party_stream("supplier", "{supplier}"), "The events of a supplier.", ["event_batch", *supplies]
        ),
        "demand": _channel(
            party_stream("datacenter", "{datacenter}"), "The events of a datacenter.", ["event_batch", *demands]
        ),
        "plan": _channel(
            party_stream("planner", "{planner}"), "The declarations of a planner.", ["event_batch", *plans]
        ),
        "postings": _channel(POSTINGS, "The ledger's postings of the events, batch by batch.", ["posting_batch"]),
        "recorded": _channel(
            recorded_stream("{source}"), "The events of a source that the ledger recorded or refused.", ["recorded"]
        ),
        "balances": _channel(BALANCES, "The balances that a batch of postings changed.", ["balance_batch"]),
        "alerts": _channel(ALERTS, "The alerts that are raised and cleared, each once.", ["alert_batch"]),
    }


_PARAMETERS = {
    "0": {
        "description": "The partition, braces included: they make it a Redis Cluster hash tag.",
        "enum": [PARTITION],
        "default": PARTITION,
    },
    "supplier": {
        "description": "The source that publishes: one stream each.",
        "examples": ["memory-one", "memory-two"],
    },
    "datacenter": {"description": "The source that publishes: one stream each.", "examples": ["cloud-north"]},
    "planner": {"description": "The source that publishes: one stream each.", "examples": ["planner"]},
    "source": {"description": "The source whose events are confirmed.", "examples": ["memory-one", "cloud-north"]},
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
    ("supplier", "send", "supply", "Publish supply events, from the outbox."),
    ("supplier", "receive", "demand", "Read forecasts, orders and receipts."),
    ("supplier", "receive", "recorded", "Read which events need not be sent again."),
    ("datacenter", "send", "demand", "Publish demand events, from the outbox."),
    ("datacenter", "receive", "supply", "Read commits and shipments."),
    ("datacenter", "receive", "recorded", "Read which events need not be sent again."),
    ("planner", "send", "plan", "Publish declarations, from the outbox."),
    ("planner", "receive", "recorded", "Read which events need not be sent again."),
    ("supplier", "receive", "plan", "Read which products are declared."),
    ("datacenter", "receive", "plan", "Read which products are declared."),
    ("ledger", "receive", "supply", "Record supply events, or refuse them."),
    ("ledger", "receive", "demand", "Record demand events, or refuse them."),
    ("ledger", "receive", "plan", "Record declarations, or refuse them."),
    ("ledger", "send", "postings", "Publish each recorded batch, in order."),
    ("ledger", "send", "recorded", "Confirm to each source its recorded and refused events."),
    ("aggregator", "receive", "postings", "Fold postings into balances."),
    ("aggregator", "send", "balances", "Publish the balances that have changed."),
    ("aggregator", "send", "alerts", "Raise and clear alerts."),
    ("aggregator", "receive", "alerts", "Read the open alerts at the start."),
    ("console", "receive", "balances", "Show the balances."),
    ("console", "receive", "alerts", "Show the open alerts."),
    ("notifier", "receive", "alerts", "Send alerts to people."),
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
