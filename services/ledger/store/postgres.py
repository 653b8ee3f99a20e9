"""PostgreSQL as the store's database: rows are inserted by COPY, and a commit returns once it is on disk."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus
from psycopg.types.numeric import Int8BinaryDumper, NumericBinaryLoader, NumericLoader

# defaults, which the URL overrides; a silent server is given up after some 30 s, not after two hours
_CONNECTION: dict[str, Any] = {
    "application_name": "waferline ledger",
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
}
_KEY_TYPES = {20: "bigint", 25: "text", 17: "bytea"}  # by OID: the types of all key columns
_COLLATED = {"text": ' COLLATE "C"'}
_WRITING = (
    # a server may be set to lose its last commits in a power cut: not those of this connection
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
    # a ledger that hangs, or is cut off within a batch, would otherwise block the next one for hours
    "SET idle_in_transaction_session_timeout = '30s'",
)
_STAGED_ROWS_MIN = 33  # fewer rows are upserted one by one: one row takes 0.13 ms, by a staging table 0.33 ms


class PostgresDatabase:
    """One connection to a PostgreSQL database; a lost connection is replaced outside a transaction."""

    dialect = "postgresql"
    clash: type[Exception] = psycopg.errors.UniqueViolation
    failure: type[Exception] = psycopg.Error

    def __init__(self, url: str, *, read_only: bool = False, login: Mapping[str, str] | None = None) -> None:
        """Connect; with `read_only` all queries see the database as it is now."""
        self._address: dict[str, Any] = {**_CONNECTION, **conninfo_to_dict(url), **(login or {})}
        self._read_only = read_only
        self._open = False  # between begin and commit or rollback, even if the connection is lost meanwhile
        self._types: dict[tuple[str, tuple[str, ...]], list[int]] = {}
        self._staging: set[str] = set()  # the staging tables of this connection
        self._filled: set[str] = set()  # those that hold rows of this transaction
        self._connection = self._connect()

    @property
    def connection(self) -> psycopg.Connection[tuple[Any, ...]]:
        """The connection, replaced if it is lost, unless a transaction or a snapshot was lost with it."""
        if self._connection.closed and not self._open:
            self._connection = self._connect()
        return self._connection

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""
        return self.connection.execute(_translate(sql), values, binary=True).fetchall()

    def execute(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Execute a statement; return the number of rows changed."""
        return self.connection.execute(_translate(sql), values).rowcount

    def append(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows; raise `clash` where a unique index rejects one."""
        if rows:
            self._copy(table, table, tuple(columns), rows)

    def upsert(self, table: str, keys: Sequence[str], columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows, or replace those with the same keys; no two of `rows` share their keys."""
        if not rows:
            return
        names = (*keys, *columns)
        changes = ", ".join(f"{column} = excluded.{column}" for column in columns)
        change = f"ON CONFLICT ({', '.join(keys)}) DO {f'UPDATE SET {changes}' if changes else 'NOTHING'}"
        # always in a transaction: a staging table is emptied at its end
        with nullcontext() if self._open else self.connection.transaction():
            if len(rows) < _STAGED_ROWS_MIN:
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
        """Run all queries of the block against one state of the database."""
        if self._open:  # a reading connection has one snapshot for all
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
        """Return the rows that have one of the given keys, by one query: each query is a round trip to the server."""
        if not rows:
            return []
        types = [_KEY_TYPES[type_] for type_ in self._types_of(table, tuple(keys))]
        names = ", ".join(f"{table}.{column}" for column in (*keys, *columns))
        wanted = ", ".join(f"%s::{type_}[]" for type_ in types)
        pairs = zip(keys, types, strict=True)
        on = " AND ".join(f"{table}.{key} = wanted.{key}{_COLLATED.get(type_, '')}" for key, type_ in pairs)
        query = f"SELECT {names} FROM unnest({wanted}) AS wanted ({', '.join(keys)}) JOIN {table} ON {on}"  # noqa: S608
        arrays = [list(column) for column in zip(*rows, strict=True)]
        return self.connection.execute(query.encode(), arrays, binary=True).fetchall()

    def begin(self) -> None:
        """Begin a transaction; at this level a ledger that waited for another's batch sees it, and is fenced."""
        self.connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
        self._open = True
        self._filled.clear()

    def commit(self) -> None:
        """Commit the transaction; on return the server has it on disk."""
        self.connection.execute("COMMIT")
        self._open = False

    def rollback(self) -> None:
        """Roll back the open transaction, if there is one; the server does so where the connection is lost."""
        try:
            if self._connection.info.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
                self._connection.execute("ROLLBACK")
            elif not self._connection.closed and self._open:
                self._connection.close()  # within a COPY that broke off
        except psycopg.OperationalError:
            self._connection.close()  # it was lost unnoticed
        self._open = False
        self._staging.clear()  # one made in this transaction is gone

    def close(self) -> None:
        """Close the connection; an open transaction is rolled back."""
        self._connection.close()

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        connection = psycopg.connect(**self._address, autocommit=True)  # `begin` issues BEGIN
        connection.adapters.register_dumper(int, Int8BinaryDumper)  # one prepared statement for numbers of any size
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
        """Return the name of an empty copy of a table, which is emptied again after the transaction."""
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
        types = self._types_of(table, columns)  # binary COPY, a tenth faster than text, needs them
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
    """Loads a numeric as an integer: here it is always a sum of whole numbers."""

    def load(self, data: Any) -> Any:
        return int(super().load(data))


class _WholeBinaryLoader(NumericBinaryLoader):
    """Loads the binary form likewise."""

    def load(self, data: Any) -> Any:
        return int(super().load(data))


@lru_cache(maxsize=256)
def _translate(sql: str) -> bytes:
    """Return a statement with the placeholders of psycopg; quoted text is unchanged."""
    return re.sub(r"'[^']*'|\?|%", lambda found: {"?": "%s"}.get(found[0], found[0].replace("%", "%%")), sql).encode()
