"""The aggregator's HTTP routes: what is asked, checked strictly, and the balances in answer to it."""

import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Mapping
from datetime import date, timedelta
from functools import partial
from typing import Any, cast, get_args

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.aggregator.curves import PARTS, Basis, Curves, Only, Part
from services.aggregator.planning import month_table, shortages
from shared.events import DAY_MAX, DAY_MIN, EPOCH, FIRMNESS, Firmness, day_number

WINDOWS = (1, 7, 30, 90, 365)
PAGE_MAX = 200
_NAMED_MAX = 30  # names in an error

Answer = dict[str, Any]
View = Callable[[Curves, Mapping[str, str]], Answer]


class BadParameter(Exception):
    """A query parameter is not what is allowed; the message says what is."""


def routes(snapshot: Callable[[], Curves]) -> list[Route]:
    """Return the routes over the curves that `snapshot` gives.

    An answer is worked out without a pause in the loop that also folds, so it is of one position and never torn.
    """
    views: dict[str, View] = {
        "/balances": _balances,
        "/shortages": _shortages,
        "/months": _months,
        "/state": _state,
    }
    return [Route(path, partial(_answer, snapshot=snapshot, view=view)) for path, view in views.items()]


async def _answer(request: Request, snapshot: Callable[[], Curves], view: View) -> Response:
    try:
        return _say(view(snapshot(), _Query(request)), 200, "application/json")
    except BadParameter as why:
        problem = {"type": "about:blank", "title": "Bad Request", "status": 400, "detail": str(why)}
        return _say(problem, 400, "application/problem+json")


def _say(body: Answer, status: int, media_type: str) -> Response:
    return Response(orjson.dumps(body), status_code=status, media_type=media_type)


# ---------------------------------------------------------------- the four answers


def _balances(curves: Curves, query: Mapping[str, str]) -> Answer:
    _check_names(query, ("by", "window", "basis", "firmness", "day", *PARTS, "after", "limit"))
    by = _parts(query)
    window_days = int(_choose(query, "window", [str(days) for days in WINDOWS], "30"))
    firmness = cast(Firmness | None, _choose(query, "firmness", FIRMNESS) if "firmness" in query else None)
    basis = cast(Basis, _choose(query, "basis", get_args(Basis), "start"))
    if firmness is not None and basis != "receipt":
        raise BadParameter("firmness is of commits, which are due at the dock: ask for basis=receipt with it")
    latest = curves.last_day if curves.complete_through is None else curves.complete_through
    day = _day(query, "day", latest)
    limit = _limit(query)

    only = _only(curves, query)
    grouping = curves.group(by, **only)
    rolled = curves.rolling(day, window_days, basis, by, firmness, **only)
    stages = curves.stages(grouping, day)
    first = bisect_right(grouping.labels, tuple(query["after"].split("/"))) if "after" in query else 0
    last = min(first + limit, len(rolled))
    rows = [
        {
            **dict(zip(by, rolled[n].group, strict=True)),
            "supply": rolled[n].supply,
            "demand": rolled[n].demand,
            "net": rolled[n].net,
            "wip": int(stages.wip[n]),
            "finished": int(stages.finished[n]),
            "in_transit": int(stages.in_transit[n]),
            "on_hand": int(stages.on_hand[n]),
            "open_commit": dict(zip(FIRMNESS, stages.open_commit[:, n].tolist(), strict=True)),
        }
        for n in range(first, last)
    ]
    return _standing(curves) | {
        "day": _iso(day),
        "window_days": window_days,
        "basis": basis,
        "firmness": firmness,
        "by": by,
        "rows": rows,
        "next": "/".join(grouping.labels[last - 1]) if first < last < len(rolled) else None,
    }


def _shortages(curves: Curves, query: Mapping[str, str]) -> Answer:
    _check_names(query, ("firmness", "past_due", *PARTS, "limit"))
    firmness = cast(Firmness, _choose(query, "firmness", FIRMNESS, "planned"))
    past_due = _choose(query, "past_due", ("false", "true"), "false") == "true"
    limit = _limit(query)
    short = shortages(curves, firmness, past_due=past_due, **_only(curves, query))
    rows = [
        {
            "product": each.product,
            "site": each.site,
            "on_hand": each.on_hand,
            "short_since": _iso(each.short_since),
            "first_short_day": _iso(each.by_firmness[firmness].first_short_day),
            "first_shortage": each.by_firmness[firmness].first_shortage,
            "shortage": each.by_firmness[firmness].shortage,
            "by_firmness": {
                grade: {
                    "first_short_day": _iso(at.first_short_day),
                    "first_shortage": at.first_shortage,
                    "shortage": at.shortage,
                    "past_due_supply": each.past_due_supply[grade],
                }
                for grade, at in each.by_firmness.items()
            },
        }
        for each in short[:limit]
    ]
    return _standing(curves) | {
        "today": _iso(curves.today),
        "firmness": firmness,
        "past_due": past_due,
        "short": len(short),
        "rows": rows,
    }


def _months(curves: Curves, query: Mapping[str, str]) -> Answer:
    _check_names(query, ("from", "to", *PARTS))
    begin, end = _date(curves.start), _date(curves.start + curves.days)
    first = _month(query, "from", begin if begin.day == 1 else _month_after(begin))
    last = _month(query, "to", (end.replace(day=1) - timedelta(days=1)))
    try:
        table = month_table(curves, first, last, **_only(curves, query))
    except ValueError as why:
        raise BadParameter(f"from and to: {why}, which is {begin} to {end - timedelta(days=1)}") from why
    rows = [
        {"month": f"{row.month:%Y-%m}", "start": row.start._asdict(), "receipt": row.receipt._asdict()} for row in table
    ]
    return _standing(curves) | {"rows": rows}


def _state(curves: Curves, query: Mapping[str, str]) -> Answer:
    _check_names(query, ())
    return _standing(curves) | {
        "epoch": curves.epoch,
        "state_hash": curves.state_hash(),
        "keys": len(curves.keys),
        "postings": curves.postings,
        "horizon": {"start": _iso(curves.start), "days": curves.days},
        "watermarks": {source: _iso(curves.watermarks.get(source)) for source in sorted(curves.sources)},
    }


def _standing(curves: Curves) -> Answer:
    return {
        "complete_through": _iso(curves.complete_through),
        "position": curves.position,
        "head": curves.head,
    }


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
    value = query.get("limit", str(PAGE_MAX))
    if not re.fullmatch(r"[1-9]\d{0,2}", value, re.ASCII) or int(value) > PAGE_MAX:
        raise BadParameter(f"limit is {value[:80]!r}, not 1 to {PAGE_MAX}")
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
