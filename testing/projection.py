"""Projected balances day by day, by the kernel that plans: the services need no more than the first short days."""

from typing import NamedTuple, Unpack

import numpy as np

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.series import Only
from services.aggregator.kernels.arrays import Wafers
from services.aggregator.plan.projection import SupplyPlan, empty_tables, project_into
from shared.wire.firmness import FIRMNESS, Firmness


class Projection(NamedTuple):
    """The projected available balance of a product at a site, day by day."""

    product: str
    site: str
    today: int  # days since 1970
    on_hand: int  # at the end of the day before today
    past_due_supply: int  # open commits and wafers in transit that were due before today
    balance: Wafers  # [day from today], to the horizon's end
    first_short_day: int | None
    first_shortage: int
    shortage: int


def project(
    curves: Curves,
    firmness: Firmness = "planned",
    today: int | None = None,
    *,
    past_due: bool = False,
    **only: Unpack[Only],
) -> list[Projection]:
    """Return the projected balance of each product and site, sorted; none before there is a today in the horizon."""
    today = curves.today if today is None else today
    if today is None or today >= curves.start + curves.days:
        return []
    today = max(today, curves.start)
    grouping = curves.group(("product", "site"), **only)
    groups = len(grouping.labels)
    tables = empty_tables(groups)
    balance = np.empty((len(FIRMNESS), groups, curves.start + curves.days - today), dtype=np.int64)
    project_into(tables, curves, grouping, today, np.arange(groups), balance)
    plan = SupplyPlan(
        curves.position, curves.head, curves.complete_through, curves.start - 1, today, grouping, {}, *tables
    )
    projected = []
    for group, (product, site) in enumerate(grouping.labels):
        overdue = plan.past_due(group, firmness)
        projected.append(
            Projection(
                product,
                site,
                today,
                plan.on_hand(group),
                overdue,
                balance[FIRMNESS.index(firmness), group] + (overdue if past_due else 0),
                *plan.short(group, firmness, past_due=past_due),
            )
        )
    return projected
