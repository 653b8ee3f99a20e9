"""A small stack whose processes were all killed, copies of its folder, and ways to damage their files."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from redis import Redis

from services.ledger.store.reader import open_reader
from services.operator.ask.client import ask
from services.operator.record.proof import Proof, verify
from services.operator.stack.errors import StackError
from services.operator.stack.settling import settle
from services.operator.stack.stack import Stack, started
from shared.play.numbering import Numbering
from shared.wire.events import LotStarted, SourceAdvanced
from shared.wire.streams import ALERTS
from tests.e2e.test_mishaps import until

PAGE = 4096
LOG_HEADER, FRAME = 32, 24 + PAGE  # of SQLite's write-ahead log
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Killed(NamedTuple):
    """The folder of a killed stack, and what it had recorded."""

    folder: Path
    events: int


class SmallStack(Stack):
    """A stack of one party, without a console."""

    def services(self) -> list[str]:
        return ["ledger", "aggregator", "supplier-samsung"]


def small(folder: Path) -> Stack:
    """Return a small stack, not yet started."""
    stack = SmallStack(folder)
    stack.suppliers, stack.datacenters = ["samsung"], []
    return stack


def hand_in(stack: Stack, numbering: Numbering, lots: int = 20, *, watermark: bool = True) -> None:
    """Hand in some lots, and a watermark unless they are to be late, and see them recorded."""
    key: dict[str, Any] = {"product": "HBM4-12H", "site": "TX-ABILENE", "supplier": "samsung"}
    events = [
        numbering.emit(
            NOON, LotStarted(**key, lot=f"L{numbering.sequence}", fab="P3", wafers=25, due_out=date(2026, 9, 1))
        )
        for _ in range(lots)
    ]
    if watermark:
        events.append(numbering.emit(NOON, SourceAdvanced(through=NOON.date())))
    body = "\n".join(json.dumps(event.cloud_event()) for event in events)
    answer = httpx.post(stack.url("supplier-samsung") + "/events", content=body, timeout=30)
    assert {verdict["status"] for verdict in answer.json()} == {"recorded"}


def kill_all(stack: Stack) -> None:
    """Kill every process as a power cut does."""
    for name in list(stack.processes):
        stack.kill(name)


def make_killed(folder: Path) -> Killed:
    """Run a stack, stop it, run it again, and kill it: its last batches are in the write-ahead log alone."""
    numbering = Numbering("samsung")
    with started(small(folder)) as stack:
        for _ in range(3):
            hand_in(stack, numbering)
        settle(stack)
    with started(small(folder)) as stack:
        for _ in range(5):
            hand_in(stack, numbering)
        hand_in(stack, numbering, 1, watermark=False)  # late: that raises an alert
        settle(stack)
        with Redis.from_url(stack.redis_url) as redis:
            until("an alert is published", lambda: redis.xlen(ALERTS) > 0, 30)
        kill_all(stack)
    shutil.rmtree(folder / "logs")
    return Killed(folder, 8 * 21 + 1)


def proved(folder: Path) -> Proof:
    """Return the proof of a store, in which all must be proved."""
    store = open_reader(folder / "ledger.db")
    proof = verify(store)
    store.close()
    assert proof.wrong is None, proof.wrong
    return proof


def refusal(folder: Path) -> str:
    """Start a stack that must not come up; return the one line that a person reads."""
    try:
        with started(small(folder)) as stack:
            until("a service stops", lambda: any(each.poll() is not None for each in stack.processes.values()), 15)
            name = next(name for name, each in stack.processes.items() if each.poll() is not None)
            return f"{name}: {stack.stop_reason(name)}"
    except StackError as why:
        return str(why)


class Seen(NamedTuple):
    """What a stack came to, and what it warned of."""

    events: int
    warnings: list[dict[str, Any]]

    def named(self, log: str) -> list[dict[str, Any]]:
        """Return the lines of a name."""
        return [line for line in self.warnings if line["log"] == log]


def see_it_go_on(killed: Killed, folder: Path) -> Seen:
    """Start a stack, hand in more, and stop it; everything recorded must be there once, proved and folded."""
    numbering = Numbering("samsung")
    numbering.sequence = killed.events
    with started(small(folder)) as stack:
        hand_in(stack, numbering, 5)
        settle(stack)
        state = ask(folder, "aggregator", "/state")
        until("the parties have their verdicts", lambda: _is_judged(stack), 30)
    proof = proved(folder)
    assert proof.state_hash == state["state_hash"]
    return Seen(proof.events, list(_warnings(folder)))


def _is_judged(stack: Stack) -> bool:
    health = httpx.get(stack.url("supplier-samsung") + "/health").json()
    return bool(health["said"] == health["recorded"])


def _warnings(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted((folder / "logs").glob("*.log")):
        for line in path.read_bytes().splitlines():
            if line.startswith(b"{") and (fields := json.loads(line))["level"] != "info":
                yield fields


@contextmanager
def streams_of(folder: Path) -> Iterator["Redis[bytes]"]:
    """Run the Redis of a folder alone."""
    stack = small(folder)
    try:
        stack.start_redis()
        with Redis.from_url(stack.redis_url) as redis:
            yield redis
    finally:
        stack.stop()


def cut(path: Path, part: float) -> None:
    """Keep the first part of a file."""
    os.truncate(path, int(path.stat().st_size * part))


def cut_log(path: Path, part: float) -> None:
    """Keep the first part of a write-ahead log, and half a frame of the rest."""
    frames = (path.stat().st_size - LOG_HEADER) // FRAME
    os.truncate(path, LOG_HEADER + int(frames * part) * FRAME + FRAME // 2)


def flip(path: Path, at: int, count: int = 1) -> None:
    """Change some bytes of a file, from a place on; a negative place counts from the end."""
    content = bytearray(path.read_bytes())
    for n in range(at % len(content), at % len(content) + count):
        content[n] ^= 0x55
    path.write_bytes(content)
