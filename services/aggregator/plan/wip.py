"""Stages that suppliers report by lots, WIP by age, and yield."""

from collections.abc import Sequence
from typing import NamedTuple, Unpack, cast

import numpy as np

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.queries import Stages, sum_moved, sum_stages
from services.aggregator.fold.series import Grouping, Only
from services.aggregator.kernels.arrays import Flags, Index, Wafers
from services.aggregator.plan.checks import RatioColumns
from services.aggregator.terms import Part
from shared.wire.events import UNATTRIBUTED
from shared.wire.postings import Measure

LOTS = (Measure.STARTED, Measure.SCRAPPED, Measure.FINISHED, Measure.YIELD_VARIANCE)
AGES = (0, 28, 56, 91, 133, 182)  # days since the start; DRAM is planned to take 19 weeks, HBM 26


class ReportedStages(NamedTuple):
    """WIP and finished wafers of each group, None where nobody reports lots, and the suppliers that report none."""

    wip: list[int | None]
    finished: list[int | None]
    lots_not_reported_by: list[list[str]]

    def is_silent(self, group: int) -> bool:
        """Return whether suppliers moved wafers of a group, and none of them reports lots: its starts are not known."""
        return self.wip[group] is None and bool(self.lots_not_reported_by[group])


def report_stages(
    curves: Curves, grouping: Grouping, day: int, stages: Stages, fixed: Sequence[Part]
) -> ReportedStages:
    """Return the stages before the dispatch of each group at the end of a day, from all its stages then.

    A supplier reports lots of a product if by the day any was started, finished or scrapped. A supplier that has moved
    wafers of a product, and reports no lots of it, has neither WIP nor finished wafers of it: its dispatches alone
    would make the latter negative. A group is not reported if all that move wafers in it report no lots; where nothing
    moves, if nobody reports lots of its product and supplier, as far as these are `fixed` by its label or the filter.
    """
    pairs, scopes = curves.group(("supplier", "product")), curves.group([part for part in fixed if part != "site"])
    each = Grouping([()] * len(curves.keys), np.where(grouping.of_key >= 0, np.arange(len(curves.keys)), -1))
    dispatched, received = sum_moved(curves, each, day, measures=(Measure.DISPATCHED, Measure.RECEIVED))
    has_lots = (sum_moved(curves, each, day, measures=LOTS) != 0).any(axis=0)
    of_pair = (sum_moved(curves, pairs, day, measures=LOTS) != 0).any(axis=0)
    reports = np.append(of_pair, False)[pairs.of_key]  # keys without any wafers, -1, read the last one
    moves = has_lots | (dispatched != 0) | (received != 0)

    def any_of(keys: Flags, of_key: Index, groups: int) -> Flags:
        found = np.zeros(groups, dtype=np.bool_)
        found[of_key[keys & (of_key >= 0)]] = True
        return found

    groups, finished = len(grouping.labels), stages.finished.copy()
    is_reported = any_of(moves & reports, grouping.of_key, groups)
    in_scope = np.append(any_of(reports, scopes.of_key, len(scopes.labels)), False)[scopes.of_key]
    names: list[set[str]] = [set() for _ in grouping.labels]
    for key in np.flatnonzero(moves & ~reports & (grouping.of_key >= 0)).tolist():
        finished[grouping.of_key[key]] += dispatched[key]
        names[grouping.of_key[key]] |= {curves.keys[key][2]} - {UNATTRIBUTED}
    is_still = ~any_of(moves, grouping.of_key, groups)
    is_reported |= is_still & any_of(in_scope, grouping.of_key, groups)

    def known(wafers: Wafers) -> list[int | None]:
        return [int(sum_) if told else None for sum_, told in zip(wafers, is_reported, strict=True)]

    return ReportedStages(known(stages.wip), known(finished), [sorted(suppliers) for suppliers in names])


def are_starts_known(curves: Curves, grouping: Grouping, **only: Unpack[Only]) -> bool:
    """Return whether some supplier of the keys ever reported lots, or none of them ever moved wafers."""
    day = curves.last_day
    found = report_stages(curves, grouping, day, sum_stages(curves, grouping, day), [cast(Part, part) for part in only])
    return not any(map(found.is_silent, range(len(grouping.labels))))


def age_wip(curves: Curves, grouping: Grouping, day: int) -> Wafers:
    """Return the WIP at the end of a day by age, `[age, group]`: from each of `AGES` to the next.

    First in, first out: with WIP W, and S(a) wafers started in the days (day − a, day], max(0, W − S(a)) are a days old
    or older. That is a lower bound, since at most S(a) of the WIP was started since; postings do not name lots. Wafers
    started before the horizon have the last age.
    """
    wip = np.maximum(sum_stages(curves, grouping, day).wip, 0)
    started = [sum_moved(curves, grouping, day, day - age, (Measure.STARTED,))[0] for age in AGES]
    older = np.maximum(wip - np.array(started), 0)
    aged: Wafers = older - np.vstack((older[1:], np.zeros_like(wip)))
    return aged


def measure_yield(curves: Curves, grouping: Grouping, day: int, since: int | None = None) -> RatioColumns:
    """Return for each group the wafers finished in the days (since, day], and the wafers of the lots that finished.

    A lot is credited with its real yield in wafers at planned yield: 100 % is yield as planned. The difference to the
    wafers it had in process is yield variance. Scrapped wafers are left out: postings do not name lots, and a lot that
    loses wafers is in the fab for months after.
    """
    left = sum_moved(curves, grouping, day, since, (Measure.FINISHED, Measure.YIELD_VARIANCE))
    return RatioColumns(left[0], left.sum(axis=0))
