"""JSON Schemas (2020-12) of all events and batches, made from the models."""

from inspect import getdoc
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from shared.wire.alerts import AlertBatch
from shared.wire.batch import EventBatch
from shared.wire.events import EVENTS, PREFIX, VERSION, Envelope, EventData
from shared.wire.postings import BalanceBatch, PostingBatch, Recorded

SCHEMAS_URL = "https://waferline.dev/schemas/"
BATCHES: dict[str, type[BaseModel]] = {
    "event_batch": EventBatch,
    "posting_batch": PostingBatch,
    "recorded": Recorded,
    "balance_batch": BalanceBatch,
    "alert_batch": AlertBatch,
}
"""The batches on the streams, by the name of their schema."""


class _Untitled(GenerateJsonSchema):
    """JSON Schema without titles of fields, which would repeat the names."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False


def json_schemas() -> dict[str, dict[str, Any]]:
    """Return the JSON Schema of every event and of every batch, by its name."""
    schemas = {name + VERSION: _event_schema(data) for name, data in EVENTS.items()}
    schemas |= {name: schema_of(model) for name, model in BATCHES.items()}
    return {name: _identified(name, schema) for name, schema in schemas.items()}


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON Schema of a model."""
    return model.model_json_schema(schema_generator=_Untitled)


def _event_schema(data: type[EventData]) -> dict[str, Any]:
    schema, fields = schema_of(Envelope), schema_of(data)
    schema |= {"title": data.__name__, "description": getdoc(data)}
    schema["properties"]["type"] = {"const": PREFIX + data.type + VERSION}
    schema["properties"]["data"] = {
        name: value for name, value in fields.items() if name not in ("title", "description", "$defs")
    }
    # a reference counts from the root of the document
    return schema | ({"$defs": fields["$defs"]} if "$defs" in fields else {})


def _identified(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"{SCHEMAS_URL}{name}.json"} | schema
