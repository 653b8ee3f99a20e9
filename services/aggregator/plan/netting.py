"""Forecast netting, and the zones of the time fences."""

from typing import Literal

from numpy.typing import ArrayLike

from services.aggregator.kernels import planning as planning_kernels
from services.aggregator.kernels.arrays import Wafers
from services.aggregator.plan.checks import whole_wafers

Zone = Literal["frozen", "tradeoff", "free"]


def net_forecast(gross: ArrayLike, orders: ArrayLike, early: int, late: int, frozen: int = 0) -> Wafers:
    """Return the forecast that no order has consumed, `[group, bucket]`; total demand is orders + net forecast.

    gross and orders are wafers in each bucket, `[group, bucket]` or `[bucket]`. The schedule's buckets are the days of
    the horizon, past ones too: no result changes as days pass. Bucket by bucket in the order of time, orders consume
    their own bucket's forecast, then up to `early` buckets before it, then up to `late` after it, the nearest first.
    The first `frozen` buckets keep no forecast: demand there is orders only, but the forecast that these orders have
    consumed in later buckets stays consumed. Orders beyond the forecast consume nothing. Raise ValueError as
    `whole_wafers` does, and for anything below zero; exact. Source: forecast netting as frePPLe documents it.
    """
    gross = whole_wafers("gross", gross, low=0)
    orders = whole_wafers("orders", orders, gross.shape, low=0)
    if min(early, late, frozen) < 0:
        raise ValueError(f"early, late and frozen are {early}, {late} and {frozen}, not 0 or more")
    buckets = gross.shape[-1]
    net = gross.copy()
    if net.size:
        table = (-1, buckets)
        planning_kernels.consume_forecasts(
            net.reshape(table), orders.reshape(table), min(early, buckets), min(late, buckets)
        )
    net[..., :frozen] = 0
    return net


def zone_of(day: int, today: int, frozen_days: int, tradeoff_days: int) -> Zone:
    """Return the zone of a day: frozen for `frozen_days`, trade-off up to `tradeoff_days`, both from today; then free.

    Past days are frozen. Raise ValueError for a zone of negative length. Source: the demand and the planning time
    fence of the APICS dictionary.
    """
    if min(frozen_days, tradeoff_days) < 0:
        raise ValueError(f"frozen and trade-off zone end after {frozen_days} and {tradeoff_days} days, not 0 or more")
    if day < today + frozen_days:
        return "frozen"
    return "tradeoff" if day < today + tradeoff_days else "free"
