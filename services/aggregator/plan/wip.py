"""WIP by age, and the yield of the wafers that left the fabs."""

import numpy as np

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.queries import sum_moved, sum_stages
from services.aggregator.fold.series import Grouping
from services.aggregator.kernels.arrays import Wafers
from services.aggregator.plan.checks import RatioColumns
from shared.wire.postings import Measure

AGES = (0, 28, 56, 91, 133, 182)  # days since the start; DRAM is planned to take 19 weeks, HBM 26


def age_wip(curves: Curves, grouping: Grouping, day: int) -> Wafers:
    """Return the WIP at the end of a day by age, `[age, group]`: from each of `AGES` to the next.

    First in, first out: with WIP W, and S(a) wafers started in the days (day − a, day], max(0, W − S(a)) are a days old
    or older. That is a lower bound, since at most S(a) of the WIP was started since; postings do not name lots. Wafers
    started before the horizon have the last age.
    """
    wip = np.maximum(sum_stages(curves, grouping, day).wip, 0)
    started = [sum_moved(curves, grouping, day, day - age, (Measure.STARTED,))[0] for age in AGES]
    older = np.maximum(wip - np.array(started), 0)
    aged: Wafers = older - np.vstack((older[1:], np.zeros_like(wip)))
    return aged


def measure_yield(curves: Curves, grouping: Grouping, day: int, since: int | None = None) -> RatioColumns:
    """Return for each group the wafers finished in the days (since, day], and all wafers that left the fabs in them.

    A lot is credited with its real yield in wafers at planned yield: 100 % is yield as planned. The difference to the
    wafers started is yield variance; scrapped wafers left the fab before the last test.
    """
    measures = (Measure.FINISHED, Measure.YIELD_VARIANCE, Measure.SCRAPPED)
    left = sum_moved(curves, grouping, day, since, measures)
    return RatioColumns(left[0], left.sum(axis=0))
