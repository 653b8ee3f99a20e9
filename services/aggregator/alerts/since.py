"""First day of the days in a row on which the condition of an alert has held: the day that names the alert."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.queries import (
    consumed_beyond_by_day,
    moved_by_day,
    planned_by_day,
    required_by_day,
    supplied_by_day,
)
from services.aggregator.fold.series import ON_HAND_SIGNS, SLOTS, STAGE_SIGNS, WIP_SIGNS, Grouping
from services.aggregator.kernels.arrays import Index
from shared.wire.postings import Measure

_AT_ONCE = 256  # groups of which all days are in memory


def _signs(*measures: Measure, less: Sequence[Measure] = ()) -> Index:
    signs = np.zeros(STAGE_SIGNS.shape[1], dtype=np.int64)
    signs[[SLOTS[each] for each in measures]] = 1
    signs[[SLOTS[each] for each in less]] = -1
    return signs


OF_LOTS = (Measure.STARTED, Measure.SCRAPPED, Measure.FINISHED, Measure.YIELD_VARIANCE)
_UNFINISHED_SIGNS = _signs(Measure.DISPATCHED, less=[Measure.FINISHED])
_ENDED_SIGNS = _signs(Measure.RECEIVED, Measure.DAMAGED, Measure.LOST)

Holds: TypeAlias = NDArray[np.bool_]  # [group, row] at the end of the day
Condition: TypeAlias = Callable[[Curves, Grouping], Holds]


def first_days(curves: Curves, grouping: Grouping, groups: Index, through: int, condition: Condition) -> list[int]:
    """Return for each of some groups the first day of the days in a row, up to `through`, on which a condition holds.

    It holds on the day `through`. Days are those since 1970; one before the horizon is the day before it.
    """
    days = list[int]()
    end = curves.row_of(through) + 1
    for first in range(0, groups.size, _AT_ONCE):
        holds = condition(curves, grouping.pick(groups[first : first + _AT_ONCE]))[:, :end]
        in_a_row = np.where(holds.all(axis=1), end, holds[:, ::-1].argmin(axis=1))
        days += (curves.start - 1 + end - in_a_row).tolist()
    return days


def stock_is_negative(curves: Curves, grouping: Grouping) -> Holds:
    """Return whether more wafers have left the stock than came."""
    holds: Holds = moved_by_day(curves, grouping, ON_HAND_SIGNS) < 0
    return holds


def wip_is_negative(curves: Curves, grouping: Grouping) -> Holds:
    """Return whether more wafers have left the fab than were started."""
    holds: Holds = moved_by_day(curves, grouping, WIP_SIGNS) < 0
    return holds


def is_dispatched_beyond_finished(curves: Curves, grouping: Grouping) -> Holds:
    """Return whether more wafers were dispatched than finished, of a product with lots reported by then."""
    reports_lots = np.logical_or.reduce([moved_by_day(curves, grouping, _signs(each)) != 0 for each in OF_LOTS])
    holds: Holds = reports_lots & (moved_by_day(curves, grouping, _UNFINISHED_SIGNS) > 0)
    return holds


def is_consumed_beyond(curves: Curves, grouping: Grouping) -> Holds:
    """Return whether more wafers were consumed than were due by the days of their consumption."""
    holds: Holds = consumed_beyond_by_day(curves, grouping, required_by_day(curves, grouping)) > 0
    return holds


def cover_is_thin(days: int) -> Condition:
    """Return the condition that the wafers on hand, less those owed, do not cover the requirements of the next days."""

    def condition(curves: Curves, grouping: Grouping) -> Holds:
        required = required_by_day(curves, grouping)
        beyond = consumed_beyond_by_day(curves, grouping, required)
        supplied, due = supplied_by_day(curves, grouping, curves.start - 1), required.cumsum(axis=1)
        rows = np.minimum(np.arange(due.shape[1]) + days, curves.days)  # days after the horizon are in no cover
        holds: Holds = supplied - beyond - due[:, rows] < 0
        return holds

    return condition


def receipts_are_late(days: int, committed: Sequence[Measure]) -> Condition:
    """Return the condition that fewer wafers have ended than were committed for days longer ago than some."""

    def condition(curves: Curves, grouping: Grouping) -> Holds:
        due = planned_by_day(curves, grouping, committed).cumsum(axis=1)
        rows = np.maximum(np.arange(due.shape[1]) - days - 1, 0)  # days before the horizon are one row
        holds: Holds = due[:, rows] > moved_by_day(curves, grouping, _ENDED_SIGNS)
        return holds

    return condition
