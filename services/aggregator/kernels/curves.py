"""Compiled loops over the curves; the modules of `fold/` check their arguments, they trust them.

Days are rows. Row 0 is all days before the horizon, rows 1 to H are its days, row H + 1 is all days beyond.
A series is one measure of one key; movements and plans are numbered apart. A slot is a measure's place: movements
first, then plans, each in the order of `Measure`. A series is summed into a group; -1 leaves it out.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from services.aggregator.kernels.arrays import Index, Wafers

_LINE, _TABLE = types.int64[::1], types.int64[:, ::1]
_INTERN = types.int64(_LINE, _LINE, types.int64, _LINE, _LINE, _LINE)
_CARRY_FORWARD = types.void(_TABLE, _LINE, types.int64, types.int64)
_ADD_MOVEMENTS = types.void(_TABLE, _LINE, _LINE, types.int64, types.int64, _LINE, _LINE, _LINE, _LINE)
_SCATTER_MOVEMENTS = types.void(_TABLE, _LINE, _LINE, types.int64, _LINE, _LINE, _LINE, _LINE)
_ACCUMULATE = types.void(_TABLE, types.int64, types.int64)
_ADD_PLANS = types.void(_TABLE, _TABLE, _LINE, _LINE, types.int64, _LINE, _LINE, _LINE, _LINE)
_CHOOSE_SERIES = types.int64(_LINE, _LINE, _LINE, _TABLE, _LINE, _LINE, _LINE)
_SUM_MOVEMENTS = types.void(_TABLE, _TABLE, _LINE, _LINE, _LINE, types.int64, types.int64)
_SUM_MOVEMENT_CURVES = types.void(_TABLE, _TABLE, types.int64, types.int64, _LINE, _LINE, _LINE)
_SUM_PLANS = types.void(_TABLE, _TABLE, _TABLE, _LINE, _LINE, _LINE, types.int64, types.int64)
_ADD_WITHIN = types.void(_LINE, types.int64, _LINE, _LINE, _LINE, _LINE, types.int64, types.int64)
_SHIFT_WINDOW = types.void(_LINE, _TABLE, types.int64, types.int64, types.int64, types.int64, types.int64)
_SUM_PLAN_CURVES = types.void(_TABLE, _TABLE, _LINE, _LINE, _LINE)
_COUNT_MOVED_DAYS = types.void(_LINE, _TABLE, _LINE, types.int64)
_COUNT_PLANNED_DAYS = types.void(_LINE, _TABLE)
_PACK_MOVED_DAYS = types.void(_LINE, _LINE, _TABLE, _LINE, types.int64, _LINE, types.int64)
_PACK_PLANNED_DAYS = types.void(_LINE, _LINE, _TABLE, _LINE, types.int64)

BLOCK = 32  # rows of a plan that are summed beforehand; the same number as in `projection.py`
_LINE_OF_CACHE = 8  # numbers
_AHEAD = 16  # series: as long before it is summed as memory takes to answer
_SPREAD = 0x1E3779B97F4A7C15  # odd, about 2^64 / 8.4: multiplied by it, neighbours lie far apart


@njit(_INTERN, nogil=True, cache=True)
def intern(
    place_code: Index,  # [place] the code that lies there, -1 for none; a power of two of places, half empty; state
    place_key: Index,  # [place] its key; state
    keys: int,  # how many keys there are
    code: Index,  # [posting] 0 and above
    key: Index,  # [posting] its code's key; output
    fresh: Index,  # [posting] the first posting of each new key, in the order of the keys; output
) -> int:
    """Return how many codes were new; they get the next keys. A code lies at its place or at the next empty one."""
    mask, new = place_code.size - 1, 0
    for n in range(code.size):
        place = (code[n] * _SPREAD >> 24) & mask
        while place_code[place] != code[n] and place_code[place] != -1:
            place = (place + 1) & mask
        if place_code[place] == -1:
            place_code[place], place_key[place] = code[n], keys + new
            fresh[new] = n
            new += 1
        key[n] = place_key[place]
    return new


@njit(_CARRY_FORWARD, nogil=True, cache=True)
def carry_forward(
    cumulative: Wafers,  # [row, series] wafers up to and on that day; state
    last_row: Index,  # [1] last row that is filled; state
    until: int,  # row, at most H
    count: int,  # how many series are in use
) -> None:
    """Carry the wafers of the last filled day over to all days up to `until`."""
    for row in range(last_row[0], until):
        for series in range(count):
            cumulative[row + 1, series] = cumulative[row, series]
    if until > last_row[0]:
        last_row[0] = until


@njit(_ADD_MOVEMENTS, nogil=True, cache=True)
def add_movements(
    cumulative: Wafers,  # [row, series] wafers up to and on that day; state
    beyond: Wafers,  # [series] wafers after the horizon; state
    last_row: Index,  # [1] last row that is filled; state
    count: int,  # how many series of movements are in use
    movements: int,  # how many slots are movements: the others are passed over
    series: Index,  # [posting]
    slot: Index,  # [posting]
    row: Index,  # [posting] 0 to H + 1
    wafers: Wafers,  # [posting] signed
) -> None:
    """Add movements to their day and to every filled day after it."""
    for n in range(series.size):
        if slot[n] >= movements:
            continue
        if row[n] >= cumulative.shape[0]:
            beyond[series[n]] += wafers[n]
            continue
        if row[n] > last_row[0]:
            carry_forward(cumulative, last_row, row[n], count)
        for later in range(row[n], last_row[0] + 1):
            cumulative[later, series[n]] += wafers[n]


@njit(_SCATTER_MOVEMENTS, nogil=True, cache=True)
def scatter_movements(
    daily: Wafers,  # [row, series] wafers on that day; state
    beyond: Wafers,  # [series] wafers after the horizon; state
    last_row: Index,  # [1] last row that is filled; state
    movements: int,  # how many slots are movements: the others are passed over
    series: Index,  # [posting]
    slot: Index,  # [posting]
    row: Index,  # [posting] 0 to H + 1
    wafers: Wafers,  # [posting] signed
) -> None:
    """Add movements to their day alone; `accumulate` follows when all have come."""
    for n in range(series.size):
        if slot[n] >= movements:
            continue
        if row[n] >= daily.shape[0]:
            beyond[series[n]] += wafers[n]
        else:
            daily[row[n], series[n]] += wafers[n]
            last_row[0] = max(last_row[0], row[n])


@njit(_ACCUMULATE, nogil=True, cache=True)
def accumulate(
    daily: Wafers,  # [row, series] wafers on that day; wafers up to and on that day when it is done
    last_row: int,  # last row that is filled
    count: int,  # how many series are in use
) -> None:
    """Make each row the sum of all rows up to it."""
    for row in range(1, last_row + 1):
        for series in range(count):
            daily[row, series] += daily[row - 1, series]


@njit(_ADD_PLANS, nogil=True, cache=True)
def add_plans(
    plans: Wafers,  # [series, row] wafers on that day; state
    blocks: Wafers,  # [series, block] wafers of the block's rows; state
    totals: Wafers,  # [series] wafers over all rows; state
    ends: Index,  # [series] the row after the last one that was ever planned on; state
    movements: int,  # how many slots are movements: they are passed over
    series: Index,  # [posting]
    slot: Index,  # [posting]
    row: Index,  # [posting] 0 to H + 1
    wafers: Wafers,  # [posting] signed difference to the plan before
) -> None:
    """Add plans to their day."""
    for n in range(series.size):
        if slot[n] >= movements:
            plans[series[n], row[n]] += wafers[n]
            blocks[series[n], row[n] // BLOCK] += wafers[n]
            totals[series[n]] += wafers[n]
            ends[series[n]] = max(ends[series[n]], row[n] + 1)


@njit(_CHOOSE_SERIES, nogil=True, cache=True)
def choose_series(
    chosen: Index,  # [choice] which series, room for all slots of all keys; output
    place: Index,  # [choice] the place of its slot in `slots`; output
    group: Index,  # [choice] the group of its key; output
    series: Index,  # [key, slot] -1 for none
    keys: Index,  # [chosen key]
    of_key: Index,  # [key] its group
    slots: Index,  # [place]
) -> int:
    """Find the series that some keys have of some slots; return how many there are."""
    count = 0
    for n in range(keys.size):
        for each in range(slots.size):
            found = series[keys[n], slots[each]]
            if found >= 0:
                chosen[count], place[count], group[count] = found, each, of_key[keys[n]]
                count += 1
    return count


@njit(_SUM_MOVEMENTS, nogil=True, cache=True)
def sum_movements(
    sums: Wafers,  # [movement, group] wafers; output, zero before
    cumulative: Wafers,  # [row, series]
    series: Index,  # [choice] which series
    movement: Index,  # [choice] its slot
    group: Index,  # [choice] 0 and above
    since: int,  # row after which the window begins; -1 for all that was ever moved
    until: int,  # row that the window ends on, filled
) -> None:
    """Sum each movement over the window (since, until] for each group: the distance between two rows."""
    for n in range(series.size):
        wafers = cumulative[until, series[n]]
        if since >= 0:
            wafers -= cumulative[since, series[n]]
        sums[movement[n], group[n]] += wafers


@njit(_SUM_MOVEMENT_CURVES, nogil=True, cache=True)
def sum_movement_curves(
    curves: Wafers,  # [group, row] wafers up to and on that day; output, zero before
    cumulative: Wafers,  # [row, series]
    first: int,  # row, filled; the rows before it stay zero
    last_row: int,  # last row that is filled; the rows after it stay as it is
    series: Index,  # [choice] which series
    sign: Index,  # [choice] 1 adds it, -1 takes it away
    group: Index,  # [choice] 0 and above
) -> None:
    """Sum the movements up to each day from row `first`, for each group."""
    sums = np.empty(curves.shape[0], dtype=np.int64)  # a day of all groups lies together here, but not in the curves
    for row in range(first, last_row + 1):
        sums[:] = 0
        for n in range(series.size):
            sums[group[n]] += sign[n] * cumulative[row, series[n]]
        for each in range(sums.size):
            curves[each, row] = sums[each]
    for each in range(curves.shape[0]):
        for row in range(last_row + 1, curves.shape[1]):
            curves[each, row] = curves[each, last_row]


def _fetching(_: Any, table: types.Array, row: types.Integer, place: types.Integer) -> tuple[Any, Any]:
    """Have the cache fetch a cell of a table that is read soon, and do not wait for it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        cells = context.make_array(signature.args[0])(context, builder, arguments[0])
        width = builder.extract_value(cells.shape, 1)
        cell = builder.gep(cells.data, [builder.add(builder.mul(arguments[1], width), arguments[2])])
        number, pointer = ir.IntType(32), ir.IntType(8).as_pointer()
        prefetch = builder.module.declare_intrinsic(
            "llvm.prefetch", [pointer], ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
        )
        read, keep, data = (ir.Constant(number, each) for each in (0, 3, 1))
        builder.call(prefetch, [builder.bitcast(cell, pointer), read, keep, data])
        return context.get_dummy_value()

    return types.void(table, row, place), generate


_fetch: Any = intrinsic(_fetching)


@njit(_SUM_PLANS, nogil=True, cache=True)
def sum_plans(
    sums: Wafers,  # [line, group] wafers; output, zero before
    plans: Wafers,  # [series, row]
    blocks: Wafers,  # [series, block]
    series: Index,  # [choice] which series
    line: Index,  # [choice] the line of the sums it goes to
    group: Index,  # [choice] 0 and above
    since: int,  # row after which the window begins; -1 includes row 0
    until: int,  # row that the window ends on
) -> None:
    """Sum some plans over the window (since, until] for each line and group.

    Each series lies elsewhere in memory: the next ones are fetched ahead, or most of the time is spent waiting.
    """
    first, end = since + 1, until + 1
    whole, rest = -(-first // BLOCK), end // BLOCK  # blocks: the first that is whole inside, the one after the last
    for n in range(series.size):
        if n + _AHEAD < series.size:
            soon = series[n + _AHEAD]
            for row in range(first, min(whole * BLOCK, end), _LINE_OF_CACHE):
                _fetch(plans, soon, row)
            for block in range(whole, rest, _LINE_OF_CACHE):
                _fetch(blocks, soon, block)
            for row in range(max(rest, whole) * BLOCK, end, _LINE_OF_CACHE):
                _fetch(plans, soon, row)
        daily, wafers = plans[series[n]], 0
        if whole >= rest:
            for row in range(first, end):
                wafers += daily[row]
        else:
            for row in range(first, whole * BLOCK):
                wafers += daily[row]
            for block in range(whole, rest):
                wafers += blocks[series[n], block]
            for row in range(rest * BLOCK, end):
                wafers += daily[row]
        sums[line[n], group[n]] += wafers


@njit(_ADD_WITHIN, nogil=True, cache=True)
def add_within(
    sums: Wafers,  # [series] wafers in the window; state
    movements: int,  # how many slots are of movements, which are left out
    series: Index,  # [posting]
    slot: Index,  # [posting]
    row: Index,  # [posting]
    wafers: Wafers,  # [posting]
    since: int,  # row after which the window begins
    until: int,  # row that the window ends on
) -> None:
    """Add the plans among some postings to the sums of a window."""
    for n in range(series.size):
        if slot[n] >= movements and since < row[n] <= until:
            sums[series[n]] += wafers[n]


@njit(_SHIFT_WINDOW, nogil=True, cache=True)
def shift_window(
    sums: Wafers,  # [series] wafers in the window (since, until]; state
    plans: Wafers,  # [series, row]
    count: int,  # how many series are in use
    since: int,
    until: int,
    next_since: int,  # where the window is moved to: at or after where it was
    next_until: int,
) -> None:
    """Move the window of some sums on: take off the rows that leave it, add those that come."""
    for series in range(count):
        if series + _AHEAD < count:
            _fetch(plans, series + _AHEAD, since + 1)
            _fetch(plans, series + _AHEAD, until + 1)
        for row in range(since + 1, next_since + 1):
            sums[series] -= plans[series, row]
        for row in range(until + 1, next_until + 1):
            sums[series] += plans[series, row]


@njit(_SUM_PLAN_CURVES, nogil=True, cache=True)
def sum_plan_curves(
    curves: Wafers,  # [group, row] wafers on that day; output, zero before
    plans: Wafers,  # [series, row]
    ends: Index,  # [series] no day from that row on is planned on
    series: Index,  # [choice] which series
    group: Index,  # [choice] 0 and above
) -> None:
    """Sum some plans into one daily curve for each group."""
    for n in range(series.size):
        curve, daily = curves[group[n]], plans[series[n]]
        for row in range(ends[series[n]]):
            curve[row] += daily[row]


@njit(_COUNT_MOVED_DAYS, nogil=True, cache=True)
def count_moved_days(
    filled: Index,  # [series] how many rows are not zero, that beyond the horizon included; output
    cumulative: Wafers,  # [row, series]
    beyond: Wafers,  # [series]
    last_row: int,  # last row that is filled
) -> None:
    """Count the days on which each movement did not come to nothing."""
    for series in range(filled.size):
        filled[series] = (cumulative[0, series] != 0) + (beyond[series] != 0)
    for row in range(1, last_row + 1):
        for series in range(filled.size):
            filled[series] += cumulative[row, series] != cumulative[row - 1, series]


@njit(_COUNT_PLANNED_DAYS, nogil=True, cache=True)
def count_planned_days(
    filled: Index,  # [series] how many rows are not zero; output
    plans: Wafers,  # [series, row]
) -> None:
    """Count the days on which each plan does not come to nothing."""
    for series in range(filled.size):
        filled[series] = 0
        for row in range(plans.shape[1]):
            filled[series] += plans[series, row] != 0


@njit(_PACK_MOVED_DAYS, nogil=True, cache=True)
def pack_moved_days(
    packed: Wafers,  # day, wafers, day, wafers ...; output
    place: Index,  # [choice] where in it a series begins; moved on to its end
    cumulative: Wafers,  # [row, series]
    beyond: Wafers,  # [series]
    last_row: int,  # last row that is filled
    series: Index,  # [choice] which series
    day: int,  # of row 0
) -> None:
    """Write some movements' days that are not zero, by day, from the cumulative rows."""
    for row in range(last_row + 1):
        for n in range(series.size):
            wafers = cumulative[row, series[n]]
            if row > 0:
                wafers -= cumulative[row - 1, series[n]]
            if wafers != 0:
                packed[place[n]], packed[place[n] + 1] = day + row, wafers
                place[n] += 2
    for n in range(series.size):
        if beyond[series[n]] != 0:
            packed[place[n]], packed[place[n] + 1] = day + cumulative.shape[0], beyond[series[n]]
            place[n] += 2


@njit(_PACK_PLANNED_DAYS, nogil=True, cache=True)
def pack_planned_days(
    packed: Wafers,  # day, wafers, day, wafers ...; output
    place: Index,  # [choice] where in it a series begins; moved on to its end
    plans: Wafers,  # [series, row]
    series: Index,  # [choice] which series
    day: int,  # of row 0
) -> None:
    """Write some plans' days that are not zero, by day."""
    for n in range(series.size):
        for row in range(plans.shape[1]):
            if plans[series[n], row] != 0:
                packed[place[n]], packed[place[n] + 1] = day + row, plans[series[n], row]
                place[n] += 2
