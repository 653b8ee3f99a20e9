"""Ways to play a case and ask for its answers: in one process, over a socket, from a store read again, PostgreSQL."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from services.ledger.store.reader import StoreReader, open_reader
from testing import played
from testing.played import HORIZON, CloudEvent, Played
from testing.servers.served import free_port

Play = Callable[..., Played]
WAYS = ("in process", "over HTTP", "replayed", "on PostgreSQL")

_current: ContextVar[Play] = ContextVar("play", default=played.play)


def play(events: Sequence[CloudEvent], **more: Any) -> Played:
    """Play some events in the way of the test, in process unless it has one."""
    return _current.get()(events, **more)


@contextmanager
def playing(way: Play) -> Iterator[None]:
    """Have `play` play in a way."""
    token = _current.set(way)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def stored(place: Callable[[], Path | str]) -> Iterator[Play]:
    """Yield the way of a ledger that records in a store and stops; the aggregator folds what is read of the store."""
    readers: list[StoreReader] = []

    def close() -> None:
        while readers:
            readers.pop().close()

    def play_stored(events: Sequence[CloudEvent], **more: Any) -> Played:
        close()  # an earlier case of the test may have the same store
        path = place()
        played.play(events, path=path, **more).store.close()
        readers.append(open_reader(path))
        return Played(readers[-1], HORIZON)

    try:
        yield play_stored
    finally:
        close()


class Server:
    """A server on a socket whose routes are those of the case that was asked last."""

    def __init__(self) -> None:
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        self.app: Starlette | None = None
        config = uvicorn.Config(self._answer, port=port, log_level="error", lifespan="off", interface="asgi3")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None
        await self.app(scope, receive, send)

    def __enter__(self) -> "Server":
        self._thread.start()
        deadline = time.monotonic() + 10
        while not self._server.started:
            assert time.monotonic() < deadline, "it does not serve in time"
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)

    def serves(self, way: Play) -> Play:
        """Return a way whose cases are asked through the socket."""
        return lambda events, **more: _Served(self, way(events, **more))


class _Served(Played):
    def __init__(self, server: Server, case: Played) -> None:
        self.server, self.store, self.horizon, self.state = server, case.store, case.horizon, case.state

    def _ask_app(self, app: Starlette, asked: Sequence[tuple[str, dict[str, Any]]]) -> list[httpx.Response]:
        self.server.app = app
        with httpx.Client(base_url=self.server.url) as client:
            return [client.get(path, params=query or None) for path, query in asked]
