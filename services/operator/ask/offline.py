"""Answers of a stack at rest: the services' own HTTP routes over its store."""

import asyncio
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import httpx
from starlette.applications import Starlette

from services.aggregator.fold.state import FoldState
from services.aggregator.http.routes import routes as aggregator_routes
from services.aggregator.live.view import LiveView, RecordedDay
from services.aggregator.settings import AggregatorSettings
from services.ledger.http.routes import routes as ledger_routes
from services.ledger.store.batches import ChainHead
from services.ledger.store.reader import StoreReader
from services.operator.record.curves import batches_recorded_by, fold, fold_as_of, line_events_as_of
from services.operator.record.store import open_store
from services.operator.stack.errors import StackError
from shared.http.problem import NEVER_KNOWN, Problem

_last_view: dict[
    tuple[Path, str | None, int, ChainHead], LiveView
] = {}  # queries of one command fold the store only once


def answer_offline(folder: Path, service: str, path: str, params: Mapping[str, str]) -> httpx.Response:
    """Return the response of a service over the store in a folder; raise `StackError` if there is no store."""
    return asyncio.run(_answer(folder, service, path, params))


async def _answer(folder: Path, service: str, path: str, params: Mapping[str, str]) -> httpx.Response:
    store = open_store(folder)

    def view(as_of: str | None = None) -> LiveView:
        key = (folder, as_of, store.epoch, store.head)
        if key not in _last_view:
            _last_view.clear()
            _last_view[key] = _fold_view(store, as_of)
        return _last_view[key]

    async def view_as_of(as_of: str) -> LiveView:
        try:
            return view(as_of)
        except StackError as why:
            raise Problem(NEVER_KNOWN, str(why), parameter="as_of") from why

    if service == "ledger":
        routes = ledger_routes(store, partial(open_store, folder))
    else:
        routes = aggregator_routes(view, view_as_of)
    transport = httpx.ASGITransport(Starlette(routes=routes))
    async with httpx.AsyncClient(transport=transport, base_url="http://store") as client:
        return await client.get(path, params=params)


def _fold_view(store: StoreReader, as_of: str | None) -> LiveView:
    thresholds = AggregatorSettings().alert_thresholds()
    if as_of is None:
        return LiveView(FoldState.of(fold(store), store.published_events()), thresholds)
    batches, state = (
        batches_recorded_by(store, as_of),
        FoldState.of(fold_as_of(store, as_of), line_events_as_of(store, as_of)),
    )
    return LiveView(state, thresholds, None if batches is None else RecordedDay(as_of, batches))
