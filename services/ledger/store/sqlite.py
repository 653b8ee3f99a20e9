"""SQLite as the store's database: the embedded default, one file."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from services.ledger.store.database import Cells

_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "cache_size=-65536", "wal_autocheckpoint=4000")


class SqliteDatabase:
    """One connection to a SQLite file, or to a database in memory (":memory:")."""

    dialect = "sqlite"
    clash: type[Exception] = sqlite3.IntegrityError
    failure: type[Exception] = sqlite3.Error

    def __init__(self, path: Path | str, *, read_only: bool = False) -> None:
        """Open the file, made if missing; with `read_only` all queries see the database as it is now."""
        if read_only:
            self.connection = _connect_reader(Path(path).absolute())
        else:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            self.connection = sqlite3.connect(path, isolation_level=None)
            for pragma in _PRAGMAS:
                self.connection.execute(f"PRAGMA {pragma}")
        self.connection.execute("PRAGMA busy_timeout=5000")

    def query(self, sql: str, values: Cells = ()) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql, values).fetchall()

    def execute(self, sql: str, values: Cells = ()) -> int:
        return self.connection.execute(sql, values).rowcount

    def append(self, table: str, columns: Sequence[str], rows: Sequence[Cells]) -> None:
        self.connection.executemany(_insert(table, tuple(columns)), rows)

    def upsert(self, table: str, keys: Sequence[str], columns: Sequence[str], rows: Sequence[Cells]) -> None:
        self.connection.executemany(_upsert(table, tuple(keys), tuple(columns)), rows)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        if self.connection.in_transaction:  # a reading connection has one snapshot for all
            yield
            return
        self.connection.execute("BEGIN")
        try:
            yield
        finally:
            self.rollback()

    def find(self, table: str, keys: Sequence[str], columns: Sequence[str], rows: Sequence[Cells]) -> list[Any]:
        select, execute = _select(table, tuple(keys), tuple(columns)), self.connection.execute
        return [found for row in rows for found in execute(select, row)]  # no round trip to save

    def begin(self) -> None:
        self.connection.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        self.connection.execute("COMMIT")

    def rollback(self) -> None:
        if self.connection.in_transaction:  # on a full disk SQLite rolls back by itself
            self.connection.execute("ROLLBACK")

    def close(self) -> None:
        self.connection.close()  # the last connection moves the write-ahead log into the file


def write_ahead_log(path: Path) -> Path:
    """Return the file beside a database that holds its last transactions until they are moved into it."""
    return path.with_name(path.name + "-wal")


def _connect_reader(path: Path) -> sqlite3.Connection:
    """Return a connection that has taken its snapshot.

    SQLite needs a file beside a database to read it. Where it can make none, as on a medium that is read only, nobody
    writes either, and the database is read as it is.
    """
    try:
        return _begin_reading(path, "mode=ro")
    except sqlite3.OperationalError as why:
        if os.access(path.parent, os.W_OK) or not os.access(path, os.R_OK):
            raise
        log = write_ahead_log(path)
        if log.exists() and log.stat().st_size:
            raise sqlite3.OperationalError(
                f"{log} holds its last batches, and cannot be read where nothing can be written; copy the folder"
            ) from why
        return _begin_reading(path, "mode=ro&immutable=1")


def _begin_reading(path: Path, how: str) -> sqlite3.Connection:
    # a long read moves from thread to thread; SQLite itself serialises them
    connection = sqlite3.connect(f"{path.as_uri()}?{how}", uri=True, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("BEGIN")
        connection.execute("SELECT 1 FROM sqlite_schema")  # the snapshot is taken by the first query
    except BaseException:
        connection.close()
        raise
    return connection


@lru_cache
def _insert(table: str, columns: tuple[str, ...]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608 (all names are ours)


@lru_cache
def _select(table: str, keys: tuple[str, ...], columns: tuple[str, ...]) -> str:
    where = " AND ".join(f"{key} = ?" for key in keys)
    return f"SELECT {', '.join(keys + columns)} FROM {table} WHERE {where}"  # noqa: S608


@lru_cache
def _upsert(table: str, keys: tuple[str, ...], columns: tuple[str, ...]) -> str:
    replaced = ", ".join(f"{column} = excluded.{column}" for column in columns)
    change = f"UPDATE SET {replaced}" if columns else "NOTHING"
    return f"{_insert(table, keys + columns)} ON CONFLICT ({', '.join(keys)}) DO {change}"
