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


def said(path: Path) -> int:
    """Return the last sequence that an outbox has said, 0 where there is none."""
    if not path.exists():
        return 0
    with closing(sqlite3.connect(path)) as outbox:
        last: int = outbox.execute("SELECT last FROM said").fetchone()[0]
        return last


def put(body: bytes, streams: str) -> str:
    """Put a copy in the outbox's place if the streams were lost, too; return what became of it.

    Beside streams that were kept it must not have said less than the backup's, beside those of the backup not more.
    """
    beside = OUTBOX.with_suffix(".restored")
    beside.write_bytes(body)
    here, copied = said(OUTBOX), said(beside)
    if streams == "lost" and here <= copied:
        for part in ("", "-wal", "-shm"):
            OUTBOX.with_name(OUTBOX.name + part).unlink(missing_ok=True)
        beside.rename(OUTBOX)
        return f"{OUTBOX.stem}: {copied} events said, put back"
    beside.unlink()
    if streams == "kept" and here >= copied:
        return f"{OUTBOX.stem}: {here} events said, stays; the copy has {copied}"
    lost = "its volume" if streams == "lost" else "the volumes of Redis and of all parties"
    sys.exit(f"restore: {OUTBOX.stem} has said {here} events, the copy {copied}, and Redis is {streams}: remove {lost}")


if sys.argv[1] == "copy":
    sys.stdout.buffer.write(copy())
else:
    print(put(sys.stdin.buffer.read(), sys.argv[2]))
