"""Balances read off the curves: wafers moved and planned, stages, windows, and the batch that is published."""

from collections.abc import Sequence
from itertools import starmap
from typing import Any, NamedTuple

import numpy as np

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.series import COMMITTED, ON_HAND_SIGNS, OPEN, SLOTS, STAGE_SIGNS, Grouping
from services.aggregator.kernels import curves as kernels
from services.aggregator.kernels.arrays import Index, Wafers
from services.aggregator.terms import Basis
from shared.wire.firmness import FIRMNESS, Firmness
from shared.wire.postings import MOVEMENTS, BalanceBatch, Measure

_OPEN_SLOTS = [SLOTS[measure] for measure in OPEN]
_SUPPLIED_SIGNS = np.where(np.arange(ON_HAND_SIGNS.size) == SLOTS[Measure.CONSUMED], 0, ON_HAND_SIGNS)


class Stages(NamedTuple):
    """Wafers in each stage, for each key or group."""

    wip: Wafers
    finished: Wafers
    in_transit: Wafers
    on_hand: Wafers
    open_commit: Wafers  # [grade, key or group]


class BalanceRow(NamedTuple):
    """Supply, demand and net of one group over a window."""

    group: tuple[str, ...]
    supply: int
    demand: int
    net: int


# ---------------------------------------------------------------- movements


def sum_moved(
    curves: Curves, grouping: Grouping, until: int, since: int | None = None, measures: Sequence[Measure] = MOVEMENTS
) -> Wafers:
    """Return the wafers of some movements in the days (since, until], `[movement, group]`; `since` None: ever."""
    sums = np.zeros((len(measures), len(grouping.labels)), dtype=np.int64)
    last_row = curves.last_row
    first = -1 if since is None else min(curves.row_of(since), last_row)
    chosen = curves.index.choose(grouping, measures)
    kernels.sum_movements(sums, curves.cumulative, *chosen, first, min(curves.row_of(until), last_row))
    return sums


def sum_moved_beyond(curves: Curves, grouping: Grouping) -> Wafers:
    """Return the wafers of each movement after the horizon, `[movement, group]`."""
    sums = np.zeros((len(MOVEMENTS), len(grouping.labels)), dtype=np.int64)
    kernels.sum_movements(sums, curves.beyond[np.newaxis], *curves.index.choose(grouping, MOVEMENTS), -1, 0)
    return sums


def moved_by_day(curves: Curves, grouping: Grouping, signs: Wafers, since: int | None = None) -> Wafers:
    """Return all wafers ever moved up to and on each day, by the sign of their movement, `[group, row]`.

    `signs` has a number for each slot; rows before the day `since` stay zero.
    """
    moved = np.zeros((len(grouping.labels), curves.days + 2), dtype=np.int64)
    measures = [each for each in MOVEMENTS if signs[SLOTS[each]]]
    series, place, group = curves.index.choose(grouping, measures)
    of_place = signs[[SLOTS[each] for each in measures]]
    first = 0 if since is None else min(curves.row_of(since), curves.last_row)
    kernels.sum_movement_curves(moved, curves.cumulative, first, curves.last_row, series, of_place[place], group)
    return moved


def supplied_by_day(curves: Curves, grouping: Grouping, since: int) -> Wafers:
    """Return all that ever came to hand up to and on each day from `since`, consumed or not, `[group, row]`."""
    return moved_by_day(curves, grouping, _SUPPLIED_SIGNS, since)


def received_by_day(curves: Curves, supplier: str) -> dict[str, Wafers]:
    """Return the wafers received of a supplier up to and on each day, `[row]`, by product."""
    return curves.receipts.of_supplier(supplier, curves.index, curves.cumulative, curves.last_row, curves.days + 2)


# ---------------------------------------------------------------- plans


def planned_by_day(curves: Curves, grouping: Grouping, measures: Sequence[Measure]) -> Wafers:
    """Return the sum of some plans as one daily curve for each group, `[group, row]`."""
    daily = np.zeros((len(grouping.labels), curves.days + 2), dtype=np.int64)
    series, _, group = curves.index.choose(grouping, measures)
    kernels.sum_plan_curves(daily, curves.plans, curves.ends, series, group)
    return daily


def required_by_day(curves: Curves, grouping: Grouping) -> Wafers:
    """Return the wafers that orders require on each day, `[group, row]`.

    Wafers consumed for an order before its due day are required on the day of the consumption instead.
    """
    return planned_by_day(curves, grouping, (Measure.REQUIRED, Measure.REQUIRED_MOVED))


def consumed_beyond_by_day(curves: Curves, grouping: Grouping, required: Wafers) -> Wafers:
    """Return the wafers consumed up to and on each day while nothing was required, `[group, row]`.

    With all required D and all consumed I up to a day, the backorder, B(t) = max(0, B(t − 1) + required(t) −
    consumed(t)), is D − I plus these.
    """
    net = required.cumsum(axis=1)
    consumed = np.zeros_like(net)
    series, _, group = curves.index.choose(grouping, (Measure.CONSUMED,))
    last_row = curves.last_row
    kernels.sum_movement_curves(consumed, curves.cumulative, 0, last_row, series, np.ones_like(series), group)
    net -= consumed
    beyond: Wafers = -np.minimum(np.minimum.accumulate(net, axis=1), 0)
    return beyond


def sum_planned(curves: Curves, grouping: Grouping, measures: Sequence[Measure], day: int) -> Wafers:
    """Return the sum of some plans up to and on a day, all days before the horizon included, `[group]`."""
    sums = np.zeros((1, len(grouping.labels)), dtype=np.int64)
    series, _, group = curves.index.choose(grouping, measures)
    until = min(curves.row_of(day), curves.days)
    kernels.sum_plans(sums, curves.plans, curves.blocks, series, np.zeros_like(series), group, -1, until)
    summed: Wafers = sums[0]
    return summed


def window_balance(
    curves: Curves, grouping: Grouping, day: int, window_days: int, basis: Basis, firmness: Firmness | None = None
) -> list[BalanceRow]:
    """Return supply, demand and net of the days (day - window_days, day] inside the horizon, for each group.

    On the basis `start` supply is started and demand is required by its start day; on `receipt` supply is received
    and demand is required by its due day. With a firmness, supply is the wafers committed due at that grade or above.
    """
    if firmness is not None and basis != "receipt":
        raise ValueError("firmness is of commits, which are due on the basis receipt: it has no basis start")
    required = Measure.REQUIRED_START if basis == "start" else Measure.REQUIRED
    measures = (required,) if firmness is None else (required, *COMMITTED[FIRMNESS.index(firmness) :])
    sums = _sum_window(curves, grouping, measures, day, window_days)
    if firmness is None:
        supplied = Measure.STARTED if basis == "start" else Measure.RECEIVED
        supply = sum_moved(curves, grouping, day, day - window_days, (supplied,))[0]
    else:
        supply = sums[1:].sum(axis=0)
    net = supply - sums[0]
    columns = (grouping.labels, supply.tolist(), sums[0].tolist(), net.tolist())
    return list(starmap(BalanceRow, zip(*columns, strict=True)))


def sum_lacking(
    curves: Curves, grouping: Grouping, day: int, window_days: int, basis: Basis, firmness: Firmness | None = None
) -> list[int]:
    """Return for each group the wafers that the net of `window_balance` lacks of each product at each site, summed."""
    pairs, groups = curves.group(("product", "site")), max(1, len(grouping.labels))
    keys = np.flatnonzero(grouping.of_key >= 0)
    codes, places = np.unique(pairs.of_key[keys] * groups + grouping.of_key[keys], return_inverse=True)
    of_key = np.full_like(grouping.of_key, -1)
    of_key[keys] = places
    rows = window_balance(curves, Grouping([()] * codes.size, of_key), day, window_days, basis, firmness)
    lacking = [0] * len(grouping.labels)
    for code, row in zip(codes.tolist(), rows, strict=True):
        lacking[code % groups] += max(0, -row.net)
    return lacking


def _sum_window(curves: Curves, grouping: Grouping, measures: Sequence[Measure], day: int, window_days: int) -> Wafers:
    """Return the sums of some plans in the window of days that ends on a day, `[measure, group]`."""
    sums = np.zeros((len(measures), len(grouping.labels)), dtype=np.int64)
    chosen = curves.index.choose(grouping, measures)
    since, until = curves.window_rows(day, window_days)
    window = curves.plan_windows.near(window_days, since, until)
    if window is None:
        kernels.sum_plans(sums, curves.plans, curves.blocks, *chosen, since, until)
        return sums
    kernels.sum_movements(sums, window.sums[np.newaxis], *chosen, -1, 0)
    if (since, until) != (window.since, window.until):  # a day was completed since
        left = np.zeros_like(sums)
        kernels.sum_plans(sums, curves.plans, curves.blocks, *chosen, window.until, until)
        kernels.sum_plans(left, curves.plans, curves.blocks, *chosen, window.since, since)
        sums -= left
    return sums


# ---------------------------------------------------------------- stages


def sum_stages(curves: Curves, grouping: Grouping, day: int | None = None) -> Stages:
    """Return the wafers in each stage at the end of a day, and the commits now open, for each group."""
    open_commit = np.zeros((len(OPEN), len(grouping.labels)), dtype=np.int64)
    series, grade, group = curves.index.choose(grouping, OPEN)
    kernels.sum_movements(open_commit, curves.totals[np.newaxis], series, grade, group, -1, 0)
    moved = sum_moved(curves, grouping, curves.last_day if day is None else day)
    wip, finished, in_transit, on_hand = STAGE_SIGNS @ moved
    return Stages(wip, finished, in_transit, on_hand, open_commit)


def balance_batch(curves: Curves, keys: Index, told: int | None = None) -> BalanceBatch:
    """Return the balances of some keys, all postings counted, as they are published."""
    latest, numbers = curves.cumulative[curves.last_row], curves.index.numbers
    stages = STAGE_SIGNS @ _at(latest, numbers[keys, : len(MOVEMENTS)]).T
    parts = zip(*(curves.keys[key] for key in keys), strict=True) if keys.size else ((), (), ())
    products, sites, suppliers = parts
    return BalanceBatch(
        epoch=curves.epoch or 0,
        position=curves.position,
        day=curves.complete_through,
        products=list(products),
        sites=list(sites),
        suppliers=list(suppliers),
        **dict(zip(("wip", "finished", "in_transit", "on_hand"), stages.tolist(), strict=True)),
        window_days=list(curves.windows.windows),
        **_window_columns(curves, keys),
        open_commit=_at(curves.totals, numbers[keys][:, _OPEN_SLOTS]).sum(axis=1).tolist(),
        told=told,
    )


def _window_columns(curves: Curves, keys: Index) -> dict[str, Any]:
    """Return the columns of the windows that end today, of some sorted keys."""
    nothing = np.zeros(keys.size, dtype=np.int64)
    touched = curves.windows.add(np.full(keys.size, curves.windows.today), keys, nothing, nothing)
    brought, taken, _, lowest, unmet = touched.windows.transpose(1, 0, 2).tolist()
    return {
        "today": curves.windows.today,
        "brought": brought,
        "taken": taken,
        "lowest": lowest,
        "unmet": unmet,
        "short_since": [None if day < 0 else day for day in touched.first_short.tolist()],
        "cover_hundredths": [None if cover < 0 else cover for cover in touched.cover.tolist()],
    }


def _at(values: Wafers, series: Index) -> Wafers:
    """Return the values of some series, zero where there is none."""
    return np.where(series >= 0, values[series], 0)


def first_day(curves: Curves, keys: Index) -> int:
    """Return the first day (since 1970) with a cell of some keys that are not empty.

    It is the day before the horizon where that is one of the days before it, the day after it likewise.
    """
    numbers = curves.index.numbers[keys]
    moves, plans = numbers[:, : len(MOVEMENTS)].ravel(), numbers[:, len(MOVEMENTS) :].ravel()
    moved = curves.cumulative[: curves.last_row + 1, moves[moves >= 0]].any(axis=1)
    planned = curves.plans[plans[plans >= 0]].any(axis=0)
    rows = [*np.flatnonzero(moved)[:1].tolist(), *np.flatnonzero(planned)[:1].tolist()]
    return curves.start - 1 + min(rows, default=curves.days + 1)


def planned_beyond(curves: Curves, slots: Sequence[int]) -> Wafers:
    """Return the wafers of some plans that each key has after the last day of the horizon: `[key]`."""
    index = curves.index
    wafers = np.zeros(len(curves.keys), dtype=np.int64)
    chosen = np.flatnonzero(np.isin(index.plan_slot, slots))
    np.add.at(wafers, index.plan_key[chosen], curves.plans[chosen, curves.days + 1])
    return wafers
