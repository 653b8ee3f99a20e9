"""The compiled loop of the projection: every product at every site, from its curves to its first short day.

It trusts its arguments, `plan/projection.py` checks them. Rows are those of `curves.py`: 0 is before the horizon, 1 to
H are its days, H + 1 is beyond. A term is one series of a group's projection, and its part there.
"""

import numpy as np
from numba import njit, types

from services.aggregator.kernels.arrays import Index, Wafers

GRADES = 5  # parts 0 to 4: open commits by firmness, the lowest first
TRANSIT, REQUIRED, BROUGHT, TAKEN, CONSUMED = 5, 6, 7, 8, 9  # plans before BROUGHT, movements from there on
ON_HAND, BACKORDER, BEYOND, SHORT_SINCE, COVER_DAYS, COVER_LEFT, COVER_NEXT = 0, 1, 2, 3, 4, 5, 6  # rows of `figures`
FIGURES = 7
WORST_DAY, SHORT_UNTIL, ACT_DAY, ACT_SHORTAGE = 0, 1, 2, 3  # rows of `course`
COURSE = 4
BLOCK = 32  # rows of a plan that are summed beforehand, as in `curves.py`: compiled code imports none

_LINE, _TABLE, _CUBE = types.int64[::1], types.int64[:, ::1], types.int64[:, :, ::1]
_COURSE = types.int64[:, :, :, ::1]
_PROJECT_GROUPS = types.void(
    _CUBE, _CUBE, _CUBE, _CUBE, _COURSE, _CUBE, _CUBE, _TABLE, _TABLE, _LINE, _LINE, _TABLE, _LINE, _TABLE, types.int64,
    _TABLE, _TABLE, _LINE, _LINE, _LINE, _LINE, types.int64,
)  # fmt: skip
_GATHER = types.int64(_TABLE, _LINE, _LINE, _TABLE, _TABLE, _LINE, types.int64, types.int64, _LINE, _LINE, types.int64)
_CONSUMED_BY = types.int64(_TABLE, types.int64, _LINE)
_ADD_UP = types.void(_LINE, _LINE, _TABLE, types.int64, _LINE, types.int64, _LINE)
_OWED_ON = types.int64(types.int64, _LINE, _LINE, _LINE, types.int64)
_SINCE = types.int64(
    _TABLE, types.int64, _LINE, _LINE, _LINE, types.int64, _LINE, types.int64, types.int64, _LINE, _LINE
)
_COVER = types.void(_TABLE, types.int64, _LINE, types.int64, types.int64, types.int64)
_FIND_SHORTAGES = types.void(
    _CUBE, _CUBE, _CUBE, _COURSE, _LINE, types.int64, types.int64, types.int64, types.int64, types.int64, types.int64
)
_FIND_FORECAST_GAPS = types.void(
    _CUBE, _CUBE, _LINE, _TABLE, types.int64, types.int64, types.int64, types.int64, types.int64
)  # fmt: skip
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


@njit(_CONSUMED_BY, nogil=True, cache=True)
def _consumed_by(cumulative: Wafers, row: int, spent: Index) -> int:
    """Return the wafers consumed up to and on a day, by the series of consumption."""
    wafers = 0
    for n in range(spent.size):
        wafers += cumulative[row, spent[n]]
    return wafers


@njit(_ADD_UP, nogil=True, cache=True)
def _add_up_backorder(
    owed: Wafers,  # [row] backorder on a day with requirements, before its own consumption; output, of row 0 always
    paid: Wafers,  # [row] wafers consumed before that day; output
    cumulative: Wafers,  # [row, series]
    last_row: int,
    required: Wafers,  # [row]
    today: int,  # row
    spent: Index,  # [n] series of consumption
) -> None:
    """Add up the backorder before today, on the days with requirements; row 0 is all days before the horizon.

    Between two of them it only falls, as no day's consumption is below zero: the other rows are not read.
    """
    owed[0], paid[0] = required[0], 0
    before = 0
    for row in range(1, today):
        if required[row] != 0:
            paid[row] = _consumed_by(cumulative, min(row - 1, last_row), spent)
            owed[row] = max(0, owed[before] - (paid[row] - paid[before])) + required[row]
            before = row


@njit(_OWED_ON, nogil=True, cache=True)
def _owed_on(row: int, owed: Wafers, paid: Wafers, required: Wafers, consumed: int) -> int:
    """Return the backorder at the end of a day, `consumed` wafers being consumed by then."""
    due = row
    while due > 0 and required[due] == 0:
        due -= 1
    backorder: int = max(0, owed[due] - (consumed - paid[due]))
    return backorder


@njit(_SINCE, nogil=True, cache=True)
def _short_since(
    cumulative: Wafers,  # [row, series]
    last_row: int,
    owed: Wafers,  # [row] as `_add_up_backorder` fills it
    paid: Wafers,  # [row]
    required: Wafers,  # [row]
    today: int,  # row
    spent: Index,  # [n] series of consumption
    first: int,  # term
    end: int,  # term
    series: Index,  # [term]
    part: Index,  # [term]
) -> int:
    """Return since when, up to yesterday, less was on hand than was owed at the end of each day: a row, -1 if none."""
    since = today
    while since > 1:
        row = min(since - 1, last_row)
        consumed = _consumed_by(cumulative, row, spent)
        on_hand = _brought_by(cumulative, row, first, end, series, part) - consumed
        if on_hand >= _owed_on(since - 1, owed, paid, required, consumed):
            break
        since -= 1
    return since if since < today else -1


@njit(_GATHER, nogil=True, cache=True)
def _gather(
    receipts: Wafers,  # [grade, row] expected on that day, today or later, at a grade or above; output
    required: Wafers,  # [row]; output
    overdue: Wafers,  # [grade] expected before today, at a grade or above; output
    plans: Wafers,  # [series, row]
    blocks: Wafers,  # [series, block]
    ends: Index,  # [series] no day from that row on is planned on
    first: int,  # term
    end: int,  # term
    series: Index,  # [term]
    part: Index,  # [term]
    today: int,  # row
) -> int:
    """Sum the plans of a group; return the row from which on there is none: nothing is written there."""
    rows = 0
    for term in range(first, end):
        if part[term] < BROUGHT:
            rows = max(rows, min(required.size, ends[series[term]]))
    receipts[:, :rows] = 0
    required[:rows] = 0
    overdue[:] = 0
    for term in range(first, end):
        if part[term] >= BROUGHT:
            continue
        daily, to = plans[series[term]], min(rows, ends[series[term]])
        if part[term] == REQUIRED:
            for row in range(to):
                required[row] += daily[row]
            continue
        # wafers in transit come at every grade: they are added at the highest, from which all grades have them
        grade = min(part[term], GRADES - 1)
        for block in range(today // BLOCK):
            overdue[grade] += blocks[series[term], block]
        for row in range(today // BLOCK * BLOCK, min(today, to)):
            overdue[grade] += daily[row]
        curve = receipts[grade]
        for row in range(today, to):
            curve[row] += daily[row]
    for grade in range(GRADES - 2, -1, -1):
        overdue[grade] += overdue[grade + 1]
        for row in range(today, rows):
            receipts[grade, row] += receipts[grade + 1, row]
    return rows


@njit(_COVER, nogil=True, cache=True)
def _cover(
    figures: Wafers,  # [figure, group]; output
    group: int,
    required: Wafers,  # [row]
    left: int,  # wafers at hand
    today: int,  # row
    still: int,  # row from which on nothing is required
) -> None:
    """Work out how long the wafers at hand last without any further receipt."""
    day = today
    while day < still and left >= required[day]:
        left -= required[day]
        day += 1
    ends = day == still and left >= 0  # the demand does
    figures[COVER_DAYS, group] = -1 if ends else day - today
    figures[COVER_LEFT, group] = max(0, left)
    figures[COVER_NEXT, group] = required[day] if day < still else 0


@njit(_FIND_SHORTAGES, nogil=True, cache=True)
def _find_shortages(
    first_short: Wafers,  # [past due, grade, group]; output
    first_shortage: Wafers,  # [past due, grade, group]; output
    shortage: Wafers,  # [past due, grade, group]; output
    course: Wafers,  # [figure, past due, grade, group]; output
    wafers: Wafers,  # [row] projected balance without overdue supply
    late: int,  # wafers of overdue supply
    grade: int,
    group: int,
    today: int,  # row
    still: int,  # row from which on the balance stays as it is
    lead: int,  # days from the start of a wafer to its receipt, -1 where not known
) -> None:
    """Find the days below zero and the lowest balance of a group at a grade, without and with overdue supply."""
    worst = today
    for row in range(today, still):
        if wafers[row] < wafers[worst]:
            worst = row
    lowest = wafers[worst]
    for past_due in range(2):
        fallen = late if past_due else 0
        course[:, past_due, grade, group] = -1
        course[ACT_SHORTAGE, past_due, grade, group] = 0
        first_short[past_due, grade, group] = -1
        first_shortage[past_due, grade, group] = 0
        shortage[past_due, grade, group] = max(0, -(lowest + fallen))
        if lowest + fallen < 0:
            row = today
            while wafers[row] + fallen >= 0:
                row += 1
            first_short[past_due, grade, group] = row
            first_shortage[past_due, grade, group] = -(wafers[row] + fallen)
            course[WORST_DAY, past_due, grade, group] = worst
            row = still
            while wafers[row - 1] + fallen >= 0:
                row -= 1
            if row < still:  # else the horizon ends below zero
                course[SHORT_UNTIL, past_due, grade, group] = row
            row = today + lead
            while row < still and wafers[row] + fallen >= 0:
                row += 1
            balance = wafers[min(row, still - 1)] + fallen
            if lead >= 0 and row < wafers.size and balance < 0:
                course[ACT_DAY, past_due, grade, group] = row
                course[ACT_SHORTAGE, past_due, grade, group] = -balance


@njit(_FIND_FORECAST_GAPS, nogil=True, cache=True)
def _find_forecast_gaps(
    first_gap: Wafers,  # [past due, grade, group]; output
    gap: Wafers,  # [past due, grade, group]; output
    wafers: Wafers,  # [row] projected balance without overdue supply
    unordered: Wafers,  # [0 or 1, day from today] forecast up to and on that day that no order has consumed
    late: int,  # wafers of overdue supply
    grade: int,
    group: int,
    today: int,  # row
    still: int,  # row from which on the balance stays as it is
) -> None:
    """Find how much of a group's forecast the balance that orders leave does not cover, and the first such day."""
    for past_due in range(2):
        fallen = late if past_due else 0
        most, days = 0, unordered.size
        kept = min(days, still - today)
        if past_due and not late:
            most = gap[0, grade, group]
        elif days:
            balance, forecast = wafers[today : today + kept], unordered[0, :kept]
            for day in range(kept):
                most = max(most, forecast[day] - max(0, balance[day] + fallen))
            # the forecast only adds up, so of the days after these the last has the most
            most = max(most, unordered[0, days - 1] - max(0, wafers[still - 1] + fallen))
        first_gap[past_due, grade, group] = -1
        gap[past_due, grade, group] = most
        if most > 0:
            day = 0
            while unordered[0, day] <= max(0, wafers[min(today + day, still - 1)] + fallen):
                day += 1
            first_gap[past_due, grade, group] = today + day


@njit(_PROJECT_GROUPS, nogil=True, cache=True)
def project_groups(
    balance: Wafers,  # [grade, chosen, day from today] projected available balance; output, left out where it is empty
    first_short: Wafers,  # [past due, grade, group] row of the first day below zero, -1 for none; output
    first_shortage: Wafers,  # [past due, grade, group] wafers below zero on that day; output
    shortage: Wafers,  # [past due, grade, group] greatest number of wafers below zero on any day; output
    course: Wafers,  # [figure, past due, grade, group] rows of days, -1 for none, and wafers; output
    first_gap: Wafers,  # [past due, grade, group] row of the first day on which forecast is not covered; output
    gap: Wafers,  # [past due, grade, group] greatest number of wafers of forecast that are not covered; output
    overdue: Wafers,  # [grade, group] wafers that were to come before today and have not; output
    figures: Wafers,  # [figure, group] at the end of yesterday; output
    leads: Index,  # [group] days from the start of a wafer to its receipt, -1 where not known
    chosen: Index,  # [chosen] the groups to work out; the others stay as they are
    unordered: Wafers,  # [forecasting group, day from today] as `_find_forecast_gaps` takes it
    forecasting: Index,  # [chosen] its row there, one after the last for none
    cumulative: Wafers,  # [row, series] movements
    last_row: int,  # last row of them that is filled
    plans: Wafers,  # [series, row]
    blocks: Wafers,  # [series, block] the sums of their blocks of rows
    ends: Index,  # [series] no day from that row on is planned on
    begins: Index,  # [group + 1] where a group's terms begin
    series: Index,  # [term] of the movements, or of the plans
    part: Index,  # [term]
    today: int,  # row, 1 to H
) -> None:
    """Project each chosen group's balance from today to the horizon's end, at each grade.

    Balance(t) = on hand − backorder of yesterday + receipts(today..t) + brought to hand(today..t) − required(today..t).
    Where overdue supply is let fall on today (past due 1), it is in each of them.
    """
    rows = plans.shape[1] - 1  # the row beyond the horizon is no day
    receipts = np.zeros((GRADES, rows), dtype=np.int64)
    required = np.zeros(rows, dtype=np.int64)
    late, wafers = np.empty(GRADES, dtype=np.int64), np.empty(rows, dtype=np.int64)
    owed, paid = np.empty(rows, dtype=np.int64), np.empty(rows, dtype=np.int64)
    came = np.empty(rows, dtype=np.int64)  # [row] wafers that ever came to hand, from yesterday to the last filled day
    moved = min(today - 1, last_row)
    for place in range(chosen.size):
        group, own = chosen[place], forecasting[place]
        first, end = begins[group], begins[group + 1]
        planned = _gather(receipts, required, late, plans, blocks, ends, first, end, series, part, today)
        still = max(planned, min(last_row + 1, rows), today + 1)  # from there on each day ends as the one before it
        receipts[:, planned:still] = 0
        required[planned:still] = 0
        spent = series[first:end][part[first:end] == CONSUMED]
        _add_up_backorder(owed, paid, cumulative, last_row, required, today, spent)
        consumed = _consumed_by(cumulative, moved, spent)
        backorder = _owed_on(today - 1, owed, paid, required, consumed)
        came[moved] = brought = _brought_by(cumulative, moved, first, end, series, part)
        figures[ON_HAND, group] = brought - consumed
        figures[BACKORDER, group] = backorder
        figures[BEYOND, group] = backorder - (required[:today].sum() - consumed)
        _cover(figures, group, required, brought - consumed - backorder, today, still)
        since = _short_since(cumulative, last_row, owed, paid, required, today, spent, first, end, series, part)
        figures[SHORT_SINCE, group] = since
        for row in range(today, min(last_row + 1, rows)):
            came[row] = _brought_by(cumulative, row, first, end, series, part)
        for grade in range(GRADES):
            overdue[grade, group] = late[grade]
            expected = -consumed - backorder
            for row in range(today, still):
                expected += receipts[grade, row] - required[row]
                wafers[row] = expected + came[min(row, last_row)]
            if balance.size:
                balance[grade, place, : still - today] = wafers[today:still]
                balance[grade, place, still - today :] = wafers[still - 1]
            _find_shortages(first_short, first_shortage, shortage, course, wafers, late[grade], grade, group, today,
                            still, leads[group])  # fmt: skip
            _find_forecast_gaps(
                first_gap, gap, wafers, unordered[own : own + 1], late[grade], grade, group, today, still
            )
