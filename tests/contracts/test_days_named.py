"""Each day names itself: `as_of` is a day of knowledge, `day` that of a balance, `today` where the plan begins."""

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
        yield from ((path, each) for each in item["get"].get("parameters", ()))


def test_the_description_names_which_day_each_parameter_is(description):
    named = [(path, each) for path, each in parameters(description) if each["name"] in MEANINGS]

    assert {each["name"] for _, each in named} == MEANINGS.keys()
    for path, each in named:
        assert MEANINGS[each["name"]] in each["description"], f"{path} {each['name']}"


def test_no_description_is_as_of_a_day_that_it_does_not_name(description):
    assert re.findall(r"[^.\"]*\bas of\b[^.\"]*", json.dumps(description)) == []


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
