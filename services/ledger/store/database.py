"""The interface of a database: the few verbs that SQLite and PostgreSQL share."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

Cells = Sequence[Any]


class Database(Protocol):
    """One connection, for reading. SQL is limited to the dialect that both databases share; ? stands for a value."""

    @property
    def dialect(self) -> str:
        """Its name, as SQLAlchemy has it."""
        ...

    @property
    def failure(self) -> type[Exception]:
        """The base class of the errors raised where a read or a write fails."""
        ...

    def query(self, sql: str, values: Cells = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""
        ...

    def find(self, table: str, keys: Sequence[str], columns: Sequence[str], rows: Sequence[Cells]) -> list[Any]:
        """Return the rows (keys, then columns) that have one of the given keys, in any order, in one round trip."""
        ...

    def snapshot(self) -> AbstractContextManager[None]:
        """Run all queries of the block against one state of the database."""
        ...

    def close(self) -> None:
        """Close the connection; an open transaction is rolled back."""
        ...


class WritableDatabase(Database, Protocol):
    """One connection, for reading and writing."""

    @property
    def clash(self) -> type[Exception]:
        """The error raised where a unique index rejects a row."""
        ...

    @property
    def connection(self) -> Any:
        """The driver's connection, for the migrations."""
        ...

    def execute(self, sql: str, values: Cells = ()) -> int:
        """Execute a statement; return the number of rows changed."""
        ...

    def append(self, table: str, columns: Sequence[str], rows: Sequence[Cells]) -> None:
        """Insert rows; raise `clash` if one exists already."""
        ...

    def upsert(self, table: str, keys: Sequence[str], columns: Sequence[str], rows: Sequence[Cells]) -> None:
        """Insert rows (keys, then columns), or replace those with the same keys; no two of `rows` share their keys."""
        ...

    def begin(self) -> None:
        """Begin a transaction."""
        ...

    def commit(self) -> None:
        """Commit the transaction; on return it is durable."""
        ...

    def rollback(self) -> None:
        """Roll back the open transaction, if there is one."""
        ...
