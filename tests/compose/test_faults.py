"""Is nothing lost, and nothing double, whatever happens to the containers while they play?"""

import json
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from tests.compose.conftest import UNTIL, Start
from tests.compose.stack import OURS, PARTIES, SERVICES, VERSION, Stack, run, until

PACE_S = 4  # a day: the programme outlasts all faults
LONGER_S = 15  # than any service waits for an answer: 3 s for Redis, 10 s for the ledger's word
DAYS_ON = 3  # a party hears the others a day later: then each has heard and said something since
ON_WITHIN_S = 90
ENDED_WITHIN_S = 120
NEXT = "test-next"


# What `kill -9` takes is the process: what Redis has written lies with the kernel, and survives. A power cut is another
# thing, and tried by `make chaos`.


def restart_redis(stack: Stack) -> None:
    stack.compose("restart", "redis")


def cut_off_the_ledger(stack: Stack) -> None:
    with stack.cut("ledger", "streams", "store"):
        time.sleep(LONGER_S)


def cut_off_a_party(stack: Stack) -> None:
    with stack.cut("supplier-samsung", "streams"):
        time.sleep(LONGER_S)


def pause_the_ledger(stack: Stack) -> None:
    with stack.paused("ledger"):
        time.sleep(LONGER_S)


def run_two_ledgers(stack: Stack) -> None:
    stack.compose("up", "--detach", "--no-deps", "--no-recreate", "--scale", "ledger=2", "ledger")
    until(lambda: '"ledger_fenced"' in stack.logs("ledger"), "one of two ledgers says that it is fenced", 60)
    stack.keep_logs()
    stack.compose("up", "--detach", "--no-deps", "--no-recreate", "--scale", "ledger=1", "ledger")


def take_all_down_and_up_again(stack: Stack) -> None:
    stack.down()
    stack.up()


def change_to_another_version(stack: Stack) -> None:
    stack.keep_logs()
    stack.settings["WAFERLINE_VERSION"] = NEXT
    stack.up()
    for service in OURS:
        assert stack.inspect(service)["Config"]["Image"].endswith(f":{NEXT}")


FAULTS: dict[str, Callable[[Stack], None]] = {
    **{f"kill -9 of {service}": lambda stack, service=service: stack.crash(service) for service in SERVICES},
    f"the ledger without Redis and PostgreSQL for {LONGER_S} s": cut_off_the_ledger,
    f"a supplier without Redis for {LONGER_S} s": cut_off_a_party,
    f"the ledger paused for {LONGER_S} s": pause_the_ledger,
    "Redis restarted": restart_redis,
    "two ledgers on one store": run_two_ledgers,
    "all taken down and up again": take_all_down_and_up_again,
    "another version of every image": change_to_another_version,
}


@pytest.fixture(scope="module")
def stack(start: Start, playing: dict[str, str], embedded: Callable[[], dict[str, Any]]) -> Iterator[Stack]:
    """A stack that plays, slowly enough to be broken; its next version is the same code under another name."""
    names = run("docker", "images", "--format", "{{.Repository}}", f"waferline/*:{VERSION}").split()
    for name in names:
        run("docker", "tag", f"{name}:{VERSION}", f"{name}:{NEXT}")
    try:
        with start(**playing, WAFERLINE_PACE_S=str(PACE_S)) as stack:
            yield stack
    finally:
        run("docker", "rmi", *(f"{name}:{NEXT}" for name in names))


def complete_through(stack: Stack) -> date:
    """Return the day up to which every party has spoken, and the aggregator has folded it."""
    through = stack.ask("aggregator", "/state")["complete_through"]
    return date.min if through is None else date.fromisoformat(through)


def complete_through_when_asked(stack: Stack) -> date:
    """Return how far it is as soon as the aggregator answers."""
    days: list[date] = []
    until(lambda: days.append(complete_through(stack)) is None, "the aggregator answers", ON_WITHIN_S)
    return days[-1]


@pytest.mark.parametrize("fault", FAULTS)
def test_the_programme_is_played_on_after(fault: str, stack: Stack, seen: list[str]) -> None:
    until(lambda: complete_through(stack) > date.min, "the first day is played", ON_WITHIN_S)
    FAULTS[fault](stack)
    after = complete_through_when_asked(stack)

    assert after < UNTIL, "all was played before: make PACE_S greater"
    took_s = until(lambda: complete_through(stack) >= after + timedelta(days=DAYS_ON), "it plays on", ON_WITHIN_S)
    seen.append(f"| {fault} | {took_s:.0f} s |")


def test_at_the_end_all_is_as_in_a_run_in_which_nothing_fails(
    stack: Stack, embedded: Callable[[], dict[str, Any]], seen: list[str]
) -> None:
    stack.keep_logs()
    stack.settings["WAFERLINE_PACE_S"] = "0"  # the rest as fast as it goes
    stack.up()
    until(lambda: complete_through(stack) == UNTIL, f"played to {UNTIL}", ENDED_WITHIN_S)
    head, state, expected = stack.ask("ledger", "/head"), stack.ask("aggregator", "/state"), embedded()
    proof = json.loads(stack.operator("verify", "--store", "postgresql://ledger@postgres/ledger", "--json"))

    assert [source["gaps"] for source in head["sources"].values()] == [[]] * len(PARTIES)
    assert stack.ask("ledger", "/counts") == expected["events_by_type"]
    assert state["state_hash"] == proof["state_hash"] == expected["state_hash"]
    assert proof["proved"], proof["wrong"]
    seen.append(f"| at the end: {proof['events']:,} events proved, the state hash of a run without faults | – |")
