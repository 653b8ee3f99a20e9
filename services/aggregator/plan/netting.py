"""Netting: what of a forecast the orders have not consumed yet, and which changes the time fences allow."""

from collections.abc import Iterable
from typing import Literal, NamedTuple

from numpy.typing import ArrayLike

from services.aggregator.kernels import planning as planning_kernels
from services.aggregator.kernels.curves import Wafers
from services.aggregator.plan.checks import whole_wafers

Zone = Literal["frozen", "tradeoff", "free"]


class Change(NamedTuple):
    """A revision of a line; days are days since 1970."""

    line: str
    said: int  # day on which it was said: the zones are counted from it
    due_before: int
    due_after: int
    wafers_before: int
    wafers_after: int
    reason: str = ""
    automatic: bool = False  # nobody has decided it


class Violation(NamedTuple):
    """A change that the time fences do not allow."""

    change: Change
    zone: Zone
    rule: Literal["automatic_in_frozen", "reason_missing"]


def net_forecast(gross: ArrayLike, orders: ArrayLike, early: int, late: int, frozen: int = 0) -> Wafers:
    """Return the wafers forecast that no order has consumed, `[group, bucket]`; demand is orders + that.

    gross and orders are wafers in each bucket, `[group, bucket]` or `[bucket]`. Bucket by bucket in the order of time,
    orders consume their own bucket's forecast, then up to `early` buckets before it, then up to `late` after it, the
    nearest first. Of the first `frozen` buckets no forecast is left: there demand is orders only, but what those
    orders have consumed of later ones stays consumed. Orders that find no forecast leave it alone. Raise ValueError
    as `whole_wafers` does, and for anything below zero; exact. Source: forecast netting as frePPLe documents it.
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
    """Return the zone of a day: frozen for `frozen_days` from today, then trade-off for `tradeoff_days`, then free.

    What is past is frozen. Raise ValueError for a zone of less than no days. Source: the demand and the planning time
    fence of the APICS dictionary.
    """
    if min(frozen_days, tradeoff_days) < 0:
        raise ValueError(f"frozen and trade-off zone have {frozen_days} and {tradeoff_days} days, not 0 or more")
    if day < today + frozen_days:
        return "frozen"
    return "tradeoff" if day < today + frozen_days + tradeoff_days else "free"


def violations(changes: Iterable[Change], frozen_days: int, tradeoff_days: int) -> list[Violation]:
    """Return the changes that break a rule, in their order, each with the first rule it breaks.

    In the frozen zone nothing changes automatically; there and in the trade-off zone a change needs a reason. A change
    lies in the zone of the earlier of its two due days, as of the day it was said. What says the same again is none.
    """
    found = []
    for change in changes:
        if (change.due_before, change.wafers_before) == (change.due_after, change.wafers_after):
            continue
        zone = zone_of(min(change.due_before, change.due_after), change.said, frozen_days, tradeoff_days)
        if zone == "frozen" and change.automatic:
            found.append(Violation(change, zone, "automatic_in_frozen"))
        elif zone != "free" and not change.reason:
            found.append(Violation(change, zone, "reason_missing"))
    return found
