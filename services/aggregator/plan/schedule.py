"""Master schedule: orders, forecast, receipts, projected balance and ATP of each product at each site by bucket."""

from typing import NamedTuple

import numpy as np

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.queries import (
    consumed_beyond_by_day,
    planned_by_day,
    required_by_day,
    sum_moved,
    sum_stages,
    supplied_by_day,
)
from services.aggregator.fold.series import OPEN, Grouping
from services.aggregator.kernels.arrays import Wafers
from services.aggregator.plan.atp import atp_cumulative, atp_discrete
from services.aggregator.plan.netting import net_forecast
from services.aggregator.terms import NETTING_DAYS
from shared.wire.firmness import FIRMNESS, Firmness
from shared.wire.postings import Measure


class Schedule(NamedTuple):
    """The schedule of some groups from today; arrays are wafers, all `[group, bucket]` but the first."""

    available: Wafers  # [group] on hand at the end of yesterday, less the backorder
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
    early_days: int = NETTING_DAYS,
    late_days: int = NETTING_DAYS,
    frozen: int = 0,
) -> Schedule:
    """Return the master schedule of some groups in `buckets` of `bucket_days` from today, those within the horizon.

    An order consumes the forecast of its own due day first, then of up to `early_days` before it and `late_days` after
    it, whether its day has passed or not; in the first `frozen` buckets only orders count. ATP looks ahead to the
    horizon's end, beyond the buckets. Raises ValueError where today is outside the horizon.
    """
    first = today - curves.start + 1
    if not 1 <= first <= curves.days:
        raise ValueError(f"today ({today}) is outside the horizon ({curves.start} to {curves.start + curves.days - 1})")
    end = curves.days + 1

    def bucketed(daily: Wafers) -> Wafers:
        return np.add.reduceat(daily[:, first:end], np.arange(0, end - first, bucket_days), axis=1)

    ordered = planned_by_day(curves, grouping, (Measure.REQUIRED,))
    forecast = planned_by_day(curves, grouping, (Measure.FORECAST,))
    kept_days = first - 1 + frozen * bucket_days  # past days and those of the frozen buckets
    net = np.zeros_like(forecast)
    net[:, 1:end] = net_forecast(
        np.maximum(forecast[:, 1:end], 0), np.maximum(ordered[:, 1:end], 0), early_days, late_days, kept_days
    )
    required = required_by_day(curves, grouping)
    orders = bucketed(required)
    expected = planned_by_day(curves, grouping, (Measure.TRANSIT_DUE, *OPEN[FIRMNESS.index(firmness) :]))
    # receipts of today or later are no longer in transit
    received = np.diff(supplied_by_day(curves, grouping, today - 1), axis=1, prepend=0)
    receipts = bucketed(expected + received)
    consumed = sum_moved(curves, grouping, today - 1, measures=(Measure.CONSUMED,))[0]
    beyond = consumed_beyond_by_day(curves, grouping, required)[:, first - 1]
    backorder = required[:, :first].sum(axis=1) - consumed + beyond
    available = sum_stages(curves, grouping, today - 1).on_hand - backorder
    columns = (
        orders,
        bucketed(forecast),
        bucketed(net),
        receipts,
        available[:, None] + (receipts - orders).cumsum(axis=1),
        atp_discrete(available, receipts, orders),
        atp_cumulative(available, receipts, orders),
    )
    return Schedule(available, *(column[:, :buckets] for column in columns))
