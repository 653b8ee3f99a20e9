"""Service level: what part of what was due had come by then, how many lines in full, and what is still owed."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from services.aggregator.kernels import Wafers
from services.aggregator.whole_wafers import DAYS, WAFERS_SUM_MAX, Ratio, whole_numbers, whole_wafers


class DueLines(NamedTuple):
    """Lines that are due, as columns."""

    group: ArrayLike  # [line] what the line is counted in, from 0
    due: ArrayLike  # [line] day, counted from any one day
    wafers: ArrayLike  # [line] 0 for a line that was withdrawn


class Receipts(NamedTuple):
    """What came for lines, as columns."""

    line: ArrayLike  # [receipt] which of the lines it came for
    day: ArrayLike  # [receipt] day, counted from the same day as the line's
    wafers: ArrayLike  # [receipt]


def fill_rate(lines: DueLines, received: ArrayLike) -> Ratio:
    """Return how many of the wafers due had come by their due day, and how many were due, for each group.

    received `[group, day]` is all that came up to and on each day, from day 0, with which the days of the lines begin.
    A line due after the last of them is not due yet. Raise ValueError as `whole_wafers` does, for a line of a group
    that received has not, and for one due before day 0; sums are exact.

    Unit fill rate = Σ min(received by due, due) / Σ due, where what has come serves the earliest due first: of the
    q(t) due on day t, min(q(t), max(0, R(t) − D(t−1))) had come, with R received and D due in all up to that day. In
    which order lines of one day are served does not matter. Source: Silver, Pyke and Thomas, the fill rate P2.
    """
    received = whole_wafers("received", received)
    if received.ndim != 2:
        raise ValueError(f"received has the shape {received.shape}, not groups by days")
    groups, days = received.shape
    group, due, wafers = _columns(lines, groups, 0, WAFERS_SUM_MAX)
    is_due = due < days
    daily = np.zeros_like(received)
    np.add.at(daily, (group[is_due], due[is_due]), wafers[is_due])
    earlier = daily.cumsum(axis=1) - daily
    return Ratio(np.clip(received - earlier, 0, daily).sum(axis=1), daily.sum(axis=1))


def otif(lines: DueLines, receipts: Receipts, groups: int, through: int, *, days: int = 0, percent: int = 0) -> Ratio:
    """Return how many lines came on time and in full, and how many were due, for each of the groups.

    A line is on time and in full when wafers received by due + days are at least quantity × (100 − percent) / 100;
    (0, 0) is the strict one. It is due once due + days has passed: is `through` or before it; a withdrawn line never.
    Early is on time. Raise ValueError as `whole_wafers` does, for a receipt of a line that is not there, and for a
    tolerance out of bounds; computed with integers. Source: on time in full, the perfect order of the SCOR model.
    """
    if days < 0 or not 0 <= percent <= 100:
        raise ValueError(f"the tolerance is {days} days and {percent} percent, not 0 or more and 0 to 100")
    most = WAFERS_SUM_MAX // 100  # percents of it are computed
    group, due, wafers = _columns(lines, groups, DAYS[0], most)
    line = whole_numbers("receipt line", receipts.line, None, 0, wafers.size)
    day = whole_numbers("receipt day", receipts.day, line.shape, *DAYS)
    came = whole_wafers("receipt wafers", receipts.wafers, line.shape, sum_max=most)
    in_time = day <= due[line] + days
    got = np.zeros_like(wafers)
    np.add.at(got, line[in_time], came[in_time])
    is_due = (wafers > 0) & (due + days <= through)
    kept = is_due & (got * 100 >= wafers * (100 - percent))
    return Ratio(np.bincount(group[kept], minlength=groups), np.bincount(group[is_due], minlength=groups))


def backorder(required: ArrayLike, consumed: ArrayLike) -> Wafers:
    """Return the wafers that are past due and still owed, for each group: max(0, D − I).

    required `[group]` is all that was due before today, consumed `[group]` all ever consumed. ValueError: see
    `whole_wafers`.
    """
    required = whole_wafers("required", required)
    owed: Wafers = np.maximum(required - whole_wafers("consumed", consumed, required.shape), 0)
    return owed


def _columns(lines: DueLines, groups: int, first: int, sum_max: int) -> tuple[Wafers, Wafers, Wafers]:
    wafers = whole_wafers("line wafers", lines.wafers, low=0, sum_max=sum_max)
    group = whole_numbers("line group", lines.group, wafers.shape, 0, groups)
    due = whole_numbers("line due", lines.due, wafers.shape, first, DAYS[1])
    return group, due, wafers
