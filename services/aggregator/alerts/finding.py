"""Alerts of a plan: the conditions that need a planner's attention, most urgent first."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from services.aggregator.alerts.since import (
    OF_LOTS,
    cover_is_thin,
    first_days,
    is_consumed_beyond,
    is_dispatched_beyond_finished,
    receipts_are_late,
    stock_is_negative,
    wip_is_negative,
)
from services.aggregator.alerts.thresholds import AlertThresholds
from services.aggregator.fold.curves import Curves
from services.aggregator.fold.lines.facts import Dispatch, End
from services.aggregator.fold.queries import first_day, planned_beyond, planned_by_day, sum_moved, sum_planned
from services.aggregator.fold.series import COMMITTED, OPEN, SLOTS, WIP_SIGNS, Grouping
from services.aggregator.fold.state import FoldState
from services.aggregator.kernels.arrays import Index, Wafers
from services.aggregator.kernels.projection import BEYOND, COVER_DAYS, ON_HAND
from services.aggregator.plan.projection import SupplyPlan
from shared.wire.alerts import NAMED_BY, SUBJECTS, AlertCode, AlertName, Cause
from shared.wire.days import is_ended
from shared.wire.events import UNALLOCATED
from shared.wire.firmness import FIRMNESS
from shared.wire.lines import LineName
from shared.wire.postings import Measure

CAUSES_MAX = 5
_ENDED = [SLOTS[measure] for measure in (Measure.RECEIVED, Measure.DAMAGED, Measure.LOST)]
_RANKS = {code: rank for rank, code in enumerate(SUBJECTS)}
_LOTS = [SLOTS[measure] for measure in OF_LOTS]
_DUE = [
    SLOTS[each] for each in (Measure.FORECAST, Measure.REQUIRED, Measure.TRANSIT_DUE, *OPEN)
]  # by the day on which something is due
_FINISHED, _DISPATCHED = SLOTS[Measure.FINISHED], SLOTS[Measure.DISPATCHED]
DOUBTFUL: frozenset[AlertCode] = frozenset(
    {
        "source_silent", "behind_watermark", "undeclared_product", "undeclared_site", "due_beyond_horizon",
        "stock_negative", "consumed_beyond_required", "stage_negative", "received_beyond_dispatched",
        "dispatched_beyond_finished", "dispatch_without_commit",
        "dispatch_of_other_product", "supplier_contradicts_shipment", "receipt_of_other_product",
    }
)  # fmt: skip


class Alert(NamedTuple):
    """A condition that needs a planner's attention."""

    code: AlertCode
    subject: tuple[str, ...]
    day: int  # of the first day on which it holds, past or future; days since 1970
    detail: dict[str, int]
    causes: tuple[str, ...] = ()  # events, each as source/id; see `explaining`

    @property
    def cause(self) -> Cause:
        """The code and the subject: a state has no two alerts of one cause."""
        return self.code, self.subject

    @property
    def name(self) -> AlertName:
        """The cause and the day that its definition fixes: the same for every fold of the same events."""
        field = NAMED_BY[self.code]
        day = self.day if field == "day" else None if field is None else self.detail.get(field)
        return AlertName(self.code, self.subject, day)


class DueCommits(NamedTuple):
    """Wafers committed of each key up to a day, by the commits now in force: slips are measured against them."""

    day: int  # since 1970
    wafers: Wafers  # [key]


def sum_due_commits(
    curves: Curves,
    plan: SupplyPlan,
    thresholds: AlertThresholds,
    *,
    before: DueCommits | None = None,
    changed: Index | None = None,
) -> DueCommits | None:
    """Return the wafers due before the slip threshold; None before a day is complete.

    With the sums of `before` and the keys `changed` since, only these keys are summed, unless a day has passed.
    """
    if plan.today is None:
        return None
    day, keys = plan.today - 1 - thresholds.slip_days - 1, len(curves.keys)
    wafers = np.zeros(keys, dtype=np.int64)
    chosen = np.arange(keys)
    if before is not None and changed is not None and before.day == day:
        wafers[: before.wafers.size] = before.wafers
        chosen = changed
    of_key = np.full(keys, -1, dtype=np.int64)
    of_key[chosen] = np.arange(chosen.size)
    grouping = Grouping([()] * chosen.size, of_key)
    wafers[chosen] = sum_planned(curves, grouping, _counted_measures(thresholds), day)
    return DueCommits(day, wafers)


def find_alerts(
    state: FoldState, plan: SupplyPlan, thresholds: AlertThresholds, due_commits: DueCommits | None = None
) -> dict[Cause, Alert]:
    """Return the alerts as of the last complete day, the most urgent first.

    `plan` and `due_commits` are those of the state; the latter are summed if they are not given.

    The alerts depend on the folded events alone, not on their order or on earlier alerts. Before a day is complete the
    only alerts are of silent sources, as no source has a watermark that an event could be behind, of undeclared
    products and sites, and of days beyond the horizon.

    - `source_silent`: the source has completed its days up to `day`, more than `silent_days` before the latest day that
      any source has completed, and so delays the last complete day and all other alerts; or it has completed no day at
      all, while others have, and delays none. A source that has ended is never silent.
    - `behind_watermark`: the source has published an event of `day`, or of a later day, after it had completed that day
      by its watermark in force. The source's sequences decide what came after; the next watermark confirms the days
      before it anew, and clears the alert.
    - `undeclared_product`, `undeclared_site`: wafers of the product or at the site are moved or planned, and no
      declaration of it is in force. Where none is declared at all, there is nothing to compare with, and no such alert.
    - `due_beyond_horizon`: wafers are due after the last day of the horizon, where no number counts them.
    - `stock_negative`: more wafers were taken from the product's stock at the site than were ever brought to it. All
      suppliers are summed: a site may not know any more from which supplier the wafers are that it consumes, so one
      supplier's stock may be below zero without an error.
    - `consumed_beyond_required`: more wafers of the product were consumed at the site than were due by the day of the
      consumption, or than were ordered by the order that the consumption names. They serve no later order.
    - `stage_negative`: more wafers of the supplier's product were finished or scrapped than were started, so that its
      WIP is below zero. All sites are summed: a lot may be finished for another site than it was started for.
    - `received_beyond_dispatched`: more of a shipment's product was received, damaged or lost than was dispatched.
    - `dispatched_beyond_finished`: more wafers of the supplier's product were dispatched than were finished. A supplier
      that reports no lots of the product has no such alert.
    - `dispatch_without_commit`: a dispatch of the shipment names no commit, or one that its owner has not published.
      One that names none, and follows from an event of a commit that is withdrawn, has that commit behind it.
    - `dispatch_of_other_product`: a dispatch of the shipment names a commit of another product or supplier, which it
      does not release.
    - `supplier_contradicts_shipment`: a receipt or a loss names another supplier than the shipment's dispatch, under
      which it counts.
    - `receipt_of_other_product`: of the shipment other products were dispatched, but none of this one, which was
      received, damaged or lost.
    - `short_within`: the projected balance falls below zero within `short_days`, on `day`; or has been since `day`.
    - `cover_below`: the wafers on hand cover less than `cover_days` of demand if nothing is received. A receipt in time
      is no exception: the plan then holds only as long as the supply does. A product that is short within `short_days`
      has that alert instead.
    - `slip_beyond`: a supplier's commits of a product and their outcome, as two cumulative curves of wafers by day, lie
      more than `slip_days` apart. At the level of all wafers with an outcome (received good or damaged, or lost) by the
      last complete day, the next committed wafer was due on `oldest_due_day`: it is at least so late. `wafers` are late
      beyond the threshold. Commits of the threshold's firmness or above count, by their due days now in force. Source:
      the horizontal distance of `performance.slip`, for wafers still to be received.
    """
    alerts = [*_silent_sources(state, thresholds), *_late_events(state), *_undeclared_products(state)]
    alerts += [*_undeclared_sites(state), *_dues_beyond(state)]
    due_commits = due_commits or sum_due_commits(state.curves, plan, thresholds)
    if plan.today is not None:
        pairs = state.curves.group(("supplier", "product"))
        moved = sum_moved(state.curves, pairs, plan.today - 1)
        alerts += [
            *_negative_stocks(state.curves, plan),
            *_excess_consumption(state, plan),
            *_negative_wip(state.curves, pairs, moved, plan.today - 1),
            *_overrun_shipments(state, plan.today - 1),
            *_unfinished_dispatches(state.curves, pairs, moved, plan.today - 1),
            *_uncommitted_dispatches(state, plan.today - 1),
            *_misnamed_commits(state, plan.today - 1),
            *_contradicting_ends(state, plan.today - 1),
            *_shortages(plan, thresholds),
            *_thin_covers(state.curves, plan, thresholds),
            *_slips(state, pairs, moved, plan.today - 1, thresholds, due_commits),
        ]
    alerts.sort(key=lambda alert: (_urgency(alert), alert.cause))
    return {alert.cause: alert for alert in alerts}


def _urgency(alert: Alert) -> tuple[int, ...]:
    """Return the sort key: first the alerts that make others doubtful, by code; then by day, then most wafers first."""
    rank = _RANKS[alert.code] if alert.code in DOUBTFUL else len(_RANKS)
    return rank, alert.day, -alert.detail.get("wafers", 0)


def _silent_sources(state: FoldState, thresholds: AlertThresholds) -> Iterator[Alert]:
    curves = state.curves
    going_on = [watermark for watermark in curves.watermarks.values() if not is_ended(watermark)]
    if not going_on:
        return
    latest = max(going_on)
    for source in {*curves.sources, *thresholds.sources}:
        through = curves.watermarks.get(source)
        if through is None:
            yield Alert("source_silent", (source,), latest, {})
        elif not is_ended(through) and latest - through > thresholds.silent_days:
            yield Alert("source_silent", (source,), through, {"days": latest - through, "watermark_day": through})


def _late_events(state: FoldState) -> Iterator[Alert]:
    for source, (through, late) in state.sources.late_events().items():
        causes = tuple(f"{source}/{event.id}" for event in reversed(late))[:CAUSES_MAX]
        yield Alert("behind_watermark", (source,), late[0].day, {"days": len(late), "watermark_day": through}, causes)


def _undeclared_products(state: FoldState) -> Iterator[Alert]:
    declared = state.declarations.product_names
    if not declared:
        return
    products = state.curves.group(("product",))
    for group, (product,) in enumerate(products.labels):
        if product not in declared:
            keys = np.flatnonzero(products.of_key == group)
            yield Alert("undeclared_product", (product,), first_day(state.curves, keys), {"keys": int(keys.size)})


def _undeclared_sites(state: FoldState) -> Iterator[Alert]:
    declared = state.sites.declared_names()
    if not declared:
        return
    sites = state.curves.group(("site",))
    for group, (site,) in enumerate(sites.labels):
        if site not in declared and site != UNALLOCATED:
            keys = np.flatnonzero(sites.of_key == group)
            yield Alert("undeclared_site", (site,), first_day(state.curves, keys), {"keys": int(keys.size)})


def _dues_beyond(state: FoldState) -> Iterator[Alert]:
    curves = state.curves
    wafers = planned_beyond(curves, _DUE)
    groups = curves.group(("product", "site"))
    beyond = np.zeros(len(groups.labels), dtype=np.int64)
    grouped = groups.of_key >= 0  # keys without wafers are of no group
    np.add.at(beyond, groups.of_key[grouped], wafers[grouped])
    for group in np.flatnonzero(beyond > 0).tolist():
        day = curves.start + curves.days
        yield Alert("due_beyond_horizon", groups.labels[group], day, {"wafers": int(beyond[group])})


def _negative_stocks(curves: Curves, plan: SupplyPlan) -> Iterator[Alert]:
    assert plan.today is not None
    groups, through = np.flatnonzero(plan.figures[ON_HAND] < 0), plan.today - 1
    since = first_days(curves, plan.grouping, groups, through, stock_is_negative)
    for group, day in zip(groups.tolist(), since, strict=True):
        detail = {"wafers": -plan.on_hand(group), "since_day": day}
        yield Alert("stock_negative", plan.grouping.labels[group], through, detail)


def _excess_consumption(state: FoldState, plan: SupplyPlan) -> Iterator[Alert]:
    assert plan.today is not None
    through, groups = plan.today - 1, np.flatnonzero(plan.figures[BEYOND] > 0)
    labels = [plan.grouping.labels[group] for group in groups.tolist()]
    beyond = Counter({label: plan.consumed_beyond(group) for label, group in zip(labels, groups.tolist(), strict=True)})
    days = first_days(state.curves, plan.grouping, groups, through, is_consumed_beyond)
    since = dict(zip(labels, days, strict=True))
    for line in state.lines.overserved.values():
        wafers, day = line.overserved(through), line.overserved_since()
        if wafers and day is not None:
            label = line.statements[-1].key[:2]
            beyond[label] += wafers
            since[label] = min(day, since.get(label, day))
    for each, wafers in beyond.items():
        yield Alert("consumed_beyond_required", each, through, {"wafers": wafers, "since_day": since[each]})


def _overrun_shipments(state: FoldState, through: int) -> Iterator[Alert]:
    for (owner, kind, name), shipment in state.lines.overrun.items():
        ends = [end for end in shipment.ends if end.day <= through]
        ended = sum(end.received + end.damaged + end.lost for end in ends)
        sent = sum(dispatch.wafers for dispatch in shipment.dispatches)
        if ended > sent:
            detail = {"dispatched": sent, "ended": ended, "wafers": ended - sent}
            subject = (owner, name, kind.removeprefix("shipment/"))
            causes = tuple(f"{end.source}/{end.id}" for end in reversed(ends))[:CAUSES_MAX]
            yield Alert("received_beyond_dispatched", subject, ends[-1].day, detail, causes)


def _negative_wip(curves: Curves, pairs: Grouping, moved: Wafers, through: int) -> Iterator[Alert]:
    wip = WIP_SIGNS @ moved
    groups = np.flatnonzero(wip < 0)
    since = first_days(curves, pairs, groups, through, wip_is_negative)
    for pair, day in zip(groups.tolist(), since, strict=True):
        detail = {"wafers": -int(wip[pair]), "since_day": day}
        yield Alert("stage_negative", ("wip", *pairs.labels[pair]), through, detail)


def _unfinished_dispatches(curves: Curves, pairs: Grouping, moved: Wafers, through: int) -> Iterator[Alert]:
    finished, dispatched = moved[_FINISHED], moved[_DISPATCHED]
    reports_lots = (moved[_LOTS] != 0).any(axis=0)
    groups = np.flatnonzero(reports_lots & (dispatched > finished))
    since = first_days(curves, pairs, groups, through, is_dispatched_beyond_finished)
    for pair, day in zip(groups.tolist(), since, strict=True):
        sums = int(finished[pair]), int(dispatched[pair])
        detail = {"finished": sums[0], "dispatched": sums[1], "wafers": sums[1] - sums[0], "since_day": day}
        yield Alert("dispatched_beyond_finished", pairs.labels[pair], through, detail)


def _uncommitted_dispatches(state: FoldState, through: int) -> Iterator[Alert]:
    for (owner, kind, name), dispatches in state.lines.uncommitted_dispatches():
        sent = [dispatch for dispatch in dispatches if dispatch.day <= through]
        if sent:
            subject = (owner, name, kind.removeprefix("shipment/"))
            causes = tuple(f"{owner}/{dispatch.id}" for dispatch in sent)[:CAUSES_MAX]
            detail = {"wafers": sum(dispatch.wafers for dispatch in sent)}
            yield Alert("dispatch_without_commit", subject, sent[0].day, detail, causes)


def _misnamed_commits(state: FoldState, through: int) -> Iterator[Alert]:
    found: dict[LineName, dict[str, Dispatch]] = {}
    for commit in state.lines.misnamed.values():
        for name in commit.of_other_origin:
            for dispatch in state.lines.shipments[name].dispatches:
                origin = dispatch.key[0], dispatch.key[2]
                if dispatch.commit == commit.name[2] and origin != commit.origin and dispatch.day <= through:
                    found.setdefault(name, {})[dispatch.id] = dispatch
    for name, dispatches in found.items():
        yield _shipment_alert(
            "dispatch_of_other_product",
            name,
            [(each.day, each.id, name[0], each.wafers) for each in dispatches.values()],
        )


def _contradicting_ends(state: FoldState, through: int) -> Iterator[Alert]:
    lines = state.lines
    contradictions = [(name, line.contradictions()) for name, line in lines.contradicted.items()]
    others = [(name, line.ends) for name, line in lines.undispatched.items() if lines.dispatched_products(name)]
    by_code: dict[AlertCode, list[tuple[LineName, Sequence[End]]]] = {
        "supplier_contradicts_shipment": [*contradictions],
        "receipt_of_other_product": [*others],
    }
    for code, named in by_code.items():
        for name, ends in named:
            wafers = [
                (end.day, end.id, end.source, end.received + end.damaged + end.lost)
                for end in ends
                if end.day <= through
            ]
            if wafers:
                yield _shipment_alert(code, name, wafers)


def _shipment_alert(code: AlertCode, name: LineName, events: Sequence[tuple[int, str, str, int]]) -> Alert:
    """Return the alert of a shipment for some events: the day, id, source and wafers of each."""
    owner, kind, shipment = name
    ordered = sorted(events)
    causes = tuple(f"{source}/{id_}" for _, id_, source, _ in ordered)[:CAUSES_MAX]
    detail = {"wafers": sum(wafers for *_, wafers in ordered)}
    return Alert(code, (owner, shipment, kind.removeprefix("shipment/")), ordered[0][0], detail, causes)


def _short_soon(plan: SupplyPlan, thresholds: AlertThresholds) -> Index:
    """Return for each group whether it is short within `short_days`."""
    assert plan.today is not None
    first = plan.first_short[0, FIRMNESS.index(thresholds.firmness)]
    short: Index = (first >= 0) & (plan.start + first < plan.today + thresholds.short_days)
    return short


def _shortages(plan: SupplyPlan, thresholds: AlertThresholds) -> Iterator[Alert]:
    for group in np.flatnonzero(_short_soon(plan, thresholds)).tolist():
        short, since = plan.short(group, thresholds.firmness), plan.short_since(group)
        assert short.first_short_day is not None
        detail = {
            "first_short_day": short.first_short_day,
            "wafers": short.first_shortage,
            "wafers_at_worst": short.shortage,
        }
        yield Alert("short_within", plan.grouping.labels[group], since or short.first_short_day, detail)


def _thin_covers(curves: Curves, plan: SupplyPlan, thresholds: AlertThresholds) -> Iterator[Alert]:
    assert plan.today is not None
    days = plan.figures[COVER_DAYS]
    groups = np.flatnonzero((days >= 0) & (days < thresholds.cover_days) & ~_short_soon(plan, thresholds))
    since = first_days(curves, plan.grouping, groups, plan.today - 1, cover_is_thin(thresholds.cover_days))
    for group, day in zip(groups.tolist(), since, strict=True):
        cover = plan.cover(group)
        assert cover.days is not None
        detail = {
            "days": cover.days,
            "on_hand": plan.on_hand(group),
            "wafers": plan.uncovered(group),
            "since_day": day,
        }
        yield Alert("cover_below", plan.grouping.labels[group], plan.today + cover.days, detail)


def _slips(
    state: FoldState,
    pairs: Grouping,
    moved: Wafers,
    through: int,
    thresholds: AlertThresholds,
    due_commits: DueCommits | None,
) -> Iterator[Alert]:
    assert due_commits is not None
    curves, committed = state.curves, _counted_measures(thresholds)
    ended = moved[_ENDED].sum(axis=0)
    late = -ended
    counted = pairs.of_key >= 0
    np.add.at(late, pairs.of_key[counted], due_commits.wafers[counted])
    groups = np.flatnonzero(late > 0)
    since = first_days(curves, pairs, groups, through, receipts_are_late(thresholds.slip_days, committed))
    for pair, since_day in zip(groups.tolist(), since, strict=True):
        supplier, product = pairs.labels[pair]
        only = curves.group(supplier=supplier, product=product)
        due = planned_by_day(curves, only, committed).sum(axis=0).cumsum()
        oldest = curves.start - 1 + int((due > ended[pair]).argmax())
        detail = {
            "oldest_due_day": oldest, "days": through - oldest, "wafers": int(late[pair]), "since_day": since_day,
        }  # fmt: skip
        yield Alert("slip_beyond", (supplier, product), oldest, detail)


def _counted_measures(thresholds: AlertThresholds) -> tuple[Measure, ...]:
    return COMMITTED[FIRMNESS.index(thresholds.firmness) :]
