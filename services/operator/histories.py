"""Histories: the rolling balances of every key and day of an export, worked out at once, and written as a table."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from services.aggregator.curves import PARTS, Basis
from services.aggregator.rolling import DEMAND, SUPPLY, History, roll_history
from services.operator.rebuilding import read_postings
from services.operator.stack import StackError
from shared.events import EPOCH
from shared.postings import Measure

_SIDES: dict[Basis, dict[Measure, int]] = {
    "receipt": {Measure.RECEIVED: SUPPLY, Measure.REQUIRED: DEMAND},
    "start": {Measure.STARTED: SUPPLY, Measure.REQUIRED_START: DEMAND},
}


def write_history(export: Path, basis: Basis, windows: list[int], target: Path) -> dict[str, Any]:
    """Write the rolling balances of an export as Parquet or, named so, CSV; return what there is to say of them.

    A row is a key (product, site, supplier) and a day: for each window supply, demand and net up to that day, and the
    balance since the first day of all. Raises `StackError` where the export or the target is not as it must be.
    """
    import pyarrow as pa  # type: ignore[import-untyped] # noqa: PLC0415 (no other command is to wait for these)

    if target.exists():
        raise StackError(f"{target} is there already: remove it or name another")
    keys, history, first_day = _roll(export, basis, windows)
    days = history.balance.shape[0]
    columns: dict[str, Any] = {
        **{part: pa.array([key[n] for key in keys]).dictionary_encode().take(_each(len(keys), days)) for n, part in
           enumerate(PARTS)},
        "day": pa.array(np.tile(np.arange(days, dtype=np.int32) + first_day, len(keys)), pa.date32()),
    }  # fmt: skip
    for window, sums in zip(windows, history.sums, strict=True):
        for side, wafers in zip(("supply", "demand", "net"), sums, strict=True):
            columns[f"{side}_{window}"] = wafers.T.ravel()
    columns["balance"] = history.balance.T.ravel()
    _write(pa.table(columns), target)
    short = np.flatnonzero(history.first_short >= 0)
    short = short[history.first_short[short].argsort(kind="stable")]
    return {
        "to": str(target), "basis": basis, "keys": len(keys), "days": days, "rows": len(keys) * days,
        "first_short": [
            {**dict(zip(PARTS, keys[n], strict=True)), "day": _iso(first_day + int(history.first_short[n]))}
            for n in short
        ],
    }  # fmt: skip


def _roll(export: Path, basis: Basis, windows: list[int]) -> tuple[list[tuple[str, ...]], History, int]:
    """Return the keys, their history, and its first day."""
    sides = np.full(64, -1)
    sides[list(_SIDES[basis])] = list(_SIDES[basis].values())
    found: dict[tuple[str, ...], int] = {}
    times, numbers, side, wafers = ([np.empty(0, dtype=kind)] for kind in (np.int64, np.int32, np.uint8, np.int32))
    for page in read_postings(export):
        rows = np.flatnonzero(sides[page.measures] >= 0)
        names = np.array(page.names, dtype=object)
        parts = zip(*(names[codes[rows]] for codes in (page.products, page.sites, page.suppliers)), strict=True)
        numbers.append(np.array([found.setdefault(key, len(found)) for key in parts], dtype=np.int32))
        times.append(page.days[rows].astype(np.int64))
        side.append(sides[page.measures[rows]].astype(np.uint8))
        wafers.append(page.wafers[rows].astype(np.int32))
    time = np.concatenate(times)
    if not time.size:
        raise StackError(f"{export} holds nothing on the {basis} basis")
    first, last = int(time.min()), int(time.max())
    history = roll_history(
        time, np.concatenate(numbers), np.concatenate(side), np.concatenate(wafers), keys=len(found),
        start=EPOCH + timedelta(days=first), days=last - first + 1, windows=windows, ticks=1,
    )  # fmt: skip
    return list(found), history, first


def _each(keys: int, days: int) -> Any:
    return np.repeat(np.arange(keys), days)


def _write(table: Any, target: Path) -> None:
    part = target.with_name(target.name + ".part")
    try:
        if target.suffix == ".csv":
            from pyarrow import csv  # noqa: PLC0415

            csv.write_csv(table, part)
        else:
            import pyarrow.parquet as pq  # type: ignore[import-untyped] # noqa: PLC0415

            pq.write_table(table, part)
        part.rename(target)
    finally:
        part.unlink(missing_ok=True)


def _iso(day: int) -> str:
    return (EPOCH + timedelta(days=day)).isoformat()
