"""What pages that are open are told: that balances or alerts have moved, not more often than one can read."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import orjson

from shared.broker import Entry

_TOLD_EVERY_S = 0.25
_STILL_HERE_S = 15.0


class Live:
    """The newest position heard of, and who waits for the next."""

    def __init__(self) -> None:
        self.position = 0
        self.watching = 0
        self._moved = asyncio.Event()

    def hear(self, entries: Sequence[Entry]) -> None:
        """Take the last of some entries for the state of things."""
        self.position = int(orjson.loads(entries[-1][1])["position"])
        self._moved.set()
        self._moved = asyncio.Event()

    async def events(self) -> AsyncIterator[bytes]:
        """Yield a server-sent event for each move, and a comment where nothing moves, which finds out who has left."""
        self.watching += 1
        try:
            yield b"retry: 2000\n\n"
            while True:
                moved, position = self._moved, self.position
                try:
                    async with asyncio.timeout(_STILL_HERE_S):
                        await moved.wait()
                except TimeoutError:
                    yield b": nothing moved\n\n"
                    continue
                if self.position != position or position == 0:
                    yield b"event: moved\ndata: %d\n\n" % self.position
                await asyncio.sleep(_TOLD_EVERY_S)
        finally:
            self.watching -= 1
