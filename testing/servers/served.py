"""A service's HTTP in a test, on a real socket."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from structlog.testing import CapturingLogger

from shared.service.service import Service

_STARTED_WITHIN_S = 10


@contextmanager
def served(build: Callable[[], Service]) -> Iterator[str]:
    """Serve what a service serves over HTTP, in a thread of its own, where it is built, too; yield where."""
    running = _Running(build)
    running.start()
    deadline = time.monotonic() + _STARTED_WITHIN_S
    while running.server is None or not running.server.started:
        assert running.is_alive(), "it does not serve"
        assert time.monotonic() < deadline, "it does not serve in time"
        time.sleep(0.01)
    try:
        yield running.url
    finally:
        running.server.should_exit = True
        running.join(_STARTED_WITHIN_S)


class _Running(threading.Thread):
    def __init__(self, build: Callable[[], Service]) -> None:
        super().__init__(daemon=True)
        self.build = build
        self.url = ""
        self.server: uvicorn.Server | None = None

    def run(self) -> None:
        service = self.build()
        service.log = service.tally.log = CapturingLogger()  # standard output is that of the command that is tried
        self.url = f"{'http' if service.certificate is None else 'https'}://127.0.0.1:{service.settings.http_port}"
        self.server = service.serve()
        assert self.server is not None
        self.server.run()
        for end in service.at_end:
            end()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


async def no_past(as_of: str) -> Any:
    """Answer for a past that is not asked for."""
    raise AssertionError(f"nobody asks as of {as_of}")
