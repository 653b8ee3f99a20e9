"""What the store asks of a database: a few verbs, the same for SQLite and PostgreSQL."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

Cells = Sequence[Any]


class Database(Protocol):
    """One connection. SQL is what both understand, with ? for a value."""

    @property
    def dialect(self) -> str:
        """Its name, as SQLAlchemy has it."""
        ...

    @property
    def clash(self) -> type[Exception]:
        """What is raised where a unique index refuses a row."""
        ...

    @property
    def failure(self) -> type[Exception]:
        """What is raised, or a class below it, where nothing could be read or written."""
        ...

    @property
    def connection(self) -> Any:
        """The driver's connection, for the migrations."""
        ...

    def query(self, sql: str, values: Cells = ()) -> list[tuple[Any, ...]]:
        """Return all rows that a query finds."""
        ...

    def execute(self, sql: str, values: Cells = ()) -> int:
        """Carry out a statement; return how many rows it changed."""
        ...

    def append(self, table: str, columns: Sequence[str], rows: Sequence[Cells]) -> None:
        """Add rows to a table; raise `clash` if one is there already."""
        ...

    def upsert(self, table: str, keys: Sequence[str], columns: Sequence[str], rows: Sequence[Cells]) -> None:
        """Add rows (keys, then columns), or replace those that have the same keys; no keys stand twice in `rows`."""
        ...

    def snapshot(self) -> AbstractContextManager[None]:
        """Have all that is queried inside be of one moment."""
        ...

    def find(self, table: str, keys: Sequence[str], columns: Sequence[str], rows: Sequence[Cells]) -> list[Any]:
        """Return the rows (keys, then columns) of those keys that are in a table, in any order, in one round trip."""
        ...

    def begin(self) -> None:
        """Begin a transaction."""
        ...

    def commit(self) -> None:
        """Make what was written since `begin` durable."""
        ...

    def rollback(self) -> None:
        """Undo what was written since `begin`, if anything was begun."""
        ...

    def close(self) -> None:
        """Close the connection; what is not committed is undone."""
        ...
