"""The ledger's store in PostgreSQL: rows go in by COPY, and a commit has returned when it is on disk."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus
from psycopg.types.numeric import Int8BinaryDumper, NumericBinaryLoader, NumericLoader

# what the URL says goes before; a server that is gone without a word is given up after some 30 s, not after two hours
_CONNECTION: dict[str, Any] = {
    "application_name": "waferline ledger",
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
}
_ARRAYS = {20: "bigint", 25: "text", 17: "bytea"}  # of all that is a key
_COLLATED = {"text": ' COLLATE "C"'}
_WRITING = (
    # a server that is set to lose its last commits in a power cut is not taken at its word
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
    # a ledger that hangs or is cut off in the midst of a batch would keep the next one waiting for hours
    "SET idle_in_transaction_session_timeout = '30s'",
)
_FEW = 32  # rows that are upserted sooner one by one than over a staging table: 0.13 ms against 0.33 ms for one row


class PostgresDatabase:
    """One connection to a PostgreSQL database; one that was lost is made anew outside a transaction."""

    dialect = "postgresql"
    clash: type[Exception] = psycopg.errors.UniqueViolation
    failure: type[Exception] = psycopg.Error

    def __init__(self, url: str, *, read_only: bool = False, login: Mapping[str, str] | None = None) -> None:
        """Connect; one that only reads goes on seeing the store as it is now."""
        self._address: dict[str, Any] = {**_CONNECTION, **conninfo_to_dict(url), **(login or {})}
        self._read_only = read_only
        self._open = False  # between begin and commit or rollback, also where the connection was lost meanwhile
        self._types: dict[tuple[str, tuple[str, ...]], list[int]] = {}
        self._staging: set[str] = set()  # the staging tables that this connection has made
        self._filled: set[str] = set()  # and those that hold rows of this transaction
        self._connection = self._connect()

    @property
    def connection(self) -> psycopg.Connection[tuple[Any, ...]]:
        """The connection; one that was lost comes again, save where a transaction or a snapshot went with it."""
        if self._connection.closed and not self._open:
            self._connection = self._connect()
        return self._connection

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return all rows that a query finds."""
        return self.connection.execute(_translate(sql), values, binary=True).fetchall()

    def execute(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Return how many rows a statement has changed."""
        return self.connection.execute(_translate(sql), values).rowcount

    def append(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Add new rows; raise `clash` where a unique index has one of them."""
        if rows:
            self._copy(table, table, tuple(columns), rows)

    def upsert(self, table: str, keys: Sequence[str], columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Add rows, or replace those with the same key; a key stands in them once at most."""
        if not rows:
            return
        names = (*keys, *columns)
        changes = ", ".join(f"{column} = excluded.{column}" for column in columns)
        change = f"ON CONFLICT ({', '.join(keys)}) DO {f'UPDATE SET {changes}' if changes else 'NOTHING'}"
        # in a transaction in any case: a staging table forgets its rows at the end of one
        with nullcontext() if self._open else self.connection.transaction():
            if len(rows) <= _FEW:
                cells = ", ".join(["%s"] * len(names))
                insert = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({cells}) {change}"  # noqa: S608
                self.connection.cursor().executemany(insert.encode(), rows)
            else:
                staging = self._stage(table)
                self._copy(staging, table, names, rows)
                move = f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(names)} FROM {staging} {change}"  # noqa: S608
                self.connection.execute(move.encode())

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Have all that is queried inside be of one moment."""
        if self._open:  # one that only reads has its own
            yield
            return
        self.connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        self._open = True
        try:
            yield
        finally:
            self.rollback()

    def find(
        self, table: str, keys: Sequence[str], columns: Sequence[str], rows: Sequence[Sequence[Any]]
    ) -> list[tuple[Any, ...]]:
        """Return the rows that have some keys: all in one question, as each takes its way to the server and back."""
        if not rows:
            return []
        types = [_ARRAYS[type_] for type_ in self._types_of(table, tuple(keys))]
        names = ", ".join(f"{table}.{column}" for column in (*keys, *columns))
        asked = ", ".join(f"%s::{type_}[]" for type_ in types)
        pairs = zip(keys, types, strict=True)
        on = " AND ".join(f"{table}.{key} = asked.{key}{_COLLATED.get(type_, '')}" for key, type_ in pairs)
        query = f"SELECT {names} FROM unnest({asked}) AS asked ({', '.join(keys)}) JOIN {table} ON {on}"  # noqa: S608
        arrays = [list(column) for column in zip(*rows, strict=True)]
        return self.connection.execute(query.encode(), arrays, binary=True).fetchall()

    def begin(self) -> None:
        """Begin a transaction; at this level, who waits for another's batch then sees it, and is fenced."""
        self.connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
        self._open = True
        self._filled.clear()

    def commit(self) -> None:
        """Commit it: it has returned when the server has it on disk."""
        self.connection.execute("COMMIT")
        self._open = False

    def rollback(self) -> None:
        """Undo the open transaction, if there is one; the server has done so where the connection was lost."""
        try:
            if self._connection.info.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
                self._connection.execute("ROLLBACK")
            elif not self._connection.closed and self._open:
                self._connection.close()  # in the midst of a COPY that was broken off
        except psycopg.OperationalError:
            self._connection.close()  # it was lost, and nothing had noticed
        self._open = False
        self._staging.clear()  # one that was made in this transaction is gone

    def close(self) -> None:
        """Close the connection; an open transaction is undone."""
        self._connection.close()

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        connection = psycopg.connect(**self._address, autocommit=True)  # begin says BEGIN itself
        connection.adapters.register_dumper(int, Int8BinaryDumper)  # one prepared statement, however great the number
        connection.adapters.register_loader("numeric", _WholeLoader)
        connection.adapters.register_loader("numeric", _WholeBinaryLoader)
        self._staging.clear()
        if not self._read_only:
            for setting in _WRITING:
                connection.execute(setting)
        else:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            connection.execute("SELECT 1")  # the snapshot is taken by the first query, not by BEGIN
            self._open = True
        return connection

    def _stage(self, table: str) -> str:
        """Return an empty table like another, which is empty again after the transaction."""
        staging = f"staging_{table}"
        if staging not in self._staging:
            make = f"CREATE TEMP TABLE IF NOT EXISTS {staging} (LIKE {table}) ON COMMIT DELETE ROWS"
            self.connection.execute(make.encode())
            self._staging.add(staging)
        elif staging in self._filled:
            self.connection.execute(f"DELETE FROM {staging}".encode())  # noqa: S608
        self._filled.add(staging)
        return staging

    def _copy(self, into: str, table: str, columns: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> None:
        names = ", ".join(columns)
        types = self._types_of(table, columns)  # binary COPY, a tenth quicker than text, wants each column's own
        with (
            self.connection.cursor() as cursor,
            cursor.copy(f"COPY {into} ({names}) FROM STDIN (FORMAT BINARY)".encode()) as copy,
        ):
            copy.set_types(types)
            write = copy.write_row
            for row in rows:
                write(row)

    def _types_of(self, table: str, columns: tuple[str, ...]) -> list[int]:
        types = self._types.get((table, columns))
        if types is None:
            names = ", ".join(columns)
            description = self.connection.execute(f"SELECT {names} FROM {table} LIMIT 0".encode()).description  # noqa: S608
            types = self._types[table, columns] = [column.type_code for column in description or ()]
        return types


class _WholeLoader(NumericLoader):
    """Reads a numeric, which here is always the sum of whole numbers, as one."""

    def load(self, data: Any) -> Any:
        return int(super().load(data))


class _WholeBinaryLoader(NumericBinaryLoader):
    """Does the same with the binary form."""

    def load(self, data: Any) -> Any:
        return int(super().load(data))


@lru_cache(maxsize=256)
def _translate(sql: str) -> bytes:
    """Return a statement with the placeholders that psycopg takes; what stands in quotes stays as it is."""
    return re.sub(r"'[^']*'|\?|%", lambda found: {"?": "%s"}.get(found[0], found[0].replace("%", "%%")), sql).encode()
