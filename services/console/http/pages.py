"""The pages: each asks what it shows, all at once, and is rendered here; it works without a script."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import date
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response, StreamingResponse

from services.console.http.address import View
from services.console.http.charts import (
    Spec,
    age_chart,
    committed_of,
    draw_png,
    draw_svg,
    gap_chart,
    is_past,
    kept_chart,
    months_chart,
    projected_chart,
    site_chart,
)
from services.console.http.login import remember
from services.console.live.feed import Live
from services.console.live.upstream import Names, Peers, Unanswered
from shared.http.access import AUDIT, OPEN, READ, ScopedRoute
from shared.http.problem import problem
from shared.http.tabular import write_csv
from shared.wire.catalog import PRODUCTS, share_percent
from shared.wire.event_proof import check_event, proof_paths
from shared.wire.events import FIRMNESS, UNATTRIBUTED

_HERE = Path(__file__).parent
_STATIC = {"console.css": "text/css", "console.js": "text/javascript", "icon.svg": "image/svg+xml"}
_MONTHS_AHEAD = 15
_WEEKS_AHEAD = 26
_LAG_DAYS = 56  # slip is against what was committed so long before it was due: time enough to order elsewhere
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")
_HEADERS = {
    # nothing of another host, and no script that stands in a page
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}

Numbers = dict[str, Any]


class Shown(NamedTuple):
    """What a page shows: its template with the numbers, its charts by name, and the rows that it is a table of."""

    template: str
    numbers: Numbers
    charts: Mapping[str, Spec] = {}
    rows: Sequence[Mapping[str, Any]] = ()


Page = Callable[[Request, View], Awaitable[Shown]]


def routes(peers: Peers, live: Live, services: Mapping[str, str]) -> list[ScopedRoute]:
    """Return the routes of all pages, and of what they load."""
    site = _Site(peers, live, services)
    pages: dict[str, Page] = {
        "/": site.programme,
        "/sites": site.sites,
        "/sites/{site}": site.timeline,
        "/shortages": site.shortages,
        "/suppliers": site.suppliers,
    }
    audited: dict[str, Page] = {"/log": site.log, "/events/{source}/{id}": site.event}  # what the ledger answers
    return [
        *(ScopedRoute(path, partial(site.show, page=page), scope=READ) for path, page in pages.items()),
        *(ScopedRoute(path, partial(site.show, page=page), scope=AUDIT) for path, page in audited.items()),
        ScopedRoute("/live", site.tell, scope=READ),
        ScopedRoute("/login", site.login, scope=OPEN, methods=("GET", "POST")),
        ScopedRoute("/static/{name}", _serve_file, scope=OPEN),
    ]


class _Site:
    """All pages, over the services that they ask."""

    def __init__(self, peers: Peers, live: Live, services: Mapping[str, str]) -> None:
        self.peers = peers
        self.live = live
        self.services = services
        self.names = Names(peers)

    async def show(self, request: Request, page: Page) -> Response:
        """Return a page, or its rows as CSV, or one of its charts as PNG; or what to do where it cannot be shown."""
        view, wanted = View.of(request.query_params), request.query_params.get("format", "")
        try:
            shown = await page(request, view)
        except Unanswered as why:
            if wanted:
                return problem(why.status, str(why))
            told = {"why": str(why), "away": why.status == HTTPStatus.SERVICE_UNAVAILABLE}
            return await self._render("error.html.j2", request, view, told, status=why.status)
        if wanted == "csv" and shown.rows:
            return _download(write_csv(shown.rows), "text/csv", request, shown, "csv")
        chart = request.query_params.get("chart", "")
        if wanted == "png" and chart in shown.charts:
            return _download(await draw_png(shown.charts[chart]), "image/png", request, shown, "png", chart)
        if wanted:
            charts = "".join(f", format=png&chart={name}" for name in shown.charts)
            return problem(404, f"this page has no such format; there are {'format=csv' * bool(shown.rows)}{charts}")
        drawn = await asyncio.gather(*map(draw_svg, shown.charts.values()))
        charts_ = dict(zip(shown.charts, drawn, strict=True))
        return await self._render(
            shown.template, request, view, shown.numbers | {"charts": charts_, "rows": shown.rows}
        )

    async def _render(
        self, template: str, request: Request, view: View, numbers: Numbers, status: int = 200
    ) -> Response:
        page = _templates.get_template(template)
        html = page.render(
            view=view,
            path=request.url.path,
            products=PRODUCTS,
            firmness=FIRMNESS,
            names=await self.names.known(),
            quiet_s=self.live.quiet_s,
            **numbers,
        )
        return HTMLResponse(html, status_code=status, headers=_HEADERS)

    async def programme(self, _: Request, view: View) -> Shown:
        """Return whether the programme is covered, until when, on whose word, and what is short first."""
        ask, by_key = self.peers.aggregator, view.params("product", "site", "supplier")
        by_group = view.params("product", "site")
        months, rolling, alerts, worst, *grades = await asyncio.gather(
            ask("/months", by_key),
            ask("/balances", by_key | {"window": "30", "basis": "start"}),
            ask("/alerts", {"limit": "8"} | view.params()),
            ask("/shortages", by_group | {"limit": "1", "why": "true", "firmness": view.grade}),
            *(ask("/shortages", by_group | {"limit": "5", "firmness": grade}) for grade in FIRMNESS),
        )
        shown = _months_shown(months["rows"], months["complete_through"], view.grade)
        through = months["complete_through"]
        numbers = {
            "standing": months,
            "rolling": rolling["rows"][0] if rolling["rows"] else None,
            "share": share_percent(rolling["rows"][0]["supply"]) if rolling["rows"] else None,
            "months": shown,
            "short": worst["rows"][0] if worst["rows"] else None,
            "today": worst["today"],
            "by_grade": dict(zip(FIRMNESS, grades, strict=True)),
            "alerts": alerts,
            "oldest": min(months["position"], worst["position"], alerts["position"]),  # the plan is behind the fold
        }
        charts = {"months": months_chart(shown, through)} if shown else {}
        if shown and not view.supplier:  # orders name none, so of one alone there is no gap
            charts["gap"] = gap_chart(shown, through)
        return Shown("programme.html.j2", numbers, charts, [_month_row(row) for row in shown])

    async def shortages(self, _: Request, view: View) -> Shown:
        """Return who is short, the first first; of one that is chosen also why."""
        asked = view.params("product", "site", "offset") | {"firmness": view.grade}
        answer = await self.peers.aggregator("/shortages", asked | {"limit": "50"})
        why, ahead, charts = None, [], dict[str, Spec]()
        if view.product and view.site:
            of_one = view.params("product", "site") | {"firmness": view.grade}
            explained, promised = await asyncio.gather(
                self.peers.aggregator("/shortages", of_one | {"why": "true", "limit": 1}),
                self.peers.aggregator("/atp", of_one | {"bucket": "week", "buckets": _WEEKS_AHEAD}),
            )
            why, ahead = (explained["rows"] or [None])[0], promised["rows"]
            charts = {"ahead": projected_chart(ahead)} if ahead else {}
        numbers = {"standing": answer, "answer": answer, "why": why, "ahead": ahead}
        return Shown("shortages.html.j2", numbers, charts, answer["rows"])

    async def sites(self, _: Request, view: View) -> Shown:
        """Return every site with its phases, needs and cover; what somebody announced apart from what is assumed."""
        answer = await self.peers.aggregator("/sites", view.params("site") | {"firmness": view.grade})
        known = [row for row in answer["rows"] if row["confidence"] == "sourced"]
        parts = {"Announced": known, "Assumed": [row for row in answer["rows"] if row not in known]}
        return Shown("sites.html.j2", {"standing": answer, "parts": parts}, rows=answer["rows"])

    async def timeline(self, request: Request, view: View) -> Shown:
        """Return what was said of a site, month by month what it needs, and what comes."""
        name = request.path_params["site"]
        answer = await self.peers.aggregator(f"/sites/{quote(name)}/timeline", view.params("product"))
        months = answer["months"]
        charts = {"months": site_chart(months, answer["complete_through"])} if months else {}
        return Shown("site.html.j2", {"standing": answer, "answer": answer, "name": name}, charts, months)

    async def suppliers(self, _: Request, view: View) -> Shown:
        """Return the suppliers side by side: what they committed and what came, and what is in their fabs."""
        ask, of_product = self.peers.aggregator, view.params("product")
        of_key = view.params("product", "site")
        stages, made = await asyncio.gather(
            ask("/balances", {"by": "supplier", "basis": "receipt"} | of_key),
            ask("/suppliers", of_product | {"lag": _LAG_DAYS}),
        )
        names = [row["supplier"] for row in stages["rows"] if row["supplier"] != UNATTRIBUTED]
        names = [name for name in names if view.supplier in ("", name)]
        found = await asyncio.gather(*(ask(f"/suppliers/{quote(name)}/performance", of_product) for name in names),
                                     *(ask("/months", of_key | {"supplier": name}) for name in names))  # fmt: skip
        kept, months = found[: len(names)], found[len(names) :]
        rows = [row for row in made["rows"] if row["supplier"] in names]
        numbers = {
            "standing": made,
            "suppliers": {
                name: {
                    "stages": next(row for row in stages["rows"] if row["supplier"] == name),
                    "made": {row["product"]: row for row in rows if row["supplier"] == name},
                    "kept": {row["product"]: row for row in answer["rows"]},
                    "aged": _aged(row for row in rows if row["supplier"] == name),
                }
                for name, answer in zip(names, kept, strict=True)
            },
            "lag_weeks": _LAG_DAYS // 7,
        }
        return Shown("suppliers.html.j2", numbers, _supplier_charts(numbers["suppliers"], months), rows)

    async def log(self, _: Request, view: View) -> Shown:
        """Return the alerts that are open, the health of each service, and what was refused."""
        alerts, refusals, head, *health = await asyncio.gather(
            self.peers.aggregator("/alerts", view.params("offset") | {"limit": "50"}),
            self.peers.ledger("/refusals"),
            self.peers.ledger("/head"),
            *(self.peers.health(url) for url in self.services.values()),
        )
        numbers = {
            "standing": alerts,
            "alerts": alerts,
            "refusals": list(reversed(refusals))[:20],
            "refused": len(refusals),
            "head": head,
            "health": dict(zip(self.services, health, strict=True)),
        }
        return Shown("log.html.j2", numbers, rows=alerts["rows"])

    async def event(self, request: Request, view: View) -> Shown:
        """Return one event as it was said, and the proof of where it stands in the chain."""
        source, number, ask = request.path_params["source"], request.path_params["id"], self.peers.ledger
        found, standing = await asyncio.gather(
            ask(f"/events/{quote(source)}/{quote(number)}"),
            self.peers.aggregator("/months", view.params()),
        )
        head = await ask("/head")  # asked after the event: an older head would end before the event's batch
        batches = await asyncio.gather(*(ask(path) for path in proof_paths(found, head)))
        proof = check_event(source, number, found, head, batches)
        numbers = {"found": found, "source": source, "number": number, "head": batches[0]["head"], "proof": proof}
        return Shown("event.html.j2", {"standing": standing} | numbers)

    async def tell(self, _: Request) -> Response:
        """Return what tells an open page that balances have moved."""
        return StreamingResponse(self.live.events(), media_type="text/event-stream", headers=_HEADERS)

    async def login(self, request: Request) -> Response:
        """Ask for the token, or remember the one that was typed."""
        if request.method == "POST":
            form = parse_qs((await request.body()).decode())
            return remember(request, form.get("token", [""])[0].strip(), form.get("next", ["/"])[0])
        return await self._render("login.html.j2", request, View(), {"next": request.query_params.get("next", "/")})


def _supplier_charts(suppliers: Mapping[str, Numbers], months: Sequence[Numbers]) -> dict[str, Spec]:
    """Return for each supplier what it committed and what came, and what is in its fabs; both drawn to one scale."""
    shown = [_months_shown(each["rows"], each["complete_through"], FIRMNESS[0]) for each in months]
    first = min((rows[0]["month"] for rows in shown if rows), default="")
    last = max((rows[-1]["month"] for rows in shown if rows), default="")
    kept = [[row for row in each["rows"] if first <= row["month"] <= last] for each in months] if first else []
    most = max((max(committed_of(row), row["receipt"]["received"]) for rows in kept for row in rows), default=0)
    oldest = max((age["wafers"] for each in suppliers.values() for age in each["aged"]), default=0)
    charts = dict[str, Spec]()
    for name, rows, answer in zip(suppliers, kept, months, strict=False):
        charts[f"kept-{name}"] = kept_chart(rows, answer["complete_through"], most)
    for name, each in suppliers.items():
        charts[f"age-{name}"] = age_chart(each["aged"], oldest)
    return charts


def _aged(rows: Iterable[Numbers]) -> list[Numbers]:
    """Return what is in the fabs by age, all products together."""
    total = dict[tuple[int, int | None], int]()
    for age in (age for row in rows for age in row["wip_by_age"] or ()):
        bounds = age["from_days"], age["before_days"]
        total[bounds] = total.get(bounds, 0) + age["wafers"]
    return [{"from_days": first, "before_days": end, "wafers": wafers} for (first, end), wafers in total.items()]


def _months_shown(rows: list[Numbers], complete_through: str | None, grade: str) -> list[Numbers]:
    """Return the months in which anything happens, and not more of the future than one can plan; each with its gap.

    The gap is what was received less what was required; it goes on with what is committed at a grade or firmer.
    """
    moved = [_moved(row) for row in rows]
    busy = [n for n, wafers in enumerate(moved) if wafers * 100 > max(moved)]
    if not busy:
        return []
    now = sum(is_past(row["month"], complete_through) for row in rows)
    gap = 0
    for row in rows:
        receipt = row["receipt"]
        if is_past(row["month"], complete_through):
            gap = receipt["cumulative_gap"]
        else:
            kept = sum(receipt["committed"][each] for each in FIRMNESS[FIRMNESS.index(grade) :])
            gap += kept - receipt["due"] - receipt["forecast"]
        row["gap"] = gap
    return rows[busy[0] : min(busy[-1] + 1, now + _MONTHS_AHEAD)]


def _moved(row: Numbers) -> int:
    """Return the wafers that a month is about: what is required, or, of a supplier alone, what is committed."""
    receipt = row["receipt"]
    return int(receipt["due"] + receipt["forecast"]) or max(committed_of(row), receipt["received"])


async def _serve_file(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _STATIC:
        return problem(404, f"there is no {name[:80]!r}; there are {', '.join(_STATIC)}")
    return FileResponse(_HERE / "static" / name, media_type=_STATIC[name], headers=_HEADERS)


def _month_row(row: Numbers) -> Numbers:
    """Return a month of the programme as a row of its own."""
    receipt = row["receipt"]
    return {
        "month": row["month"],
        "required": receipt["due"],
        "forecast": receipt["forecast"],
        "received": receipt["received"],
        **receipt["committed"],
        "cumulative_gap": row["gap"],
        "letter_of_intent": row["start"]["agreed"],
    }


def _download(
    body: str | bytes, media_type: str, request: Request, shown: Shown, ending: str, part: str = ""
) -> Response:
    """Return what is shown as a file, named for its page and its position."""
    page = [request.url.path.strip("/") or "programme", part, str(shown.numbers["standing"]["position"])]
    name = _NOT_IN_NAMES.sub("-", "-".join(["waferline", *filter(None, page)]))
    disposition = {"Content-Disposition": f'attachment; filename="{name}.{ending}"'}
    return Response(body, media_type=media_type, headers=_HEADERS | disposition)


def _signed(number: float) -> str:
    """Return a number with the minus that people read."""
    return str(number).replace("-", "−")


def _wafers(count: int | None) -> str:
    """Return a number of wafers as people read it; nothing is a dash."""
    return "–" if count is None else f"{count:,}".replace("-", "−")


def _ago(seconds: int) -> str:
    """Return how long ago something was, as people say it."""
    for unit, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= unit:
            return f"{seconds // unit} {name} ago"
    return "just now"


def _day(day: str | None) -> str:
    """Return a day as people read it: 27 May 2026."""
    return "–" if day is None else f"{date.fromisoformat(day):%-d %b %Y}"


_templates = Environment(
    loader=FileSystemLoader(_HERE / "templates"),
    autoescape=select_autoescape(("html.j2",)),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters |= {"wafers": _wafers, "day": _day, "signed": _signed, "ago": _ago}
