"""Months of the programme: demand, supply and gaps, on the start basis and on the receipt basis."""

from datetime import date
from typing import NamedTuple, Unpack

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.queries import planned_by_day, sum_moved
from services.aggregator.fold.series import COMMITTED, SLOTS, Only
from shared.wire.catalog import FIRMNESS, Firmness, share_percent
from shared.wire.days import day_number, next_month
from shared.wire.postings import Measure


class MonthOnStart(NamedTuple):
    """A month on the start basis; the gap is all opening stock and starts, less all demand, up to its end."""

    demand: int
    started: int
    net: int
    cumulative_gap: int
    agreed: int  # wafers of letters of intent and contracts: a headline that enters no other number
    share_percent: float  # wafers started, of `PROGRAMME_WAFERS`


class MonthOnReceipt(NamedTuple):
    """A month on the receipt basis; the gap is all opening stock and receipts, less all demand, up to its end."""

    forecast: int
    due: int
    committed: dict[Firmness, int]  # due in the month, by its exact grade
    received: int
    net: int
    cumulative_gap: int


class ProgrammeMonth(NamedTuple):
    """A month on both bases, which are never mixed: a wafer's start and its receipt are months apart."""

    month: date
    start: MonthOnStart
    receipt: MonthOnReceipt


def month_table(curves: Curves, first_month: date, last_month: date, **only: Unpack[Only]) -> list[ProgrammeMonth]:
    """Return the months from the first to the last, each on both bases; raise ValueError outside the horizon."""
    first, last = first_month.replace(day=1), last_month.replace(day=1)
    if first > last:
        raise ValueError(f"the first month {first:%Y-%m} is after the last {last:%Y-%m}")
    edge = curves.start + curves.days
    if not curves.start <= day_number(first) or not day_number(next_month(last)) <= edge:
        raise ValueError(f"the months {first:%Y-%m} to {last:%Y-%m} are not whole inside the horizon")
    grouping = curves.group(**only)

    def cumulative(measure: Measure) -> list[int]:
        """Return the wafers before each month's first day, then those up to the last month's end."""
        if measure < Measure.FORECAST:
            sums = [sum_moved(curves, grouping, day - 1)[SLOTS[measure]].sum() for day in days]
        else:
            daily = planned_by_day(curves, grouping, (measure,)).sum(axis=0).cumsum()
            sums = [daily[day - curves.start] for day in days]
        return [int(wafers) for wafers in sums]

    months = [first]
    while months[-1] <= last:
        months.append(next_month(months[-1]))
    days = [day_number(month) for month in months]
    opened, started, received = cumulative(Measure.OPENED), cumulative(Measure.STARTED), cumulative(Measure.RECEIVED)
    start_by, due = cumulative(Measure.REQUIRED_START), cumulative(Measure.REQUIRED)
    forecast, agreed = cumulative(Measure.FORECAST), cumulative(Measure.AGREED)
    committed = {grade: cumulative(measure) for grade, measure in zip(FIRMNESS, COMMITTED, strict=True)}
    table = []
    for n, month in enumerate(months[:-1]):
        starts, receipts = started[n + 1] - started[n], received[n + 1] - received[n]
        table.append(
            ProgrammeMonth(
                month=month,
                start=MonthOnStart(
                    demand=start_by[n + 1] - start_by[n],
                    started=starts,
                    net=starts - (start_by[n + 1] - start_by[n]),
                    cumulative_gap=opened[n + 1] + started[n + 1] - start_by[n + 1],
                    agreed=agreed[n + 1] - agreed[n],
                    share_percent=share_percent(starts),
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
