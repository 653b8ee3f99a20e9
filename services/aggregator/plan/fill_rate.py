"""Service level: what part of what was due had come by its due day."""

import numpy as np
from numpy.typing import ArrayLike

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.queries import planned_by_day, supplied_by_day
from services.aggregator.fold.series import Grouping
from services.aggregator.plan.checks import RatioColumns, whole_wafers
from shared.wire.postings import Measure


def fill_rate(due: ArrayLike, received: ArrayLike) -> RatioColumns:
    """Return how many of the wafers due had come by their due day, and how many were due, for each group.

    due is wafers on each day, `[group, day]`; received all that came up to and on each day, `[group, day]`. Raise
    ValueError as `whole_wafers` does, and for wafers due below zero; sums are exact.

    Unit fill rate = Σ min(received by due, due) / Σ due, where what has come serves the earliest due first: of the
    q(t) due on day t, min(q(t), max(0, R(t) − D(t−1))) had come, with R received and D due in all up to that day. In
    which order lines of one day are served does not matter. Source: the design's planning formulas; P2 in inventory
    theory.
    """
    due = whole_wafers("due", due, low=0)
    received = whole_wafers("received", received, due.shape)
    earlier = due.cumsum(axis=-1) - due
    return RatioColumns(np.clip(received - earlier, 0, due).sum(axis=-1), due.sum(axis=-1))


def order_fill_rate(curves: Curves, grouping: Grouping) -> RatioColumns:
    """Return the fill rate of some groups up to the last complete day, from the horizon's first day on.

    What came to hand by any way counts as received. Nothing is due before there is a complete day.
    """
    days = 0 if curves.complete_through is None else max(0, curves.complete_through - curves.start + 1)
    rows = slice(0, min(days, curves.days) + 1)  # what lies before the horizon was due, and came, on the day before it
    due = np.maximum(planned_by_day(curves, grouping, (Measure.REQUIRED,))[:, rows], 0)
    return fill_rate(due, supplied_by_day(curves, grouping, curves.start - 1)[:, rows])
