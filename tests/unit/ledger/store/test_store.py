"""The store, where only SQLite or no database is asked; what both databases must do is in tests/component."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.ledger.store.migrating import StrangeStore
from services.ledger.store.reader import open_reader
from services.ledger.store.writer import open_writer
from shared.play.numbering import Numbering
from shared.wire.events import ShipmentReceived
from testing.books import emit_one_of_each, emit_openings, in_memory, record, table_rows


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "ledger.db")


@pytest.fixture
def numbering() -> Numbering:
    return Numbering("americas")


@pytest.mark.parametrize("spare", [0, 1, 3, 6, 10, 15])
def test_a_full_disk_leaves_no_half_batch_and_the_ledger_goes_on_when_there_is_room(path, numbering, spare):
    store = open_writer(path)
    record(store, emit_one_of_each(numbering), b"wrong")
    before, knew = table_rows(path), in_memory(store)
    pages = store.database.connection.execute("PRAGMA page_count").fetchone()[0]
    store.database.connection.execute(f"PRAGMA max_page_count = {pages + spare}")
    log = emit_openings(numbering, 900)
    with pytest.raises(sqlite3.OperationalError, match="full"):
        record(store, log)

    assert table_rows(path) == before
    assert in_memory(store) == knew

    store.database.connection.execute("PRAGMA max_page_count = 1000000")
    assert record(store, log).events == 900
    assert store.progress["americas"].through == len(log) + 5


def test_a_crash_between_begin_and_commit_leaves_nothing(path, numbering, tmp_path):
    """The process dies with its transaction open: what it had written is not there when it starts again."""
    store = open_writer(path)
    record(store, emit_one_of_each(numbering))
    before = table_rows(path)
    store.begin()
    store.database.connection.execute("INSERT INTO offsets VALUES (77, '9-9')")
    store.database.connection.execute("DELETE FROM events")
    for suffix in ("", "-wal"):  # what lies on the disk, as a crash leaves it
        (tmp_path / f"crashed.db{suffix}").write_bytes(Path(f"{path}{suffix}").read_bytes())

    assert table_rows(str(tmp_path / "crashed.db")) == before
    assert open_writer(str(tmp_path / "crashed.db")).head == store.head


@pytest.mark.parametrize("scheme", ["mysql", "postgresql+psycopg", "sqlite"])
def test_an_address_that_is_no_store_is_refused_and_makes_no_file(tmp_path, monkeypatch, scheme):
    monkeypatch.chdir(tmp_path)
    for open_store in (open_writer, open_reader):
        with pytest.raises(StrangeStore, match=r"names no store: it is a path, or a postgresql:// URL$"):
            open_store(f"{scheme}://me:secret@there/ledger")

    assert list(tmp_path.iterdir()) == []


def test_names_are_numbered_in_an_order_that_no_hash_decides(numbering):
    owners = ["o4", "o1", "o7", "o3", "o6", "o2", "o5", "o8"]
    key = {"product": "HBM4-12H", "site": "abilene", "supplier": "samsung"}
    store = open_writer(":memory:")
    received = [ShipmentReceived(shipment="s", owner=o, wafers=5, wafers_damaged=0, **key) for o in owners]
    record(store, [numbering.emit(datetime(2026, 1, 5, tzinfo=UTC), each) for each in received])

    assert [name for _, name in sorted(store.names.texts.items()) if name in owners] == owners


def test_lines_are_read_in_pages_and_each_once(numbering):
    store = open_writer(":memory:")
    key = {"product": "HBM4-12H", "site": "abilene", "supplier": "samsung"}
    received = [
        ShipmentReceived(shipment=f"s{n}", owner=f"o{n % 3}", wafers=5, wafers_damaged=0, **key) for n in range(10)
    ]
    record(store, [numbering.emit(datetime(2026, 1, 5, tzinfo=UTC), each) for each in received])

    read = list(store.working_state.lines(page_lines=3))
    assert len(read) == 10
    assert dict(read) == store.memory.lines
