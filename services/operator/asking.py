"""Asking a stack: over HTTP where it runs, and from its store where it does not; the answers are the same."""

import asyncio
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from starlette.applications import Starlette

from services.aggregator.app import AggregatorSettings
from services.aggregator.fold.columns import Columns, Standing
from services.aggregator.fold.curves import Curves
from services.aggregator.fold.state import State
from services.aggregator.http.routes import routes as aggregator_routes
from services.aggregator.live.view import Reading
from services.ledger.api import routes as ledger_routes
from services.ledger.app import LedgerSettings
from services.ledger.known import Known, NeverKnown, known_as_of, told_then
from services.ledger.migrating import StrangeStore
from services.ledger.store import Head, Store
from services.ledger.store import open_store as open_ledger
from services.operator.calling import call
from services.operator.stack import StackError, is_described, running, service_url
from shared.catalog import digest

_read_last: dict[tuple[Path, str | None, int, Head], Reading] = {}  # a command may have several questions: folded once


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

    def read(as_of: str | None = None) -> Reading:
        key = (folder, as_of, store.epoch, store.head)
        if key not in _read_last:
            _read_last.clear()
            _read_last[key] = _read(store, as_of)
        return _read_last[key]

    async def read_then(as_of: str) -> Reading:
        return read(as_of)

    if service == "ledger":
        routes = ledger_routes(store, partial(open_store, folder))
    else:
        routes = aggregator_routes(read, read_then)
    transport = httpx.ASGITransport(Starlette(routes=routes))
    async with httpx.AsyncClient(transport=transport, base_url="http://store") as client:
        return await client.get(path, params=params)


def _read(store: Store, as_of: str | None) -> Reading:
    limits = AggregatorSettings().limits()
    if as_of is None:
        return Reading(State.of(fold(store), store.said()), limits)
    return Reading(State.of(fold_as_of(store, as_of), said_as_of(store, as_of)), limits)


def find_stack(folder: Path) -> Path:
    """Return the folder of a stack; of a folder of stacks the one that runs, else the demo's, else the other.

    Of a stack that runs elsewhere it is the file that describes it.
    """
    if is_described(folder):
        return folder
    if (folder / "ledger.db").exists() or (folder / "stack.json").exists():
        return folder
    inside = [folder / "demo", folder / "up"]
    running_ones = [each for each in inside if running(each)]
    there = running_ones or [each for each in inside if (each / "ledger.db").exists()]
    return there[0] if there else folder


def open_store(folder: Path, url: str | None = None) -> Store:
    """Return a store, to be read: that of the stack in a folder, or the one at a URL; raise `StackError` if none."""
    path = folder / "ledger.db"
    if url is None and is_described(folder):
        raise StackError(
            f"the stack of {folder} runs elsewhere, and its store is not here: name it with --store postgresql://…"
            " where this command takes it, else run this where the store is, with --data"
        )
    if url is None and not path.exists():
        raise StackError(f"{path} is not there: name a stack's folder with --data, or make one with `waferline demo`")
    try:
        if url is None:
            return open_ledger(path, read_only=True)
        return open_ledger(url, read_only=True, login=LedgerSettings().store_login())
    except StrangeStore as why:
        raise StackError(f"{path if url is None else 'the store at the URL'}: {why}") from why
    except failures() as why:  # of a URL that is well spelled psycopg names no password
        raise StackError(unreadable(why)) from why
    except (LookupError, TypeError) as torn:  # names, keys and numbers that do not fit together
        place = path if url is None else "the store at the URL"
        raise StackError(
            f"{place} was changed by something else than a ledger ({torn!r}); see docs/proof.md: Where it is not proved"
        ) from torn


def unreadable(why: Exception) -> str:
    """Return what to say where a database cannot be opened, or read."""
    words = " ".join(str(why).split())
    advice = "is it there, whole, and one of Waferline? See docs/proof.md: Where it is not proved"
    return f"the store cannot be read ({words}): {advice}"


def failures() -> tuple[type[Exception], ...]:
    """Return what a database raises where it cannot be opened, or read: of PostgreSQL only if its driver is in use."""
    driver = sys.modules.get("psycopg")
    return (sqlite3.Error,) if driver is None else (sqlite3.Error, driver.Error)


def fold_as_of(store: Store, text: str) -> Curves:
    """Return the curves of what was known after a batch (1234), or at the end of a day (2026-12-31), UTC."""
    known = _known(store, text)
    if known.time is None:
        return fold(store, until=known.position)
    curves = Curves(catalogue=digest())
    for batch in told_then(store, known):
        curves.add(batch)
    return curves


def said_as_of(store: Store, text: str) -> Iterator[list[str]]:
    """Return what was known then of lines and sites, batch by batch, likewise."""
    known = _known(store, text)
    return store.said(known.position, known.time)


def _known(store: Store, text: str) -> Known:
    """Return what was known then; raise `StackError` where there is no such position, or nothing was by that day."""
    try:
        return known_as_of(store, text)
    except NeverKnown as why:
        raise StackError(str(why)) from why


def fold(store: Store, *, until: int | None = None) -> Curves:
    """Return the curves of all stored postings, or those up to a position: what the aggregator would have."""
    curves = Curves(catalogue=digest())
    until = store.head.batch if until is None else until
    if until > 0:
        spoken = store.watermarks(until)
        watermarks = {source: day for source, day in spoken.items() if day is not None}
        standing = Standing(store.epoch, until, store.hash_of(until).hex(), watermarks, spoken)
        curves.load(_columns(store, until), standing)
    return curves


def _columns(store: Store, until: int) -> Iterator[Columns]:
    """Yield the postings of a store up to a position; raise `LookupError` where one is of no key."""
    keys = store.keys()
    names = list(dict.fromkeys(name for key in keys.values() for name in key))
    number = {name: n for n, name in enumerate(names)}
    parts = np.full((max(keys, default=0) + 1, 3), -1)
    parts[list(keys)] = [[number[name] for name in key] for key in keys.values()] or np.empty((0, 3))
    for page in store.posting_pages(until):
        of_key, measure, day, wafers = np.fromiter(chain.from_iterable(page), np.int64, 4 * len(page)).reshape(-1, 4).T
        product, site, supplier = parts[of_key].T
        yield Columns(names, product, site, supplier, measure, day, wafers)
