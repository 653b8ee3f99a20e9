"""Is the HTTP API described as it answers, and are its generated files up to date?"""

from pathlib import Path
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator

from services.aggregator.app import build_app as build_aggregator
from services.aggregator.settings import AggregatorSettings
from services.ledger.app import build_app as build_ledger
from services.ledger.settings import LedgerSettings
from services.operator.docs.api_examples import EXAMPLES, api_files, example_queries
from shared.http.answering import DescribedRoute
from shared.http.openapi import describe, plain_path
from shared.service.service import Service

ROOT = Path(__file__).parents[2]
FILES = api_files(ROOT)
WITHOUT_EXAMPLE = {"/health", "/metrics", "/openapi.json", "/postings", "/what-if", "/rehearsal"}


@pytest.fixture(params=["aggregator", "ledger"])
def service(request: pytest.FixtureRequest, tmp_path: Any) -> Service:
    """A service with all of its routes."""
    if request.param == "ledger":
        return build_ledger(LedgerSettings(ledger_store=str(tmp_path / "ledger.db")))
    return build_aggregator(AggregatorSettings())


def described(service: Service) -> list[DescribedRoute]:
    return [route for route in service.routes if isinstance(route, DescribedRoute)]


@pytest.mark.parametrize("place", FILES, ids=str)
def test_a_generated_file_is_as_the_code_says(place: Path) -> None:
    assert (ROOT / place).read_text() == FILES[place], (
        f"{place} has changed: `make contracts`, and say so in the CHANGELOG"
    )


def test_every_route_is_described_and_every_view_has_an_example(service: Service) -> None:
    paths = {plain_path(route) for route in described(service)}

    assert len(described(service)) == len(service.routes)
    assert paths - example_queries()[service.name].keys() <= WITHOUT_EXAMPLE


def test_an_example_of_a_view_with_rows_shows_rows(service: Service) -> None:
    examples = orjson.loads((ROOT / EXAMPLES[service.name]).read_bytes())
    answers = [each for answered in examples.values() for each in answered.items()]

    assert [query for query, answer in answers if isinstance(answer, dict) and answer.get("rows") == []] == []


def test_an_example_is_as_its_schema_describes(service: Service) -> None:
    examples = orjson.loads((ROOT / EXAMPLES[service.name]).read_bytes())
    document = describe(service.name, described(service), examples)

    for path, answers in examples.items():
        schema = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        validator = Draft202012Validator({**schema, "components": document["components"]})
        for query, answer in answers.items():
            assert [error.message for error in validator.iter_errors(answer)] == [], query
