"""Content of each page: queries to the aggregator and the ledger, all at once, and the numbers and charts of them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

from starlette.requests import Request

from services.console.http.address import Filters
from services.console.http.charts import (
    Spec,
    age_chart,
    bridge_chart,
    gap_chart,
    months_chart,
    performance_chart,
    projected_chart,
    site_chart,
)
from services.console.http.months import Numbers, committed_of, month_row, months_shown, wip_by_age
from services.console.http.sites import shorts_by_kind, sites_by_kind
from services.console.live.upstream import NoAnswer, Upstream
from shared.http.peers import path_of
from shared.programme.shares import share_percent
from shared.wire.event_proof import check_event, proof_paths
from shared.wire.events import UNATTRIBUTED
from shared.wire.firmness import FIRMNESS

_WEEKS_AHEAD = 26
_BRIDGE_WITHIN_S = 1.0  # the first page does not wait until a past is folded
_LAG_DAYS = 56  # slip is against the commits of eight weeks before the due day: time enough to order elsewhere


Rows = Sequence[Mapping[str, Any]]


class PageContent(NamedTuple):
    """A template with its numbers, its charts by name, and the rows of each of its tables by name, the main one first.

    `numbers["state"]` is the answer whose position, head and last complete day the page names. In the template a table
    has its name as `data-rows`.
    """

    template: str
    numbers: Numbers
    charts: Mapping[str, Spec] = {}
    tables: Mapping[str, Rows] = {}

    @property
    def rows(self) -> Rows:
        """The rows of the main table."""
        return next(iter(self.tables.values()), ())


class PageContents:
    """The content of every page for one visitor, from the answers of the aggregator and the ledger."""

    def __init__(self, upstream: Upstream, service_urls: Mapping[str, str]) -> None:
        self.upstream = upstream
        self.service_urls = service_urls

    async def programme(self, _: Request, filters: Filters) -> PageContent:
        """Return whether the programme is covered and until when, by firmness, and the first shortage."""
        ask, by_key = self.upstream.aggregator, filters.params("product", "site", "supplier")
        by_group = filters.params("product", "site")
        months, *rolling, sites, alerts, worst, to_act_on = await asyncio.gather(
            ask("/months", by_key),
            ask("/balances", by_key | {"window": "30", "basis": "start"}),
            ask("/balances", by_key | {"window": "30", "basis": "receipt"}),
            self._sites(filters),
            ask("/alerts", {"limit": "8"} | by_key),
            ask("/shortages", by_group | {"limit": "1", "firmness": filters.grade}),
            ask("/shortages", by_group | {"limit": "1", "firmness": filters.grade, "order": "act_by"}),
        )
        grades = await asyncio.gather(
            *(ask("/shortages", by_group | {"limit": "1", "firmness": grade}) for grade in FIRMNESS)
        )
        short, soonest = (each["rows"][0] if each["rows"] else None for each in (worst, to_act_on))
        bridge = None
        if short is not None:
            chosen = filters.params() | {"product": short["product"], "site": short["site"], "firmness": filters.grade}
            bridge = await self._bridge(chosen | {"day": short["first_short_day"]}, within_s=_BRIDGE_WITHIN_S)
        through = months["complete_through"]
        shown = months_shown(months["rows"], through, filters.grade)
        shorts = shorts_by_kind(sites["rows"], filters)
        numbers = {
            "state": months,
            **_last_days(*(answer["rows"] for answer in rolling), target=months["target_wafers"]),
            "rolling_day": rolling[0]["day"],
            "months": shown,
            "short": short,
            "soonest": soonest if soonest is not None and soonest["act_by"] else None,
            "bridge": bridge,
            "cause": _largest_loss(bridge),
            "short_count": worst["count"],
            "shorts": shorts,
            "all_shorts": [each for kind in shorts.values() for each in kind],
            "today": worst["today"],
            "by_grade": _grade_rows(grades),
            "before": await self._last_plan(worst, by_group | {"limit": "5", "firmness": filters.grade}),
            "alerts": alerts,
            "oldest": min(months["position"], worst["position"], alerts["position"]),  # the plan is behind the fold
        }
        charts = {"months": months_chart(shown, through)} if shown else {}
        if shown and not filters.supplier:  # orders name no supplier, so one supplier alone has no gap
            charts["gap"] = gap_chart(shown, through)
        tables = {
            "months": [month_row(row) for row in shown],
            "grades": [{"firmness": row["grade"], "count": row["answer"]["count"]} | _unnested(row["first"])
                       for row in numbers["by_grade"]],
        }  # fmt: skip
        return PageContent("programme.html.j2", numbers, charts, tables | _last_plan_table(numbers["before"]))

    async def shortages(self, _: Request, filters: Filters) -> PageContent:
        """Return all shortages, those to act on first; with its reasons where one is chosen."""
        query = filters.params("product", "site", "offset") | {"firmness": filters.grade, "order": "act_by"}
        answer = await self.upstream.aggregator("/shortages", query | {"limit": "50"})
        why, bridge, ahead, charts = None, None, [], dict[str, Spec]()
        if filters.product and filters.site:
            group = filters.params("product", "site") | {"firmness": filters.grade}
            explained, promised = await asyncio.gather(
                self.upstream.aggregator("/shortages", group | {"why": "true", "limit": 1}),
                self.upstream.aggregator("/atp", group | {"bucket": "week", "buckets": _WEEKS_AHEAD}),
            )
            why, ahead = (explained["rows"] or [None])[0], promised["rows"]
            charts = {"ahead": projected_chart(ahead)} if ahead else {}
            if why is not None and why["first_short_day"] is not None:
                chosen = {"day": filters.day or why["first_short_day"], "since": filters.since}
                bridge = await self._bridge(group | chosen, is_chosen=bool(filters.day or filters.since))
                charts |= {"bridge": bridge_chart(bridge)} if bridge and bridge["rows"] else {}
        before = await self._last_plan(answer, query | {"limit": "50"})
        numbers = {"state": answer, "answer": answer, "why": why, "bridge": bridge, "ahead": ahead, "before": before}
        tables = {"shortages": answer["rows"], "forecast gaps": answer["forecast_gaps"]}
        tables |= _why_tables(why, bridge) | _last_plan_table(before)
        return PageContent("shortages.html.j2", numbers, charts, tables)

    async def _bridge(
        self, query: Mapping[str, str], *, is_chosen: bool = False, within_s: float | None = None
    ) -> Numbers | None:
        """Return how a projected balance came about.

        None while its past is not folded, or not in time: the page does without. A bridge that was chosen has to be
        there: raise `NoAnswer` if it is not.
        """
        try:
            async with asyncio.timeout(within_s):
                bridge: Numbers = await self.upstream.aggregator("/bridge", query)
        except (NoAnswer, TimeoutError):
            if is_chosen:
                raise
            return None
        return bridge

    async def _last_plan(self, answer: Numbers, query: Mapping[str, str]) -> Numbers | None:
        """Return the shortages of the last plan before the day of an answer went back; None if it did not."""
        if answer["went_back"] is None:
            return None
        past = dict(query) | {"as_of": str(answer["went_back"]["position"]), "offset": ""}
        before: Numbers = await self.upstream.aggregator("/shortages", past)
        return before

    async def sites(self, _: Request, filters: Filters) -> PageContent:
        """Return a page of the sites with their phases, needs and cover; announced sites apart from assumed ones."""
        query = filters.params("site", "after") | {"firmness": filters.grade}
        answer = await self.upstream.aggregator("/sites", query)
        numbers = {
            "state": answer,
            "parts": sites_by_kind(answer["rows"]),
            "next": answer["next"],
            "is_all": not filters.after and answer["next"] is None,
        }
        return PageContent("sites.html.j2", numbers, tables={"sites": answer["rows"]})

    async def _sites(self, filters: Filters) -> Numbers:
        """Return the first answer about the sites, with the rows of all its pages."""
        query = filters.params() | {"firmness": filters.grade}
        answer: Numbers = await self.upstream.aggregator("/sites", query)
        after = answer["next"]
        while after is not None:
            page = await self.upstream.aggregator("/sites", query | {"after": after})
            answer["rows"] += page["rows"]
            after = page["next"]
        return answer

    async def timeline(self, request: Request, filters: Filters) -> PageContent:
        """Return a site's declarations, and its requirements and receipts by month."""
        name = request.path_params["site"]
        answer, described = await asyncio.gather(
            self.upstream.aggregator(path_of("sites", name, "timeline"), filters.params("product")),
            self._site(filters, name),
        )
        months = answer["months"]
        charts = {"months": site_chart(months, answer["complete_through"])} if months else {}
        numbers = {"state": answer, "answer": answer, "name": name, "today": described["today"]}
        site = described["rows"][0] if described["rows"] else None
        tables = {"months": months, "time line": answer["entries"]}
        return PageContent("site.html.j2", numbers | {"site": site}, charts, tables)

    async def _site(self, filters: Filters, name: str) -> Numbers:
        """Return the answer about a site; without rows while no plan, which is behind the fold, names it."""
        ask, query = self.upstream.aggregator, filters.params() | {"firmness": filters.grade}
        try:
            answer: Numbers = await ask("/sites", query | {"site": name})
        except NoAnswer as why:
            if why.status != HTTPStatus.NOT_FOUND:
                raise
            answer = await ask("/sites", query | {"limit": "1"}) | {"rows": []}
        return answer

    async def suppliers(self, _: Request, filters: Filters) -> PageContent:
        """Return the suppliers side by side: commits against receipts, and WIP by age."""
        ask, by_product = self.upstream.aggregator, filters.params("product")
        by_key = filters.params("product", "site")
        stages, made = await asyncio.gather(
            ask("/balances", {"by": "supplier", "basis": "receipt"} | by_key),
            ask("/suppliers", by_product | {"lag": _LAG_DAYS}),
        )
        names = [row["supplier"] for row in stages["rows"] if row["supplier"] != UNATTRIBUTED]
        names = [name for name in names if filters.supplier in ("", name)]
        found = await asyncio.gather(*(ask(path_of("suppliers", name, "performance"), by_product) for name in names),
                                     *(ask("/months", by_key | {"supplier": name}) for name in names))  # fmt: skip
        performances, months = found[: len(names)], found[len(names) :]
        rows = [row for row in made["rows"] if row["supplier"] in names]
        suppliers = {
            name: {
                "stages": next(row for row in stages["rows"] if row["supplier"] == name),
                "made": {row["product"]: row for row in rows if row["supplier"] == name},
                "performance": {row["product"]: row for row in answer["rows"]},
                "wip_by_age": wip_by_age(row for row in rows if row["supplier"] == name),
            }
            for name, answer in zip(names, performances, strict=True)
        }
        numbers = {"state": made, "suppliers": suppliers, "lag_weeks": _LAG_DAYS // 7}
        tables = {
            "suppliers": rows,
            "stages": [each["stages"] for each in suppliers.values()],
            "performance": [{"supplier": name} | row for name, each in suppliers.items()
                            for row in each["performance"].values()],
            "age by product": [{"supplier": row["supplier"], "product": row["product"]} | age
                               for row in rows for age in row["wip_by_age"] or ()],
        }  # fmt: skip
        return PageContent("suppliers.html.j2", numbers, _supplier_charts(suppliers, months), tables)

    async def lines(self, _: Request, filters: Filters) -> PageContent:
        """Return commits, orders, forecasts and shipments by due day, those that are open or all."""
        query = filters.params("kind", "due", "state", "product", "site", "supplier", "offset")
        answer = await self.upstream.aggregator("/lines", query | {"limit": "100"})
        return PageContent("lines.html.j2", {"state": answer, "answer": answer}, tables={"lines": answer["rows"]})

    async def watermarks(self, _: Request, filters: Filters) -> PageContent:
        """Return the day that each source has completed, and the sources that hold up the last complete day."""
        answer = await self.upstream.aggregator("/watermarks", filters.params())
        tables = {"watermarks": answer["rows"]}
        return PageContent("watermarks.html.j2", {"state": answer, "answer": answer}, tables=tables)

    async def log(self, _: Request, filters: Filters) -> PageContent:
        """Return the open alerts, the health of each service, and the refused events."""
        urls = dict(self.service_urls)  # a party may come while they are asked
        alerts, refusals, head, *health = await asyncio.gather(
            self.upstream.aggregator(
                "/alerts", filters.params("product", "site", "supplier", "offset") | {"limit": "50"}
            ),
            self.upstream.ledger("/refusals"),
            self.upstream.ledger("/head"),
            *(self.upstream.health(url) for url in urls.values()),
        )
        numbers = {
            "state": alerts,
            "alerts": alerts,
            "refusals": list(reversed(refusals))[:20],
            "refused": len(refusals),
            "head": head,
            "health": dict(zip(urls, health, strict=True)),
        }
        sources = [{"source": name} | each for name, each in head["sources"].items()]
        tables = {"alerts": alerts["rows"], "sources": sources, "refused": refusals}
        return PageContent("log.html.j2", numbers, tables=tables)

    async def movements(self, _: Request, filters: Filters) -> PageContent:
        """Return the events behind a bar of movements of a bridge."""
        query = filters.params("product", "site", "types", "since", "through", "by", "after")
        query.pop("as_of", None)  # `through` says it
        found, state = await asyncio.gather(
            self.upstream.ledger("/movements", query), self.upstream.aggregator("/months", filters.params())
        )
        tables = {"movements": found["rows"]}
        return PageContent("movements.html.j2", {"state": state, "next": found["next"]}, tables=tables)

    async def event(self, request: Request, filters: Filters) -> PageContent:
        """Return one event as its source published it, and the proof of its place in the chain."""
        source, id_, ask = request.path_params["source"], request.path_params["id"], self.upstream.ledger
        verdict, state = await asyncio.gather(
            ask(path_of("events", source, id_)),
            self.upstream.aggregator("/months", filters.params()),
        )
        head = await ask("/head")  # asked after the event: an older head would end before the event's batch
        batches = await asyncio.gather(*(ask(path) for path in proof_paths(verdict, head)))
        proof = check_event(source, id_, verdict, head, batches)
        numbers = {"verdict": verdict, "source": source, "id": id_, "head": batches[0]["head"], "proof": proof}
        return PageContent("event.html.j2", {"state": state} | numbers)


Page = Callable[[PageContents, Request, Filters], Awaitable[PageContent]]


def _last_plan_table(before: Numbers | None) -> dict[str, Rows]:
    """Return the shortages of the last plan before the last complete day went back, where it did."""
    return {} if before is None else {"last plan": before["rows"]}


def _why_tables(why: Numbers | None, bridge: Numbers | None) -> dict[str, Rows]:
    """Return the tables of the reasons of a shortage, where one is chosen."""
    tables: dict[str, Rows] = {}
    if why is not None:
        behind = why.get("why", {})
        tables["grades"] = [{"firmness": grade} | short for grade, short in why["by_firmness"].items()]
        tables |= {"overdue": behind.get("overdue", ()), "orders": behind.get("orders", ())}
    if bridge is not None:
        ends = [{"cause": f"projected_{when}", "wafers": bridge[f"projected_{when}"]} for when in ("then", "now")]
        tables["bridge"] = [ends[0], *bridge["rows"], ends[1]]
    return tables


def _unnested(row: Numbers | None) -> Numbers:
    """Return the fields of a row that hold no others."""
    return {name: value for name, value in (row or {}).items() if not isinstance(value, Mapping)}


def _largest_loss(bridge: Numbers | None) -> Numbers | None:
    """Return the bar of a bridge that takes the most wafers; None where none takes any."""
    losses = [row for row in bridge["rows"] if row["wafers"] < 0] if bridge is not None else []
    return min(losses, key=lambda row: row["wafers"], default=None)


def _grade_rows(answers: Sequence[Numbers]) -> list[Numbers]:
    """Return the first shortage at each grade of firmness, a row a grade.

    Product and site, the wafers short now and since when are the same at every grade: where the next rows have the
    same, they are shown once. `span` is the number of rows that they are for, 0 for a row that shows none.
    """
    rows: list[Numbers] = []
    begin: Numbers | None = None  # the row that shows the same
    for grade, answer in zip(FIRMNESS, answers, strict=True):
        first = answer["rows"][0] if answer["rows"] else None
        is_short = first is not None and first["short_since"] and first["first_short_day"] == answer["today"]
        row = {"grade": grade, "answer": answer, "first": first, "is_short": is_short, "span": 1}
        if first and is_short and begin and _name_of(begin["first"]) == _name_of(first):
            begin["span"] += 1
            row["span"] = 0
        else:
            begin = row if is_short else None
        rows.append(row)
    return rows


def _name_of(shortage: Numbers) -> tuple[str, str]:
    return shortage["product"], shortage["site"]


def _last_days(started: Sequence[Numbers], received: Sequence[Numbers], *, target: int | None) -> Numbers:
    """Return the balance of the last days, and its share of the programme's target where one is declared.

    It is on the start basis, unless a supplier moves wafers and reports no lots: its starts are not known, its receipts
    are.
    """
    basis, rows = ("receipt", received) if any(row["lots_not_reported_by"] for row in started) else ("start", started)
    row = rows[0] if rows else None
    share = None if row is None else share_percent(row["supply"], target)
    return {"basis": basis, "rolling": row, "share": share, "target": target}


def _supplier_charts(suppliers: Mapping[str, Numbers], months: Sequence[Numbers]) -> dict[str, Spec]:
    """Return for each supplier commits against receipts, and WIP by age; each kind on one scale for all suppliers."""
    shown = [months_shown(each["rows"], each["complete_through"], FIRMNESS[0]) for each in months]
    first = min((rows[0]["month"] for rows in shown if rows), default="")
    last = max((rows[-1]["month"] for rows in shown if rows), default="")
    common = [[row for row in each["rows"] if first <= row["month"] <= last] for each in months] if first else []
    highest = max((max(committed_of(row), row["receipt"]["received"]) for rows in common for row in rows), default=0)
    widest = max((age["wafers"] for each in suppliers.values() for age in each["wip_by_age"]), default=0)
    charts = dict[str, Spec]()
    for name, rows, answer in zip(suppliers, common, months, strict=False):
        charts[f"kept-{name}"] = performance_chart(rows, answer["complete_through"], highest)
    for name, each in suppliers.items():
        if not each["wip_by_age"]:  # no lots are reported
            continue
        charts[f"age-{name}"] = age_chart(each["wip_by_age"], widest)
    return charts
