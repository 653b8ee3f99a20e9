"""What pages that are open are told: that balances or alerts have moved, not more often than one can read."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence

import orjson

from shared.service.entries import Entry

_TOLD_EVERY_S = 0.25
_STILL_HERE_S = 15.0


class Live:
    """The newest position heard of, and who waits for the next."""

    def __init__(self) -> None:
        self.position = 0
        self.watching = 0
        self._heard_at = time.monotonic()
        self._moves = 0
        self._moved = asyncio.Event()

    @property
    def quiet_s(self) -> int:
        """For how long nothing has moved; before anything ever has, since the start."""
        return int(time.monotonic() - self._heard_at)

    def begin(self, body: bytes, quiet_s: float) -> None:
        """Take what was told before the start for the state of things."""
        self.position = int(orjson.loads(body)["position"])
        self._heard_at = time.monotonic() - quiet_s

    def hear(self, entries: Sequence[Entry]) -> None:
        """Take the last of some entries for the state of things."""
        self.position = int(orjson.loads(entries[-1][1])["position"])
        self._heard_at = time.monotonic()
        self._moves += 1
        self._moved.set()
        self._moved = asyncio.Event()

    async def events(self) -> AsyncIterator[bytes]:
        """Yield where things stand, then a server-sent event for each move, and a comment where nothing moves.

        The comment finds out who has left. What moves while one is told is told next: none is left out.
        """
        self.watching += 1
        told = self._moves
        try:
            yield b"retry: 2000\nevent: standing\ndata: %d\n\n" % self.position
            while True:
                try:
                    async with asyncio.timeout(_STILL_HERE_S):
                        while self._moves == told:
                            await self._moved.wait()
                except TimeoutError:
                    yield b": nothing moved\n\n"
                    continue
                told = self._moves
                yield b"event: moved\ndata: %d\n\n" % self.position
                await asyncio.sleep(_TOLD_EVERY_S)
        finally:
            self.watching -= 1
