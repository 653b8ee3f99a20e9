"""What people and machines do to a stack: does it say no, or come back whole?"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis

from services.operator.ask.client import ask
from services.operator.record.curves import fold
from services.operator.record.store import open_store
from services.operator.stack.errors import StackError
from services.operator.stack.folder import read_facts
from services.operator.stack.stack import ScenarioRun, Stack, started
from shared.play.numbering import Numbering
from shared.wire.events import LotStarted, SourceAdvanced
from shared.wire.streams import DATA, POSTINGS, party_stream

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def until(what: str, holds: Callable[[], Any], within_s: float = 60) -> None:
    """Wait for a condition; fail with its name if it does not hold in time."""
    deadline = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {within_s:.0f} s: {what}")
        time.sleep(0.05)


def hand_in(stack: Stack, numbering: Numbering, lots: int) -> list[str]:
    """Hand in some lots and a watermark; return what the ledger said of each."""
    key: dict[str, Any] = {"product": "HBM4-12H", "site": "TX-ABILENE", "supplier": "samsung"}
    events = [
        numbering.emit(
            NOON, LotStarted(**key, lot=f"L{numbering.sequence}", fab="P3", wafers=25, due_out=date(2026, 9, 1))
        )
        for _ in range(lots)
    ]
    events.append(numbering.emit(NOON, SourceAdvanced(through=NOON.date())))
    body = "\n".join(json.dumps(event.cloud_event()) for event in events)
    answer = httpx.post(stack.url("supplier-samsung") + "/events", content=body, timeout=30)
    return [verdict["status"] for verdict in answer.json()]


def is_folded(stack: Stack) -> bool:
    """Whether the aggregator stands where the ledger does."""
    health = [httpx.get(stack.url(name) + "/health").json() for name in ("ledger", "aggregator")]
    return bool(health[0]["position"] == health[1]["position"] > 0)


def stops_and_says(stack: Stack, name: str, words: str) -> bool:
    """Whether a service stops by itself soon after its start, with some words as its reason."""
    log = stack.folder / "logs" / f"{name}.log"
    with suppress(StackError), started(stack):  # it may have stopped before the stack was up
        until(f"{name} stops", lambda: stack.processes[name].poll() is not None)
    return any('"critical"' in line and words in line for line in log.read_text().splitlines())


def test_a_second_stack_on_a_folder_is_refused_and_the_first_one_goes_on(folder: Path, redis_url: str) -> None:
    with started(Stack(folder, redis_url=redis_url)) as stack:
        with pytest.raises(StackError, match="is running in"), started(Stack(folder)):
            pytest.fail("it was let in")
        demo = [sys.executable, "-m", "services.operator", "demo", "--data", str(folder), "--until", "2026-01"]
        done = subprocess.run(demo, capture_output=True, text=True, check=False)

        assert (done.returncode, "is running in" in done.stderr) == (1, True)
        assert read_facts(folder) is not None
        assert set(hand_in(stack, Numbering("samsung"), 2)) == {"recorded"}


def test_a_stack_in_full_play_stops_in_time(folder: Path, redis_url: str) -> None:
    with started(Stack(folder, ScenarioRun(until=date(2027, 12, 31)), redis_url=redis_url)) as stack:
        until("it plays", lambda: httpx.get(stack.url("ledger") + "/head").json()["events"] > 1000)
        processes = list(stack.processes.values())
        began = time.monotonic()
        stack.stop()
        took = time.monotonic() - began

    assert took < 15
    assert {process.returncode for process in processes} == {0}, "one had to be killed"


def test_an_entry_with_an_id_that_is_no_time_is_refused_and_the_next_one_recorded(folder: Path, redis_url: str) -> None:
    with started(Stack(folder, redis_url=redis_url)) as stack, Redis.from_url(stack.redis_url) as redis:
        redis.xadd(party_stream("supplier", "samsung"), {DATA: b"x"}, id="10000000000000000000-0")
        until("it is refused", lambda: ask(folder, "ledger", "/refusals"))

        assert set(hand_in(stack, Numbering("samsung"), 1)) == {"recorded"}


def test_an_emptied_redis_is_filled_again_from_the_store(folder: Path, redis_url: str) -> None:
    with started(Stack(folder, redis_url=redis_url)) as stack, Redis.from_url(stack.redis_url) as redis:
        hand_in(stack, Numbering("samsung"), 3)
        until("it is folded", lambda: is_folded(stack))
        redis.flushall()
        until("the postings are there again", lambda: redis.xlen(POSTINGS) > 0)
        stack.kill("aggregator")
        stack.tend()
        until("the aggregator is back", lambda: stack.is_up("aggregator") and is_folded(stack))

        assert ask(folder, "aggregator", "/state")["state_hash"] == fold(open_store(folder)).state_hash()


def said_by(stack: Stack, name: str, log: str) -> list[dict[str, Any]]:
    """The lines of a name in a service's log."""
    lines = (stack.folder / "logs" / f"{name}.log").read_text().splitlines()
    return [line for line in map(json.loads, lines) if line["log"] == log]


def test_a_restart_begins_with_the_snapshot_and_a_kill_costs_nothing(folder: Path, redis_url: str) -> None:
    numbering = Numbering("samsung")
    with started(Stack(folder, redis_url=redis_url)) as stack:
        hand_in(stack, numbering, 3)
        until("it is folded", lambda: is_folded(stack))
    with started(Stack(folder, redis_url=redis_url)) as stack:
        hand_in(stack, numbering, 2)
        until("it is folded", lambda: is_folded(stack))
        stack.kill("aggregator")
        hand_in(stack, numbering, 1)
        stack.tend()
        until("the aggregator is back", lambda: stack.is_up("aggregator") and is_folded(stack))
        restored = said_by(stack, "aggregator", "snapshot_restored")

        assert [line["position"] for line in restored] == [restored[0]["position"]] * 2
        assert ask(folder, "aggregator", "/state")["state_hash"] == fold(open_store(folder)).state_hash()


def test_a_snapshot_of_another_store_is_refused_and_all_is_folded_anew(folder: Path, redis_url: str) -> None:
    with started(Stack(folder, redis_url=redis_url)) as stack:
        hand_in(stack, Numbering("samsung"), 3)
        until("it is folded", lambda: is_folded(stack))
    for path in (*folder.glob("ledger.db*"), *folder.glob("outbox/*"), folder / "checkpoints.txt"):
        path.unlink(missing_ok=True)
    shutil.rmtree(folder / "redis", ignore_errors=True)
    if redis_url:
        with Redis.from_url(redis_url) as redis:
            redis.flushall()
    with started(Stack(folder, redis_url=redis_url)) as stack:
        refused = said_by(stack, "aggregator", "snapshot_refused")
        hand_in(stack, Numbering("samsung"), 1)
        until("it is folded", lambda: is_folded(stack))

        assert [line["code"] for line in refused] == ["ahead_of_ledger"]
        assert ask(folder, "aggregator", "/state")["state_hash"] == fold(open_store(folder)).state_hash()


@pytest.mark.parametrize(("kept", "said"), [(True, "the checkpoint of batch"), (False, "of another history")])
def test_an_old_copy_of_the_store_is_refused(
    folder: Path, tmp_path: Path, redis_url: str, kept: bool, said: str
) -> None:
    numbering = Numbering("samsung")
    with started(Stack(folder, redis_url=redis_url)) as stack:
        hand_in(stack, numbering, 1)
    shutil.copy(folder / "ledger.db", tmp_path / "old.db")
    with started(Stack(folder, redis_url=redis_url)) as stack:
        hand_in(stack, numbering, 1)
    shutil.copy(tmp_path / "old.db", folder / "ledger.db")
    if not kept:
        (folder / "checkpoints.txt").unlink()

    assert stops_and_says(Stack(folder, redis_url=redis_url), "ledger", said)


def test_a_party_whose_outbox_was_lost_says_so_and_takes_nothing(folder: Path, redis_url: str) -> None:
    with started(Stack(folder, redis_url=redis_url)) as stack:
        hand_in(stack, Numbering("samsung"), 2)
    (folder / "outbox" / "samsung.db").unlink()

    assert stops_and_says(Stack(folder, redis_url=redis_url), "supplier-samsung", "was the outbox lost")


def test_a_demo_empties_no_stack_that_is_no_demos(folder: Path, redis_url: str) -> None:
    with started(Stack(folder, redis_url=redis_url)) as stack:
        hand_in(stack, Numbering("samsung"), 1)
    demo = [sys.executable, "-m", "services.operator", "demo", "--data", str(folder), "--until", "2026-01"]
    done = subprocess.run(demo, capture_output=True, text=True, check=False)

    assert (done.returncode, "holds a stack of another command" in done.stderr) == (1, True)
    assert open_store(folder).last_event > 0
