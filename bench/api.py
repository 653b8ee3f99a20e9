"""Latency of every route of the aggregator at 10,000 keys, while it folds 10,000 events a second.

The real process runs on a Redis of its own. Its history has the form of the ledger's entries: every key with 500 days
of movements behind today and two years of plans before it, posted by the ledger's own `post_events`. Three phases:

- start: the whole history waits on the stream while the process starts and answers;
- live: batches of 250 events arrive forty times a second: movements of today, some late, revisions of plans, and a day
  that ends every three seconds;
- growth: with nothing folded, the same keys arrive for the first time at the same rate.

The client requests 25 pages a second, each timed from the moment it was due, over a few open connections. All entries
are encoded beforehand, so that publisher and client leave the processor to the measured process.
"""

import argparse
import asyncio
import gc
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import orjson
import uvloop
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from bench.path import fresh_redis
from services.ledger.books.memory import Memory
from services.ledger.books.posting import post_events
from shared.wire.batch import BATCH_MAX
from shared.wire.days import DAY_US, date_of, day_number
from shared.wire.firmness import FIRMNESS
from shared.wire.postings import LINE_EVENTS, PostingBatch
from shared.wire.rows import Row, canonical_bodies
from shared.wire.streams import BALANCES, DATA, POSTINGS

PRODUCTS = ("HBM3E-12H", "HBM4-12H", "DDR5-16G", "DDR5-32G", "LP5X-16G")
SITES, SUPPLIERS = 500, 4
EVENTS_PER_S, LIVE_MAX, PAGES_PER_S, DAY_LASTS_S = 10_000, 250, 25, 3
HISTORY_DAYS, PLAN_DAYS, EVERY_DAYS = 500, 730, 30
TODAY = day_number(date(2027, 1, 1))
CONNECTIONS = 8
PAGE_MAX = 200
_STARTED_WITHIN_S, _FOLDED_WITHIN_S, _ANSWERED_WITHIN_S = 60, 300, 60

PAGES = (
    "/balances",
    "/balances?by=product&window=90&basis=receipt",
    "/balances?by=product&window=365&basis=receipt&firmness=planned",
    "/balances?by=site,supplier&window=7",
    "/balances?by=product,site&window=30&after=HBM4-12H/site-250",
    "/balances?by=product,site,supplier&window=365&basis=receipt&firmness=firm&after=DDR5-32G/site-100/supplier-1",
    "/balances?by=supplier&site=site-042&window=30&basis=receipt",
    "/shortages",
    "/shortages?firmness=firm&past_due=true",
    "/shortages?firmness=manufacturing&product=HBM4-12H&offset=20",
    "/shortages?why=true",
    "/cover?fill_rate=true",
    "/cover",
    "/cover?product=DDR5-32G&offset=100",
    "/cover?site=site-042",
    "/atp?at=sites",
    "/atp?at=sites&bucket=day&buckets=60&firmness=firm",
    "/atp?site=site-042",
    "/atp?at=sites&product=LP5X-16G&after=LP5X-16G/site-300",
    "/suppliers/supplier-1/performance",
)


# ---------------------------------------------------------------- the ledger's entries


class Entries(NamedTuple):
    """The ledger's entries of some batches, without the time of publication."""

    bodies: list[bytes]
    postings: int


class World:
    """The events of every key, one source a batch, posted as by the ledger; the same for the same seed."""

    def __init__(self, sites: int, seed: int = 2026) -> None:
        self.random = Random(seed)  # noqa: S311 (the same seed, the same world)
        self.suppliers = [f"supplier-{n}" for n in range(SUPPLIERS)]
        self.sites = [f"site-{n:03}" for n in range(sites)]
        self.keys = [(p, s, u) for p in PRODUCTS for s in self.sites for u in self.suppliers]
        self.keys_of: dict[str, list[tuple[str, str, str]]] = {}
        for key in self.keys:
            self.keys_of.setdefault(key[2], []).append(key)
            self.keys_of.setdefault(self._buyer(key[1]), []).append(key)
        self.sources = sorted(self.keys_of)
        self.memory = Memory()
        self.sequence = 0
        self.batch = 0
        self.revisions: dict[str, int] = {}
        self.on_the_way: dict[str, list[tuple[tuple[str, str, str], str, int]]] = {s: [] for s in self.sources}

    def _buyer(self, site: str) -> str:
        return f"buyer-{int(site[-3:]) % SUPPLIERS}"

    def row(self, source: str, name: str, day: int, **cells: Any) -> Row:
        """Return one event at noon of a day."""
        self.sequence += 1
        rest = cells.pop("rest", None)
        key = dict(zip(("product", "site", "supplier"), cells.pop("key", (None,) * 3), strict=True))
        columns = dict.fromkeys(("line", "day", "wafers", "revision")) | {"day": cells.pop("on", None)} | cells
        return Row(
            source=source,
            sequence=self.sequence,
            id=f"00000000-0000-4000-8000-{self.sequence:012x}",
            name=name,
            time=day * DAY_US + DAY_US // 2,
            rest=None if rest is None else orjson.dumps(rest, option=orjson.OPT_SORT_KEYS).decode(),
            cause=None,
            correlation=None,
            **columns,
            **key,
        )

    def plan(self, key: tuple[str, str, str], due: int, day: int, wafers: int, kind: str) -> Row:
        """Return the next revision of a plan's line that is due on a day."""
        product, site, supplier = key
        line = f"{kind[0]}-{product}-{site}-{supplier}-{due // EVERY_DAYS}"
        revision = self.revisions[line] = self.revisions.get(line, 0) + 1
        rest: dict[str, Any] | None = None
        if kind == "supply.committed":
            rest = {"firmness": FIRMNESS[max(0, min(4, 4 - (due - TODAY) // 120))], "reason": "as agreed"}
        elif kind == "demand.required":
            rest = {"start_by": date_of(due - 120).isoformat(), "priority": 3}
        source = supplier if kind == "supply.committed" else self._buyer(site)
        return self.row(source, kind, day, line=line, on=due, wafers=wafers, revision=revision, key=key, rest=rest)

    def move(self, key: tuple[str, str, str], day: int, kind: str) -> Row:
        """Return a movement of a key on a day."""
        product, site, supplier = key
        wafers = self.random.randint(5, 25)
        if kind == "lot.started":
            return self.row(supplier, kind, day, line=f"L{self.sequence}", on=day + 90, wafers=wafers, key=key)
        if kind == "lot.finished":
            rest = {"yield_variance": self.random.randint(0, 1)}
            return self.row(supplier, kind, day, line=f"L{self.sequence}", wafers=wafers, key=key, rest=rest)
        if kind == "shipment.dispatched":
            shipment, due = f"S{self.sequence}", day + 10
            commit = f"s-{product}-{site}-{supplier}-{due // EVERY_DAYS}"
            self.on_the_way[self._buyer(site)].append((key, shipment, wafers))
            rest = {"commit": commit, "lots": []}
            return self.row(supplier, kind, day, line=shipment, on=due, wafers=wafers, key=key, rest=rest)
        if kind == "shipment.received":
            key, shipment, wafers = self.on_the_way[self._buyer(site)].pop(0)
            rest = {"owner": key[2], "wafers_damaged": 0}
            return self.row(self._buyer(site), kind, day, line=shipment, wafers=wafers, key=key, rest=rest)
        return self.row(self._buyer(site), kind, day, line=f"phase-{site}", wafers=wafers, key=key)

    def encode(self, rows: Sequence[Row]) -> tuple[bytes, int]:
        """Return the entry of a batch of one source's events, and the number of its postings."""
        decision = post_events(rows, self.memory)
        postings = [(measure, day, key, wafers) for (measure, day, key), wafers in decision.postings()]
        self.batch += 1
        line_events = [body for row, body in zip(rows, canonical_bodies(rows), strict=True) if row.name in LINE_EVENTS]
        source = rows[0].source
        batch = PostingBatch.of(
            postings,
            epoch=1,
            batch=self.batch,
            previous=self.batch - 1,
            events=len(rows),
            head=f"{self.batch:064x}",
            watermarks={} if decision.watermark is None else {source: decision.watermark},
            sources=[source],
            told=None,
            said=line_events,
        )
        return orjson.dumps({name: value for name, value in dict(batch).items() if name != "told"}), len(postings)

    def history(self) -> Entries:
        """Return all entries up to yesterday: plans first, then movements day by day, of one source after the other."""
        rows: dict[str, list[Row]] = {source: [] for source in self.sources}
        batches: list[tuple[bytes, int]] = []
        begin = TODAY - HISTORY_DAYS

        def say(row: Row) -> None:
            rows[row.source].append(row)
            if len(rows[row.source]) == BATCH_MAX:
                flush(row.source)

        def flush(source: str) -> None:
            if rows[source]:
                batches.append(self.encode(rows[source]))
                rows[source] = []

        for month in range(PLAN_DAYS // EVERY_DAYS):
            for n, key in enumerate(self.keys):
                due = TODAY + month * EVERY_DAYS + n % EVERY_DAYS
                wafers = self.random.randint(20, 50)
                say(self.plan(key, due, begin, wafers, "demand.required"))
                say(self.plan(key, due, begin, wafers, "demand.forecast"))
                say(self.plan(key, due, begin, wafers - self.random.randint(0, 16), "supply.committed"))
        for day in range(begin, TODAY):
            for n in range(day % EVERY_DAYS, len(self.keys), EVERY_DAYS):
                key = self.keys[n]
                kinds = ["lot.started", "lot.finished", "shipment.dispatched", "wafers.consumed"]
                if self.on_the_way[self._buyer(key[1])] and n % 8:  # one of eight is still to come
                    kinds.append("shipment.received")
                for kind in kinds:
                    say(self.move(key, day, kind))
        for source in self.sources:
            say(self.row(source, "source.advanced", TODAY, on=TODAY - 1))
            flush(source)
        return _sum(batches)

    def live(self, seconds: float) -> Entries:
        """Return batches of 250 events, source after source, from the first event of today on."""
        batches = []
        count = int(seconds * EVENTS_PER_S / LIVE_MAX)
        batches_a_day = DAY_LASTS_S * EVENTS_PER_S // LIVE_MAX
        through = dict.fromkeys(self.sources, TODAY - 1)
        for n in range(count):
            source, today = self.sources[n % len(self.sources)], TODAY + n // batches_a_day
            rows = []
            if through[source] < today - 1:
                through[source] = today - 1
                rows.append(self.row(source, "source.advanced", today, on=today - 1))
            while len(rows) < LIVE_MAX:
                rows.append(self._happen(source, today))
            batches.append(self.encode(rows))
        return _sum(batches)

    def _happen(self, source: str, today: int) -> Row:
        """Return one event of a source: mostly of today, one in twenty some days late, a third revises a plan."""
        key, sort = self.random.choice(self.keys_of[source]), self.random.random()
        day = today - self.random.randint(1, 10) if self.random.random() < 0.05 else today
        due, wafers = today + self.random.randrange(PLAN_DAYS - EVERY_DAYS), self.random.randint(10, 40)
        if source in self.suppliers:
            if sort < 0.33:
                return self.plan(key, due, today, wafers, "supply.committed")
            return self.move(key, day, ("lot.started", "lot.finished", "shipment.dispatched")[int(sort * 100) % 3])
        if sort < 0.33:
            return self.plan(key, due, today, wafers, ("demand.required", "demand.forecast")[int(sort * 100) % 2])
        if sort < 0.6 and self.on_the_way[source]:
            return self.move(key, day, "shipment.received")
        return self.move(key, day, "wafers.consumed")


def _sum(batches: list[tuple[bytes, int]]) -> Entries:
    return Entries([body for body, _ in batches], sum(postings for _, postings in batches))


def stamp(body: bytes) -> bytes:
    """Return an entry with the current time as its time of publication."""
    return b'{"told":%d,' % (time.time_ns() // 1000) + body[1:]


# ---------------------------------------------------------------- the client


class Answered(NamedTuple):
    """The answer to one page."""

    page: str
    ms: float  # from the moment it was due
    status: int
    body: bytes


class Client:
    """An HTTP client with a few open connections that reads the length and the body of an answer, no more."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()

    async def open(self) -> None:
        """Open all connections; raise OSError if the port is closed."""
        for _ in range(CONNECTIONS):
            self.free.put_nowait(await asyncio.open_connection("127.0.0.1", self.port, limit=2**22))

    async def ask(self, page: str, due: float) -> Answered:
        """Return the answer to one page."""
        connection = await self.free.get()
        reader, writer = connection
        writer.write(b"GET %b HTTP/1.1\r\nHost: localhost\r\n\r\n" % page.encode())
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        body = await reader.readexactly(length)
        taken = time.perf_counter() - due
        self.free.put_nowait(connection)
        return Answered(page, taken * 1000, int(head.split(b" ", 2)[1]), body)

    async def keep_asking(self, pages: Sequence[str], until: Callable[[], bool]) -> list[Answered]:
        """Request the pages in turn when they are due, whether or not earlier answers have come."""
        requests: list[asyncio.Task[Answered]] = []
        began = time.perf_counter()
        while not until():
            due = began + len(requests) / PAGES_PER_S
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            requests.append(asyncio.create_task(self.ask(pages[len(requests) % len(pages)], due)))
        async with asyncio.timeout(_ANSWERED_WITHIN_S):
            return await asyncio.gather(*requests)

    async def facts(self) -> dict[str, Any]:
        """Return the facts of the aggregator's `/health`."""
        facts: dict[str, Any] = orjson.loads((await self.ask("/health", time.perf_counter())).body)
        return facts


class Aggregator:
    """The aggregator's process; its log is the file `log`."""

    def __init__(self, redis_url: str, log: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.log = log
        settings = {"WAFERLINE_REDIS_URL": redis_url, "WAFERLINE_HTTP_PORT": str(self.port)}
        self.began = time.perf_counter()
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "services.aggregator"], env=os.environ | settings, stdout=out, stderr=out
            )

    async def open(self) -> Client:
        """Return a client, as soon as the process listens."""
        client = Client(self.port)
        while True:
            try:
                await client.open()
            except OSError:
                if self.process.poll() is not None or time.perf_counter() - self.began > _STARTED_WITHIN_S:
                    raise RuntimeError(f"the aggregator did not start: {self.log.read_text()[-2000:]}") from None
                await asyncio.sleep(0.02)
            else:
                return client

    def cpu_s(self) -> float:
        """Return the seconds of processor used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_mb(self) -> int:
        """Return the memory in use."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") >> 20

    def logged(self, name: str, field: str) -> list[float]:
        """Return a number of all lines of one name."""
        lines = [orjson.loads(line) for line in self.log.read_bytes().splitlines() if line.startswith(b"{")]
        return [line[field] for line in lines if line["log"] == name]


@contextmanager
def aggregator(redis_url: str) -> Iterator[Aggregator]:
    """Start the aggregator, and stop it afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        started = Aggregator(redis_url, Path(folder) / "aggregator.log")
        try:
            yield started
        finally:
            started.process.terminate()
            if started.process.wait(30):
                print("the aggregator has failed:", started.log.read_text()[-4000:], flush=True)


# ---------------------------------------------------------------- the measurements


class Phase(NamedTuple):
    """The measurements of one phase."""

    seconds: float
    answers: list[Answered]
    lags_ms: list[float]
    plan_ms: list[float]  # the longest of each second
    cpu_share: float
    rss_mb: int

    def p99_ms(self) -> dict[str, float]:
        """Return the 99th percentile of each route."""
        return {route: _percentile(taken, 99) for route, taken in _by(self.answers, _route).items()}


async def measure_start(redis: "Redis[bytes]", process: Aggregator, batches: int) -> Phase:
    """Request pages from the moment the process listens until the history is folded and planned."""
    client = await process.open()
    print(f"  it answers {time.perf_counter() - process.began:.1f} s after its start", flush=True)
    folded = asyncio.create_task(_until_planned(client, batches))
    answers = await client.keep_asking(PAGES, folded.done)
    seconds = time.perf_counter() - process.began
    await folded
    return _phase(redis, process, answers, seconds, "0-0", 0.0, 0)


async def _until_planned(client: Client, batch: int) -> None:
    async with asyncio.timeout(_FOLDED_WITHIN_S):
        while (facts := await client.facts())["position"] < batch or facts["planned"] < batch:  # noqa: ASYNC110 (it is another process)
            await asyncio.sleep(0.1)


async def measure_live(redis: "Redis[bytes]", process: Aggregator, entries: Entries) -> Phase:
    """Request pages while batches arrive, and a tick longer."""
    client = await process.open()
    pages = [page for page in PAGES if (await client.ask(page, time.perf_counter())).status != 404]
    last = redis.xrevrange(BALANCES, count=1)
    used, lines = process.cpu_s(), len(process.logged("plan_refreshed", "ms_max"))
    began = time.perf_counter()
    publishing = asyncio.create_task(_publish(redis.connection_pool.connection_kwargs["port"], entries))
    answers = await client.keep_asking(pages, publishing.done)
    await publishing
    seconds = time.perf_counter() - began
    return _phase(redis, process, answers, seconds, last[0][0].decode() if last else "0-0", used, lines)


async def _publish(port: int, entries: Entries) -> None:
    """Publish each batch when it is due."""
    async with AsyncRedis(port=port) as redis:
        began = time.perf_counter()
        for n, body in enumerate(entries.bodies):
            await asyncio.sleep(max(0.0, began + n * LIVE_MAX / EVENTS_PER_S - time.perf_counter()))
            await redis.xadd(POSTINGS, {DATA: stamp(body)})


def _phase(
    redis: "Redis[bytes]",
    process: Aggregator,
    answers: list[Answered],
    seconds: float,
    after: str,
    used: float,
    line: int,
) -> Phase:
    """Return the measurements of a phase, with the balances after an entry and the log from a line on."""
    lags = []
    for entry_id, fields in redis.xrange(BALANCES, min=f"({after}"):
        published_us = orjson.loads(fields[DATA.encode()])["told"]
        if published_us is not None:
            lags.append(int(entry_id.partition(b"-")[0]) - published_us / 1000)
    time.sleep(1.5)  # the log sums up each second
    plans = process.logged("plan_refreshed", "ms_max")[line:]
    return Phase(seconds, answers, lags, plans, (process.cpu_s() - used) / seconds, process.rss_mb())


def report(name: str, phase: Phase) -> None:
    """Print the measurements of a phase, page by page."""
    print(
        f"{name}: {phase.seconds:.1f} s, {phase.cpu_share:.0%} of a processor, {phase.rss_mb} MB; until balanced p50 "
        f"{_percentile(phase.lags_ms, 50):.0f} ms, p99 {_percentile(phase.lags_ms, 99):.0f} ms; plan p50 "
        f"{_percentile(phase.plan_ms, 50):.0f} ms, at most {max(phase.plan_ms, default=0):.0f} ms"
    )
    for kind in (_route, lambda page: page):
        print(f"  {'':80} {'pages':>6} {'p50 ms':>8} {'p99 ms':>8} {'max ms':>8} {'rows':>5} {'KB':>5}")
        for page, taken in _by(phase.answers, kind).items():
            bodies = [each for each in phase.answers if kind(each.page) == page and each.status == 200]
            rows = max((len(orjson.loads(each.body)["rows"]) for each in bodies), default=0)
            size = max((len(each.body) for each in bodies), default=0)
            print(
                f"  {page[:80]:80} {len(taken):6} {_percentile(taken, 50):8.2f} {_percentile(taken, 99):8.2f} "
                f"{max(taken):8.2f} {rows:5} {size / 1000:5.0f}"
            )
    statuses = Counter(f"{_route(each.page)} {each.status}" for each in phase.answers if each.status != 200)
    if statuses:
        print("  not 200:", dict(statuses))


def check(phase: Phase) -> None:
    """Raise unless each answer is a page."""
    for page, _, status, body in phase.answers:
        if status != 200 or not 0 < len(orjson.loads(body)["rows"]) <= PAGE_MAX:
            raise RuntimeError(f"{page} answered {status}: {body[:300]!r}")


def _by(answers: list[Answered], kind: Callable[[str], str]) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {}
    for each in answers:
        taken.setdefault(kind(each.page), []).append(each.ms)
    return taken


def _route(page: str) -> str:
    return page.partition("?")[0]


def _percentile(values: Sequence[float], percent: int) -> float:
    return round(sorted(values)[min(len(values) - 1, len(values) * percent // 100)], 2) if values else 0.0


def main() -> None:
    """Measure, print tables, and end with the line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--sites", type=int, default=SITES, help=f"a key is one of {len(PRODUCTS)} products and 4 suppliers"
    )
    parser.add_argument("--seconds", type=float, default=20, help="of live batches")
    arguments = parser.parse_args()
    world = World(arguments.sites)
    print(f"preparing {len(world.keys):,} keys ...", flush=True)
    history, live, keys = world.history(), world.live(arguments.seconds), len(world.keys)
    growing = World(arguments.sites, seed=7).live(arguments.seconds)
    del world
    gc.freeze()
    gc.disable()  # a pause of the client would be taken for one of the aggregator
    with fresh_redis() as redis:
        for body in history.bodies:
            redis.xadd(POSTINGS, {DATA: stamp(body)})
        print(f"{len(history.bodies):,} batches with {history.postings:,} postings wait on the stream", flush=True)
        url = "redis://127.0.0.1:{port}/0".format(**redis.connection_pool.connection_kwargs)
        with aggregator(url) as process, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            report("start", runner.run(measure_start(redis, process, len(history.bodies))))
            measured = runner.run(measure_live(redis, process, live))
            report("live", measured)
    with fresh_redis() as redis:
        url = "redis://127.0.0.1:{port}/0".format(**redis.connection_pool.connection_kwargs)
        with aggregator(url) as process, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            report("growth", runner.run(measure_live(redis, process, growing)))
    check(measured)
    p99_ms = measured.p99_ms()
    result: dict[str, Any] = {
        "bench": "api",
        "p99_ms": p99_ms,
        "p99_ms_worst": max(p99_ms.values()),
        "events_per_s": round(len(live.bodies) * LIVE_MAX / measured.seconds),
        "keys": keys,
        "rss_mb": measured.rss_mb,
        "plan_ms": _percentile(measured.plan_ms, 50),
        "lag_ms_p99": _percentile(measured.lags_ms, 99),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
