"""The reading type of the store: the log of batches, events, refusals and postings. It cannot write."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from services.ledger.books.chain import GENESIS, BatchHeader, seal
from services.ledger.books.memory import Memory
from services.ledger.books.progress import Progress
from services.ledger.store.addresses import connect, is_url
from services.ledger.store.batches import (
    BatchContents,
    ChainHead,
    PublishedBatch,
    StoredBatch,
    StoredRefusal,
    select_published,
)
from services.ledger.store.database import Database
from services.ledger.store.migrating import (
    PostingRules,
    StrangeStore,
    expect_newest,
    expect_readable,
    has_ledger_tables,
    read_rules,
)
from services.ledger.store.names import KeyTable, NameTable, id_key, id_keys
from services.ledger.store.sqlite import SqliteDatabase, write_ahead_log
from services.ledger.store.working_state import WorkingState
from shared.wire.postings import EventEffect, PostingBatch, Recorded
from shared.wire.rows import WATERMARKS, Row, watermark_of
from shared.wire.streams import is_plan_stream

_PAGE_BATCHES, _PAGE_ROWS, _PAGE_POSTINGS = 256, 16_384, 65_536  # read by one query


def open_reader(
    address: Path | str, *, login: Mapping[str, str] | None = None, any_rules: bool = False
) -> "StoreReader":
    """Return the store at a path, or at a `postgresql://` URL, for reading; it stays as it is at this moment.

    `login` holds connection options that are not in the URL, as a password. With `any_rules` the store may still be
    posted by earlier rules. Raises the database's error where the store cannot be opened, and `StrangeStore` where it
    is none of ours, or of another version.
    """
    database = connect(address, read_only=True, login=login)
    try:
        (expect_readable if any_rules else expect_newest)(database)
        return StoreReader(database)
    except BaseException:
        database.close()
        raise


def new_memory(store: "StoreReader") -> Memory:
    """Return a memory of the books that loads from a store."""
    state = store.working_state
    return Memory(
        load_lines=state.load_lines,
        load_stock=state.load_stock,
        load_event=store.load_event,
        load_suppliers=state.load_suppliers,
        load_watermarks=store.load_watermarks,
        reversed=state.reversals(),
    )


def expect_one_store(address: Path | str) -> None:
    """Raise `StrangeStore` where a file and the write-ahead log beside it are not those of one store.

    To open them for writing would destroy both: SQLite moves any log into the file beside it, and drops the log of a
    missing file.
    """
    path = Path(address)
    log = write_ahead_log(path)
    if is_url(address) or not log.exists() or not log.stat().st_size:
        return
    if not path.exists() or not path.stat().st_size:
        raise StrangeStore(f"{path} is missing, and {log} holds its last batches: put the file back beside it")
    database = SqliteDatabase(path, read_only=True)
    try:
        if has_ledger_tables(database):
            expect_whole_end(StoreReader(database))
    except (LookupError, TypeError, ValueError) as why:
        raise StrangeStore(f"{path} and {log} are not of one store: {why!r}") from why
    finally:
        database.close()


def expect_whole_end(store: "StoreReader") -> None:
    """Raise `StrangeStore` unless the last batch is as sealed, the head's, and that of the last event and posting.

    A file that lost pages, or has some of another one, seldom ends so; `waferline verify` looks at all batches.
    """
    number, hash_ = store.head
    ends, sealed = (0, 0), b"" if number else hash_
    try:
        for contents in store.sealed_batches(number - 1, 1) if number else ():
            batch, sealed = contents.batch, seal(contents.document())
            ends = (batch.first_event + batch.header.events - 1, batch.first_posting + batch.postings - 1)
    except (LookupError, TypeError, ValueError) as why:
        raise StrangeStore(_damaged(number)) from why
    if sealed != hash_ or ends != (store.last_event, store.last_posting):
        raise StrangeStore(_damaged(number))


def _damaged(batch: int) -> str:
    return (
        f"the store is damaged: its last batch, {batch}, is not what was sealed. Leave it as it is; the next steps are"
        " in docs/proof.md, If a proof fails"
    )


class StoreReader:
    """The log in one database up to `head`, and the progress of its sources."""

    names: NameTable
    keys: KeyTable
    working_state: WorkingState
    progress: dict[str, Progress]  # by source
    tallies: Counter[str]  # events by type
    last_event: int
    last_posting: int
    head: ChainHead
    rules: PostingRules

    def __init__(self, database: Database) -> None:
        """Read the log of a database that has all the ledger's tables."""
        self.database = database
        self.epoch: int = self._one("SELECT epoch FROM store")[0]
        self._load()

    def _load(self) -> None:
        """Load all that is kept in memory, from one state of the database.

        Otherwise the head could be that of another ledger's batch and the rest older, and no fence would notice.
        """
        with self.database.snapshot():
            self._load_tables()
            query, text = self.database.query, self.names.texts
            self.progress = {
                text[source]: Progress(advanced=advanced)
                for source, advanced in query("SELECT source, advanced FROM sources")
            }
            for source, first, last in query("SELECT source, first, last FROM heard ORDER BY source, first"):
                self.progress[text[source]].runs.append((first, last))
            self.tallies = Counter({text[name]: n for name, n in query("SELECT name, events FROM tallies")})
            self.last_event = self._one("SELECT coalesce(max(seq), 0) FROM events")[0]
            self.last_posting = self._one("SELECT coalesce(max(seq), 0) FROM postings")[0]
            self.head = ChainHead(*self._one("SELECT batch, hash FROM head"))
            self.rules = read_rules(self.database)

    def _load_tables(self) -> None:
        self.names = NameTable(self.database)
        self.keys = KeyTable(self.database, self.names)
        self.working_state = WorkingState(self.database, self.names, self.keys)

    def _one(self, sql: str, values: Sequence[Any] = ()) -> Any:
        found = self.database.query(sql, values)
        return found[0] if found else None

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    # ---------------------------------------------------------------- batches

    def batches(self, after: int = 0, limit: int = 1 << 62) -> Iterator[StoredBatch]:
        """Yield up to `limit` batches after a position, in order."""
        if after >= self.head.batch:
            return
        text = self.names.texts
        previous = self.hash_of(after)
        while limit > 0 and (
            found := self.database.query(
                "SELECT batch, source, stream, entry, recorded, told, through, watermark, first_event, events,"
                " duplicates, refusals, first_posting, postings, hash FROM batches WHERE batch > ?"
                " ORDER BY batch LIMIT ?",
                (after, min(limit, _PAGE_BATCHES)),
            )
        ):
            for (
                batch, source, stream, entry, recorded, sent, through, watermark, first_event, events, duplicates,
                refusals, first_posting, postings, hash_,
            ) in found:  # fmt: skip
                header = BatchHeader(
                    batch, self.epoch, text[source], text[stream], entry, recorded, events, duplicates, refusals,
                    previous,
                )  # fmt: skip
                previous = bytes(hash_)
                yield StoredBatch(header, sent, through, watermark, first_event, first_posting, postings, previous)
            after = found[-1][0]
            limit -= len(found)

    def sealed_batches(self, after: int = 0, limit: int = 1 << 62) -> Iterator[BatchContents]:
        """Yield up to `limit` batches after a position with all that their hashes seal, in order."""
        for page in _pages(self.batches(after, limit), lambda batch: batch.header.events):
            for batch, bodies in zip(page, self._bodies(page), strict=True):
                refusals = self.refusals(batch.header.batch) if batch.header.refusals else []
                yield BatchContents(batch, bodies, refusals)

    def _bodies(self, page: Sequence[StoredBatch]) -> Iterator[list[str]]:
        """Yield the canonical events of each of some consecutive batches, read by one query."""
        first = page[0].first_event
        found = self.database.query(
            "SELECT body FROM events WHERE seq >= ? ORDER BY seq LIMIT ?",
            (first, sum(batch.header.events for batch in page)),
        )
        bodies = [body for (body,) in found]
        for batch in page:
            begin = max(0, batch.first_event - first)
            yield bodies[begin : begin + batch.header.events]

    def hash_of(self, batch: int) -> bytes:
        """Return the chain head after a batch; raise `LookupError` where there is no such batch."""
        if batch == 0:
            return GENESIS
        found = self._one("SELECT hash FROM batches WHERE batch = ?", (batch,))
        if found is None:
            raise LookupError(f"there is no batch {batch}: the last one is {self.head.batch}")
        return bytes(found[0])

    def row_counts(self) -> tuple[int, int, int]:
        """Return the number of events, refusals and postings in the store, those outside any batch included."""
        tables = ("events", "refusals", "postings")
        events, refusals, postings = (self._one(f"SELECT count(*) FROM {table}")[0] for table in tables)  # noqa: S608
        return events, refusals, postings

    def offsets(self) -> dict[str, str]:
        """Return the last entry read of each stream."""
        found = self.database.query("SELECT stream, entry FROM offsets")
        return {self.names.texts[stream]: entry for stream, entry in found}

    def watermarks(self, until: int) -> dict[str, int | None]:
        """Return the watermark of each source that published up to a position, None where it said none.

        Planners are left out: they say no watermark.
        """
        query, plans = self.database.query, self.names.plan_streams()
        greatest = "SELECT max(watermark) FROM batches WHERE source = ? AND batch > ? AND batch <= ?"
        found = dict(
            query(
                "SELECT source, max(watermark) FROM batches WHERE batch <= ?"  # noqa: S608
                f" AND (events > 0 OR watermark IS NOT NULL) AND stream NOT IN ({plans}) GROUP BY source",
                (until,),
            )
        )
        restated = query(
            "SELECT source, max(batch) FROM batches WHERE batch <= ? AND watermark < 1 GROUP BY source", (until,)
        )
        for source, batch in restated:  # a reversal: only those after it count
            progress = Progress()
            progress.advance(self._one("SELECT watermark FROM batches WHERE batch = ?", (batch,))[0])
            progress.advance(self._one(greatest, (source, batch, until))[0])
            found[source] = progress.advanced
        return {self.names.texts[source]: day for source, day in found.items()}

    def load_watermarks(self, source: str) -> dict[str, int]:
        """Return the watermarks that a source has published, reversed ones too, by the id of the event."""
        found = self.database.query(
            "SELECT body FROM events JOIN batches ON seq BETWEEN first_event AND first_event + batches.events - 1"
            " WHERE batches.source = ? AND watermark IS NOT NULL AND batch <= ? AND body LIKE ?",
            (self.names.get(source), self.head.batch, '%"source.%'),
        )
        rows = (Row.read(body) for (body,) in found)
        return {row.id: watermark_of(row) for row in rows if row.name in WATERMARKS}

    def count_recorded(self, time: int) -> int:
        """Return how many batches were recorded by a time, in microseconds since 1970."""
        return int(self._one("SELECT count(*) FROM batches WHERE recorded <= ?", (time,))[0])

    def watermark_batches(self, until: int) -> Iterator[tuple[int, str, int]]:
        """Yield each batch up to a position that has a watermark, with its source and the number of it."""
        found = self.database.query(
            "SELECT batch, source, watermark FROM batches WHERE batch <= ? AND watermark IS NOT NULL ORDER BY batch",
            (until,),
        )
        for batch, source, day in found:
            yield batch, self.names.texts[source], day

    # ---------------------------------------------------------------- events and refusals

    def find_event(self, source: str, id_: str) -> tuple[int, Row] | None:
        """Return a recorded event and its place in the log, None if the source has none of that id."""
        found = self._one(
            "SELECT seq, body FROM events WHERE source = ? AND id = ?", (self.names.get(source), id_key(id_))
        )
        return None if found is None else (found[0], Row.read(found[1]))

    def load_event(self, source: str, id_: str) -> Row | None:
        """Return a recorded event, None if the source has none of that id."""
        found = self.find_event(source, id_)
        return None if found is None else found[1]

    def identities_match(self, batch: StoredBatch, rows: Sequence[Row]) -> bool:
        """Return whether each event of a batch is stored under its own source and id."""
        found = self.database.query(
            "SELECT source, id FROM events WHERE seq BETWEEN ? AND ? ORDER BY seq",
            (batch.first_event, batch.first_event + batch.header.events - 1),
        )
        sources = [self.names.texts[source] for source, _ in found]
        return sources == [row.source for row in rows] and [id_ for _, id_ in found] == id_keys(row.id for row in rows)

    def related(self, id_: str) -> Iterator[list[Row]]:
        """Yield the events that have an id, or name it as cause or correlation, one page of the log at a time.

        No index helps. A page takes some milliseconds, so that a caller can give way to others between two pages.
        """
        for first in range(1, self.last_event + 1, _PAGE_ROWS):
            found = self.database.query(
                "SELECT body FROM events WHERE seq BETWEEN ? AND ? AND body LIKE ? ORDER BY seq",
                (first, min(first + _PAGE_ROWS - 1, self.last_event), f'%"{id_}"%'),
            )
            rows = [Row.read(body) for (body,) in found]
            yield [row for row in rows if id_ in (row.id, row.cause, row.correlation)]

    def refusals(self, batch: int | None = None, *, latest: int = 1 << 62, bodies: bool = True) -> list[StoredRefusal]:
        """Return the refusals of a batch, or of all batches, or the latest ones, in order; `bodies` may be long."""
        body = "body" if bodies else "substr(body, 1, 0)"  # of an empty body, SQLite makes this NULL
        found = self.database.query(
            f"SELECT sequence, id, code, path, message, source, {body}, batch FROM refusals"  # noqa: S608
            " WHERE batch BETWEEN ? AND ? ORDER BY seq DESC LIMIT ?",
            (*((0, self.head.batch) if batch is None else (batch, batch)), latest),
        )
        return [
            StoredRefusal(sequence, id_, code, path, message, self.names.texts[source], bytes(body or b""), number)
            for sequence, id_, code, path, message, source, body, number in reversed(found)
        ]

    def verdict(self, source: str, id_: str) -> dict[str, Any]:
        """Return the verdict on an event: recorded (with its batch), refused (with the reason), or unknown."""
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
            (self.names.get(source), id_),
        )
        if refusal is not None:
            return {"status": "refused", **dict(zip(("batch", "code", "path", "message"), refusal, strict=True))}
        return {"status": "unknown"}

    def is_refused(self, source: str, id_: str) -> bool:
        """Return whether an event of a source was refused under an id."""
        values = (self.names.get(source), id_)
        return bool(self.database.query("SELECT 1 FROM refusals WHERE source = ? AND id = ? LIMIT 1", values))

    # ---------------------------------------------------------------- postings and publication

    def posting_pages(self, until: int) -> Iterator[list[tuple[int, int, int, int]]]:
        """Yield the postings of all batches up to a position in pages: the number of the key, measure, day, wafers."""
        found = self._one("SELECT first_posting + postings FROM batches WHERE batch = ?", (until,))
        for first in range(1, 1 if found is None else found[0], _PAGE_POSTINGS):
            yield self.database.query(
                "SELECT key, measure, day, wafers FROM postings WHERE seq BETWEEN ? AND ? ORDER BY seq",
                (first, min(first + _PAGE_POSTINGS, found[0]) - 1),
            )

    def published_batches(self, after: int, limit: int, *, events: bool = True) -> list[PublishedBatch]:
        """Return up to `limit` batches after a position, as the ledger publishes them.

        Without `events` those that `said` holds are left out, which saves reading them.
        """
        published: list[PublishedBatch] = []
        limit = min(limit, self.head.batch - after)  # a later batch of another ledger may have unknown names
        for page in _pages(self.batches(after, limit), lambda batch: batch.postings + batch.header.events):
            first = page[0].first_posting
            postings = self.database.query(
                "SELECT key, measure, day, wafers FROM postings WHERE seq >= ? ORDER BY seq LIMIT ?",
                (first, sum(batch.postings for batch in page)),
            )
            for batch, bodies in zip(page, self._published_events(page) if events else [[]] * len(page), strict=True):
                begin = max(0, batch.first_posting - first)
                published.append(self._publish(batch, postings[begin : begin + batch.postings], bodies))
        return published

    def published_events(self, until: int | None = None, recorded_by: int | None = None) -> Iterator[list[str]]:
        """Yield the events that `PostingBatch.said` holds of each batch, published already or not.

        With `until`, of the batches up to that position; with `recorded_by`, of those recorded by that time.
        """
        until = self.head.batch if until is None else until
        for page in _pages(self.batches(0, until), lambda batch: batch.header.events):
            for batch, bodies in zip(page, self._bodies(page), strict=True):
                if recorded_by is None or batch.header.recorded <= recorded_by:
                    yield select_published(bodies)

    def _published_events(self, page: Sequence[StoredBatch]) -> list[list[str]]:
        """Return the events that `PostingBatch.said` holds of each of some consecutive batches."""
        return [select_published(bodies) for bodies in self._bodies(page)]

    def _effects(self, _batch: int) -> list[EventEffect]:
        """Return the events of a batch that did not hold: none, as only the writer of the batch has them."""
        return []

    def _publish(self, batch: StoredBatch, found: list[tuple[Any, ...]], bodies: list[str]) -> PublishedBatch:
        header = batch.header
        postings = PostingBatch.of(
            [(measure, day, self.keys.key(key), wafers) for key, measure, day, wafers in found],
            epoch=self.epoch,
            batch=header.batch,
            previous=header.batch - 1,
            events=header.events,
            head=batch.hash.hex(),
            **published_watermarks(header.source, batch.watermark),
            sources=published_sources(header),
            told=batch.sent,
            said=bodies,
        )
        verdict = Recorded(
            batch=header.batch,
            source=header.source,
            through=batch.through,
            recorded=header.events,
            duplicates=header.duplicates,
            refusals=[*self.refusals(header.batch, bodies=False)] if header.refusals else [],
            effects=self._effects(header.batch),
        )
        return PublishedBatch(postings, verdict)


def published_sources(header: BatchHeader) -> list[str]:
    """Return the sources that a `PostingBatch` names: that of its events, unless it is a planner."""
    return [header.source] if header.events and not is_plan_stream(header.stream) else []


def published_watermarks(source: str, watermark: int | None) -> dict[str, dict[str, int | None]]:
    """Return the fields of a `PostingBatch` for the watermark of a stored batch, as `Progress.advance` takes it."""
    if watermark is None or watermark > 0:
        return {"watermarks": {} if watermark is None else {source: watermark}}
    return {"watermarks": {}, "restated": {source: -watermark or None}}


def _pages(batches: Iterable[StoredBatch], rows: Callable[[StoredBatch], int]) -> Iterator[list[StoredBatch]]:
    """Yield runs of batches, each with few enough rows for one query."""
    page: list[StoredBatch] = []
    held = 0
    for batch in batches:
        if page and held + rows(batch) > _PAGE_ROWS:
            yield page
            page, held = [], 0
        page.append(batch)
        held += rows(batch)
    if page:
        yield page
