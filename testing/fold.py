"""The harness: records events in a real store, and folds the postings as published into curves."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cache
from itertools import chain, repeat
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.queries import BalanceRow, planned_by_day, sum_stages, window_balance
from services.aggregator.fold.series import OPEN
from services.aggregator.terms import Basis, Part
from services.ledger.books.posting import RULES
from services.ledger.store.database import WritableDatabase
from services.ledger.store.migrating import migrate
from services.ledger.store.postgres import PostgresDatabase
from services.ledger.store.reader import StoreReader
from services.ledger.store.recording import Outcome, record_entries
from services.ledger.store.sqlite import SqliteDatabase
from services.ledger.store.writer import LINES_MAX, StoreWriter, open_writer
from shared.wire.batch import BATCH_MAX, EventBatch
from shared.wire.days import day_number, microseconds
from shared.wire.events import EVENTS, PREFIX, VERSION, Event
from shared.wire.firmness import FIRMNESS, Firmness
from shared.wire.postings import Measure, PostingBatch, Recorded
from shared.wire.refusal import Refusal
from shared.wire.streams import Role, party_stream
from testing.projection import Projection, project

AnyEvent = Event | dict[str, Any]
"""An event, or a CloudEvent that may be invalid."""
Cell = tuple[Measure, int, tuple[str, str, str]]

NOW = microseconds(datetime(2101, 1, 1, tzinfo=UTC))
EPOCH = 7
TABLES = (
    "store", "head", "names", "keys", "batches", "events", "refusals", "postings", "lines", "stock", "counts",
    "reversals", "sources", "heard", "offsets", "tallies", "rules",
)  # fmt: skip


class Horizon(NamedTuple):
    """The days that the curves hold."""

    start: date = date(2026, 1, 1)
    days: int = 366


@dataclass
class Folded:
    """The store, curves, outcomes and verdicts of some events."""

    store: StoreWriter
    curves: Curves
    outcomes: list[Outcome] = field(default_factory=list)
    verdicts: list[Recorded] = field(default_factory=list)

    @property
    def state_hash(self) -> str:
        return self.curves.state_hash()

    @property
    def refusals(self) -> list[Refusal]:
        return [refusal for verdict in self.verdicts for refusal in verdict.refusals]

    @property
    def duplicates(self) -> int:
        return sum(outcome.duplicates for outcome in self.outcomes)

    def stages(self, day: date | None = None, **only: str) -> dict[str, int]:
        """The wafers in each stage of all keys that have the given parts, at the end of a day or of all days."""
        grouping = self.curves.group(**only)
        stages = sum_stages(self.curves, grouping, None if day is None else day_number(day))
        found = {name: int(getattr(stages, name).sum()) for name in ("wip", "finished", "in_transit", "on_hand")}
        return found | {"open_commit": int(stages.open_commit.sum())}

    def planned(self, *measures: Measure, **only: str) -> dict[date, int]:
        """The wafers of some plans by day, zeros left out, inside the horizon."""
        daily = planned_by_day(self.curves, self.curves.group(**only), measures).sum(axis=0)
        first = self.curves.start - 1
        return {date.fromordinal(719_163 + first + int(row)): int(daily[row]) for row in daily.nonzero()[0]}

    def open(self, **only: str) -> dict[date, int]:
        """The open commits of all grades by day."""
        return self.planned(*OPEN, **only)

    def project(self, today: date, firmness: str = "planned", **only: Any) -> Projection:
        """The projection of the one product and site of the given parts."""
        assert firmness in FIRMNESS
        (projection,) = project(self.curves, firmness, day_number(today), **only)
        return projection

    def cells(self) -> dict[Cell, int]:
        """The sum of all postings by cell, zeros left out."""
        return cells_of(self.store)


def rolling(
    curves: Curves,
    day: int,
    window_days: int,
    basis: Basis,
    by: Sequence[Part] = (),
    firmness: Firmness | None = None,
    **only: Any,
) -> list[BalanceRow]:
    """The window balances of the groups that some parts of the key make."""
    return window_balance(curves, curves.group(by, **only), day, window_days, basis, firmness)


def cells_of(store: StoreReader) -> dict[Cell, int]:
    """The sum of all postings of a store by cell, zeros left out."""
    cells: dict[Cell, int] = {}
    for stored in store.published_batches(0, 1_000_000):
        batch = stored.postings
        columns = (batch.measures, batch.days, batch.products, batch.sites, batch.suppliers, batch.wafers)
        for measure, day, product, site, supplier, wafers in zip(*columns, strict=True):
            cell = (Measure(measure), day, (batch.names[product], batch.names[site], batch.names[supplier]))
            cells[cell] = cells.get(cell, 0) + wafers
    return {cell: wafers for cell, wafers in cells.items() if wafers}


def fold(
    events: Sequence[AnyEvent],
    *,
    batches: int | Sequence[int] = BATCH_MAX,
    horizon: Horizon = Horizon(),  # noqa: B008
    path: Path | str = ":memory:",
    reopen: bool = False,
    now: int = NOW,
    lines_max: int = LINES_MAX,
) -> Folded:
    """Record events in the order given, and fold their postings as the ledger publishes them.

    `batches` is the most events of a batch, or of the first, the second ..., the rest in batches of any size.
    A batch is of one source, so another source's event begins a new one. `reopen` opens the store before each batch.
    """
    folded = Folded(fresh_store(path, lines_max=lines_max), Curves(*horizon))
    record(folded, events, batches=batches, path=path if reopen else None, now=now)
    catch_up(folded)
    return folded


def fresh_store(path: Path | str = ":memory:", *, lines_max: int = LINES_MAX) -> StoreWriter:
    """Return a new store: on SQLite a copy of a template, as making the tables takes time.

    At a `postgresql://` URL an existing store is emptied, for the same reason.
    """
    if str(path).startswith("postgresql:"):
        return StoreWriter(_emptied(str(path)), lines_max=lines_max)
    database = SqliteDatabase(path)
    _template().connection.backup(database.connection)
    return StoreWriter(database, lines_max=lines_max)


def _emptied(url: str) -> WritableDatabase:
    database = PostgresDatabase(url)
    migrate(database, epoch=EPOCH)
    database.begin()
    for table in TABLES:
        if table not in ("store", "head"):
            database.execute(f"DELETE FROM {table}")  # noqa: S608
    database.execute("UPDATE head SET batch = 0, hash = ?", (bytes(32),))
    database.append("rules", ("first", "version"), [(1, RULES)])
    database.commit()
    return database


@cache
def _template() -> SqliteDatabase:
    database = SqliteDatabase(":memory:")
    migrate(database, epoch=EPOCH)
    return database


def record(
    folded: Folded,
    events: Sequence[AnyEvent],
    *,
    batches: int | Sequence[int] = BATCH_MAX,
    path: Path | str | None = None,
    now: int = NOW,
) -> None:
    """Record more events without folding them. With a path, the store is opened again before each batch."""
    role = roles(events)
    for run in split_by_source(events, batches):
        if path is not None:
            folded.store.close()
            folded.store = open_writer(path)
        source = source_of(run[0])
        bodies = list(encode_entries(run))
        batch = folded.store.head.batch + 1
        entries = [(f"{batch}-{n}", body) for n, body in enumerate(bodies)]
        stream = party_stream(role[source], source)
        folded.outcomes.append(record_entries(folded.store, stream, source, role[source], entries, now=now))


def catch_up(folded: Folded) -> None:
    """Fold the stored batches beyond the curves' position, through the JSON of their entries."""
    for stored in folded.store.published_batches(folded.curves.position, 1_000_000):
        folded.curves.add(PostingBatch.model_validate_json(stored.postings.encode()))
        folded.verdicts.append(Recorded.model_validate_json(stored.verdict.encode()))


def split_by_source(events: Sequence[AnyEvent], batches: int | Sequence[int]) -> Iterator[list[AnyEvent]]:
    """Yield runs of one source, each as long as its number in `batches` allows."""
    sizes = repeat(batches) if isinstance(batches, int) else chain(batches, repeat(BATCH_MAX))
    run: list[AnyEvent] = []
    size = next(sizes)
    for event in events:
        if run and (len(run) >= size or source_of(event) != source_of(run[0])):
            yield run
            run, size = [], next(sizes)
        run.append(event)
    if run:
        yield run


def encode_entries(run: Sequence[AnyEvent]) -> Iterator[bytes]:
    """Yield the entries of events of one source: consecutive sequences as a batch, others alone."""
    batch: list[Event] = []
    for event in (*run, None):
        follows = isinstance(event, Event) and batch and event.sequence == batch[-1].sequence + 1
        if batch and (not follows or len(batch) == BATCH_MAX):
            yield EventBatch.of(batch).encode() if len(batch) > 1 else orjson.dumps(batch[0].cloud_event())
            batch = []
        if isinstance(event, Event):
            batch.append(event)
        elif event is not None:
            yield orjson.dumps(event)


def source_of(event: AnyEvent) -> str:
    """The source of an event."""
    return event.source if isinstance(event, Event) else str(event["source"])


def roles(events: Sequence[AnyEvent]) -> dict[str, Role]:
    """The role of each source, by event types that one role alone may publish; `datacenter` without any."""
    found: dict[str, Role] = {}
    for event in events:
        name = event.data.type if isinstance(event, Event) else _name(event.get("type"))
        allowed = EVENTS[name].published_by if name in EVENTS else frozenset[Role]()
        if len(allowed) == 1:
            found.setdefault(source_of(event), next(iter(allowed)))
    return {source_of(event): found.get(source_of(event), "datacenter") for event in events}


def _name(type_: object) -> str:
    return str(type_).removeprefix(PREFIX).removesuffix(VERSION)
