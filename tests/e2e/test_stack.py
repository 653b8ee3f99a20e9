"""Do the real processes, the real Redis and the real store agree with the replay, also when they are killed?"""

import gzip
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis

from services.operator.ask.client import ask
from services.operator.record import tapes
from services.operator.record.curves import fold
from services.operator.record.proof import verify
from services.operator.record.store import open_store
from services.operator.stack.stack import ScenarioRun, Stack, started
from shared.play.numbering import Numbering
from shared.wire.days import day_number
from shared.wire.events import LotFinished, LotStarted, SourceAdvanced
from shared.wire.streams import POSTINGS
from testing.simulate import declarations, simulate
from tests.replay.tape import KEPT, TAPE, state_hash

UNTIL = date(2026, 2, 28)
SEED = 7
PARTIES = 6
LAST_DAY = 59


def wait_until(what: str, holds: Callable[[], bool], within_s: float = 60) -> None:
    """Wait for a condition; fail with its name if it does not hold in time."""
    deadline = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {within_s:.0f} s: {what}")
        time.sleep(0.05)


def played_days(stack: Stack) -> int:
    """How many days all parties have said all of; 0 while the ledger is away."""
    try:
        head = httpx.get(stack.url("ledger") + "/head").json()
    except httpx.TransportError:
        return 0
    days = [source["advanced"] for source in head["sources"].values() if source["advanced"] is not None]
    return max(0, min(days) - day_number(stack.scenario.starts_on) + 1) if len(days) == PARTIES else 0


def is_played(stack: Stack, until: date = UNTIL) -> bool:
    """Whether every party has lived through the last day, and all of it is folded."""
    stack.tend()
    try:
        head = httpx.get(stack.url("ledger") + "/head").json()
        state = httpx.get(stack.url("aggregator") + "/health").json()
    except httpx.TransportError:
        return False
    days = [source["advanced"] for source in head["sources"].values() if source["advanced"] is not None]
    return len(days) == PARTIES and set(days) == {day_number(until)} and state.get("position") == head["position"]


def state_of(stack: Stack) -> dict[str, Any]:
    state: dict[str, Any] = ask(stack.folder, "aggregator", "/state")
    return state


@pytest.fixture(scope="module")
def expected_hash() -> str:
    """What the same programme comes to without any process, stream or kill."""
    return state_hash(
        [*declarations(UNTIL), *(event for _, said in simulate("announced", UNTIL, SEED) for event in said)]
    )


def test_the_processes_come_to_the_state_of_the_replay(folder: Path, redis_url: str, expected_hash: str) -> None:
    play = ScenarioRun(until=UNTIL, seed=SEED)

    with started(Stack(folder, play, redis_url=redis_url)) as stack:
        wait_until("the programme is played", lambda: is_played(stack))
        live = state_of(stack)

    assert live["state_hash"] == expected_hash
    assert fold(open_store(folder)).state_hash() == expected_hash
    assert verify(open_store(folder)).wrong is None


def test_kills_in_the_middle_change_nothing(folder: Path, redis_url: str, expected_hash: str) -> None:
    chance = random.Random(SEED)  # noqa: S311
    victims = ("ledger", "aggregator", "supplier-samsung", "datacenter-stargate-apac") * 3
    killed_on = []

    with started(Stack(folder, ScenarioRun(until=UNTIL, seed=SEED, pace_s=0.7), redis_url=redis_url)) as stack:
        for day, victim in zip(range(2, LAST_DAY, 4), victims, strict=False):
            wait_until(f"day {day} is played", lambda day=day: played_days(stack) >= day)
            time.sleep(chance.uniform(0, 0.3))
            stack.kill(victim)
            killed_on.append(played_days(stack))
            stack.tend()
        wait_until("the programme is played", lambda: is_played(stack))
        live = state_of(stack)

    assert sum(day < LAST_DAY for day in killed_on) >= len(set(victims)), f"over before each was killed: {killed_on}"
    assert live["state_hash"] == expected_hash
    assert verify(open_store(folder)).wrong is None


def test_a_recorded_run_replays_to_the_same_state(folder: Path, redis_url: str, tmp_path: Path) -> None:
    tape = tmp_path / "tape.ndjson.gz"
    command = [sys.executable, "-m", "services.operator"]
    with started(Stack(folder, ScenarioRun(until=date(2026, 1, 20), seed=SEED), redis_url=redis_url)) as stack:
        wait_until("the programme is played", lambda: is_played(stack, date(2026, 1, 20)))
        live = state_of(stack)
        subprocess.run([*command, "record", str(tape), "--data", str(folder)], check=True, capture_output=True)

    replayed = subprocess.run(
        [*command, "replay", str(tape), "--data", str(tmp_path / "again"), "--expect", live["state_hash"], "--json"],
        check=True, capture_output=True,
    )  # fmt: skip

    assert json.loads(replayed.stdout)["state_hash"] == live["state_hash"]


def test_events_come_in_over_http_and_the_wrong_one_is_told_why(folder: Path, redis_url: str) -> None:
    numbering = Numbering("samsung")
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    key: dict[str, Any] = {"product": "HBM4-12H", "site": "TX-ABILENE", "supplier": "samsung"}
    start = numbering.emit(noon, LotStarted(**key, lot="L1", fab="P3", wafers=25, due_out=date(2026, 9, 1)))
    wrong = numbering.emit_malformed(
        noon, LotStarted(**key, lot="L2", fab="P3", wafers=25, due_out=date(2026, 9, 1)), wafers=1.5
    )
    finish = numbering.emit(noon, LotFinished(**key, lot="L1", wafers=24, yield_variance=1))
    through = numbering.emit(noon, SourceAdvanced(through=noon.date()))
    lines = [json.dumps(e if isinstance(e, dict) else e.cloud_event()) for e in (start, wrong, finish, through)]

    with started(Stack(folder, redis_url=redis_url)) as stack:
        url = stack.url("supplier-samsung") + "/events"
        first = httpx.post(url, content="\n".join(lines), timeout=30)
        again = httpx.post(url, content="\n".join(lines), timeout=30)
        wait_until("the balance is there", lambda: state_of(stack)["position"] > 0)
        verdict = httpx.get(f"{stack.url('ledger')}/events/samsung/{wrong['id']}").json()
        [balance] = ask(folder, "aggregator", "/balances", by="product,site,supplier", window=1)["rows"]

    assert [answer["status"] for answer in first.json()] == ["recorded", "refused", "recorded", "recorded"]
    assert [answer["status"] for answer in again.json()] == ["duplicate", "refused", "duplicate", "duplicate"]
    assert (verdict["status"], verdict["code"], verdict["path"]) == ("refused", "fraction", "data.wafers")
    assert (balance["wip"], balance["finished"], balance["supply"]) == (0, 24, 25)


def test_an_aggregator_that_was_down_while_events_arrived_catches_up(folder: Path, redis_url: str) -> None:
    """Case 9 of those that broke other systems, with the stream trimmed meanwhile: the rest comes from the ledger."""
    play = ScenarioRun(until=UNTIL, seed=SEED)

    with started(Stack(folder, play, redis_url=redis_url)) as stack:
        aggregator = stack.processes.pop("aggregator")
        aggregator.kill()
        aggregator.wait()
        ledger = stack.url("ledger") + "/health"
        wait_until("the ledger has it all", lambda: httpx.get(ledger).json()["told"] > 50)
        with Redis.from_url(stack.redis_url) as redis:
            wait_until("a long stream to trim", lambda: redis.xlen(POSTINGS) > 20)
            redis.xtrim(POSTINGS, maxlen=2, approximate=False)
        stack.processes["aggregator"] = aggregator
        wait_until("the programme is played", lambda: is_played(stack))
        live = state_of(stack)

    assert live["state_hash"] == fold(open_store(folder)).state_hash()


def test_a_tape_shuffled_and_doubled_over_the_processes_comes_to_the_same_state(folder: Path, redis_url: str) -> None:
    lines = gzip.decompress(TAPE.read_bytes()).splitlines()
    kept = json.loads(KEPT.read_text())["state_hash"]
    chance = random.Random(SEED)  # noqa: S311
    shuffled = chance.choices(lines, k=len(lines) // 2) + chance.sample(lines, len(lines))

    stack = Stack(folder, redis_url=redis_url, trust_recorded=True, parties=False)
    with started(stack):
        tapes.play(stack, tapes.entries(shuffled), None, lambda _: None)
        live = state_of(stack)

    assert live["state_hash"] == kept
