"""Planning: the projected balance, who runs short first, and the months, read off the curves."""

from datetime import date
from typing import NamedTuple, Unpack

import numpy as np

from services.aggregator import kernels
from services.aggregator.curves import COMMITTED, OPEN, SLOTS, Curves, Only
from services.aggregator.kernels import Wafers
from shared.events import FIRMNESS, Firmness, day_number
from shared.postings import Measure

PROGRAMME_WAFERS = 900_000
"""Wafers a month that the letter of intent of 1 October 2025 speaks of."""


class Projection(NamedTuple):
    """The projected available balance of a product at a site; days are days since 1970."""

    product: str
    site: str
    today: int
    on_hand: int  # at the end of the day before today
    past_due_supply: int  # open commits and transit that were due before today
    balance: Wafers  # [day from today], to the horizon's end
    first_short_day: int | None
    first_shortage: int  # on the first short day
    shortage: int  # the greatest


class Short(NamedTuple):
    """When a product runs short at a site, and by how many wafers."""

    first_short_day: int | None
    first_shortage: int
    shortage: int


class Shortage(NamedTuple):
    """A product at a site that runs short, at each grade of firmness."""

    product: str
    site: str
    on_hand: int  # at the end of the day before today
    short_since: int | None  # days since 1970: short on each day from then to yesterday, whatever the firmness
    past_due_supply: dict[Firmness, int]
    by_firmness: dict[Firmness, Short]


class MonthOnStart(NamedTuple):
    """A month on the basis start; the gap is all ever started, or opened with, less all to be started by then."""

    demand: int
    started: int
    net: int
    cumulative_gap: int
    agreed: int  # what letters of intent and contracts name: a headline, in no other number
    share_percent: float  # of 900,000 started, rounded half up to one decimal


class MonthOnReceipt(NamedTuple):
    """A month on the basis receipt; the gap is all ever received, or opened with, less all due by then."""

    forecast: int
    due: int
    committed: dict[Firmness, int]  # due in the month, at that very grade
    received: int
    net: int
    cumulative_gap: int


class Month(NamedTuple):
    """A month on both bases, which are never mixed: the same wafer is months apart on them."""

    month: date
    start: MonthOnStart
    receipt: MonthOnReceipt


def project(
    curves: Curves,
    firmness: Firmness = "planned",
    today: int | None = None,
    *,
    past_due: bool = False,
    **only: Unpack[Only],
) -> list[Projection]:
    """Return the projected balance of each product and site, sorted; none before there is a today in the horizon.

    PAB(t) = on hand before today + receipts(today..t) - (all required due up to t - all consumed before today).
    Receipts are transit by its eta and open commits of the firmness or above by their due day, and what movements have
    already brought on today or later, which their plans have given up. Overdue demand falls on today. Overdue supply
    stands apart, and falls on today only if `past_due`.
    """
    return _project_grades(curves, firmness, today, past_due, only)[firmness]


def shortages(
    curves: Curves,
    firmness: Firmness = "planned",
    today: int | None = None,
    *,
    past_due: bool = False,
    **only: Unpack[Only],
) -> list[Shortage]:
    """Return who runs short when commits of a firmness and above are kept: first short first, then the greatest.

    Who is short already comes before who will be, in the order of the day since when.
    """
    grades = _project_grades(curves, "planned", today, past_due, only)
    since = _short_since(curves, curves.today if today is None else today, only)
    short = []
    for row in zip(*(grades[grade] for grade in FIRMNESS), strict=True):
        at = dict(zip(FIRMNESS, row, strict=True))
        if at[firmness].first_short_day is not None:
            by_firmness = {
                grade: Short(each.first_short_day, each.first_shortage, each.shortage) for grade, each in at.items()
            }
            overdue = {grade: each.past_due_supply for grade, each in at.items()}
            key = row[0].product, row[0].site
            short.append(Shortage(*key, row[0].on_hand, since.get(key), overdue, by_firmness))
    return sorted(short, key=lambda each: _urgency(each, firmness))


def _short_since(curves: Curves, today: int | None, only: Only) -> dict[tuple[str, ...], int]:
    """Return for each product and site that was short yesterday the first day of that spell."""
    if today is None or not curves.start < today < curves.start + curves.days:
        return {}
    grouping = curves.group(("product", "site"), **only)
    past = slice(1, today - curves.start + 1)  # the rows of the horizon up to yesterday's
    required = curves.planned(grouping, (Measure.REQUIRED,)).cumsum(axis=1)[:, past]
    covered = curves.supplied(grouping, curves.start)[:, past] >= required
    spell = covered[:, ::-1].argmax(axis=1)  # days since it was last covered
    spell[~covered.any(axis=1)] = past.stop - past.start
    return {label: today - int(days) for label, days in zip(grouping.labels, spell, strict=True) if days}


def _project_grades(
    curves: Curves, lowest: Firmness, today: int | None, past_due: bool, only: Only
) -> dict[Firmness, list[Projection]]:
    """Return the projections at a grade and at each above it; receipts add up from the highest grade down."""
    today = curves.today if today is None else today
    grades = FIRMNESS[FIRMNESS.index(lowest) :]
    if today is None or today >= curves.start + curves.days:
        return {grade: [] for grade in grades}
    today = max(today, curves.start)
    grouping = curves.group(("product", "site"), **only)
    on_hand = curves.stages(grouping, today - 1).on_hand.tolist()
    supplied = curves.supplied(grouping, today)
    required = curves.planned(grouping, (Measure.REQUIRED,))
    receipts = curves.planned(grouping, (Measure.TRANSIT_DUE,))
    groups, first = len(grouping.labels), today - curves.start + 1
    projected = {}
    for grade in reversed(grades):
        receipts += curves.planned(grouping, (OPEN[FIRMNESS.index(grade)],))
        balance = np.empty((groups, curves.days + 1 - first), dtype=np.int64)
        first_short, first_shortage, shortage = (np.empty(groups, dtype=np.int64) for _ in range(3))
        kernels.project_balances(
            balance, first_short, first_shortage, shortage, supplied, receipts, required, first, int(past_due)
        )
        projected[grade] = [
            Projection(
                product=product,
                site=site,
                today=today,
                on_hand=on_hand[n],
                past_due_supply=int(receipts[n, :first].sum()),
                balance=balance[n],
                first_short_day=curves.start - 1 + int(first_short[n]) if first_short[n] >= 0 else None,
                first_shortage=int(first_shortage[n]),
                shortage=int(shortage[n]),
            )
            for n, (product, site) in enumerate(grouping.labels)
        ]
    return projected


def _urgency(shortage: Shortage, firmness: Firmness) -> tuple[int, int, int, str, str]:
    short = shortage.by_firmness[firmness]
    first = short.first_short_day or 0
    return first, shortage.short_since or first, -short.shortage, shortage.product, shortage.site


def month_table(curves: Curves, first_month: date, last_month: date, **only: Unpack[Only]) -> list[Month]:
    """Return the months from the first to the last, each on both bases; raise ValueError outside the horizon."""
    first, last = first_month.replace(day=1), last_month.replace(day=1)
    if first > last:
        raise ValueError(f"the first month {first:%Y-%m} is after the last {last:%Y-%m}")
    edge = curves.start + curves.days
    if not curves.start <= day_number(first) or not day_number(_next_month(last)) <= edge:
        raise ValueError(f"the months {first:%Y-%m} to {last:%Y-%m} are not whole inside the horizon")
    grouping = curves.group(**only)

    def reached(measure: Measure) -> list[int]:
        """All wafers up to each month's first day, and up to the day after the last month's end."""
        if measure < Measure.FORECAST:
            sums = [curves.moved(grouping, day - 1)[SLOTS[measure]].sum() for day in days]
        else:
            daily = curves.planned(grouping, (measure,)).sum(axis=0).cumsum()
            sums = [daily[day - curves.start] for day in days]
        return [int(wafers) for wafers in sums]

    months = [first]
    while months[-1] <= last:
        months.append(_next_month(months[-1]))
    days = [day_number(month) for month in months]
    opened, started, received = reached(Measure.OPENED), reached(Measure.STARTED), reached(Measure.RECEIVED)
    start_by, due = reached(Measure.REQUIRED_START), reached(Measure.REQUIRED)
    forecast, agreed = reached(Measure.FORECAST), reached(Measure.AGREED)
    committed = {grade: reached(measure) for grade, measure in zip(FIRMNESS, COMMITTED, strict=True)}
    table = []
    for n, month in enumerate(months[:-1]):
        starts, receipts = started[n + 1] - started[n], received[n + 1] - received[n]
        table.append(
            Month(
                month=month,
                start=MonthOnStart(
                    demand=start_by[n + 1] - start_by[n],
                    started=starts,
                    net=starts - (start_by[n + 1] - start_by[n]),
                    cumulative_gap=opened[n + 1] + started[n + 1] - start_by[n + 1],
                    agreed=agreed[n + 1] - agreed[n],
                    share_percent=(starts * 2_000 + PROGRAMME_WAFERS) // (2 * PROGRAMME_WAFERS) / 10,
                ),
                receipt=MonthOnReceipt(
                    forecast=forecast[n + 1] - forecast[n],
                    due=due[n + 1] - due[n],
                    committed={grade: sums[n + 1] - sums[n] for grade, sums in committed.items()},
                    received=receipts,
                    net=receipts - (due[n + 1] - due[n]),
                    cumulative_gap=opened[n + 1] + received[n + 1] - due[n + 1],
                ),
            )
        )
    return table


def _next_month(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)
