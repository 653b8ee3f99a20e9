"""Loop that folds the ledger's postings and publishes the balances of the keys they change."""

import asyncio
import time

import numpy as np

from services.aggregator.fold.curves import Gap
from services.aggregator.fold.queries import balance_batch
from services.aggregator.fold.state import FoldState, MakeState
from services.aggregator.kernels.arrays import Index
from services.aggregator.live.catch_up import fetch_missing
from services.aggregator.live.meters import AggregatorMeters, elapsed_ms
from services.aggregator.live.view import LiveView
from shared.http.peers import Caller
from shared.process.settings import NEAR_LIMIT
from shared.service.entries import Entry, entry_order, log_garbled, publish_entries
from shared.service.service import Service
from shared.wire.days import iso_day
from shared.wire.postings import PostingBatch
from shared.wire.streams import BALANCES, POSTINGS

_NO_KEYS = np.empty(0, dtype=np.int64)


class FoldLoop:
    """Folds each batch of the stream once, in order; batches that the stream has lost come from the ledger."""

    def __init__(
        self,
        service: Service,
        view: LiveView,
        make_state: MakeState,
        ledger_url: str,
        caller: Caller,
        *,
        names_max: int,
    ) -> None:
        self.service, self.view, self.make_state = service, view, make_state
        self.ledger_url, self.caller = ledger_url, caller
        self.meters = AggregatorMeters(service, view, names_max)
        self.names_max, self.names_warned_at = names_max, int(names_max * NEAR_LIMIT)
        self.published_position = 0  # the last batch with its balances on their stream
        self.folds_anew = False  # for another horizon; the view stays as it was until then

    @property
    def is_published(self) -> bool:
        """Whether the balances of all that is folded are on their stream."""
        return self.published_position == self.view.state.curves.position

    def adopt(self, state: FoldState) -> None:
        """Go on from a restored state; its balances were published before the snapshot was written."""
        self.view.replace(state)
        self.published_position = state.curves.position
        self.service.readers[0].start_after(f"{state.curves.epoch}-{self.published_position}")

    async def roll_balances(self, entries: list[Entry]) -> None:
        """Fold the batches of one read, then publish the balances of the keys that changed."""
        began = time.perf_counter()
        batches: list[PostingBatch] = []
        changed: list[Index] = []
        async with self.view.fold_lock:
            for entry in entries:
                batch, changed = await self._fold_entry(entry, changed)
                batches += [] if batch is None else [batch]
                await asyncio.sleep(0)  # between two batches the state is whole: HTTP queries get their turn
        keys = np.unique(np.concatenate([_NO_KEYS, *changed]))
        curves = self.view.state.curves
        oldest = min((batch.told for batch in batches if batch.told is not None), default=None)
        self.view.note_changes(keys)
        if keys.size:
            await publish_entries(self.service.redis, [(BALANCES, balance_batch(curves, keys, oldest).encode(), "*")])
        self.published_position = curves.position
        if len(curves.keys) >= self.names_warned_at:
            self._warn_of_names(len(curves.keys))
        count = sum(len(batch.wafers) for batch in batches)
        ms = elapsed_ms(began)
        lag_ms = None if oldest is None else max(0, time.time_ns() // 1_000_000 - oldest // 1000)
        self.meters.count(count, ms, lag_ms)
        self.service.tally.info(
            "balances_rolled",
            position=curves.position,
            batches=len(batches),
            postings=count,
            balances=int(keys.size),
            lag_ms_max=lag_ms or 0,
            ms=ms,
            ms_max=ms,
        )

    def _warn_of_names(self, names: int) -> None:
        """Log that the names are near their limit, and again for each tenth of it that they grow by."""
        self.names_warned_at = names + max(1, self.names_max // 10)
        self.service.log.warning("names_near_limit", names=names, names_max=self.names_max)

    async def _fold(self, batch: PostingBatch, changed: list[Index]) -> list[Index]:
        """Return the keys changed so far and by this batch; another store's batch replaces the state and its keys."""
        epoch = self.view.state.curves.epoch
        if epoch is not None and batch.epoch < epoch:
            return changed  # an earlier store left it on the stream
        if epoch is not None and batch.epoch > epoch:
            self.service.log.warning("store_changed", epoch=batch.epoch, epoch_before=epoch)
            self.view.replace(self.make_state())
            changed = []
        changed = changed + await self._fold_behind_gap(batch)
        return await self._fold_anew(batch.epoch, batch.batch) if self._has_another_horizon(batch.batch) else changed

    def _has_another_horizon(self, position: int) -> bool:
        """Return whether the state of a position has another horizon than the one declared as of it."""
        state = self.view.state
        return state.declared_horizon != state.curves.horizon and state.curves.position == position

    async def _fold_anew(self, epoch: int, position: int) -> list[Index]:
        """Fold the ledger's batches up to a position, with the horizon that is declared as of it; return all keys."""
        began, self.folds_anew = time.perf_counter(), True
        try:
            state = self.make_state(self.view.state.declared_horizon)
            start, days = state.curves.horizon
            self.service.log.warning(
                "horizon_changed", from_day=iso_day(start), through_day=iso_day(start + days - 1), position=position
            )
            async for batch in fetch_missing(state.curves, position, self.ledger_url, self.caller):
                if batch.epoch != epoch:
                    return []  # a new store has begun: its batches follow, and replace the state
                state.add(batch)
            self.view.replace(state)
        finally:
            self.folds_anew = False
        self.service.log.info("horizon_folded", position=state.curves.position, ms=elapsed_ms(began))
        return [np.arange(len(state.curves.keys))]

    async def _fold_entry(self, entry: Entry, changed: list[Index]) -> tuple[PostingBatch | None, list[Index]]:
        """Fold one entry; return its batch, None where the ledger's took its place, and the keys changed so far."""
        entry_id, body = entry
        batch = None
        try:
            batch = PostingBatch.model_validate_json(body)
            return batch, await self._fold(batch, changed)
        except ValueError as failure:
            log_garbled(self.service.log, POSTINGS, entry_id, failure)
        if batch is not None:  # a part of it may be folded
            self.view.replace(self.make_state())
            changed = []
        return None, changed + await self._fold_from_ledger(entry_id)

    async def _fold_from_ledger(self, entry_id: str) -> list[Index]:
        """Fold the batches up to that of an entry that cannot be read: the ledger has it as it was published."""
        epoch, number = entry_order(entry_id)
        state = self.view.state
        if state.curves.epoch not in (None, epoch):
            return []  # of another store, whose next batch replaces the state
        missing = fetch_missing(state.curves, number, self.ledger_url, self.caller)
        changed = [state.add(batch) async for batch in missing if batch.epoch == epoch]
        return await self._fold_anew(epoch, number) if self._has_another_horizon(number) else changed

    async def _fold_behind_gap(self, batch: PostingBatch) -> list[Index]:
        """Fold one batch; where the stream has a gap before it, fold the missing batches of the ledger first."""
        state, log = self.view.state, self.service.log
        try:
            return [state.add(batch)]
        except Gap as gap:
            log.warning("gap_found", reason=str(gap), position=state.curves.position)
        began = time.perf_counter()
        changed = []
        async for missing in fetch_missing(state.curves, batch.previous, self.ledger_url, self.caller):
            if missing.epoch > batch.epoch:
                return []  # an earlier store left this batch on the stream; those of the new store follow it
            changed.append(state.add(missing))
        log.info("gap_closed", position=state.curves.position, batches=len(changed), ms=elapsed_ms(began))
        return [*changed, state.add(batch)]
