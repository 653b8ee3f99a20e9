"""A month of the log as a calendar shows it: weeks of days, each with its events and their share of the busiest day."""

from calendar import Calendar, month_abbr
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

Row = Mapping[str, Any]
DEGREES = 4


class CalendarDay(NamedTuple):
    """A day of a month."""

    day: str
    number: int
    is_of_month: bool
    is_chosen: bool
    is_known: bool  # something was recorded by its end, and more on it or later
    events: int
    batches: int
    degree: int  # 0 without events, 4 with at least half as many as the busiest day, one less for each halving


class MonthTotal(NamedTuple):
    """A month of the log, with all its events."""

    month: str
    label: str
    events: int


def weeks_of(month: str, rows: Sequence[Row], chosen: str) -> list[list[CalendarDay]]:
    """Return the weeks of a month, YYYY-MM, from Monday to Sunday, over the days of the log."""
    by_day = {row["day"]: row for row in rows}
    busiest = max((row["events"] for row in rows), default=0)
    first, last = (rows[0]["day"], rows[-1]["day"]) if rows else ("9", "")
    year, number = map(int, month.split("-"))
    return [
        [
            _day_of(day, number, chosen, by_day.get(day.isoformat(), {}), busiest, first <= day.isoformat() <= last)
            for day in week
        ]
        for week in Calendar().monthdatescalendar(year, number)
    ]


def _day_of(day: date, month: int, chosen: str, row: Row, busiest: int, is_known: bool) -> CalendarDay:
    text, events = day.isoformat(), row.get("events", 0)
    is_of_month = day.month == month
    return CalendarDay(
        text, day.day, is_of_month, text == chosen, is_known, events, row.get("batches", 0), degree_of(events, busiest)
    )


def degree_of(events: int, busiest: int) -> int:
    """Return how many events a day has beside the busiest one, as a degree."""
    return 0 if not events else max(1, DEGREES - max(0, (busiest // events).bit_length() - 1))


def months_of(rows: Sequence[Row]) -> list[MonthTotal]:
    """Return each month of the log that has events."""
    totals = dict[str, int]()
    for row in rows:
        totals[row["day"][:7]] = totals.get(row["day"][:7], 0) + row["events"]
    return [
        MonthTotal(month, f"{month_abbr[int(month[5:])]} {month[:4]}", events)
        for month, events in totals.items()
        if events
    ]


def beside(month: str, by: int) -> str:
    """Return the month before or after a month."""
    first = date.fromisoformat(f"{month}-01")
    other = first - timedelta(days=1) if by < 0 else first + timedelta(days=31)
    return other.isoformat()[:7]


def day_shown(rows: Sequence[Row], day: str, as_of: str) -> str:
    """Return the day with its positions listed: the chosen one, else that of `as_of`, else the last with events."""
    if not rows or day:
        return day
    if as_of.isdigit():  # the days of a simulation overlap in the log: the first one that may have it
        as_of = next((row["day"] for row in rows if row["first"] <= int(as_of) <= row["last"]), "")
    return as_of or str(next((row for row in reversed(rows) if row["events"]), rows[-1])["day"])
