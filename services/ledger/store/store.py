"""The ledger's store: one transaction a batch holds events, refusals, postings, lines, offsets and the chain's head."""

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count, repeat
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple, cast

import orjson

from services.ledger.books.chain import GENESIS, Header, document, seal
from services.ledger.books.posting import Decision, Key, Line, Memory, Stock
from services.ledger.store.database import Database
from services.ledger.store.migrating import StrangeStore, expect_newest, migrate
from services.ledger.store.sqlite import SqliteDatabase
from shared.wire.lines import LineName
from shared.wire.postings import PUBLISHED_EVENTS, PostingBatch, Recorded
from shared.wire.refusal import RefusedEvent
from shared.wire.rows import Row, event_name

_LINES_MAX = 50_000  # remembered; what is not is read from the store
_BATCHES_AT_ONCE, _ROWS_AT_ONCE, _POSTINGS_AT_ONCE = 256, 16_384, 65_536  # in one query
_SAID_BATCHES = 16  # remembered until they are told; the teller is seldom further behind
_SPELLED = re.compile(r"([^:/]*://)?([^@/%?#]|%[0-9A-Fa-f]{2})*").fullmatch  # a URL up to its host
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

    @property
    def gaps(self) -> list[tuple[int, int]]:
        """The sequences not heard yet below the newest, as (first, last)."""
        ends = [0, *map(_last, self.runs)]
        return [(end + 1, first - 1) for end, (first, _) in zip(ends, self.runs, strict=False) if first > end + 1]

    def reach(self, first: int, last: int) -> tuple[list[int], tuple[int, int]]:
        """Add a run; return the runs that it replaces, by their first, and the one that they now are."""
        start = bisect_left(self.runs, first - 1, key=_last)
        end = bisect_right(self.runs, last + 1, key=_first)
        touched = self.runs[start:end]
        run = (min([first, *map(_first, touched)]), max([last, *map(_last, touched)]))
        self.runs[start:end] = [run]
        return [replaced for replaced, _ in touched], run

    def advance(self, day: int | None) -> None:
        """Raise the watermark to a day, if it was below."""
        if day is not None:
            self.advanced = max(day, self.advanced or day)


class Batch(NamedTuple):
    """What was decided of some entries, and is to be written."""

    source: str
    stream: str
    entry: str  # the last one read
    recorded: int  # microseconds since 1970
    told: int | None  # when the first of its entries was said, likewise
    rows: Sequence[Row]
    bodies: Sequence[str]  # the canonical text of each
    refused: Sequence[RefusedEvent]
    duplicates: int
    decision: Decision


class StoredBatch(NamedTuple):
    """A batch as it stands in the store."""

    header: Header
    told: int | None
    through: int  # the source's last sequence before a gap, once the batch was recorded
    watermark: int | None  # the last day that the source says is complete, None where the batch does not say
    first_event: int
    first_posting: int
    postings: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class StoredRefusal(RefusedEvent):
    """A refused event with the batch that recorded the refusal."""

    batch: int


class SealedBatch(NamedTuple):
    """A batch with all that its hash seals."""

    batch: StoredBatch
    bodies: list[str]
    refusals: Sequence[RefusedEvent]

    def document(self) -> bytes:
        """Return the lines whose SHA-256 is the batch's hash."""
        return document(self.batch.header, self.bodies, self.refusals)


class ToldBatch(NamedTuple):
    """A batch as it is told on the streams."""

    postings: PostingBatch
    verdict: Recorded


class _Names(dict[str | None, int]):
    """The number of each name; asked for a new one, it stores it."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self.database = database
        self.texts: dict[int, str] = dict(database.query("SELECT id, name FROM names"))
        self.update((name, number) for number, name in self.texts.items())

    def __missing__(self, name: str) -> int:
        number = len(self) + 1
        self.database.append("names", ("id", "name"), [(number, name)])
        self[name], self.texts[number] = number, name
        return number


class _Keys(dict[Key, int]):
    """The number of each key; asked for a new one, it stores it."""

    def __init__(self, database: Database, names: _Names) -> None:
        super().__init__()
        self.database, self.names = database, names
        self.parts: dict[int, tuple[int, int, int]] = {
            number: (product, site, supplier)
            for number, product, site, supplier in database.query("SELECT id, product, site, supplier FROM keys")
        }
        self.update((self.key(number), number) for number in self.parts)

    def __missing__(self, key: Key) -> int:
        number = len(self) + 1
        product, site, supplier = (self.names[name] for name in key)
        self.database.append("keys", ("id", "product", "site", "supplier"), [(number, product, site, supplier)])
        self[key], self.parts[number] = number, (product, site, supplier)
        return number

    def key(self, number: int) -> Key:
        product, site, supplier = self.parts[number]
        texts = self.names.texts
        return texts[product], texts[site], texts[supplier]


def open_store(
    address: Path | str, *, epoch: int = 0, read_only: bool = False, login: Mapping[str, str] | None = None
) -> "Store":
    """Return the store at a path, or at a `postgresql://` URL; one that is not there is made, `epoch` names it.

    `login` goes beside the URL: what is not to stand in it, as a password, or what it must not be opened without.

    One opened to be read goes on seeing the store as it is now. Raises the database's error where it cannot be opened,
    and `StrangeStore` where it is none of ours, or of another version.
    """
    if isinstance(address, str) and "://" in address:
        scheme = address.partition("://")[0]
        if scheme not in ("postgresql", "postgres"):  # else a folder of that name would be made, and a file in it
            raise StrangeStore(f"{scheme}:// names no store: it is a path, or a postgresql:// URL")
        if not _SPELLED(address.rpartition("@")[0]):  # a piece of the password would be taken for the host, and named
            raise StrangeStore("in its URL write what is special in the password as %40 (@), %2F (/) or %25 (%)")
        from services.ledger.store.postgres import PostgresDatabase  # noqa: PLC0415 (who has none need not have its driver)

        database: Database = PostgresDatabase(address, read_only=read_only, login=login)
    else:
        database = SqliteDatabase(address, read_only=read_only)
    try:
        if read_only:
            expect_newest(database)
        else:
            migrate(database, epoch=epoch)
        return Store(database)
    except BaseException:
        database.close()
        raise


class Store:
    """The books in one database, written by one ledger at a time."""

    def __init__(self, database: Database) -> None:
        """Open the books of a database that has the ledger's tables, all of them."""
        self.database = database
        self.epoch: int = self._one("SELECT epoch FROM store")[0]
        self._forget()

    def _forget(self) -> None:
        """Drop what is remembered and read it again from the store."""
        self._holds = False
        self._said: dict[int, list[str]] = {}  # of the last batches written here: the bodies that are told
        # of one moment: else it could hold another ledger's head and not what that one wrote, and no fence would see it
        with self.database.snapshot():
            query = self.database.query
            self._names = _Names(self.database)
            self._keys = _Keys(self.database, self._names)
            text = self._names.texts
            self.progress: dict[str, Progress] = {
                text[source]: Progress(advanced=advanced)
                for source, advanced in query("SELECT source, advanced FROM sources")
            }
            for source, first, last in query("SELECT source, first, last FROM heard ORDER BY source, first"):
                self.progress[text[source]].runs.append((first, last))
            self.tallies: Counter[str] = Counter(
                {text[name]: n for name, n in query("SELECT name, events FROM tallies")}
            )
            self.memory = Memory(
                load_lines=self._load_lines,
                load_stock=self._load_stock,
                load_event=self.event_row,
                reversed={(text[source], _id_of(id_)) for source, id_ in query("SELECT source, id FROM reversals")},
            )
            self.last_event: int = self._one("SELECT coalesce(max(seq), 0) FROM events")[0]
            self.last_posting: int = self._one("SELECT coalesce(max(seq), 0) FROM postings")[0]
            self.head = Head(*self._one("SELECT batch, hash FROM head"))
        self._holds = True

    def _one(self, sql: str, values: Sequence[Any] = ()) -> Any:
        found = self.database.query(sql, values)
        return found[0] if found else None

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    # ---------------------------------------------------------------- one batch

    def begin(self) -> None:
        """Begin the transaction of the next batch by taking its number; raise `Fenced` if another ledger took it.

        Whatever is raised from here on, `rollback` comes next.
        """
        if not self._holds:  # the database was away when it was to be read again
            before = self.head
            self._forget()
            if self.head != before:
                raise Fenced(f"batch {before.batch + 1} was taken meanwhile")
        self.database.begin()
        taken = self.database.execute(
            "UPDATE head SET batch = ? WHERE partition = 0 AND batch = ? AND hash = ?",
            (self.head.batch + 1, self.head.batch, self.head.hash),
        )
        if taken != 1:
            raise Fenced(f"batch {self.head.batch + 1} was taken by another ledger")

    def expect_alone(self) -> None:
        """Raise `Fenced` if another ledger has written to this store since it was last looked at."""
        batch, hash_ = self._one("SELECT batch, hash FROM head")
        if (batch, bytes(hash_)) != self.head:
            raise Fenced(f"batch {self.head.batch + 1} was taken by another ledger")

    def rollback(self) -> None:
        """Undo the open transaction; nothing that was remembered since `begin` holds."""
        self._holds = False
        self.database.rollback()
        self._forget()

    def bodies(self, source: str, ids: Sequence[str]) -> dict[str, str]:
        """Return what a source has said under each of the ids that it has used before, as canonical text."""
        number = self._names.get(source)
        if number is None or not ids:
            return {}
        keys = [(number, key) for key in set(_keys_of(ids))]
        return {_id_of(id_): body for _, id_, body in self.database.find("events", ("source", "id"), ("body",), keys)}

    def refused_bodies(self, source: str, ids: Iterable[str]) -> set[bytes]:
        """Return what a source has said under some ids and was refused."""
        number = self._names.get(source)
        if number is None:
            return set()
        found = self.database.find("refusals", ("source", "id"), ("body",), [(number, id_) for id_ in ids])
        return {bytes(body) for _, _, body in found}

    def write(self, batch: Batch) -> Head:
        """Write one batch and commit it, whole or not at all; raise the database's error if it cannot be written."""
        append, upsert = self.database.append, self.database.upsert
        number, decision, postings = self.head.batch + 1, batch.decision, batch.decision.postings()
        source, stream = self._names[batch.source], self._names[batch.stream]
        first_event, first_posting = self.last_event + 1, self.last_posting + 1
        append(
            "events",
            ("seq", "source", "id", "body"),
            [*zip(count(first_event), repeat(source), _keys_of(row.id for row in batch.rows), batch.bodies)],
        )
        append(
            "postings",
            ("seq", "measure", "day", "key", "wafers"),
            [
                (seq, int(measure), day, self._keys[key], wafers)
                for seq, ((measure, day, key), wafers) in enumerate(postings, first_posting)
            ],
        )
        refused = [replace(r, path=_printable(r.path), message=_printable(r.message)) for r in batch.refused]
        if refused:
            self._write_refused(number, refused)
        names = self._names
        upsert(
            "lines",
            ("owner", "kind", "line"),
            ("state",),
            [
                (names[owner], kind, id_, orjson.dumps(line.state()).decode())
                for (owner, kind, id_), line in decision.lines.items()
            ],
        )
        upsert(
            "stock",
            ("key", "day"),
            ("wafers",),
            [(self._keys[key], day, wafers) for (key, day), wafers in decision.stock.items()],
        )
        self._write_counts(decision)
        append("reversals", ("source", "id"), [(names[source], _key_of(id_)) for source, id_ in decision.reversals])
        upsert("offsets", ("stream",), ("entry",), [(stream, batch.entry)])
        through = self._advance(batch).through
        header = Header(
            number, self.epoch, batch.source, batch.stream, batch.entry, batch.recorded, len(batch.rows),
            batch.duplicates, len(batch.refused), self.head.hash,
        )  # fmt: skip
        hash_ = seal(document(header, batch.bodies, refused))
        append(
            "batches",
            (
                "batch", "source", "stream", "entry", "recorded", "told", "through", "watermark", "first_event",
                "events", "duplicates", "refusals", "first_posting", "postings", "hash",
            ),
            [(
                number, source, stream, batch.entry, batch.recorded, batch.told, through, decision.watermark,
                first_event, len(batch.rows), batch.duplicates, len(batch.refused), first_posting, len(postings), hash_,
            )],
        )  # fmt: skip
        self.database.execute("UPDATE head SET hash = ? WHERE partition = 0", (hash_,))
        self.database.commit()
        self.head = Head(number, hash_)
        self.last_event += len(batch.rows)
        self.last_posting += len(postings)
        self._said[number] = [
            body for row, body in zip(batch.rows, batch.bodies, strict=True) if row.name in PUBLISHED_EVENTS
        ]
        self._said.pop(number - _SAID_BATCHES, None)
        if len(self.memory.lines) > _LINES_MAX:
            self.memory.lines.clear()
        return self.head

    def _write_refused(self, number: int, refused: Sequence[RefusedEvent]) -> None:
        before = self._one("SELECT coalesce(max(seq), 0) FROM refusals")[0]
        self.database.append(
            "refusals",
            ("seq", "batch", "source", "sequence", "id", "code", "path", "message", "body"),
            [
                (seq, number, self._names[r.source], r.sequence, r.id, r.code, r.path, r.message, r.body)
                for seq, r in enumerate(refused, before + 1)
            ],
        )  # fmt: skip

    def _write_counts(self, decision: Decision) -> None:
        counts = [((self._keys[key], day, name), wafers) for (key, day, name), wafers in decision.counts.items()]
        for count_, wafers in counts:
            if wafers is None:
                self.database.execute("DELETE FROM counts WHERE key = ? AND day = ? AND name = ?", count_)
        said = [(*count_, wafers) for count_, wafers in counts if wafers is not None]
        self.database.append("counts", ("key", "day", "name", "wafers"), said)

    def _advance(self, batch: Batch) -> Progress:
        """Move the source's progress on, and the tallies; return the progress."""
        source, progress = self._names[batch.source], self.progress.setdefault(batch.source, Progress())
        progress.advance(batch.decision.watermark)
        self.database.upsert("sources", ("source",), ("advanced",), [(source, progress.advanced)])
        sequences = [row.sequence for row in batch.rows]
        sequences += [r.sequence for r in batch.refused if r.sequence is not None]
        for first, last in runs_of(sequences):
            replaced, run = progress.reach(first, last)
            for begun in replaced:
                self.database.execute("DELETE FROM heard WHERE source = ? AND first = ?", (source, begun))
            self.database.append("heard", ("source", "first", "last"), [(source, *run)])
        said = Counter(row.name for row in batch.rows)
        self.tallies.update(said)
        self.database.upsert(
            "tallies", ("name",), ("events",), [(self._names[name], self.tallies[name]) for name in said]
        )
        return progress

    # ---------------------------------------------------------------- reading

    def _load_lines(self, names: Sequence[LineName]) -> dict[LineName, Line]:
        known = [(self._names[owner], kind, line) for owner, kind, line in names if owner in self._names]
        return {
            (self._names.texts[owner], kind, line): Line.read(orjson.loads(state))
            for owner, kind, line, state in self.database.find("lines", ("owner", "kind", "line"), ("state",), known)
        }

    def _load_stock(self, key: Key) -> Stock:
        number = self._keys.get(key)
        stock = Stock()
        for day, wafers in self.database.query("SELECT day, wafers FROM stock WHERE key = ? ORDER BY day", (number,)):
            stock.move(day, wafers)
        for day, name, counted in self.database.query("SELECT day, name, wafers FROM counts WHERE key = ?", (number,)):
            stock.count(day, name, counted)
        return stock

    def lines(self) -> Iterator[tuple[LineName, Line]]:
        """Yield every line that is stored, a page at a time: there may be millions."""
        last: tuple[Any, ...] = (-(1 << 63), "", "")
        while found := self.database.query(
            "SELECT owner, kind, line, state FROM lines WHERE (owner, kind, line) > (?, ?, ?)"
            " ORDER BY owner, kind, line LIMIT ?",
            (*last, _ROWS_AT_ONCE),
        ):
            for owner, kind, line, state in found:
                yield (self._names.texts[owner], kind, line), Line.read(orjson.loads(state))
            last = found[-1][:3]

    def stocks(self) -> Iterator[tuple[Key, Stock]]:
        """Yield the stock of every key that has any."""
        for (number,) in self.database.query("SELECT key FROM stock UNION SELECT key FROM counts"):
            yield self._keys.key(number), self._load_stock(self._keys.key(number))

    def offsets(self) -> dict[str, str]:
        """Return the last entry read of each stream."""
        return {
            self._names.texts[stream]: entry
            for stream, entry in self.database.query("SELECT stream, entry FROM offsets")
        }

    def find_event(self, source: str, id_: str) -> tuple[int, Row] | None:
        """Return a recorded event and its place in the log, None if this source has said none of that id."""
        found = self._one(
            "SELECT seq, body FROM events WHERE source = ? AND id = ?", (self._names.get(source), _key_of(id_))
        )
        return None if found is None else (found[0], Row.read(found[1]))

    def event_row(self, source: str, id_: str) -> Row | None:
        """Return a recorded event, None if this source has said none of that id."""
        found = self.find_event(source, id_)
        return None if found is None else found[1]

    def related(self, id_: str) -> Iterator[list[Row]]:
        """Yield, page by page of the log, the events of an id, that follow from it, or that belong to it.

        No index helps: a page is read in some milliseconds, and whoever asks can let others have their turn between.
        """
        for first in range(1, self.last_event + 1, _ROWS_AT_ONCE):
            found = self.database.query(
                "SELECT body FROM events WHERE seq BETWEEN ? AND ? AND body LIKE ? ORDER BY seq",
                (first, min(first + _ROWS_AT_ONCE - 1, self.last_event), f'%"{id_}"%'),
            )
            rows = [Row.read(body) for (body,) in found]
            yield [row for row in rows if id_ in (row.id, row.cause, row.correlation)]

    def batches(self, after: int = 0, limit: int = 1 << 62) -> Iterator[StoredBatch]:
        """Yield up to `limit` batches after a position, in order."""
        if after >= self.head.batch:
            return
        text = self._names.texts
        previous = self.hash_of(after)
        while limit > 0 and (
            found := self.database.query(
                "SELECT batch, source, stream, entry, recorded, told, through, watermark, first_event, events,"
                " duplicates, refusals, first_posting, postings, hash FROM batches WHERE batch > ?"
                " ORDER BY batch LIMIT ?",
                (after, min(limit, _BATCHES_AT_ONCE)),
            )
        ):
            for (
                batch, source, stream, entry, recorded, told, through, watermark, first_event, events, duplicates,
                refusals, first_posting, postings, hash_,
            ) in found:  # fmt: skip
                header = Header(
                    batch,
                    self.epoch,
                    text[source],
                    text[stream],
                    entry,
                    recorded,
                    events,
                    duplicates,
                    refusals,
                    previous,
                )
                previous = bytes(hash_)
                yield StoredBatch(header, told, through, watermark, first_event, first_posting, postings, previous)
            after = found[-1][0]
            limit -= len(found)

    def sealed_batches(self, after: int = 0, limit: int = 1 << 62) -> Iterator[SealedBatch]:
        """Yield up to `limit` batches after a position with all that their hashes seal, in order."""
        for page in _pages(self.batches(after, limit), lambda batch: batch.header.events):
            for batch, bodies in zip(page, self._bodies(page), strict=True):
                refusals = self.refusals(batch.header.batch) if batch.header.refusals else []
                yield SealedBatch(batch, bodies, refusals)

    def _bodies(self, page: Sequence[StoredBatch]) -> Iterator[list[str]]:
        """Yield the canonical events of each of some batches that follow each other, all read at once."""
        first = page[0].first_event
        found = self.database.query(
            "SELECT body FROM events WHERE seq >= ? ORDER BY seq LIMIT ?",
            (first, sum(batch.header.events for batch in page)),
        )
        bodies = [body for (body,) in found]
        for batch in page:
            begin = max(0, batch.first_event - first)
            yield bodies[begin : begin + batch.header.events]

    def identified(self, batch: StoredBatch, rows: Sequence[Row]) -> bool:
        """Return whether each event of a batch is found under its own source and id."""
        found = self.database.query(
            "SELECT source, id FROM events WHERE seq BETWEEN ? AND ? ORDER BY seq",
            (batch.first_event, batch.first_event + batch.header.events - 1),
        )
        sources = [self._names.texts[source] for source, _ in found]
        return sources == [row.source for row in rows] and [id_ for _, id_ in found] == _keys_of(row.id for row in rows)

    def refusals(self, batch: int | None = None, *, latest: int = 1 << 62, bodies: bool = True) -> list[StoredRefusal]:
        """Return the refusals of a batch, or the latest of all of them, or all, in order; `bodies` may be long."""
        body = "body" if bodies else "substr(body, 1, 0)"
        found = self.database.query(
            f"SELECT batch, source, sequence, id, code, path, message, {body} FROM refusals"  # noqa: S608
            " WHERE batch BETWEEN ? AND ? ORDER BY seq DESC LIMIT ?",
            (*((0, self.head.batch) if batch is None else (batch, batch)), latest),
        )
        return [
            StoredRefusal(sequence, id_, code, path, message, self._names.texts[source], bytes(body), number)
            for number, source, sequence, id_, code, path, message, body in reversed(found)
        ]

    def rows_held(self) -> tuple[int, int, int]:
        """Return how many events, refusals and postings the store holds, in a batch or in none."""
        tables = ("events", "refusals", "postings")
        events, refusals, postings = (self._one(f"SELECT count(*) FROM {table}")[0] for table in tables)  # noqa: S608
        return events, refusals, postings

    def hash_of(self, batch: int) -> bytes:
        """Return the head of the chain as it was after a batch; raise `LookupError` for one that is not there."""
        if batch == 0:
            return GENESIS
        found = self._one("SELECT hash FROM batches WHERE batch = ?", (batch,))
        if found is None:
            raise LookupError(f"there is no batch {batch}: the last one is {self.head.batch}")
        return bytes(found[0])

    def position_at(self, time: int) -> int:
        """Return the last batch before the first that was recorded after a time, microseconds since 1970."""
        later = self._one("SELECT min(batch) FROM batches WHERE recorded > ?", (time,))[0]
        return self.head.batch if later is None else later - 1

    def last_recorded_by(self, time: int) -> int:
        """Return the last batch that was recorded by a time, microseconds since 1970; 0 if none was."""
        return int(self._one("SELECT coalesce(max(batch), 0) FROM batches WHERE recorded <= ?", (time,))[0])

    def first_recorded(self) -> int | None:
        """Return when the earliest batch was recorded, microseconds since 1970."""
        first: int | None = self._one("SELECT min(recorded) FROM batches")[0]
        return first

    def told_batches(self, after: int, limit: int, *, said: bool = True) -> list[ToldBatch]:
        """Return up to `limit` batches after a position, as they are told on the streams.

        What their events say of lines and sites can be left out (`said`), where it is not asked and would be read from
        the store.
        """
        told: list[ToldBatch] = []
        known = min(limit, self.head.batch - after)  # what another ledger wrote since may have names not known here
        for page in _pages(self.batches(after, known), lambda batch: batch.postings + batch.header.events):
            first = page[0].first_posting
            postings = self.database.query(
                "SELECT key, measure, day, wafers FROM postings WHERE seq >= ? ORDER BY seq LIMIT ?",
                (first, sum(batch.postings for batch in page)),
            )
            spoken = self._said_in(page) if said else [[] for _ in page]
            for batch, bodies in zip(page, spoken, strict=True):
                begin = max(0, batch.first_posting - first)
                told.append(self._told(batch, postings[begin : begin + batch.postings], bodies))
        return told

    def _said_in(self, page: Sequence[StoredBatch]) -> list[list[str]]:
        """Return what the events of each of some batches say of lines and sites, in the order of the log."""
        remembered = [self._said.get(batch.header.batch) for batch in page]
        if None not in remembered:  # of what was just written: the teller need not read it again
            return cast(list[list[str]], remembered)
        return [told_of(bodies) for bodies in self._bodies(page)]

    def said(self, until: int | None = None, known_by: int | None = None) -> Iterator[list[str]]:
        """Yield what the events say of lines and sites (`PUBLISHED_EVENTS`), batch by batch, whatever was told.

        All of it, or that of the batches up to a position, or that which was recorded by a time.
        """
        for page in _pages(self.batches(0, self.head.batch if until is None else until), lambda b: b.header.events):
            for batch, bodies in zip(page, self._bodies(page), strict=True):
                if known_by is None or batch.header.recorded <= known_by:
                    yield told_of(bodies)

    def keys(self) -> dict[int, Key]:
        """Return the keys that postings are of, by number."""
        return {number: self._keys.key(number) for number in self._keys.parts}

    def posting_pages(self, until: int) -> Iterator[list[tuple[int, int, int, int]]]:
        """Yield the postings of all batches up to a position in pages: the number of the key, measure, day, wafers."""
        found = self._one("SELECT first_posting + postings FROM batches WHERE batch = ?", (until,))
        for first in range(1, 1 if found is None else found[0], _POSTINGS_AT_ONCE):
            yield self.database.query(
                "SELECT key, measure, day, wafers FROM postings WHERE seq BETWEEN ? AND ? ORDER BY seq",
                (first, min(first + _POSTINGS_AT_ONCE, found[0]) - 1),
            )

    def watermarks(self, until: int) -> dict[str, int | None]:
        """Return the sources that spoke up to a position, and the last day that each said is complete, if it did."""
        found = self.database.query(
            "SELECT source, max(watermark) FROM batches WHERE batch <= ? AND (events > 0 OR watermark IS NOT NULL)"
            " GROUP BY source",
            (until,),
        )
        return {self._names.texts[source]: day for source, day in found}

    def _told(self, batch: StoredBatch, found: list[tuple[Any, ...]], said: list[str]) -> ToldBatch:
        header = batch.header
        postings = PostingBatch.of(
            [(measure, day, self._keys.key(key), wafers) for key, measure, day, wafers in found],
            epoch=self.epoch,
            batch=header.batch,
            previous=header.batch - 1,
            events=header.events,
            head=batch.hash.hex(),
            watermarks={} if batch.watermark is None else {header.source: batch.watermark},
            sources=[header.source] if header.events else [],
            told=batch.told,
            said=said,
        )
        verdict = Recorded(
            batch=header.batch,
            source=header.source,
            through=batch.through,
            recorded=header.events,
            duplicates=header.duplicates,
            refusals=[*self.refusals(header.batch, bodies=False)] if header.refusals else [],
        )
        return ToldBatch(postings, verdict)

    def verdict(self, source: str, id_: str) -> dict[str, Any]:
        """Return what became of an event: recorded (with its batch), refused (with reason), or unknown."""
        found = self.find_event(source, id_)
        if found is not None:
            seq, row = found
            batch, recorded = self._one(
                "SELECT batch, recorded FROM batches WHERE first_event <= ?"
                " ORDER BY first_event DESC, batch DESC LIMIT 1",
                (seq,),
            )
            event = row.event(recorded).cloud_event()
            return {"status": "recorded", "seq": seq, "batch": batch, "event": event}
        refusal = self._one(
            "SELECT batch, code, path, message FROM refusals WHERE source = ? AND id = ? ORDER BY seq DESC LIMIT 1",
            (self._names.get(source), id_),
        )
        if refusal is not None:
            return {"status": "refused", **dict(zip(("batch", "code", "path", "message"), refusal, strict=True))}
        return {"status": "unknown"}


def told_of(bodies: list[str]) -> list[str]:
    """Return those of some events that say something of lines and sites (`PUBLISHED_EVENTS`)."""
    return [body for body in bodies if event_name(body) in PUBLISHED_EVENTS]


def _printable(text: str) -> str:
    """Return a text that every database and canonical JSON can hold: what cannot be printed, escaped.

    It is stored so, and never asked again: what can be printed is for each version of Python to say.
    """
    return text if text.isprintable() else text.encode("unicode_escape").decode()


def _pages(batches: Iterable[StoredBatch], rows: Callable[[StoredBatch], int]) -> Iterator[list[StoredBatch]]:
    """Yield runs of batches that have not too many rows to be read at once."""
    page: list[StoredBatch] = []
    held = 0
    for batch in batches:
        if page and held + rows(batch) > _ROWS_AT_ONCE:
            yield page
            page, held = [], 0
        page.append(batch)
        held += rows(batch)
    if page:
        yield page


def runs_of(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Return the runs that some numbers make, as (first, last), in order."""
    ordered = sorted(set(numbers))
    if ordered and ordered[-1] - ordered[0] + 1 == len(ordered):  # nearly always
        return [(ordered[0], ordered[-1])]
    runs: list[tuple[int, int]] = []
    for number in ordered:
        if runs and number == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


def _key_of(id_: str) -> bytes:
    return bytes.fromhex(id_.replace("-", ""))


def _keys_of(ids: Iterable[str]) -> list[bytes]:
    keys = _key_of("".join(ids))  # at once: half the time of one by one
    return [keys[n : n + 16] for n in range(0, len(keys), 16)]


def _id_of(key: bytes) -> str:
    i = bytes(key).hex()
    return f"{i[:8]}-{i[8:12]}-{i[12:16]}-{i[16:20]}-{i[20:]}"
