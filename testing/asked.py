"""The aggregator's routes over some events, asked in memory."""

import asyncio
from datetime import date
from typing import Any

import httpx
from starlette.applications import Starlette

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.state import FoldState
from services.aggregator.http.routes import routes
from services.aggregator.live.view import LiveView
from shared.wire.events import Event
from testing.fold import EPOCH, Horizon, fold
from testing.servers.served import no_past
from testing.twins.curves import batch_of
from testing.twins.ledger import number


class Asked:
    """The routes over some events, with all days before today complete."""

    def __init__(self, log: list[Event], today: date | None) -> None:
        folded = fold(sorted(log, key=lambda event: event.source), horizon=Horizon(date(2026, 4, 1), 183))
        self.state = FoldState(Curves(*Horizon(date(2026, 4, 1), 183)))
        for batch in folded.store.published_batches(0, 1_000_000):
            self.state.add(batch.postings)
        if today is not None:
            marks = dict.fromkeys(self.state.curves.sources, number(today) - 1)
            self.state.add(batch_of(self.state.curves.position + 1, [], marks, epoch=EPOCH))

    @property
    def app(self) -> Starlette:
        """The routes, over one view."""
        view = LiveView(self.state)
        return Starlette(routes=routes(lambda: view, no_past))

    def response(self, path: str) -> httpx.Response:
        async def get() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://aggregator") as client:
                return await client.get(path)

        return asyncio.run(get())

    def __call__(self, path: str) -> Any:
        return self.response(path).json()
