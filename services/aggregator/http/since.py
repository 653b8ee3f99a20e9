"""Answer of `/since`: the changes between two positions that matter, by the wafers by which they move shortages."""

from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import timedelta
from functools import partial
from operator import itemgetter
from typing import NamedTuple

from services.aggregator.alerts.filtering import select_alerts
from services.aggregator.alerts.finding import Alert, find_alerts
from services.aggregator.fold.lines.altered import altered_lines
from services.aggregator.fold.lines.book import LineBook
from services.aggregator.fold.series import Only
from services.aggregator.fold.state import FoldState
from services.aggregator.http.bridge import EMPTY_LOG
from services.aggregator.http.pages import Answer, check_today, position_of, read_moment, select_keys
from services.aggregator.http.queries import AskSince
from services.aggregator.http.remarks import acknowledgement_row, note_rows
from services.aggregator.live.view import LiveView, ReadPast
from services.aggregator.plan.overviews import iso_or_none
from services.aggregator.plan.since.changes import changed_phases
from services.aggregator.plan.since.effects import MovedShortage, ShortageEffect, find_moved_shortages
from services.aggregator.terms import Part
from shared.http.problem import NEVER_KNOWN, UNFIT, Problem
from shared.wire.alerts import SUBJECTS
from shared.wire.days import date_of, iso_day
from shared.wire.lines import LineName


class SinceViews(NamedTuple):
    """The two views that are compared, and the earlier moment."""

    now: LiveView
    then: LiveView
    since: str


async def find_since(now: LiveView, read_past: ReadPast, query: AskSince) -> SinceViews:
    """Return the views of a query; raise `Problem` where the earlier moment is unknown, or is the later one."""
    then, since = await _read_then(now, read_past, query.from_)
    if then.state.curves.position > now.state.curves.position:
        positions = f"batch {then.state.curves.position}, and `to` is batch {now.state.curves.position}"
        raise Problem(UNFIT, f"from is {positions}: it has to be the earlier one", parameter="from")
    return SinceViews(now, then, since)


async def _read_then(now: LiveView, read_past: ReadPast, since: str | None) -> tuple[LiveView, str]:
    if since is not None:
        return await read_moment(read_past, since, "from"), since
    through = now.state.curves.complete_through
    if through is not None:
        since = (date_of(through) - timedelta(days=1)).isoformat()
        try:
            return await read_past(since), since
        except Problem as why:
            if why.kind is not NEVER_KNOWN:
                raise
    return await read_past(EMPTY_LOG), EMPTY_LOG


async def since(views: SinceViews, query: AskSince) -> Answer:
    """Changes between two positions or days that move shortages, the most wafers first; not a log.

    A row has the changes of one party to one product at one site. Others are counted. Beside it stand
    the alerts raised and cleared, the remarks made and the phases moved since then. docs/numbers.md has the formulas.
    """
    return await views.now.run_paused(partial(_make_answer, views, query))


def _make_answer(views: SinceViews, query: AskSince) -> Answer:
    then, now = views.then.state, views.now.state
    check_today(now.curves)
    only = select_keys(now.curves, product=query.product, site=query.site)
    later = now.curves.epoch, now.curves.position, views.now.recorded_by, query.firmness, query.product, query.site
    moved, all_altered = views.then.compared(
        later,
        lambda: (
            [*find_moved_shortages(then, now, query.firmness, only)],
            altered_lines(then.lines, now.lines, {*_groups(then, only), *_groups(now, only)}),
        ),
    )
    altered = {name for name in all_altered if query.supplier in (None, name[0])}
    synthetic = now.sites.synthetic_names()
    effects = [
        (shortage, effect)
        for shortage in moved
        for effect in shortage.effects
        if effect.more_short and query.supplier in (None, effect.mover.source, effect.mover.supplier)
    ]
    effects.sort(key=lambda each: _rank(each, each[0].site in synthetic))
    page = effects[query.offset : query.offset + query.limit]
    following = query.offset + len(page)
    behind = {
        entry.line for _, effect in effects for change in effect.changes for entry in change.entries if entry.line
    }
    return position_of(views.now) | {
        "today": iso_or_none(now.curves.today),
        "firmness": query.firmness,
        "since": position_of(views.then) | {"as_of": views.since, "today": iso_or_none(then.curves.today)},
        **_sums([each for each in moved if each.site not in synthetic], "short"),
        **_sums([each for each in moved if each.site in synthetic], "synthetic"),
        "rows": [_row(shortage, effect, views, shortage.site in synthetic) for shortage, effect in page],
        "count": len(effects),
        "next": following if following < len(effects) else None,
        "without_effect": {"lines": len(altered - behind), "of_lines": len(altered)},
        **_alert_changes(views, query, synthetic),
        **_remarks_since(views),
        "phases": [
            {
                "site": each.now.site,
                "phase": each.now.phase,
                "source": each.now.source,
                "event": each.now.id,
                "mw_then": each.before and each.before.mw,
                "mw_now": each.now.mw,
                "energise_on_then": iso_or_none(each.before and each.before.energise_on),
                "energise_on_now": iso_day(each.now.energise_on),
                "status_then": each.before and each.before.status,
                "status_now": each.now.status,
                "platform_then": each.before and each.before.platform,
                "platform_now": each.now.platform,
            }
            for each in changed_phases(then.sites, now.sites, query.site)
        ],
    }


def _rank(each: tuple[MovedShortage, ShortageEffect], is_synthetic: bool) -> tuple[bool, int, str, str, str]:
    shortage, effect = each
    return is_synthetic, -abs(effect.more_short), shortage.product, shortage.site, str(effect.mover)


def _groups(state: FoldState, only: Only) -> list[tuple[str, str]]:
    return [(label[0], label[1]) for label in state.curves.group(("product", "site"), **only).labels]


def _sums(moved: Sequence[MovedShortage], name: str) -> Answer:
    return {
        f"{name}_then": sum(each.then.shortage for each in moved),
        f"{name}_now": sum(each.now.shortage for each in moved),
    }


def _row(shortage: MovedShortage, effect: ShortageEffect, views: SinceViews, is_synthetic: bool) -> Answer:
    now, then = views.now.state.lines, views.then.state.lines
    return {
        "product": shortage.product,
        "site": shortage.site,
        "synthetic": is_synthetic,
        "source": effect.mover.source,
        "supplier": effect.mover.supplier,
        "more_short": effect.more_short,
        "changes": [
            {
                "cause": change.cause,
                "wafers": change.wafers,
                "lines": len(change.entries),
                "line": None if change.entries[0].line is None else change.entries[0].line[2],
                "kind": change.entries[0].kind,
                "event": change.entries[0].event,
                "event_source": change.entries[0].event and (change.entries[0].event_source or change.entries[0].party),
                "due_then": _due(then, change.entries[0].line),
                "due_now": _due(now, change.entries[0].line),
                "reason": None if change.entries[0].line is None else now.reason_of(change.entries[0].line),
            }
            for change in effect.changes
        ],
        "day": iso_day(shortage.day),
        "parts": sum(each.more_short != 0 for each in shortage.effects),
        "shortage_then": shortage.then.shortage,
        "shortage_now": shortage.now.shortage,
        "first_short_then": iso_or_none(shortage.then.first_short_day),
        "first_short_now": iso_or_none(shortage.now.first_short_day),
    }


def _due(lines: LineBook, name: LineName | None) -> str | None:
    """Return the last day on which a line is due, None where there is none."""
    plan = None if name is None else lines.plans.get(name)
    if plan is not None and plan.statements:
        return iso_day(plan.statements[-1].due)
    shipment = None if name is None else lines.shipments.get(name)
    if shipment is None or not shipment.dispatches:
        return None
    return iso_day(max(shipment.plans(dispatch)[-1][0] for dispatch in shipment.dispatches))


def _alert_changes(views: SinceViews, query: AskSince, synthetic: Set[str]) -> Answer:
    """Return the alerts raised and cleared that concern the queried names, those of synthetic sites last."""
    chosen: dict[Part, str | None] = {"product": query.product, "site": query.site, "supplier": query.supplier}
    only = {part: name for part, name in chosen.items() if name is not None}
    then, now = ({alert.name: alert for alert in _alerts_of(view)} for view in (views.then, views.now))
    raised = select_alerts(views.now.state, (each for name, each in now.items() if name not in then), only)
    cleared = select_alerts(views.then.state, (each for name, each in then.items() if name not in now), only)
    return {
        name: sorted((_alert(each, synthetic) for each in found), key=itemgetter("synthetic"))
        for name, found in (("alerts_raised", raised), ("alerts_cleared", cleared))
    }


def _alerts_of(view: LiveView) -> Iterable[Alert]:
    """Return the alerts of the state's position, to which the view's may not have come yet."""
    plan = view.plan_now()
    return view.alerts.values() if plan is view.plan else find_alerts(view.state, plan, view.thresholds).values()


def _alert(alert: Alert, synthetic: Set[str]) -> Answer:
    subject = dict(zip(SUBJECTS[alert.code], alert.subject, strict=True))
    return {
        "name": alert.name.text,
        "code": alert.code,
        "subject": subject,
        "synthetic": subject.get("site") in synthetic,
        "day": iso_or_none(alert.day),
        "wafers": alert.detail.get("wafers_at_worst", alert.detail.get("wafers")),
    }


def _remarks_since(views: SinceViews) -> Answer:
    then, now = (view.state.remarks.in_force() for view in (views.then, views.now))
    today = views.now.state.curves.today
    before = {(each.source, each.event) for each in then.acknowledged.values()}
    noted = {(note.source, note.event) for notes in then.notes.values() for note in notes}
    acknowledged: Mapping[str, Answer] = {
        name: row
        for name, each in sorted(now.acknowledged.items())
        if (each.source, each.event) not in before and (row := acknowledgement_row(each, today)) is not None
    }
    notes = [note for about in now.notes.values() for note in about if (note.source, note.event) not in noted]
    return {
        "acknowledged": [*acknowledged.values()],
        "notes": note_rows(sorted(notes, key=lambda note: (note.on, note.event))),
    }
