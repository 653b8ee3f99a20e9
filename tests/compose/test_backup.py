"""Is a stack that was lost the same again from its backup, does it play on, and what is refused?"""

import json
import shutil
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.compose.conftest import Start
from tests.compose.stack import PARTIES, SERVICES, VERSION, Failed, Stack, run, until

UNTIL = date(2026, 1, 25)
PACE_S = 3  # a day: long enough to be copied meanwhile, also on a busy machine
PLAYED_WITHIN_S = 240


class Ended(NamedTuple):
    """What a stack has come to at the end of the programme."""

    events: int
    state_hash: str


class Copied(NamedTuple):
    """A backup that was made while it was played, where it ends, and what the stack came to afterwards."""

    folder: Path
    position: int
    head: str
    afterwards: Ended


def make(stack: Stack, *args: str) -> str:
    return run("make", "--silent", f"VERSION={VERSION}", *args, environment=stack.settings)


def ended(stack: Stack) -> Ended:
    """Return what the programme comes to, when it is played; raise where not all of it proves."""
    until(lambda: complete_through(stack) == UNTIL.isoformat(), f"played to {UNTIL}", PLAYED_WITHIN_S)
    until(lambda: {*waiting(stack)} == {0}, "every outbox is empty", PLAYED_WITHIN_S)
    state, head = stack.ask("aggregator", "/state"), stack.ask("ledger", "/head")
    proof = json.loads(stack.operator("verify", "--store", "postgresql://ledger@postgres/ledger", "--json"))
    assert proof["proved"], proof["wrong"]
    assert proof["state_hash"] == state["state_hash"]
    assert [source["gaps"] for source in head["sources"].values()] == [[]] * len(PARTIES)
    return Ended(head["events"], state["state_hash"])


def complete_through(stack: Stack) -> Any:
    return stack.ask("aggregator", "/state")["complete_through"]


def waiting(stack: Stack) -> list[int]:
    """Return how many events of each party the ledger has not recorded."""
    health = [stack.ask(party, "/health") for party in PARTIES]
    return [each["said"] - each["recorded"] for each in health]


def head_at(stack: Stack, position: int) -> Any:
    """Return the chain's head after a batch, as the ledger has it."""
    with stack.http("token-operator") as client:
        page = client.get(f"{stack.url('ledger')}/postings", params={"after": position - 1, "limit": 1})
    return json.loads(page.content)["head"]


def started_at(stack: Stack) -> list[str]:
    return [stack.inspect(service)["State"]["StartedAt"] for service in SERVICES]


@pytest.fixture(scope="module")
def stack(start: Start, playing: dict[str, str]) -> Iterator[Stack]:
    with start(**playing | {"WAFERLINE_UNTIL": UNTIL.isoformat()}, WAFERLINE_PACE_S=str(PACE_S)) as stack:
        yield stack


@pytest.fixture(scope="module")
def copied(stack: Stack, tmp_path_factory: pytest.TempPathFactory, seen: list[str]) -> Copied:
    """A backup of the stack, which has played on to the end since."""
    folder = tmp_path_factory.mktemp("backups") / "early"
    until(lambda: complete_through(stack) is not None, "a day is played", PLAYED_WITHIN_S)
    stack.compose("restart", "ledger")  # it signs a checkpoint when it ends
    began = time.monotonic()
    make(stack, "backup", f"TO={folder}")
    seen.append(f"| `make backup` | {time.monotonic() - began:.0f} s |")
    manifest = dict(line.split(" ", 1) for line in (folder / "manifest").read_text().splitlines())
    afterwards = ended(stack)
    stack.settings["WAFERLINE_PACE_S"] = "0"  # what is restored plays as fast as it goes
    position = int(manifest["position"])
    assert position < stack.ask("ledger", "/head")["position"], "all was played before: make PACE_S greater"
    return Copied(folder, position, manifest["head"], afterwards)


def restore_older(stack: Stack, folder: Path, seen: list[str], what: str) -> None:
    """Lose the store alone, and restore an older backup: the ledger refuses it unless `OLDER=1` is given."""
    stack.compose("stop", "ledger")  # it signs what it came to
    stack.compose("rm", "--stop", "--force", "postgres")
    run("docker", "volume", "rm", f"{stack.project}_postgres")

    with pytest.raises(Failed, match=r"(?s)was an old copy put back\?.*the ledger refuses it.*OLDER=1"):
        make(stack, "restore", f"FROM={folder}")
    began = time.monotonic()
    printed = make(stack, "restore", f"FROM={folder}", "OLDER=1")
    seen.append(f"| `make restore OLDER=1` {what} | {time.monotonic() - began:.0f} s |")

    assert "checkpoints: the previous ones are in" in printed


def test_a_copy_that_was_changed_is_refused_before_anything_is_touched(
    stack: Stack, copied: Copied, tmp_path: Path
) -> None:
    before = started_at(stack)
    for file in sorted(path.relative_to(copied.folder) for path in copied.folder.rglob("*") if path.is_file()):
        changed = tmp_path / "changed"
        shutil.copytree(copied.folder, changed)
        body = bytearray((changed / file).read_bytes())
        body[len(body) // 2] ^= 1
        (changed / file).write_bytes(body)

        with pytest.raises(Failed, match="differs from its SHA256SUMS"):
            make(stack, "restore", f"FROM={changed}")
        shutil.rmtree(changed)

    assert started_at(stack) == before


def test_a_store_that_holds_events_is_not_written_over(stack: Stack, copied: Copied) -> None:
    before = started_at(stack)

    with pytest.raises(Failed, match="the store holds events"):
        make(stack, "restore", f"FROM={copied.folder}")

    assert started_at(stack) == before


def test_a_lost_stack_is_the_same_again_from_its_backup_and_plays_on_to_the_same_end(
    stack: Stack, copied: Copied, seen: list[str]
) -> None:
    stack.down("--volumes")

    began = time.monotonic()
    make(stack, "restore", f"FROM={copied.folder}")
    seen.append(f"| `make restore` where all was lost | {time.monotonic() - began:.0f} s |")

    assert head_at(stack, copied.position) == copied.head
    assert ended(stack) == copied.afterwards


def test_an_older_copy_is_refused_by_the_ledger_unless_it_is_asked_for_and_what_redis_has_is_recorded_again(
    stack: Stack, copied: Copied, seen: list[str]
) -> None:
    restore_older(stack, copied.folder, seen, "where only the store was lost")

    assert head_at(stack, copied.position) == copied.head
    assert ended(stack) == copied.afterwards
