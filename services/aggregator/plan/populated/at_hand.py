"""Wafers at hand of each product at each site: installed, which is consumed, and on hand; and those to come."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Unpack

import numpy as np

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.queries import planned_by_day, sum_moved
from services.aggregator.fold.series import ON_HAND_SIGNS, OPEN, SLOTS, Only
from services.aggregator.kernels.arrays import Wafers
from shared.wire.postings import Measure

AtHand = Mapping[str, Mapping[str, int]]
"""Wafers by site and product, none of them below zero."""


def sum_at_hand(curves: Curves, day: int, **only: Unpack[Only]) -> AtHand:
    """Return the wafers consumed up to the end of a day, and those on hand then, none where that is below zero."""
    grouping = curves.group(("site", "product"), **only)
    moved = sum_moved(curves, grouping, day)
    wafers = np.maximum(moved[SLOTS[Measure.CONSUMED]], 0) + np.maximum(ON_HAND_SIGNS @ moved, 0)
    at_hand: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for (site, product), each in zip(grouping.labels, wafers.tolist(), strict=True):
        at_hand[site][product] = each
    return at_hand


def sum_to_come(curves: Curves, today: int, **only: Unpack[Only]) -> dict[str, Wafers]:
    """Return the supply due from today up to and on each day, `[row]`, by product.

    It is in transit by its eta, or an open commit of any grade by its due day; overdue supply is left out.
    """
    grouping = curves.group(("product",), **only)
    daily = planned_by_day(curves, grouping, (Measure.TRANSIT_DUE, *OPEN))
    daily[:, : max(1, curves.row_of(today))] = 0  # the first row has all days before the horizon
    return {product: each for (product,), each in zip(grouping.labels, daily.cumsum(axis=1), strict=True)}
