"""Telling the alerts: each is raised once and cleared once, whenever the aggregator was killed or began anew."""

import time
from collections import Counter
from typing import Any, cast

from prometheus_client import Gauge
from redis.exceptions import ResponseError

from services.aggregator.alerts.finding import Told
from services.aggregator.live.view import Reading
from shared.process.log import REFUSALS_SAID_MAX
from shared.service.service import Service, entry_order, publish_entries
from shared.wire.alerts import SUBJECTS, AlertBatch
from shared.wire.streams import ALERTS, DATA, POSTINGS

_READ_AT_ONCE = 100
_SAID_EVERY_S = 1.0


class Teller:
    """Puts on the stream of alerts how what is found differs from what it says; the stream itself is the memory.

    An entry's id is its epoch and number, so of two aggregators only one can write the next one; the other reads it
    first. What was being said when one was killed stands there, or is said by the next.
    """

    def __init__(self, service: Service, reading: Reading) -> None:
        self.service = service
        self.reading = reading
        self.told = Told()
        self._goal: tuple[int, int] | None = None  # epoch and batch that the plan has to be at, not to tell of the past
        self._is_read = False
        self._said_at, self._said = 0.0, 0
        self._open = Gauge("waferline_alerts_open", "Alerts that are open", ["code"], registry=service.registry)

    async def tell(self) -> None:
        """Tell what is to be told as of the plan, where it has come to what the stream of postings ends with."""
        if not self._is_read:
            await self._read()
        reading = self.reading
        epoch = reading.state.curves.epoch
        if epoch is None or epoch < self.told.epoch or not await self._is_up_to_date(epoch):
            return
        plan = reading.plan
        if reading.state.curves.epoch != epoch:
            return  # replaced meanwhile
        found = reading.alerts
        raised, cleared = self.told.changes(epoch, found)
        try:
            for batch in self.told.batches(epoch, plan, await reading.explained(raised), cleared):
                await publish_entries(self.service.redis, [(ALERTS, batch.encode(), f"{epoch}-{batch.number}")])
                self.told.add(batch)
                self._log(batch)
        except ResponseError as refused:
            if "equal or smaller" not in str(refused):
                raise
            await self._read()  # it stands there: another one said it, or we did and the answer was lost
            reading.moved.set()
        self._count()

    async def _read(self) -> None:
        """Fold what the stream says beyond what is folded."""
        while True:
            after = f"({self.told.epoch}-{self.told.number}"
            found = await self.service.redis.xrange(ALERTS, min=after, count=_READ_AT_ONCE)
            entries = cast(list[tuple[bytes, dict[bytes, bytes]]], found)
            for _, fields in entries:
                self.told.add(AlertBatch.model_validate_json(fields[DATA.encode()]))
            if len(entries) < _READ_AT_ONCE:
                break
        self._is_read = True
        self._count()

    async def _is_up_to_date(self, epoch: int) -> bool:
        """Whether the plan stands at or beyond where the postings ended when this was asked first."""
        if self._goal is None or self._goal[0] != epoch:
            last = cast(list[tuple[bytes, Any]], await self.service.redis.xrevrange(POSTINGS, count=1))
            self._goal = entry_order(last[0][0].decode()) if last else (epoch, 0)
        if (epoch, self.reading.plan.position) < self._goal:
            return False
        self._goal = None
        return True

    def _count(self) -> None:
        counts = Counter(code for code, _ in self.told.open)
        for code in SUBJECTS:
            self._open.labels(code).set(counts[code])

    def _log(self, batch: AlertBatch) -> None:
        """Say each change, but not too many a second: the others are counted."""
        if time.monotonic() - self._said_at >= _SAID_EVERY_S:
            self._said_at, self._said = time.monotonic(), 0
        said = batch.changes[: REFUSALS_SAID_MAX - self._said]
        self._said += len(said)
        log = self.service.log
        for change in said:
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
        left = batch.changes[len(said) :]
        if left:
            raised = Counter(change.code for change in left if change.status == "raised")
            cleared = len(left) - raised.total()
            log.warning("alerts_left_out", codes=raised, cleared=cleared, position=batch.position)
