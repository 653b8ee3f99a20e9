"""Health of a running service: whether Redis answers, and how far each reader is behind the end of its stream."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, cast

from prometheus_client import CollectorRegistry, Gauge
from redis.asyncio import Redis
from redis.exceptions import RedisError

from shared.process.log import why
from shared.process.settings import ServiceSettings
from shared.service.entries import Fields, entry_bytes, entry_order
from shared.service.readers import LongEnd, Reader

HEARTBEAT_S = 10.0
_LONG_BYTES = 1 << 20  # of an entry that is not read for its id at every question
_LONG_END_KEPT_S = 5.0
_SCRAPE_TIMEOUT_S = 2.0  # a scrape does not wait for a Redis that is away


class Health(NamedTuple):
    """Whether a service does its work, and the details behind the answer."""

    well: bool
    detail: dict[str, Any]


class Monitored(Protocol):
    """The parts of a service that its health depends on."""

    name: str
    settings: ServiceSettings
    log: Any
    readers: list[Reader]
    facts: Callable[[], dict[str, Any]]
    readiness: Callable[[], bool]
    failure: BaseException | None

    @property
    def redis(self) -> Redis:
        """The connection on which the service publishes."""


class HealthMonitor:
    """Measures the health of one service, for `/health`, `/metrics` and the log."""

    def __init__(self, service: Monitored, registry: CollectorRegistry) -> None:
        self.service = service
        self._redis_up = Gauge("waferline_redis_up", "Whether Redis answers", registry=registry)
        self._waiting_s = Gauge(
            "waferline_stream_waiting_seconds", "How long an entry waits", ["stream"], registry=registry
        )
        self._entries_asked = Gauge(
            "waferline_read_entries", "Entries that a read of a stream asks for", ["stream"], registry=registry
        )

    async def check(self) -> Health:
        """Return whether Redis answers and no entry has been waiting for too long."""
        service = self.service
        detail: dict[str, Any] = {"service": service.name, **service.facts()}
        try:
            lags = await self.lags()
        except (OSError, RedisError) as failure:
            return Health(False, detail | {"redis": repr(failure)})
        waiting = self._waiting(lags)
        well = not waiting and service.failure is None and service.readiness()
        return Health(well, detail | {"streams": lags, "waiting": list(waiting)})

    async def lags(self) -> dict[str, dict[str, Any]]:
        """Return for each stream its reader's position, its distance to the end, and the age of its last progress."""
        return await _measure_lags(self.service.redis, self.service.readers)

    def _waiting(self, lags: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """Return the streams on which an entry has been waiting for too long."""
        too_long_s = self.service.settings.silence_max_s
        return {stream: lag for stream, lag in lags.items() if lag["waiting_s"] > too_long_s}

    async def update_metrics(self) -> None:
        """Set the gauges for a scrape."""
        for reader in self.service.readers:
            self._entries_asked.labels(reader.stream).set(reader.entries_asked)
        try:
            async with asyncio.timeout(_SCRAPE_TIMEOUT_S):
                lags = await self.lags()
        except (OSError, RedisError):  # a timeout is an OSError
            self._redis_up.set(0)
        else:
            self._redis_up.set(1)
            for stream, lag in lags.items():
                self._waiting_s.labels(stream).set(lag["waiting_s"])

    async def log_heartbeat(self) -> None:
        """Log for ever, every `HEARTBEAT_S`, the service's progress and the streams on which entries wait."""
        service, entries = self.service, 0
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            try:
                lags = await self.lags()
            except (OSError, RedisError) as failure:
                service.log.warning("redis_missed", reason=why(failure))
                continue  # a reader waits for Redis, and reads on from its position
            read = sum(reader.entries for reader in service.readers)
            service.log.info(
                "service_running",
                entries=read,
                entries_per_s=round((read - entries) / HEARTBEAT_S, 1),
                lag_ms=max((lag["lag_ms"] for lag in lags.values()), default=0),
                behind=[stream for stream, lag in lags.items() if lag["behind"]],
                age_s=min((lag["age_s"] for lag in lags.values()), default=None),
                **service.facts(),
            )
            for stream, lag in self._waiting(lags).items():
                service.log.warning("stream_waited", stream=stream, lag_ms=lag["lag_ms"], age_s=lag["age_s"])
            entries = read


async def _measure_lags(redis: Redis, readers: Sequence[Reader]) -> dict[str, dict[str, Any]]:
    lags = {}
    for reader in readers:
        end = await _find_end(redis, reader)  # one by one: the last entries of all may be too long for one answer
        at, now = entry_order(reader.position), time.monotonic()
        behind = entry_order(end) > at
        reader.behind_since = (reader.behind_since or now) if behind else None
        lags[reader.stream] = {
            "position": reader.position,
            "end": end,
            "behind": behind,
            # ids are times, or an epoch and a batch: then the lag is 0 ms, and `behind` tells
            "lag_ms": max(0, entry_order(end)[0] - at[0]) if at[0] else 0,
            "entries": reader.entries,
            "age_s": round(now - reader.progressed_at, 3),
            "waiting_s": round(now - max(reader.behind_since, reader.progressed_at), 3)
            if reader.behind_since is not None
            else 0.0,
        }
    return lags


async def _find_end(redis: Redis, reader: Reader) -> str:
    """Return the id of the last entry of a stream; "0-0" if there is none.

    Redis gives no id without its entry. That of a long one is kept for a while: each question would move megabytes.
    """
    kept = reader.long_end
    if kept is not None and time.monotonic() - kept.found_at < _LONG_END_KEPT_S:
        return kept.entry
    last = cast(list[tuple[bytes, Fields]], await redis.xrevrange(reader.stream, count=1))
    if not last:
        return "0-0"
    entry, fields = last[0][0].decode(), last[0][1]
    is_long = entry_bytes(fields) > _LONG_BYTES
    reader.long_end = LongEnd(entry, time.monotonic()) if is_long else None
    return entry
