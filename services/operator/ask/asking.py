"""Asking a stack: over HTTP where it runs, and from its store where it does not; the answers are the same."""

import asyncio
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette

from services.aggregator.fold.state import FoldState
from services.aggregator.http.routes import routes as aggregator_routes
from services.aggregator.live.view import LiveView
from services.aggregator.settings import AggregatorSettings
from services.ledger.http.routes import routes as ledger_routes
from services.ledger.store.store import Head, Store
from services.operator.record.at_rest import fold, fold_as_of, open_store, said_as_of
from services.operator.stack.calling import call
from services.operator.stack.finding import StackError, is_described, running, service_url

_read_last: dict[tuple[Path, str | None, int, Head], LiveView] = {}  # a command may have several questions: folded once


def ask(folder: Path, service: str, path: str, **query: str | int | None) -> Any:
    """Return what a service of the stack in a folder answers; raise `StackError` with its words where it refuses.

    Asked `as_of` a batch (1234) or a day (2026-12-31), the aggregator says what it would have answered then.
    """
    params = {name.rstrip("_"): str(value) for name, value in query.items() if value is not None}
    facts = running(folder)
    if facts is not None:
        try:
            answer = call(service_url(facts, service) + path, params=params)
        except httpx.TransportError as failure:
            where = "where it runs" if is_described(folder) else f"{folder}/logs/{service}.log"
            raise StackError(f"{service} does not answer ({failure}); see its log, {where}") from failure
    else:
        answer = asyncio.run(_ask_store(folder, service, path, params))
    if answer.status_code >= httpx.codes.BAD_REQUEST and answer.headers["content-type"] == "application/problem+json":
        raise StackError(answer.json()["detail"])
    return answer.json()


def ask_all(folder: Path, path: str, **query: str | int | None) -> dict[str, Any]:
    """Return what the aggregator answers where it answers in pages, with the rows of all of them; see `ask`."""
    answer: dict[str, Any] = ask(folder, "aggregator", path, **query)
    rows = list(answer["rows"])
    while answer["next"] is not None:
        answer = ask(folder, "aggregator", path, after=answer["next"], **query)
        rows += answer["rows"]
    return answer | {"rows": rows}


async def _ask_store(folder: Path, service: str, path: str, params: Mapping[str, str]) -> httpx.Response:
    store = open_store(folder)

    def read(as_of: str | None = None) -> LiveView:
        key = (folder, as_of, store.epoch, store.head)
        if key not in _read_last:
            _read_last.clear()
            _read_last[key] = _read(store, as_of)
        return _read_last[key]

    async def read_then(as_of: str) -> LiveView:
        return read(as_of)

    if service == "ledger":
        routes = ledger_routes(store, partial(open_store, folder))
    else:
        routes = aggregator_routes(read, read_then)
    transport = httpx.ASGITransport(Starlette(routes=routes))
    async with httpx.AsyncClient(transport=transport, base_url="http://store") as client:
        return await client.get(path, params=params)


def _read(store: Store, as_of: str | None) -> LiveView:
    thresholds = AggregatorSettings().alert_thresholds()
    if as_of is None:
        return LiveView(FoldState.of(fold(store), store.said()), thresholds)
    return LiveView(FoldState.of(fold_as_of(store, as_of), said_as_of(store, as_of)), thresholds)
