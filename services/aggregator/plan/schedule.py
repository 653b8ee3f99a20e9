"""Master schedule of each product at each site by bucket, weeks of cover, and the wafers that can still be promised.

Weeks of cover: the later weeks with orders that the balance projected for a week's end pays for.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.queries import (
    consumed_beyond_by_day,
    moved_by_day,
    planned_by_day,
    required_by_day,
    sum_moved,
    sum_stages,
    supplied_by_day,
)
from services.aggregator.fold.series import OPEN, SLOTS, Grouping
from services.aggregator.kernels.arrays import Wafers
from services.aggregator.plan.atp import atp_cumulative, atp_discrete
from services.aggregator.plan.netting import net_forecast
from services.aggregator.terms import NETTING_DAYS
from shared.wire.firmness import FIRMNESS, Firmness
from shared.wire.postings import Measure

_WEEK = 7
_STARTED_SIGNS = np.where(np.arange(len(SLOTS)) == SLOTS[Measure.STARTED], 1, 0)


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


class Buckets(NamedTuple):
    """Orders and receipts of some groups from today to the horizon's end; arrays are wafers."""

    available: Wafers  # [group] on hand at the end of yesterday, less the backorder
    orders: Wafers  # [group, bucket]
    receipts: Wafers  # [group, bucket] as in `Schedule`


class WeeksOfCover(NamedTuple):
    """Cover of some groups in each week from today: `[group, week]`."""

    short: Wafers  # wafers short on its worst day, 0 where none are
    tenths: Wafers  # tenths of a week that the balance projected for its end pays for; -1: all later orders


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
    available, orders, receipts = sum_buckets(curves, grouping, today, bucket_days, firmness)
    first, end = today - curves.start + 1, curves.days + 1
    ordered = planned_by_day(curves, grouping, (Measure.REQUIRED,))
    forecast = planned_by_day(curves, grouping, (Measure.FORECAST,))
    kept_days = first - 1 + frozen * bucket_days  # past days and those of the frozen buckets
    net = np.zeros_like(forecast)
    net[:, 1:end] = net_forecast(
        np.maximum(forecast[:, 1:end], 0), np.maximum(ordered[:, 1:end], 0), early_days, late_days, kept_days
    )
    columns = (
        orders,
        _bucketed(forecast, first, end, bucket_days),
        _bucketed(net, first, end, bucket_days),
        receipts,
        available[:, None] + (receipts - orders).cumsum(axis=1),
        atp_discrete(available, receipts, orders),
        atp_cumulative(available, receipts, orders),
    )
    return Schedule(available, *(column[:, :buckets] for column in columns))


def weeks_of_cover(
    curves: Curves, grouping: Grouping, today: int, weeks: int, firmness: Firmness = "planned"
) -> WeeksOfCover:
    """Return the cover of some groups in each of the next `weeks`, those within the horizon.

    The balance projected for a week's end pays for the orders of the following weeks, without further receipts: for
    all of some weeks, and for a part of the next one, in tenths, rounded down. A week with a day that is short has 0.
    """
    available, daily, received = sum_buckets(curves, grouping, today, 1, firmness)
    balance = available[:, None] + (received - daily).cumsum(axis=1)
    begins = np.arange(0, daily.shape[1], _WEEK)
    ends = np.append(begins[1:], daily.shape[1]) - 1
    orders = np.add.reduceat(daily, begins, axis=1)
    ordered, last = orders.cumsum(axis=1), orders.shape[1] - 1
    short = np.maximum(-np.minimum.reduceat(balance, begins, axis=1), 0)[:, :weeks]
    tenths = np.zeros_like(short)
    for group, week in np.argwhere(short == 0).tolist():
        paid = ordered[group, week] + balance[group, ends[week]]
        end = int(ordered[group].searchsorted(paid, side="right")) - 1  # the last week with all orders paid
        if end >= last:
            tenths[group, week] = -1
        else:
            left = paid - ordered[group, end]
            tenths[group, week] = (end - week) * 10 + left * 10 // max(1, orders[group, end + 1])
    return WeeksOfCover(short, tenths)


def sum_buckets(curves: Curves, grouping: Grouping, today: int, bucket_days: int, firmness: Firmness) -> Buckets:
    """Return the orders and receipts of some groups from today to the horizon's end, in buckets of some days.

    The last bucket may be shorter. Raises ValueError where today is outside the horizon.
    """
    first = today - curves.start + 1
    if not 1 <= first <= curves.days:
        raise ValueError(f"today ({today}) is outside the horizon ({curves.start} to {curves.start + curves.days - 1})")
    end = curves.days + 1
    required = required_by_day(curves, grouping)
    orders = _bucketed(required, first, end, bucket_days)
    expected = planned_by_day(curves, grouping, (Measure.TRANSIT_DUE, *OPEN[FIRMNESS.index(firmness) :]))
    # receipts of today or later are no longer in transit
    received = np.diff(supplied_by_day(curves, grouping, today - 1), axis=1, prepend=0)
    receipts = _bucketed(expected + received, first, end, bucket_days)
    consumed = sum_moved(curves, grouping, today - 1, measures=(Measure.CONSUMED,))[0]
    beyond = consumed_beyond_by_day(curves, grouping, required)[:, first - 1]
    backorder = required[:, :first].sum(axis=1) - consumed + beyond
    available = sum_stages(curves, grouping, today - 1).on_hand - backorder
    return Buckets(available, orders, receipts)


def _bucketed(daily: Wafers, first: int, end: int, bucket_days: int) -> Wafers:
    return np.add.reduceat(daily[:, first:end], np.arange(0, end - first, bucket_days), axis=1)


class Promisable(NamedTuple):
    """Wafers that can still be promised where they are made or held, by bucket from today, `[bucket]`."""

    supply: Wafers  # that comes in the bucket, in the first one also those finished or on hand
    promised: Wafers  # due in the bucket, in the first one also those overdue
    atp: Wafers  # of the bucket's own supply
    atp_cumulative: Wafers


class MadeWafers(NamedTuple):
    """Wafers of some groups that exist and are not dispatched, `[group]`."""

    finished: Wafers  # below zero: finished for another site than they were dispatched to
    wip: Wafers

    def netted(self, pairs: Iterable[tuple[int, int]]) -> "MadeWafers":
        """Return them with the wafers that one group of a pair lacks taken from the other, as far as that has them."""
        finished, wip = self.finished.copy(), self.wip.copy()
        for pair in pairs:
            for stage in (finished, wip):
                for lacking, held in (pair, pair[::-1]):
                    taken = max(0, min(-stage[lacking], stage[held]))
                    stage[lacking] += taken
                    stage[held] -= taken
        return MadeWafers(finished, wip)

    def pick(self, group: int) -> "MadeWafers":
        """Return those of one group."""
        return MadeWafers(self.finished[group : group + 1], self.wip[group : group + 1])


def made_wafers(curves: Curves, made: Grouping, today: int) -> MadeWafers:
    """Return the wafers in process and finished of each group at the end of yesterday, less those dispatched since."""
    stages = sum_stages(curves, made, today - 1)
    # wafers dispatched today or later are no longer an open commit
    sent = sum_moved(curves, made, max(curves.last_day, today - 1), today - 1, (Measure.DISPATCHED,))[0]
    return MadeWafers(stages.finished - sent, stages.wip)


def promise_supply(
    curves: Curves,
    made: Grouping,
    held: MadeWafers,
    today: int,
    lead_days: int,
    bucket_days: int,
    firmness: Firmness = "planned",
) -> Promisable:
    """Return the wafers of one supplier's product that can still be promised, in buckets of `bucket_days` from today.

    `made` has the one group of its keys, `held` its wafers. L is the lead time of the product: wafers due before
    today + L can come only of wafers that exist, so the buckets end there. Wafers due later can still be started, as
    far as the supplier has room, which no event states. Of the wafers in process W at the end of yesterday those
    started last are left: by day t come the finished wafers, and max(0, W − the wafers started after t − L). Promised
    are the open commits of the firmness or above, by due day. Today is in the horizon.
    """
    first = curves.row_of(today)
    rows = np.arange(first, min(first + lead_days, curves.days + 1))
    started = moved_by_day(curves, made, _STARTED_SIGNS)[0]
    finished, wip = int(held.finished[0]), max(0, int(held.wip[0]))
    younger = started[first - 1] - started[np.maximum(rows - lead_days, 0)]
    open_wafers = planned_by_day(curves, made, OPEN[FIRMNESS.index(firmness) :])[0]
    due = open_wafers[rows]
    due[:1] += open_wafers[:first].sum()
    begins = np.arange(0, rows.size, bucket_days)
    coming = np.add.reduceat(np.diff(np.maximum(0, wip - younger), prepend=0), begins)
    return _promisable(finished, coming, np.add.reduceat(due, begins))


def promise_stock(table: Schedule) -> Promisable:
    """Return the wafers of the stock and the receipts of a schedule's one group that can still be promised."""
    supply = table.receipts[0].copy()
    supply[:1] += table.available[0]
    return Promisable(supply, table.orders[0], table.atp[0], table.atp_cumulative[0])


def _promisable(on_hand: int, coming: Wafers, promised: Wafers) -> Promisable:
    supply = coming.copy()
    supply[:1] += on_hand
    return Promisable(
        supply, promised, atp_discrete(on_hand, coming, promised), atp_cumulative(on_hand, coming, promised)
    )
