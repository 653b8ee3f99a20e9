"""The compiled loop of the projection: every product at every site, from its curves to its first short day.

It trusts its arguments, `planning.py` has checked them. Rows are those of `kernels.py`: 0 is before the horizon, 1 to H
are its days, H + 1 is beyond. A term is one series that a group's projection is made of, and the part it plays there.
"""

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

Wafers = NDArray[np.int64]
Index = NDArray[np.int64]

GRADES = 5  # parts 0 to 4: what of commits is open, by firmness, the lowest first
TRANSIT, REQUIRED, BROUGHT, TAKEN, CONSUMED = 5, 6, 7, 8, 9  # plans before BROUGHT, movements from there on
ON_HAND, OUTSTANDING, SHORT_SINCE, COVER_DAYS, COVER_LEFT, COVER_NEXT = 0, 1, 2, 3, 4, 5  # rows of `standing`
STANDING = 6

_LINE, _TABLE, _CUBE = types.int64[::1], types.int64[:, ::1], types.int64[:, :, ::1]
_PROJECT_GROUPS = types.void(
    _CUBE, _CUBE, _CUBE, _CUBE, _TABLE, _TABLE, _LINE, _TABLE, types.int64, _TABLE, _LINE, _LINE, _LINE, types.int64
)
_GATHER = types.void(_TABLE, _LINE, _TABLE, types.int64, types.int64, _LINE, _LINE)
_SINCE = types.int64(_TABLE, types.int64, _LINE, types.int64, types.int64, types.int64, types.int64, _LINE, _LINE)
_BROUGHT_BY = types.int64(_TABLE, types.int64, types.int64, types.int64, _LINE, _LINE)


@njit(_BROUGHT_BY, nogil=True, cache=True)
def _brought_by(
    cumulative: Wafers,  # [row, series]
    row: int,  # filled
    first: int,  # term
    end: int,  # term
    series: Index,  # [term]
    part: Index,  # [term]
) -> int:
    """Return the wafers that ever came to hand up to and on a day, consumed or not."""
    wafers = 0
    for term in range(first, end):
        if part[term] == BROUGHT:
            wafers += cumulative[row, series[term]]
        elif part[term] == TAKEN:
            wafers -= cumulative[row, series[term]]
    return wafers


@njit(_SINCE, nogil=True, cache=True)
def _short_since(
    cumulative: Wafers,  # [row, series]
    rolled: int,
    required: Wafers,  # [row]
    due: int,  # wafers required before today
    today: int,  # row
    first: int,  # term
    end: int,  # term
    series: Index,  # [term]
    part: Index,  # [term]
) -> int:
    """Return since when, up to yesterday, more was required than came by each day: a row, -1 if it was not so."""
    since = today
    while since > 1 and _brought_by(cumulative, min(since - 1, rolled), first, end, series, part) < due:
        since -= 1
        due -= required[since]
    return since if since < today else -1


@njit(_GATHER, nogil=True, cache=True)
def _gather(
    receipts: Wafers,  # [grade, row] expected on that day at a grade or above; output
    required: Wafers,  # [row]; output
    plans: Wafers,  # [series, row]
    first: int,  # term
    end: int,  # term
    series: Index,  # [term]
    part: Index,  # [term]
) -> None:
    """Sum the plans of a group."""
    receipts[:] = 0
    required[:] = 0
    for term in range(first, end):
        if part[term] < BROUGHT:
            daily = plans[series[term]]
            # what is in transit comes at every grade: it goes where all of them have it, at the highest
            curve = required if part[term] == REQUIRED else receipts[min(part[term], GRADES - 1)]
            for row in range(curve.size):
                curve[row] += daily[row]
    for grade in range(GRADES - 2, -1, -1):
        for row in range(receipts.shape[1]):
            receipts[grade, row] += receipts[grade + 1, row]


@njit(_PROJECT_GROUPS, nogil=True, cache=True)
def project_groups(
    balance: Wafers,  # [grade, chosen, day from today] projected available balance; output, left out where it is empty
    first_short: Wafers,  # [past due, grade, group] row of the first day below zero, -1 for none; output
    first_shortage: Wafers,  # [past due, grade, group] wafers below zero on that day; output
    shortage: Wafers,  # [past due, grade, group] greatest number of wafers below zero on any day; output
    overdue: Wafers,  # [grade, group] wafers that were to come before today and have not; output
    standing: Wafers,  # [what, group] what stands at the end of yesterday; output
    chosen: Index,  # [chosen] the groups to work out; the others stay as they are
    cumulative: Wafers,  # [row, series] movements
    rolled: int,  # last row of them that is filled
    plans: Wafers,  # [series, row]
    begins: Index,  # [group + 1] where a group's terms begin
    series: Index,  # [term] of the movements, or of the plans
    part: Index,  # [term]
    today: int,  # row, 1 to H
) -> None:
    """Project each chosen group's balance from today to the horizon's end, at each grade.

    Balance(t) = brought to hand up to t + receipts(today..t) − required up to t. Where overdue supply is let fall on
    today (past due 1), it is in each of them. Cover is how long what is at hand lasts with no receipt any more.
    """
    rows = plans.shape[1] - 1  # what lies beyond the horizon has no day
    receipts = np.empty((GRADES, rows), dtype=np.int64)
    required = np.empty(rows, dtype=np.int64)
    moved = min(today - 1, rolled)
    for place in range(chosen.size):
        group = chosen[place]
        first, end = begins[group], begins[group + 1]
        _gather(receipts, required, plans, first, end, series, part)
        consumed = 0
        for term in range(first, end):
            if part[term] == CONSUMED:
                consumed += cumulative[moved, series[term]]
        was_required = 0
        for row in range(today):
            was_required += required[row]
        brought = _brought_by(cumulative, moved, first, end, series, part)
        standing[ON_HAND, group] = brought - consumed
        standing[OUTSTANDING, group] = was_required - consumed

        left, day = brought - was_required, today
        while day < rows and left >= required[day]:
            left -= required[day]
            day += 1
        standing[COVER_DAYS, group] = day - today if day < rows else -1
        standing[COVER_LEFT, group] = max(0, left)
        standing[COVER_NEXT, group] = required[day] if day < rows else 0

        standing[SHORT_SINCE, group] = _short_since(
            cumulative, rolled, required, was_required, today, first, end, series, part
        )

        for grade in range(GRADES):
            late = 0
            for row in range(today):
                late += receipts[grade, row]
            overdue[grade, group] = late
            for past_due in range(2):
                first_short[past_due, grade, group] = -1
                first_shortage[past_due, grade, group] = 0
                shortage[past_due, grade, group] = 0
            planned, came = -was_required, brought
            for row in range(today, rows):
                planned += receipts[grade, row] - required[row]
                if row <= rolled:
                    came = _brought_by(cumulative, row, first, end, series, part)
                wafers = came + planned
                if balance.size:
                    balance[grade, place, row - today] = wafers
                for past_due in range(2):
                    if wafers < 0:
                        if first_short[past_due, grade, group] < 0:
                            first_short[past_due, grade, group] = row
                            first_shortage[past_due, grade, group] = -wafers
                        shortage[past_due, grade, group] = max(shortage[past_due, grade, group], -wafers)
                    wafers += late
