"""Histories of an export: rolling balances of every key, by day or at each movement, as a table."""

from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from pyarrow import csv

from services.aggregator.fold.instants import net_at_instants
from services.aggregator.fold.windows import DEMAND, SUPPLY, WindowHistory, roll_history
from services.aggregator.terms import PARTS, Basis
from services.operator.record.rebuild import read_horizon, read_postings
from services.operator.stack.errors import StackError
from services.operator.stack.new_file import expect_absent, expect_ending, new_file
from shared.wire.days import DAY_US, date_of, iso_day
from shared.wire.postings import Measure

_SIDES: dict[Basis, dict[Measure, int]] = {
    "receipt": {Measure.RECEIVED: SUPPLY, Measure.REQUIRED: DEMAND},
    "start": {Measure.STARTED: SUPPLY, Measure.REQUIRED_START: DEMAND},
}

_MOVEMENTS: dict[Basis, dict[str, int]] = {
    "receipt": {"shipment.received": 1, "wafers.consumed": -1},
    "start": {"lot.started": 1},
}


def write_history(export: Path, basis: Basis, windows: list[int], target: Path) -> dict[str, Any]:
    """Write the rolling balances of an export as Parquet or .csv; return counts, and the first short day of each key.

    A row is a key (product, site, supplier) and a day: supply, demand and net of each window up to that day, and the
    balance since the first posting. Raises `StackError` if the target exists, or the folder holds no export.
    """
    expect_ending(target, ".parquet", ".csv")
    expect_absent(target)
    windows = sorted(set(windows))
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
            {**dict(zip(PARTS, keys[n], strict=True)), "day": iso_day(first_day + int(history.first_short[n]))}
            for n in short
        ],
    }  # fmt: skip


def write_instants(export: Path, basis: Basis, window: int, target: Path) -> dict[str, Any]:
    """Write each movement with the rolling net of its key at that instant, in log order; return each key's maximum.

    The net sums the `window` days that end with the movement: wafers received less consumed on the basis receipt,
    wafers started on the basis start. Movements at one instant all count; reversed ones are left out. Raises
    `StackError` as `write_history` does.
    """
    path = export / "events.parquet"
    expect_ending(target, ".parquet", ".csv")
    expect_absent(target)
    if not path.exists():
        raise StackError(f"{path} is not there: make it with `waferline export --format parquet`")
    table = _read_movements(path, basis)
    if not table.num_rows:
        raise StackError(f"{export} holds no movement on the {basis} basis")
    found: dict[tuple[str, ...], int] = {}
    parts = zip(*(table[part].to_pylist() for part in PARTS), strict=True)
    key = np.array([found.setdefault(each, len(found)) for each in parts], dtype=np.int32)
    sign = np.array([_MOVEMENTS[basis][name] for name in table["name"].to_pylist()])
    wafers = (sign * table["wafers"].to_numpy()).astype(np.int32)
    time = table["time"].cast(pa.int64()).to_numpy()
    try:
        net = net_at_instants(time, key, wafers, window * DAY_US, keys=len(found))
    except ValueError as why:
        raise StackError(str(why)) from why
    _write(table.append_column(f"net_{window}", pa.array(net)), target)
    order = np.lexsort((-net, key))
    first = order[np.unique(key[order], return_index=True)[1]]
    greatest = [
        {
            **dict(zip(PARTS, each, strict=True)),
            "net": int(net[n]),
            "time": table["time"][int(n)].as_py().isoformat(),
            "event": f"{table['source'][int(n)]}/{table['id'][int(n)]}",
        }
        for each, n in sorted(zip(found, first, strict=True), key=lambda pair: -net[pair[1]])
    ]
    return {
        "to": str(target), "basis": basis, "keys": len(found), "rows": table.num_rows, "window": window,
        "greatest": greatest,
    }  # fmt: skip


def _read_movements(path: Path, basis: Basis) -> Any:
    """Return the movements of a table of events that no later event reverses."""
    names = (*_MOVEMENTS[basis], "event.reversed")
    table = pq.read_table(path, columns=["source", "id", "name", "time", "wafers", *PARTS, "rest"])
    table = table.filter(pc.is_in(table["name"].cast(pa.string()), pa.array(names)))
    events = table.select(["source", "id", "name", "rest"]).to_pylist()
    reversals = [event for event in events if event["name"] == "event.reversed"]
    reversed_ids = {(event["source"], orjson.loads(event["rest"])["reversed"]) for event in reversals}
    kept = [
        n
        for n, event in enumerate(events)
        if event["name"] != "event.reversed" and (event["source"], event["id"]) not in reversed_ids
    ]
    return table.take(pa.array(kept, pa.int64())).drop_columns(["rest"])


def _roll(export: Path, basis: Basis, windows: list[int]) -> tuple[list[tuple[str, ...]], WindowHistory, int]:
    """Return the keys, their history, and its first day; the balance opens with the postings before the horizon."""
    start, days = read_horizon(export)
    sides = np.full(64, -1)
    sides[list(_SIDES[basis])] = list(_SIDES[basis].values())
    found: dict[tuple[str, ...], int] = {}
    pages = []
    for page in read_postings(export):
        rows = np.flatnonzero((sides[page.measures] >= 0) & (page.days < start + days))
        names = np.array(page.names, dtype=object)
        parts = zip(*(names[codes[rows]] for codes in (page.products, page.sites, page.suppliers)), strict=True)
        key = np.array([found.setdefault(each, len(found)) for each in parts], dtype=np.int64)
        pages.append(np.stack((page.days[rows], key, sides[page.measures[rows]], page.wafers[rows])).astype(np.int64))
    day, key, side, wafers = np.concatenate([np.empty((4, 0), dtype=np.int64), *pages], axis=1)
    inside = day >= start
    if not inside.any():
        raise StackError(f"{export} holds nothing on the {basis} basis inside the horizon")
    if np.abs(wafers).max() >= 2**31:
        raise StackError(f"{export} holds a posting of {np.abs(wafers).max()} wafers, more than a table takes")
    opening = np.zeros(len(found), dtype=np.int64)
    np.add.at(opening, key[~inside], np.where(side[~inside] == SUPPLY, wafers[~inside], -wafers[~inside]))
    first, last = int(day[inside].min()), int(day[inside].max())
    try:
        history = roll_history(
            day[inside].copy(), key[inside].astype(np.int32), side[inside].astype(np.uint8),
            wafers[inside].astype(np.int32), keys=len(found), start=date_of(first),
            days=last - first + 1, windows=windows, opening=opening, ticks=1,
        )  # fmt: skip
    except ValueError as why:
        raise StackError(str(why)) from why
    # postings that cancel out make no key: whether there are any depends on the batches
    kept = np.flatnonzero(history.balance.any(axis=0) | history.daily.any(axis=(0, 1)))
    if kept.size < len(found):
        sums, balance, first_short, daily = history
        history = WindowHistory(sums[..., kept], balance[:, kept], first_short[kept], daily[..., kept])
    keys = list(found)
    return [keys[key] for key in kept], history, first


def _each(keys: int, days: int) -> Any:
    return np.repeat(np.arange(keys), days)


def _write(table: Any, target: Path) -> None:
    with new_file(target) as part:
        if target.suffix.lower() == ".csv":
            csv.write_csv(table, part)
        else:
            pq.write_table(table, part)
