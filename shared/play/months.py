"""Months of a programme: arithmetic on first days of months, and values by month."""

from collections.abc import Mapping
from datetime import date
from fractions import Fraction
from typing import TypeVar

from shared.wire.days import DAY

Value = TypeVar("Value")


def month_number(day: date) -> int:
    """Return the months since year 0."""
    return day.year * 12 + day.month - 1


def add_months(day: date, months: int) -> date:
    """Return the first day of the month so many months after that of `day`."""
    year, month = divmod(month_number(day) + months, 12)
    return date(year, month + 1, 1)


def first_of_month(day: date) -> date:
    """Return the first day of the month of `day`."""
    return day.replace(day=1)


def last_of_month(day: date) -> date:
    """Return the last day of the month of `day`."""
    return add_months(day, 1) - DAY


def interpolate(nodes: Mapping[date, int], month: date) -> Fraction:
    """Return the value between two nodes in proportion to the months, and that of the nearest node outside."""
    months = sorted(nodes)
    at = month_number(month)
    before = max((m for m in months if month_number(m) <= at), default=months[0])
    after = min((m for m in months if month_number(m) >= at), default=months[-1])
    span = month_number(after) - month_number(before)
    if span <= 0:
        return Fraction(nodes[before])
    return nodes[before] + Fraction((nodes[after] - nodes[before]) * (at - month_number(before)), span)


def latest(nodes: Mapping[date, Value], day: date) -> Value:
    """Return the value of the last node that is not after a day."""
    return nodes[max(month for month in nodes if month <= day)]
