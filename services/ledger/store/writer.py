"""The writing type of the store: one transaction a batch, fenced against a second ledger."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import count, repeat
from pathlib import Path
from typing import NamedTuple, cast

import orjson

from services.ledger.books.chain import BatchHeader, document, seal
from services.ledger.books.lines import Cell
from services.ledger.books.posting import RULES, Decision
from services.ledger.books.progress import Progress, runs_of
from services.ledger.books.restatement import Replay, Restatement
from services.ledger.store.addresses import connect
from services.ledger.store.batches import ChainHead, NewBatch, StoredBatch, published_bodies
from services.ledger.store.database import WritableDatabase
from services.ledger.store.migrating import migrate
from services.ledger.store.names import GrowingKeyTable, GrowingNameTable, id_key, id_keys
from services.ledger.store.reader import StoreReader, expect_one_store, expect_whole_end, new_memory
from services.ledger.store.working_state import WorkingState
from shared.wire.postings import EventEffect, Measure
from shared.wire.refusal import RefusedEvent
from shared.wire.rows import Row

LINES_MAX = 50_000  # in memory; any other line is read from the store
_UNPUBLISHED_BATCHES = 16  # kept in memory for the publisher, which is seldom further behind


class Fenced(Exception):
    """Another ledger has written to this store: the decision at hand is void."""


class Restated(NamedTuple):
    """The batches of earlier rules that were restated, and the batches that restate them."""

    through: int
    batches: int
    postings: int


def open_writer(
    address: Path | str,
    *,
    epoch: int = 0,
    login: Mapping[str, str] | None = None,
    lines_max: int = LINES_MAX,
    advance: Callable[[int], None] = lambda _: None,
) -> "StoreWriter":
    """Return the store at a path, or at a `postgresql://` URL, for writing; a missing one is made, named `epoch`.

    A store that was posted by earlier rules is restated: `advance` is called with the number of each batch replayed.
    `login` holds connection options that are not in the URL, as a password. Raises the database's error where the
    store cannot be opened, and `StrangeStore` where it is none of ours, or of a later version.
    """
    expect_one_store(address)
    database = connect(address, login=login)
    try:
        migrate(database, epoch=epoch)
        store = StoreWriter(database, lines_max=lines_max)
        expect_whole_end(store)
        if store.rules.version != RULES:
            store.restate(advance)
    except BaseException:
        database.close()
        raise
    return store


class StoreWriter(StoreReader):
    """A store that one ledger at a time writes: `begin`, then `write`, or `rollback` after any error."""

    database: WritableDatabase
    names: GrowingNameTable
    keys: GrowingKeyTable

    def __init__(self, database: WritableDatabase, *, lines_max: int = LINES_MAX) -> None:
        """Read the log of a database that has all the ledger's tables."""
        self._lines_max = lines_max
        self.restated: Restated | None = None  # since it was opened
        super().__init__(database)

    def _load(self) -> None:
        self._loaded = False
        self._unpublished: dict[int, list[str]] = {}  # of the last batches written here: the events to be published
        self._unpublished_effects: dict[int, list[EventEffect]] = {}
        super()._load()
        self._loaded = True

    def _load_tables(self) -> None:
        self.names = GrowingNameTable(self.database)
        self.keys = GrowingKeyTable(self.database, self.names)
        self.working_state = WorkingState(self.database, self.names, self.keys)
        self.memory = new_memory(self)

    # ---------------------------------------------------------------- the transaction

    def begin(self) -> None:
        """Begin the transaction of the next batch by taking its number; raise `Fenced` if another ledger took it.

        After any error from here on, `rollback` must follow.
        """
        if not self._loaded:  # the database was away when `rollback` was to load it again
            before = self.head
            self._load()
            if self.head != before:
                raise Fenced(f"batch {before.batch + 1} was taken meanwhile")
        self.database.begin()
        taken = self.database.execute(
            "UPDATE head SET batch = ? WHERE partition = 0 AND batch = ? AND hash = ?",
            (self.head.batch + 1, self.head.batch, self.head.hash),
        )
        if taken != 1:
            raise Fenced(f"batch {self.head.batch + 1} was taken by another ledger")

    def rollback(self) -> None:
        """Roll back the open transaction, and load again all that may have changed in memory since `begin`."""
        self._loaded = False
        self.database.rollback()
        self._load()

    def expect_alone(self) -> None:
        """Raise `Fenced` if another ledger has written to this store since the last batch written here."""
        batch, hash_ = self._one("SELECT batch, hash FROM head")
        if (batch, bytes(hash_)) != self.head:
            raise Fenced(f"batch {self.head.batch + 1} was taken by another ledger")

    def write(self, batch: NewBatch, *, commit: bool = True) -> ChainHead:
        """Write one batch and commit it, whole or not at all; raise the database's error if it cannot be written.

        Without `commit` the transaction goes on.
        """
        number, decision, postings = self.head.batch + 1, batch.decision, batch.decision.postings()
        source, stream = self.names[batch.source], self.names[batch.stream]
        self._write_log(source, batch, postings)
        refused = [replace(r, path=printable(r.path), message=printable(r.message)) for r in batch.refused]
        if refused:
            self._write_refusals(number, refused)
        self._write_working_state(decision)
        self.database.upsert("offsets", ("stream",), ("entry",), [(stream, batch.entry)])
        through = self._advance(batch).through
        header = BatchHeader(
            number, self.epoch, batch.source, batch.stream, batch.entry, batch.recorded, len(batch.rows),
            batch.duplicates, len(batch.refused), self.head.hash,
        )  # fmt: skip
        hash_ = seal(document(header, batch.bodies, refused))
        self.database.append(
            "batches",
            (
                "batch", "source", "stream", "entry", "recorded", "told", "through", "watermark", "first_event",
                "events", "duplicates", "refusals", "first_posting", "postings", "hash",
            ),
            [(
                number, source, stream, batch.entry, batch.recorded, batch.sent, through, decision.watermark,
                self.last_event + 1, len(batch.rows), batch.duplicates, len(batch.refused), self.last_posting + 1,
                len(postings), hash_,
            )],
        )  # fmt: skip
        self.database.execute("UPDATE head SET batch = ?, hash = ? WHERE partition = 0", (number, hash_))
        if commit:
            self.database.commit()
        self.head = ChainHead(number, hash_)
        self.last_event += len(batch.rows)
        self.last_posting += len(postings)
        self._unpublished[number] = published_bodies(batch.rows, batch.bodies)
        self._unpublished_effects[number] = [
            EventEffect(row.sequence, row.id, effect, why) for row, (effect, why) in decision.effects
        ]
        for unpublished in (self._unpublished, self._unpublished_effects):
            unpublished.pop(number - _UNPUBLISHED_BATCHES, None)
        if len(self.memory.lines) > self._lines_max:
            self.memory.lines.clear()
        return self.head

    def _write_log(self, source: int, batch: NewBatch, postings: Sequence[tuple[Cell, int]]) -> None:
        self.database.append(
            "events",
            ("seq", "source", "id", "body"),
            [*zip(count(self.last_event + 1), repeat(source), id_keys(row.id for row in batch.rows), batch.bodies)],
        )
        self.database.append(
            "postings",
            ("seq", "measure", "day", "key", "wafers"),
            [
                (seq, int(measure), day, self.keys[key], wafers)
                for seq, ((measure, day, key), wafers) in enumerate(postings, self.last_posting + 1)
            ],
        )

    def _write_refusals(self, number: int, refused: Sequence[RefusedEvent]) -> None:
        before = self._one("SELECT coalesce(max(seq), 0) FROM refusals")[0]
        self.database.append(
            "refusals",
            ("seq", "batch", "source", "sequence", "id", "code", "path", "message", "body"),
            [
                (seq, number, self.names[r.source], r.sequence, r.id, r.code, r.path, r.message, r.body)
                for seq, r in enumerate(refused, before + 1)
            ],
        )

    def _write_working_state(self, decision: Decision) -> None:
        names, keys = self.names, self.keys
        self.database.upsert(
            "lines",
            ("owner", "kind", "line"),
            ("state",),
            [
                (names[owner], kind, id_, orjson.dumps(line.state()).decode())
                for (owner, kind, id_), line in decision.lines.items()
            ],
        )
        self.database.upsert(
            "stock",
            ("key", "day"),
            ("wafers",),
            [(keys[key], day, wafers) for (key, day), wafers in decision.stock.items()],
        )
        counts = [((keys[key], day, name), wafers) for (key, day, name), wafers in decision.counts.items()]
        for count_, wafers in counts:
            if wafers is None:
                self.database.execute("DELETE FROM counts WHERE key = ? AND day = ? AND name = ?", count_)
        in_force = [(*count_, wafers) for count_, wafers in counts if wafers is not None]
        self.database.append("counts", ("key", "day", "name", "wafers"), in_force)
        reversals = [(names[source], id_key(id_)) for source, id_ in decision.reversals]
        self.database.append("reversals", ("source", "id"), reversals)

    def _advance(self, batch: NewBatch) -> Progress:
        """Advance the source's progress, and the tallies; return the progress."""
        source, progress = self.names[batch.source], self.progress.setdefault(batch.source, Progress())
        progress.advance(batch.decision.watermark)
        self.database.upsert("sources", ("source",), ("advanced",), [(source, progress.advanced)])
        sequences = [row.sequence for row in batch.rows]
        sequences += [r.sequence for r in batch.refused if r.sequence is not None]
        for first, last in runs_of(sequences):
            replaced, run = progress.add_run(first, last)
            for begun in replaced:
                self.database.execute("DELETE FROM heard WHERE source = ? AND first = ?", (source, begun))
            self.database.append("heard", ("source", "first", "last"), [(source, *run)])
        counted = Counter(row.name for row in batch.rows)
        self.tallies.update(counted)
        self.database.upsert(
            "tallies", ("name",), ("events",), [(self.names[name], self.tallies[name]) for name in counted]
        )
        return progress

    # ---------------------------------------------------------------- restatement

    def restate(self, advance: Callable[[int], None]) -> None:
        """Restate the batches of earlier rules, in one transaction; they stay as they are.

        Batches without events post the difference between all events by today's rules and the stored postings. The
        working state is made anew.
        """
        self.begin()
        try:
            through = self.head.batch
            batches = self._restating_batches(advance)
            for batch in batches:
                self.write(batch, commit=False)
            self.database.upsert("rules", ("first",), ("version",), [(through + 1, RULES)])
            self.database.execute(
                "UPDATE head SET batch = ?, hash = ? WHERE partition = 0", (self.head.batch, self.head.hash)
            )
            self.database.commit()
        except BaseException:
            self.rollback()
            raise
        self._load()
        self.restated = Restated(through, len(batches), sum(len(batch.decision.postings()) for batch in batches))

    def _restating_batches(self, advance: Callable[[int], None]) -> list[NewBatch]:
        """Replay all batches; return those that restate them, and write the working state of the replay."""
        replay, restatement = Replay(self.find_event), Restatement()
        last: dict[str, BatchHeader] = {}
        header = None
        for sealed in self.sealed_batches():
            header = last[sealed.batch.header.source] = sealed.batch.header
            decision = replay.post([Row.read(body) for body in sealed.bodies])
            restatement.add(header.source, sealed.batch.watermark, decision)
            advance(header.batch)
        if header is None:
            return []
        stored = self.database.query("SELECT key, measure, day, sum(wafers) FROM postings GROUP BY key, measure, day")
        restatement.subtract(
            ((Measure(measure), day, self.keys.key(key)), wafers) for key, measure, day, wafers in stored
        )
        for table in ("lines", "stock", "counts", "reversals"):
            self.database.execute(f"DELETE FROM {table}")  # noqa: S608
        self._write_working_state(replay.working_state())
        recorded = header.recorded
        return [
            NewBatch(source, last[source].stream, last[source].entry, recorded, None, [], [], [], 0, decision)
            for source, decision in restatement.decisions(header.source)
        ]

    # ---------------------------------------------------------------- publication

    def _published_events(self, page: Sequence[StoredBatch]) -> list[list[str]]:
        kept = [self._unpublished.get(batch.header.batch) for batch in page]
        if None not in kept:  # just written here: the publisher need not read them again
            return cast(list[list[str]], kept)
        return super()._published_events(page)

    def _effects(self, _batch: int) -> list[EventEffect]:
        return self._unpublished_effects.get(_batch, [])


def printable(text: str) -> str:
    """Return a text that every database and canonical JSON can hold: characters that cannot be printed are escaped.

    The escaped text is stored, and never escaped again: another version of Python may print other characters.
    """
    return text if text.isprintable() else text.encode("unicode_escape").decode()
