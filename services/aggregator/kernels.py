"""The compiled loops over the curves: they trust their arguments, `curves.py` and `planning.py` have checked them.

Days are rows. Row 0 is all that lies before the horizon, rows 1 to H are its days, row H + 1 is all that lies beyond.
A slot is a measure's place in the arrays: movements first, then plans, each in the order of `Measure`.
A group is what a key is summed into; -1 leaves it out.
"""

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

Wafers = NDArray[np.int64]
Index = NDArray[np.int64]

_LINE, _TABLE, _CUBE = types.int64[::1], types.int64[:, ::1], types.int64[:, :, ::1]
_ROLL_OVER = types.void(_CUBE, _LINE, types.int64, types.int64)
_ADD_MOVEMENTS = types.void(_CUBE, _TABLE, _LINE, types.int64, _LINE, _LINE, _LINE, _LINE)
_ADD_PLANS = types.void(_CUBE, _TABLE, types.int64, _LINE, _LINE, _LINE, _LINE)
_SUM_MOVEMENTS = types.void(_TABLE, _CUBE, _LINE, types.int64, types.int64)
_SUM_MOVEMENT_CURVES = types.void(_TABLE, _CUBE, types.int64, types.int64, _LINE, _LINE)
_SUM_PLANS = types.void(_TABLE, _CUBE, _LINE, _LINE, types.int64, types.int64)
_SUM_PLAN_CURVES = types.void(_TABLE, _CUBE, _LINE, _LINE)
_PROJECT_BALANCES = types.void(_TABLE, _LINE, _LINE, _LINE, _TABLE, _TABLE, _TABLE, types.int64, types.int64)
_READ_DAILY = types.void(_CUBE, _CUBE, _TABLE, types.int64, _LINE)


@njit(_ROLL_OVER, nogil=True, cache=True)
def roll_over(
    cumulative: Wafers,  # [row, movement, key] wafers up to and on that day; state
    rolled: Index,  # [1] last row that is filled; state
    until: int,  # row, at most H
    keys: int,  # how many keys are in use
) -> None:
    """Carry the wafers of the last filled day over to all days up to `until`."""
    for row in range(rolled[0], until):
        for movement in range(cumulative.shape[1]):
            for key in range(keys):
                cumulative[row + 1, movement, key] = cumulative[row, movement, key]
    if until > rolled[0]:
        rolled[0] = until


@njit(_ADD_MOVEMENTS, nogil=True, cache=True)
def add_movements(
    cumulative: Wafers,  # [row, movement, key] wafers up to and on that day; state
    beyond: Wafers,  # [movement, key] wafers after the horizon; state
    rolled: Index,  # [1] last row that is filled; state
    keys: int,  # how many keys are in use
    key: Index,  # [posting]
    slot: Index,  # [posting] plans are passed over
    row: Index,  # [posting] 0 to H + 1
    wafers: Wafers,  # [posting] signed
) -> None:
    """Add movements to their day and to every filled day after it."""
    for n in range(key.size):
        if slot[n] >= cumulative.shape[1]:
            continue
        if row[n] >= cumulative.shape[0]:
            beyond[slot[n], key[n]] += wafers[n]
            continue
        if row[n] > rolled[0]:
            roll_over(cumulative, rolled, row[n], keys)
        for later in range(row[n], rolled[0] + 1):
            cumulative[later, slot[n], key[n]] += wafers[n]


@njit(_ADD_PLANS, nogil=True, cache=True)
def add_plans(
    plans: Wafers,  # [key, plan, row] wafers on that day; state
    totals: Wafers,  # [key, plan] wafers over all rows; state
    movements: int,  # how many slots are movements: they are passed over
    key: Index,  # [posting]
    slot: Index,  # [posting]
    row: Index,  # [posting] 0 to H + 1
    wafers: Wafers,  # [posting] signed difference to what was planned before
) -> None:
    """Add plans to their day."""
    for n in range(key.size):
        plan = slot[n] - movements
        if plan >= 0:
            plans[key[n], plan, row[n]] += wafers[n]
            totals[key[n], plan] += wafers[n]


@njit(_SUM_MOVEMENTS, nogil=True, cache=True)
def sum_movements(
    sums: Wafers,  # [movement, group] wafers; output, zero before
    cumulative: Wafers,  # [row, movement, key]
    group: Index,  # [key]
    since: int,  # row after which the window begins; -1 for all that was ever moved
    until: int,  # row that the window ends on, filled
) -> None:
    """Sum each movement over the window (since, until] for each group: the distance between two rows."""
    for movement in range(sums.shape[0]):
        for key in range(group.size):
            if group[key] >= 0:
                sums[movement, group[key]] += cumulative[until, movement, key]
                if since >= 0:
                    sums[movement, group[key]] -= cumulative[since, movement, key]


@njit(_SUM_MOVEMENT_CURVES, nogil=True, cache=True)
def sum_movement_curves(
    curves: Wafers,  # [group, row] wafers up to and on that day; output, zero before
    cumulative: Wafers,  # [row, movement, key]
    first: int,  # row, filled; the rows before it stay zero
    rolled: int,  # last row that is filled; the rows after it stay as it is
    sign: Index,  # [movement] 1 adds it, -1 takes it away, 0 leaves it out
    group: Index,  # [key]
) -> None:
    """Sum what movements have brought up to each day from the first asked for, for each group."""
    for row in range(first, rolled + 1):
        for movement in range(sign.size):
            if sign[movement] == 0:
                continue
            for key in range(group.size):
                if group[key] >= 0:
                    curves[group[key], row] += sign[movement] * cumulative[row, movement, key]
    for each in range(curves.shape[0]):
        for row in range(rolled + 1, curves.shape[1]):
            curves[each, row] = curves[each, rolled]


@njit(_SUM_PLANS, nogil=True, cache=True)
def sum_plans(
    sums: Wafers,  # [choice, group] wafers; output, zero before
    plans: Wafers,  # [key, plan, row]
    plan: Index,  # [choice] which plans
    group: Index,  # [key]
    since: int,  # row after which the window begins; -1 includes row 0
    until: int,  # row that the window ends on
) -> None:
    """Sum each of some plans over the window (since, until] for each group."""
    for key in range(group.size):
        if group[key] >= 0:
            for choice in range(plan.size):
                daily, wafers = plans[key, plan[choice]], 0
                for row in range(since + 1, until + 1):
                    wafers += daily[row]
                sums[choice, group[key]] += wafers


@njit(_SUM_PLAN_CURVES, nogil=True, cache=True)
def sum_plan_curves(
    curves: Wafers,  # [group, row] wafers on that day; output, zero before
    plans: Wafers,  # [key, plan, row]
    plan: Index,  # [choice] which plans are summed into one
    group: Index,  # [key]
) -> None:
    """Sum some plans into one daily curve for each group."""
    for key in range(group.size):
        if group[key] >= 0:
            curve = curves[group[key]]
            for choice in range(plan.size):
                daily = plans[key, plan[choice]]
                for row in range(curve.size):
                    curve[row] += daily[row]


@njit(_PROJECT_BALANCES, nogil=True, cache=True)
def project_balances(
    balance: Wafers,  # [group, day from today] projected available balance, wafers; output
    first_short: Index,  # [group] row of the first day below zero, -1 for none; output
    first_shortage: Wafers,  # [group] wafers below zero on that day; output
    shortage: Wafers,  # [group] greatest number of wafers below zero on any day; output
    supplied: Wafers,  # [group, row] wafers that came to hand up to and on that day
    receipts: Wafers,  # [group, row] wafers expected on that day
    required: Wafers,  # [group, row] wafers required on that day
    today: int,  # row, 1 to H
    past_due: int,  # 1 lets overdue receipts fall on today, 0 leaves them out
) -> None:
    """Project the balance from today to the horizon's end; overdue demand falls on today."""
    for group in range(balance.shape[0]):
        planned = 0
        for row in range(today):
            planned += past_due * receipts[group, row] - required[group, row]
        first_short[group], first_shortage[group], shortage[group] = -1, 0, 0
        for n in range(balance.shape[1]):
            planned += receipts[group, today + n] - required[group, today + n]
            balance[group, n] = supplied[group, today + n] + planned
            if balance[group, n] < 0:
                if first_short[group] < 0:
                    first_short[group], first_shortage[group] = today + n, -balance[group, n]
                shortage[group] = max(shortage[group], -balance[group, n])


@njit(_READ_DAILY, nogil=True, cache=True)
def read_daily(
    daily: Wafers,  # [choice, movement, row] wafers on that day; output
    cumulative: Wafers,  # [row, movement, key]
    beyond: Wafers,  # [movement, key]
    rolled: int,  # last row that is filled
    key: Index,  # [choice] which keys
) -> None:
    """Read some keys' movements day by day, by key, from the cumulative rows that lie by day."""
    for movement in range(daily.shape[1]):
        for n in range(key.size):
            daily[n, movement, :] = 0
            daily[n, movement, 0] = cumulative[0, movement, key[n]]
            daily[n, movement, daily.shape[2] - 1] = beyond[movement, key[n]]
    for row in range(1, rolled + 1):
        for movement in range(daily.shape[1]):
            for n in range(key.size):
                daily[n, movement, row] = cumulative[row, movement, key[n]] - cumulative[row - 1, movement, key[n]]
