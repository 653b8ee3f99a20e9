"""Bugs that are planted to see them found: a checker that never fails proves nothing."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import patch

from services.aggregator.fold.curves import Curves
from services.ledger.store.batches import ChainHead
from services.ledger.store.recording import Outcome, record_entries
from services.ledger.store.sqlite import SqliteDatabase
from services.ledger.store.working_state import WorkingState
from services.ledger.store.writer import StoreWriter
from shared.service.entries import Entry
from shared.wire.postings import PostingBatch
from testing.fold import fresh_store
from tests.simulation import actors, world
from tests.simulation.actors import Ledger, Party
from tests.simulation.world import Ran, run_seed


@contextmanager
def no_unique_index() -> Iterator[None]:
    """Whatever is said again is recorded again."""

    def make_store(path: Path) -> None:
        store = fresh_store(path)
        store.database.execute("DROP INDEX events_identity")
        store.close()

    with patch.object(world, "make_store", make_store), patch.object(WorkingState, "recorded_bodies", lambda *_: {}):
        yield


def _store_offset_apart(*, before: bool) -> Iterator[None]:
    upsert = SqliteDatabase.upsert

    def upsert_all_but_offsets(database: SqliteDatabase, table: str, *others: Any) -> None:
        if table != "offsets":
            upsert(database, table, *others)

    def store_offset(store: StoreWriter, stream: str, entry: str) -> None:
        upsert(store.database, "offsets", ("stream",), ("entry",), [(store.names[stream], entry)])

    def record(
        store: StoreWriter, stream: str, source: str, role: Any, entries: Sequence[Entry], **others: Any
    ) -> Outcome:
        if before:
            store_offset(store, stream, entries[-1][0])
        outcome = record_entries(store, stream, source, role, entries, **others)
        if not before:
            store_offset(store, stream, entries[-1][0])
        return outcome

    with (
        patch.object(SqliteDatabase, "upsert", upsert_all_but_offsets),
        patch.object(actors, "record_entries", record),
    ):
        yield


@contextmanager
def offset_before() -> Iterator[None]:
    """The offset is stored before the transaction of the batch: a crash between the two skips entries."""
    yield from _store_offset_apart(before=True)


@contextmanager
def offset_after() -> Iterator[None]:
    """The offset is stored after the transaction of the batch: a crash between the two reads entries again."""
    yield from _store_offset_apart(before=False)


@contextmanager
def publish_before_commit() -> Iterator[None]:
    """A batch is told when it is written and not yet committed."""
    visit = Ledger.visit

    def tell_first(ledger: Ledger, place: str) -> None:
        if place == "before commit" and ledger.up and not ledger.dead:
            store, head = ledger.store, ledger.store.head
            store.head = ChainHead(*store.database.query("SELECT batch, hash FROM head")[0])
            try:
                ledger.publish()
            finally:
                store.head = head
        visit(ledger, place)

    with patch.object(Ledger, "visit", tell_first):
        yield


@contextmanager
def no_fencing() -> Iterator[None]:
    """Whoever comes takes the next batch, whatever it remembers of the one before."""

    def begin(store: StoreWriter) -> None:
        store.database.begin()
        store.head = ChainHead(*store.database.query("SELECT batch, hash FROM head")[0])
        store.last_event = store.database.query("SELECT coalesce(max(seq), 0) FROM events")[0][0]
        store.last_posting = store.database.query("SELECT coalesce(max(seq), 0) FROM postings")[0][0]
        store.database.execute("UPDATE head SET batch = batch + 1")

    with patch.object(StoreWriter, "begin", begin):
        yield


@contextmanager
def acknowledged_at_once() -> Iterator[None]:
    """The reply to XADD is taken for the ledger's word: the outbox forgets there."""
    send = Party.send

    def send_and_forget(party: Party) -> None:
        send(party)
        party.through = max(party.through, party.sent)

    with patch.object(Party, "send", send_and_forget):
        yield


@contextmanager
def memory_survives_rollback() -> Iterator[None]:
    """What a batch that was rolled back has changed in memory stays there."""

    with patch.object(StoreWriter, "rollback", lambda store: store.database.rollback()):
        yield


@contextmanager
def gap_not_seen() -> Iterator[None]:
    """The aggregator folds whatever comes next."""
    add = Curves.add

    def add_next(curves: Curves, batch: PostingBatch) -> Any:
        curves.position = max(curves.position, batch.previous) if batch.batch > curves.position else curves.position
        return add(curves, batch)

    with patch.object(Curves, "add", add_next):
        yield


@contextmanager
def nothing_sent_again() -> Iterator[None]:
    """The outbox keeps everything, and nobody sends it again."""
    with patch.object(actors, "_RESEND_AFTER_MS", 10**12):
        yield


PLANTS: dict[str, Callable[[], Any]] = {
    plant.__name__: plant
    for plant in (
        no_unique_index, offset_before, offset_after, publish_before_commit, no_fencing, acknowledged_at_once,
        memory_survives_rollback, gap_not_seen, nothing_sent_again,
    )
}  # fmt: skip


def run_planted(plant: str | None, seed: int, say: Callable[[str], None] = lambda _: None) -> Ran:
    """Run the world of a seed with a bug, or with none."""
    with PLANTS[plant]() if plant else nullcontext():
        return run_seed(seed, say)
