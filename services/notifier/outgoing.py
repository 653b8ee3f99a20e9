"""Outgoing messages on disk: the offset in the stream of alerts, and each message until a target has taken it."""

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from services.notifier.rules import Rule, Rules
from services.notifier.wording import body_of, title_of
from shared.wire.alerts import AlertBatch, AlertChange

_SCHEMA = """
CREATE TABLE IF NOT EXISTS place (only INTEGER PRIMARY KEY CHECK (only = 0), entry TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS messages (
  key TEXT NOT NULL, target TEXT NOT NULL, rule TEXT NOT NULL, title TEXT NOT NULL, body TEXT NOT NULL,
  made REAL NOT NULL, tries INTEGER NOT NULL DEFAULT 0, due REAL NOT NULL DEFAULT 0, sent REAL, failure TEXT,
  PRIMARY KEY (key, target)
) STRICT;
CREATE INDEX IF NOT EXISTS waiting ON messages (due) WHERE sent IS NULL;
CREATE TABLE IF NOT EXISTS digested (
  id INTEGER PRIMARY KEY, rule TEXT NOT NULL, entry TEXT NOT NULL, change TEXT NOT NULL, sent REAL,
  UNIQUE (rule, entry, change)
) STRICT;
CREATE TABLE IF NOT EXISTS digests (rule TEXT PRIMARY KEY, day TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS raised (rule TEXT NOT NULL, alert TEXT NOT NULL, PRIMARY KEY (rule, alert)) STRICT;
"""
KEPT_S = 90 * 86_400.0  # messages and changes sent: an entry that comes again makes none twice


class Message(NamedTuple):
    """A message for one target; sent again it has the same key."""

    key: str
    target: str
    rule: str
    title: str
    body: str
    tries: int  # begun so far
    failure: str | None  # of the last one


class Outgoing:
    """The messages of one notifier.

    The messages of an entry and the offset behind it are stored in one transaction, so that each entry makes its
    messages once. A try is noted before it begins, and its outcome after it: a message whose notifier was killed
    between the two is sent once more, under the same key.
    """

    def __init__(self, path: Path | str, page_url: str = "") -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        self.page_url = page_url
        # one thread at a time uses it; which one does not matter
        self.connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute("PRAGMA synchronous=FULL")
        self.connection.executescript(_SCHEMA)

    # ---------------------------------------------------------------- in

    @property
    def entry(self) -> str | None:
        """The id of the last entry taken, None before the first."""
        found = self.connection.execute("SELECT entry FROM place").fetchone()
        return None if found is None else str(found[0])

    def begin_behind(self, entry: str) -> None:
        """Take the entries behind one."""
        self.connection.execute("INSERT OR REPLACE INTO place VALUES (0, ?)", (entry,))

    def take(self, entries: Iterable[tuple[str, AlertBatch | None]], rules: Rules, now: float) -> int:
        """Store the messages of some entries, and the offset behind them; return the number of new messages.

        Of an entry that cannot be read only the offset is stored.
        """
        made = 0
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            for entry, batch in entries:
                occasion = "" if batch is None else f"{batch.epoch}-{batch.number}-{batch.position}"
                for rule in rules.rules if batch is not None else ():
                    assert batch is not None
                    changes = [change for change in batch.changes if self._concerns(rule, change)]
                    if changes and rule.digest_at is not None:
                        rows = [(rule.name, occasion, change.model_dump_json()) for change in changes]
                        statement = "INSERT OR IGNORE INTO digested (rule, entry, change) VALUES (?, ?, ?)"
                        self.connection.executemany(statement, rows)
                    elif changes:
                        made += self._put(rule, occasion, changes, now)
                self.begin_behind(entry)
            self.connection.execute("COMMIT")
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        return made

    def _concerns(self, rule: Rule, change: AlertChange) -> bool:
        """Return whether a rule tells of a change; of an alert that is cleared, only where it took the raised one."""
        name = (rule.name, change.alert.text)
        if change.status == "raised":
            if not rule.takes(change):
                return False
            self.connection.execute("INSERT OR IGNORE INTO raised VALUES (?, ?)", name)
        elif not self.connection.execute("DELETE FROM raised WHERE rule = ? AND alert = ?", name).rowcount:
            return False
        return rule.sends(change.status)

    def _put(self, rule: Rule, occasion: str, changes: Sequence[AlertChange], now: float) -> int:
        key = message_key(rule.name, occasion)
        title, body = title_of(changes), body_of(changes, key, self.page_url)
        rows = [(key, target, rule.name, title, body, now) for target in rule.to]
        statement = "INSERT OR IGNORE INTO messages (key, target, rule, title, body, made) VALUES (?, ?, ?, ?, ?, ?)"
        return self.connection.executemany(statement, rows).rowcount

    def digest(self, rules: Rules, now: float) -> int:
        """Store the digests that are due, each of the changes since the last one; return the number of messages.

        Changes gathered for a rule that has lost its hour are due at once.
        """
        made = 0
        for rule in rules.rules:
            if rule.digest_at is None:
                made += self._digest(rule, datetime.fromtimestamp(now, UTC).date(), now) if self._gathered(rule) else 0
                continue
            time = datetime.fromtimestamp(now, rule.digest_at.tzinfo or UTC)
            if time.time() < rule.digest_at.replace(tzinfo=None):
                continue
            last = self.connection.execute("SELECT day FROM digests WHERE rule = ?", (rule.name,)).fetchone()
            if last is None or last[0] < time.date().isoformat():
                made += self._digest(rule, time.date(), now)
        return made

    def _digest(self, rule: Rule, day: date, now: float) -> int:
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            rows = self._gathered(rule)
            changes = [AlertChange.model_validate_json(text) for _, text in rows]
            made = self._put(rule, f"digest of {day}, to {rows[-1][0]}", changes, now) if rows else 0
            self.connection.execute("UPDATE digested SET sent = ? WHERE rule = ? AND sent IS NULL", (now, rule.name))
            self.connection.execute("DELETE FROM digested WHERE sent < ?", (now - KEPT_S,))
            self.connection.execute("INSERT OR REPLACE INTO digests VALUES (?, ?)", (rule.name, day.isoformat()))
            self.connection.execute("COMMIT")
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        return made

    def _gathered(self, rule: Rule) -> list[tuple[int, str]]:
        """Return the changes of a rule that are in no digest yet, each with its number."""
        statement = "SELECT id, change FROM digested WHERE rule = ? AND sent IS NULL ORDER BY id"
        return self.connection.execute(statement, (rule.name,)).fetchall()

    # ---------------------------------------------------------------- out

    def next_due(self, now: float) -> Message | None:
        """Return the message that is due longest; of those due at the same time the one with the fewest tries."""
        rows = self._messages("sent IS NULL AND due <= ? ORDER BY due, tries, rowid LIMIT 1", (now,))
        return rows[0] if rows else None

    def begin_try(self, message: Message, due: float) -> None:
        """Note that a try begins, and when the next one is due if this one says nothing."""
        self._alter("tries = tries + 1, due = ?", (due,), message)

    def note_sent(self, message: Message, now: float) -> None:
        """Note that a target has taken a message, and forget those that were sent long ago."""
        self._alter("sent = ?, failure = NULL", (now,), message)
        self.connection.execute("DELETE FROM messages WHERE sent < ?", (now - KEPT_S,))

    def note_failed(self, message: Message, reason: str, due: float) -> None:
        """Note why a try failed; the message stays, and it and all others of its target are due again at a time."""
        self._alter("failure = ?", (reason[:500],), message)
        statement = "UPDATE messages SET due = max(due, ?) WHERE target = ? AND sent IS NULL"
        self.connection.execute(statement, (due, message.target))

    def failing(self) -> list[Message]:
        """Return the messages that could not be sent so far, the oldest first."""
        return self._messages("sent IS NULL AND failure IS NOT NULL ORDER BY made, key LIMIT 200", ())

    def counts(self) -> tuple[int, int, int]:
        """Return how many messages wait, how many of them failed before, and how many were sent."""
        statement = "SELECT count(*) - count(sent), count(failure), count(sent) FROM messages"
        waiting, failing, sent = self.connection.execute(statement).fetchone()
        return waiting, failing, sent

    def _alter(self, assignment: str, values: tuple[float | str, ...], message: Message) -> None:
        self.connection.execute(
            f"UPDATE messages SET {assignment} WHERE key = ? AND target = ?",  # noqa: S608 (ours)
            (*values, message.key, message.target),
        )

    def _messages(self, condition: str, values: tuple[float, ...]) -> list[Message]:
        statement = f"SELECT key, target, rule, title, body, tries, failure FROM messages WHERE {condition}"  # noqa: S608
        return [Message(*row) for row in self.connection.execute(statement, values)]


def message_key(rule: str, occasion: str) -> str:
    """Return the key of a message: of its rule, and of the entry and position or the day that it is made of."""
    return sha256(f"{rule}\n{occasion}".encode()).hexdigest()[:32]
