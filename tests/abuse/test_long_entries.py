"""Entries of 15 MB on a party's stream, which Redis takes and the ledger has to read."""

import itertools
import time

import httpx
import pytest
from redis import Redis

from services.operator.stack.stack import Stack
from shared.wire.streams import party_stream
from tests.abuse.conftest import Watch, bearer

LONG_BYTES = 15 << 20
READ_WITHIN_S = 60


def stop(stack: Stack, name: str) -> None:
    stack.processes[name].terminate()
    stack.processes[name].wait(20)


def start(stack: Stack, name: str) -> None:
    """Start a service again, and wait until it answers."""
    stack.start_service(name)
    deadline = time.monotonic() + READ_WITHIN_S
    while time.monotonic() < deadline:
        try:
            httpx.get(stack.url(name) + "/health", timeout=5)
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return


def await_end(stack: Stack, stream: str) -> dict[str, object]:
    """Wait until the ledger has read all of a stream; return its progress there."""
    deadline = time.monotonic() + READ_WITHIN_S
    while True:
        health = httpx.get(stack.url("ledger") + "/health", headers=bearer("operator"), timeout=20).json()
        progress: dict[str, object] = health["streams"][stream]
        if not progress["behind"] or time.monotonic() > deadline:
            return progress
        time.sleep(0.2)


# behind short ones the reader asks for many entries at once: Redis cuts it off, and it goes on with one
@pytest.mark.parametrize(("source", "short", "long"), [("samsung", 0, 60), ("skhynix", 300, 20)])
def test_the_ledger_reads_a_backlog_of_long_entries(
    guarded: Stack, watch: Watch, source: str, short: int, long: int
) -> None:
    stop(guarded, "ledger")
    stream = party_stream("supplier", source)
    bodies = itertools.chain(itertools.repeat(b"{}", short), itertools.repeat(b"x" * LONG_BYTES, long))
    with Redis.from_url(guarded.redis_url) as redis:
        for body in bodies:
            redis.xadd(stream, {b"of my own": body})
    start(guarded, "ledger")
    with watch(guarded, f"row 4: {long} entries of 15 MB behind {short} short ones", {"ledger": 350}) as noted:
        progress = await_end(guarded, stream)
        noted.seen = f"the ledger has read {progress['entries']}"

    assert progress["entries"] == short + long, progress
