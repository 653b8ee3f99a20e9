"""The aggregator's wiring: postings in, balances of the keys they changed out, and HTTP to ask for any other."""

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import httpx
import numpy as np
from prometheus_client import Counter, Gauge, Histogram
from structlog.typing import FilteringBoundLogger

from services.aggregator.fold.curves import Curves, Gap
from services.aggregator.fold.state import FoldState
from services.aggregator.http.routes import routes
from services.aggregator.kernels.curves import Index
from services.aggregator.live.alert_publisher import Teller
from services.aggregator.live.past import History
from services.aggregator.live.snapshots import Snapshots
from services.aggregator.live.view import Reading
from services.aggregator.settings import AggregatorSettings
from shared.http.access import READ
from shared.http.peers import Caller, expect_let_in, read_caller
from shared.service.service import TIMES_S, Entry, Service, publish_entries
from shared.wire.catalog import digest
from shared.wire.postings import PostingBatch
from shared.wire.streams import BALANCES, POSTINGS

_FETCHED_AT_ONCE = 200
_PLANNED_EVERY_S, _LEFT_TO_OTHERS = 0.1, 3
_NO_KEYS = np.empty(0, dtype=np.int64)


def build_app(settings: AggregatorSettings) -> Service:
    """Return the aggregator: it folds the postings behind its snapshot, or from the first one on if it has none."""
    service = Service("aggregator", settings)
    reading = Reading(_nothing_folded(settings), settings.alert_thresholds())
    teller = Teller(service, reading)
    caller = read_caller(settings)
    folder = _Folder(settings, caller, reading, service.log)
    told_through = 0  # the position whose balances are on their stream
    meters = _Meters(service, reading)
    service.routes += routes(lambda: reading, _open_history(service, settings, caller).read)
    service.describe(Path(__file__).parent / "http" / "examples.json", scope=READ)
    service.facts = lambda: {
        "position": reading.state.curves.position,
        "head": reading.state.curves.head,
        "keys": len(reading.state.curves.keys),
        "complete_through": reading.state.curves.complete_through,
        "planned": reading.plan.position,
    }

    @service.reads(POSTINGS, after="0-0")
    async def roll_balances(entries: list[Entry]) -> None:
        nonlocal told_through
        began = time.perf_counter()
        batches: list[PostingBatch] = []
        changed: list[Index] = []
        async with reading.still:
            for _, body in entries:
                batches.append(PostingBatch.model_validate_json(body))
                changed = await folder.fold(batches[-1], changed)
                await asyncio.sleep(0)  # whoever asks has a turn: what is folded is whole
        keys = np.unique(np.concatenate([_NO_KEYS, *changed]))
        curves = reading.state.curves
        told = min((batch.told for batch in batches if batch.told is not None), default=None)
        reading.note(keys)
        if keys.size:
            await publish_entries(service.redis, [(BALANCES, curves.balances(keys, told).encode(), "*")])
        told_through = curves.position
        count = sum(len(batch.wafers) for batch in batches)
        ms = _since(began)
        lag_ms = None if told is None else max(0, time.time_ns() // 1_000_000 - told // 1000)
        meters.count(count, ms, lag_ms)
        service.tally.info(
            "balances_rolled",
            position=curves.position,
            batches=len(batches),
            postings=count,
            balances=int(keys.size),
            lag_ms_max=lag_ms or 0,
            ms=ms,
            ms_max=ms,
        )

    @service.run_beside
    async def plan_ahead() -> None:
        """Work the plan out anew where the fold has moved on, tell the alerts, and leave most of the time to others."""
        await teller.tell()
        while True:
            await reading.moved.wait()
            began = time.perf_counter()
            plan = await reading.refresh()
            ms = _since(began)
            service.tally.info(
                "plan_refreshed",
                position=plan.position,
                groups=len(plan.grouping.labels),
                short=int(plan.shortages().size),
                ms=ms,
                ms_max=ms,
            )
            await teller.tell()
            await asyncio.sleep(max(_PLANNED_EVERY_S, _LEFT_TO_OTHERS * ms / 1000))

    def adopt(state: FoldState) -> None:
        nonlocal told_through
        reading.replace(state)
        told_through = state.curves.position
        service.readers[0].begin_behind(f"{state.curves.epoch}-{told_through}")

    if settings.snapshot is not None:
        snapshots = Snapshots(
            service, reading, settings.snapshot, settings.snapshot_every_s, settings.ledger_url, caller
        )
        snapshots.begin(adopt)
        snapshots.keep(lambda: told_through == reading.state.curves.position)

    return service


class _Folder:
    """Folds batches in their order, each once; what the stream has lost comes from the ledger."""

    def __init__(
        self, settings: AggregatorSettings, caller: Caller, reading: Reading, log: FilteringBoundLogger
    ) -> None:
        self.settings = settings
        self.caller = caller
        self.reading = reading
        self.log = log

    async def fold(self, batch: PostingBatch, changed: list[Index]) -> list[Index]:
        """Return the keys that the batches before it and this one changed; none of those of a store that is gone."""
        epoch = self.reading.state.curves.epoch
        if epoch is not None and batch.epoch < epoch:
            return changed  # left on the stream by a store that is gone
        if epoch is not None and batch.epoch > epoch:
            self.log.warning("store_changed", epoch=batch.epoch, epoch_before=epoch)
            self.reading.replace(_nothing_folded(self.settings))
            changed = []
        return changed + await self._fold_one(batch)

    async def _fold_one(self, batch: PostingBatch) -> list[Index]:
        """Fold one batch; where the stream has a gap, fetch what is missing from the ledger first."""
        state = self.reading.state
        try:
            return [state.add(batch)]
        except Gap as gap:
            self.log.warning("gap_found", reason=str(gap), position=state.curves.position)
        began = time.perf_counter()
        missed = []
        async for late in self._fetch(batch, state):
            if late.epoch > batch.epoch:
                return []  # the batch was left on the stream by a store that is gone; the new one's follow it
            missed.append(state.add(late))
        self.log.info("gap_closed", position=state.curves.position, batches=len(missed), ms=_since(began))
        return [*missed, state.add(batch)]

    async def _fetch(self, batch: PostingBatch, state: FoldState) -> AsyncIterator[PostingBatch]:
        """Yield the batches between the last one folded and this one."""
        url, curves = self.settings.ledger_url, state.curves
        headers, verify = self.caller
        async with httpx.AsyncClient(base_url=url, timeout=30, headers=headers, verify=verify) as ledger:
            while curves.position < batch.previous:
                after = curves.position
                page = await ledger.get("/postings", params={"after": after, "limit": _FETCHED_AT_ONCE})
                expect_let_in(page, f"the ledger at {url}")
                page.raise_for_status()
                for line in page.content.splitlines():
                    late = PostingBatch.model_validate_json(line)
                    if late.batch <= batch.previous:
                        yield late
                if curves.position == after:
                    raise RuntimeError(f"the ledger at {url} has no batch after {after}, the stream has {batch.batch}")


class _Meters:
    """What the aggregator counts for /metrics."""

    def __init__(self, service: Service, reading: Reading) -> None:
        self.postings = Counter("waferline_postings_folded", "Postings folded", registry=service.registry)
        position = Gauge("waferline_aggregator_position", "The last batch folded", registry=service.registry)
        position.set_function(lambda: reading.state.curves.position)
        planned = Gauge("waferline_plan_position", "The batch that the plan is of", registry=service.registry)
        planned.set_function(lambda: reading.plan.position)
        self.work = Histogram(
            "waferline_rolling_seconds", "Time a read takes", registry=service.registry, buckets=TIMES_S
        )
        self.lag = Histogram(
            "waferline_rolling_lag_seconds", "From stream to balance", registry=service.registry, buckets=TIMES_S
        )

    def count(self, postings: int, ms: float, lag_ms: float | None) -> None:
        self.postings.inc(postings)
        self.work.observe(ms / 1000)
        if lag_ms is not None:
            self.lag.observe(lag_ms / 1000)


def _open_history(service: Service, settings: AggregatorSettings, caller: Caller) -> History:
    return History(
        service,
        partial(_nothing_folded, settings),
        settings.ledger_url,
        caller,
        settings.alert_thresholds(),
        settings.past_states,
        settings.past_mb << 20,
    )


def _nothing_folded(settings: AggregatorSettings) -> FoldState:
    return FoldState(Curves(settings.horizon_start, settings.horizon_days, digest()))


def _since(began: float) -> float:
    return round((time.perf_counter() - began) * 1000, 2)
