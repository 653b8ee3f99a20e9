"""The pages: each asks what it shows, all at once, and is rendered here; it works without a script."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response, StreamingResponse

from services.console.asking import Peers, Unanswered
from services.console.charts import Spec, draw_png, draw_svg, gap_chart, is_past, months_chart, site_chart
from services.console.live import Live
from services.console.login import remember
from services.console.views import View
from shared.access import AUDIT, OPEN, READ, ScopedRoute
from shared.catalog import PRODUCTS
from shared.events import FIRMNESS
from shared.problem import problem

PROGRAMME_WAFERS = 900_000
"""Wafers a month that the letter of intent of 1 October 2025 speaks of."""

_HERE = Path(__file__).parent
_STATIC = {"console.css": "text/css", "console.js": "text/javascript", "icon.svg": "image/svg+xml"}
_MONTHS_AHEAD = 15
_HEADERS = {
    # nothing of another host, and no script that stands in a page
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline';"
    " base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}

Numbers = dict[str, Any]
Page = Callable[[Request, View], Awaitable[tuple[str, Numbers]]]


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
        ScopedRoute("/chart/{name}.png", site.picture, scope=READ),
        ScopedRoute("/login", site.login, scope=OPEN, methods=("GET", "POST")),
        ScopedRoute("/static/{name}", _serve_file, scope=OPEN),
    ]


class _Site:
    """All pages, over the services that they ask."""

    def __init__(self, peers: Peers, live: Live, services: Mapping[str, str]) -> None:
        self.peers = peers
        self.live = live
        self.services = services

    async def show(self, request: Request, page: Page) -> Response:
        """Return a page, or what to do where it cannot be shown."""
        view = View.of(request.query_params)
        try:
            template, numbers = await page(request, view)
        except Unanswered as why:
            return _render("error.html.j2", request, view, {"why": str(why)}, status=why.status)
        return _render(template, request, view, numbers)

    async def programme(self, _: Request, view: View) -> tuple[str, Numbers]:
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
        return "programme.html.j2", {
            "standing": months,
            "rolling": rolling["rows"][0] if rolling["rows"] else None,
            "share": _share(rolling["rows"][0]["supply"]) if rolling["rows"] else None,
            "months": shown,
            "short": worst["rows"][0] if worst["rows"] else None,
            "today": worst["today"],
            "by_grade": dict(zip(FIRMNESS, grades, strict=True)),
            "alerts": alerts,
            "chart": await draw_svg(months_chart(shown, through)) if shown else "",
            "gap": await draw_svg(gap_chart(shown, through)) if shown else "",
        }

    async def shortages(self, _: Request, view: View) -> tuple[str, Numbers]:
        """Return who is short, the first first; of one that is chosen also why."""
        asked = view.params("product", "site", "offset") | {"firmness": view.grade}
        answer = await self.peers.aggregator("/shortages", asked | {"limit": "50"})
        why = None
        if view.product and view.site:
            [why] = (await self.peers.aggregator("/shortages", asked | {"why": "true", "limit": 1}))["rows"] or [None]
        return "shortages.html.j2", {"standing": answer, "answer": answer, "why": why}

    async def sites(self, _: Request, view: View) -> tuple[str, Numbers]:
        """Return every site with its phases, needs and cover; what somebody announced apart from what is assumed."""
        answer = await self.peers.aggregator("/sites", view.params("site") | {"firmness": view.grade})
        known = [row for row in answer["rows"] if row["confidence"] == "sourced"]
        return "sites.html.j2", {
            "standing": answer,
            "parts": {"Announced": known, "Assumed": [row for row in answer["rows"] if row not in known]},
        }

    async def timeline(self, request: Request, view: View) -> tuple[str, Numbers]:
        """Return what was said of a site, month by month what it needs, and what comes."""
        name = request.path_params["site"]
        answer = await self.peers.aggregator(f"/sites/{quote(name)}/timeline", view.params())
        chart = await draw_svg(site_chart(answer["months"], answer["complete_through"])) if answer["months"] else ""
        return "site.html.j2", {"standing": answer, "answer": answer, "name": name, "chart": chart}

    async def suppliers(self, _: Request, view: View) -> tuple[str, Numbers]:
        """Return the suppliers side by side."""
        ask = self.peers.aggregator
        rows = (await ask("/balances", {"by": "supplier", "basis": "receipt"} | view.params("product", "site")))["rows"]
        names = [row["supplier"] for row in rows if row["supplier"] != "unattributed"]
        found = await asyncio.gather(*(ask(f"/suppliers/{name}/performance", view.params("product")) for name in names))
        made = (await ask("/suppliers", view.params("product")))["rows"]
        standing = found[0] if found else await ask("/months", view.params())
        stages = {row["supplier"]: row for row in rows}
        return "suppliers.html.j2", {"standing": standing, "suppliers": dict(zip(names, found, strict=True)),
                                     "stages": stages,
                                     "made": {(row["supplier"], row["product"]): row for row in made}}  # fmt: skip

    async def log(self, _: Request, view: View) -> tuple[str, Numbers]:
        """Return the alerts that are open, the health of each service, and what was refused."""
        alerts, refusals, head, *health = await asyncio.gather(
            self.peers.aggregator("/alerts", view.params("offset") | {"limit": "50"}),
            self.peers.ledger("/refusals"),
            self.peers.ledger("/head"),
            *(self.peers.health(url) for url in self.services.values()),
        )
        return "log.html.j2", {
            "standing": alerts,
            "alerts": alerts,
            "refusals": list(reversed(refusals))[:20],
            "refused": len(refusals),
            "head": head,
            "health": dict(zip(self.services, health, strict=True)),
        }

    async def event(self, request: Request, view: View) -> tuple[str, Numbers]:
        """Return one event as it was said, and where it stands in the chain."""
        source, number = request.path_params["source"], request.path_params["id"]
        found, standing = await asyncio.gather(
            self.peers.ledger(f"/events/{source}/{number}"), self.peers.aggregator("/months", view.params())
        )
        return "event.html.j2", {"standing": standing, "found": found, "source": source, "number": number}

    async def tell(self, _: Request) -> Response:
        """Return what tells an open page that balances have moved."""
        return StreamingResponse(self.live.events(), media_type="text/event-stream", headers=_HEADERS)

    async def picture(self, request: Request) -> Response:
        """Return a chart of the programme as PNG."""
        view, draw = View.of(request.query_params), _CHARTS.get(request.path_params["name"])
        if draw is None:
            return problem(404, f"there is no such chart; there are {', '.join(_CHARTS)}")
        try:
            months = await self.peers.aggregator("/months", view.params("product", "site", "supplier"))
        except Unanswered as why:
            return problem(why.status, str(why))
        shown = _months_shown(months["rows"], months["complete_through"], view.grade)
        return Response(await draw_png(draw(shown, months["complete_through"])), media_type="image/png")

    async def login(self, request: Request) -> Response:
        """Ask for the token, or remember the one that was typed."""
        if request.method == "POST":
            form = parse_qs((await request.body()).decode())
            return remember(request, form.get("token", [""])[0].strip(), form.get("next", ["/"])[0])
        return _render("login.html.j2", request, View(), {"next": request.query_params.get("next", "/")})


_CHARTS: dict[str, Callable[[list[Numbers], str | None], Spec]] = {"months": months_chart, "gap": gap_chart}


def _months_shown(rows: list[Numbers], complete_through: str | None, grade: str) -> list[Numbers]:
    """Return the months in which anything happens, and not more of the future than one can plan; each with its gap.

    The gap is what was received less what was required; it goes on with what is committed at a grade or firmer.
    """
    most = max((row["receipt"]["due"] + row["receipt"]["forecast"] for row in rows), default=0)
    busy = [n for n, row in enumerate(rows) if (row["receipt"]["due"] + row["receipt"]["forecast"]) * 100 > most]
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


def _share(wafers: int) -> float:
    """Return the percentage of the programme's wafers a month, to a tenth."""
    return (wafers * 2_000 + PROGRAMME_WAFERS) // (2 * PROGRAMME_WAFERS) / 10


async def _serve_file(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _STATIC:
        return problem(404, f"there is no {name[:80]!r}; there are {', '.join(_STATIC)}")
    return FileResponse(_HERE / "static" / name, media_type=_STATIC[name], headers=_HEADERS)


def _render(template: str, request: Request, view: View, numbers: Numbers, status: int = 200) -> Response:
    page = _templates.get_template(template)
    html = page.render(view=view, path=request.url.path, products=PRODUCTS, firmness=FIRMNESS, **numbers)
    return HTMLResponse(html, status_code=status, headers=_HEADERS)


def _wafers(count: int | None) -> str:
    """Return a number of wafers as people read it; nothing is a dash."""
    return "–" if count is None else f"{count:,}".replace("-", "−")


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
_templates.filters |= {"wafers": _wafers, "day": _day}
