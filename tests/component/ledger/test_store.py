"""The store: whole batches or nothing, one writer, a chain that proves it; on SQLite and on PostgreSQL."""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from hashlib import sha256
from sqlite3 import OperationalError
from typing import Any

import pytest
from psycopg.pq import TransactionStatus

from services.ledger.books.progress import Progress
from services.ledger.store.database import WritableDatabase
from services.ledger.store.recording import record_entries
from services.ledger.store.writer import Fenced, StoreWriter, open_writer
from services.operator.record.proof import verify
from shared.play.numbering import Numbering
from shared.wire.events import DemandRequired, EventReversed, StockOpened, WafersConsumed
from shared.wire.rows import Row
from testing.books import KEY, NOON, NOW, connect_to, emit_one_of_each, emit_openings, in_memory, record, table_rows
from testing.fold import EPOCH, cells_of, fresh_store
from testing.servers.postgres import cut_off
from testing.twins.ledger import sum_up


@pytest.fixture
def numbering() -> Numbering:
    return Numbering("americas")


# ---------------------------------------------------------------- whole or not at all


def test_the_offset_is_stored_with_what_was_read_there(open_here, numbering):
    record(open_here(epoch=9), emit_openings(numbering), b"wrong")  # an epoch is of a new store, and this one is there

    again = open_here()
    assert again.offsets() == {"demand": "1-1"}
    assert (again.last_event, len(again.refusals()), again.epoch) == (1, 1, EPOCH)


def test_an_error_while_deciding_leaves_nothing_and_forgets_it(place, open_here, numbering, monkeypatch):
    store = open_here()
    record(store, emit_one_of_each(numbering))
    before, knew = table_rows(place), in_memory(store)
    log = emit_openings(numbering, 2, site="narvik")

    def fail(*_: Any) -> None:
        raise RuntimeError("a bug of ours")

    with monkeypatch.context() as patched:
        patched.setattr(Progress, "advance", fail)
        with pytest.raises(RuntimeError, match="a bug of ours"):
            record(store, log)

    assert table_rows(place) == before
    assert in_memory(store) == knew
    assert record(store, log).events == 2


def test_a_store_opened_again_goes_on_as_the_first_one_would(open_here, numbering):
    log = emit_one_of_each(numbering)
    record(open_here(), log)
    again = open_here()
    more = [numbering.emit(NOON - timedelta(days=1), StockOpened(wafers=3, **KEY)), *emit_openings(numbering)]
    record(again, more)

    assert in_memory(open_here()) == in_memory(again)
    assert cells_of(again) == sum_up([*log, *more])


@pytest.mark.parametrize("made", [True, False])
def test_a_commit_that_fails_or_whose_answer_is_lost_counts_once(open_here, numbering, monkeypatch, made):
    store, log = open_here(), emit_one_of_each(numbering)
    record(store, emit_openings(numbering))
    commit = store.database.commit

    def fail() -> None:
        if made:
            commit()
        raise store.database.failure("the connection is gone")

    with monkeypatch.context() as patched:
        patched.setattr(store.database, "commit", fail)
        with pytest.raises(store.database.failure, match="is gone"):
            record(store, log)

    assert in_memory(store) == in_memory(open_here(read_only=True))
    again = record(store, log)
    assert (again.events, again.duplicates) == ((0, 5) if made else (5, 0))
    assert verify(open_here(read_only=True)).wrong is None


def test_a_store_that_could_not_be_read_again_is_read_before_the_next_batch(open_here, numbering, monkeypatch):
    store, log = open_here(), emit_one_of_each(numbering)

    def fail(*_: Any) -> None:
        raise store.database.failure("the database is away")

    with monkeypatch.context() as patched:
        patched.setattr(store.database, "commit", fail)
        patched.setattr(store.database, "snapshot", fail)
        with pytest.raises(store.database.failure, match="is away"):
            record(store, log)

    assert record(store, log).events == 5
    assert in_memory(store) == in_memory(open_here(read_only=True))
    assert verify(open_here(read_only=True)).wrong is None


def test_a_store_that_another_ledger_wrote_to_while_it_could_not_be_read_is_fenced(open_here, numbering, monkeypatch):
    store, log = open_here(), emit_one_of_each(numbering)

    def fail(*_: Any) -> None:
        raise store.database.failure("the database is away")

    with monkeypatch.context() as patched:
        patched.setattr(store.database, "commit", fail)
        patched.setattr(store.database, "snapshot", fail)
        with pytest.raises(store.database.failure):
            record(store, log)
    record(open_here(), log)

    with pytest.raises(Fenced, match="batch 1 was taken meanwhile"):
        record(store, log)
    assert record(store, log).duplicates == 5


def test_a_connection_that_is_cut_in_the_midst_of_a_batch_leaves_nothing_and_comes_again(
    postgres_store, numbering, monkeypatch
):
    store = open_writer(postgres_store)
    record(store, emit_one_of_each(numbering))
    before, knew, log = table_rows(postgres_store), in_memory(store), emit_openings(numbering, 900, site="narvik")
    advance = Progress.advance

    def cut_and_advance(*arguments: Any) -> Any:
        assert cut_off(postgres_store) == 1
        return advance(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(Progress, "advance", cut_and_advance)
        with pytest.raises(store.database.failure):
            record(store, log)

    assert (table_rows(postgres_store), in_memory(store)) == (before, knew)
    assert record(store, log).events == 900
    store.close()


# ---------------------------------------------------------------- one writer


def test_of_two_ledgers_on_one_store_the_slower_is_fenced_and_then_goes_on(place, open_here, numbering):
    first, second = open_here(), open_here()
    record(first, emit_openings(numbering))
    late = emit_openings(numbering, site="narvik")
    with pytest.raises(Fenced, match="batch 1"):
        record(second, late)

    assert in_memory(second) == in_memory(first)
    assert record(second, late).head.batch == 2
    with pytest.raises(Fenced, match="batch 2"):
        record(first, late)
    assert record(first, late).duplicates == 1
    assert table_rows(place)["head"][0][1] == 3


def test_a_ledger_sees_that_it_is_not_alone_before_it_records_anything(open_here, numbering):
    first, second = open_here(), open_here()
    second.expect_alone()
    record(first, emit_openings(numbering))

    first.expect_alone()
    with pytest.raises(Fenced, match="batch 1"):
        second.expect_alone()


def test_a_fenced_ledger_leaves_no_transaction_open(open_here, numbering):
    first, second = open_here(), open_here()
    record(first, emit_openings(numbering))
    with pytest.raises(Fenced):
        record(second, emit_openings(numbering))

    assert not is_open(second)


def is_open(store: StoreWriter) -> bool:
    """Whether a store has a transaction open."""
    connection = store.database.connection
    if store.database.dialect == "sqlite":
        return bool(connection.in_transaction)
    return connection.info.transaction_status is not TransactionStatus.IDLE


class Interrupted:
    """A database between whose answers something happens once, before so many of them are given."""

    def __init__(self, database: WritableDatabase, at: int, happens: Callable[[], Any]) -> None:
        self.database, self.left, self.happens = database, at, happens

    def __getattr__(self, name: str) -> Any:
        asked = getattr(self.database, name)
        if name not in ("query", "execute", "append", "upsert", "find", "begin", "commit"):
            return asked

        def answer(*arguments: Any) -> Any:
            self.left -= 1
            if self.left == 0:
                self.happens()
            return asked(*arguments)

        return answer


@pytest.mark.parametrize("at", range(1, 46, 2))
def test_a_ledger_that_another_interrupts_at_any_moment_is_whole_or_fenced(place, open_here, numbering, at):
    opened, early = emit_openings(numbering), emit_openings(numbering, site="narvik")
    undone = [
        numbering.emit(NOON, EventReversed(reversed=opened[0].id, reason="")),
        *emit_openings(numbering, site="goodyear"),
    ]
    other = open_here()
    impatient = {"sqlite": "PRAGMA busy_timeout = 0", "postgresql": "SET lock_timeout = '20ms'"}
    other.database.connection.execute(impatient[other.database.dialect])
    record(other, early)

    def interrupt() -> None:
        with suppress(other.database.failure):  # it must wait: the batch is taken
            record(other, undone)

    database = connect_to(place)
    with suppress(Fenced, *([OperationalError] if other.database.dialect == "sqlite" else [])):
        record(StoreWriter(Interrupted(database, at, interrupt)), opened)
    database.close()

    again = open_here(read_only=True)
    assert verify(again).wrong is None
    assert cells_of(again) == sum_up(
        Row.read(body).event() for sealed in again.sealed_batches() for body in sealed.bodies
    )


def test_a_reader_sees_the_store_as_it_was_when_it_was_opened(open_here, numbering):
    store = open_here()
    record(store, emit_openings(numbering))
    reader = open_here(read_only=True)
    record(store, emit_openings(numbering, site="narvik"))

    assert [batch.header.batch for batch in reader.batches()] == [1]
    assert len(reader.published_batches(0, 10)) == 1
    assert len(open_here(read_only=True).published_batches(0, 10)) == 2
    with pytest.raises(reader.database.failure):
        record(StoreWriter(reader.database), emit_openings(numbering))


# ---------------------------------------------------------------- the chain


def test_each_head_is_the_hash_of_what_the_format_says(open_here, numbering):
    """As an auditor would write it, from docs/proof.md alone."""
    store = open_here()
    said = emit_one_of_each(numbering)
    record(store, said, b"wrong", now=NOW + 1)
    record(store, emit_openings(numbering, 3), now=NOW + 2)
    record(store, emit_openings(numbering), b"{", b"}", now=NOW + 3)
    head, documents = "00" * 32, []
    for sealed in store.sealed_batches():
        document = sealed.document()
        header, *lines = [json.loads(line) for line in document.decode().splitlines()]
        assert document.endswith(b"\n")
        assert header["previous"] == head
        assert len(lines) == header["events"] + header["refusals"]
        head = sha256(document).hexdigest()
        documents.append((header, lines))

    assert store.head == (3, bytes.fromhex(head))
    header, lines = documents[0]
    assert header == {
        "batch": 1, "duplicates": 0, "entry": "1-1", "epoch": EPOCH, "events": 5, "previous": "00" * 32,
        "recorded": NOW + 1, "refusals": 1, "source": "americas", "stream": "demand",
    }  # fmt: skip
    assert lines[0] == [
        "americas", 1, said[0].id, "stock.opened", NOW, None, None, 10, None, "HBM4-12H", "abilene", "samsung", None,
        None, None,
    ]  # fmt: skip
    assert lines[-1][:5] == ["americas", None, None, "malformed", ""]
    assert lines[-1][6] == sha256(b"wrong").hexdigest()
    assert [batch.header.recorded for batch in store.batches(after=1)] == [NOW + 2, NOW + 3]


def test_the_chain_tells_the_order_of_arrival(store, numbering):
    log = emit_openings(numbering, 2)
    heads = []
    for each, order in ((store, log), (fresh_store(), log), (fresh_store(), log[::-1])):
        for event in order:
            record(each, [event])
        heads.append(each.head)

    assert heads[0] == heads[1] != heads[2]


# ---------------------------------------------------------------- reading


def test_a_row_comes_back_as_it_was_said(store, numbering):
    log = emit_one_of_each(numbering)
    record(store, log)

    [sealed] = store.sealed_batches()
    assert [Row.read(body).event() for body in sealed.bodies] == log
    assert store.load_event("americas", log[0].id).event() == log[0]
    assert store.load_event("emea", log[0].id) is None


def test_the_verdict_on_an_event_is_recorded_refused_or_unknown(store, numbering):
    log = emit_openings(numbering, 3)
    record(store, [log[0]])
    record(store, [log[1]], b'{"source":"americas","id":"%s"}' % log[2].id.encode())
    verdict = store.verdict("americas", log[1].id)

    assert (verdict["status"], verdict["seq"], verdict["batch"]) == ("recorded", 2, 2)
    assert verdict["event"] == log[1].cloud_event() | {"recordedtime": "2026-01-05T12:00:00.000000Z"}
    refused = store.verdict("americas", log[2].id)
    assert (refused["status"], refused["batch"], refused["code"]) == ("refused", 2, "malformed")
    assert (
        store.verdict("emea", log[0].id) == store.verdict("americas", "0" * 8 + log[0].id[8:]) == {"status": "unknown"}
    )


def test_refusals_are_told_of_a_batch_of_all_and_the_latest_in_order(store, numbering):
    for bodies in ((b"1", b"2"), (), (b"3",)):
        record(store, emit_openings(numbering), *bodies)

    assert [[refusal.body for refusal in store.refusals(batch)] for batch in (1, 2, 3)] == [[b"1", b"2"], [], [b"3"]]
    assert [refusal.body for refusal in store.refusals()] == [b"1", b"2", b"3"]
    assert [refusal.body for refusal in store.refusals(latest=2)] == [b"2", b"3"]


def test_an_empty_entry_is_refused_and_told_with_its_body_and_without(store):
    record_entries(store, "demand", "americas", "datacenter", [("1-0", b"")], now=NOW)

    assert [refusal.body for refusal in store.refusals()] == [b""]
    assert [refusal.code for refusal in store.refusals(bodies=False)] == ["malformed"]
    assert [refusal.code for refusal in store.published_batches(0, 9)[0].verdict.refusals] == ["malformed"]


def test_told_batches_are_told_in_pages_each_naming_its_predecessor(store, numbering):
    for _ in range(5):
        record(store, emit_openings(numbering))
    pages = [store.published_batches(after, 2) for after in (0, 2, 4, 5)]
    postings = [stored.postings for page in pages for stored in page]

    assert [len(page) for page in pages] == [2, 2, 1, 0]
    assert [(batch.previous, batch.batch, batch.epoch) for batch in postings] == [(n, n + 1, EPOCH) for n in range(5)]
    assert postings[-1].head == store.head.hash.hex()
    assert postings[0].told == NOW + 5


def test_what_events_say_of_lines_is_told_with_the_batch_and_again_from_the_store(open_here):
    writer, numbering = open_here(), Numbering("americas")
    order = DemandRequired(
        line="o", due=NOON.date(), start_by=NOON.date(), priority=1, wafers=7, revision=0, **KEY
    )  # fmt: skip
    logs = [
        [numbering.emit(NOON, order), *emit_one_of_each(numbering)],  # of its six events three are of lines
        emit_openings(numbering, 3),
        [numbering.emit(NOON, WafersConsumed(phase="demand.required", wafers=1, **KEY))],
        [*emit_openings(numbering), numbering.emit(NOON, order.model_copy(update={"revision": 1}))],
    ]
    for log in logs:
        record(writer, log)
    record(writer, logs[0])  # all of it was said before
    reader = open_here(read_only=True)

    told = [stored.postings.said for stored in writer.published_batches(0, 9)]
    assert [[(row.sequence, row.name) for row in map(Row.read, said)] for said in told] == [
        [
            (1, "demand.required"), (3, "shipment.received"), (5, "event.reversed"), (6, "source.advanced"),
            (4, "stock.counted"),  # the last other event of its day
        ],
        [(9, "stock.opened")],
        [(10, "wafers.consumed")],
        [(12, "demand.required"), (11, "stock.opened")],
        [],
    ]  # fmt: skip
    assert [stored.postings.said for stored in reader.published_batches(0, 9)] == told
    assert [reader.published_batches(n, 1)[0] for n in range(5)] == writer.published_batches(0, 9)
    assert [*reader.published_events()] == [*writer.published_events()] == told
    assert [*reader.published_events(until=3)] == told[:3]
    assert [*reader.published_events(recorded_by=NOW - 1)] == []
    assert not any(stored.postings.said for stored in writer.published_batches(0, 9, events=False))


def test_what_was_forgotten_since_it_was_written_is_told_from_the_store(store, numbering):
    for n in range(40):
        record(store, emit_one_of_each(numbering) if n % 2 else emit_openings(numbering))
    page = store.published_batches(0, 40)

    assert [len(stored.postings.said) for stored in page] == [1, 4] * 20
    assert [store.published_batches(n, 1)[0] for n in range(40)] == page


def test_a_source_of_which_all_was_refused_is_told_so_but_has_not_spoken(store, numbering):
    record_entries(store, "demand", "americas", "datacenter", [("1-0", b"?")], now=NOW)

    (stored,) = store.published_batches(0, 9)
    assert stored.postings.sources == []
    told = stored.verdict
    assert (told.source, told.recorded, len(told.refusals)) == ("americas", 0, 1)


def test_counts_are_of_what_is_recorded(store, numbering):
    record(store, emit_one_of_each(numbering), b"wrong")

    assert dict(store.tallies) == {
        "shipment.received": 1, "stock.opened": 1, "stock.counted": 1, "event.reversed": 1, "source.advanced": 1,
    }  # fmt: skip


# ---------------------------------------------------------------- how far a source has come


def test_a_number_that_is_never_said_costs_one_run_for_ever(place, open_here):
    """A tape may lack the events that were refused; what lies beyond must not grow with the log."""
    numbering, store = Numbering("americas"), open_here()
    for n in range(30):
        log = emit_openings(numbering, 40)
        record(store, log[1:] if n == 10 else log)

    assert store.progress["americas"].runs == open_here().progress["americas"].runs == [(1, 400), (402, 1200)]
    assert store.progress["americas"].ahead == [(402, 1200)]
    assert store.published_batches(29, 1)[0].verdict.through == 400
    assert [run for _, *run in table_rows(place)["heard"]] == [[1, 400], [402, 1200]]
