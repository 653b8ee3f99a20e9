"""What comes of a backup, a restore and an older backup while publishers hand events in without a pause?"""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.operator.stack.machine.ports import free_ports
from tests.chaos.load import Load
from tests.compose.conftest import Start
from tests.compose.stack import Stack, until
from tests.compose.test_backup import make, restore_older

DOORS = {"samsung": ("supplier", "SAMSUNG"), "stargate-americas": ("datacenter", "AMERICAS")}
LOADED_WITHIN_S = 120
EVENTS = 300  # acknowledged, before the next step is taken


@pytest.fixture
def stack(start: Start) -> Iterator[Stack]:
    """A stack whose doors keep their ports when a container is made anew."""
    ports = free_ports(len(DOORS))
    with start(
        **{f"WAFERLINE_{name}_PORT": str(port) for (_, name), port in zip(DOORS.values(), ports, strict=True)}
    ) as stack:
        yield stack


@pytest.fixture
def load(stack: Stack) -> Iterator[Load]:
    """Publishers that go on through all that is done to the stack, and send again what is not acknowledged."""
    doors = {source: (role, stack.url(f"{role}-{source}")) for source, (role, _) in DOORS.items()}
    load = Load(doors, 2026, {source: stack.secret(f"token-{source}") for source in DOORS})  # type: ignore[arg-type]
    load.going.set()
    yield load
    load.end()


def more(load: Load) -> None:
    """Wait until some more events are acknowledged."""
    goal = len(load.acknowledged) + EVENTS
    until(lambda: len(load.acknowledged) >= goal, f"{EVENTS} more events are acknowledged", LOADED_WITHIN_S)


def settled(stack: Stack, load: Load) -> None:
    """Have the publishers pause, and expect each of their events once: none lost, none twice, all proved."""
    load.going.clear()
    until(load.idle, "all that was sent is acknowledged", LOADED_WITHIN_S)
    head = stack.ask("ledger", "/head")
    assert head["events"] == len(load.attempted)
    assert [source["gaps"] for source in head["sources"].values()] == [[] for _ in head["sources"]]
    assert load.refused == []
    until(lambda: stack.ask("aggregator", "/state")["position"] == head["position"], "all is folded", LOADED_WITHIN_S)
    proof = json.loads(stack.operator("verify", "--store", "postgresql://ledger@postgres/ledger", "--json"))
    assert proof["proved"], proof["wrong"]
    assert proof["state_hash"] == stack.ask("aggregator", "/state")["state_hash"]


def logged(stack: Stack, service: str, name: str) -> int:
    return stack.logs(service).count(f'"log":"{name}"')


@pytest.fixture
def copied(stack: Stack, load: Load, tmp_path: Path, seen: list[str]) -> Path:
    """A backup that was made under load; the publishers have gone on since."""
    folder = tmp_path / "early"
    more(load)
    before, began = len(load.acknowledged), time.monotonic()
    make(stack, "backup", f"TO={folder}")
    meanwhile = len(load.acknowledged) - before
    seen.append(f"| `make backup` under load ({meanwhile} events meanwhile) | {time.monotonic() - began:.0f} s |")
    more(load)
    return folder


def test_an_older_store_put_back_under_load_has_all_again_that_redis_has(
    stack: Stack, load: Load, copied: Path, seen: list[str]
) -> None:
    stack.compose("restart", "ledger")  # it signs what it came to
    more(load)
    restore_older(stack, copied, seen, "under load, where only the store was lost")

    more(load)
    assert logged(stack, "aggregator", "snapshot_refused") == 1
    settled(stack, load)


def test_a_stack_that_was_lost_under_load_has_all_again_that_is_handed_in_again(
    stack: Stack, load: Load, copied: Path, seen: list[str]
) -> None:
    stack.down("--volumes")
    began = time.monotonic()
    make(stack, "restore", f"FROM={copied}")
    seen.append(f"| `make restore` under load, all lost | {time.monotonic() - began:.0f} s |")

    load.going.clear()
    until(load.idle, "all that was sent is acknowledged", LOADED_WITHIN_S)
    load.hand_in_again()
    settled(stack, load)
