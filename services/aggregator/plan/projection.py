"""Plan of every product at every site: projected balance, first short day, forecast gap, cover and backorder."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.queries import planned_by_day
from services.aggregator.fold.series import OPEN, Grouping
from services.aggregator.kernels.arrays import Index, Wafers
from services.aggregator.kernels.planning import consume_forecasts
from services.aggregator.kernels.projection import (
    ACT_DAY,
    ACT_SHORTAGE,
    BACKORDER,
    BEYOND,
    BROUGHT,
    CONSUMED,
    COURSE,
    COVER_DAYS,
    COVER_LEFT,
    COVER_NEXT,
    FIGURES,
    GRADES,
    ON_HAND,
    REQUIRED,
    SHORT_SINCE,
    SHORT_UNTIL,
    TAKEN,
    TRANSIT,
    WORST_DAY,
    project_groups,
)
from services.aggregator.terms import NETTING_DAYS
from shared.wire.firmness import FIRMNESS, Firmness
from shared.wire.postings import STAGES, Measure

_PART_OF: dict[Measure, int] = {
    **{measure: grade for grade, measure in enumerate(OPEN)},
    Measure.TRANSIT_DUE: TRANSIT,
    Measure.REQUIRED: REQUIRED,
    Measure.REQUIRED_MOVED: REQUIRED,
    **{measure: BROUGHT for measure, (_, into) in STAGES.items() if into == "on_hand"},
    **{measure: TAKEN for measure, (out, _) in STAGES.items() if out == "on_hand"},
    Measure.CONSUMED: CONSUMED,
}
_PARTS = np.array(list(_PART_OF.values()), dtype=np.int64)
_NO_BALANCE = np.empty((0, 0, 0), dtype=np.int64)

Tables = Sequence[Wafers]
"""The tables of a plan in the order of its fields, from `first_short` to `figures`."""


class ShortageFigures(NamedTuple):
    """When a product runs short at a site, and by how many wafers."""

    first_short_day: int | None  # days since 1970
    first_shortage: int  # on that day
    shortage: int  # the greatest


class GapFigures(NamedTuple):
    """The forecast of a product at a site that no supply covers."""

    first_day: int | None  # days since 1970
    wafers: int  # the greatest


class Course(NamedTuple):
    """How a shortage goes on, and until when wafers can be started for it; days since 1970."""

    worst_day: int | None  # the first day of the greatest shortage
    short_until: int | None  # the day from which on the balance is not below zero; None: not within the horizon
    act_by: int | None  # the last day to start wafers for `act_for`; None: too late, or the lead time is not known
    act_for: int | None  # the first short day that wafers started today, or later, can meet
    act_wafers: int  # short on that day


class Cover(NamedTuple):
    """How long the wafers on hand last: whole days from today, and part of the next."""

    days: int | None  # None: the known demand ends first
    left: int  # wafers, after those days
    next: int  # wafers required on the day after them


@dataclass(frozen=True)
class SupplyPlan:
    """The projection of every product at every site at one position; immutable.

    PAB(t) = on hand − backorder + receipts(today..t) − required(today..t), both first of the end of yesterday.
    Receipts are the wafers in transit by eta, and the open commits of a grade or above by due day. Overdue supply is
    kept apart, and falls on today only with `past_due`.
    """

    position: int
    head: str
    complete_through: int | None
    start: int  # the day before the horizon's first, days since 1970: that of row 0
    today: int | None
    grouping: Grouping  # labels are product and site, sorted
    lead_days: Mapping[str, int]  # by product, see `LineBook.lead_days`
    first_short: Wafers  # [past due, grade, group] row, -1 for none
    first_shortage: Wafers  # [past due, grade, group]
    shortage: Wafers  # [past due, grade, group]
    course: Wafers  # [figure, past due, grade, group] worst day, short until, act day and shortage; -1 for no day
    first_gap: Wafers  # [past due, grade, group] row, -1 for none
    gap: Wafers  # [past due, grade, group]
    overdue: Wafers  # [grade, group]
    figures: Wafers  # [figure, group] on hand, backorder, consumed beyond the required, short since, cover

    def short(self, group: int, firmness: Firmness, *, past_due: bool = False) -> ShortageFigures:
        """Return when a group runs short if commits of a grade and above are kept."""
        at = int(past_due), FIRMNESS.index(firmness), group
        return ShortageFigures(self._day(self.first_short[at]), int(self.first_shortage[at]), int(self.shortage[at]))

    def forecast_gap(self, group: int, firmness: Firmness, *, past_due: bool = False) -> GapFigures:
        """Return the forecast that neither an order has consumed nor the balance that the orders leave covers."""
        at = int(past_due), FIRMNESS.index(firmness), group
        return GapFigures(self._day(self.first_gap[at]), int(self.gap[at]))

    def course_of(self, group: int, firmness: Firmness, *, past_due: bool = False) -> Course:
        """Return how the shortage of a group goes on if commits of a grade and above are kept."""
        figures = self.course[:, int(past_due), FIRMNESS.index(firmness), group]
        act_for = self._day(figures[ACT_DAY])
        lead = self.lead_days.get(self.grouping.labels[group][0], 0)
        return Course(
            self._day(figures[WORST_DAY]),
            self._day(figures[SHORT_UNTIL]),
            None if act_for is None else act_for - lead,
            act_for,
            int(figures[ACT_SHORTAGE]),
        )

    def short_now(self, group: int) -> int:
        """Return the wafers owed and not on hand at the end of yesterday."""
        return max(0, self.backorder(group) - self.on_hand(group))

    def on_hand(self, group: int) -> int:
        """Return the wafers on hand at the end of yesterday."""
        return int(self.figures[ON_HAND, group])

    def backorder(self, group: int) -> int:
        """Return the backorder: B(t) = max(0, B(t − 1) + required(t) − consumed(t)), t = yesterday."""
        return int(self.figures[BACKORDER, group])

    def consumed_beyond(self, group: int) -> int:
        """Return the wafers consumed up to yesterday when nothing was required: they serve no later order.

        Those that name an order, and are beyond its wafers, are not among them: see `PlanLine.overserved`.
        """
        return int(self.figures[BEYOND, group])

    def short_since(self, group: int) -> int | None:
        """Return the day since which a group is short each day up to yesterday at any firmness; None if it is not."""
        return self._day(self.figures[SHORT_SINCE, group])

    def past_due(self, group: int, firmness: Firmness) -> int:
        """Return the wafers of supply that were due before today and have not come."""
        return int(self.overdue[FIRMNESS.index(firmness), group])

    def cover(self, group: int) -> Cover:
        """Return how long the wafers on hand last if nothing is received any more."""
        days, left, next_ = self.figures[[COVER_DAYS, COVER_LEFT, COVER_NEXT], group].tolist()
        return Cover(None if days < 0 else days, left, next_)

    def uncovered(self, group: int) -> int:
        """Return the wafers missing on the first day that the stock does not cover, with those owed before today."""
        cover = self.cover(group)
        return self.short_now(group) + cover.next - cover.left

    def shortages(self, firmness: Firmness = "planned", *, past_due: bool = False) -> Index:
        """Return the groups that run short, the earliest first.

        Groups that are short already come before others, by the day since when; of one day the greatest shortage first.
        """
        first = self.first_short[int(past_due), FIRMNESS.index(firmness)]
        since = self.figures[SHORT_SINCE]
        worst = self.shortage[int(past_due), FIRMNESS.index(firmness)]
        order: Index = np.lexsort((-worst, np.where(since > 0, since, first), first))
        short: Index = order[first[order] >= 0]
        return short

    def forecast_gaps(self, firmness: Firmness = "planned", *, past_due: bool = False) -> Index:
        """Return the groups with a forecast gap, the earliest first, of one day the greatest first."""
        first, most = (each[int(past_due), FIRMNESS.index(firmness)] for each in (self.first_gap, self.gap))
        order: Index = np.lexsort((-most, first))
        gaps: Index = order[first[order] >= 0]
        return gaps

    def shortages_to_act_on(self, firmness: Firmness = "planned", *, past_due: bool = False) -> Index:
        """Return the groups that run short: those that wafers can still be started for in full, in part, and not.

        Of the first two the soonest to start comes first, of one day that with the most wafers; those for which it is
        too late come as `shortages` has them.
        """
        short = self.shortages(firmness, past_due=past_due)
        at = int(past_due), FIRMNESS.index(firmness)
        figures, first = self.course[:, *at, short], self.first_short[*at, short]
        by = figures[ACT_DAY] - _leads(self.lead_days, self.grouping)[short]
        is_late = figures[ACT_DAY] < 0
        rank = np.where(is_late, 2, np.where(figures[ACT_DAY] == first, 0, 1))
        order: Index = np.lexsort((-figures[ACT_SHORTAGE], np.where(is_late, 0, by), rank))
        ranked: Index = short[order]
        return ranked

    def least_covered(self) -> Index:
        """Return all groups, the least covered first; groups without demand beyond their stock come last.

        Of groups with the same cover, the one with the greatest backorder less on hand comes first.
        """
        days, left, next_, owed, on_hand = self.figures[[COVER_DAYS, COVER_LEFT, COVER_NEXT, BACKORDER, ON_HAND]]
        part = left / np.maximum(next_, 1)
        owing = owed - on_hand
        order: Index = np.lexsort((-owing, part, np.where(days < 0, np.iinfo(np.int64).max, days)))
        return order

    def _day(self, row: np.int64) -> int | None:
        return None if row < 0 else self.start + int(row)


def make_plan(
    curves: Curves,
    today: int | None = None,
    *,
    before: SupplyPlan | None = None,
    changed: Index | None = None,
    labels: Sequence[tuple[str, ...]] | None = None,
    lead_days: Mapping[str, int] | None = None,
) -> SupplyPlan:
    """Return the plan of the folded curves; it has no groups before there is a today in the horizon.

    `lead_days` are the lead times by product; without them it is not known until when wafers can be started.

    With the plan `before` and the keys `changed` since, only the groups of these keys are projected anew. With
    `labels`, the plan has only these groups; each must exist.
    """
    today, lead_days = curves.today if today is None else today, lead_days or {}
    if today is not None:
        today = max(today, curves.start)
        if today >= curves.start + curves.days:
            today = None
    none = Grouping([], np.full(len(curves.keys), -1, dtype=np.int64))
    grouping = none if today is None else curves.group(("product", "site"))
    if labels is not None and today is not None:
        grouping = _restrict(grouping, labels)
    if (
        today is not None
        and before is not None
        and changed is not None
        and (before.today, before.grouping.labels, before.lead_days) == (today, grouping.labels, lead_days)
    ):
        tables: Tables = [
            table.copy()
            for table in (
                before.first_short, before.first_shortage, before.shortage, before.course, before.first_gap,
                before.gap, before.overdue, before.figures,
            )
        ]  # fmt: skip
        chosen = np.unique(grouping.of_key[changed])
        chosen = chosen[chosen >= 0]  # a changed key may be in no group
    else:
        tables = empty_tables(len(grouping.labels))
        chosen = np.arange(len(grouping.labels))
    if today is not None:
        project_into(tables, curves, grouping, today, chosen, lead_days=lead_days)
    first = curves.start - 1
    return SupplyPlan(curves.position, curves.head, curves.complete_through, first, today, grouping, lead_days, *tables)


def project_day(curves: Curves, group: tuple[str, str], today: int, day: int, firmness: Firmness) -> int:
    """Return the projected balance of a product-site on a day, today or later, both inside the horizon."""
    product, site = group
    grouping = curves.group(("product", "site"), product=product, site=site)
    if not grouping.labels:
        return 0
    balance = np.empty((GRADES, 1, curves.start + curves.days - today), dtype=np.int64)
    project_into(empty_tables(1), curves, grouping, today, np.zeros(1, dtype=np.int64), balance)
    return int(balance[FIRMNESS.index(firmness), 0, day - today])


def _restrict(grouping: Grouping, labels: Sequence[tuple[str, ...]]) -> Grouping:
    """Return the groups of a grouping that have the given labels, in their order."""
    place = np.full(len(grouping.labels) + 1, -1, dtype=np.int64)  # keys without a group, -1, read the last one
    place[[bisect_left(grouping.labels, label) for label in labels]] = range(len(labels))
    return Grouping(list(labels), place[grouping.of_key])


def empty_tables(groups: int) -> Tables:
    """Return uninitialised tables of a plan for a number of groups."""
    shape = (2, GRADES, groups)
    shapes = [shape, shape, shape, (COURSE, *shape), shape, shape, (GRADES, groups), (FIGURES, groups)]
    return [np.empty(shape, dtype=np.int64) for shape in shapes]


def _leads(lead_days: Mapping[str, int], grouping: Grouping) -> Index:
    """Return the lead time of each group's product, -1 where it is not known."""
    return np.array([lead_days.get(product, -1) for product, *_ in grouping.labels], dtype=np.int64)


def project_into(
    tables: Tables,
    curves: Curves,
    grouping: Grouping,
    today: int,
    chosen: Index,
    balance: Wafers = _NO_BALANCE,
    *,
    lead_days: Mapping[str, int] | None = None,
) -> None:
    """Project the chosen groups into tables; `balance`, if given, is `[grade, chosen, day from today]`."""
    first_short, first_shortage, shortage, course, first_gap, gap, overdue, figures = tables
    series, place, group = curves.index.choose(grouping, tuple(_PART_OF))
    order = group.argsort(kind="stable")
    begins = group[order].searchsorted(np.arange(len(grouping.labels) + 1))
    project_groups(
        balance, first_short, first_shortage, shortage, course, first_gap, gap, overdue, figures,
        _leads(lead_days or {}, grouping), chosen, *unordered_forecasts(curves, grouping, today, chosen),
        curves.cumulative, curves.last_row, curves.plans, curves.blocks, curves.ends, begins,
        series[order], _PARTS[place[order]], today - curves.start + 1,
    )  # fmt: skip


def unordered_forecasts(curves: Curves, grouping: Grouping, today: int, chosen: Index) -> tuple[Wafers, Index]:
    """Return the forecast that no order has consumed, from today up to and on each day, and the row of each group.

    It is `[forecasting group, day from today]`; a chosen group without one has the row after the last.
    """
    first = curves.row_of(today)
    series, _, group = curves.index.choose(grouping, (Measure.FORECAST,))
    ends = np.zeros(len(grouping.labels), dtype=np.int64)
    np.maximum.at(ends, group, curves.ends[series])
    forecasting = chosen[ends[chosen] > first]
    none = forecasting.size
    place = np.full(len(grouping.labels) + 1, none, dtype=np.int64)  # keys without a group, -1, read the last one
    place[forecasting] = range(none)
    if not none:
        return np.empty((0, 0), dtype=np.int64), place[chosen]
    of_key = place[grouping.of_key]
    groups = Grouping([grouping.labels[each] for each in forecasting], np.where(of_key == none, -1, of_key))
    net, ordered = (planned_by_day(curves, groups, (measure,)) for measure in (Measure.FORECAST, Measure.REQUIRED))
    for table in (net, ordered):
        table[:, [0, -1]] = 0  # no days
        np.maximum(table, 0, out=table)
    consume_forecasts(net, ordered, NETTING_DAYS, NETTING_DAYS)
    return net[:, first : curves.days + 1].cumsum(axis=1), place[chosen]
