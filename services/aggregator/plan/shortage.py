"""Explanation of a shortage: the orders that are short or late, the supply pegged to them, and the causes."""

from typing import NamedTuple

import numpy as np

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.lines.book import LineBook
from services.aggregator.fold.lines.causes import ShortageCause, find_causes
from services.aggregator.fold.lines.line import LineDue
from services.aggregator.fold.queries import (
    consumed_beyond_by_day,
    required_by_day,
    sum_moved,
    sum_stages,
    supplied_by_day,
)
from services.aggregator.fold.series import Grouping
from services.aggregator.plan.pegging import peg
from shared.wire.firmness import Firmness
from shared.wire.lines import LineName
from shared.wire.postings import Measure

CAUSES_MAX = ORDERS_MAX = 20
_LONG_AGO = -(2**31)  # a day before every due day: stock on hand is never late


class PeggedSupply(NamedTuple):
    """Wafers of a supply that are pegged to an order."""

    line: LineName | None  # None: they are on hand already
    event: str | None  # of the line, now in force
    day: int | None  # of receipt, expected or actual; None: received by yesterday
    wafers: int
    days_late: int


class OverdueSupply(NamedTuple):
    """Supply that was due before today: left out of the projection until its source states another day."""

    line: LineName
    event: str  # of the line, now in force
    supplier: str
    due: int
    wafers: int
    days: int  # late, if received today
    reason: str | None  # that the event of a commit gives


class UncoveredOrder(NamedTuple):
    """An order that is short, or is covered late."""

    line: LineName
    event: str
    due: int
    wafers: int  # still required of it
    short: int  # wafers without a peg
    pegs: list[PeggedSupply]


class ShortageExplanation(NamedTuple):
    """Why a product runs short at a site; long lists are cut, and counted."""

    orders: list[UncoveredOrder]  # by due day
    orders_count: int
    overdue: list[OverdueSupply]  # by due day
    causes: list[ShortageCause]  # the greatest first
    causes_count: int
    overdrawn: int  # wafers by which the stock is below 0: the next receipts make up for them first


def explain_shortage(
    curves: Curves, lines: LineBook, group: tuple[str, str], firmness: Firmness, through: int, *, past_due: bool = False
) -> ShortageExplanation:
    """Return the explanation of the shortage of a product at a site on the day `through`, as of the curves' today.

    Consumption has served the orders due first, so the backorder is of those due last before today. The wafers on hand
    serve the orders due first. Shipments in transit and open commits of the firmness or above serve the orders after
    them, the earliest due from the earliest supply. Overdue supply serves no order, or, with `past_due`, serves as if
    received today. So the wafers that orders due up to a day lack on that day, short or late, equal the projected
    balance below zero, except for overdrawn wafers; they are no fewer where wafers received after today are taken again
    later.
    """
    product, site = group
    assert curves.today is not None
    today = max(curves.today, curves.start)  # as in the projection
    grouping = curves.group(("product", "site"), product=product, site=site)
    supplies = lines.supplies_of(*group, firmness)
    overdue = [
        OverdueSupply(
            supply.name, supply.event, supply.supplier, supply.day, supply.wafers, today - supply.day,
            lines.reason_of(supply.name),
        )
        for supply in supplies
        if supply.day < today
    ]  # fmt: skip
    coming = [supply for supply in supplies if supply.day >= today or past_due]
    orders, overdrawn, days, wafers = _orders_and_stock(curves, grouping, lines.orders_of(*group, today), today)
    pegs = peg(  # overdrawn wafers are a demand before the first
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
            pegged = PeggedSupply(source.name, source.event, source.day, taken, late)
        else:
            pegged = PeggedSupply(None, None, None if days[supply] == _LONG_AGO else days[supply], taken, late)
        of_order.setdefault(order - 1, []).append(pegged)
    short = pegs.shortage[1:].tolist()
    uncovered = [
        UncoveredOrder(order.name, order.event, order.day, order.wafers, short[n], of_order.get(n, []))
        for n, order in enumerate(orders)
        if short[n] or any(each.days_late for each in of_order.get(n, ()))
    ]
    causes = find_causes(lines, product, site, through)
    return ShortageExplanation(
        uncovered[:ORDERS_MAX], len(uncovered), overdue, causes[:CAUSES_MAX], len(causes), overdrawn
    )


def _orders_and_stock(
    curves: Curves, grouping: Grouping, orders: list[LineDue], today: int
) -> tuple[list[LineDue], int, list[int], list[int]]:
    """Return the orders with the wafers still required of each; the wafers overdrawn; days and wafers of the stock.

    The stock is all on hand at the end of yesterday, then each later receipt. Only wafers that stay until the horizon's
    end count. Overdrawn are the wafers by which yesterday's stock is below 0.
    """
    if not grouping.labels:
        return [], 0, [], []
    first = today - curves.start + 1
    required = required_by_day(curves, grouping)
    beyond = consumed_beyond_by_day(curves, grouping, required)[0, first - 1]
    consumed = sum_moved(curves, grouping, today - 1, measures=(Measure.CONSUMED,))[0, 0]
    backorder = int(required[0, :first].sum() - consumed + beyond)
    owed = list[LineDue]()
    for order in reversed(orders):
        wafers = order.wafers if order.day >= today else min(backorder, order.wafers)
        backorder -= wafers if order.day < today else 0
        if wafers:
            owed.append(order._replace(wafers=wafers))
    stock = supplied_by_day(curves, grouping, today - 1)[0, first - 1 :]
    stock += sum_stages(curves, grouping, today - 1).on_hand[0] - stock[0]
    # wafers consumed for an order today or later are gone from the stock, and from the order
    ahead = required[0, first - 1 :]
    ahead[0] = 0
    for order in owed:
        if order.day >= today:
            ahead[curves.row_of(order.day) - first + 1] -= order.wafers
    stock -= ahead.cumsum()
    kept = np.minimum.accumulate(stock[::-1])[::-1]
    receipts = np.diff(kept, prepend=0)
    rows = np.flatnonzero(receipts > 0)
    days = np.where(rows > 0, today - 1 + rows, _LONG_AGO)
    return owed[::-1], max(0, -int(receipts[0])), days.tolist(), receipts[rows].tolist()
