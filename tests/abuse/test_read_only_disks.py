"""Folders that can only be read, and a disk without room under a whole stack."""

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import httpx

from services.operator.stack.settling import settle
from services.operator.stack.stack import started
from shared.play.numbering import Numbering
from shared.wire.events import SourceAdvanced
from tests.abuse.damaged import NOON, Killed, hand_in, proved, small
from tests.abuse.disks import read_only, small_disk
from tests.abuse.test_tapes import waferline
from tests.e2e.test_mishaps import until

DB = "ledger.db"
DISK_MB = 24


def test_a_store_on_a_medium_that_can_only_be_read_is_proved_there(
    killed: Killed, folder: Path, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(folder / DB)) as store:  # as a stop leaves it: one file
        store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with read_only(folder):
        verified, recorded = (
            waferline(*command, "--data", folder)[:2] for command in (("verify",), ("record", tmp_path / "tape.ndjson"))
        )
        begun = waferline("up", "--data", folder)[:2]

    assert (verified[0], recorded[0]) == (0, 0), (verified, recorded)
    assert len((tmp_path / "tape.ndjson").read_bytes().splitlines()) == killed.events
    assert (begun[0], begun[1].startswith("waferline: "), "Read-only file system" in begun[1]) == (1, True, True)


def test_a_killed_store_on_such_a_medium_is_read_with_its_log_or_says_why_not(folder: Path) -> None:
    with read_only(folder):
        beside = waferline("verify", "--data", folder)[:2]
    (folder / "ledger.db-shm").unlink()
    with read_only(folder):
        alone = waferline("verify", "--data", folder)[:2]

    assert beside[0] == 0, beside
    assert (alone[0], "copy the folder" in alone[1]) == (1, True), alone


def test_a_full_disk_under_a_whole_stack_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    numbering = Numbering("samsung")
    with small_disk(tmp_path / "disk", DISK_MB) as disk, started(small(disk / "stack")) as stack:
        hand_in(stack, numbering)
        ballast = disk / "ballast"
        with suppress(OSError), ballast.open("wb", buffering=0) as file:
            while file.write(b"x" * 4096):
                pass
        event = numbering.emit(NOON, SourceAdvanced(through=NOON.date()))
        answer = httpx.post(stack.url("supplier-samsung") + "/events", json=event.cloud_event(), timeout=30)
        numbering.sequence -= 1  # the party gives that sequence to the next event
        ballast.unlink()
        until("all go on", lambda: stack.tend() or all(stack.is_up(name) for name in stack.services()))
        hand_in(stack, numbering)
        settle(stack)
        stack.stop()
        events = proved(stack.folder).events

    assert (answer.status_code, answer.json()["type"]) == (507, "/problems/no-room"), answer.text
    assert events == numbering.sequence
