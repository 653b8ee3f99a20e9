"""The notifier at work: takes the alerts of the stream, sends the messages that are due, lists those that failed."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

from prometheus_client import Counter, Gauge
from redis.exceptions import ConnectionError as RedisLost
from redis.exceptions import TimeoutError as RedisTimeout
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.notifier.outgoing import Message, Outgoing
from services.notifier.rules import Rules, read_rules_file
from services.notifier.sending import AppriseSender, Pace, send_due
from shared.process.log import why
from shared.process.watched_file import WatchedFile
from shared.service.entries import Entry, entry_order, log_garbled
from shared.service.service import Service
from shared.wire.alerts import AlertBatch
from shared.wire.streams import ALERTS

_POLL_S = 1.0
_BEGINNING = "0-0"

Result = TypeVar("Result")


class AlertNotifier:
    """Reads and writes the outgoing messages in one thread: while it sends, new entries wait on their stream."""

    def __init__(
        self, service: Service, file: Path | None, rules: Rules, outgoing: Outgoing, sender: AppriseSender, pace: Pace
    ) -> None:
        self.service, self.rules, self.outgoing, self.sender, self.pace = service, rules, outgoing, sender, pace
        self._file = None if file is None else WatchedFile(file)
        self.entry = outgoing.entry or _BEGINNING  # taken last
        self._thread = ThreadPoolExecutor(1, "sending")
        registry = service.registry
        self._sent = Counter("waferline_messages_sent", "Messages that a target took", ["target"], registry=registry)
        self._failed = Counter("waferline_messages_failed", "Tries that failed", ["target"], registry=registry)
        self._waiting = Gauge("waferline_messages_waiting", "Messages not sent yet", registry=registry)

    async def begin(self) -> None:
        """Begin behind the entry taken last: at the first start behind all, on a stream that began anew before all."""
        await self._place_offset()
        self.entry = self.outgoing.entry or _BEGINNING
        self.service.readers[0].start_after(self.entry)

    async def _place_offset(self) -> bool:
        """Place the offset at the first start, and on a stream that began anew; return whether it was placed."""
        before = await self._run(lambda: self.outgoing.entry)  # first: entries taken meanwhile stand in the stream
        last = cast(list[tuple[bytes, Any]], await self.service.redis.xrevrange(ALERTS, count=1))
        newest = last[0][0].decode() if last else _BEGINNING
        if before is not None and entry_order(newest) >= entry_order(before):
            return False
        entry = newest if before is None else _BEGINNING
        self.service.log.warning("offset_placed", entry=entry, entry_before=before or "")
        await self._run(partial(self.outgoing.begin_behind, entry))
        return True

    async def take_alerts(self, entries: list[Entry]) -> None:
        """Store the messages of some entries, and the offset behind them."""
        read = [(entry, self._read(entry, body)) for entry, body in entries]
        made = await self._run(partial(self.outgoing.take, read, self.rules, time.time()))
        self.entry = entries[-1][0]
        self.service.tally.info("alerts_taken", entries=len(entries), messages=made)

    async def send(self) -> None:
        """Make the digests and send the messages that are due, for ever."""
        is_stopping = self.service.stopping.is_set
        while True:
            with suppress(RedisLost, RedisTimeout):  # Redis is away, and nothing can be checked
                if await self._place_offset():
                    self.entry = _BEGINNING
                    self.service.readers[0].rewind()
            if self._has_changed():
                await self._read_rules()
            await self._run(partial(self.outgoing.digest, self.rules, time.time()))
            await self._run(partial(send_due, self.outgoing, self.sender.send, self.pace, self._report, is_stopping))
            waiting, _, _ = await self._run(self.outgoing.counts)
            self._waiting.set(waiting)
            await asyncio.sleep(_POLL_S)

    async def answer(self, _: Request) -> Response:
        """The messages that could not be sent so far, each with the reason of its last try."""
        waiting, failing, sent = await self._run(self.outgoing.counts)
        names = ("key", "target", "rule", "title", "tries", "failure")
        rows = [{name: getattr(row, name) for name in names} for row in await self._run(self.outgoing.failing)]
        return JSONResponse({"waiting": waiting, "failing": failing, "sent": sent, "rows": rows})

    def end(self) -> None:
        """Wait for the try that goes on, and close the file."""
        self._thread.shutdown(wait=True)
        self.outgoing.connection.close()

    def _has_changed(self) -> bool:
        return self._file is not None and self._file.has_changed()

    async def _read_rules(self) -> None:
        """Take the rules of the changed file; a file with a fault changes nothing."""
        assert self._file is not None
        try:
            rules = read_rules_file(self._file.path)
            await self._run(partial(self.sender.use, rules))
        except ValueError as failure:
            self.service.log.warning("rules_refused", path=str(self._file.path), reason=why(failure))
            return
        self.rules = rules
        self.service.log.info("rules_taken", rules=len(rules.rules), targets=len(rules.targets))

    def _read(self, entry: str, body: bytes) -> AlertBatch | None:
        try:
            return AlertBatch.model_validate_json(body)
        except ValueError as failure:
            log_garbled(self.service.log, ALERTS, entry, failure)
            return None

    def _run(self, work: Callable[[], Result]) -> asyncio.Future[Result]:
        return asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _report(self, message: Message, reason: str | None, seconds: float) -> None:
        tries, log = message.tries + 1, self.service.log
        if reason is None:
            self._sent.labels(message.target).inc()
            ms = round(1000 * seconds, 1)
            log.info("message_sent", rule=message.rule, target=message.target, key=message.key, tries=tries, ms=ms)
            return
        self._failed.labels(message.target).inc()
        log.warning(
            "message_not_sent",
            rule=message.rule,
            target=message.target,
            key=message.key,
            tries=tries,
            reason=reason,
            retry_s=self.pace.wait_s(message.tries),
        )
