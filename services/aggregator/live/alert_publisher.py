"""Publisher of the alerts: each is raised once and cleared once, whenever an aggregator was killed or began anew."""

import time
from collections import Counter
from typing import Any, cast

from prometheus_client import Gauge
from redis.exceptions import ResponseError

from services.aggregator.alerts.published import PublishedAlerts
from services.aggregator.live.view import LiveView
from shared.process.log import LOGGED_REFUSALS_MAX
from shared.service.entries import entry_order, log_garbled, publish_entries
from shared.service.service import Service
from shared.wire.alerts import SUBJECTS, AlertBatch
from shared.wire.streams import ALERTS, DATA, POSTINGS

_PAGE_MAX = 16  # entries of one read, each of up to 1,000 changes: Redis ends an answer of more than 32 MB
_LOG_WINDOW_S = 1.0


class AlertPublisher:
    """Publishes the difference between the alerts found and those on the stream; the stream itself is the memory.

    An entry's id is its epoch and number, so of two aggregators only one can write the next entry; the other one reads
    it first. An entry that an aggregator was publishing when it was killed is on the stream, or is published by the
    next aggregator.
    """

    def __init__(self, service: Service, view: LiveView) -> None:
        self.service = service
        self.view = view
        self.published = PublishedAlerts()
        self._goal: tuple[int, int] | None = None  # epoch and batch of the last posting: an older plan is outdated
        self._is_read = False
        self._logged_at, self._logged = 0.0, 0
        self._open = Gauge("waferline_alerts_open", "Alerts that are open", ["code"], registry=service.registry)

    async def publish_changes(self) -> None:
        """Publish the alerts raised and cleared as of the plan, once the plan has reached the end of the postings."""
        if not self._is_read:
            await self._read()
        view = self.view
        epoch = view.state.curves.epoch
        if epoch is None or epoch < self.published.epoch or not await self._is_up_to_date(epoch):
            return
        plan = view.plan
        if view.state.curves.epoch != epoch:
            return  # the state was replaced meanwhile
        raised, cleared = self.published.changes(epoch, view.alerts_to_publish)
        try:
            for batch in self.published.batches(epoch, plan, await view.explain_alerts(raised), cleared):
                await publish_entries(self.service.redis, [(ALERTS, batch.encode(), f"{epoch}-{batch.number}")])
                self.published.add(batch)
                self._log(batch)
        except ResponseError as refused:
            if "equal or smaller" not in str(refused):
                raise
            await self._read()  # the entry exists: another aggregator wrote it, or we did and the answer was lost
            view.moved.set()
        self._count()

    async def _read(self) -> None:
        """Fold the entries of the stream that are not folded yet."""
        while True:
            after = f"({self.published.epoch}-{self.published.number}"
            found = await self.service.redis.xrange(ALERTS, min=after, count=_PAGE_MAX)
            entries = cast(list[tuple[bytes, dict[bytes, bytes]]], found)
            for entry_id, fields in entries:
                try:
                    self.published.add(AlertBatch.model_validate_json(fields.get(DATA.encode(), b"")))
                except ValueError as failure:
                    entry = entry_id.decode()
                    log_garbled(self.service.log, ALERTS, entry, failure)
                    self.published.pass_over(*entry_order(entry))
            if len(entries) < _PAGE_MAX:
                break
        self._is_read = True
        self._count()

    async def _is_up_to_date(self, epoch: int) -> bool:
        """Whether the plan has reached the batch with which the stream of postings ended at the first call."""
        if self._goal is None or self._goal[0] != epoch:
            last = cast(list[tuple[bytes, Any]], await self.service.redis.xrevrange(POSTINGS, count=1))
            self._goal = entry_order(last[0][0].decode()) if last else (epoch, 0)
        if (epoch, self.view.plan.position) < self._goal:
            return False
        self._goal = None
        return True

    def _count(self) -> None:
        counts = Counter(name.code for name in self.published.open)
        for code in SUBJECTS:
            self._open.labels(code).set(counts[code])

    def _log(self, batch: AlertBatch) -> None:
        """Log each change, up to a number a second; count the others."""
        if time.monotonic() - self._logged_at >= _LOG_WINDOW_S:
            self._logged_at, self._logged = time.monotonic(), 0
        logged = batch.changes[: LOGGED_REFUSALS_MAX - self._logged]
        self._logged += len(logged)
        log = self.service.log
        for change in logged:
            if change.status == "raised":
                log.warning(
                    "alert_raised",
                    code=change.code,
                    subject=change.subject,
                    detail=change.detail,
                    causes=change.causes,
                    position=batch.position,
                )
            else:
                log.info("alert_cleared", code=change.code, subject=change.subject, position=batch.position)
        left = batch.changes[len(logged) :]
        if left:
            raised = Counter(change.code for change in left if change.status == "raised")
            cleared = len(left) - raised.total()
            log.warning("alerts_left_out", codes=raised, cleared=cleared, position=batch.position)
