"""The feed to open pages: a server-sent event for each move of balances or alerts, at most four a second."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence

import orjson

from shared.service.entries import Entry

_PAUSE_S = 0.25  # faster than this nobody reads
_KEEP_ALIVE_S = 15.0
_DAYS_PASS_S = 5.0


class MoveFeed:
    """The newest position on the streams, and the open pages that wait for the next one."""

    def __init__(self, watchers_max: int = 200) -> None:
        self.watchers_max = watchers_max
        self.position = 0
        self.watching = 0
        self._last_move = time.monotonic()
        self._day: int | None = None  # the last complete one
        self._day_passed = float("-inf")
        self._moves = 0
        self._moved = asyncio.Event()

    @property
    def quiet_s(self) -> int:
        """Seconds since the last move; before the first move, since the start."""
        return int(time.monotonic() - self._last_move)

    @property
    def days_pass(self) -> bool:
        """Whether a day was completed a moment ago, as in a play: a past state would be old once it is folded."""
        return time.monotonic() - self._day_passed < _DAYS_PASS_S

    def start_at(self, body: bytes, quiet_s: float) -> None:
        """Start at the position of an entry that was published `quiet_s` before."""
        self.position = int(orjson.loads(body)["position"])
        self._last_move = time.monotonic() - quiet_s

    def publish(self, entries: Sequence[Entry]) -> None:
        """Move to the position of the last entry, and wake the open pages."""
        body = orjson.loads(entries[-1][1])
        self.position, self._last_move = int(body["position"]), time.monotonic()
        if "day" in body:  # of balances; alerts have the day of their plan
            if self._day is not None and body["day"] != self._day:
                self._day_passed = time.monotonic()
            self._day = body["day"]
        self._moves += 1
        self._moved.set()
        self._moved = asyncio.Event()

    async def events(self) -> AsyncIterator[bytes]:
        """Yield the position, then a server-sent event for each move, and a comment where nothing moves.

        The comment detects a page that has gone. A move during the pause after an event is sent next: none is lost.
        """
        self.watching += 1
        sent = self._moves
        try:
            yield b"retry: 2000\nevent: standing\ndata: %d\n\n" % self.position
            while True:
                try:
                    async with asyncio.timeout(_KEEP_ALIVE_S):
                        while self._moves == sent:
                            await self._moved.wait()
                except TimeoutError:
                    yield b": nothing moved\n\n"
                    continue
                sent = self._moves
                yield b"event: moved\ndata: %d\n\n" % self.position
                await asyncio.sleep(_PAUSE_S)
        finally:
            self.watching -= 1
