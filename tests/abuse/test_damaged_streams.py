"""Append-only files of Redis that were cut, emptied or garbled: the stack goes on whole, or says what to do."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.wire.streams import ALERTS, POSTINGS, recorded_stream
from tests.abuse.damaged import Killed, cut, flip, refusal, see_it_go_on

AOF = Path("redis", "appendonly.aof")


def take_out_a_command(path: Path) -> None:
    """Remove a whole command from the middle of the file."""
    content = path.read_bytes()
    begin = content.index(b"*5\r\n$4\r\nXADD", len(content) // 2)
    path.write_bytes(content[:begin] + content[content.index(b"*5\r\n$4\r\nXADD", begin + 1) :])


CUT = {
    "cut within its last command": lambda path: cut(path, 0.995),
    "cut in half": lambda path: cut(path, 0.5),
    "empty": lambda path: path.write_bytes(b""),
    "a command taken out": take_out_a_command,
}


@pytest.mark.parametrize("damage", CUT.values(), ids=CUT.keys())
def test_what_the_file_lost_comes_again_from_outboxes_and_store(
    killed: Killed, folder: Path, damage: Callable[[Path], None]
) -> None:
    damage(folder / AOF)

    assert see_it_go_on(killed, folder).events == killed.events + 6


def test_a_file_that_redis_cannot_read_is_named_and_without_it_nothing_is_lost(killed: Killed, folder: Path) -> None:
    content = (folder / AOF).read_bytes()
    (folder / AOF).write_bytes(content[: len(content) // 2] + bytes(len(content) // 2))
    reason = refusal(folder)
    shutil.move(folder / "redis", folder.parent / "redis")

    assert f"move {folder / 'redis'} away" in reason
    assert see_it_go_on(killed, folder).events == killed.events + 6


def garble(path: Path, stream: str, text: bytes) -> int:
    """Change a byte in each entry of a stream that has a text; return how many there are."""
    content, count, at = path.read_bytes(), 0, 0
    name = b"$%d\r\n%s\r\n" % (len(stream), stream.encode())
    while (at := content.find(name, at + 1)) > 0:
        flip(path, content.index(text, at))
        count += 1
    return count


def test_entries_whose_bytes_changed_are_left_out_and_taken_from_elsewhere(killed: Killed, folder: Path) -> None:
    garbled = {
        POSTINGS: garble(folder / AOF, POSTINGS, b'{"epoch"'),
        recorded_stream("samsung"): garble(folder / AOF, recorded_stream("samsung"), b'{"batch"'),
        ALERTS: garble(folder / AOF, ALERTS, b'{"epoch"'),
    }
    (folder / "aggregator.snapshot").unlink()
    seen = see_it_go_on(killed, folder)

    assert all(garbled.values()), garbled
    assert seen.events == killed.events + 6
    assert {line["stream"] for line in seen.named("entry_garbled")} == set(garbled)
    assert not seen.named("service_stopped")
