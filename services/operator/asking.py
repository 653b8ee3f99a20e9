"""Asking a stack: over HTTP where it runs, and from its store where it does not; the answers are the same."""

import asyncio
import sqlite3
import sys
from collections.abc import Callable, Mapping
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psycopg
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from services.aggregator.api import routes as aggregator_routes
from services.aggregator.curves import Curves
from services.ledger.api import routes as ledger_routes
from services.ledger.migrating import StrangeStore
from services.ledger.store import Store
from services.ledger.store import open_store as open_ledger
from services.operator.stack import StackError, running
from shared.catalog import digest
from shared.events import day_number

_READ_AT_ONCE = 200
_DAY_US = 86_400_000_000


def ask(folder: Path, service: str, path: str, *, as_of: str | None = None, **query: str | int | None) -> Any:
    """Return what a service of the stack in a folder answers; raise `StackError` with its words where it refuses.

    `as_of` asks for what it would have answered then: after a batch, or at the end of a day.
    """
    params = {name.rstrip("_"): str(value) for name, value in query.items() if value is not None}
    facts = running(folder)
    if facts is not None and as_of is None:
        try:
            answer = httpx.get(facts["services"][service] + path, params=params, timeout=60)
        except httpx.TransportError as failure:
            raise StackError(f"{service} does not answer ({failure}); see {folder}/logs/{service}.log") from failure
    else:
        answer = asyncio.run(_ask_store(folder, service, path, params, as_of))
    if answer.status_code >= httpx.codes.BAD_REQUEST and answer.headers["content-type"] == "application/problem+json":
        raise StackError(answer.json()["detail"])
    return answer.json()


async def _ask_store(
    folder: Path, service: str, path: str, params: Mapping[str, str], as_of: str | None
) -> httpx.Response:
    store = open_store(folder)
    until = None if as_of is None else position_of(store, as_of)
    routes: list[BaseRoute] = (
        ledger_routes(store) if service == "ledger" else [*aggregator_routes(partial(fold, store, until=until))]
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


def open_store(folder: Path, url: str | None = None) -> Store:
    """Return a store, to be read: that of the stack in a folder, or the one at a URL; raise `StackError` if none."""
    path = folder / "ledger.db"
    if url is None and not path.exists():
        raise StackError(f"{path} is not there: name a stack's folder with --data, or make one with `waferline demo`")
    try:
        return open_ledger(path if url is None else url, read_only=True)
    except (StrangeStore, psycopg.Error) as why:  # psycopg names no password
        raise StackError(f"{path if url is None else 'the store at the URL'}: {why}") from why


def failures() -> tuple[type[Exception], ...]:
    """Return what a database raises where it cannot be opened, or read: of PostgreSQL only if its driver is in use."""
    driver = sys.modules.get("psycopg")
    return (sqlite3.Error,) if driver is None else (sqlite3.Error, driver.Error)


def position_of(store: Store, text: str) -> int:
    """Return the position that a text names: a batch, or a day, at whose end the last batch was recorded before."""
    if text.isascii() and text.isdecimal():
        if int(text) > store.head.batch:
            advice = " (a day is written 2026-12-31)" if len(text) == len("20261231") else ""
            raise StackError(f"there is no batch {text} yet: the last one is {store.head.batch}{advice}")
        return int(text)
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise StackError(f"{text!r} is neither a position (1234) nor a day (2026-12-31)") from error
    return store.position_at((day_number(day) + 1) * _DAY_US - 1)


def fold(store: Store, advance: Callable[[int], None] = lambda _: None, *, until: int | None = None) -> Curves:
    """Return the curves of all stored postings, or those up to a position: what the aggregator would have."""
    curves = Curves(catalogue=digest())
    until = store.head.batch if until is None else until
    while batches := store.told_batches(curves.position, min(_READ_AT_ONCE, until - curves.position)):
        for batch in batches:
            curves.add(batch.postings)
        advance(len(batches))
    return curves
