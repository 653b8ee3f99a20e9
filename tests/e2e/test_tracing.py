"""Is the way of one event told whole, from its source's word to the balances, by what the services answer and log?"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from services.operator.ask.client import ask
from services.operator.stack.stack import Stack, started
from shared.play.numbering import Numbering
from shared.wire.events import Event, LotStarted

COMMAND = [sys.executable, "-m", "services.operator"]
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
KEY = {"product": "HBM4-12H", "site": "abilene", "supplier": "samsung"}
WAY = ["arrived", "sent", "recorded", "told", "heard", "rolled", "planned"]


def run(*arguments: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False, **options)


def lot(numbering: Numbering, name: str, cause: Event | None = None) -> dict[str, Any]:
    data = LotStarted(**KEY, lot=name, fab="P3", wafers=25, due_out=date(2026, 9, 1))
    return numbering.emit(NOON, data, cause=None if cause is None else cause.id).cloud_event()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with started(Stack(tmp_path_factory.mktemp("traced") / "stack")) as stack:
        yield stack


@pytest.fixture(scope="module")
def said(stack: Stack) -> list[dict[str, Any]]:
    """Three events, each handed in by itself: one, one of the same lot's life, and one that is refused."""
    numbering = Numbering("samsung")
    first, second, wrong = (lot(numbering, name) for name in ("L1", "L2", "L3"))
    second |= {"correlationid": first["id"], "causationid": first["id"]}
    wrong["data"]["wafers"] = 12.5
    for event in (first, second, wrong):
        run("publish", "-", "--source", "samsung", "--data", str(stack.folder), input=json.dumps(event))
        time.sleep(1.2)  # what comes within a second is added up in a line: these are to stand alone
    return [first, second, wrong]


def trace(stack: Stack, event: dict[str, Any], *arguments: str, **options: Any) -> dict[str, Any]:
    name = f"samsung/{event['id']}"
    done = run("trace", name, "--data", str(stack.folder), "--json", *arguments, **options)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_an_event_is_followed_from_its_word_to_the_balance_it_changed(stack: Stack, said: list[dict[str, Any]]) -> None:
    found = trace(stack, said[1])

    assert (found["status"], found["folded"], found["batch"]["events"]) == ("recorded", True, 1)
    assert found["event"]["data"] == said[1]["data"]
    assert found["postings"] == [{"measure": "STARTED", "day": "2026-01-05", **KEY, "wafers": 25}]
    [balance] = found["balances"]
    assert [balance[at]["wip"] for at in ("before", "change", "after")] == [25, 25, 50]
    assert [(each["id"], each["as"]) for each in found["related"]] == [(said[0]["id"], ["cause", "correlated"])]
    heads = ask(stack.folder, "ledger", "/postings", after=found["batch"]["position"] - 1, limit=1)
    assert found["batch"]["head"] == heads["head"]


def test_each_step_of_its_way_has_its_line_and_its_lag(stack: Stack, said: list[dict[str, Any]]) -> None:
    found = trace(stack, said[1])

    assert found["unsaid"] == []
    assert {step["step"] for step in found["steps"]} == set(WAY)
    assert [step["at"] for step in found["steps"]] == sorted(step["at"] for step in found["steps"])
    assert all(step["since"] == step["at"] for step in found["steps"]), "each was alone, so each line is of its moment"
    lags = [step["lag_ms_max"] for step in found["steps"]]
    assert lags[0] is None
    assert 0 <= sum(lags[1:]) < 5_000
    assert {step["process"] for step in found["steps"]} == {"redis", "supplier-samsung", "ledger", "aggregator"}


def test_what_compose_prints_tells_the_same_way(stack: Stack, said: list[dict[str, Any]]) -> None:
    composed = "".join(path.read_text() for path in sorted((stack.folder / "logs").glob("*.log")))

    assert trace(stack, said[1], "--logs", "-", input=composed)["steps"] == trace(stack, said[1])["steps"]
    assert trace(stack, said[1], "--logs", "-", input="")["unsaid"] == [step for step in WAY if step != "arrived"]


def test_a_refused_event_is_followed_to_where_it_was_refused(stack: Stack, said: list[dict[str, Any]]) -> None:
    found = trace(stack, said[2])

    assert (found["status"], found["refused"]["code"]) == ("refused", "fraction")
    assert (found["postings"], found["balances"], found["sequence"]) == ([], [], 3)
    assert {"event_refused", "refusal_heard"} <= {step["step"] for step in found["steps"]}


def test_a_person_reads_the_same_and_an_unknown_event_is_told(stack: Stack, said: list[dict[str, Any]]) -> None:
    shown = run("trace", f"samsung/{said[1]['id']}", "--data", str(stack.folder))
    unknown = run("trace", f"skhynix/{said[1]['id']}", "--data", str(stack.folder))

    assert shown.returncode == 0
    for part in ("waferline.lot.started.v1", "batch_recorded", "balances_rolled", "Folded into", "of this event alone"):
        assert part in shown.stdout
    assert (unknown.returncode, "the ledger knows no skhynix/" in unknown.stderr) == (1, True)
