"""A network that can be cut: a TCP proxy before Redis."""

import asyncio
import threading
from contextlib import suppress
from typing import Literal

Cut = Literal["closed", "stalled", "lost"]


class Proxy:
    """Passes bytes on to a port of this machine, until it is cut.

    `closed`: connections are reset, and new ones, too. `stalled`: bytes wait and go on when it is healed, as packets
    that are dropped and sent again. `lost`: no byte passes any more on the connections of that time, and nobody says
    so, as when a firewall forgets them; new ones after it was healed are well.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self._cut: Cut | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._lost: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),), daemon=True)
        self._thread.start()
        self._started.wait(5)

    def cut(self, how: Cut) -> None:
        """Cut the network."""
        self._call(self._do_cut, how)

    def heal(self) -> None:
        """Make the network whole again."""
        self._call(self._do_cut, None)

    def stop(self) -> None:
        """End it, and every connection."""
        self._call(self._do_cut, "closed")
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(5)
        self._loop.close()

    def _call(self, function: object, *arguments: object) -> None:
        done = threading.Event()
        self._loop.call_soon_threadsafe(lambda: (function(*arguments), done.set()))  # type: ignore[operator]
        done.wait(5)

    def _do_cut(self, how: Cut | None) -> None:
        self._cut = how
        if how == "closed":
            for writer in self._writers:
                writer.transport.abort()
        elif how == "lost":
            self._lost |= self._writers
        if how is None:
            self._healed.set()
        else:
            self._healed.clear()

    async def _run(self) -> None:
        self._healed, self._ended = asyncio.Event(), asyncio.Event()
        self._healed.set()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._ended.wait()
        server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._cut == "closed":
            writer.transport.abort()
            return
        there = await asyncio.open_connection("127.0.0.1", self.target)
        both = {writer, there[1]}
        self._writers |= both
        if self._cut == "lost":
            self._lost |= both
        ways = [asyncio.create_task(self._pass(*way)) for way in ((reader, there[1]), (there[0], writer))]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        for each in both:
            self._writers.discard(each)
            self._lost.discard(each)
            each.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await reader.read(65536):
                if self._cut == "stalled":
                    await self._healed.wait()
                if writer not in self._lost:
                    writer.write(piece)
                    await writer.drain()
            if self._cut == "stalled":  # the end does not pass, either
                await self._healed.wait()
