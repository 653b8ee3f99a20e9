"""The aggregator's HTTP routes: what is asked, checked strictly, and the page of numbers in answer to it."""

import re
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import date, timedelta
from functools import partial
from typing import Any, cast, get_args

import numpy as np
import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.aggregator.curves import PARTS, Basis, Curves, Grouping, Only, Part
from services.aggregator.kernels import Index
from services.aggregator.netting import zone_of
from services.aggregator.planning import Plan, month_table
from services.aggregator.reading import Reading
from services.aggregator.schedule import schedule
from shared.events import DAY_MAX, DAY_MIN, EPOCH, FIRMNESS, Firmness, day_number

WINDOWS = (1, 7, 30, 90, 365)
PAGE_MAX = 200
BUCKETS = {"day": 1, "week": 7}
_BUCKETS_MAX = 60
_NAMED_MAX = 30  # names in an error

Answer = dict[str, Any]
View = Callable[[Reading, Mapping[str, str]], Awaitable[Answer]]


class BadParameter(Exception):
    """A query parameter is not what is allowed; the message says what is."""


def routes(read: Callable[[], Reading]) -> list[Route]:
    """Return the routes over what `read` gives.

    A page is worked out without a pause in the loop that also folds, so it is of one position and never torn; what
    ranks all groups comes from the plan, which is worked out beside the fold.
    """
    views: dict[str, View] = {
        "/balances": _balances,
        "/shortages": _shortages,
        "/cover": _cover,
        "/atp": _atp,
        "/months": _months,
        "/state": _state,
    }
    return [Route(path, partial(_answer, read=read, view=view)) for path, view in views.items()]


async def _answer(request: Request, read: Callable[[], Reading], view: View) -> Response:
    try:
        return _say(await view(read(), _Query(request)), 200, "application/json")
    except BadParameter as why:
        problem = {"type": "about:blank", "title": "Bad Request", "status": 400, "detail": str(why)}
        return _say(problem, 400, "application/problem+json")


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
    _check_names(query, ("firmness", "past_due", "product", "site", "offset", "limit"))
    firmness = cast(Firmness, _choose(query, "firmness", FIRMNESS, "planned"))
    past_due = _choose(query, "past_due", ("false", "true"), "false") == "true"
    plan = reading.plan
    short = _chosen(plan, plan.shortages(firmness, past_due=past_due), _only(reading.state.curves, query))
    page, turn = _page(query, short)
    rows = []
    for group in page.tolist():
        product, site = plan.grouping.labels[group]
        at = {grade: plan.short(group, grade, past_due=past_due) for grade in FIRMNESS}
        rows.append(
            {
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
        )
    return _planned(plan) | {"firmness": firmness, "past_due": past_due, "short": short.size, "rows": rows, **turn}


async def _cover(reading: Reading, query: Mapping[str, str]) -> Answer:
    _check_names(query, ("product", "site", "offset", "limit"))
    plan = reading.plan
    page, turn = _page(query, _chosen(plan, plan.least_covered(), _only(reading.state.curves, query)))
    rows = []
    for group in page.tolist():
        product, site = plan.grouping.labels[group]
        cover = plan.cover(group)
        assert plan.today is not None
        rows.append(
            {
                "product": product,
                "site": site,
                "on_hand": plan.on_hand(group),
                "backorder": plan.backorder(group),
                "cover": cover._asdict(),
                "cover_days": None if cover.days is None else round(cover.days + cover.left / max(1, cover.next), 1),
                "first_uncovered_day": None if cover.days is None else _iso(plan.today + cover.days),
            }
        )
    return _planned(plan) | {"groups": len(plan.grouping.labels), "rows": rows, **turn}


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
        "next": "/".join(page.labels[-1]) if 0 < first + len(page.labels) < len(whole.labels) else None,
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


def _chosen(plan: Plan, groups: Index, only: Only) -> Index:
    """Return those of some groups that have the product and the site asked for."""
    wanted = [(PARTS.index(cast(Part, part)), value) for part, value in only.items()]
    if not wanted:
        return groups
    labels = plan.grouping.labels
    return np.array([g for g in groups.tolist() if all(labels[g][n] == value for n, value in wanted)], dtype=np.int64)


def _page(query: Mapping[str, str], groups: Index) -> tuple[Index, Answer]:
    """Return the groups of the page asked for, and where the next one begins."""
    offset = _number(query, "offset", 0, 0, 10**9)
    end = offset + _limit(query)
    return groups[offset:end], {"next": end if end < groups.size else None}


# ---------------------------------------------------------------- reading the query


class _Query(dict[str, str]):
    """The query's parameters, each said once."""

    def __init__(self, request: Request) -> None:
        super().__init__()
        for name, value in request.query_params.multi_items():
            if name in self:
                raise BadParameter(f"{name} is given twice")
            self[name] = value


def _check_names(query: Mapping[str, str], allowed: Collection[str]) -> None:
    for name in query:
        if name not in allowed:
            raise BadParameter(f"{name[:80]!r} is no parameter here; there are {', '.join(allowed) or 'none'}")


def _choose(query: Mapping[str, str], name: str, allowed: Collection[str], default: str = "") -> str:
    value = query.get(name, default)
    if value not in allowed:
        raise BadParameter(f"{name} is {value[:80]!r}, not one of {', '.join(allowed)}")
    return value


def _parts(query: Mapping[str, str]) -> list[Part]:
    parts = query["by"].split(",") if query.get("by") else []
    if len(set(parts)) < len(parts) or not set(parts) <= set(PARTS):
        raise BadParameter(f"by is {query['by'][:80]!r}, not some of {', '.join(PARTS)}, each once")
    return cast(list[Part], parts)


def _only(curves: Curves, query: Mapping[str, str]) -> Only:
    only = {part: query[part] for part in PARTS if part in query}
    for n, part in enumerate(PARTS):
        known = {key[n] for key in curves.keys}
        if part in only and known and only[part] not in known:
            raise BadParameter(f"{part} is {only[part][:80]!r}; there are {', '.join(sorted(known)[:_NAMED_MAX])}")
    return cast(Only, only)


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


def _iso(day: int | None) -> str | None:
    return None if day is None else _date(day).isoformat()
