"""SQLite stores whose write-ahead log or file was cut, changed, deleted or swapped: refused, and left as they are."""

import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.abuse.damaged import (
    PAGE,
    Killed,
    cut,
    cut_log,
    flip,
    proved,
    refusal,
    see_it_go_on,
    streams_of,
)

DB, LOG, CHECKPOINTS = "ledger.db", "ledger.db-wal", "checkpoints.txt"
NOISE = random.Random(1).randbytes(300_000)  # noqa: S311


LOST = {
    "cut": lambda folder: cut_log(folder / LOG, 0.6),
    "a byte of a frame changed": lambda folder: flip(folder / LOG, 60_000),
    "deleted": lambda folder: (folder / LOG).unlink(),
    "noise": lambda folder: (folder / LOG).write_bytes(NOISE),
}


@pytest.mark.parametrize("damage", LOST.values(), ids=LOST.keys())
def test_a_store_that_lost_its_last_batches_is_refused_before_it_records_others(
    killed: Killed, folder: Path, damage: Callable[[Path], None]
) -> None:
    damage(folder)
    before, signed = proved(folder).events, (folder / CHECKPOINTS).read_bytes()
    reason = refusal(folder)

    assert before < killed.events
    assert "of another history than this store" in reason
    assert (proved(folder).events, (folder / CHECKPOINTS).read_bytes()) == (before, signed)


def test_the_right_files_put_back_after_the_refusal_have_everything(killed: Killed, folder: Path) -> None:
    (folder / LOG).unlink()
    refusal(folder)
    for name in (DB, LOG):
        shutil.copy(killed.folder / name, folder / name)

    assert see_it_go_on(killed, folder).events == killed.events + 6


def test_lost_batches_are_recorded_again_from_the_streams_of_the_parties(killed: Killed, folder: Path) -> None:
    cut_log(folder / LOG, 0.6)
    refusal(folder)
    with streams_of(folder) as redis:
        redis.delete(*(name for name in redis.scan_iter() if b":supply:" not in name and b":demand:" not in name))
    seen = see_it_go_on(killed, folder)

    assert seen.events == killed.events + 6
    assert not seen.named("sequences_missed")


STRANGE = {
    "the log of another database": (
        lambda folder: shutil.copy(folder / "outbox" / "samsung.db-wal", folder / LOG),
        "holds other tables",
    ),
    "the log without its store": (lambda folder: (folder / DB).unlink(), "put the file back beside it"),
    "an empty store beside the log": (lambda folder: (folder / DB).write_bytes(b""), "put the file back beside it"),
}


@pytest.mark.parametrize(("damage", "words"), STRANGE.values(), ids=STRANGE.keys())
def test_files_that_are_not_of_one_store_are_refused_and_left_as_they_are(
    folder: Path, damage: Callable[[Path], None], words: str
) -> None:
    damage(folder)
    before = {name: (folder / name).read_bytes() for name in (DB, LOG) if (folder / name).exists()}
    reason = refusal(folder)

    assert words in reason
    assert {name: (folder / name).read_bytes() for name in (DB, LOG) if (folder / name).exists()} == before


DAMAGED = {
    "the file cut in half": lambda path: cut(path, 0.5),
    "the file's head changed": lambda path: flip(path, 0, 16),
    "bytes of every page changed": lambda path: [
        flip(path, at, 8) for at in range(3 * PAGE, path.stat().st_size, PAGE)
    ],
    "the second half noise": lambda path: path.write_bytes(
        path.read_bytes()[: path.stat().st_size // 2 // PAGE * PAGE] + NOISE[: path.stat().st_size // 2]
    ),
}


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_store_file_is_refused(folder: Path, damage: Callable[[Path], None]) -> None:
    with closing(sqlite3.connect(folder / DB)) as store:
        store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    damage(folder / DB)
    reason = refusal(folder)

    assert any(words in reason for words in ("malformed", "not a database", "damaged", "another history")), reason
