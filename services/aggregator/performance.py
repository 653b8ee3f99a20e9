"""Performance: what was committed some days before it was due against what came, and how often it was changed."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from services.aggregator import planning_kernels
from services.aggregator.kernels import Index, Wafers
from services.aggregator.whole_wafers import DAYS, Ratio, whole_numbers, whole_wafers


class Revisions(NamedTuple):
    """What lines said, as columns; the revisions of one line in their order, lines in any."""

    group: ArrayLike  # [revision] what it is counted in, from 0
    line: ArrayLike  # [revision] number of the line
    said: ArrayLike  # [revision] day on which it was said
    due: ArrayLike  # [revision] day
    wafers: ArrayLike  # [revision] 0 withdraws


class Slip(NamedTuple):
    """How many days receipts lie behind commits; the mean is wafer_days / wafers, at least so where wafers are open."""

    wafer_days: Index  # [group] Σ days × wafers, below zero where more came early
    wafers: Wafers  # [group] committed up to `through`
    greatest: Index  # [group] most days of any committed day, 0 where nothing was committed
    open_wafers: Wafers  # [group] committed up to `through` and not received by then


def committed_at_lag(revisions: Revisions, lag: int, groups: int, first_day: int, days: int) -> Wafers:
    """Return the wafers that were committed for each day as of `lag` days before it, `[group, day from first_day]`.

    That is C_L, to be summed into buckets for `bias` and cumulated for `slip`. A revision counts on its due day when
    it had been said by due − lag, and none that follows it in its line had. Raise ValueError as `whole_wafers` does,
    for wafers below zero, groups out of bounds, and a lag of less than no days; exact.
    """
    if not 0 <= lag < DAYS[1]:
        raise ValueError(f"lag is {lag} days, not 0 to {DAYS[1] - 1}")
    group, line, said, due, wafers = _in_order(revisions, groups)
    # Lines are put so far apart that the least of all that follows a revision is the least of its own line, if any.
    apart = np.unique(line, return_inverse=True)[1] * 2**33
    replaced = np.minimum.accumulate(np.append(apart + said, 2**62)[::-1])[::-1][1:] - apart
    counts = (said <= due - lag) & (due - lag < replaced) & (first_day <= due) & (due < first_day + days)
    committed = np.zeros((groups, days), dtype=np.int64)
    np.add.at(committed, (group[counts], due[counts] - first_day), wafers[counts])
    return committed


def bias(received: ArrayLike, committed: ArrayLike) -> Ratio:
    """Return Σ (R − C_L) and Σ C_L over the buckets for each group: below zero where less came than was committed.

    received and committed are wafers in each bucket, `[group, bucket]` or `[bucket]`; committed as it was some days
    before (`committed_at_lag`). ValueError: see `whole_wafers`; exact. Source: forecast bias, as in Silver, Pyke and
    Thomas, with the commit for the forecast.
    """
    received = whole_wafers("received", received)
    committed = whole_wafers("committed", committed, received.shape)
    return Ratio((received - committed).sum(axis=-1), committed.sum(axis=-1))


def slip(committed: ArrayLike, received: ArrayLike, through: int) -> Slip:
    """Return how many days the curve of receipts lies behind the curve of commits, measured level with each commit.

    Both are wafers up to and on each day, `[group, day]`; committed as it was some days before (`committed_at_lag`).
    For each day t up to `through` on which c = C(t) − C(t−1) > 0 wafers were committed, the days are s − t, where s is
    the first day with R(s) ≥ C(t): below zero for early, though never before day 0. A level not reached by `through`
    counts as through − t, the least it can be, and its wafers are open: max(0, C(through) − R(through)).

    By hand: C 10, 10, 30, 40, 40, 40 and R 0, 30, 30, 35, 35, 35 through day 5. The 10 of day 0 come on day 1, +1; the
    20 of day 2 on day 1, −1; the 10 of day 3 not yet, at least +2. So 10 × 1 − 20 × 1 + 10 × 2 = 10 wafer days over 40
    wafers, 2 the greatest, 5 open. Raise ValueError as `whole_wafers` does, where committed falls, and for a `through`
    outside the days (−1 is before all of them); exact. Source: the horizontal distance between the curves of arrivals
    and departures, as in Newell's Applications of Queueing Theory.
    """
    committed = whole_wafers("committed", committed)
    received = whole_wafers("received", received, committed.shape)
    if committed.ndim != 2 or not -1 <= through < committed.shape[1]:
        raise ValueError(f"day {through} is not one of committed, which has the shape {committed.shape}")
    if (np.diff(committed, axis=1, prepend=0) < 0).any():
        raise ValueError("committed falls: it is to be what was committed up to each day")
    wafer_days, wafers, greatest, open_wafers = (np.zeros(committed.shape[0], dtype=np.int64) for _ in range(4))
    planning_kernels.measure_slips(wafer_days, wafers, greatest, committed, received, through)
    if through >= 0:
        open_wafers = np.maximum(committed[:, through] - received[:, through], 0)
    return Slip(wafer_days, wafers, greatest, open_wafers)


def churn(revisions: Revisions, groups: int) -> Ratio:
    """Return Σ |changes| and what the last revisions commit, for each group.

    A revision changes the wafers by which it differs from the one before it of its line; where it names another due
    day, all wafers of the greater of the two. The first of a line changes nothing. Raise ValueError as `whole_wafers`
    does, for wafers below zero and groups out of bounds; exact. By hand: 100 due on day 5, then 80 due on day 5, then
    80 due on day 9 change 20 + 80, over 80: 100/80. Source: our own; schedule instability as in Blackburn, Kropp and
    Millen, which counts the wafers that were rescheduled.
    """
    group, line, _, due, wafers = _in_order(revisions, groups)
    before, after = wafers[:-1], wafers[1:]
    moved = np.where(due[1:] == due[:-1], np.abs(after - before), np.maximum(before, after))
    same = line[1:] == line[:-1]
    last = np.append(~same, True)[: line.size]
    changed, committed = np.zeros(groups, dtype=np.int64), np.zeros(groups, dtype=np.int64)
    np.add.at(changed, group[1:][same], moved[same])
    np.add.at(committed, group[last], wafers[last])
    return Ratio(changed, committed)


def _in_order(revisions: Revisions, groups: int) -> tuple[Index, Index, Index, Index, Wafers]:
    """Return the columns with the revisions of each line side by side, in their order."""
    wafers = whole_wafers("wafers", revisions.wafers, low=0)
    line = whole_numbers("line", revisions.line, wafers.shape)
    group = whole_numbers("group", revisions.group, wafers.shape, 0, groups)
    said = whole_numbers("said", revisions.said, wafers.shape, *DAYS)
    due = whole_numbers("due", revisions.due, wafers.shape, *DAYS)
    order = np.argsort(line, kind="stable")
    return group[order], line[order], said[order], due[order], wafers[order]
