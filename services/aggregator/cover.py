"""Days of cover: for how many days to come the wafers on hand pay what is required."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from services.aggregator.kernels import Index, Wafers
from services.aggregator.whole_wafers import whole_wafers


class Cover(NamedTuple):
    """Whole days, and the fraction remainder / next_demand of the day after them; the fraction is 0 / 1 for none."""

    days: Index  # [group] -1 where demand ends before the wafers do: no number of days can be said
    remainder: Wafers  # [group] what is left after the whole days, less than next_demand
    next_demand: Wafers  # [group] what the day after them requires, never 0


def days_of_cover(on_hand: ArrayLike, demand: ArrayLike) -> Cover:
    """Return how long the wafers on hand last without any supply.

    on_hand `[group]` is there before the first day; demand `[group, day]` is required on each day; without the group
    axis they are one group's. ValueError: see `whole_wafers`; sums are exact.

    Days = the greatest n for which on hand pays each of the first n days in full. With nothing on hand, or less,
    it is 0, whatever is required. Where all demand there is can be paid, to the last wafer too, it is -1: what comes
    after is not known. Source: days of supply as in the SCOR model, by future demand rather than an average.
    """
    demand = whole_wafers("demand", demand)
    on_hand = whole_wafers("on_hand", on_hand, demand.shape[:-1])
    left = on_hand[..., None] - demand.cumsum(axis=-1)
    paid = np.logical_and.accumulate(left >= 0, axis=-1)
    days = paid.sum(axis=-1)
    none, ends = on_hand <= 0, paid.all(axis=-1)
    part = ~none & ~ends  # where there is a next day, and something to pay a part of it with
    if not part.any():  # there may be no days at all
        return Cover(np.where(none, 0, -1), np.zeros_like(on_hand), np.ones_like(on_hand))
    after = np.minimum(days, demand.shape[-1] - 1)[..., None]
    next_demand = np.take_along_axis(demand, after, axis=-1)[..., 0]
    remainder = np.take_along_axis(left, after, axis=-1)[..., 0] + next_demand
    return Cover(
        days=np.where(none, 0, np.where(ends, -1, days)),
        remainder=np.where(part, remainder, 0),
        next_demand=np.where(part, next_demand, 1),
    )
