"""The ledger alone, from the bytes of an entry to the commit, against other stores: events a second.

In turn, several rounds in one run, pinned to one core, each into a new file on the same disk, every commit durable
(SQLite: WAL and synchronous=FULL for all), the same events of the reference programme in the same transactions:

- ours: `record_entries`, entries and portions as the service makes them, on SQLite and on PostgreSQL;
- bare: the final rows of our store, inserted by sqlite3 alone, by executemany, nothing checked;
- eventsourcing: from the same entry bytes to its recorder's commit, through its mapper, nothing checked; its recorder
  alone, given ready StoredEvents of our canonical bytes; and its application, given ready events;
- ORM: one SQLAlchemy object and one commit an event, as in a tutorial;
- verifying the chain, and proving everything, over the store just made.

Then one store grows, and the cost of an event in it is compared, in turn, with that of the same event in a young one.
"""

import argparse
import gc
import json
import math
import multiprocessing
import os
import platform
import re
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from itertools import count, pairwise
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from uuid import NAMESPACE_URL, uuid5

import orjson
import psycopg
from eventsourcing.application import Application
from eventsourcing.domain import DomainEvent
from eventsourcing.persistence import StoredEvent
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore
from sqlalchemy import UniqueConstraint, create_engine
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from bench.docs import DOCS, cpu_name, write_docs
from bench.path import enter, prepare
from services.ledger.books.chain import seal
from services.ledger.books.memory import Memory
from services.ledger.books.posting import post_events
from services.ledger.store.reader import StoreReader
from services.ledger.store.recording import record_entries, split_entries
from services.ledger.store.writer import StoreWriter, open_writer
from services.operator.record.proof import Proof, verify, verify_chain
from shared.service.service import calm_collector
from shared.wire.batch import BATCH_MAX
from shared.wire.days import DAY_US
from shared.wire.entry_reader import read_entry
from shared.wire.rows import canonical_bodies
from shared.wire.streams import Role, party_stream
from testing.servers import postgres

TAPE = 300_000  # events: 1e5, 1e6 and 1e7 lie at the same place of it when it is repeated
STRETCH = 50_000  # events to either side of where a growing store is looked at
YOUNG = 100_000
PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "cache_size=-65536", "wal_autocheckpoint=4000")  # as our store sets


class Portion(NamedTuple):
    """The entries of one transaction."""

    source: str
    role: Role
    entries: list[tuple[str, bytes]]
    events: int


class Taken(NamedTuple):
    """The time of some events."""

    events: int
    wall_s: float
    cpu_s: float

    @property
    def events_per_s(self) -> float:
        """By the clock on the wall."""
        return self.events / self.wall_s

    @property
    def wall_us(self) -> float:
        """Microseconds an event by the clock on the wall."""
        return self.wall_s / self.events * 1e6

    @property
    def cpu_us(self) -> float:
        """Microseconds of processor an event."""
        return self.cpu_s / self.events * 1e6


# ---------------------------------------------------------------- our store


def post_portion(store: StoreWriter, portion: Portion) -> None:
    """Record a portion as the service does; raise if anything in it was not taken."""
    outcome = record_entries(
        store,
        party_stream(portion.role, portion.source),
        portion.source,
        portion.role,
        portion.entries,
        now=0,
        sent=0,
        trust_recorded=True,
    )
    if outcome.events != portion.events:
        raise RuntimeError(f"of {portion.events} events {outcome.events} were recorded: {outcome.refused[:1]}")


@contextmanager
def opened(address: Path | str) -> Iterator[StoreWriter]:
    """Open a store of ours, make it if there is none."""
    store = open_writer(address, epoch=1)
    try:
        yield store
    finally:
        store.close()


def prove(verify: Callable[[StoreReader], Proof], store: StoreReader, events: int) -> None:
    """Verify a store; raise if anything is wrong in it, or missing."""
    found = verify(store)
    if found.wrong is not None or found.events != events:
        raise RuntimeError(f"{found.events} of {events} events: {found.wrong}")


def profile_stages(portions: Sequence[Portion], folder: Path) -> dict[str, float]:
    """Return the microseconds an event spends in each stage, medians of all portions; the store's is the rest."""
    stages: dict[str, list[float]] = {"decode": [], "check": [], "digest": [], "decide": [], "store": [], "whole": []}
    memory = Memory()
    with opened(folder / "ledger.db") as store:
        for portion in portions:
            marks = [time.perf_counter()]
            for _, body in portion.entries:
                orjson.loads(body)
            marks.append(time.perf_counter())
            rows = [row for _, body in portion.entries for row in read_entry(body, portion.source, portion.role)[0]]
            marks.append(time.perf_counter())
            seal("\n".join(canonical_bodies(rows)).encode())
            marks.append(time.perf_counter())
            post_events(rows, memory)
            marks.append(time.perf_counter())
            post_portion(store, portion)
            marks.append(time.perf_counter())
            decode, read, hashed, decided, whole = (
                (end - start) / portion.events * 1e6 for start, end in pairwise(marks)
            )
            shares = (decode, read - decode, hashed, decided, whole - read - hashed - decided, whole)
            for name, share in zip(stages, shares, strict=True):
                stages[name].append(share)
    return {name: round(statistics.median(shares), 2) for name, shares in stages.items()}


# ---------------------------------------------------------------- the other stores


class Bare:
    """The rows of a store, inserted by sqlite3 alone.

    Every table's rows in the order of its key, dealt evenly over as many transactions as the store took: each row once,
    as it is in the end, so that nothing is ever replaced. That is less work than the store has.
    """

    def __init__(self, path: Path, transactions: int) -> None:
        """Read all rows of a store."""
        with closing(sqlite3.connect(path)) as connection:
            self.page_size: int = connection.execute("PRAGMA page_size").fetchone()[0]
            self.schema: list[str] = [
                sql for (sql,) in connection.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL")
            ]
            self.transactions: list[list[tuple[str, list[Any]]]] = [[] for _ in range(transactions)]
            for (table,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
                rows = connection.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608
                for n, transaction in enumerate(self.transactions):
                    dealt = rows[len(rows) * n // transactions : len(rows) * (n + 1) // transactions]
                    if dealt:
                        cells = ",".join("?" * len(rows[0]))
                        transaction.append((f"INSERT INTO {table} VALUES ({cells})", dealt))  # noqa: S608

    def insert(self, path: Path) -> Callable[[], None]:
        """Return a function that inserts them all into a new file."""
        connection = sqlite3.connect(path, isolation_level=None)
        for pragma in (f"page_size={self.page_size}", *PRAGMAS):
            connection.execute(f"PRAGMA {pragma}")
        for statement in self.schema:
            connection.execute(statement)

        def insert() -> None:
            for transaction in self.transactions:
                connection.execute("BEGIN IMMEDIATE")
                for sql, rows in transaction:
                    connection.executemany(sql, rows)
                connection.execute("COMMIT")
            connection.close()

        return insert


class Said(DomainEvent):
    """An event as a user of eventsourcing would have it, its cells in one list, which is the cheapest to write."""

    cells: list[Any]


class Peers:
    """The input of the other stores, made once, before the clock runs."""

    def __init__(self, portions: Sequence[Portion]) -> None:
        """Make the events of all portions; a source is an originator, so that its events stand in order."""
        read = [
            [row for _, body in portion.entries for row in read_entry(body, portion.source, portion.role)[0]]
            for portion in portions
        ]
        ids = self.ids = {portion.source: uuid5(NAMESPACE_URL, portion.source) for portion in portions}
        self.portions = portions
        now = datetime.now(UTC)
        self.rows = [
            (row.source, row.id, body) for rows in read for row, body in zip(rows, canonical_bodies(rows), strict=True)
        ]
        self.stored = [
            [
                StoredEvent(ids[row.source], row.sequence, row.name, body.encode())
                for row, body in zip(rows, canonical_bodies(rows), strict=True)
            ]
            for rows in read
        ]
        self.ready = [
            [
                Said(originator_id=ids[r.source], originator_version=r.sequence, timestamp=now, cells=list(r))
                for r in rows
            ]
            for rows in read
        ]

    def recorder(self, path: Path) -> Callable[[], None]:
        """Return a function that records the ready bytes with the recorder of eventsourcing."""
        datastore = SQLiteDatastore(str(path), pool_size=1)
        _set_pragmas(datastore)
        recorder = SQLiteApplicationRecorder(datastore)
        recorder.create_table()

        def record() -> None:
            for stored in self.stored:
                recorder.insert_events(stored)
            datastore.close()

        return record

    def mapped(self, path: Path) -> Callable[[], None]:
        """Return a function that reads entries as ours does, and records their events with eventsourcing."""
        application = _application(path)

        def save() -> None:
            now = datetime.now(UTC)
            for portion in self.portions:
                events = (
                    Said(originator_id=self.ids[portion.source], originator_version=n, timestamp=now, cells=cells)
                    for _, body in portion.entries
                    for n, cells in _cells(orjson.loads(body))
                )
                application.recorder.insert_events([application.mapper.to_stored_event(event) for event in events])
            application.close()

        return save

    def application(self, path: Path) -> Callable[[], None]:
        """Return a function that saves the ready events with an application of eventsourcing."""
        application = _application(path)

        def save() -> None:
            for events in self.ready:
                application.save(*events)
            application.close()

        return save

    def orm(self, path: Path, events: int) -> Callable[[], None]:
        """Return a function that saves each event with an ORM, a commit each."""
        engine = create_engine(f"sqlite:///{path}")

        @sqlalchemy_event.listens_for(engine, "connect")
        def set_pragmas(connection: sqlite3.Connection, _: object) -> None:
            for pragma in PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")

        _Model.metadata.create_all(engine)

        def record() -> None:
            with Session(engine) as session:
                for source, event, body in self.rows[:events]:
                    session.add(_EventRow(source=source, event=event, body=body))
                    session.commit()
            engine.dispose()

        return record


def _application(path: Path) -> Any:
    application: Any = Application(
        env={"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": str(path), "SQLITE_POOL_SIZE": "1"}
    )
    _set_pragmas(application.factory.datastore)
    return application


def _cells(batch: dict[str, Any]) -> Iterator[tuple[int, list[Any]]]:
    """Yield the number and the cells of each row of a decoded entry."""
    columns = [batch[column] for column in batch if isinstance(batch[column], list)]
    for n, cells in enumerate(zip(*columns, strict=True), batch["sequence"]):
        yield n, list(cells)


def _set_pragmas(datastore: SQLiteDatastore) -> None:
    with datastore.get_connection(commit=True) as connection:
        for pragma in PRAGMAS:
            connection.cursor().execute(f"PRAGMA {pragma}")


class _Model(DeclarativeBase):
    pass


class _EventRow(_Model):
    __tablename__ = "events"
    __table_args__ = (UniqueConstraint("source", "event"),)
    seq: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str]
    event: Mapped[str]
    body: Mapped[str]


# ---------------------------------------------------------------- PostgreSQL


@contextmanager
def postgres_server() -> Iterator[str | None]:
    """Start a PostgreSQL of this machine as it comes, fsync and all; None where there is none."""
    named, binaries = os.environ.get(postgres.NAMED), postgres._binaries()
    if named or binaries is None:
        yield named
    else:
        with postgres._running(binaries) as server:
            yield server.url


@contextmanager
def new_database(server: str) -> Iterator[str]:
    """Make an empty database, gone afterwards."""
    name = f"waferline_bench_{os.getpid()}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'".encode())
        try:
            yield urlsplit(server)._replace(path=f"/{name}").geturl()
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


# ---------------------------------------------------------------- measuring


def prepare_portions(events: int) -> list[Portion]:
    """Return events of the reference programme as the ledger gets them, the portions in the order they are full."""
    load = prepare(events)
    said_by: dict[str, list[tuple[str, bytes]]] = {}
    for n, (source, run) in enumerate(load.batches[: events // BATCH_MAX], start=1):
        said_by.setdefault(source, []).append((f"{n}-0", enter(run).body))
    portions = [
        Portion(source, load.roles[source], portion, len(portion) * BATCH_MAX)
        for source, entries in said_by.items()
        for portion in split_entries(entries)
    ]
    return sorted(portions, key=lambda portion: int(portion.entries[-1][0][:-2]))


def take(events: int, work: Callable[[], None]) -> Taken:
    """Return the time of a piece of work; earlier writes are on disk before it begins."""
    gc.collect()
    os.sync()
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Taken(events, time.perf_counter() - wall, time.process_time() - cpu)


def measure_fdatasync(folder: Path, times: int = 200) -> float:
    """Return the median time to have 4 KB on disk, in microseconds."""
    taken = []
    with (folder / "blocks").open("wb", buffering=0) as file:
        os.posix_fallocate(file.fileno(), 0, 4096 * times)
        os.fsync(file.fileno())
        for _ in range(times):
            file.write(b"x" * 4096)
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1e6


class Round(NamedTuple):
    """One turn of everything."""

    ours: Taken
    bare: Taken
    mapped: Taken
    recorder: Taken
    application: Taken
    orm: Taken
    chain: Taken
    whole: Taken
    postgres: Taken | None
    fdatasync_us: float


def measure_round(
    portions: Sequence[Portion], peers: Peers, orm_events: int, folder: Path, server: str | None
) -> Round:
    """Return the time of each, one after the other."""
    events = sum(portion.events for portion in portions)

    def post(store: StoreWriter) -> None:
        for portion in portions:
            post_portion(store, portion)

    with opened(folder / "ledger.db") as store:
        ours = take(events, lambda: post(store))
        chain = take(events, lambda: prove(verify_chain, store, events))
        whole = take(events, lambda: prove(verify, store, events))
    bare = Bare(folder / "ledger.db", len(portions))
    postgres = None
    if server is not None:
        with new_database(server) as address, opened(address) as store:
            postgres = take(events, lambda: post(store))
    return Round(
        ours=ours,
        bare=take(events, bare.insert(folder / "bare.db")),
        mapped=take(events, peers.mapped(folder / "mapped.db")),
        recorder=take(events, peers.recorder(folder / "recorder.db")),
        application=take(events, peers.application(folder / "application.db")),
        orm=take(orm_events, peers.orm(folder / "orm.db", orm_events)),
        chain=chain,
        whole=whole,
        postgres=postgres,
        fdatasync_us=measure_fdatasync(folder),
    )


# ---------------------------------------------------------------- growing


class Tape:
    """Portions that can be repeated, later each time, with other ids, other lines and other days.

    A name begins with its repetition, so the names of one repetition are neighbours in the index, as those of later
    months and higher numbers are. At its end it would scatter them, and a transaction would change ever more pages.
    """

    def __init__(self, portions: list[Portion]) -> None:
        """Collect the sequences, lines and times of the portions."""
        self.portions = portions
        self.events = sum(portion.events for portion in portions)
        self.sequences: dict[str, int] = {}
        self.lines: set[str] = set()
        times: list[int] = []
        for portion in portions:
            for _, body in portion.entries:
                batch = orjson.loads(body)
                self.sequences[portion.source] = self.sequences.get(portion.source, 0) + len(batch["ids"])
                self.lines.update(filter(None, batch.get("lines", ())))
                times += (min(batch["times"]), max(batch["times"]))
        self.days = (max(times) - min(times)) // DAY_US + 1

    def play(self, events: int) -> Iterator[Portion]:
        """Yield portions of so many events, repeating the tape."""
        for again in count():
            for portion in self.portions:
                if events <= 0:
                    return
                yield portion if again == 0 else self._moved(portion, again)
                events -= portion.events

    def _moved(self, portion: Portion, again: int) -> Portion:
        days = self.days * again

        def move_id(id_: str) -> str:
            time_ms = f"{int(id_[:8] + id_[9:13], 16) + days * 86_400_000:012x}"  # a UUIDv7 begins with its time
            return f"{time_ms[:8]}-{time_ms[8:]}{id_[13:]}"

        def move_text(found: re.Match[str]) -> str:
            text = found[1]
            if text in self.lines:
                return f'"{again}.{text}"'
            if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
                return f'"{date.fromisoformat(text) + timedelta(days=days)}"'
            return (
                f'"{move_id(text)}"' if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text) else found[0]
            )

        moves: dict[str, Callable[[Any], Any]] = {
            "ids": move_id,
            "causes": move_id,
            "correlations": move_id,
            "times": lambda time_us: time_us + days * DAY_US,
            "days": lambda day: day + days,
            "lines": lambda line: f"{again}.{line}",
            "rests": lambda rest: re.sub(r'"([^"]*)"', move_text, rest),
        }
        entries = []
        for entry_id, body in portion.entries:
            batch = orjson.loads(body)
            batch["sequence"] += self.sequences[portion.source] * again
            batch["recorded"] = moves["times"](batch["recorded"])
            for column, move in moves.items():
                if column in batch:
                    batch[column] = [None if cell is None else move(cell) for cell in batch[column]]
            entries.append((f"{int(entry_id[:-2]) + again * self.events}-0", orjson.dumps(batch)))
        return portion._replace(entries=entries)


class Stretch(NamedTuple):
    """The time of the events around one size, in the store of that size and in a young one."""

    grown: Taken
    young: Taken


class Growth(NamedTuple):
    """The cost of an event in a store as it grows."""

    curve: list[tuple[int, float]]  # events in the store, µs an event
    stretches: dict[int, Stretch]  # by the events in the store
    bytes_per_event: float


def measure_growth(tape: Tape, until: int, folder: Path) -> Growth:
    """Grow one store; around 1e6 and 1e7 a young one, which holds 1e5, takes its own copy of the same events in turn.

    So the two differ only in their size: not in the events, and not in the machine's other work.
    """
    sizes = [10**n for n in range(5, round(math.log10(until)) + 1)]
    young = {size: _begin_young(tape, folder / f"young-{size}.db") for size in sizes if size != YOUNG}
    taken: dict[int, list[tuple[Taken, Taken]]] = {size: [] for size in sizes}
    curve: list[tuple[int, float]] = []
    since: list[Taken] = []
    held, reported_at = 0, time.monotonic()
    with opened(folder / "grown.db") as store:
        for portion in tape.play(until + STRETCH):
            near = next((size for size in sizes if size - STRETCH <= held < size + STRETCH), None)
            if near is not None and near in young and not taken[near]:
                next(young[near])
            since.append(_post(store, portion))
            held += portion.events
            if near is not None:
                taken[near].append((since[-1], next(young[near]) if near in young else since[-1]))
            if (latest := _sum(since)).events >= max(10_000, held // 12):
                curve.append((held, latest.wall_us))
                since = []
            if time.monotonic() - reported_at > 20:
                reported_at = time.monotonic()
                print(f"  {held:,} of {until:,} events, {curve[-1][1]:.1f} µs an event", flush=True)
    stretches = {size: Stretch(*map(_sum, zip(*pairs, strict=True))) for size, pairs in taken.items()}
    return Growth(curve, stretches, (folder / "grown.db").stat().st_size / held)


def _begin_young(tape: Tape, path: Path) -> Iterator[Any]:
    """Fork a process for a store of its own; yield None once that holds half of 1e5, then the time of each portion.

    A process of its own, as the two stores would otherwise evict each other's memory.
    """
    forking = multiprocessing.get_context("fork")
    ours, its = forking.Pipe()
    process = forking.Process(target=_post_in_turn, args=(its, tape, path), daemon=True)
    process.start()
    its.close()

    def turns() -> Iterator[Any]:
        with ours:
            while process.is_alive():
                ours.send(None)
                yield ours.recv()

    return turns()


def _post_in_turn(pipe: Connection, tape: Tape, path: Path) -> None:
    """Fill a store to half of 1e5 when asked, then post a portion each time."""
    calm_collector()
    pipe.recv()
    held, taken = 0, None
    with opened(path) as store:
        for portion in tape.play(YOUNG + STRETCH):
            if held < YOUNG - STRETCH:
                _post(store, portion)
            else:
                pipe.send(taken)
                pipe.recv()
                taken = _post(store, portion)
            held += portion.events
        pipe.send(taken)


def _post(store: StoreWriter, portion: Portion) -> Taken:
    wall, cpu = time.perf_counter(), time.process_time()
    post_portion(store, portion)
    return Taken(portion.events, time.perf_counter() - wall, time.process_time() - cpu)


def _sum(taken: Iterable[Taken]) -> Taken:
    events, wall, cpu = zip(*taken, strict=True)
    return Taken(sum(events), sum(wall), sum(cpu))


def draw_growth(growth: Growth) -> str:
    """Return the curve as SVG: events in the store on a logarithmic axis, microseconds an event from zero up."""
    width, height, left, top, right, bottom = 720, 300, 56, 24, 44, 44
    first, last = 4.0, math.log10(max(growth.curve[-1][0], *growth.stretches))
    most = math.ceil(max(cost for _, cost in growth.curve) / 5 + 0.2) * 5

    def x(events: float) -> float:
        return round(left + (math.log10(events) - first) / (last - first) * (width - left - right), 1)

    def y(cost: float) -> float:
        return round(height - bottom - cost / most * (height - top - bottom), 1)

    marks = [
        f'<line x1="{left}" x2="{width - right}" y1="{y(cost)}" y2="{y(cost)}" stroke="#ddd"/>'
        f'<text x="{left - 8}" y="{y(cost) + 4}" text-anchor="end">{cost}</text>'
        for cost in range(0, most + 1, 5)
    ] + [
        f'<line x1="{x(10**n)}" x2="{x(10**n)}" y1="{top}" y2="{height - bottom}" stroke="#ddd"/>'
        f'<text x="{x(10**n)}" y="{height - bottom + 18}" text-anchor="middle">{10**n:,}</text>'
        for n in range(4, int(last) + 1)
    ]
    curve = " ".join(f"{x(events)},{y(cost)}" for events, cost in growth.curve if events >= 10**first)
    points = [
        f'<circle cx="{x(size)}" cy="{y(cost)}" r="4" fill="#b03060"/>'
        f'<text x="{x(size)}" y="{y(cost) - 12}" text-anchor="middle">{cost:.1f}</text>'
        for size, cost in ((size, stretch.grown.wall_us) for size, stretch in growth.stretches.items())
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">',
            "<style>text { font: 12px sans-serif; fill: #444 }</style>",
            f'<rect width="{width}" height="{height}" fill="#fff"/>',
            *marks,
            f'<polyline points="{curve}" fill="none" stroke="#2060a0" stroke-width="1.5"/>',
            *points,
            f'<text x="{left}" y="14">µs an event, from the entry to the commit</text>',
            f'<text x="{width - right}" y="{height - 8}" text-anchor="end">events in the store</text>',
            "</svg>\n",
        ]
    )


def main() -> None:
    """Measure, print tables, and end with the line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=200_000, help="events in a round, at most 300,000")
    parser.add_argument("--orm-events", type=int, default=3_000, help="of them for the ORM")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each, in turn")
    parser.add_argument("--quick", action="store_true", help="grow the store to 1e6 events only, not to 1e7")
    parser.add_argument("--plot", action="store_true", help="draw docs/ledger-cost.svg")
    parser.add_argument("--write", action="store_true", help="write the figures into docs/performance.md")
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"), help="on the disk to measure")  # noqa: S108
    arguments = parser.parse_args()
    core = max(os.sched_getaffinity(0))
    with postgres_server() as server:  # before this process goes to its one core: the server may use them all
        os.sched_setaffinity(0, {core})
        print(f"on core {core} alone; preparing {TAPE:,} events of the reference programme ...", flush=True)
        tape = Tape(prepare_portions(TAPE))
        portions = list(tape.play(arguments.events))
        events = sum(portion.events for portion in portions)
        peers = Peers(portions)
        gc.collect()
        calm_collector()  # as the service does, and for all alike
        rounds = []
        for n in range(arguments.rounds):
            with tempfile.TemporaryDirectory(prefix="bench-", dir=arguments.folder) as folder:
                rounds.append(measure_round(portions, peers, arguments.orm_events, Path(folder), server))
            print(f"round {n + 1}: {_tell(rounds[-1])}", flush=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=arguments.folder) as folder:
        stages = profile_stages(portions, Path(folder))
    del peers
    until = 10**6 if arguments.quick else 10**7
    print(f"growing a store to {until:,} events ...", flush=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=arguments.folder) as folder:
        growth = measure_growth(tape, until, Path(folder))
    lines = _tables(rounds, stages, growth, events, len(portions))
    print("\n".join(["", *lines, ""]))
    result = _result(rounds, stages, growth, events)
    if arguments.plot:
        (DOCS / "ledger-cost.svg").write_text(draw_growth(growth))
    if arguments.write:
        picture = ["", "![The cost of an event as the store grows](ledger-cost.svg)"] if arguments.plot else []
        write_docs("make bench-ledger ARGS=--write", [*lines, *picture], result)
    print(json.dumps(result))


def _rate(rounds: Sequence[Round], what: str) -> float | None:
    """Return the median events a second of a thing, None where it was not measured."""
    taken = [getattr(r, what) for r in rounds]
    return None if None in taken else statistics.median(t.events_per_s for t in taken)


def _versus(rounds: Sequence[Round], what: str) -> float:
    """Return our speed as a multiple of another's: the median over the rounds."""
    return statistics.median(r.ours.events_per_s / getattr(r, what).events_per_s for r in rounds)


def _tell(one: Round) -> str:
    rates = ((name, value.events_per_s) for name, value in one._asdict().items() if isinstance(value, Taken))
    return ", ".join(f"{name} {rate:,.0f}/s" for name, rate in rates) + f", fdatasync {one.fdatasync_us:.0f} µs"


def _tables(
    rounds: Sequence[Round], stages: dict[str, float], growth: Growth, events: int, transactions: int
) -> list[str]:
    """Return the figures as they stand in the docs."""
    cpu = statistics.median(r.ours.events / r.ours.cpu_s for r in rounds)
    said_of = {
        "ours": ("`record_entries` on SQLite, entry to commit", ""),
        "postgres": ("the same on PostgreSQL", ""),
        "bare": ("the rows of that store, bare `executemany`, no check", f"{_versus(rounds, 'bare'):.2f}"),
        "mapped": (
            "eventsourcing, entry to commit by its mapper and recorder, no check",
            f"{_versus(rounds, 'mapped'):.2f}",
        ),
        "recorder": (
            "eventsourcing, its recorder alone: ready bytes, four columns, no check",
            f"{_versus(rounds, 'recorder'):.2f}",
        ),
        "application": (
            "eventsourcing, its application: ready events",
            f"{_versus(rounds, 'application'):.2f}",
        ),
        "orm": ("SQLAlchemy ORM, a commit an event", f"{_versus(rounds, 'orm'):.1f}"),
        "chain": ("verifying: the chain", ""),
        "whole": ("verifying: everything", ""),
    }
    rates = {what: _rate(rounds, what) for what in said_of}
    setting = (
        f"{events:,} events in {transactions} transactions, {len(rounds)} rounds in turn, medians, on one core "
        f"({cpu_name()}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}); 4 KB to disk take "
        f"{statistics.median(r.fdatasync_us for r in rounds):.0f} µs; {cpu:,.0f} events a second of processor."
    )
    return [
        setting,
        "",
        "| | events/s | ours, as a multiple |",
        "|---|---:|---:|",
        *(f"| {said_of[what][0]} | {rate:,.0f} | {said_of[what][1]} |" for what, rate in rates.items() if rate),
        "",
        "| stage | µs an event |",
        "|---|---:|",
        *(f"| {name} | {share} |" for name, share in stages.items()),
        "",
        "| events in the store | µs an event | of processor | the same in a store of 100,000, in turn | of processor |",
        "|---:|---:|---:|---:|---:|",
        *(
            f"| {size:,} | {grown.wall_us:.1f} | {grown.cpu_us:.1f} | {young.wall_us:.1f} | {young.cpu_us:.1f} |"
            for size, (grown, young) in growth.stretches.items()
        ),
    ]


def _result(rounds: Sequence[Round], stages: dict[str, float], growth: Growth, events: int) -> dict[str, Any]:
    largest = max(growth.stretches)
    grown, young = growth.stretches[largest]

    def whole(rate: float | None) -> int | None:
        return None if rate is None else round(rate)

    return {
        "bench": "ledger",
        "sqlite_events_per_s": whole(_rate(rounds, "ours")),
        "postgres_events_per_s": whole(_rate(rounds, "postgres")),
        "vs_bare_insert": round(_versus(rounds, "bare"), 3),
        "vs_eventsourcing": round(_versus(rounds, "mapped"), 3),
        "vs_eventsourcing_recorder_alone": round(_versus(rounds, "recorder"), 3),
        "vs_eventsourcing_application": round(_versus(rounds, "application"), 2),
        "vs_orm_per_event": round(_versus(rounds, "orm"), 1),
        "verify_events_per_s": whole(_rate(rounds, "chain")),
        "verify_whole_events_per_s": whole(_rate(rounds, "whole")),
        f"cost_growth_1e5_to_1e{round(math.log10(largest))}": round(grown.wall_us / young.wall_us, 2),
        "cost_growth_of_processor": round(grown.cpu_us / young.cpu_us, 2),
        "cost_us": {f"1e{round(math.log10(n))}": round(s.grown.wall_us, 2) for n, s in growth.stretches.items()},
        "stages_us": stages,
        "sqlite_events_per_cpu_s": round(statistics.median(r.ours.events / r.ours.cpu_s for r in rounds)),
        "bytes_per_event": round(growth.bytes_per_event),
        "events": events,
        "rounds": len(rounds),
        "python": platform.python_version(),
        "cpu": cpu_name(),
        "fdatasync_us": round(statistics.median(r.fdatasync_us for r in rounds)),
    }


if __name__ == "__main__":
    main()
