"""What is behind a shortage: the orders that no supply is meant for, the late ones, and the events that caused it."""

from typing import NamedTuple

import numpy as np

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.lines import LineBook, LineDue, ShortageCause
from services.aggregator.fold.queries import supplied_by_day
from services.aggregator.fold.series import Grouping
from services.aggregator.plan.pegging import peg
from shared.wire.events import Firmness
from shared.wire.lines import LineName

CAUSES_MAX = ORDERS_MAX = 20
_LONG_AGO = -(2**31)  # a day before every due day: what is at hand is late for nobody


class PeggedSupply(NamedTuple):
    """Wafers of a supply that are meant for an order."""

    line: LineName | None  # None: they are at hand already
    event: str | None  # the one that says so now
    day: int | None  # when they come, or came; None: they came by yesterday
    wafers: int
    days_late: int


class UncoveredOrder(NamedTuple):
    """An order that is not covered, or is covered late."""

    line: LineName
    event: str
    due: int
    wafers: int
    short: int  # wafers that no supply is meant for
    pegs: list[PeggedSupply]


class ShortageExplanation(NamedTuple):
    """Why a product runs short at a site; of long lists the first, and how many there are."""

    orders: list[UncoveredOrder]  # by due day
    orders_count: int
    overdue: list[LineDue]  # supply that was to come before today, and stands apart
    causes: list[ShortageCause]  # the greatest first
    causes_count: int
    overdrawn: int  # wafers gone from hand beyond all that ever came to it: what comes makes up for them first


def explain_shortage(
    curves: Curves, lines: LineBook, group: tuple[str, str], firmness: Firmness, through: int, *, past_due: bool = False
) -> ShortageExplanation:
    """Return what is behind the shortage of a product at a site on the day `through`, as of the curves' today.

    All that ever came to hand serves the orders that were due first; what is under way and what is open of commits of
    the firmness or above serves those after them, the earliest due from the earliest supply. What is overdue serves
    none, or, with `past_due`, as if it came today. So what the orders due up to a day lack on that day, as it is short
    or comes later, is what the projection has below zero then, as far as it is not overdrawn; and no less where what
    has come after today is taken away again later.
    """
    product, site = group
    assert curves.today is not None
    today = max(curves.today, curves.start)  # as the projection has it
    grouping = curves.group(("product", "site"), product=product, site=site)
    orders, supplies = lines.orders_of(*group), lines.supplies_of(*group, firmness)
    overdue = [supply for supply in supplies if supply.day < today]
    coming = [supply for supply in supplies if supply.day >= today or past_due]
    overdrawn, days, wafers = _at_hand(curves, grouping, today)
    pegs = peg(  # what is overdrawn is a demand before the first
        np.zeros(1 + len(orders), dtype=np.int64),
        [_LONG_AGO, *(order.day for order in orders)],
        [overdrawn, *(order.wafers for order in orders)],
        np.zeros(len(days) + len(coming), dtype=np.int64),
        [*days, *(max(supply.day, today) for supply in coming)],
        [*wafers, *(supply.wafers for supply in coming)],
    )
    of_order: dict[int, list[PeggedSupply]] = {}
    for order, supply, taken, late in zip(
        *(column.tolist() for column in (pegs.demand, pegs.supply, pegs.wafers, pegs.days_late)), strict=True
    ):
        if supply >= len(days):
            source = coming[supply - len(days)]
            meant = PeggedSupply(source.name, source.event, source.day, taken, late)
        else:
            meant = PeggedSupply(None, None, None if days[supply] == _LONG_AGO else days[supply], taken, late)
        of_order.setdefault(order - 1, []).append(meant)
    short = pegs.shortage[1:].tolist()
    found = [
        UncoveredOrder(order.name, order.event, order.day, order.wafers, short[n], of_order.get(n, []))
        for n, order in enumerate(orders)
        if short[n] or any(each.days_late for each in of_order.get(n, ()))
    ]
    causes = lines.causes(product, site, through)
    return ShortageExplanation(found[:ORDERS_MAX], len(found), overdue, causes[:CAUSES_MAX], len(causes), overdrawn)


def _at_hand(curves: Curves, grouping: Grouping, today: int) -> tuple[int, list[int], list[int]]:
    """Return what has come to hand, as days and wafers: all up to yesterday, then what came since; kept to the end.

    And before them what is overdrawn: the wafers by which all up to yesterday is below zero.
    """
    if not grouping.labels:
        return 0, [], []
    brought = supplied_by_day(curves, grouping, today - 1)[0, today - curves.start :]
    kept = np.minimum.accumulate(brought[::-1])[::-1]
    came = np.diff(kept, prepend=0)
    found = np.flatnonzero(came > 0)
    days = np.where(found > 0, today - 1 + found, _LONG_AGO)
    return max(0, -int(came[0])), days.tolist(), came[found].tolist()
