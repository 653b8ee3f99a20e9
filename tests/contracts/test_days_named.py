"""Each day names itself, and each answer tells nothing from not known.

`as_of` is a day of knowledge, `day` that of a balance, `today` is where the plan begins.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from services.aggregator.app import build_app
from services.aggregator.settings import AggregatorSettings
from services.operator.docs.commands_page import all_commands
from services.operator.show.table import known_at
from shared.http.openapi import describe

MEANINGS = {"as_of": "Day of knowledge: ", "day": "he day of the balance", "since": "arlier day of knowledge"}
HELP = MEANINGS | {"day": "Day of the balance"}


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    service = build_app(AggregatorSettings())
    return json.loads(json.dumps(describe(service.name, service.routes, {})))


def parameters(description: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in description["paths"].items():
        for operation in item.values():
            yield from ((path, each) for each in operation.get("parameters", ()))


def test_the_description_names_which_day_each_parameter_is(description):
    named = [(path, each) for path, each in parameters(description) if each["name"] in MEANINGS]

    assert {each["name"] for _, each in named} == MEANINGS.keys()
    for path, each in named:
        assert MEANINGS[each["name"]] in each["description"], f"{path} {each['name']}"


def test_no_description_is_as_of_a_day_that_it_does_not_name(description):
    assert re.findall(r"[^.\"]*\bas of\b[^.\"]*", json.dumps(description)) == []


@pytest.mark.parametrize(
    ("model", "field", "words"),
    [
        ("Shortages", "rows", "not known, and not nothing"),
        ("CoverPage", "rows", "not known, and not nothing"),
        ("Promises", "rows", "not known, and not nothing"),
        ("Alerts", "rows", "whether other alerts are open is then not known"),
        ("Balances", "day", "not complete, and what it lacks is not known"),
        ("Site", "mw_energised", "while `today` is null: not known"),
        ("Site", "next_due_day", "While `today` is null, this and all that follow are not known"),
        ("Bridge", "projected_now", "not known before a day is complete"),
        ("Shortages", "complete_through", "an answer without rows does not mean that there is nothing"),
    ],
)
def test_an_answer_that_may_have_nothing_tells_it_from_what_is_not_known(description, model, field, words):
    described = description["components"]["schemas"][model]["properties"][field]["description"]

    assert words in " ".join(described.split())


def test_the_help_names_which_day_each_option_is():
    for name, command in all_commands().items():
        for option in command.params:
            if name != "logs" and option.name in HELP and option.help:
                assert HELP[option.name] in option.help, f"{name} --{option.name}"
        assert not re.search(r"\bas of\b", command.help), name


@pytest.mark.parametrize(
    ("as_of", "words"),
    [("2026-05-31", "known by the end of 2026-05-31"), ("1234", "known at batch 1,234"), ("0", "the empty log")],
)
def test_a_title_says_by_when_it_was_known(as_of, words):
    assert known_at(as_of) == words
