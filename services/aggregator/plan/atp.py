"""Available to promise: the wafers that no order has claimed yet, by bucket and in total."""

import numpy as np
from numpy.typing import ArrayLike

from services.aggregator.kernels.arrays import Wafers
from services.aggregator.plan.checks import whole_wafers


def atp_discrete(on_hand: ArrayLike, receipts: ArrayLike, committed: ArrayLike) -> Wafers:
    """Return how many wafers of each bucket's own receipt can still be promised, `[group, bucket]`.

    on_hand `[group]` is there before the first bucket; receipts are expected, committed is ordered in each bucket
    `[group, bucket]`; without the group axis they are one group's. Forecasts never enter. ValueError: see
    `whole_wafers`; sums are exact.

    The first bucket has on hand + receipt, a later one with a receipt has that receipt, each less all committed until
    the bucket before the next receipt; other buckets have nothing. A deficit is taken from the nearest earlier bucket
    that has wafers left. A deficit that no earlier bucket can pay stays below zero in its own bucket: promised
    without supply. Source: the master schedule's discrete available-to-promise, as in the APICS dictionary.
    """
    receipts = whole_wafers("receipts", receipts)
    net = _net(on_hand, receipts, whole_wafers("committed", committed, receipts.shape))
    # the demand on a receipt is summed at its last bucket, the one before the next receipt
    buckets = net.shape[-1]
    last = np.full(net.shape, buckets - 1)
    last[..., :-1] = np.where(receipts[..., 1:] > 0, np.arange(buckets - 1), buckets - 1)
    left = np.take_along_axis(net, _least_from(last), axis=-1)
    # a new low of the sum below zero is the part of a deficit that no earlier bucket can pay
    unpaid = np.minimum(np.minimum.accumulate(left, axis=-1), 0)
    paid = _least_from(left - unpaid)
    return np.diff(paid + unpaid, axis=-1, prepend=0)


def atp_cumulative(on_hand: ArrayLike, supply: ArrayLike, demand: ArrayLike) -> Wafers:
    """Return how many wafers can still be promised for each bucket in all, `[group, bucket]`.

    on_hand `[group]` is there before the first bucket; supply comes and demand is ordered in each bucket
    `[group, bucket]`; without the group axis they are one group's. Forecasts never enter. ValueError: see
    `whole_wafers`; sums are exact.

    u(t) = u(t−1) + supply(t) − demand(t), u before the first bucket = on hand; ATP(t) = min of u(s) over s ≥ t: a
    promise in t must not be missing later. It is the running sum of the discrete one where none of that is below
    zero. Source: as above, cumulative with look-ahead.
    """
    supply = whole_wafers("supply", supply)
    return _least_from(_net(on_hand, supply, whole_wafers("demand", demand, supply.shape)))


def _net(on_hand: ArrayLike, supply: Wafers, demand: Wafers) -> Wafers:
    """Return on hand + cumulative supply − cumulative demand at the end of each bucket."""
    first = whole_wafers("on_hand", on_hand, supply.shape[:-1])[..., None]
    net: Wafers = first + (supply - demand).cumsum(axis=-1)
    return net


def _least_from(values: Wafers) -> Wafers:
    """Return for each bucket the minimum over it and all later ones."""
    return np.minimum.accumulate(values[..., ::-1], axis=-1)[..., ::-1]
