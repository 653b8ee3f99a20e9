"""Publication of recorded batches: the postings for all readers, the verdicts for each source."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import cast

from redis.exceptions import ResponseError

from services.ledger.live.meters import LedgerMeters
from services.ledger.store.batches import PublishedBatch
from services.ledger.store.writer import Fenced, StoreWriter
from shared.service.entries import entry_order, log_garbled, publish_entries
from shared.service.service import Service
from shared.wire.postings import PostingBatch
from shared.wire.streams import DATA, POSTINGS, recorded_stream

_ROUND_TRIP_BATCHES = 16
_CHECK_INTERVAL_S = 5.0


class BatchPublisher:
    """Publishes the batches that the streams do not have yet, in order, under ids that make a repetition harmless.

    A batch's verdict goes before its postings: where the stream has the postings, it has the verdict too.
    """

    def __init__(self, service: Service, store: StoreWriter, meters: LedgerMeters, new_batches: asyncio.Event) -> None:
        self.service, self.store, self.meters, self.new_batches = service, store, meters, new_batches
        self._garbled = b""  # the last entry of the stream that could not be read

    async def find_position(self) -> None:
        """Find the batch published last, before anything is recorded: a store that lost it must not go on."""
        self.meters.published = await self._read_position()

    async def run(self) -> None:
        """Publish batches as they are recorded; when idle, check that the stream still has the last one."""
        while True:
            batches = self.store.published_batches(self.meters.published, _ROUND_TRIP_BATCHES)
            if batches:
                await self._publish(batches)
                continue
            self.new_batches.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self.new_batches.wait(), _CHECK_INTERVAL_S)
            if not self.new_batches.is_set():  # Redis may have lost the stream meanwhile
                self.meters.published = await self._read_position()

    async def _publish(self, batches: Sequence[PublishedBatch]) -> None:
        entries = [
            (stream, body, f"{self.store.epoch}-{batch.postings.batch}")
            for batch in batches
            for stream, body in (
                (recorded_stream(batch.verdict.source), batch.verdict.encode()),
                (POSTINGS, batch.postings.encode()),
            )
        ]
        began = time.perf_counter()
        answers = await publish_entries(self.service.redis, entries, raise_on_error=False)
        for (stream, _, _), answer in zip(entries, answers, strict=True):
            if isinstance(answer, ResponseError) and "equal or smaller" in str(answer):
                self.service.log.warning("batch_told_already", stream=stream, position=self.meters.published)
            elif isinstance(answer, Exception):
                raise answer
        self.meters.published = batches[-1].postings.batch
        ms = round((time.perf_counter() - began) * 1000, 2)
        self.service.tally.info("batches_told", position=self.meters.published, batches=len(batches), ms=ms, ms_max=ms)

    async def _read_position(self) -> int:
        """Return the last batch on the stream of postings, 0 if there is none of this store.

        Raises `RuntimeError` if another store published it.
        """
        store = self.store
        last = cast(list[tuple[bytes, dict[bytes, bytes]]], await self.service.redis.xrevrange(POSTINGS, count=1))
        if not last:
            return 0
        epoch, batch = entry_order(last[0][0].decode())
        if epoch > store.epoch:
            raise RuntimeError(f"{POSTINGS} holds batches of a later store ({epoch}): is this an old one?")
        if epoch < store.epoch:
            return 0
        head = self._read_head(last[0])
        if batch > store.head.batch or head not in (None, store.hash_of(batch).hex()):
            try:
                store.expect_alone()
            except Fenced as fenced:
                self.service.log.warning("ledger_fenced", position=store.head.batch, reason=str(fenced))
                raise
            raise RuntimeError(
                f"{POSTINGS} holds batch {batch} of another history than this store, at {store.head.batch}. Was an old"
                " copy put back, or the store's write-ahead log lost? Put the newer one back; docs/deployment.md says"
                " how to go on without it. Does a second ledger run? Stop one"
            )
        return batch

    def _read_head(self, entry: tuple[bytes, dict[bytes, bytes]]) -> str | None:
        """Return the chain head that an entry of the stream names, None where it cannot be read."""
        entry_id, fields = entry
        try:
            return PostingBatch.model_validate_json(fields.get(DATA.encode(), b"")).head
        except ValueError as failure:
            if entry_id != self._garbled:
                self._garbled = entry_id
                log_garbled(self.service.log, POSTINGS, entry_id.decode(), failure)
            return None
