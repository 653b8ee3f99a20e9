"""Asking a stack: over HTTP where it runs, and from its store where it does not; the answers are the same."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from services.aggregator.api import routes as aggregator_routes
from services.aggregator.curves import Curves
from services.ledger.api import routes as ledger_routes
from services.ledger.store import Store
from services.operator.stack import StackError, running
from shared.catalog import digest

_READ_AT_ONCE = 200


def ask(folder: Path, service: str, path: str, **query: str | int | None) -> Any:
    """Return what a service of the stack in a folder answers; raise `StackError` with its words where it refuses."""
    params = {name.rstrip("_"): str(value) for name, value in query.items() if value is not None}
    facts = running(folder)
    if facts is not None:
        try:
            answer = httpx.get(facts["services"][service] + path, params=params, timeout=60)
        except httpx.TransportError as failure:
            raise StackError(f"{service} does not answer ({failure}); see {folder}/logs/{service}.log") from failure
    else:
        answer = asyncio.run(_ask_store(folder, service, path, params))
    if answer.status_code >= httpx.codes.BAD_REQUEST and answer.headers["content-type"] == "application/problem+json":
        raise StackError(answer.json()["detail"])
    return answer.json()


async def _ask_store(folder: Path, service: str, path: str, params: Mapping[str, str]) -> httpx.Response:
    store = open_store(folder)
    routes: list[BaseRoute] = (
        ledger_routes(store) if service == "ledger" else [*aggregator_routes(partial(fold, store))]
    )
    transport = httpx.ASGITransport(Starlette(routes=routes))
    async with httpx.AsyncClient(transport=transport, base_url="http://store") as client:
        return await client.get(path, params=params)


def find_stack(folder: Path) -> Path:
    """Return the folder of a stack; of a folder of stacks the one that runs, else the demo's, else the other."""
    if (folder / "ledger.db").exists() or (folder / "stack.json").exists():
        return folder
    inside = [folder / "demo", folder / "up"]
    running_ones = [each for each in inside if running(each)]
    there = running_ones or [each for each in inside if (each / "ledger.db").exists()]
    return there[0] if there else folder


def open_store(folder: Path) -> Store:
    """Return the store of the stack in a folder, to be read; raise `StackError` if there is none."""
    path = folder / "ledger.db"
    if not path.exists():
        raise StackError(f"{path} is not there: name a stack's folder with --data, or make one with `waferline demo`")
    return Store(path, read_only=True)


def fold(store: Store, advance: Callable[[int], None] = lambda _: None) -> Curves:
    """Return the curves of all stored postings: what the aggregator would have; `advance` hears of each batch."""
    curves = Curves(catalogue=digest())
    while batches := store.stored_batches(curves.position, _READ_AT_ONCE):
        for batch in batches:
            curves.add(batch.postings)
        advance(len(batches))
    return curves
