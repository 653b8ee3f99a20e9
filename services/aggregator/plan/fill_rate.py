"""Fill rate: the part of the wafers due that had come to hand by the due day."""

import numpy as np
from numpy.typing import ArrayLike

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.queries import consumed_beyond_by_day, planned_by_day, required_by_day, supplied_by_day
from services.aggregator.fold.series import Grouping
from services.aggregator.plan.checks import RatioColumns, whole_wafers
from shared.wire.postings import Measure


def fill_rate(due: ArrayLike, received: ArrayLike) -> RatioColumns:
    """Return for each group the wafers received by their due day, and the wafers due.

    due is wafers on each day, `[group, day]`; received is cumulative wafers on each day, `[group, day]`. Raise
    ValueError as `whole_wafers` does, and for wafers due below zero; sums are exact.

    Unit fill rate = Σ min(received by due, due) / Σ due, where receipts serve the earliest due first: of the q(t) due
    on day t, min(q(t), max(0, R(t) − D(t−1))) were received in time, with R and D cumulative receipts and demand. The
    order of the lines of one day does not matter. Source: the design's planning formulas; P2 in inventory theory.
    """
    due = whole_wafers("due", due, low=0)
    received = whole_wafers("received", received, due.shape)
    earlier = due.cumsum(axis=-1) - due
    return RatioColumns(np.clip(received - earlier, 0, due).sum(axis=-1), due.sum(axis=-1))


def order_fill_rate(curves: Curves, grouping: Grouping) -> RatioColumns:
    """Return the fill rate of the orders of some groups from the horizon's first day to the last complete day.

    All wafers that came to hand count: received, opened, transferred in or counted. Wafers consumed while nothing was
    required serve no order, and wafers consumed early for an order serve it alone, on its due day. Before there is a
    complete day, no wafers are due.
    """
    days = 0 if curves.complete_through is None else max(0, curves.complete_through - curves.start + 1)
    rows = slice(0, min(days, curves.days) + 1)  # row 0 has all demand and receipts before the horizon
    due = np.maximum(planned_by_day(curves, grouping, (Measure.REQUIRED,))[:, rows], 0)
    beyond = consumed_beyond_by_day(curves, grouping, required_by_day(curves, grouping))
    early = planned_by_day(curves, grouping, (Measure.REQUIRED_MOVED,)).cumsum(axis=1)
    came = supplied_by_day(curves, grouping, curves.start - 1) - beyond - early
    return fill_rate(due, came[:, rows])
