"""An older copy of the ledger's store and of its checkpoints, put back by hand, and an empty Redis beside it."""

import json
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import httpx
from redis import Redis

from services.operator.stack.settling import settle
from services.operator.stack.stack import Stack
from shared.wire.events import Event
from shared.wire.streams import DATA, POSTINGS
from tests.abuse.conftest import bearer, running
from tests.chaos.load import speak

SOURCE, EVENTS = "samsung", 100
PARTY = f"supplier-{SOURCE}"
RECORDED_WITHIN_S = 60.0


def hand_in(stack: Stack, events: Sequence[Event]) -> Counter[str]:
    """Return how many of some events have which status."""
    body = "\n".join(json.dumps(event.cloud_event()) for event in events)
    answer = httpx.post(stack.url(PARTY) + "/events", content=body, headers=bearer(SOURCE), timeout=30)
    return Counter(line["status"] for line in answer.json())


def copy_store(source: Path, target: Path) -> None:
    """Copy the store and the checkpoints, as a person does who knows no better."""
    target.mkdir(exist_ok=True)
    for name in [*target.glob("ledger.db*")]:
        name.unlink()
    for name in [*source.glob("ledger.db*"), source / "checkpoints.txt"]:
        shutil.copy(name, target)


def head(stack: Stack) -> dict[str, object]:
    answer: dict[str, object] = httpx.get(stack.url("ledger") + "/head", headers=bearer("operator")).json()
    return answer


def test_events_that_an_older_store_has_lost_are_no_duplicates_and_are_recorded_again(
    tmp_path: Path, secrets: Path
) -> None:
    stack_folder, copy = tmp_path / "stack", tmp_path / "copy"
    events = speak(SOURCE, "supplier", 7)
    early, late, later = (list(islice(events, EVENTS)) for _ in range(3))
    with running(stack_folder, secrets) as stack:
        assert hand_in(stack, early) == {"recorded": EVENTS}
        settle(stack)
    copy_store(stack_folder, copy)
    with running(stack_folder, secrets) as stack:
        assert hand_in(stack, late) == {"recorded": EVENTS}
        settle(stack)
    copy_store(copy, stack_folder)
    shutil.rmtree(stack_folder / "redis")

    with running(stack_folder, secrets) as stack:
        began = time.monotonic()
        while (again := hand_in(stack, late)) != {"duplicate": EVENTS}:
            assert again == {"pending": EVENTS}
            assert time.monotonic() - began < RECORDED_WITHIN_S
        assert head(stack)["events"] == 2 * EVENTS  # they were called duplicates while they were lost
        assert hand_in(stack, later) == {"recorded": EVENTS}
        settle(stack)
        recorded = head(stack)
        logs = {name: stack.files.log(name).read_text() for name in (PARTY, "aggregator")}

    assert recorded["events"] == 3 * EVENTS
    assert recorded["sources"][SOURCE]["gaps"] == []  # type: ignore[index]
    assert '"log":"ledger_receded"' in logs[PARTY]
    assert '"code":"ahead_of_ledger"' in logs["aggregator"]


def test_a_ledger_whose_clock_made_its_store_before_the_one_on_the_streams_stops_and_says_so(
    tmp_path: Path, secrets: Path
) -> None:
    with running(tmp_path, secrets) as stack:
        with Redis.from_url(stack.redis_url) as redis:
            tomorrow = int(time.time() + 86_400) * 1000
            redis.xadd(POSTINGS, {DATA: b"{}"}, id=f"{tomorrow}-1")
        stack.kill("ledger")
        stack.start_service("ledger")

        assert stack.processes["ledger"].wait(RECORDED_WITHIN_S) != 0
        assert "holds batches of a later store" in stack.files.log("ledger").read_text()
