"""Pegging: assigns supply to demand by due day, with the days late, the shortage and the surplus."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from services.aggregator.kernels import planning as planning_kernels
from services.aggregator.kernels.arrays import Index, Wafers
from services.aggregator.plan.checks import DAYS, whole_numbers, whole_wafers


class Pegs(NamedTuple):
    """Pegs by group and due day; shortage and surplus in the order of the given lines."""

    demand: Index  # [peg] line of the demand
    supply: Index  # [peg] line of the supply
    wafers: Wafers  # [peg] at least 1
    days_late: Index  # [peg] 0 for on time or early
    shortage: Wafers  # [demand] wafers without a peg
    surplus: Wafers  # [supply] wafers without a peg


def peg(
    demand_group: ArrayLike,
    demand_due: ArrayLike,
    demand_wafers: ArrayLike,
    supply_group: ArrayLike,
    supply_day: ArrayLike,
    supply_wafers: ArrayLike,
) -> Pegs:
    """Return the pegs of demands `[demand]` to supplies `[supply]`, given as columns in any order of group and day.

    Within a group the earliest due takes the earliest supply, in part where it must; of one day, the line given first
    comes first: give the lines in the order of their ids. A supply after the due day is max(0, supply day − due) days
    late. Stock on hand is a supply of an early day. Σ wafers by supply ≤ supply, Σ by demand ≤ demand;
    shortage = demand − Σ pegs. No group has both shortage and surplus. There are fewer pegs than lines.

    Raise ValueError as `whole_wafers` does, for wafers below zero, and for columns of unlike length; exact. Source:
    pegging in Orlicky's MRP, fixed to the order first due, first served.
    """
    shortage = whole_wafers("demand_wafers", demand_wafers, low=0).copy()
    surplus = whole_wafers("supply_wafers", supply_wafers, low=0).copy()
    demand_group = whole_numbers("demand_group", demand_group, shortage.shape)
    demand_due = whole_numbers("demand_due", demand_due, shortage.shape, *DAYS)
    supply_group = whole_numbers("supply_group", supply_group, surplus.shape)
    supply_day = whole_numbers("supply_day", supply_day, surplus.shape, *DAYS)
    if shortage.ndim != 1 or surplus.ndim != 1:
        raise ValueError("demands and supplies are columns of lines, not tables")
    demand, supply, wafers = (np.empty(shortage.size + surplus.size, dtype=np.int64) for _ in range(3))
    pegs = planning_kernels.peg_supplies(
        shortage, surplus, demand_group, supply_group,
        _line_order(demand_group, demand_due), _line_order(supply_group, supply_day), demand, supply, wafers,
    )  # fmt: skip
    demand, supply, wafers = demand[:pegs], supply[:pegs], wafers[:pegs]
    days_late = np.maximum(supply_day[supply] - demand_due[demand], 0)
    return Pegs(demand, supply, wafers, days_late, shortage, surplus)


def _line_order(group: Index, day: Index) -> Index:
    """Return the order of the lines: by group, then by day, then as given."""
    if not group.size:
        return np.empty(0, dtype=np.int64)
    first_group, first_day = int(group.min()), int(day.min())
    days, lines = int(day.max()) - first_day + 1, group.size
    if (int(group.max()) - first_group + 1) * days * lines > 2**63:
        return np.lexsort((day, group))
    # one unique number of group, day and line sorts five times as fast, and needs no stable sort
    return np.argsort(((group - first_group) * days + (day - first_day)) * lines + np.arange(lines))
