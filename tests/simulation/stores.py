"""The real stores of a world: opened so that every statement can be the last, and read at the end."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

from services.ledger.store.reader import StoreReader
from services.ledger.store.sqlite import SqliteDatabase
from services.ledger.store.writer import StoreWriter
from shared.party.outbox import Outbox
from shared.wire.rows import Row
from testing.fold import fresh_store

Visit = Callable[[str], None]  # told where a process stands; it may raise, or let others go on meanwhile
_connect = sqlite3.connect


class _Tapped(sqlite3.Connection):
    """A connection that tells where it stands, before every statement and after every commit."""

    visit: Visit

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        if sql.startswith("PRAGMA busy_timeout"):
            sql = "PRAGMA busy_timeout=0"  # nobody else goes on while we wait
        self.visit("before commit" if sql == "COMMIT" else "at a statement")
        found = super().execute(sql, *values)
        if sql == "COMMIT":
            self.visit("after commit")
        return found

    def executemany(self, sql: str, *values: Any) -> sqlite3.Cursor:
        self.visit("at a statement")
        return super().executemany(sql, *values)


def _open(make: Callable[[], Any], visit: Visit) -> Any:
    made: list[_Tapped] = []

    def connect(path: Path | str, **options: Any) -> sqlite3.Connection:
        connection = _connect(path, **options, factory=_Tapped, timeout=0)
        connection.visit = visit
        made.append(connection)
        return connection

    try:
        with patch("sqlite3.connect", connect):
            return make()
    except BaseException:
        for connection in made:
            connection.close()
        raise


def make_store(path: Path) -> None:
    """Make the ledger's store."""
    fresh_store(path).close()


def open_store(path: Path, visit: Visit = lambda _: None) -> StoreWriter:
    """Return the ledger's store."""
    store: StoreWriter = _open(lambda: StoreWriter(SqliteDatabase(path)), visit)
    return store


def open_outbox(path: Path, visit: Visit) -> Outbox:
    """Return a party's outbox, made if there is none."""
    outbox: Outbox = _open(lambda: Outbox(path), visit)
    return outbox


def drop(holder: StoreWriter | Outbox | None) -> None:
    """Close as a dead process does: what was not committed is gone."""
    if isinstance(holder, StoreWriter):
        holder.close()
    elif holder is not None:
        holder.connection.close()


class Observer:
    """Looks at the ledger's store from outside: what is committed."""

    def __init__(self, path: Path) -> None:
        self.connection = _connect(path, isolation_level=None)

    def head(self) -> tuple[int, bytes]:
        """Return the last batch that is committed, and its hash."""
        found: tuple[int, bytes] = self.connection.execute("SELECT batch, hash FROM head").fetchone()
        return found


def history(store: StoreReader) -> list[tuple[int, bytes]]:
    """Return the head after each batch."""
    return [(batch.header.batch, batch.hash) for batch in store.batches()]


def recorded_rows(store: StoreReader) -> list[Row]:
    """Return what the ledger holds, in order."""
    return [Row.read(body) for batch in store.sealed_batches() for body in batch.bodies]


def refused_sequences(store: StoreReader) -> set[tuple[str, int | None, str]]:
    """Return (source, sequence, code) of all that was refused."""
    return {(refusal.source, refusal.sequence, refusal.code) for refusal in store.refusals()}


def judged_runs(store: StoreReader, source: str) -> list[tuple[int, int]]:
    """Return the runs of sequences that are recorded or refused."""
    return list(store.progress[source].runs) if source in store.progress else []
