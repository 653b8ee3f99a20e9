"""A bound on the queries of one kind that are answered at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore

from prometheus_client import CollectorRegistry, Gauge

from shared.http.problem import BUSY, Problem

RETRY_LATER = {"Retry-After": "5"}


class PastTurns:
    """The turns of queries of the past, each of which takes memory; one without a turn is told to ask again."""

    def __init__(self, most: int, setting: str) -> None:
        self.most, self.setting = most, setting
        self.taken = 0
        self._free = BoundedSemaphore(most)  # a turn may end in another thread

    @contextmanager
    def take(self) -> Iterator[None]:
        """Hold a turn; raise `Problem` where none is free."""
        if not self._free.acquire(blocking=False):
            detail = f"{self.most} queries of the past are being answered ({self.setting} at once): ask again later"
            raise Problem(BUSY, detail, headers=RETRY_LATER)
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1
            self._free.release()

    def export(self, registry: CollectorRegistry) -> None:
        """Export the number of turns taken."""
        gauge = Gauge("waferline_past_queries", "Queries of the past that are being answered", registry=registry)
        gauge.set_function(lambda: self.taken)
