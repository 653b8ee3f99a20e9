"""Planning: the projected balance of every product at every site, who runs short first, and the months."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple, Unpack

import numpy as np

from services.aggregator.fold.curves import COMMITTED, OPEN, SLOTS, Curves, Grouping, Only
from services.aggregator.kernels.projection import (
    BROUGHT,
    CONSUMED,
    COVER_DAYS,
    COVER_LEFT,
    COVER_NEXT,
    GRADES,
    ON_HAND,
    OUTSTANDING,
    REQUIRED,
    SHORT_SINCE,
    STANDING,
    TAKEN,
    TRANSIT,
    Index,
    Wafers,
    project_groups,
)
from shared.wire.catalog import share_percent
from shared.wire.days import day_number, next_month
from shared.wire.events import FIRMNESS, Firmness
from shared.wire.postings import STAGES, Measure

_PARTS: dict[Measure, int] = {
    **{measure: grade for grade, measure in enumerate(OPEN)},
    Measure.TRANSIT_DUE: TRANSIT,
    Measure.REQUIRED: REQUIRED,
    **{measure: BROUGHT for measure, (_, into) in STAGES.items() if into == "on_hand"},
    **{measure: TAKEN for measure, (out, _) in STAGES.items() if out == "on_hand"},
    Measure.CONSUMED: CONSUMED,
}
_PART = np.array(list(_PARTS.values()), dtype=np.int64)


class Shortfall(NamedTuple):
    """When a product runs short at a site, and by how many wafers."""

    first_short_day: int | None  # days since 1970
    first_shortage: int  # on that day
    shortage: int  # the greatest


class Cover(NamedTuple):
    """For how long what is at hand pays what is required: whole days from today, and part of the next."""

    days: int | None  # None: the demand that is known ends first
    left: int  # wafers, after those days
    next: int  # wafers that the day after them requires


@dataclass(frozen=True)
class SupplyPlan:
    """The projection of every product at every site, worked out at one position; none of it changes afterwards.

    PAB(t) = brought to hand up to t + receipts(today..t) − required up to t. Receipts are what is in transit by its
    eta, and open commits of a grade or above by their due day. Overdue demand falls on today; overdue supply stands
    apart, and falls on today only where `past_due` is asked for.
    """

    position: int
    head: str
    complete_through: int | None
    start: int  # the day before the horizon's first, days since 1970: that of row 0
    today: int | None
    grouping: Grouping  # labels are product and site, sorted
    first_short: Wafers  # [past due, grade, group] row, -1 for none
    first_shortage: Wafers  # [past due, grade, group]
    shortage: Wafers  # [past due, grade, group]
    overdue: Wafers  # [grade, group]
    standing: Wafers  # [what, group]

    def short(self, group: int, firmness: Firmness, *, past_due: bool = False) -> Shortfall:
        """Return when a group runs short if commits of a firmness and above are kept."""
        at = int(past_due), FIRMNESS.index(firmness), group
        return Shortfall(self._day(self.first_short[at]), int(self.first_shortage[at]), int(self.shortage[at]))

    def on_hand(self, group: int) -> int:
        """Return the wafers on hand at the end of yesterday."""
        return int(self.standing[ON_HAND, group])

    def backorder(self, group: int) -> int:
        """Return what was required up to yesterday and not consumed: max(0, D − I)."""
        return max(0, int(self.standing[OUTSTANDING, group]))

    def short_since(self, group: int) -> int | None:
        """Return since when a group is short on each day up to yesterday, whatever the firmness; None if it is not."""
        return self._day(self.standing[SHORT_SINCE, group])

    def past_due(self, group: int, firmness: Firmness) -> int:
        """Return the wafers that were to come before today and have not."""
        return int(self.overdue[FIRMNESS.index(firmness), group])

    def cover(self, group: int) -> Cover:
        """Return how long a group is covered if nothing is received any more."""
        days, left, next_ = self.standing[[COVER_DAYS, COVER_LEFT, COVER_NEXT], group].tolist()
        return Cover(None if days < 0 else days, left, next_)

    def shortages(self, firmness: Firmness = "planned", *, past_due: bool = False) -> Index:
        """Return the groups that run short, the first first.

        Who is short already comes before who will be, in the order of the day since when; then the greatest shortage.
        """
        first = self.first_short[int(past_due), FIRMNESS.index(firmness)]
        since = self.standing[SHORT_SINCE]
        worst = self.shortage[int(past_due), FIRMNESS.index(firmness)]
        order: Index = np.lexsort((-worst, np.where(since > 0, since, first), first))
        short: Index = order[first[order] >= 0]
        return short

    def least_covered(self) -> Index:
        """Return all groups, the least covered first; those whose demand ends first come last.

        Of those that are covered alike the one comes first that owes the most: the greatest backorder less on hand.
        """
        days, left, next_, owed, on_hand = self.standing[[COVER_DAYS, COVER_LEFT, COVER_NEXT, OUTSTANDING, ON_HAND]]
        part = left / np.maximum(next_, 1)
        owing = np.maximum(owed, 0) - on_hand
        order: Index = np.lexsort((-owing, part, np.where(days < 0, np.iinfo(np.int64).max, days)))
        return order

    def _day(self, row: np.int64) -> int | None:
        return None if row < 0 else self.start + int(row)


class _Terms(NamedTuple):
    """The series that each group's projection is made of."""

    begins: Index  # [group + 1]
    series: Index  # [term]
    part: Index  # [term]


def _terms(curves: Curves, grouping: Grouping) -> _Terms:
    series, place, group = curves.series_of(grouping, tuple(_PARTS))
    order = group.argsort(kind="stable")
    begins = group[order].searchsorted(np.arange(len(grouping.labels) + 1))
    return _Terms(begins, series[order], _PART[place[order]])


def make_plan(
    curves: Curves,
    today: int | None = None,
    *,
    before: SupplyPlan | None = None,
    changed: Index | None = None,
    labels: Sequence[tuple[str, ...]] | None = None,
) -> SupplyPlan:
    """Return the plan of what is folded; there are no groups in it before there is a today in the horizon.

    With the plan `before`, and the keys that `changed` since, only what they touch is worked out anew. With `labels`,
    only these groups, which must be there if any is, are in it.
    """
    today = curves.today if today is None else today
    if today is not None:
        today = max(today, curves.start)
        if today >= curves.start + curves.days:
            today = None
    none = Grouping([], np.full(len(curves.keys), -1, dtype=np.int64))
    grouping = none if today is None else curves.group(("product", "site"))
    if labels is not None and today is not None:
        grouping = _only_these(grouping, labels)
    groups = len(grouping.labels)
    tables: list[Wafers]
    if (
        today is not None
        and before is not None
        and changed is not None
        and (before.today, before.grouping.labels) == (today, grouping.labels)
    ):
        tables = [
            table.copy()
            for table in (before.first_short, before.first_shortage, before.shortage, before.overdue, before.standing)
        ]
        chosen = np.unique(grouping.of_key[changed])
    else:
        shapes = [(2, GRADES, groups)] * 3 + [(GRADES, groups), (STANDING, groups)]
        tables = [np.empty(shape, dtype=np.int64) for shape in shapes]
        chosen = np.arange(groups)
    if today is not None:
        _project(curves, grouping, today, chosen, tables, np.empty((0, 0, 0), dtype=np.int64))
    return SupplyPlan(curves.position, curves.head, curves.complete_through, curves.start - 1, today, grouping, *tables)


def _only_these(grouping: Grouping, labels: Sequence[tuple[str, ...]]) -> Grouping:
    """Return the groupings' groups that have some labels, in their order."""
    place = np.full(len(grouping.labels) + 1, -1, dtype=np.int64)  # one more: keys without a group look there
    place[[bisect_left(grouping.labels, label) for label in labels]] = range(len(labels))
    return Grouping(list(labels), place[grouping.of_key])


class Projection(NamedTuple):
    """The projected available balance of a product at a site, day by day."""

    product: str
    site: str
    today: int  # days since 1970
    on_hand: int  # at the end of the day before today
    past_due_supply: int  # open commits and transit that were due before today
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
    shapes = [(2, GRADES, groups)] * 3 + [(GRADES, groups), (STANDING, groups)]
    tables = [np.empty(shape, dtype=np.int64) for shape in shapes]
    balance = np.empty((GRADES, groups, curves.start + curves.days - today), dtype=np.int64)
    _project(curves, grouping, today, np.arange(groups), tables, balance)
    plan = SupplyPlan(curves.position, curves.head, curves.complete_through, curves.start - 1, today, grouping, *tables)
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


def _project(
    curves: Curves, grouping: Grouping, today: int, chosen: Index, tables: Sequence[Wafers], balance: Wafers
) -> None:
    first_short, first_shortage, shortage, overdue, standing = tables
    begins, series, part = _terms(curves, grouping)
    project_groups(
        balance, first_short, first_shortage, shortage, overdue, standing, chosen,
        curves.cumulative, int(curves.last_filled[0]), curves.plans, curves.blocks, curves.ends, begins,
        series, part, today - curves.start + 1,
    )  # fmt: skip


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


def month_table(curves: Curves, first_month: date, last_month: date, **only: Unpack[Only]) -> list[Month]:
    """Return the months from the first to the last, each on both bases; raise ValueError outside the horizon."""
    first, last = first_month.replace(day=1), last_month.replace(day=1)
    if first > last:
        raise ValueError(f"the first month {first:%Y-%m} is after the last {last:%Y-%m}")
    edge = curves.start + curves.days
    if not curves.start <= day_number(first) or not day_number(next_month(last)) <= edge:
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
        months.append(next_month(months[-1]))
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
