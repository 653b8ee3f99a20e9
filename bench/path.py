"""The whole path, from an event's publication to its balance, all durable: events a second, latency, and their limits.

Two measurements, in turn, several rounds in one run, against bare Redis on this machine at the same time:

- throughput: events of the reference programme, 1,000 an entry, through outbox, stream, ledger (SQLite, FULL),
  postings and fold, until the balances of the last one are published; against raw pipelined XADD of one event an entry.
- latency: events published one by one at 1,000 a second, each from the moment it was due until a balance that contains
  it is read; against three bare Redis round trips.
"""

import argparse
import json
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from redis import Redis

from services.ledger.books.chain import seal
from services.ledger.books.memory import Memory
from services.ledger.books.posting import post_events
from services.ledger.store.recording import record_entries
from services.ledger.store.writer import open_writer
from services.operator.stack.stack import Stack, started
from shared.party.outbox import Outbox, OutboxEntry
from shared.service.service import calm_collector
from shared.wire.batch import BATCH_MAX, EventBatch
from shared.wire.days import microseconds
from shared.wire.entry_reader import read_entry
from shared.wire.events import Event
from shared.wire.rows import Row, canonical_bodies
from shared.wire.streams import BALANCES, DATA, Role, party_stream, recorded_stream
from testing.simulate import simulate

EVENTS_PER_S = 1000
_PIPELINE = 1000


class Load(NamedTuple):
    """The events of a round: by source, in the order in which the sources take turns."""

    batches: list[tuple[str, list[Event]]]
    roles: dict[str, Role]

    @property
    def events(self) -> int:
        """How many there are."""
        return sum(len(events) for _, events in self.batches)


def prepare(events: int) -> Load:
    """Return about so many valid events of the reference programme, numbered without a gap."""
    said_by: dict[str, list[Event]] = {}
    batches: list[tuple[str, list[Event]]] = []
    counts: dict[str, int] = {}
    total = 0
    for source, day in simulate("loi_headline", date(2029, 12, 31)):
        run = said_by.setdefault(source, [])
        for event in day:
            if isinstance(event, Event):
                counts[source] = counts.get(source, 0) + 1
                run.append(event.model_copy(update={"sequence": counts[source]}))
            if len(run) == BATCH_MAX:
                batches.append((source, run))
                total += len(run)
                run = said_by[source] = []
        if total >= events:
            break
    roles: dict[str, Role] = {
        source: "datacenter" if source.startswith("stargate") else "supplier" for source in said_by
    }
    return Load(batches, roles)


@contextmanager
def fresh_stack(load: Load) -> Iterator[Stack]:
    """Start Redis, the ledger and the aggregator in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder) / "stack", trust_recorded=True, parties=False)
        stack.suppliers = [source for source, role in load.roles.items() if role == "supplier"]
        stack.datacenters = [source for source, role in load.roles.items() if role == "datacenter"]
        with started(stack):
            yield stack


def say(redis: "Redis[bytes]", outboxes: dict[str, Outbox], load: Load) -> None:
    """Say all events of a load as a party does: columns, outbox on disk, stream."""
    for source, events in load.batches:
        entry = enter(events)
        outboxes[source].put([entry])
        redis.xadd(party_stream(load.roles[source], source), {DATA: entry.body})


def enter(events: list[Event]) -> OutboxEntry:
    """Return the entry that says some events, recorded when they happened: the programme's days are yet to come."""
    body = EventBatch.of(events, microseconds(max(event.time for event in events))).encode()
    return OutboxEntry(events[0].sequence, events[-1].sequence, body)


def until_balanced(redis: "Redis[bytes]", load: Load, batch_of: dict[str, int]) -> None:
    """Wait until the ledger has recorded all events, and the balances of the last batch are published."""
    last = dict.fromkeys((recorded_stream(source) for source in load.roles), b"0")
    due = {source: max((e[-1].sequence for s, e in load.batches if s == source), default=0) for source in load.roles}
    through = dict.fromkeys(load.roles, 0)
    while any(through[source] < due[source] for source in load.roles):
        for stream, entries in redis.xread(last, block=1000) or ():
            for entry_id, fields in entries:
                last[stream.decode()] = entry_id
                verdict = orjson.loads(fields[DATA.encode()])
                if verdict["refusals"]:
                    raise RuntimeError(f"the ledger refused {verdict['refusals'][0]}")
                through[verdict["source"]] = verdict["through"]
                batch_of[verdict["source"]] = verdict["batch"]
    position = max(batch_of.values())
    while True:
        newest = redis.xrevrange(BALANCES, count=1)
        if newest and orjson.loads(newest[0][1][DATA.encode()])["position"] >= position:
            return
        time.sleep(0.0005)


class Round(NamedTuple):
    """The times of one round of throughput."""

    events_per_s: float
    cpu_s: dict[str, float]
    rss_mb: dict[str, int]


def measure_throughput(load: Load) -> Round:
    """Return events a second of a fresh stack, and the processor time of its processes."""
    with fresh_stack(load) as stack, Redis.from_url(stack.redis_url) as redis:
        outboxes = {source: Outbox(stack.folder / "outbox" / f"{source}.db") for source in load.roles}
        before, own = _cpu(stack), time.process_time()
        began = time.perf_counter()
        say(redis, outboxes, load)
        until_balanced(redis, load, {})
        seconds = time.perf_counter() - began
        cpu = {name: round(used - before[name], 2) for name, used in _cpu(stack).items()}
        return Round(load.events / seconds, cpu | {"publisher": round(time.process_time() - own, 2)}, _rss(stack))


def measure_raw_xadd(load: Load) -> float:
    """Return events a second of pipelined XADD, one event of the same an entry, and nothing else."""
    bodies = [enter([event]).body for _, events in load.batches[:30] for event in events]
    with fresh_redis() as redis:
        pipeline = redis.pipeline(transaction=False)
        began = time.perf_counter()
        for n, body in enumerate(bodies, start=1):
            pipeline.xadd("raw", {DATA: body})
            if n % _PIPELINE == 0:
                pipeline.execute()
        pipeline.execute()
        return len(bodies) / (time.perf_counter() - began)


@contextmanager
def fresh_redis() -> Iterator["Redis[bytes]"]:
    """Start a Redis of the same settings as the stack's, alone."""
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder), parties=False)
        stack.start_redis()
        try:
            with Redis.from_url(stack.redis_url) as redis:
                yield redis
        finally:
            stack.stop()


def measure_round_trips(rounds: int = 2000) -> float:
    """Return the median of three bare round trips one after the other (XADD of 300 bytes), in milliseconds."""
    taken = []
    with fresh_redis() as redis:
        for n in range(rounds):
            began = time.perf_counter()
            for _ in range(3):
                redis.xadd("raw", {DATA: b"x" * 300})
            taken.append(time.perf_counter() - began)
            time.sleep(0.001 if n % 2 else 0)
    return statistics.median(taken) * 1000


def measure_latency(load: Load, seconds: float) -> list[float]:
    """Return the latency of each event in milliseconds, published one by one at 1,000 a second; delays add up."""
    source = max(load.roles, key=lambda s: sum(len(events) for name, events in load.batches if name == s))
    moving = [e for name, events in load.batches if name == source for e in events if e.data.movement]
    events = [
        event.model_copy(update={"sequence": n}) for n, event in enumerate(moving[: int(seconds * EVENTS_PER_S)], 1)
    ]
    with fresh_stack(load) as stack, Redis.from_url(stack.redis_url) as redis:
        listener = _Listener(stack.redis_url, source, len(events))
        listener.start()
        outbox = Outbox(stack.folder / "outbox" / f"{source}.db")
        pipeline = redis.pipeline(transaction=False)
        began, sent = time.perf_counter() + 0.1, 0
        while sent < len(events):
            due = min(len(events), int((time.perf_counter() - began) * EVENTS_PER_S) + 1)
            if due <= sent:
                time.sleep(max(0.0, began + sent / EVENTS_PER_S - time.perf_counter()))
                continue
            # the events due by now share one commit of the outbox, but each is an entry of its own
            entries = [enter([event]) for event in events[sent:due]]
            outbox.put(entries)
            for entry in entries:
                pipeline.xadd(party_stream(load.roles[source], source), {DATA: entry.body})
            pipeline.execute()
            sent = due
        listener.join(60)
        if listener.is_alive():
            raise RuntimeError(f"only {len(listener.balanced)} of {len(events)} events came to a balance in a minute")
        return [(at - began - n / EVENTS_PER_S) * 1000 for n, at in enumerate(listener.balanced)]


class _Listener(threading.Thread):
    """Notes when each event of a source has come to a balance: its batch at the ledger, then that batch's balances."""

    def __init__(self, redis_url: str, source: str, events: int) -> None:
        super().__init__(daemon=True)
        self.redis = Redis.from_url(redis_url)
        self.verdicts, self.events = recorded_stream(source), events
        self.balanced: list[float] = []

    def run(self) -> None:
        last: dict[str, bytes] = {self.verdicts: b"0", BALANCES: b"0"}
        recorded_in: list[tuple[int, int]] = []  # batch, through
        position = 0
        while len(self.balanced) < self.events:
            for stream, entries in self.redis.xread(last, block=1000) or ():
                for entry_id, fields in entries:
                    last[stream.decode()] = entry_id
                    body = orjson.loads(fields[DATA.encode()])
                    if stream.decode() == BALANCES:
                        position = body["position"]
                    elif body["refusals"]:
                        raise RuntimeError(f"the ledger refused {body['refusals'][0]}")
                    else:
                        recorded_in.append((body["batch"], body["through"]))
            now = time.perf_counter()
            while recorded_in and recorded_in[0][0] <= position:
                self.balanced += [now] * (recorded_in.pop(0)[1] - len(self.balanced))


def profile_ledger(load: Load) -> dict[str, float]:
    """Return the microseconds an event spends in each stage of the ledger, alone in this process, medians."""
    bodies = [(source, enter(events).body) for source, events in load.batches[:60]]
    stages: dict[str, list[float]] = {"decode and check": [], "digest": [], "decide": [], "whole": []}
    memory = Memory()
    calm_collector()  # as the service does
    with tempfile.TemporaryDirectory() as folder:
        store = open_writer(Path(folder) / "ledger.db", epoch=1)
        for n, (source, body) in enumerate(bodies, start=1):
            marks = [time.perf_counter()]
            rows: list[Row] = read_entry(body, source, load.roles[source])[0]
            marks.append(time.perf_counter())
            seal("\n".join(canonical_bodies(rows)).encode())
            marks.append(time.perf_counter())
            post_events(rows, memory)
            marks.append(time.perf_counter())
            role, entry = load.roles[source], (f"{n}-0", body)
            record_entries(store, party_stream(role, source), source, role, [entry], now=0, trust_recorded=True)
            marks.append(time.perf_counter())
            for name, start, end in zip(stages, marks, marks[1:], strict=False):
                stages[name].append((end - start) / len(rows) * 1e6)
        store.close()
    medians = {name: round(statistics.median(taken), 2) for name, taken in stages.items()}
    whole = medians.pop("whole")
    return medians | {"store and commit": round(whole - sum(medians.values()), 2), "whole": whole}


def _cpu(stack: Stack) -> dict[str, float]:
    """Return the seconds of processor that each process has used."""
    tick = os.sysconf("SC_CLK_TCK")
    used = {}
    for name, process in stack.processes.items():
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        used[name] = (int(fields[11]) + int(fields[12])) / tick
    return used


def _rss(stack: Stack) -> dict[str, int]:
    page = os.sysconf("SC_PAGE_SIZE")
    return {
        name: int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * page >> 20
        for name, process in stack.processes.items()
    }


def main() -> None:
    """Measure, print tables, and end with the line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=200_000, help="events in a round of throughput")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each, in turn")
    parser.add_argument("--seconds", type=float, default=10, help="of saying events one by one")
    arguments = parser.parse_args()
    print(f"preparing {arguments.events:,} events of the reference programme ...", flush=True)
    load = prepare(arguments.events)
    rounds: list[Round] = []
    raw: list[float] = []
    trips: list[float] = []
    latencies: list[float] = []
    for n in range(arguments.rounds):
        raw.append(measure_raw_xadd(load))
        rounds.append(measure_throughput(load))
        trips.append(measure_round_trips())
        latencies += (taken := measure_latency(load, arguments.seconds))
        print(
            f"round {n + 1}: {rounds[-1].events_per_s:,.0f} events/s (raw XADD {raw[-1]:,.0f}/s); latency p50 "
            f"{_percentile(taken, 50):.2f} ms, p99 {_percentile(taken, 99):.2f} ms "
            f"(three round trips {trips[-1]:.2f} ms)",
            flush=True,
        )
    print("processor seconds of the last round:", rounds[-1].cpu_s)
    print("the ledger alone, microseconds an event:", profile_ledger(load))
    events_per_s = statistics.median(r.events_per_s for r in rounds)
    p50, p99 = _percentile(latencies, 50), _percentile(latencies, 99)
    result: dict[str, Any] = {
        "bench": "path",
        "events_per_s": round(events_per_s),
        "latency_p50_ms": round(p50, 2),
        "latency_p99_ms": round(p99, 2),
        "share_of_raw_xadd": round(events_per_s / statistics.median(raw), 3),
        "latency_vs_three_round_trips": round(p50 / statistics.median(trips), 1),
        "rss_mb": rounds[-1].rss_mb,
    }
    print(json.dumps(result))


def _percentile(values: list[float], percent: int) -> float:
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]


if __name__ == "__main__":
    main()
