"""The ledger's SQLite store: one transaction a batch holds events, refusals, postings, lines, offsets and the head."""

import sqlite3
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from services.ledger.posting import Decision, Key, Line, LineName, Memory, Stock
from shared.batch import RefusedRow, Row
from shared.events import EVENTS
from shared.postings import PostingBatch, Recorded, Refusal

_SCHEMA = """
CREATE TABLE store (epoch INTEGER NOT NULL) STRICT;
CREATE TABLE head (partition INTEGER PRIMARY KEY, batch INTEGER NOT NULL, hash BLOB NOT NULL) STRICT;
CREATE TABLE names (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE batches (
    batch INTEGER PRIMARY KEY, recorded INTEGER NOT NULL, first_event INTEGER NOT NULL, events INTEGER NOT NULL,
    first_posting INTEGER NOT NULL, postings INTEGER NOT NULL, told TEXT NOT NULL, hash BLOB NOT NULL
) STRICT;
CREATE INDEX batches_first_event ON batches (first_event);
CREATE TABLE events (
    seq INTEGER PRIMARY KEY, source INTEGER NOT NULL, id BLOB NOT NULL, sequence INTEGER NOT NULL,
    name INTEGER NOT NULL,
    time INTEGER NOT NULL, line TEXT, day INTEGER, wafers INTEGER, revision INTEGER, product INTEGER, site INTEGER,
    supplier INTEGER, rest TEXT, cause TEXT, correlation TEXT, digest BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX events_identity ON events (source, id);
CREATE TABLE refusals (
    seq INTEGER PRIMARY KEY, batch INTEGER NOT NULL, source INTEGER NOT NULL, sequence INTEGER, id TEXT,
    code TEXT NOT NULL, path TEXT NOT NULL, message TEXT NOT NULL, body BLOB NOT NULL, digest BLOB NOT NULL
) STRICT;
CREATE INDEX refusals_identity ON refusals (source, id);
CREATE INDEX refusals_batch ON refusals (batch);
CREATE TABLE postings (
    seq INTEGER PRIMARY KEY, event INTEGER NOT NULL, measure INTEGER NOT NULL, day INTEGER NOT NULL,
    product INTEGER NOT NULL, site INTEGER NOT NULL, supplier INTEGER NOT NULL, wafers INTEGER NOT NULL
) STRICT;
CREATE TABLE lines (
    owner TEXT NOT NULL, kind TEXT NOT NULL, line TEXT NOT NULL, state BLOB NOT NULL, PRIMARY KEY (owner, kind, line)
) STRICT, WITHOUT ROWID;
CREATE TABLE stock (
    product TEXT NOT NULL, site TEXT NOT NULL, supplier TEXT NOT NULL, day INTEGER NOT NULL, wafers INTEGER NOT NULL,
    PRIMARY KEY (product, site, supplier, day)
) STRICT, WITHOUT ROWID;
CREATE TABLE counts (
    product TEXT NOT NULL, site TEXT NOT NULL, supplier TEXT NOT NULL, day INTEGER NOT NULL, name TEXT NOT NULL,
    wafers INTEGER NOT NULL, PRIMARY KEY (product, site, supplier, day, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE reversals (source TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (source, id)) STRICT, WITHOUT ROWID;
CREATE TABLE sources (source TEXT PRIMARY KEY, advanced INTEGER) STRICT, WITHOUT ROWID;
CREATE TABLE heard (
    source TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, PRIMARY KEY (source, first)
) STRICT, WITHOUT ROWID;
CREATE TABLE offsets (stream TEXT PRIMARY KEY, entry TEXT NOT NULL) STRICT, WITHOUT ROWID;
"""

_TYPES = {name: number for number, name in enumerate(EVENTS)}
_NAMES = list(EVENTS)
GENESIS = bytes(32)
_LINES_MAX = 50_000  # remembered; what is not is read from the store
_first, _last = itemgetter(0), itemgetter(1)


class Fenced(Exception):
    """Another ledger has written to this store: what was decided here is void."""


class Head(NamedTuple):
    """The end of the chain: so many batches, and the hash over all of them."""

    batch: int
    hash: bytes


@dataclass(slots=True)
class Progress:
    """How far a source has come: the runs of sequences that are recorded or refused, and its watermark.

    Runs, as a number that is never said leaves a hole for ever, and what lies beyond it grows with the log.
    """

    runs: list[tuple[int, int]] = field(default_factory=list)  # (first, last), in order, none touching the next
    advanced: int | None = None

    @property
    def through(self) -> int:
        """The last sequence before the first hole, 0 where that is the first."""
        return self.runs[0][1] if self.runs and self.runs[0][0] == 1 else 0

    @property
    def newest(self) -> int:
        """The greatest sequence heard, 0 before the first."""
        return self.runs[-1][1] if self.runs else 0

    @property
    def ahead(self) -> list[tuple[int, int]]:
        """The runs beyond the first hole."""
        return self.runs[1:] if self.through else self.runs

    def reach(self, first: int, last: int) -> tuple[list[int], tuple[int, int]]:
        """Add a run; return the runs that it replaces, by their first, and the one that they now are."""
        start = bisect_left(self.runs, first - 1, key=_last)
        end = bisect_right(self.runs, last + 1, key=_first)
        touched = self.runs[start:end]
        run = (min([first, *map(_first, touched)]), max([last, *map(_last, touched)]))
        self.runs[start:end] = [run]
        return [replaced for replaced, _ in touched], run


class StoredBatch(NamedTuple):
    """A batch as it was recorded, for publishing and for the tape."""

    postings: PostingBatch
    told: list[Recorded]


class _Names(dict[str | None, int | None]):
    """The number of each name; asked for a new one, it stores it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__({None: None})
        self.connection = connection
        self.texts: dict[int, str] = dict(connection.execute("SELECT id, name FROM names"))
        self.update((name, number) for number, name in self.texts.items())

    def __missing__(self, name: str) -> int:
        number = len(self)
        self.connection.execute("INSERT INTO names VALUES (?,?)", (number, name))
        self[name], self.texts[number] = number, name
        return number


class Store:
    """One SQLite database, written by one ledger at a time."""

    def __init__(self, path: Path | str, *, epoch: int = 0, read_only: bool = False) -> None:
        """Open the store, make it if there is none; `epoch` names a new one."""
        if read_only:
            address = Path(path).absolute().as_uri() + "?mode=ro"
            self.connection = sqlite3.connect(address, uri=True, isolation_level=None)
            self.connection.execute("BEGIN")  # it goes on seeing the store as it is now
        else:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            self.connection = sqlite3.connect(path, isolation_level=None)
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "cache_size=-65536", "wal_autocheckpoint=4000"):
                self.connection.execute(f"PRAGMA {pragma}")
            self._create(epoch)
        self.connection.execute("PRAGMA busy_timeout=5000")
        self.epoch: int = self._one("SELECT epoch FROM store")[0]
        self._forget()

    def _create(self, epoch: int) -> None:
        execute = self.connection.execute
        execute("BEGIN IMMEDIATE")
        if not execute("SELECT 1 FROM sqlite_schema WHERE name = 'store'").fetchone():
            for statement in _SCHEMA.split(";"):
                execute(statement)
            execute("INSERT INTO store VALUES (?)", (epoch,))
            execute("INSERT INTO head VALUES (0, 0, ?)", (GENESIS,))
        execute("COMMIT")

    def _forget(self) -> None:
        """Drop what is remembered and read it again from the store."""
        execute = self.connection.execute
        self._names = _Names(self.connection)
        self.progress: dict[str, Progress] = {
            source: Progress(advanced=advanced) for source, advanced in execute("SELECT source, advanced FROM sources")
        }
        for source, first, last in execute("SELECT source, first, last FROM heard ORDER BY source, first"):
            self.progress[source].runs.append((first, last))
        self.memory = Memory(
            load_line=self._load_line,
            load_stock=self._load_stock,
            load_event=self.event_row,
            reversed=set(execute("SELECT source, id FROM reversals")),
        )
        self.head = Head(*self._one("SELECT batch, hash FROM head"))
        self.last_event: int = self._one("SELECT coalesce(max(seq), 0) FROM events")[0]
        self.last_posting: int = self._one("SELECT coalesce(max(seq), 0) FROM postings")[0]

    def _one(self, sql: str, values: Sequence[Any] = ()) -> Any:
        return self.connection.execute(sql, values).fetchone()

    # ---------------------------------------------------------------- one batch

    def begin(self) -> None:
        """Begin the transaction of the next batch by taking its number; raise `Fenced` if another ledger took it.

        Whatever is raised from here on, `rollback` comes next.
        """
        self.connection.execute("BEGIN IMMEDIATE")
        taken = self.connection.execute(
            "UPDATE head SET batch = ? WHERE partition = 0 AND batch = ? AND hash = ?",
            (self.head.batch + 1, self.head.batch, self.head.hash),
        )
        if taken.rowcount != 1:
            raise Fenced(f"batch {self.head.batch + 1} was taken by another ledger")

    def rollback(self) -> None:
        """Undo the open transaction; nothing that was remembered since `begin` holds."""
        if self.connection.in_transaction:  # a full disk has SQLite roll back by itself
            self.connection.execute("ROLLBACK")
        self._forget()

    def digests(self, source: str, ids: Sequence[str]) -> dict[str, bytes]:
        """Return the content digest of each of the ids that a source has used before."""
        number = self._names.get(source)
        found = (
            (id_, self._one("SELECT digest FROM events WHERE source = ? AND id = ?", (number, _key_of(id_))))
            for id_ in ids
        )
        return {id_: row[0] for id_, row in found if row is not None}

    def write(
        self,
        recorded: int,
        rows: Sequence[Row],
        digests: Sequence[bytes],
        decision: Decision,
        refused: Sequence[RefusedRow],
        duplicates: dict[str, list[int]],
        offsets: dict[str, str],
        told: int | None,
    ) -> Head:
        """Write one batch and commit it. Whole or not at all; raise `sqlite3.Error` where it cannot be written."""
        execute, many = self.connection.execute, self.connection.executemany
        batch = self.head.batch + 1
        number = self._names.__getitem__
        first_event, first_posting = self.last_event + 1, self.last_posting + 1
        many(
            "INSERT INTO events VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            [
                (
                    seq, number(r.source), _key_of(r.id), r.sequence, _TYPES[r.name], r.time, r.line, r.day,
                    r.wafers, r.revision, number(r.product), number(r.site), number(r.supplier), r.rest, r.cause,
                    r.correlation, digest,
                )
                for seq, r, digest in zip(range(first_event, first_event + len(rows)), rows, digests, strict=True)
            ],
        )  # fmt: skip
        many(
            "INSERT INTO postings VALUES (?,?,?,?,?,?,?,?)",
            [
                (first_posting + n, first_event + p.event, p.measure, p.day, *map(number, p.key), p.wafers)
                for n, p in enumerate(decision.postings)
            ],
        )
        refusal_digests = [sha256(r.body).digest() for r in refused]
        many(
            "INSERT INTO refusals (batch, source, sequence, id, code, path, message, body, digest)"
            " VALUES (?,?,?,?,?,?,?,?,?)",
            [
                (batch, number(r.source), r.sequence, r.id, r.code, r.path, r.message, r.body, digest)
                for r, digest in zip(refused, refusal_digests, strict=True)
            ],
        )
        many(
            "INSERT INTO lines VALUES (?,?,?,?) ON CONFLICT DO UPDATE SET state = excluded.state",
            [(*line, orjson.dumps(self.memory.line(line).state())) for line in decision.lines],
        )
        many(
            "INSERT INTO stock VALUES (?,?,?,?,?) ON CONFLICT DO UPDATE SET wafers = wafers + excluded.wafers",
            [(*key, day, wafers) for (key, day), wafers in decision.stock.items()],
        )
        self._count(decision)
        many("INSERT OR IGNORE INTO reversals VALUES (?,?)", decision.reversals)
        many("INSERT INTO offsets VALUES (?,?) ON CONFLICT DO UPDATE SET entry = excluded.entry", list(offsets.items()))
        spoken = self._advance(rows, refused, duplicates, decision)
        hash_ = sha256(chain_bytes(self.head.hash, batch, recorded, digests, refusal_digests)).digest()
        execute(
            "INSERT INTO batches VALUES (?,?,?,?,?,?,?,?)",
            (batch, recorded, first_event, len(rows), first_posting, len(decision.postings),
             orjson.dumps({"sources": spoken, "watermarks": decision.watermarks, "told": told}).decode(), hash_),
        )  # fmt: skip
        execute("UPDATE head SET hash = ? WHERE partition = 0", (hash_,))
        execute("COMMIT")
        self.head = Head(batch, hash_)
        self.last_event += len(rows)
        self.last_posting += len(decision.postings)
        if len(self.memory.lines) > _LINES_MAX:
            self.memory.lines.clear()
        return self.head

    def _advance(
        self, rows: Sequence[Row], refused: Sequence[RefusedRow], duplicates: dict[str, list[int]], decision: Decision
    ) -> dict[str, list[int]]:
        """Move each source's progress on; return per source [through, recorded, duplicates, refused]."""
        reached: dict[str, list[int]] = {source: list(sequences) for source, sequences in duplicates.items()}
        counted: dict[str, list[int]] = {source: [0, len(sequences), 0] for source, sequences in duplicates.items()}
        for row in rows:
            reached.setdefault(row.source, []).append(row.sequence)
            counted.setdefault(row.source, [0, 0, 0])[0] += 1
        for refusal in refused:
            reached.setdefault(refusal.source, [])
            counted.setdefault(refusal.source, [0, 0, 0])[2] += 1
            if refusal.sequence is not None:
                reached[refusal.source].append(refusal.sequence)
        spoken = {}
        for source, sequences in reached.items():
            progress = self.progress.setdefault(source, Progress())
            through = decision.watermarks.get(source)
            if through is not None:
                progress.advanced = max(through, progress.advanced or through)
            self.connection.execute(
                "INSERT INTO sources VALUES (?,?) ON CONFLICT DO UPDATE SET advanced = excluded.advanced",
                (source, progress.advanced),
            )
            for first, last in _runs(sorted(sequences)):
                replaced, run = progress.reach(first, last)
                self.connection.executemany(
                    "DELETE FROM heard WHERE source = ? AND first = ?", [(source, n) for n in replaced]
                )
                self.connection.execute("INSERT INTO heard VALUES (?,?,?)", (source, *run))
            spoken[source] = [progress.through, *counted[source]]
        return spoken

    def _count(self, decision: Decision) -> None:
        for (key, day, name), wafers in decision.counts.items():
            if wafers is None:
                self.connection.execute(
                    "DELETE FROM counts WHERE product = ? AND site = ? AND supplier = ? AND day = ? AND name = ?",
                    (*key, day, name),
                )
            else:
                self.connection.execute("INSERT INTO counts VALUES (?,?,?,?,?,?)", (*key, day, name, wafers))

    # ---------------------------------------------------------------- reading

    def _load_line(self, name: LineName) -> Line:
        found = self._one("SELECT state FROM lines WHERE owner = ? AND kind = ? AND line = ?", name)
        return Line() if found is None else Line(*orjson.loads(found[0]))

    def _load_stock(self, key: Key) -> Stock:
        execute = self.connection.execute
        stock = Stock(
            dict(execute("SELECT day, wafers FROM stock WHERE product = ? AND site = ? AND supplier = ?", key))
        )
        for day, name, counted in execute(
            "SELECT day, name, wafers FROM counts WHERE product = ? AND site = ? AND supplier = ?", key
        ):
            stock.count(day, name, counted)
        return stock

    def offsets(self) -> dict[str, str]:
        """Return the last entry read of each stream."""
        return dict(self.connection.execute("SELECT stream, entry FROM offsets"))

    def event_row(self, source: str, id_: str) -> Row | None:
        """Return a recorded event, None if this source has said none of that id."""
        found = self._one(
            "SELECT * FROM events WHERE source = ? AND id = ?",
            (self._names.get(source), _key_of(id_)),
        )
        return None if found is None else self._row(found)

    def _row(self, found: tuple[Any, ...]) -> Row:
        _, source, id_, sequence, name, time, line, day, wafers, revision, product, site, supplier, *others = found
        rest, cause, correlation, _digest = others
        i, text = id_.hex(), self._names.texts
        return Row(
            text[source], sequence, f"{i[:8]}-{i[8:12]}-{i[12:16]}-{i[16:20]}-{i[20:]}", _NAMES[name], time, line, day,
            wafers, revision, text.get(product), text.get(site), text.get(supplier), rest, cause, correlation,
        )  # fmt: skip

    def rows(self, batch: int) -> list[tuple[int, Row, bytes]]:
        """Return the events of a batch in order: sequence in the ledger, the event, its stored digest."""
        first, count = self._one("SELECT first_event, events FROM batches WHERE batch = ?", (batch,))
        found = self.connection.execute(
            "SELECT * FROM events WHERE seq BETWEEN ? AND ? ORDER BY seq", (first, first + count - 1)
        )
        return [(cells[0], self._row(cells), cells[-1]) for cells in found]

    def batches(self, after: int = 0) -> Iterator[tuple[int, int, bytes]]:
        """Yield (batch, recorded, hash) after a position, in order."""
        yield from self.connection.execute(
            "SELECT batch, recorded, hash FROM batches WHERE batch > ? ORDER BY batch", (after,)
        )

    def refused(self, batch: int | None = None, *, latest: int = -1) -> list[dict[str, Any]]:
        """Return the refusals of a batch, or the latest of all of them, or all, in order."""
        first, last = (0, self.head.batch) if batch is None else (batch, batch)
        found = self.connection.execute(
            "SELECT batch, n.name, sequence, r.id, code, path, message, body, digest FROM refusals r "
            "JOIN names n ON n.id = r.source WHERE batch BETWEEN ? AND ? ORDER BY batch DESC, seq DESC LIMIT ?",
            (first, last, latest),
        ).fetchall()
        names = ("batch", "source", "sequence", "id", "code", "path", "message", "body", "digest")
        return [dict(zip(names, cells, strict=True)) for cells in reversed(found)]

    def rows_held(self) -> tuple[int, int]:
        """Return how many events and how many postings the store holds, in a batch or in none."""
        return tuple(self._one("SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM postings)"))

    def hash_of(self, batch: int) -> bytes:
        """Return the head of the chain as it was after a batch."""
        return bytes(self._one("SELECT hash FROM batches WHERE batch = ?", (batch,))[0]) if batch else GENESIS

    def stored_batches(self, after: int, limit: int) -> list[StoredBatch]:
        """Return up to `limit` batches after a position, as they are told on the streams."""
        found = self.connection.execute(
            "SELECT batch, first_posting, postings, events, told, hash FROM batches"
            " WHERE batch > ? ORDER BY batch LIMIT ?",
            (after, limit),
        ).fetchall()
        return [self._stored(*cells) for cells in found]

    def _stored(self, batch: int, first: int, count: int, events: int, told: str, hash_: bytes) -> StoredBatch:
        columns: tuple[Any, ...] = (
            tuple(
                zip(
                    *self.connection.execute(
                        "SELECT product, site, supplier, measure, day, wafers FROM postings"
                        " WHERE seq BETWEEN ? AND ? ORDER BY seq",
                        (first, first + count - 1),
                    ),
                    strict=True,
                )
            )
            or ((),) * 6
        )
        used = {number: index for index, number in enumerate(dict.fromkeys(columns[0] + columns[1] + columns[2]))}
        products, sites, suppliers = ([used[number] for number in column] for column in columns[:3])
        said = orjson.loads(told)
        postings = PostingBatch.model_construct(
            epoch=self.epoch,
            batch=batch,
            previous=batch - 1,
            events=events,
            head=hash_.hex(),
            names=[self._names.texts[number] for number in used],
            products=products,
            sites=sites,
            suppliers=suppliers,
            measures=list(columns[3]),
            days=list(columns[4]),
            wafers=list(columns[5]),
            watermarks=said["watermarks"],
            sources=[source for source, counted in said["sources"].items() if counted[1]],
            told=said["told"],
        )
        refusals = self.refused(batch) if any(counted[3] for counted in said["sources"].values()) else []
        return StoredBatch(
            postings,
            [
                Recorded(
                    batch=batch,
                    source=source,
                    through=through,
                    recorded=recorded,
                    duplicates=duplicates,
                    refusals=[
                        Refusal(
                            sequence=r["sequence"], id=r["id"], code=r["code"], path=r["path"], message=r["message"]
                        )
                        for r in refusals
                        if r["source"] == source
                    ],
                )
                for source, (through, recorded, duplicates, _) in said["sources"].items()
            ],
        )

    def verdict(self, source: str, id_: str) -> dict[str, Any]:
        """Return what became of an event: recorded (with its batch), refused (with reason), or unknown."""
        number = self._names.get(source)
        found = self._one("SELECT seq FROM events WHERE source = ? AND id = ?", (number, _key_of(id_)))
        if found is not None:
            batch = self._one(
                "SELECT batch, recorded FROM batches WHERE first_event <= ?"
                " ORDER BY first_event DESC, batch DESC LIMIT 1",
                found,
            )
            row = self.event_row(source, id_)
            assert row is not None
            return {
                "status": "recorded",
                "seq": found[0],
                "batch": batch[0],
                "event": row.event(batch[1]).cloud_event(),
            }
        refusal = self._one(
            "SELECT batch, code, path, message FROM refusals WHERE source = ? AND id = ? ORDER BY seq DESC LIMIT 1",
            (number, id_),
        )
        if refusal is not None:
            return {"status": "refused", **dict(zip(("batch", "code", "path", "message"), refusal, strict=True))}
        return {"status": "unknown"}

    def counts(self) -> dict[str, int]:
        """Return how many events of each name are recorded."""
        found = self.connection.execute("SELECT name, count(*) FROM events GROUP BY name ORDER BY name")
        return {_NAMES[name]: count for name, count in found}


def chain_bytes(
    previous: bytes, batch: int, recorded: int, digests: Iterable[bytes], refusals: Iterable[bytes]
) -> bytes:
    """Return the bytes whose SHA-256 is the chain's next head.

    previous head (32) | batch (8, big-endian) | recorded, µs since 1970 (8, big-endian) | number of events (4)
    | the events' digests (32 each) | number of refusals (4) | the digests of the refused bodies (32 each).
    """
    events, refused = b"".join(digests), b"".join(refusals)
    return b"".join(
        (
            previous, batch.to_bytes(8), recorded.to_bytes(8),
            (len(events) // 32).to_bytes(4), events, (len(refused) // 32).to_bytes(4), refused,
        )
    )  # fmt: skip


def _runs(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Return the runs that some numbers in order make."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and number <= runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


def _key_of(id_: str) -> bytes:
    return bytes.fromhex(id_.replace("-", ""))
