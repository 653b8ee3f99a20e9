"""Months and ages as a page shows them, derived from the aggregator's rows."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

from shared.wire.firmness import FIRMNESS

Numbers = dict[str, Any]
_MONTHS_AHEAD = 15


def is_past(month: str, complete_through: str | None) -> bool:
    """Return whether a month, YYYY-MM, is complete: its last day is at or before the last complete day."""
    if complete_through is None:
        return False
    day_after = date.fromisoformat(complete_through) + timedelta(days=1)
    return month < day_after.isoformat()[:7]


def committed_of(month: Mapping[str, Any]) -> int:
    """Return the commits due in a month, of all grades."""
    return sum(month["receipt"]["committed"].values())


def to_come_of(month: Mapping[str, Any]) -> int:
    """Return the wafers to come in a month from today on: in transit, and open commits of all grades."""
    return sum(month["receipt"]["to_come"].values())


def months_shown(rows: list[Numbers], complete_through: str | None, grade: str) -> list[Numbers]:
    """Return the busy months, at most 15 of the future, each with its cumulative gap.

    The gap is the aggregator's, supply less orders due; from the current month on it leaves out the commits below a
    grade, and counts forecasts as demand. A month is busy if it moves more than 1 % of the busiest.
    """
    moved = [_moved(row) for row in rows]
    busy = [n for n, wafers in enumerate(moved) if wafers * 100 > max(moved)]
    if not busy:
        return []
    now = sum(is_past(row["month"], complete_through) for row in rows)
    left_out = 0
    for row in rows:
        receipt = row["receipt"]
        if not is_past(row["month"], complete_through):
            below = sum(receipt["to_come"][each] for each in FIRMNESS[: FIRMNESS.index(grade)])
            left_out += below + receipt["forecast"]
        row["gap"] = receipt["cumulative_gap"] - left_out
    return rows[busy[0] : min(busy[-1] + 1, now + _MONTHS_AHEAD)]


def _moved(row: Numbers) -> int:
    """Return the required wafers of a month, or, of a supplier alone, the committed or received ones."""
    receipt = row["receipt"]
    return int(receipt["due"] + receipt["forecast"]) or max(committed_of(row), receipt["received"])


def month_row(row: Numbers) -> Numbers:
    """Return a month of the programme as a flat row."""
    receipt = row["receipt"]
    return {
        "month": row["month"],
        "required": receipt["due"],
        "forecast": receipt["forecast"],
        "received": receipt["received"],
        "to_come": to_come_of(row),
        **receipt["committed"],
        "cumulative_gap": row["gap"],
        "letter_of_intent": row["start"]["agreed"],
    }


def wip_by_age(rows: Iterable[Mapping[str, Any]]) -> list[Numbers]:
    """Return the WIP of all products together, by age."""
    total = dict[tuple[int, int | None], int]()
    for age in (age for row in rows for age in row["wip_by_age"] or ()):
        bounds = age["from_days"], age["before_days"]
        total[bounds] = total.get(bounds, 0) + age["wafers"]
    return [{"from_days": first, "before_days": end, "wafers": wafers} for (first, end), wafers in total.items()]
