"""In process: what came of the wafers that left the fabs, and how old those are that have not."""

import numpy as np

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.queries import sum_moved, sum_stages
from services.aggregator.fold.series import Grouping
from services.aggregator.kernels.arrays import Wafers
from services.aggregator.plan.checks import RatioColumns
from shared.wire.postings import Measure

AGES = (0, 28, 56, 91, 133, 182)  # days since the start; DRAM is planned to take 19 weeks, HBM 26


def age_wip(curves: Curves, grouping: Grouping, day: int) -> Wafers:
    """Return the wafers in process at the end of a day by age, `[age, group]`: from each of `AGES` to the next.

    First in, first out: with W in process and S(a) started in the days (day − a, day], max(0, W − S(a)) are a days old
    or older. It is the least there can be, as no more than S(a) of what is in process was started since; which lots
    they are the postings do not say. What was started before the horizon is of the last age.
    """
    wip = np.maximum(sum_stages(curves, grouping, day).wip, 0)
    started = [sum_moved(curves, grouping, day, day - age, (Measure.STARTED,))[0] for age in AGES]
    older = np.maximum(wip - np.array(started), 0)
    aged: Wafers = older - np.vstack((older[1:], np.zeros_like(wip)))
    return aged


def measure_yield(curves: Curves, grouping: Grouping, day: int, since: int | None = None) -> RatioColumns:
    """Return what was finished in the days (since, day], and all that left the fabs in them, for each group.

    A lot is credited with what its real yield is worth at the planned one, so as much as was started is yield as
    planned; what it falls short by is yield variance, and what was scrapped was lost before.
    """
    measures = (Measure.FINISHED, Measure.YIELD_VARIANCE, Measure.SCRAPPED)
    left = sum_moved(curves, grouping, day, since, measures)
    return RatioColumns(left[0], left.sum(axis=0))
