"""Refusals without end, which must not rotate everything else out of the logs."""

import time

import httpx
from redis import Redis

from services.operator.stack.stack import Stack
from shared.process.log import LOGGED_REFUSALS_MAX
from shared.wire.streams import DATA, party_stream
from tests.abuse.conftest import Watch, bearer

BAD = 60_000
STREAM = party_stream("supplier", "samsung")
READ_WITHIN_S = 120


def entries_read(stack: Stack) -> int:
    health = httpx.get(stack.url("ledger") + "/health", headers=bearer("operator"), timeout=20).json()
    return int(health["streams"][STREAM]["entries"])


def refusal_lines(stack: Stack, name: str) -> int:
    return sum(b"refus" in line for line in stack.files.log(name).read_bytes().split(b"\n"))


def test_bad_events_without_end_are_some_lines_a_second(guarded: Stack, watch: Watch) -> None:
    began = time.monotonic()
    with (
        watch(guarded, f"row 17: {BAD} bad events") as noted,
        Redis.from_url(guarded.redis_url) as redis,
    ):
        for _ in range(BAD // 1000):
            pipeline = redis.pipeline(transaction=False)
            for _ in range(1000):
                pipeline.xadd(STREAM, {DATA: b"{}"})
            pipeline.execute()
        while entries_read(guarded) < BAD and time.monotonic() - began < READ_WITHIN_S:
            time.sleep(0.2)
        time.sleep(2)  # the count of the others comes at the end of a second
        lines = {name: refusal_lines(guarded, name) for name in ("ledger", "supplier-samsung")}
        noted.seen = f"lines of refusals: {lines}"

    assert entries_read(guarded) == BAD
    most = (LOGGED_REFUSALS_MAX + 1) * (time.monotonic() - began + 2)
    assert max(lines.values()) < most < BAD / 10, lines
