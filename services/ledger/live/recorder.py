"""Recording of the parties' streams, with a watch for missing sequences and for streams that lost their entries."""

import asyncio
import time
from collections import Counter
from contextlib import suppress
from typing import Any, cast

from redis.exceptions import ConnectionError as RedisLost
from redis.exceptions import TimeoutError as RedisTimeout

from services.ledger.live.meters import LedgerMeters
from services.ledger.store.recording import Outcome, record_entries, split_entries
from services.ledger.store.writer import Fenced, StoreWriter
from shared.process.log import LineRation
from shared.service.entries import Entry, entry_order
from shared.service.readers import Reader
from shared.service.service import Service
from shared.wire.streams import Role, party_stream

_WATCH_INTERVAL_S = 5.0
_GAP_WARNING_INTERVAL_S = 60.0
_TIME_MS_MAX = 1 << 42  # the year 2109


class PartyRecorder:
    """Records the stream of one party; each transaction signals `new_batches`."""

    def __init__(
        self,
        service: Service,
        store: StoreWriter,
        meters: LedgerMeters,
        new_batches: asyncio.Event,
        role: Role,
        source: str,
        *,
        trust_recorded: bool,
    ) -> None:
        self.service, self.store, self.meters, self.new_batches = service, store, meters, new_batches
        self.role, self.source, self.stream = role, source, party_stream(role, source)
        self.trust_recorded = trust_recorded
        self._warned_through, self._warned_at = 0, float("-inf")  # the last sequence warned of as missing, and the time
        self.warn_of_gaps()
        self._ration = LineRation(self._log_others)
        service.at_end.append(self._ration.flush)

    async def record(self, entries: list[Entry]) -> None:
        """Record entries of the stream, one transaction after the other."""
        for portion in split_entries(entries, by_day=self.trust_recorded):
            if self.service.stopping.is_set():
                return  # the stored offset says how far it came
            began = time.perf_counter()
            try:
                outcome = record_entries(
                    self.store,
                    self.stream,
                    self.source,
                    self.role,
                    portion,
                    now=time.time_ns() // 1000,
                    sent=entry_time(portion[0][0]),
                    trust_recorded=self.trust_recorded,
                )
            except Fenced as fenced:
                self.service.log.warning(
                    "ledger_fenced", source=self.source, position=self.store.head.batch, reason=str(fenced)
                )
                raise  # once started again, it reads on behind the other ledger's offset
            self.new_batches.set()
            self._report(portion, outcome, round((time.perf_counter() - began) * 1000, 2))
            self.warn_of_gaps()
            await asyncio.sleep(0)  # other sources and the publisher have their turn

    def warn_of_gaps(self) -> None:
        """Log a new gap, once a minute at most, and log once when all gaps are filled."""
        progress = self.store.progress.get(self.source)
        gaps = [] if progress is None else progress.gaps
        self.meters.missing.labels(self.source).set(sum(last - first + 1 for first, last in gaps))
        due = time.monotonic() - self._warned_at > _GAP_WARNING_INTERVAL_S
        if gaps and gaps[-1][1] > self._warned_through and due:
            first, last = next(gap for gap in gaps if gap[1] > self._warned_through)
            self.service.log.warning(
                "sequences_missed", source=self.source, first=first, last=last, position=self.store.head.batch
            )
            self._warned_through, self._warned_at = gaps[-1][1], time.monotonic()
        elif progress is not None and self._warned_through and not gaps:
            self.service.log.info("sequences_filled", source=self.source, through=progress.through)
            self._warned_through, self._warned_at = 0, float("-inf")

    def _report(self, portion: list[Entry], outcome: Outcome, ms: float) -> None:
        """Count and log a batch."""
        lag_ms = max(0, time.time_ns() // 1_000_000 - entry_order(portion[0][0])[0])
        progress = self.store.progress.get(self.source)
        self.meters.count(self.source, outcome, ms, lag_ms)
        self.service.tally.info(
            "batch_recorded",
            source=self.source,
            position=outcome.head.batch,
            batches=1,
            entries=len(portion),
            events=outcome.events,
            sequence_max=0 if progress is None else progress.newest,
            postings=outcome.postings,
            duplicates=outcome.duplicates,
            refused=len(outcome.refused),
            lag_ms_max=lag_ms,
            ms=ms,
            ms_max=ms,
        )
        for refused in outcome.refused:
            if not self._ration.admits(refused.code):
                continue
            self.service.log.warning(
                "event_refused",
                source=self.source,
                sequence=refused.sequence,
                id=refused.id,
                code=refused.code,
                path=refused.path,
                reason=refused.message,
                position=outcome.head.batch,
            )

    def _log_others(self, codes: Counter[str]) -> None:
        """Log the count of the refusals beyond those of which there is a line."""
        position = self.store.head.batch
        self.service.log.warning(
            "refusals_left_out", source=self.source, refused=codes.total(), codes=dict(codes), position=position
        )


class StreamWatch:
    """Rewinds the reader of a stream that no longer has the entry read last.

    A stream that was deleted, flushed or restored from a backup would otherwise be silent, or skipped up to the old
    offset. Events that are recorded already are dropped as duplicates.
    """

    def __init__(self, service: Service) -> None:
        self.service = service

    async def run(self) -> None:
        """Check every stream, again and again."""
        while True:
            for reader in self.service.readers:
                with suppress(RedisLost, RedisTimeout):  # Redis is away, and nothing can be checked
                    await self._check(reader)
            await asyncio.sleep(_WATCH_INTERVAL_S)

    async def _check(self, reader: Reader) -> None:
        position, redis = reader.position, self.service.redis
        if position == "0-0" or await redis.xrange(reader.stream, position, position):
            return
        last = cast(list[tuple[bytes, Any]], await redis.xrevrange(reader.stream, count=1))
        self.service.log.warning(
            "stream_receded",
            stream=reader.stream,
            position=position,
            end=last[0][0].decode() if last else None,
            entries=await redis.xlen(reader.stream),
        )
        reader.rewind()


def entry_time(entry_id: str) -> int | None:
    """Return the time of an entry, microseconds since 1970; None where its sender chose an id that is no time."""
    milliseconds = entry_order(entry_id)[0]
    return milliseconds * 1000 if milliseconds < _TIME_MS_MAX else None
