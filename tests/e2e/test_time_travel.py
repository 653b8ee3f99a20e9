"""Does a stack that runs tell of any past what is told of it from its store, and say clearly what was never?"""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.operator.ask.client import ask
from services.operator.stack.errors import StackError
from services.operator.stack.stack import ScenarioRun, Stack, started
from tests.e2e.test_stack import is_played, wait_until

UNTIL = date(2026, 1, 20)
VIEWS: list[tuple[str, dict[str, str]]] = [
    ("/balances", {"by": "product,site,supplier"}),
    ("/balances", {"by": "site", "basis": "receipt", "firmness": "firm", "window": "90"}),
    ("/shortages", {"why": "true", "limit": "2"}),
    ("/shortages", {"firmness": "material"}),
    ("/cover", {"fill_rate": "true", "limit": "2"}),
    ("/atp", {"at": "sites", "bucket": "day", "limit": "20"}),
    ("/suppliers/samsung/performance", {}),
    ("/sites", {"mooring": "onshore"}),
    ("/sites/TX-ABILENE/timeline", {}),
    ("/suppliers", {"lag": "14"}),
    ("/alerts", {}),
    ("/months", {}),
    ("/state", {}),
]


def told(folder: Path, as_of: str | None = None) -> list[Any]:
    """What each view says, or why it does not: before a supplier is named, nobody knows of it."""
    answers: list[Any] = []
    for path, query in VIEWS:
        try:
            answers.append(ask(folder, "aggregator", path, as_of=as_of, **query))
        except StackError as why:
            answers.append(str(why))
    return answers


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("played") / "stack"
    with started(Stack(folder, ScenarioRun(until=UNTIL))) as stack:
        wait_until("the programme is played", lambda: is_played(stack, UNTIL))
        yield stack


def test_any_past_is_told_as_the_store_tells_it(played: Stack, tmp_path: Path) -> None:
    head = ask(played.folder, "ledger", "/head")["position"]
    times = ["0", str(head // 2), str(head), "2026-01-02", "2026-01-15", "2030-01-01"]
    over_http = {as_of: told(played.folder, as_of) for as_of in times}
    copied = tmp_path / "ledger.db"
    for path in played.folder.glob("ledger.db*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())

    assert copied.exists()
    assert {as_of: told(tmp_path, as_of) for as_of in times} == over_http
    assert len({answers[-1]["state_hash"] for answers in over_http.values()}) == len(times) - 1
    assert over_http["2030-01-01"] == over_http[str(head)] == told(played.folder)


@pytest.mark.parametrize(
    ("as_of", "detail"),
    [
        ("999999", "there is no batch 999999 yet: the last one is"),
        ("2025-12-31", "nothing had been recorded by the end of 2025-12-31: the first day is 2026-01-01"),
    ],
)
def test_what_was_never_is_refused_with_what_there_is(played: Stack, as_of: str, detail: str) -> None:
    answer = httpx.get(played.url("aggregator") + "/balances", params={"as_of": as_of})

    assert answer.status_code == 404
    assert (answer.json()["type"], answer.json()["parameter"]) == ("/problems/never-known", "as_of")
    assert answer.json()["detail"].startswith(detail)


def test_who_ask_for_the_same_past_at_once_wait_for_one_fold(played: Stack) -> None:
    def folds() -> int:
        return (played.folder / "logs" / "aggregator.log").read_text().count("past_folded")

    before = folds()
    url = played.url("aggregator") + "/state"
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: httpx.get(url, params={"as_of": "2026-01-11"}, timeout=30), range(8)))

    assert len({answer.text for answer in answers}) == 1
    assert answers[0].is_success
    assert folds() == before + 1
