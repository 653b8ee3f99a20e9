"""Copies a party's outbox out of its container, or into it: `copy > file`, `put lost < file`, `put kept < file`."""

import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

OUTBOX = Path(os.environ["WAFERLINE_OUTBOX_DIR"], os.environ["WAFERLINE_SOURCE"] + ".db")


def copy() -> bytes:
    """Return the outbox as it is at one moment, while its party goes on."""
    there = f"file:{OUTBOX}?mode=rw"
    with closing(sqlite3.connect(there, uri=True)) as outbox, closing(sqlite3.connect(":memory:")) as copied:
        outbox.backup(copied)
        return copied.serialize()


def last_sequence(path: Path) -> int:
    """Return the last sequence in an outbox, 0 if there is none."""
    if not path.exists():
        return 0
    with closing(sqlite3.connect(path)) as outbox:
        last: int = outbox.execute("SELECT last FROM said").fetchone()[0]
        return last


def put(body: bytes, streams: str) -> str:
    """Replace the outbox by a copy if the streams were lost, too, and return a line on the outcome.

    Beside kept streams the outbox must not be behind the copy; beside restored streams it must not be ahead of it.
    """
    beside = OUTBOX.with_suffix(".restored")
    beside.write_bytes(body)
    here, copied = last_sequence(OUTBOX), last_sequence(beside)
    if streams == "lost" and here <= copied:
        for part in ("", "-wal", "-shm"):
            OUTBOX.with_name(OUTBOX.name + part).unlink(missing_ok=True)
        beside.rename(OUTBOX)
        return f"{OUTBOX.stem}: {copied} events, restored"
    beside.unlink()
    if streams == "kept" and here >= copied:
        return f"{OUTBOX.stem}: {here} events, kept; the copy has {copied}"
    lost = "its volume" if streams == "lost" else "the volumes of Redis and of all parties"
    sys.exit(f"restore: {OUTBOX.stem} has {here} events, the copy {copied}, and Redis is {streams}: remove {lost}")


if sys.argv[1] == "copy":
    sys.stdout.buffer.write(copy())
else:
    print(put(sys.stdin.buffer.read(), sys.argv[2]))
