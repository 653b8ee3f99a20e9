"""The aggregator's curves, folded from a store: now, or as of a batch or a day."""

from collections.abc import Iterator
from itertools import chain

import numpy as np

from services.aggregator.fold.columns import Columns, FoldPosition, find_setback
from services.aggregator.fold.curves import Curves
from services.aggregator.fold.state import horizon_of
from services.aggregator.settings import AggregatorSettings
from services.ledger.store.as_of import AsOf, UnknownAsOf, batches_as_of, declaration_events, find_as_of
from services.ledger.store.reader import StoreReader
from services.operator.stack.errors import StackError
from shared.programme.declarations import Declarations
from shared.wire.rows import read_rows


def empty_curves(store: StoreReader, as_of: AsOf | None = None) -> Curves:
    """Return curves before the first posting, with the horizon and the digest of the declarations in force as of then.

    Without `as_of` these are of the whole log.
    """
    declarations = Declarations()
    for bodies in declaration_events(store, as_of or AsOf(store.head.batch)):
        declarations.add(read_rows(bodies))
    horizon = horizon_of(declarations) or AggregatorSettings().default_horizon()
    return Curves.of(*horizon, declarations.digest())


def fold(store: StoreReader, *, until: int | None = None) -> Curves:
    """Return the curves of all stored postings, or of those up to a position: the state of an aggregator there."""
    until = store.head.batch if until is None else until
    curves = empty_curves(store, AsOf(until))
    if until > 0:
        watermark_of = store.watermarks(until)
        watermarks = {source: day for source, day in watermark_of.items() if day is not None}
        setback = find_setback(store.watermark_batches(until))
        position = FoldPosition(
            store.epoch, until, store.hash_of(until).hex(), watermarks, watermark_of, setback=setback
        )
        curves.load(_columns(store, until), position)
    return curves


def fold_as_of(store: StoreReader, as_of: str) -> Curves:
    """Return the curves as of a batch (1234), or as of the end of a UTC day (2026-12-31)."""
    point = _parse_as_of(store, as_of)
    if point.time is None:
        return fold(store, until=point.position)
    curves = empty_curves(store, point)
    for batch in batches_as_of(store, point):
        curves.add(batch)
    return curves


def line_events_as_of(store: StoreReader, as_of: str) -> Iterator[list[str]]:
    """Yield the events of lines and sites as of a batch or a day, batch by batch."""
    point = _parse_as_of(store, as_of)
    return store.published_events(point.position, point.time)


def batches_recorded_by(store: StoreReader, as_of: str) -> int | None:
    """Return how many batches were recorded by the end of a day; None where a position of the log has just these."""
    point = _parse_as_of(store, as_of)
    return None if point.time is None else store.count_recorded(point.time)


def _parse_as_of(store: StoreReader, as_of: str) -> AsOf:
    """Return the point in the log; raise `StackError` if there is no such batch, or nothing was recorded by the day."""
    try:
        return find_as_of(store, as_of)
    except UnknownAsOf as why:
        raise StackError(str(why)) from why


def _columns(store: StoreReader, until: int) -> Iterator[Columns]:
    """Yield the postings of a store up to a position; raise `LookupError` if one is of an unknown key."""
    keys = store.keys.by_number()
    names = list(dict.fromkeys(name for key in keys.values() for name in key))
    number = {name: n for n, name in enumerate(names)}
    parts = np.full((max(keys, default=0) + 1, 3), -1)
    parts[list(keys)] = [[number[name] for name in key] for key in keys.values()] or np.empty((0, 3))
    for page in store.posting_pages(until):
        of_key, measure, day, wafers = np.fromiter(chain.from_iterable(page), np.int64, 4 * len(page)).reshape(-1, 4).T
        product, site, supplier = parts[of_key].T
        yield Columns(names, product, site, supplier, measure, day, wafers)
