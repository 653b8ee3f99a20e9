"""Outbox of a party: its events are stored here first, and kept until the ledger has recorded or refused them."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from shared.wire.batch import BATCH_MAX, ENTRY_BYTES_MAX, EventBatch
from shared.wire.events import Event
from shared.wire.postings import EventEffect
from shared.wire.refusal import Refusal

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS said (only INTEGER PRIMARY KEY CHECK (only = 0), last INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS handed (digest BLOB PRIMARY KEY, sequence INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS names (name TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS revisions (line TEXT PRIMARY KEY, revision INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS refused (sequence INTEGER PRIMARY KEY, refusal TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS affected (sequence INTEGER PRIMARY KEY, effect TEXT NOT NULL) STRICT;
INSERT OR IGNORE INTO said VALUES (0, 0);
"""
_REVISE = (
    "INSERT INTO revisions VALUES (?,?) ON CONFLICT (line) DO UPDATE SET revision = max(revision, excluded.revision)"
)


class OutboxEntry(NamedTuple):
    """One entry for the party's stream: the first and the last sequence in it, and its body."""

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
        kept = self.connection.execute("SELECT name FROM sqlite_master WHERE name IN ('said', 'revisions')").fetchall()
        self.connection.executescript(_SCHEMA)
        self.last: int = self.connection.execute("SELECT last FROM said").fetchone()[0]
        if kept == [("said",)] and self.last:  # an earlier version did not keep the revisions of its lines
            self.connection.execute("INSERT INTO revisions VALUES ('', 0)")
        self.names = {str(name) for (name,) in self.connection.execute("SELECT name FROM names")}

    def put(
        self,
        entries: Sequence[OutboxEntry],
        *,
        taken: Sequence[tuple[bytes, int]] = (),
        names: Sequence[str] = (),
        revisions: Mapping[str, int] = {},
        beside: Callable[[], None] | None = None,
    ) -> None:
        """Store some entries, all or none; skip those stored before, as a restarted party puts them again.

        `taken` are the digests of events that the intake took, each with its sequence, `names` those that they are the
        first to use, and `revisions` one of each line that they revise, of which the greatest stays; `beside` writes to
        the same transaction. Raises ValueError where an entry does not follow the one before it: the ledger would
        refuse to go past the gap, and the sender would resend for ever.
        """
        new = [entry for entry in entries if entry.last > self.last]
        last = self.last
        for entry in new:
            if not last + 1 == entry.first <= entry.last:
                raise ValueError(f"{self.source}: sequences {entry.first} to {entry.last} do not follow {last}")
            last = entry.last
        if not new and not revisions and beside is None:
            return
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            self.connection.executemany("INSERT INTO entries VALUES (?,?,?)", new)
            self.connection.executemany("INSERT INTO handed VALUES (?,?)", taken)
            self.connection.executemany("INSERT OR IGNORE INTO names VALUES (?)", [(name,) for name in names])
            self.connection.executemany(_REVISE, [*revisions.items()])
            self.connection.execute("UPDATE said SET last = ?", (last,))
            if beside is not None:
                beside()
            self.connection.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:  # a full disk has SQLite roll back by itself
                self.connection.execute("ROLLBACK")
            raise
        self.last = last
        self.names.update(names)

    def begin_after(self, sequence: int, revisions: Mapping[str, int] = {}) -> None:
        """Have an empty outbox follow the events that the ledger has from elsewhere: a tape, another machine.

        `revisions` are the greatest of the lines that those revise.
        """
        if self.last or len(self):
            raise ValueError(f"the outbox of {self.source} is not empty: it has reached {self.last}")
        self.connection.execute("BEGIN IMMEDIATE")
        self.connection.executemany(_REVISE, [*revisions.items()])
        self.connection.execute("UPDATE said SET last = ?", (sequence,))
        self.connection.execute("COMMIT")
        self.last = sequence

    def put_again(self, entries: Sequence[OutboxEntry]) -> int:
        """Store entries that were dropped, and that the ledger has lost since; return how many were not there."""
        if not entries:
            return 0
        self.connection.execute("BEGIN IMMEDIATE")
        count = self.connection.executemany("INSERT OR IGNORE INTO entries VALUES (?,?,?)", entries).rowcount
        self.connection.execute("COMMIT")
        return count

    def after(self, sequence: int, limit: int = 100) -> list[OutboxEntry]:
        """Return up to `limit` entries with events after a sequence, in order."""
        found = self.connection.execute(
            "SELECT first, last, body FROM entries WHERE last > ? ORDER BY first LIMIT ?", (sequence, limit)
        )
        return [OutboxEntry(*cells) for cells in found]

    def forget(self, through: int) -> None:
        """Drop the entries that the ledger has recorded or refused as a whole."""
        self.connection.execute("DELETE FROM entries WHERE last <= ?", (through,))

    def taken(self, digest: bytes) -> int | None:
        """Return the sequence of an event that the intake took, by its digest; None if it took none such."""
        found = self.connection.execute("SELECT sequence FROM handed WHERE digest = ?", (digest,)).fetchone()
        return None if found is None else int(found[0])

    def revision(self, line: str) -> int:
        """Return the greatest revision of a line that came through the door, -1 before the first."""
        found = self.connection.execute("SELECT revision FROM revisions WHERE line = ?", (line,)).fetchone()
        return -1 if found is None else int(found[0])

    @property
    def is_without_older_revisions(self) -> bool:
        """Whether an earlier version began this outbox: of a line that it knows nothing of there may be revisions."""
        return self.revision("") >= 0

    def keep_verdicts(self, refusals: Sequence[Refusal], effects: Sequence[EventEffect]) -> None:
        """Keep the refusals of events, and the effects of those that do not hold, for those who hand them in again."""
        refused = [(each.sequence, orjson.dumps(each)) for each in refusals if each.sequence is not None]
        affected = [(each.sequence, orjson.dumps(each)) for each in effects]
        if not refused and not affected:
            return
        self.connection.execute("BEGIN IMMEDIATE")
        for table, rows in (("refused", refused), ("affected", affected)):
            texts = [(sequence, text.decode()) for sequence, text in rows]
            self.connection.executemany(f"INSERT OR REPLACE INTO {table} VALUES (?,?)", texts)  # noqa: S608
        self.connection.execute("COMMIT")

    def refusals(self, sequences: Sequence[int]) -> dict[int, Refusal]:
        """Return the refusals of some events, by their sequences."""
        return {sequence: Refusal(**orjson.loads(text)) for sequence, text in self._verdicts("refused", sequences)}

    def effects(self, sequences: Sequence[int]) -> dict[int, EventEffect]:
        """Return the effects of those of some events that do not hold, by their sequences."""
        return {sequence: EventEffect(**orjson.loads(text)) for sequence, text in self._verdicts("affected", sequences)}

    def _verdicts(self, table: str, sequences: Sequence[int]) -> Iterator[tuple[int, str]]:
        wanted = orjson.dumps([*sequences]).decode()
        query = f"SELECT * FROM {table} WHERE sequence IN (SELECT value FROM json_each(?))"  # noqa: S608
        yield from self.connection.execute(query, (wanted,))

    def __len__(self) -> int:
        """Return how many events are not yet recorded or refused."""
        count: int = self.connection.execute("SELECT coalesce(sum(last - first + 1), 0) FROM entries").fetchone()[0]
        return count


def pack_events(events: Sequence[Event | dict[str, Any]], recorded_at: int | None) -> Iterator[OutboxEntry]:
    """Yield the entries of some events: columns for the valid ones, a CloudEvent for each malformed one."""
    run: list[Event] = []
    for event in (*events, None):
        if run and (not isinstance(event, Event) or len(run) == BATCH_MAX):
            yield from _pack_run(run, recorded_at)
            run = []
        if isinstance(event, Event):
            run.append(event)
        elif event is not None:
            yield OutboxEntry(int(event["sequence"]), int(event["sequence"]), orjson.dumps(event))


def _pack_run(run: list[Event], recorded_at: int | None) -> Iterator[OutboxEntry]:
    """Yield a run of events as one entry, or as halves of it where that is longer than the ledger takes."""
    body = EventBatch.of(run, recorded_at).encode()
    if len(body) <= ENTRY_BYTES_MAX or len(run) == 1:
        yield OutboxEntry(run[0].sequence, run[-1].sequence, body)
    else:
        middle = len(run) // 2
        yield from _pack_run(run[:middle], recorded_at)
        yield from _pack_run(run[middle:], recorded_at)
