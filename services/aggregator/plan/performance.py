"""Supplier performance: commits against receipts (bias, slip, OTIF), and revisions of commits (churn)."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.lines.book import NO_COMMITS, LineBook
from services.aggregator.fold.queries import received_by_day
from services.aggregator.kernels import planning as planning_kernels
from services.aggregator.kernels.arrays import Index, Wafers
from services.aggregator.plan.checks import RatioColumns, whole_wafers
from services.aggregator.terms import LAGS


class Slips(NamedTuple):
    """Days that receipts lie behind commits; the mean is wafer_days / wafers, a lower bound where wafers are open."""

    wafer_days: Index  # [group] Σ days × wafers, below zero where more was received early
    wafers: Wafers  # [group] committed up to `through`
    greatest: Index  # [group] most days of any committed day, 0 where nothing was committed
    open_wafers: Wafers  # [group] committed up to `through` and not received by then


class LagPerformance(NamedTuple):
    """Commits as of some days before their due day against receipts, up to the last complete day."""

    lag: int  # days
    committed: int
    lines: list[int]  # [tolerance] commits past their days of grace
    kept: list[int]  # [tolerance] of them, commits that were kept
    missing: int  # received less committed, which over committed is the bias; below zero where less was received
    slip_wafer_days: int  # of the wafers committed: their mean is the slip in days
    slip_greatest: int
    open_wafers: int


class ProductPerformance(NamedTuple):
    """A supplier's performance on a product, up to the last complete day."""

    in_force: int  # due by then, by the commits now in force
    churned: int  # wafers by which their supplier itself revised these commits
    answered: int  # wafers by which it revised them in answer to orders and forecasts
    received: int
    lags: list[LagPerformance]


def measure_performance(
    curves: Curves, lines: LineBook, supplier: str, product: str | None = None
) -> dict[str, ProductPerformance]:
    """Return the performance of a supplier by product, of one or of all that it has committed or delivered.

    Receipts count with a commit or without. The curves of `slip` begin with the day before the horizon, which has all
    commits and receipts of earlier days; they end with the horizon at the latest.
    """
    last = curves.start + curves.days - 1
    through = curves.start - 1 if curves.complete_through is None else min(curves.complete_through, last)
    days = max(0, through - curves.start + 1) + 1
    received, nothing = received_by_day(curves, supplier), np.zeros(curves.days + 2, dtype=np.int64)
    records = lines.record(supplier)
    delivered = {name for name, by_day in received.items() if by_day[:days].any()}
    performances = {}
    for name in sorted(delivered | records.keys()):
        if product is not None and name != product:
            continue
        of_product = received.get(name, nothing)[:days]
        record = records.get(name, NO_COMMITS)
        is_due = record.due <= through
        committed = np.zeros((len(LAGS), days), dtype=np.int64)
        rows = curves.rows_of(record.due[is_due])
        for n in range(len(LAGS)):
            np.add.at(committed[n], rows, record.committed[n, is_due])
        each_lag = np.tile(of_product, (len(LAGS), 1))
        slips = slip(committed.cumsum(axis=1), each_lag, days - 1)
        biases = bias(np.diff(each_lag, axis=1, prepend=0), committed)
        judged = [record.due + tolerance.days_late <= through for tolerance in lines.tolerances]
        performances[name] = ProductPerformance(
            int(record.in_force[is_due].sum()),
            int(record.churned[is_due].sum()),
            int(record.answered[is_due].sum()),
            int(of_product[-1]),
            [
                LagPerformance(
                    lag,
                    int(biases.denominator[n]),
                    [int(record.lines[n, each].sum()) for each in judged],
                    [int(kept[n, each].sum()) for kept, each in zip(record.kept, judged, strict=True)],
                    *(int(each[n]) for each in (biases.numerator, slips.wafer_days, slips.greatest, slips.open_wafers)),
                )
                for n, lag in enumerate(LAGS)
            ],
        )
    return performances


def bias(received: ArrayLike, committed: ArrayLike) -> RatioColumns:
    """Return Σ (R − C_L) and Σ C_L over the buckets for each group: below zero where less was received than committed.

    received and committed are wafers in each bucket, `[group, bucket]` or `[bucket]`; committed as of some days
    before (`LineBook.record`). ValueError: see `whole_wafers`; exact. Source: forecast bias, as in Silver, Pyke and
    Thomas, with the commit for the forecast.
    """
    received = whole_wafers("received", received)
    committed = whole_wafers("committed", committed, received.shape)
    return RatioColumns((received - committed).sum(axis=-1), committed.sum(axis=-1))


def slip(committed: ArrayLike, received: ArrayLike, through: int) -> Slips:
    """Return how many days the curve of receipts lies behind the curve of commits, measured level with each commit.

    Both are cumulative wafers by day, `[group, day]`; committed as of some days before (`LineBook.record`). For each
    day t up to `through` on which c = C(t) − C(t−1) > 0 wafers were committed, the days are s − t, where s is the first
    day with R(s) ≥ C(t): below zero for early, though never before day 0. A level not reached by `through` counts as
    through − t, the least it can be, and its wafers are open: max(0, C(through) − R(through)).

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
        raise ValueError("committed falls: it must be the cumulative commits of each day")
    wafer_days, wafers, greatest, open_wafers = (np.zeros(committed.shape[0], dtype=np.int64) for _ in range(4))
    planning_kernels.measure_slips(wafer_days, wafers, greatest, committed, received, through)
    if through >= 0:
        open_wafers = np.maximum(committed[:, through] - received[:, through], 0)
    return Slips(wafer_days, wafers, greatest, open_wafers)
