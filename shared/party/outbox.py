"""The outbox: what a party says is stored here first, and kept until the ledger has recorded or refused it."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS said (only INTEGER PRIMARY KEY CHECK (only = 0), last INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS handed (digest BLOB PRIMARY KEY, sequence INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT OR IGNORE INTO said VALUES (0, 0);
"""


class Said(NamedTuple):
    """One entry that a party has said: the sequences it holds, and its body."""

    first: int
    last: int
    body: bytes


class Outbox:
    """The entries of one source that the ledger has not yet recorded or refused, on disk, in order.

    Its file is named for its source: `<source>.db`.
    """

    def __init__(self, path: Path | str) -> None:
        self.source = Path(path).stem
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute("PRAGMA synchronous=FULL")
        self.connection.executescript(_SCHEMA)
        self.last: int = self.connection.execute("SELECT last FROM said").fetchone()[0]

    def put(self, entries: Sequence[Said], *, taken: Sequence[tuple[bytes, int]] = ()) -> None:
        """Store some entries, all or none; what a party that starts again says again is passed over.

        `taken` are digests of what somebody handed in, and the sequence that each got. Raises ValueError where an entry
        does not follow the one before it: what lies beyond a hole would be sent for ever.
        """
        new = [entry for entry in entries if entry.last > self.last]
        last = self.last
        for entry in new:
            if not last + 1 == entry.first <= entry.last:
                raise ValueError(f"{self.source}: sequences {entry.first} to {entry.last} do not follow {last}")
            last = entry.last
        if not new:
            return
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            self.connection.executemany("INSERT INTO entries VALUES (?,?,?)", new)
            self.connection.executemany("INSERT INTO handed VALUES (?,?)", taken)
            self.connection.execute("UPDATE said SET last = ?", (last,))
            self.connection.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:  # a full disk has SQLite roll back by itself
                self.connection.execute("ROLLBACK")
            raise
        self.last = last

    def after(self, sequence: int, limit: int = 100) -> list[Said]:
        """Return up to `limit` entries that hold something after a sequence, in order."""
        found = self.connection.execute(
            "SELECT first, last, body FROM entries WHERE last > ? ORDER BY first LIMIT ?", (sequence, limit)
        )
        return [Said(*cells) for cells in found]

    def forget(self, through: int) -> None:
        """Drop the entries that the ledger has recorded or refused as a whole."""
        self.connection.execute("DELETE FROM entries WHERE last <= ?", (through,))

    def taken(self, digest: bytes) -> int | None:
        """Return the sequence that something handed in got, None if it never was."""
        found = self.connection.execute("SELECT sequence FROM handed WHERE digest = ?", (digest,)).fetchone()
        return None if found is None else int(found[0])

    def __len__(self) -> int:
        """Return how many events are not yet recorded or refused."""
        count: int = self.connection.execute("SELECT coalesce(sum(last - first + 1), 0) FROM entries").fetchone()[0]
        return count
