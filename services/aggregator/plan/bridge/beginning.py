"""Day since which as much is ordered as now: the beginning of a bridge that nobody chose."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple


class StatedOrder(NamedTuple):
    """The wafers that one statement of an order requires by a day, and the day on which it was stated."""

    day: int
    wafers: int


def find_reached(orders: Sequence[Sequence[StatedOrder]]) -> int | None:
    """Return the day since which the orders together never were fewer wafers than now; None where they are none.

    Each order has its statements in the order in which they hold; the last one holds now. An order that takes the
    wafers off another one on the same day does not move the day.
    """
    changes = defaultdict[int, int](int)
    for statements in orders:
        held: list[StatedOrder] = []  # the latest first: one that was stated after a later one never held
        for each in reversed(statements):
            if not held or each.day < held[-1].day:
                held.append(each)
        before = 0
        for each in reversed(held):
            changes[each.day] += each.wafers - before
            before = each.wafers
    more = 0  # wafers that were required before a day beyond those of now
    for day in sorted(changes, reverse=True):
        more -= changes[day]
        if more < 0:
            return day
    return None
