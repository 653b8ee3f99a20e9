"""Master schedule: orders, forecast, receipts, projected balance and ATP of each product at each site by bucket."""

from typing import NamedTuple

import numpy as np

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.queries import planned_by_day, sum_moved, sum_stages, supplied_by_day
from services.aggregator.fold.series import OPEN, SLOTS, Grouping
from services.aggregator.kernels.arrays import Wafers
from services.aggregator.plan.atp import atp_cumulative, atp_discrete
from services.aggregator.plan.netting import net_forecast
from shared.wire.catalog import FIRMNESS, Firmness
from shared.wire.postings import Measure


class Schedule(NamedTuple):
    """The schedule of some groups from today; arrays are wafers, all `[group, bucket]` but the first."""

    available: Wafers  # [group] on hand at the end of yesterday, less demand required and not consumed by then
    orders: Wafers
    forecast: Wafers
    net_forecast: Wafers  # forecast that no order has consumed
    receipts: Wafers  # in transit by eta, and open commits of the grade or above by due day; without overdue ones
    projected: Wafers  # available balance at the bucket's end, net of orders only
    atp: Wafers  # of the bucket's own receipts
    atp_cumulative: Wafers


def schedule(
    curves: Curves,
    grouping: Grouping,
    today: int,
    bucket_days: int,
    buckets: int,
    firmness: Firmness = "planned",
    *,
    early: int = 1,
    late: int = 1,
    frozen: int = 0,
) -> Schedule:
    """Return the master schedule of some groups in `buckets` of `bucket_days` from today, those within the horizon.

    Orders consume the forecast of their own bucket first, then of up to `early` buckets before it and `late` after it;
    in the first `frozen` buckets only orders count. Raises ValueError where today is outside the horizon.
    """
    first = today - curves.start + 1
    if not 1 <= first <= curves.days:
        raise ValueError(f"today ({today}) is outside the horizon ({curves.start} to {curves.start + curves.days - 1})")
    end = min(first + bucket_days * buckets, curves.days + 1)

    def bucketed(daily: Wafers) -> Wafers:
        return np.add.reduceat(daily[:, first:end], np.arange(0, end - first, bucket_days), axis=1)

    required = planned_by_day(curves, grouping, (Measure.REQUIRED,))
    orders, forecast = bucketed(required), bucketed(planned_by_day(curves, grouping, (Measure.FORECAST,)))
    expected = planned_by_day(curves, grouping, (Measure.TRANSIT_DUE, *OPEN[FIRMNESS.index(firmness) :]))
    # receipts of today or later are no longer in transit
    received = np.diff(supplied_by_day(curves, grouping, today - 1), axis=1, prepend=0)
    receipts = bucketed(expected + received)
    consumed = sum_moved(curves, grouping, today - 1)[SLOTS[Measure.CONSUMED]]
    available = sum_stages(curves, grouping, today - 1).on_hand - (required[:, :first].sum(axis=1) - consumed)
    return Schedule(
        available,
        orders,
        forecast,
        net_forecast(np.maximum(forecast, 0), np.maximum(orders, 0), early, late, frozen),
        receipts,
        available[:, None] + (receipts - orders).cumsum(axis=1),
        atp_discrete(available, receipts, orders),
        atp_cumulative(available, receipts, orders),
    )
