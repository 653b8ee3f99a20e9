"""Is the wire as agreed?"""

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest
from faststream.specification.asyncapi.v3_0_0.schema import ApplicationSchema
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from services.operator.contracts.alerts_page import ALERT_CODES
from services.operator.contracts.asyncapi import asyncapi
from services.operator.contracts.documents import CONTRACTS, contract_files, write_contracts
from services.operator.contracts.events_page import REASONS
from services.operator.contracts.examples import example_events, example_payloads
from services.operator.contracts.schemas import BATCHES, json_schemas
from shared.wire.alerts import AlertCode
from shared.wire.batch import EventBatch
from shared.wire.events import EVENTS, VERSION, Event, ReasonCode
from testing.bad_events import BAD_ENTRIES, BAD_EVENTS, Bad, BadEntry
from testing.strategies import Said, events, said

ROOT = Path(__file__).parents[2]
SCHEMAS = json_schemas()
CHANGED = (
    "the contract has changed: run `make contracts`, read the diff, and say in CHANGELOG.md who must do what "
    "(a field without a default, or a narrower bound, is a new version)"
)
slow = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(SCHEMAS[name])


# ---------------------------------------------------------------- the kept documents


@pytest.mark.parametrize("place", contract_files(), ids=str)
def test_a_contract_is_as_it_was_kept(place: Path) -> None:
    kept = (ROOT / place).read_text(encoding="utf-8") if (ROOT / place).exists() else ""

    assert kept == contract_files()[place], f"{place}: {CHANGED}"


def test_no_contract_is_kept_that_is_none_any_more() -> None:
    kept = {file.relative_to(ROOT) for file in (ROOT / CONTRACTS).glob("*.json")}

    assert kept <= contract_files().keys(), CHANGED


def test_contracts_are_written_where_they_are_looked_for(tmp_path: Path) -> None:
    written = write_contracts(tmp_path)

    assert {file.relative_to(tmp_path): file.read_text(encoding="utf-8") for file in written} == contract_files()
    assert write_contracts(tmp_path) == []


# ---------------------------------------------------------------- JSON Schema


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_valid_and_names_itself(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])

    assert SCHEMAS[name]["$id"] == f"https://waferline.dev/schemas/{name}.json"
    assert SCHEMAS[name]["description"]


@pytest.mark.parametrize("name", example_payloads())
def test_an_example_is_valid(name: str) -> None:
    validator(name + VERSION if name in EVENTS else name).validate(example_payloads()[name])


@pytest.mark.parametrize("name", EVENTS)
def test_an_example_is_read_as_it_is_shown(name: str) -> None:
    payload = example_payloads()[name]

    assert Event.read(json.dumps(payload).encode()).cloud_event() == payload


@given(events())
@slow
def test_every_event_is_valid_by_its_schema(event: Event) -> None:
    validator(event.data.type + VERSION).validate(event.cloud_event())


@given(said())
@slow
def test_every_batch_is_valid_by_its_schema(party: Said) -> None:
    validator("event_batch").validate(json.loads(EventBatch.of(party.events).encode()))


@pytest.mark.parametrize("bad", [bad for bad in BAD_EVENTS if bad.schema], ids=lambda bad: bad.name)
def test_the_schema_refuses_a_bad_event(bad: Bad) -> None:
    assert not validator("lot.started.v1").is_valid(json.loads(bad.cloud_event()))


def _is_json(entry: BadEntry) -> bool:
    try:
        json.loads(entry.body)
    except (ValueError, RecursionError):
        return False
    return len(entry.body) < 100_000


@pytest.mark.parametrize("bad", [b for b in BAD_ENTRIES if b.schema and _is_json(b)], ids=lambda bad: bad.name)
def test_no_schema_takes_a_bad_entry(bad: BadEntry) -> None:
    body = json.loads(bad.body)

    assert not any(validator(name).is_valid(body) for name in SCHEMAS)


# ---------------------------------------------------------------- AsyncAPI


def test_the_asyncapi_document_is_one() -> None:
    document = asyncapi()

    assert ApplicationSchema.model_validate(document).asyncapi == "3.0.0"


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    document = asyncapi()
    local = re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document))
    files = re.findall(r'"\$ref": "\./([^"]+)"', json.dumps(document))

    for reference in local:
        place: Any = document
        for part in reference.split("/"):
            place = place[part]
    assert set(files) == {f"{name}.json" for name in SCHEMAS}


def test_the_examples_of_the_asyncapi_document_are_valid_by_the_schemas_it_names() -> None:
    registry: Registry[Any] = Registry().with_resources(
        (f"./{name}.json", Resource.from_contents(schema)) for name, schema in SCHEMAS.items()
    )

    for message in asyncapi()["components"]["messages"].values():
        for example in message["examples"]:
            Draft202012Validator(message["payload"]["schema"], registry=registry).validate(example["payload"])


def test_every_parameter_of_an_address_is_explained() -> None:
    for channel in asyncapi()["channels"].values():
        assert set(re.findall(r"\{(\w+)\}", channel["address"])) == channel["parameters"].keys()


def test_every_event_is_on_the_stream_of_whoever_says_it() -> None:
    channels = asyncapi()["channels"]

    for name, data in EVENTS.items():
        assert ("supplier" in data.published_by) == (name in channels["supply"]["messages"])
        assert ("datacenter" in data.published_by) == (name in channels["demand"]["messages"])


# ---------------------------------------------------------------- the page


def test_every_event_has_an_example_and_every_code_a_meaning() -> None:
    assert list(example_events()) == list(EVENTS)
    assert list(REASONS) == list(get_args(ReasonCode))
    assert list(ALERT_CODES) == list(get_args(AlertCode))
    assert not BATCHES.keys() & EVENTS.keys()
