"""Events for a store, its table rows, and its state in memory: for the tests of both databases."""

from datetime import UTC, datetime
from typing import Any

from services.ledger.store.database import WritableDatabase
from services.ledger.store.postgres import PostgresDatabase
from services.ledger.store.reader import StoreReader
from services.ledger.store.recording import Outcome, record_entries
from services.ledger.store.sqlite import SqliteDatabase
from services.ledger.store.writer import StoreWriter
from shared.play.numbering import Numbering
from shared.wire.batch import EventBatch
from shared.wire.days import microseconds
from shared.wire.events import Event, EventReversed, ShipmentReceived, SourceAdvanced, StockCounted, StockOpened
from testing.fold import TABLES

KEY = {"product": "HBM4-12H", "site": "abilene", "supplier": "samsung"}
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
NOW = microseconds(NOON)


def connect_to(address: str, *, read_only: bool = False) -> WritableDatabase:
    """A connection to the database at an address."""
    kind = PostgresDatabase if address.startswith("postgresql:") else SqliteDatabase
    return kind(address, read_only=read_only)


def emit_openings(numbering: Numbering, count: int = 1, site: str = "abilene") -> list[Event]:
    return [numbering.emit(NOON, StockOpened(wafers=10, **(KEY | {"site": site}))) for _ in range(count)]


def emit_one_of_each(numbering: Numbering) -> list[Event]:
    """Events that touch every table."""
    (opened,) = emit_openings(numbering)
    return [
        opened,
        numbering.emit(NOON, ShipmentReceived(shipment="s", owner="samsung", wafers=5, wafers_damaged=1, **KEY)),
        numbering.emit(NOON, StockCounted(counted=7, **KEY)),
        numbering.emit(NOON, EventReversed(reversed=opened.id, reason="")),
        numbering.emit(NOON, SourceAdvanced(through=NOON.date())),
    ]


def record(store: StoreWriter, events: list[Event], *more: bytes, now: int = NOW) -> Outcome:
    bodies = [EventBatch.of(events).encode(), *more]
    entries = [(f"{store.head.batch + 1}-{n}", body) for n, body in enumerate(bodies)]
    return record_entries(store, "demand", "americas", "datacenter", entries, now=now, sent=NOW + 5)


def table_rows(address: str) -> dict[str, list[Any]]:
    """The rows of every table of a store."""
    database = connect_to(address, read_only=True)
    rows = {table: sorted(database.query(f"SELECT * FROM {table}"), key=repr) for table in TABLES}  # noqa: S608
    database.close()
    return rows


def in_memory(store: StoreReader) -> tuple[Any, ...]:
    """The state of a store in memory, which a second store opened there must share."""
    reversals = store.memory.reversed if isinstance(store, StoreWriter) else store.working_state.reversals()
    return (store.head, store.progress, store.last_event, store.last_posting, reversals, dict(store.names))
