"""The aggregator's HTTP routes: what is asked, checked strictly, and the page of numbers in answer to it."""

import asyncio
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import date, timedelta
from functools import partial
from typing import Any, cast, get_args

import orjson
from starlette.requests import Request
from starlette.responses import Response

from services.aggregator.alerts import Alert
from services.aggregator.curves import PARTS, Basis, Curves, Grouping, Only, Part
from services.aggregator.kernels import Index
from services.aggregator.lines import LAGS, TOLERANCES, LineName
from services.aggregator.netting import zone_of
from services.aggregator.overviews import (
    Row,
    known_sites,
    site_rows,
    supplier_rows,
    timeline_entries,
    timeline_months,
)
from services.aggregator.overviews import iso as _iso
from services.aggregator.overviews import ratio as _ratio
from services.aggregator.performance import perform
from services.aggregator.planning import Plan, month_table, plan_ahead
from services.aggregator.reading import Reading
from services.aggregator.schedule import schedule
from services.aggregator.service_level import served
from services.aggregator.shortage import Explanation, explain
from shared.access import READ, ScopedRoute
from shared.alerts import SUBJECTS
from shared.events import DAY_MAX, DAY_MIN, EPOCH, FIRMNESS, Firmness, day_number
from shared.problem import Problem, problem

WINDOWS = (1, 7, 30, 90, 365)
PAGE_MAX = 200
DETAILED_MAX = 2  # rows of a page that are looked into: what is behind a shortage, how orders were served
MOORINGS = ("onshore", "floating")
BUCKETS = {"day": 1, "week": 7}
_BUCKETS_MAX = 60
_NAMED_MAX = 30  # names in an error

Answer = dict[str, Any]
View = Callable[[Reading, Mapping[str, str]], Awaitable[Answer]]
ReadThen = Callable[[str], Awaitable[Reading]]


class BadParameter(Problem):
    """A query parameter is not what is allowed; the message says what is."""

    def __init__(self, detail: str) -> None:
        super().__init__(400, detail)


def routes(read: Callable[[], Reading], read_then: ReadThen) -> list[ScopedRoute]:
    """Return the routes over what `read` gives; asked `as_of` a position or a day, over what `read_then` does.

    A page is worked out without a pause in the loop that also folds, so it is of one position and never torn; what
    ranks all groups comes from the plan, which is worked out beside the fold.
    """
    views: dict[str, View] = {
        "/balances": _balances,
        "/shortages": _shortages,
        "/cover": _cover,
        "/atp": _atp,
        "/suppliers/{supplier:path}/performance": _performance,  # whatever is named: the answer says who there is
        "/sites": _sites,
        "/sites/{site:path}/timeline": _timeline,
        "/suppliers": _suppliers,
        "/alerts": _alerts,
        "/months": _months,
        "/state": _state,
    }
    return [
        ScopedRoute(path, partial(_answer, read=read, read_then=read_then, view=view), scope=READ)
        for path, view in views.items()
    ]


async def _answer(request: Request, read: Callable[[], Reading], read_then: ReadThen, view: View) -> Response:
    try:
        query = _Query(request)
        as_of = query.pop("as_of", None)
        reading = read() if as_of is None else await read_then(as_of)
        return _say(await view(reading, query), 200, "application/json")
    except Problem as why:
        return problem(why.status, str(why), why.headers)


def _say(body: Answer, status: int, media_type: str) -> Response:
    return Response(orjson.dumps(body), status_code=status, media_type=media_type)


# ---------------------------------------------------------------- the answers


async def _balances(reading: Reading, query: Mapping[str, str]) -> Answer:
    _check_names(query, ("by", "window", "basis", "firmness", "day", *PARTS, "after", "limit"))
    curves = reading.state.curves
    by = _parts(query)
    window_days = int(_choose(query, "window", [str(days) for days in WINDOWS], "30"))
    firmness = cast(Firmness | None, _choose(query, "firmness", FIRMNESS) if "firmness" in query else None)
    basis = cast(Basis, _choose(query, "basis", get_args(Basis), "start"))
    if firmness is not None and basis != "receipt":
        raise BadParameter("firmness is of commits, which are due at the dock: ask for basis=receipt with it")
    latest = curves.last_day if curves.complete_through is None else curves.complete_through
    day = _day(query, "day", latest)
    limit = _limit(query)

    whole = curves.group(by, **_only(curves, query))
    first = bisect_right(whole.labels, tuple(query["after"].split("/"))) if "after" in query else 0
    page = _cut(whole, first, first + limit)
    rolled = curves.roll(page, day, window_days, basis, firmness)
    stages = curves.stages(page, day)
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
        "day": _iso(day),
        "window_days": window_days,
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


async def _shortages(reading: Reading, query: Mapping[str, str]) -> Answer:
    _check_names(query, ("firmness", "past_due", "why", "product", "site", "offset", "limit"))
    state = reading.state
    firmness = cast(Firmness, _choose(query, "firmness", FIRMNESS, "planned"))
    past_due, why = _yes(query, "past_due"), _yes(query, "why")
    ranked = reading.plan.shortages(firmness, past_due=past_due)
    plan, groups, turn = _page(reading, query, ranked, detailed=why)
    rows = []
    for group in groups:
        product, site = plan.grouping.labels[group]
        at = {grade: plan.short(group, grade, past_due=past_due) for grade in FIRMNESS}
        row = {
            "product": product,
            "site": site,
            "on_hand": plan.on_hand(group),
            "short_since": _iso(plan.short_since(group)),
            "first_short_day": _iso(at[firmness].first_short_day),
            "first_shortage": at[firmness].first_shortage,
            "shortage": at[firmness].shortage,
            "by_firmness": {
                grade: {
                    "first_short_day": _iso(short.first_short_day),
                    "first_shortage": short.first_shortage,
                    "shortage": short.shortage,
                    "past_due_supply": plan.past_due(group, grade),
                }
                for grade, short in at.items()
            },
        }
        first = at[firmness].first_short_day
        if why and first is not None:
            behind = explain(state.curves, state.lines, (product, site), firmness, first, past_due=past_due)
            row["why"] = _why(behind)
        rows.append(row)
    return _planned(plan) | {"firmness": firmness, "past_due": past_due, "rows": rows, **turn}


def _why(behind: Explanation) -> Answer:
    return {
        "orders": [
            {
                **_line(order.line, order.event),
                "due": _iso(order.due),
                "wafers": order.wafers,
                "short": order.short,
                "pegs": [
                    {
                        **({"kind": "on_hand"} if peg.line is None else _line(peg.line, peg.event)),
                        "day": _iso(peg.day),
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
            {**_line(supply.name, supply.event), "day": _iso(supply.day), "wafers": supply.wafers}
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


async def _cover(reading: Reading, query: Mapping[str, str]) -> Answer:
    _check_names(query, ("fill_rate", "product", "site", "offset", "limit"))
    detailed = _yes(query, "fill_rate")
    plan, groups, turn = _page(reading, query, reading.plan.least_covered(), detailed=detailed)
    fill = served(reading.state.curves, plan.grouping) if detailed else None
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
            "first_uncovered_day": None if cover.days is None else _iso(plan.today + cover.days),
        }
        if fill is not None:
            row["fill_rate"] = _ratio(int(fill.numerator[group]), int(fill.denominator[group]))
        rows.append(row)
    return _planned(plan) | {"rows": rows, **turn}


async def _performance(reading: Reading, query: Mapping[str, str]) -> Answer:
    _check_names(query, ("supplier", "product"))
    curves, lines = reading.state.curves, reading.state.lines
    supplier = query["supplier"]
    # what was said and withdrawn in one batch has moved nothing: the lines know of it, the curves do not
    _check_known("supplier", supplier, {*lines.suppliers(), *(key[2] for key in curves.keys)})
    if "product" in query:
        _check_known("product", query["product"], {*lines.record(supplier), *(key[0] for key in curves.keys)})
    rows = [
        {
            "product": product,
            "wafers_due": each.committed,
            "wafers_received": each.received,
            "churn": _ratio(each.churned, each.committed),
            "otif": {
                name: {"days_of_grace": days, "percent_of_grace": percent, **_ratio(kept, due)}
                for name, (days, percent), kept, due in zip(
                    ("strict", "tolerant"), TOLERANCES, each.kept, each.lines, strict=True
                )
            },
            "lags": [
                {
                    "lag_days": at.lag,
                    "committed": at.committed,
                    "bias": _ratio(at.missing, at.committed),
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
        for product, each in perform(curves, lines, supplier, query.get("product")).items()
    ]
    return _standing(curves) | {"supplier": supplier, "rows": rows}


# what a bucket's row says of the schedule's columns
_SCHEDULED = ("orders", "forecast", "net_forecast", "receipts", "projected", "atp", "atp_cumulative")


async def _atp(reading: Reading, query: Mapping[str, str]) -> Answer:
    _check_names(
        query, ("firmness", "bucket", "buckets", "frozen_days", "tradeoff_days", "product", "site", "after", "limit")
    )
    curves, today = reading.state.curves, reading.state.curves.today
    firmness = cast(Firmness, _choose(query, "firmness", FIRMNESS, "planned"))
    bucket = _choose(query, "bucket", tuple(BUCKETS), "week")
    buckets = _number(query, "buckets", 13, 1, _BUCKETS_MAX)
    frozen_days = _number(query, "frozen_days", 28, 0, 400)
    tradeoff_days = _number(query, "tradeoff_days", 91, 0, 800)
    limit = _limit(query)

    rows: list[Answer] = []
    whole = curves.group(("product", "site"), **_only(curves, query))
    first = bisect_right(whole.labels, tuple(query["after"].split("/"))) if "after" in query else 0
    page = _cut(whole, first, first + max(1, limit // buckets))
    if today is not None and today < curves.start + curves.days:
        today = max(today, curves.start)
        frozen = -(-frozen_days // BUCKETS[bucket])
        table = schedule(curves, page, today, BUCKETS[bucket], buckets, firmness, frozen=frozen)
        columns = [getattr(table, name).tolist() for name in _SCHEDULED]
        for n, (product, site) in enumerate(page.labels):
            for each, cells in enumerate(zip(*(column[n] for column in columns), strict=True)):
                day = today + each * BUCKETS[bucket]
                rows.append(
                    {
                        "product": product,
                        "site": site,
                        "from": _iso(day),
                        "zone": zone_of(day, today, frozen_days, tradeoff_days),
                        **dict(zip(_SCHEDULED, cells, strict=True)),
                    }
                )
    return _standing(curves) | {
        "today": _iso(today),
        "firmness": firmness,
        "bucket": bucket,
        "rows": rows,
        "next": "/".join(page.labels[-1]) if rows and first + len(page.labels) < len(whole.labels) else None,
    }


async def _sites(reading: Reading, query: Mapping[str, str]) -> Answer:
    _check_names(query, ("firmness", "site", "mooring", "after", "limit"))
    firmness = cast(Firmness, _choose(query, "firmness", FIRMNESS, "planned"))
    mooring = _choose(query, "mooring", MOORINGS) if "mooring" in query else None

    plan, sites = await reading.look_at_sites()
    if "site" in query:
        _check_known("site", query["site"], sites.names)
    rows = await asyncio.to_thread(site_rows, sites, plan, firmness)  # neither changes any more
    rows = [row for row in rows if mooring in (None, row["mooring"]) and query.get("site") in (None, row["site"])]
    return _planned(plan) | {"firmness": firmness} | _part_of(query, rows, ("site",))


async def _timeline(reading: Reading, query: Mapping[str, str]) -> Answer:
    _check_names(query, ("site", "product"))
    state, site = reading.state, query["site"]
    _check_known("site", site, known_sites(state))
    if "product" in query:
        _check_known("product", query["product"], {key[0] for key in state.curves.keys})

    def told() -> Answer:
        months = timeline_months(state, site, query.get("product"))
        return _standing(state.curves) | {"entries": timeline_entries(state, site), "months": months}

    return {"site": site} | await reading.aside(told)


async def _suppliers(reading: Reading, query: Mapping[str, str]) -> Answer:
    _check_names(query, ("supplier", "product", "lag", "after", "limit"))
    lag = int(_choose(query, "lag", [str(days) for days in LAGS], "28"))
    only = _only(reading.state.curves, query)

    def told() -> tuple[Answer, list[Row]]:
        return _standing(reading.state.curves), supplier_rows(reading.state, lag, **only)

    standing, rows = await reading.aside(told)
    return standing | {"lag_days": lag} | _part_of(query, rows, ("supplier", "product"))


def _part_of(query: Mapping[str, str], rows: list[Row], by: Sequence[str]) -> Answer:
    """Return the page of some rows that is asked for, and what the next begins after."""
    after, limit = tuple(query["after"].split("/")) if "after" in query else (), _limit(query)
    rest = [row for row in rows if tuple(row[part] for part in by) > after]
    page = rest[:limit]
    return {"rows": page, "next": "/".join(page[-1][part] for part in by) if len(rest) > limit else None}


async def _alerts(reading: Reading, query: Mapping[str, str]) -> Answer:
    _check_names(query, ("code", "offset", "limit"))
    code = _choose(query, "code", tuple(SUBJECTS)) if "code" in query else None
    offset, limit = _number(query, "offset", 0, 0, 10**9), _limit(query)
    plan, found = reading.plan, list(reading.alerts.values())
    counts = Counter(alert.code for alert in found)
    chosen = [alert for alert in found if code is None or alert.code == code]
    page = await reading.explained(chosen[offset : offset + limit])
    end = offset + len(page)
    return _planned(plan) | {
        "limits": reading.limits._asdict(),
        "open": {code: counts[code] for code in SUBJECTS},
        "rows": [_alert(alert) for alert in page],
        "next": end if end < len(chosen) else None,
    }


def _alert(alert: Alert) -> Answer:
    return {
        "code": alert.code,
        "subject": dict(zip(SUBJECTS[alert.code], alert.subject, strict=True)),
        "day": _iso(alert.day),
        "detail": {name: _iso(value) if name.endswith("_day") else value for name, value in alert.detail.items()},
        "causes": alert.causes,
    }


async def _months(reading: Reading, query: Mapping[str, str]) -> Answer:
    _check_names(query, ("from", "to", *PARTS))
    curves = reading.state.curves
    begin, end = _date(curves.start), _date(curves.start + curves.days)
    first = _month(query, "from", begin if begin.day == 1 else _month_after(begin))
    last = _month(query, "to", (end.replace(day=1) - timedelta(days=1)))
    only = _only(curves, query)
    try:
        table, standing = await reading.aside(lambda: (month_table(curves, first, last, **only), _standing(curves)))
    except ValueError as why:
        raise BadParameter(f"from and to: {why}, which is {begin} to {end - timedelta(days=1)}") from why
    rows = [
        {"month": f"{row.month:%Y-%m}", "start": row.start._asdict(), "receipt": row.receipt._asdict()} for row in table
    ]
    return standing | {"rows": rows}


async def _state(reading: Reading, query: Mapping[str, str]) -> Answer:
    _check_names(query, ())
    curves = reading.state.curves

    def told() -> Answer:
        return _standing(curves) | {
            "epoch": curves.epoch,
            "state_hash": curves.state_hash(),
            "keys": len(curves.keys),
            "postings": curves.postings,
            "horizon": {"start": _iso(curves.start), "days": curves.days},
            "watermarks": {source: _iso(curves.watermarks.get(source)) for source in sorted(curves.sources)},
        }

    return await reading.aside(told)


def _standing(curves: Curves) -> Answer:
    return {
        "complete_through": _iso(curves.complete_through),
        "position": curves.position,
        "head": curves.head,
    }


def _planned(plan: Plan) -> Answer:
    return {
        "complete_through": _iso(plan.complete_through),
        "position": plan.position,
        "head": plan.head,
        "today": _iso(plan.today),
    }


def _page(
    reading: Reading, query: Mapping[str, str], ranked: Index, *, detailed: bool
) -> tuple[Plan, Sequence[int], Answer]:
    """Return a plan, those of its groups that are on the page asked for, how many there are, and the next page.

    What is detailed is looked up in the state, so its page is planned anew: all of an answer is of one position.
    """
    plan, only = reading.plan, _only(reading.state.curves, query)
    wanted = [(PARTS.index(cast(Part, part)), value) for part, value in only.items()]
    groups: list[int] = ranked.tolist()
    if wanted:
        labels = plan.grouping.labels
        groups = [group for group in groups if all(labels[group][n] == value for n, value in wanted)]
    most = DETAILED_MAX if detailed else PAGE_MAX
    offset, limit = _number(query, "offset", 0, 0, 10**9), _number(query, "limit", most, 1, most)
    page: Sequence[int] = groups[offset : offset + limit]
    if detailed:
        plan = plan_ahead(reading.state.curves, labels=[plan.grouping.labels[group] for group in page])
        page = range(len(plan.grouping.labels))
        if plan.today is None:  # a source that had not spoken does since the plan, and has yet to say how far it is
            groups = []
    turn = {"count": len(groups), "next": offset + limit if offset + limit < len(groups) else None}
    return plan, page, turn


# ---------------------------------------------------------------- reading the query


class _Query(dict[str, str]):
    """The parameters of the path and of the query, each said once."""

    def __init__(self, request: Request) -> None:
        super().__init__(request.path_params)
        for name, value in request.query_params.multi_items():
            if name in self:
                raise BadParameter(f"{name} is given twice")
            self[name] = value


def _check_names(query: Mapping[str, str], allowed: Collection[str]) -> None:
    for name in query:
        if name not in allowed:
            raise BadParameter(f"{name[:80]!r} is no parameter here; there are {', '.join((*allowed, 'as_of'))}")


def _choose(query: Mapping[str, str], name: str, allowed: Collection[str], default: str = "") -> str:
    value = query.get(name, default)
    if value not in allowed:
        raise BadParameter(f"{name} is {value[:80]!r}, not one of {', '.join(allowed)}")
    return value


def _yes(query: Mapping[str, str], name: str) -> bool:
    return _choose(query, name, ("false", "true"), "false") == "true"


def _parts(query: Mapping[str, str]) -> list[Part]:
    parts = query["by"].split(",") if query.get("by") else []
    if len(set(parts)) < len(parts) or not set(parts) <= set(PARTS):
        raise BadParameter(f"by is {query['by'][:80]!r}, not some of {', '.join(PARTS)}, each once")
    return cast(list[Part], parts)


def _only(curves: Curves, query: Mapping[str, str]) -> Only:
    only = {part: query[part] for part in PARTS if part in query}
    for part, value in only.items():
        _check_known(part, value, {key[PARTS.index(part)] for key in curves.keys})
    return cast(Only, only)


def _check_known(part: str, name: str, known: Collection[str]) -> None:
    """Refuse a name that nobody has said; before anybody has said any, each is allowed."""
    if known and name not in known:
        raise BadParameter(f"{part} is {name[:80]!r}; there are {', '.join(sorted(known)[:_NAMED_MAX])}")


def _limit(query: Mapping[str, str]) -> int:
    return _number(query, "limit", PAGE_MAX, 1, PAGE_MAX)


def _number(query: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    value = query.get(name, str(default))
    if not re.fullmatch(r"\d{1,10}", value, re.ASCII) or not least <= int(value) <= most:
        raise BadParameter(f"{name} is {value[:80]!r}, not {least} to {most}")
    return int(value)


def _day(query: Mapping[str, str], name: str, default: int) -> int:
    if name not in query:
        return default
    return day_number(_read_date(query, name, r"\d{4}-\d\d-\d\d", "", "YYYY-MM-DD"))


def _month(query: Mapping[str, str], name: str, default: date) -> date:
    return _read_date(query, name, r"\d{4}-\d\d", "-01", "YYYY-MM") if name in query else default


def _read_date(query: Mapping[str, str], name: str, pattern: str, rest: str, shape: str) -> date:
    value = query[name]
    try:
        day = date.fromisoformat(value + rest) if re.fullmatch(pattern, value, re.ASCII) else None
    except ValueError:
        day = None
    if day is None or not DAY_MIN <= day <= DAY_MAX:
        raise BadParameter(f"{name} is {value[:80]!r}, not {shape} from {DAY_MIN} to {DAY_MAX}")
    return day


def _month_after(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def _date(day: int) -> date:
    return EPOCH + timedelta(days=day)
