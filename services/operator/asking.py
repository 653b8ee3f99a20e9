"""Asking a stack: over HTTP where it runs, and from its store where it does not; the answers are the same."""

import asyncio
import sqlite3
import sys
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from starlette.applications import Starlette

from services.aggregator.api import routes as aggregator_routes
from services.aggregator.app import AggregatorSettings
from services.aggregator.curves import Curves
from services.aggregator.loading import Columns, Standing
from services.aggregator.reading import Reading
from services.aggregator.state import State
from services.ledger.api import routes as ledger_routes
from services.ledger.app import LedgerSettings
from services.ledger.migrating import StrangeStore
from services.ledger.posting import Memory, post_events
from services.ledger.store import Store
from services.ledger.store import open_store as open_ledger
from services.operator.calling import call
from services.operator.stack import StackError, is_described, running, service_url
from shared.batch import Row
from shared.catalog import digest
from shared.events import day_number
from shared.postings import PostingBatch

_DAY_US = 86_400_000_000


def ask(folder: Path, service: str, path: str, *, as_of: str | None = None, **query: str | int | None) -> Any:
    """Return what a service of the stack in a folder answers; raise `StackError` with its words where it refuses.

    `as_of` asks for what it would have answered then: after a batch, or at the end of a day.
    """
    params = {name.rstrip("_"): str(value) for name, value in query.items() if value is not None}
    facts = running(folder)
    if facts is not None and as_of is None:
        try:
            answer = call(service_url(facts, service) + path, params=params)
        except httpx.TransportError as failure:
            where = "where it runs" if is_described(folder) else f"{folder}/logs/{service}.log"
            raise StackError(f"{service} does not answer ({failure}); see its log, {where}") from failure
    else:
        answer = asyncio.run(_ask_store(folder, service, path, params, as_of))
    if answer.status_code >= httpx.codes.BAD_REQUEST and answer.headers["content-type"] == "application/problem+json":
        raise StackError(answer.json()["detail"])
    return answer.json()


async def _ask_store(
    folder: Path, service: str, path: str, params: Mapping[str, str], as_of: str | None
) -> httpx.Response:
    store = open_store(folder)

    def read() -> Reading:
        limits = AggregatorSettings().limits()
        if as_of is None:
            return Reading(State.of(fold(store), store.said()), limits)
        return Reading(State.of(fold_as_of(store, as_of), said_as_of(store, as_of)), limits)

    routes = ledger_routes(store) if service == "ledger" else aggregator_routes(read)
    transport = httpx.ASGITransport(Starlette(routes=routes))
    async with httpx.AsyncClient(transport=transport, base_url="http://store") as client:
        return await client.get(path, params=params)


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
    position, time = _as_of(store, text)
    return fold(store, until=position) if time is None else _fold_known(store, time)


def said_as_of(store: Store, text: str) -> Iterator[list[str]]:
    """Return what was known then of lines and sites, batch by batch, likewise."""
    position, time = _as_of(store, text)
    return store.said(position, time)


def _as_of(store: Store, text: str) -> tuple[int | None, int | None]:
    """Return the position that a text names, or the last microsecond of the day; raise `StackError` if neither."""
    if text.isascii() and text.isdecimal():
        if int(text) > store.head.batch:
            advice = " (a day is written 2026-12-31)" if len(text) == len("20261231") else ""
            raise StackError(f"there is no batch {text} yet: the last one is {store.head.batch}{advice}")
        return int(text), None
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise StackError(f"{text!r} is neither a position (1234) nor a day (2026-12-31)") from error
    return None, (day_number(day) + 1) * _DAY_US - 1


def _fold_known(store: Store, time: int) -> Curves:
    """Return the curves of what was recorded up to a time, microseconds since 1970.

    Where a simulation or a tape says when, it need not grow from batch to batch: then the events that were recorded by
    that time are posted again, and the others have no part in it, whoever came first.
    """
    position = store.position_at(time)
    if not store.is_recorded_by(time, after=position):
        return fold(store, until=position)
    curves, known = Curves(catalogue=digest()), list[int]()  # the first events of the batches that were

    def load_event(source: str, id_: str) -> Row | None:
        found = store.find_event(source, id_)
        if found is None:
            return None
        place = bisect_right(known, found[0]) - 1
        return found[1] if place >= 0 and found[0] < ends[place] else None

    ends: list[int] = []
    memory = Memory(load_event=load_event)
    for sealed in store.sealed_batches():
        batch, header = sealed.batch, sealed.batch.header
        if header.recorded > time:
            continue
        decision = post_events([Row.read(body) for body in sealed.bodies], memory)
        known.append(batch.first_event)
        ends.append(batch.first_event + header.events)
        curves.add(
            PostingBatch.of(
                [(measure, day, key, wafers) for (measure, day, key), wafers in decision.postings()],
                epoch=store.epoch,
                batch=header.batch,
                previous=curves.position,
                events=header.events,
                head=batch.hash.hex(),
                watermarks={} if batch.watermark is None else {header.source: batch.watermark},
                sources=[header.source] if header.events else [],
            )
        )
    return curves


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
