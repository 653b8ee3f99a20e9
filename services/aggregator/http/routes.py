"""The aggregator's HTTP routes: each view of the state, worked out from what it is asked."""

import asyncio
from bisect import bisect_right
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import date, timedelta
from typing import Any, cast

from services.aggregator.alerts.finding import Alert
from services.aggregator.fold.curves import Curves
from services.aggregator.fold.lines import TOLERANCES
from services.aggregator.fold.queries import sum_stages, window_balance
from services.aggregator.fold.series import Grouping, Only
from services.aggregator.http import models as answers
from services.aggregator.http import queries as questions
from services.aggregator.http.queries import BUCKETS, DETAILED_MAX, PAGE_MAX
from services.aggregator.kernels.arrays import Index
from services.aggregator.live.view import LiveView
from services.aggregator.plan.fill_rate import order_fill_rate
from services.aggregator.plan.months import month_table
from services.aggregator.plan.netting import zone_of
from services.aggregator.plan.overviews import (
    Row,
    iso_or_none,
    ratio,
    site_names,
    site_rows,
    supplier_rows,
    timeline_entries,
    timeline_months,
)
from services.aggregator.plan.performance import measure_performance
from services.aggregator.plan.projection import SupplyPlan, make_plan
from services.aggregator.plan.schedule import schedule
from services.aggregator.plan.shortage import ShortageExplanation, explain_shortage
from services.aggregator.terms import PARTS, Part
from shared.http.access import READ, ScopedRoute
from shared.http.answering import View, serve
from shared.http.problem import AWAY, BUSY, NEVER_KNOWN, UNFIT, UNKNOWN_NAME, Kind, Problem
from shared.wire.alerts import SUBJECTS
from shared.wire.days import date_of, day_number, next_month
from shared.wire.events import DAY_MAX, DAY_MIN, FIRMNESS
from shared.wire.lines import LineName

_NAMED_MAX = 30  # names in an error

Answer = dict[str, Any]
ReadThen = Callable[[str], Awaitable[LiveView]]


def routes(read: Callable[[], LiveView], read_then: ReadThen) -> list[ScopedRoute]:
    """Return the routes over what `read` gives; asked `as_of` a position or a day, over what `read_then` does.

    A page is worked out without a pause in the loop that also folds, so it is of one position and never torn; what
    ranks all groups comes from the plan, which is worked out beside the fold.
    """

    async def find(query: questions.AsOf) -> LiveView:
        return read() if query.as_of is None else await read_then(query.as_of)

    return [serve(view, find, _stand, scope=READ) for view in views()]


def views() -> list[View[LiveView]]:
    """Return what there is to be asked."""
    past: tuple[Kind, ...] = (NEVER_KNOWN, AWAY, BUSY)
    named = (*past, UNKNOWN_NAME)
    return [
        View("/balances", _balances, questions.AskBalances, answers.Balances, (*named, UNFIT)),
        View("/shortages", _shortages, questions.AskShortages, answers.Shortages, (*named, UNFIT)),
        View("/cover", _cover, questions.AskCover, answers.CoverPage, (*named, UNFIT)),
        View("/atp", _atp, questions.AskPromise, answers.Promises, named),
        # whatever is named: the answer says who there is
        View("/suppliers/{supplier:path}/performance", _performance, questions.AskPerformance, answers.Performance,
             named),
        View("/sites", _sites, questions.AskSites, answers.Sites, named),
        View("/sites/{site:path}/timeline", _timeline, questions.AskTimeline, answers.Timeline, named),
        View("/suppliers", _suppliers, questions.AskSuppliers, answers.Suppliers, named),
        View("/alerts", _alerts, questions.AskAlerts, answers.Alerts, past),
        View("/months", _months, questions.AskMonths, answers.Months, (*named, UNFIT)),
        View("/state", _state, questions.AsOf, answers.State, past),
    ]  # fmt: skip


def _stand(view: LiveView) -> tuple[int | None, int, int]:
    """Return where the state and the plan stand: all that an answer follows from."""
    curves = view.state.curves
    return curves.epoch, curves.position, view.plan.position


# ---------------------------------------------------------------- the answers


async def _balances(view: LiveView, query: questions.AskBalances) -> Answer:
    """What came and went in a window of days, and what stands in each stage at its end.

    A row for each of what `by` names, sorted; in total without it.
    """
    curves = view.state.curves
    by, basis, firmness = query.by, query.basis, query.firmness
    if firmness is not None and basis != "receipt":
        detail = "firmness is of commits, which are due at the dock: ask for basis=receipt with it"
        raise Problem(UNFIT, detail, parameter="firmness")
    latest = curves.last_day if curves.complete_through is None else curves.complete_through
    day = latest if query.day is None else _day(query.day)

    whole = curves.group(by, **_only(curves, product=query.product, site=query.site, supplier=query.supplier))
    first = _first_behind(whole.labels, query.after)
    page = _cut(whole, first, first + query.limit)
    rolled = window_balance(curves, page, day, query.window, basis, firmness)
    stages = sum_stages(curves, page, day)
    rows = [
        {
            **dict(zip(by, each.group, strict=True)),
            "supply": each.supply,
            "demand": each.demand,
            "net": each.net,
            "wip": int(stages.wip[n]),
            "finished": int(stages.finished[n]),
            "in_transit": int(stages.in_transit[n]),
            "on_hand": int(stages.on_hand[n]),
            "open_commit": dict(zip(FIRMNESS, stages.open_commit[:, n].tolist(), strict=True)),
        }
        for n, each in enumerate(rolled)
    ]
    return _standing(curves) | {
        "day": iso_or_none(day),
        "window_days": query.window,
        "basis": basis,
        "firmness": firmness,
        "by": by,
        "rows": rows,
        "next": "/".join(page.labels[-1]) if 0 < first + len(rows) < len(whole.labels) else None,
    }


def _cut(whole: Grouping, first: int, end: int) -> Grouping:
    """Return some of the groups that follow each other, and none of the keys of the others."""
    of_key = whole.of_key - first
    of_key[(whole.of_key < first) | (whole.of_key >= end)] = -1
    return Grouping(whole.labels[first:end], of_key)


async def _shortages(view: LiveView, query: questions.AskShortages) -> Answer:
    """Which product runs short at which site, when, and by how many wafers: the first one first.

    With `why=true` also which orders lack supply, which supply was meant for them, and the events that are to blame.
    """
    state = view.state
    firmness, past_due = query.firmness, query.past_due
    ranked = view.plan.shortages(firmness, past_due=past_due)
    plan, groups, turn = _page(view, query, ranked, detailed=query.why)
    rows = []
    for group in groups:
        product, site = plan.grouping.labels[group]
        at = {grade: plan.short(group, grade, past_due=past_due) for grade in FIRMNESS}
        row = {
            "product": product,
            "site": site,
            "on_hand": plan.on_hand(group),
            "short_since": iso_or_none(plan.short_since(group)),
            "first_short_day": iso_or_none(at[firmness].first_short_day),
            "first_shortage": at[firmness].first_shortage,
            "shortage": at[firmness].shortage,
            "by_firmness": {
                grade: {
                    "first_short_day": iso_or_none(short.first_short_day),
                    "first_shortage": short.first_shortage,
                    "shortage": short.shortage,
                    "past_due_supply": plan.past_due(group, grade),
                }
                for grade, short in at.items()
            },
        }
        first = at[firmness].first_short_day
        if query.why and first is not None:
            behind = explain_shortage(state.curves, state.lines, (product, site), firmness, first, past_due=past_due)
            row["why"] = _why(behind)
        rows.append(row)
    return _planned(plan) | {"firmness": firmness, "past_due": past_due, "rows": rows, **turn}


def _why(behind: ShortageExplanation) -> Answer:
    return {
        "orders": [
            {
                **_line(order.line, order.event),
                "due": iso_or_none(order.due),
                "wafers": order.wafers,
                "short": order.short,
                "pegs": [
                    {
                        **({"kind": "on_hand"} if peg.line is None else _line(peg.line, peg.event)),
                        "day": iso_or_none(peg.day),
                        "wafers": peg.wafers,
                        "days_late": peg.days_late,
                    }
                    for peg in order.pegs
                ],
            }
            for order in behind.orders
        ],
        "orders_count": behind.orders_count,
        "overdue": [
            {**_line(supply.name, supply.event), "day": iso_or_none(supply.day), "wafers": supply.wafers}
            for supply in behind.overdue
        ],
        "causes": [
            {**_line(cause.name, cause.event), "said_by": cause.source, "what": cause.what, "wafers": cause.wafers}
            for cause in behind.causes
        ],
        "causes_count": behind.causes_count,
        "overdrawn": behind.overdrawn,
    }


def _line(name: LineName, event: str | None) -> Answer:
    """Return which line it is, and the event that says so: `/events/{source}/{id}` of the ledger has it."""
    source, kind, line = name
    return {"kind": kind.partition("/")[0], "source": source, "line": line, "event": event}


async def _cover(view: LiveView, query: questions.AskCover) -> Answer:
    """For how long what is on hand lasts at each site, the least covered first."""
    plan, groups, turn = _page(view, query, view.plan.least_covered(), detailed=query.fill_rate)
    fill = order_fill_rate(view.state.curves, plan.grouping) if query.fill_rate else None
    rows = []
    for group in groups:
        product, site = plan.grouping.labels[group]
        cover = plan.cover(group)
        assert plan.today is not None
        row = {
            "product": product,
            "site": site,
            "on_hand": plan.on_hand(group),
            "backorder": plan.backorder(group),
            "cover": cover._asdict(),
            "cover_days": None if cover.days is None else round(cover.days + cover.left / max(1, cover.next), 1),
            "first_uncovered_day": None if cover.days is None else iso_or_none(plan.today + cover.days),
        }
        if fill is not None:
            row["fill_rate"] = ratio(int(fill.numerator[group]), int(fill.denominator[group]))
        rows.append(row)
    return _planned(plan) | {"rows": rows, **turn}


async def _performance(view: LiveView, query: questions.AskPerformance) -> Answer:
    """How a supplier keeps its word on each product: bias, slip, churn, and what came on time and in full."""
    curves, lines = view.state.curves, view.state.lines
    supplier, product = query.supplier, query.product
    # what was said and withdrawn in one batch has moved nothing: the lines know of it, the curves do not
    _check_known("supplier", supplier, {*lines.suppliers(), *(key[2] for key in curves.keys)})
    if product is not None:
        _check_known("product", product, {*lines.record(supplier), *(key[0] for key in curves.keys)})
    rows = [
        {
            "product": name,
            "wafers_due": each.committed,
            "wafers_received": each.received,
            "churn": ratio(each.churned, each.committed),
            "otif": {
                grace: {"days_of_grace": days, "percent_of_grace": percent, **ratio(kept, due)}
                for grace, (days, percent), kept, due in zip(
                    ("strict", "tolerant"), TOLERANCES, each.kept, each.lines, strict=True
                )
            },
            "lags": [
                {
                    "lag_days": at.lag,
                    "committed": at.committed,
                    "bias": ratio(at.missing, at.committed),
                    "slip": {
                        "wafer_days": at.slip_wafer_days,
                        "mean_days": round(at.slip_wafer_days / at.committed, 1) if at.committed else None,
                        "greatest_days": at.slip_greatest,
                        "open_wafers": at.open_wafers,
                    },
                }
                for at in each.lags
            ],
        }
        for name, each in measure_performance(curves, lines, supplier, product).items()
    ]
    return _standing(curves) | {"supplier": supplier, "rows": rows}


# what a bucket's row says of the schedule's columns
_SCHEDULED = ("orders", "forecast", "net_forecast", "receipts", "projected", "atp", "atp_cumulative")


async def _atp(view: LiveView, query: questions.AskPromise) -> Answer:
    """What can still be promised of each product at each site, by day or by week."""
    curves, today = view.state.curves, view.state.curves.today
    bucket_days, buckets = BUCKETS[query.bucket], query.buckets
    rows: list[Answer] = []
    whole = curves.group(("product", "site"), **_only(curves, product=query.product, site=query.site))
    first = _first_behind(whole.labels, query.after)
    page = _cut(whole, first, first + max(1, query.limit // buckets))
    if today is not None and today < curves.start + curves.days:
        today = max(today, curves.start)
        frozen = -(-query.frozen_days // bucket_days)
        table = schedule(curves, page, today, bucket_days, buckets, query.firmness, frozen=frozen)
        columns = [getattr(table, name).tolist() for name in _SCHEDULED]
        for n, (product, site) in enumerate(page.labels):
            for each, cells in enumerate(zip(*(column[n] for column in columns), strict=True)):
                day = today + each * bucket_days
                rows.append(
                    {
                        "product": product,
                        "site": site,
                        "from": iso_or_none(day),
                        "zone": zone_of(day, today, query.frozen_days, query.tradeoff_days),
                        **dict(zip(_SCHEDULED, cells, strict=True)),
                    }
                )
    return _standing(curves) | {
        "today": iso_or_none(today),
        "firmness": query.firmness,
        "bucket": query.bucket,
        "rows": rows,
        "next": "/".join(page.labels[-1]) if rows and first + len(page.labels) < len(whole.labels) else None,
    }


async def _sites(view: LiveView, query: questions.AskSites) -> Answer:
    """Each site: what it is, its phases, what is due there, how long it is covered, and what is short first."""
    plan, sites = await view.read_sites()
    if query.site is not None:
        _check_known("site", query.site, sites.names)
    rows = await asyncio.to_thread(site_rows, sites, plan, query.firmness)  # neither changes any more
    rows = [row for row in rows if query.mooring in (None, row["mooring"]) and query.site in (None, row["site"])]
    return _planned(plan) | {"firmness": query.firmness} | _part_of(rows, ("site",), query.after, query.limit)


async def _timeline(view: LiveView, query: questions.AskTimeline) -> Answer:
    """What was said of a site, when its phases are energised, and what is due and comes month by month."""
    state, site = view.state, query.site
    _check_known("site", site, site_names(state))
    if query.product is not None:
        _check_known("product", query.product, {key[0] for key in state.curves.keys})

    def told() -> Answer:
        months = timeline_months(state, site, query.product)
        return _standing(state.curves) | {"entries": timeline_entries(state, site), "months": months}

    return {"site": site} | await view.run_paused(told)


async def _suppliers(view: LiveView, query: questions.AskSuppliers) -> Answer:
    """Each product of each supplier: what is in process and how old it is, the yield, and how commits were kept."""
    only = _only(view.state.curves, product=query.product, supplier=query.supplier)

    def told() -> tuple[Answer, list[Row]]:
        return _standing(view.state.curves), supplier_rows(view.state, query.lag, **only)

    standing, rows = await view.run_paused(told)
    return standing | {"lag_days": query.lag} | _part_of(rows, ("supplier", "product"), query.after, query.limit)


def _part_of(rows: list[Row], by: Sequence[str], after: str | None, limit: int) -> Answer:
    """Return the page of some sorted rows that is asked for, and what the next begins after."""
    rest = rows[_first_behind([tuple(row[part] for part in by) for row in rows], after) :]
    page = rest[:limit]
    return {"rows": page, "next": "/".join(page[-1][part] for part in by) if len(rest) > limit else None}


async def _alerts(view: LiveView, query: questions.AskAlerts) -> Answer:
    """What a planner should look at, the most urgent first (docs/alerts.md)."""
    plan, found = view.plan, list(view.alerts.values())
    counts = Counter(alert.code for alert in found)
    chosen = [alert for alert in found if query.code in (None, alert.code)]
    page = await view.explain_alerts(chosen[query.offset : query.offset + query.limit])
    end = query.offset + len(page)
    return _planned(plan) | {
        "limits": view.thresholds._asdict(),
        "open": {code: counts[code] for code in SUBJECTS},
        "rows": [_alert(alert) for alert in page],
        "next": end if end < len(chosen) else None,
    }


def _alert(alert: Alert) -> Answer:
    return {
        "code": alert.code,
        "subject": dict(zip(SUBJECTS[alert.code], alert.subject, strict=True)),
        "day": iso_or_none(alert.day),
        "detail": {
            name: iso_or_none(value) if name.endswith("_day") else value for name, value in alert.detail.items()
        },
        "causes": alert.causes,
    }


async def _months(view: LiveView, query: questions.AskMonths) -> Answer:
    """The programme month by month, on both bases."""
    curves = view.state.curves
    begin, end = date_of(curves.start), date_of(curves.start + curves.days)
    first = query.from_ or (begin if begin.day == 1 else next_month(begin))
    last = query.to or (end.replace(day=1) - timedelta(days=1))
    only = _only(curves, product=query.product, site=query.site, supplier=query.supplier)
    try:
        table, standing = await view.run_paused(lambda: (month_table(curves, first, last, **only), _standing(curves)))
    except ValueError as why:
        raise Problem(UNFIT, f"from and to: {why}, which is {begin} to {end - timedelta(days=1)}") from why
    rows = [
        {"month": f"{row.month:%Y-%m}", "start": row.start._asdict(), "receipt": row.receipt._asdict()} for row in table
    ]
    return standing | {"rows": rows}


async def _state(view: LiveView, _: questions.AsOf) -> Answer:
    """The state that all numbers follow from, its hash, and how far each source is."""
    curves = view.state.curves

    def told() -> Answer:
        return _standing(curves) | {
            "epoch": curves.epoch,
            "state_hash": curves.state_hash(),
            "keys": len(curves.keys),
            "postings": curves.postings,
            "horizon": {"start": iso_or_none(curves.start), "days": curves.days},
            "watermarks": {source: iso_or_none(curves.watermarks.get(source)) for source in sorted(curves.sources)},
        }

    return await view.run_paused(told)


def _standing(curves: Curves) -> Answer:
    return {
        "complete_through": iso_or_none(curves.complete_through),
        "position": curves.position,
        "head": curves.head,
    }


def _planned(plan: SupplyPlan) -> Answer:
    return {
        "complete_through": iso_or_none(plan.complete_through),
        "position": plan.position,
        "head": plan.head,
        "today": iso_or_none(plan.today),
    }


def _page(
    view: LiveView, query: questions.AskShortages | questions.AskCover, ranked: Index, *, detailed: bool
) -> tuple[SupplyPlan, Sequence[int], Answer]:
    """Return a plan, those of its groups that are on the page asked for, how many there are, and the next page.

    What is detailed is looked up in the state, so its page is planned anew: all of an answer is of one position.
    """
    plan, only = view.plan, _only(view.state.curves, product=query.product, site=query.site)
    wanted = [(PARTS.index(cast(Part, part)), value) for part, value in only.items()]
    groups: list[int] = ranked.tolist()
    if wanted:
        labels = plan.grouping.labels
        groups = [group for group in groups if all(labels[group][n] == value for n, value in wanted)]
    most = DETAILED_MAX if detailed else PAGE_MAX
    offset, limit = query.offset, query.limit or most
    if limit > most:
        detail = f"limit is {limit}, not 1 to {most}: what is behind a row takes long to find"
        raise Problem(UNFIT, detail, parameter="limit")
    page: Sequence[int] = groups[offset : offset + limit]
    if detailed:
        plan = make_plan(view.state.curves, labels=[plan.grouping.labels[group] for group in page])
        page = range(len(plan.grouping.labels))
        if plan.today is None:  # a source that had not spoken does since the plan, and has yet to say how far it is
            groups = []
    turn = {"count": len(groups), "next": offset + limit if offset + limit < len(groups) else None}
    return plan, page, turn


# ---------------------------------------------------------------- what the state has of what is asked


def _only(curves: Curves, **asked: str | None) -> Only:
    only = {part: name for part, name in asked.items() if name is not None}
    for part, name in only.items():
        _check_known(part, name, {key[PARTS.index(cast(Part, part))] for key in curves.keys})
    return cast(Only, only)


def _check_known(part: str, name: str, known: Collection[str]) -> None:
    """Refuse a name that nobody has said; before anybody has said any, each is allowed."""
    if known and name not in known:
        detail = f"{part} is {name[:80]!r}; there are {', '.join(sorted(known)[:_NAMED_MAX])}"
        raise Problem(UNKNOWN_NAME, detail, parameter=part)


def _first_behind(labels: Sequence[tuple[str, ...]], after: str | None) -> int:
    """Return the place of the first of some sorted labels that is on the page behind `after`."""
    return 0 if after is None else bisect_right(labels, tuple(after.split("/")))


def _day(day: date) -> int:
    if not DAY_MIN <= day <= DAY_MAX:
        raise Problem(UNFIT, f"day is {day}, not {DAY_MIN} to {DAY_MAX}", parameter="day")
    return day_number(day)
