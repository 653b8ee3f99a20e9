"""Answer of `/bridge`: the projected balance of a product-site and day at an earlier position and now, by cause."""

from functools import partial
from typing import NamedTuple

from services.aggregator.fold.lines.book import LineBook
from services.aggregator.fold.state import FoldState
from services.aggregator.http.pages import (
    Answer,
    check_horizon,
    check_today,
    position_of,
    read_moment,
    select_keys,
)
from services.aggregator.http.queries import AskBridge
from services.aggregator.http.remarks import group_remarks
from services.aggregator.live.view import LiveView, ReadPast
from services.aggregator.plan.bridge.beginning import StatedOrder, find_reached
from services.aggregator.plan.bridge.bridge import MOVED_BY, BridgeEntry, build_bridge
from services.aggregator.plan.overviews import iso_or_none
from services.aggregator.plan.projection import make_plan
from shared.http.problem import NEVER_KNOWN, UNFIT, Problem
from shared.wire.days import day_number
from shared.wire.lines import ORDER

ENTRIES_MAX = 50
EMPTY_LOG = "0"  # the position before the first batch


class BridgeViews(NamedTuple):
    """The two views that a bridge joins, and the day of its balance."""

    now: LiveView
    then: LiveView
    since: str
    day: int


async def find_bridge(now: LiveView, read_past: ReadPast, query: AskBridge) -> BridgeViews:
    """Return the views of a query; raise `Problem` where a name is unknown, or the day is not ahead of both."""
    # the orders of a product at a site may be very many: no other answer waits for them
    day, placed = await now.run_paused(partial(_find_day, now, query))
    then, since = await _read_then(read_past, query, placed)
    views = BridgeViews(now, then, since, day)
    _check_day(views)
    return views


def _find_day(now: LiveView, query: AskBridge) -> tuple[int, int | None]:
    """Return the day of the balance, and the day since which the orders due by then are as many as now."""
    curves, lines, group = now.state.curves, now.state.lines, (query.product, query.site)
    select_keys(curves, product=query.product, site=query.site)
    check_today(curves)
    plan = make_plan(curves, labels=[label for label in curves.group(("product", "site")).labels if label == group])
    first = plan.short(0, query.firmness).first_short_day if plan.grouping.labels else None
    day = day_number(query.day) if query.day is not None else _today(now.state) if first is None else first
    check_horizon(curves, "day", day, "day")
    if query.since is not None:
        return day, None
    orders = [lines.plans[name].statements for name in lines.names_of.get(group, ()) if name[1] == ORDER]
    required = [
        [StatedOrder(each.stated_on, each.wafers if each.key[:2] == group and each.due <= day else 0) for each in order]
        for order in orders
    ]
    return day, find_reached(required)


def _check_day(views: BridgeViews) -> None:
    earliest = max(_today(views.now.state), _today(views.then.state))
    if views.day < earliest:
        days = f"{iso_or_none(views.day)}, before {iso_or_none(earliest)}"
        raise Problem(UNFIT, f"day is {days}: a projection begins today, then and now", parameter="day")


def _today(state: FoldState) -> int:
    curves = state.curves
    return max(curves.start, curves.start if curves.today is None else curves.today)


async def _read_then(read_past: ReadPast, query: AskBridge, placed: int | None) -> tuple[LiveView, str]:
    """Return the earlier view: that queried, or that of the day since which as much is ordered by the day as now.

    Where nothing had been recorded by then, it is the empty log.
    """
    if query.since is not None:
        return await read_moment(read_past, query.since, "since"), query.since
    if placed is not None:
        since = str(iso_or_none(placed))
        try:
            return await read_past(since), since
        except Problem as why:
            if why.kind is not NEVER_KNOWN:
                raise
    return await read_past(EMPTY_LOG), EMPTY_LOG


async def bridge(views: BridgeViews, query: AskBridge) -> Answer:
    """The projected balance of a product at a site on a day, at an earlier position and now, and the causes between.

    While `today` is null nothing is projected: both balances are null. The rows sum to the difference. Each leads to
    the events of its lines; one of movements of stock, by `movements`, to the ledger's list of their events.
    """
    return await views.now.run_paused(partial(_make_answer, views, query))


def _make_answer(views: BridgeViews, query: AskBridge) -> Answer:
    _check_day(views)  # a day may be complete since the views were found
    group = (query.product, query.site)
    is_known = views.now.state.curves.today is not None
    built = build_bridge(views.then.state, views.now.state, group, views.day, query.firmness) if is_known else None
    return position_of(views.now) | {
        "today": iso_or_none(views.now.state.curves.today),
        "product": query.product,
        "site": query.site,
        "day": iso_or_none(views.day),
        "firmness": query.firmness,
        "since": position_of(views.then) | {"as_of": views.since, "today": iso_or_none(views.then.state.curves.today)},
        "projected_then": built and built.then,
        "projected_now": built and built.now,
        "rows": [
            {
                "cause": bar.cause,
                "wafers": bar.wafers,
                "movements": _movements(bar.cause, views),
                "entries": [_entry(entry, views.now.state.lines) for entry in bar.entries[:ENTRIES_MAX]],
                "entries_count": len(bar.entries),
            }
            for bar in (built.bars if built else ())
        ],
        **group_remarks(views.now, "short_within", group, views.now.plan.today),
    }


def _movements(cause: str, views: BridgeViews) -> Answer | None:
    """Return the parameters of the ledger's `/movements` for a bar of movements, None for one of lines."""
    if cause not in MOVED_BY:
        return None
    now = views.now
    through = str(now.state.curves.position) if now.recorded_by is None else now.recorded_by.day
    types = ",".join(MOVED_BY[cause])
    since = EMPTY_LOG if cause == "consumed_beyond" else views.since  # days that were complete since count anew
    return {"types": types, "since": since, "through": through, "by": iso_or_none(views.day)}


def _entry(entry: BridgeEntry, lines: LineBook) -> Answer:
    return {
        "wafers": entry.wafers,
        "kind": entry.kind,
        "source": entry.party,
        "line": None if entry.line is None else entry.line[2],
        "event": entry.event,
        "event_source": None if entry.event is None else entry.event_source or entry.party,
        "reason": None if entry.line is None else lines.reason_of(entry.line),
    }
