"""Is every number over a random log the one that an independent oracle works out from the documents?"""

import ast
from pathlib import Path

import pytest

from shared.wire.events import EVENTS
from testing.oracle import book, performance, planning, populated, worlds
from testing.oracle.book import name_of
from testing.oracle.comparison import compared

SEEDS = 20


@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_number_is_the_oracles(seed):
    compared(seed).expect_none()


def test_the_worlds_have_every_type_of_event():
    assert {name_of(event) for seed in range(SEEDS) for event in worlds.World(seed).generate()} == EVENTS.keys()


@pytest.mark.parametrize("module", [book, performance, planning, populated, worlds])
def test_the_oracle_imports_nothing_of_what_it_checks(module):
    tree = ast.parse(Path(module.__file__).read_text())
    imported = [
        name
        for node in ast.walk(tree)
        for name in (
            [node.module or ""] if isinstance(node, ast.ImportFrom)
            else [each.name for each in node.names] if isinstance(node, ast.Import)
            else []
        )
    ]  # fmt: skip

    assert [name for name in imported if name.split(".")[0] in ("services", "shared")] == []
    assert {name for name in imported if name.startswith("testing")} <= {"testing.cloud_events", "testing.oracle.book"}
