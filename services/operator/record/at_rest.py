"""A stack's store at rest: opened for reading, and folded into the aggregator's curves, now or as of then."""

import sqlite3
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np

from services.aggregator.fold.columns import Columns, FoldPosition
from services.aggregator.fold.curves import Curves
from services.ledger.app import LedgerSettings
from services.ledger.store.as_of import Known, NeverKnown, known_as_of, told_then
from services.ledger.store.migrating import StrangeStore
from services.ledger.store.store import Store
from services.ledger.store.store import open_store as open_ledger
from services.operator.stack.finding import StackError, is_described
from shared.wire.catalog import digest


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
        standing = FoldPosition(store.epoch, until, store.hash_of(until).hex(), watermarks, spoken)
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
