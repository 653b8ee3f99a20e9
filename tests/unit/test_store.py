"""The store: whole batches or nothing, one writer, a chain that proves it."""

import json
import sqlite3
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ledger.recording import record_entries
from services.ledger.store import Fenced, Progress, Store, open_store
from shared.batch import EventBatch, Row
from shared.events import (
    Event,
    EventReversed,
    ShipmentReceived,
    SourceAdvanced,
    StockCounted,
    StockOpened,
    microseconds,
)
from shared.voice import Voice
from tests.fold import EPOCH, cells_of, fresh_store
from tests.unit.naive_ledger import sum_up

KEY = {"product": "HBM4-12H", "site": "abilene", "supplier": "samsung"}
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
NOW = microseconds(NOON)
TABLES = (
    "store", "head", "names", "keys", "batches", "events", "refusals", "postings", "lines", "stock", "counts",
    "reversals", "sources", "heard", "offsets", "tallies",
)  # fmt: skip


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def voice() -> Voice:
    return Voice("americas")


def say(voice: Voice, count: int = 1, site: str = "abilene") -> list[Event]:
    return [voice.say(NOON, StockOpened(wafers=10, **(KEY | {"site": site}))) for _ in range(count)]


def record(store: Store, events: list[Event], *more: bytes, now: int = NOW) -> Any:
    bodies = [EventBatch.of(events).encode(), *more]
    entries = [(f"{store.head.batch + 1}-{n}", body) for n, body in enumerate(bodies)]
    return record_entries(store, "demand", "americas", "datacenter", entries, now=now, told=NOW + 5)


def contents(path: Path) -> dict[str, list[Any]]:
    """Everything that a store holds."""
    connection = sqlite3.connect(path)
    rows = {table: sorted(connection.execute(f"SELECT * FROM {table}"), key=repr) for table in TABLES}  # noqa: S608
    connection.close()
    return rows


def remembered(store: Store) -> tuple[Any, ...]:
    return (store.head, store.progress, store.last_event, store.last_posting, store.memory.reversed, dict(store._names))


def everything(voice: Voice) -> list[Event]:
    """Events that touch every table."""
    (opened,) = say(voice)
    return [
        opened,
        voice.say(NOON, ShipmentReceived(shipment="s", owner="samsung", wafers=5, wafers_damaged=1, **KEY)),
        voice.say(NOON, StockCounted(counted=7, **KEY)),
        voice.say(NOON, EventReversed(reversed=opened.id, reason="")),
        voice.say(NOON, SourceAdvanced(through=NOON.date())),
    ]


# ---------------------------------------------------------------- whole or not at all


def test_the_offset_is_stored_with_what_was_read_there(path, voice):
    record(open_store(path, epoch=9), say(voice), b"wrong")

    again = open_store(path)
    assert again.offsets() == {"demand": "1-1"}
    assert (again.last_event, len(again.refused()), again.epoch) == (1, 1, 9)


@pytest.mark.parametrize("spare", [0, 1, 3, 6, 10, 15])
def test_a_full_disk_leaves_no_half_batch_and_the_ledger_goes_on_when_there_is_room(path, voice, spare):
    store = open_store(path)
    record(store, everything(voice), b"wrong")
    before, knew = contents(path), remembered(store)
    pages = store.database.connection.execute("PRAGMA page_count").fetchone()[0]
    store.database.connection.execute(f"PRAGMA max_page_count = {pages + spare}")
    log = say(voice, 900)
    with pytest.raises(sqlite3.OperationalError, match="full"):
        record(store, log)

    assert contents(path) == before
    assert remembered(store) == knew

    store.database.connection.execute("PRAGMA max_page_count = 1000000")
    assert record(store, log).events == 900
    assert store.progress["americas"].through == len(log) + 5


def test_a_crash_between_begin_and_commit_leaves_nothing(path, voice, tmp_path):
    """The process dies with its transaction open: what it had written is not there when it starts again."""
    store = open_store(path)
    record(store, everything(voice))
    before = contents(path)
    store.begin()
    store.database.connection.execute("INSERT INTO offsets VALUES (77, '9-9')")
    store.database.connection.execute("DELETE FROM events")
    for suffix in ("", "-wal"):  # what lies on the disk, as a crash leaves it
        (tmp_path / f"crashed.db{suffix}").write_bytes(Path(f"{path}{suffix}").read_bytes())

    assert contents(tmp_path / "crashed.db") == before
    assert open_store(tmp_path / "crashed.db").head == store.head


def test_an_error_while_deciding_leaves_nothing_and_forgets_it(path, voice, monkeypatch):
    store = open_store(path)
    record(store, everything(voice))
    before, knew = contents(path), remembered(store)
    log = say(voice, 2, site="narvik")

    def fail(*_: Any) -> None:
        raise RuntimeError("a bug of ours")

    with monkeypatch.context() as patched:
        patched.setattr(Store, "_advance", fail)
        with pytest.raises(RuntimeError, match="a bug of ours"):
            record(store, log)

    assert contents(path) == before
    assert remembered(store) == knew
    assert record(store, log).events == 2


def test_a_store_opened_again_goes_on_as_the_first_one_would(path, voice):
    log = everything(voice)
    record(open_store(path), log)
    again = open_store(path)
    more = [voice.say(NOON - timedelta(days=1), StockOpened(wafers=3, **KEY)), *say(voice)]
    record(again, more)

    assert remembered(open_store(path)) == remembered(again)
    assert cells_of(again) == sum_up([*log, *more])


# ---------------------------------------------------------------- one writer


def test_of_two_ledgers_on_one_store_the_slower_is_fenced_and_then_goes_on(path, voice):
    first, second = open_store(path), open_store(path)
    record(first, say(voice))
    late = say(voice, site="narvik")
    with pytest.raises(Fenced, match="batch 1"):
        record(second, late)

    assert remembered(second) == remembered(first)
    assert record(second, late).head.batch == 2
    with pytest.raises(Fenced, match="batch 2"):
        record(first, late)
    assert record(first, late).duplicates == 1
    assert contents(path)["head"][0][1] == 3


def test_a_fenced_ledger_leaves_no_transaction_open(path, voice):
    first, second = open_store(path), open_store(path)
    record(first, say(voice))
    with pytest.raises(Fenced):
        record(second, say(voice))

    assert not second.database.connection.in_transaction


def test_a_reader_sees_the_store_as_it_was_when_it_was_opened(path, voice):
    store = open_store(path, epoch=3)
    record(store, say(voice))
    reader = open_store(path, read_only=True)
    record(store, say(voice, site="narvik"))

    assert [batch.header.batch for batch in reader.batches()] == [1]
    assert len(reader.told_batches(0, 10)) == 1
    assert len(open_store(path, read_only=True).told_batches(0, 10)) == 2
    with pytest.raises(sqlite3.OperationalError):
        record(reader, say(voice))


# ---------------------------------------------------------------- the chain


def test_each_head_is_the_hash_of_what_the_format_says(path, voice):
    """As an auditor would write it, from docs/proof.md alone."""
    store = open_store(path, epoch=9)
    said = everything(voice)
    record(store, said, b"wrong", now=NOW + 1)
    record(store, say(voice, 3), now=NOW + 2)
    record(store, say(voice), b"{", b"}", now=NOW + 3)
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
        "batch": 1, "duplicates": 0, "entry": "1-1", "epoch": 9, "events": 5, "previous": "00" * 32,
        "recorded": NOW + 1, "refusals": 1, "source": "americas", "stream": "demand",
    }  # fmt: skip
    assert lines[0] == [
        "americas", 1, said[0].id, "stock.opened", NOW, None, None, 10, None, "HBM4-12H", "abilene", "samsung", None,
        None, None,
    ]  # fmt: skip
    assert lines[-1][:5] == ["americas", None, None, "malformed", ""]
    assert lines[-1][6] == sha256(b"wrong").hexdigest()
    assert [batch.header.recorded for batch in store.batches(after=1)] == [NOW + 2, NOW + 3]


def test_the_chain_tells_the_order_of_arrival(voice):
    log = say(voice, 2)
    heads = []
    for order in (log, log[::-1]):
        store = fresh_store()
        for event in order:
            record(store, [event])
        heads.append(store.head.hash)

    assert heads[0] != heads[1]


# ---------------------------------------------------------------- reading


def test_a_row_comes_back_as_it_was_said(voice):
    store = fresh_store()
    log = everything(voice)
    record(store, log)

    [sealed] = store.sealed_batches()
    assert [Row.read(body).event() for body in sealed.bodies] == log
    assert store.event_row("americas", log[0].id).event() == log[0]
    assert store.event_row("emea", log[0].id) is None


def test_the_verdict_on_an_event_is_recorded_refused_or_unknown(voice):
    store = fresh_store()
    log = say(voice, 3)
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


def test_refusals_are_told_of_a_batch_of_all_and_the_latest_in_order(voice):
    store = fresh_store()
    for bodies in ((b"1", b"2"), (), (b"3",)):
        record(store, say(voice), *bodies)

    assert [[refusal.body for refusal in store.refused(batch)] for batch in (1, 2, 3)] == [[b"1", b"2"], [], [b"3"]]
    assert [refusal.body for refusal in store.refused()] == [b"1", b"2", b"3"]
    assert [refusal.body for refusal in store.refused(latest=2)] == [b"2", b"3"]


def test_told_batches_are_told_in_pages_each_naming_its_predecessor(voice):
    store = fresh_store()
    for _ in range(5):
        record(store, say(voice))
    pages = [store.told_batches(after, 2) for after in (0, 2, 4, 5)]
    postings = [stored.postings for page in pages for stored in page]

    assert [len(page) for page in pages] == [2, 2, 1, 0]
    assert [(batch.previous, batch.batch, batch.epoch) for batch in postings] == [(n, n + 1, EPOCH) for n in range(5)]
    assert postings[-1].head == store.head.hash.hex()
    assert postings[0].told == NOW + 5


def test_a_source_of_which_all_was_refused_is_told_so_but_has_not_spoken(voice):
    store = fresh_store()
    record_entries(store, "demand", "americas", "datacenter", [("1-0", b"?")], now=NOW)

    (stored,) = store.told_batches(0, 9)
    assert stored.postings.sources == []
    told = stored.verdict
    assert (told.source, told.recorded, len(told.refusals)) == ("americas", 0, 1)


def test_counts_are_of_what_is_recorded(voice):
    store = fresh_store()
    record(store, everything(voice), b"wrong")

    assert dict(store.tallies) == {
        "shipment.received": 1, "stock.opened": 1, "stock.counted": 1, "event.reversed": 1, "source.advanced": 1,
    }  # fmt: skip


# ---------------------------------------------------------------- how far a source has come


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 8)), max_size=20))
def test_runs_are_the_set_of_sequences_that_were_heard(spans):
    progress, heard, stored = Progress(), set(), {}
    for first, more in spans:
        heard |= set(range(first, first + more + 1))
        replaced, run = progress.reach(first, first + more)
        for gone in replaced:
            del stored[gone]
        stored[run[0]] = run[1]

    assert {n for first, last in progress.runs for n in range(first, last + 1)} == heard
    assert progress.runs == sorted(stored.items())
    assert all(last + 1 < first for (_, last), (first, _) in zip(progress.runs, progress.runs[1:], strict=False))
    assert progress.through == next(n for n in range(70) if n + 1 not in heard)
    assert progress.newest == max(heard, default=0)


def test_a_number_that_is_never_said_costs_one_run_for_ever(path):
    """A tape may lack the events that were refused; what lies beyond must not grow with the log."""
    voice, store = Voice("americas"), open_store(path)
    for n in range(30):
        log = say(voice, 40)
        record(store, log[1:] if n == 10 else log)

    assert store.progress["americas"].runs == open_store(path).progress["americas"].runs == [(1, 400), (402, 1200)]
    assert store.progress["americas"].ahead == [(402, 1200)]
    assert store.told_batches(29, 1)[0].verdict.through == 400
    assert [run for _, *run in contents(path)["heard"]] == [[1, 400], [402, 1200]]
