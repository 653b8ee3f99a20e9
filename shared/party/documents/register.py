"""Register of the documents that a party has taken: in the outbox's file, written in one transaction with the events.

It can be made anew: the documents imported again, in the order of their issue, state nothing new, and are registered.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from fractions import Fraction
from typing import Any, NamedTuple

from shared.documents.document import Kind, Scope
from shared.documents.stating import AppliedPlan

_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    id TEXT NOT NULL, taken TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, number TEXT NOT NULL,
    profile TEXT NOT NULL, sha256 TEXT NOT NULL, bytes INTEGER NOT NULL, issued TEXT NOT NULL, new INTEGER NOT NULL,
    changed INTEGER NOT NULL, withdrawn INTEGER NOT NULL, unchanged INTEGER NOT NULL, first INTEGER, last INTEGER,
    PRIMARY KEY (id, taken)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS applied_plans (
    kind TEXT NOT NULL, product TEXT NOT NULL, site TEXT NOT NULL, supplier TEXT NOT NULL, issued TEXT NOT NULL,
    starts_on TEXT NOT NULL, ends_on TEXT NOT NULL, lines TEXT NOT NULL,
    PRIMARY KEY (kind, product, site, supplier, issued, starts_on, ends_on, lines)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS carried (
    kind TEXT NOT NULL, profile TEXT NOT NULL, product TEXT NOT NULL, site TEXT NOT NULL, supplier TEXT NOT NULL,
    day TEXT NOT NULL, wafers TEXT NOT NULL,
    PRIMARY KEY (kind, profile, product, site, supplier, day)) STRICT, WITHOUT ROWID;
"""
_LISTED_MAX = 200


class RegisteredDocument(NamedTuple):
    """A document that was taken: its identity, and the outcome. `first` and `last` are the sequences of its events."""

    id: str
    taken: str
    kind: Kind
    name: str
    number: str
    profile: str
    sha256: str
    bytes: int
    issued: str
    new: int
    changed: int
    withdrawn: int
    unchanged: int
    first: int | None
    last: int | None


class DocumentRegister:
    """The documents, the plans that were applied, and the fractions carried, in the file of an outbox."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        connection.executescript(_SCHEMA)

    def documents(self) -> list[dict[str, Any]]:
        """Return the latest documents, the last one first."""
        found = self.connection.execute("SELECT * FROM documents ORDER BY taken DESC, id LIMIT ?", (_LISTED_MAX,))
        return [RegisteredDocument(*cells)._asdict() for cells in found]

    def applied_plans(self, kind: Kind) -> list[AppliedPlan]:
        """Return the scopes, horizons and lines that documents of a kind have stated."""
        found = self.connection.execute(
            "SELECT product, site, supplier, issued, starts_on, ends_on, lines FROM applied_plans WHERE kind = ?",
            (kind,),
        )
        return [
            AppliedPlan(
                (product, site, supplier), datetime.fromisoformat(issued), date.fromisoformat(starts_on),
                date.fromisoformat(ends_on), frozenset(lines.split()),
            )
            for product, site, supplier, issued, starts_on, ends_on, lines in found
        ]  # fmt: skip

    def carried(self, kind: Kind, profile: str, before: date) -> dict[Scope, Fraction]:
        """Return the exact cumulative wafers of each scope through its last bucket before a day."""
        found = self.connection.execute(
            "SELECT product, site, supplier, wafers, max(day) FROM carried"
            " WHERE kind = ? AND profile = ? AND day < ? GROUP BY product, site, supplier",
            (kind, profile, before.isoformat()),
        )
        return {(product, site, supplier): Fraction(wafers) for product, site, supplier, wafers, _ in found}

    def add(
        self,
        document: RegisteredDocument,
        applied: Sequence[AppliedPlan],
        running: Mapping[Scope, Sequence[tuple[date, Fraction]]],
    ) -> None:
        """Add a document within the open transaction."""
        execute = self.connection.execute
        execute(f"INSERT OR REPLACE INTO documents VALUES ({','.join('?' * len(document))})", document)  # noqa: S608
        for plan in applied:
            days = (plan.issued.isoformat(), plan.starts_on.isoformat(), plan.ends_on.isoformat())
            execute(
                "INSERT OR IGNORE INTO applied_plans VALUES (?,?,?,?,?,?,?,?)",
                (document.kind, *plan.scope, *days, " ".join(sorted(plan.lines))),
            )
        for scope, buckets in running.items():
            for day, wafers in buckets:
                execute(
                    "INSERT OR REPLACE INTO carried VALUES (?,?,?,?,?,?,?)",
                    (document.kind, document.profile, *scope, day.isoformat(), str(wafers)),
                )
