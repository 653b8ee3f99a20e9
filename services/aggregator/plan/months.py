"""Months of the programme: demand, supply and gaps, on the start basis and on the receipt basis."""

from datetime import date
from typing import NamedTuple, Unpack

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.queries import planned_by_day, sum_moved
from services.aggregator.fold.series import COMMITTED, OPEN, SLOTS, Grouping, Only
from services.aggregator.plan.wip import are_starts_known
from shared.programme.shares import share_percent
from shared.wire.days import day_number, next_month
from shared.wire.firmness import FIRMNESS, Firmness
from shared.wire.postings import Measure


class MonthOnStart(NamedTuple):
    """A month on the start basis; the gap is all opening stock and starts, less all demand, up to its end.

    Starts, and figures that follow from them, are None of a month to come, and where no supplier reports lots.
    """

    demand: int
    started: int | None
    net: int | None
    cumulative_gap: int | None
    agreed: int  # wafers of letters of intent and contracts: a headline that enters no other number
    share_percent: float | None  # wafers started, of the target


class MonthOnReceipt(NamedTuple):
    """A month on the receipt basis; the gap is all opening stock and supply, less all orders due, up to its end.

    Supply is the wafers received and, from today on, those to come: in transit by eta, open commits by due day.
    """

    forecast: int
    due: int
    committed: dict[Firmness, int]  # due in the month, by its exact grade
    received: int
    to_come: dict[str, int]  # from today on: `in_transit`, and open commits by grade; overdue ones are left out
    net: int
    cumulative_gap: int
    share_percent: float | None  # wafers received, of the target


class ProgrammeMonth(NamedTuple):
    """A month on both bases, which are never mixed: a wafer's start and its receipt are months apart."""

    month: date
    start: MonthOnStart
    receipt: MonthOnReceipt


def month_table(
    curves: Curves,
    first_month: date,
    last_month: date,
    target_wafers: int | None = None,
    among: Grouping | None = None,
    **only: Unpack[Only],
) -> list[ProgrammeMonth]:
    """Return the months from the first to the last, each on both bases; raise ValueError outside the horizon.

    They are of the keys of `only`, or of those in the groups of `among`. The shares are of the declared target for a
    month, None without one.
    """
    first, last = first_month.replace(day=1), last_month.replace(day=1)
    grouping = curves.group(**only) if among is None else among

    def cumulative(measure: Measure, since: int | None = None) -> list[int]:
        """Return the wafers before each month's first day, then those up to the last month's end."""
        if measure < Measure.FORECAST:
            sums = [sum_moved(curves, grouping, day - 1)[SLOTS[measure]].sum() for day in days]
        else:
            daily = planned_by_day(curves, grouping, (measure,)).sum(axis=0)
            daily[: 0 if since is None else since - curves.start + 1] = 0
            sums = [daily[: day - curves.start + 1].sum() for day in days]
        return [int(wafers) for wafers in sums]

    months = _months_and_next(curves, first, last)
    days = [day_number(month) for month in months]
    opened, started, received = cumulative(Measure.OPENED), cumulative(Measure.STARTED), cumulative(Measure.RECEIVED)
    start_by, due = cumulative(Measure.REQUIRED_START), cumulative(Measure.REQUIRED)
    forecast, agreed = cumulative(Measure.FORECAST), cumulative(Measure.AGREED)
    committed = {grade: cumulative(measure) for grade, measure in zip(FIRMNESS, COMMITTED, strict=True)}
    today = curves.start if curves.today is None else curves.today
    to_come = {
        name: cumulative(measure, since=today)
        for name, measure in zip(("in_transit", *FIRMNESS), (Measure.TRANSIT_DUE, *OPEN), strict=True)
    }
    supplied = [sum(each) for each in zip(received, *to_come.values(), strict=True)]
    are_known = are_starts_known(curves, grouping, **only)
    table = []
    for n, month in enumerate(months[:-1]):
        starts, receipts = started[n + 1] - started[n], received[n + 1] - received[n]
        is_known = are_known and (curves.today is None or days[n] < curves.today)
        table.append(
            ProgrammeMonth(
                month=month,
                start=MonthOnStart(
                    demand=start_by[n + 1] - start_by[n],
                    started=starts if is_known else None,
                    net=starts - (start_by[n + 1] - start_by[n]) if is_known else None,
                    cumulative_gap=opened[n + 1] + started[n + 1] - start_by[n + 1] if is_known else None,
                    agreed=agreed[n + 1] - agreed[n],
                    share_percent=share_percent(starts, target_wafers) if is_known else None,
                ),
                receipt=MonthOnReceipt(
                    forecast=forecast[n + 1] - forecast[n],
                    due=due[n + 1] - due[n],
                    committed={grade: sums[n + 1] - sums[n] for grade, sums in committed.items()},
                    received=receipts,
                    to_come={name: sums[n + 1] - sums[n] for name, sums in to_come.items()},
                    net=supplied[n + 1] - supplied[n] - (due[n + 1] - due[n]),
                    cumulative_gap=opened[n + 1] + supplied[n + 1] - due[n + 1],
                    share_percent=share_percent(receipts, target_wafers),
                ),
            )
        )
    return table


def _months_and_next(curves: Curves, first: date, last: date) -> list[date]:
    """Return the first day of each month, and that of the one after the last; raise ValueError outside the horizon."""
    if first > last:
        raise ValueError(f"the first month {first:%Y-%m} is after the last {last:%Y-%m}")
    edge = curves.start + curves.days
    if not curves.start <= day_number(first) or not day_number(next_month(last)) <= edge:
        raise ValueError(f"the months {first:%Y-%m} to {last:%Y-%m} are not whole inside the horizon")
    months = [first]
    while months[-1] <= last:
        months.append(next_month(months[-1]))
    return months
