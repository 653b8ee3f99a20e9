"""Content of each page: queries to the aggregator and the ledger, all at once, and the numbers and charts of them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import NamedTuple

from starlette.requests import Request

from services.console.http.address import Filters
from services.console.http.charts import (
    Spec,
    age_chart,
    bridge_chart,
    gap_chart,
    megawatts_chart,
    months_chart,
    performance_chart,
    projected_chart,
    site_chart,
)
from services.console.http.deciding.grades import first_real, grade_rows, real_rows
from services.console.http.deciding.heat_map import heat_map
from services.console.http.deciding.promised import promised_rows, rows_by_product
from services.console.http.deciding.sites import SYNTHETIC, shorts_by_kind, sites_by_kind
from services.console.http.deciding.verdict import FIRST_CHANGES, FIRST_LINES, find_verdict, real_sites
from services.console.http.months import Numbers, committed_of, month_row, months_shown, wip_by_age
from services.console.http.remarking import planners
from services.console.http.searching import search
from services.console.http.since import changes_of, since_rows
from services.console.http.tables.choice import Rows, sort_rows
from services.console.http.tables.paging import ask_in_order
from services.console.http.tables.rows import items_of, last_plan_table, why_tables, without_nested
from services.console.live.upstream import NoAnswer, Upstream
from shared.http.peers import path_of
from shared.programme.megawatts import sum_megawatts
from shared.programme.shares import share_percent
from shared.wire.event_proof import check_event, proof_paths
from shared.wire.events import UNATTRIBUTED
from shared.wire.firmness import FIRMNESS

_WEEKS_AHEAD = 26
_WEEKS_OF_COVER = 13
_WEEKS_PROMISED = 13
_PAST_WITHIN_S = 1.0  # a page does not wait longer until a past is folded
_SINCE_ROWS = "50"
_LAG_DAYS = 56  # slip is against the commits of eight weeks before the due day: time enough to order elsewhere


class PageContent(NamedTuple):
    """A template with its numbers, its charts by name, and the rows of each of its tables by name, the main one first.

    `numbers["state"]` is the answer whose position, head and last complete day the page names. In the template a table
    has its name as `data-rows`. The rows of a table are the list that its template goes through: it is sorted in place
    where the address chooses an order.
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

    def __init__(self, upstream: Upstream, service_urls: Mapping[str, str], *, days_pass: bool = False) -> None:
        self.upstream = upstream
        self.service_urls = service_urls
        self.days_pass = days_pass

    async def programme(self, _: Request, filters: Filters) -> PageContent:
        """Return whether the programme is covered and until when, by firmness, and the first shortage."""
        ask, by_key = self.upstream.aggregator, filters.params("product", "site", "supplier")
        by_group = filters.params("product", "site", "party")
        months, *rolling, sites, alerts, worst, to_act_on, work, cover, since = await asyncio.gather(
            ask("/months", by_key),
            ask("/balances", by_key | {"window": "30", "basis": "start"}),
            ask("/balances", by_key | {"window": "30", "basis": "receipt"}),
            self._sites(filters),
            ask("/alerts", {"limit": "8"} | by_key | filters.params("party")),
            ask("/shortages", by_group | {"limit": "1", "firmness": filters.grade}),
            ask("/shortages", by_group | {"limit": "1", "firmness": filters.grade, "order": "act_by"}),
            self._work(filters),
            ask("/cover/weeks", by_group | {"firmness": filters.grade, "weeks": _WEEKS_OF_COVER}),
            self._first_changes(filters),
        )
        grades = await asyncio.gather(
            *(ask("/shortages", by_group | {"limit": "1", "firmness": grade}) for grade in FIRMNESS)
        )
        short, soonest = next(iter(worst["rows"]), None), first_real(to_act_on["rows"], filters)
        bridge = None
        if short is not None:
            chosen = filters.params() | {"product": short["product"], "site": short["site"], "firmness": filters.grade}
            bridge = await self._bridge(chosen | {"day": short["first_short_day"]}, within_s=_PAST_WITHIN_S)
        through = months["complete_through"]
        shown = months_shown(months["rows"], through, filters.grade)
        month_rows = [month_row(row) for row in shown]
        shorts = shorts_by_kind(sites["rows"], filters)
        at_sites = [each for kind, held in shorts.items() if kind != SYNTHETIC for each in held]
        numbers = {
            "state": months,
            "verdict": find_verdict(short, at_sites, worst["today"]),
            "megawatts": sum_megawatts(real_sites(sites["rows"], filters)),
            "heat": heat_map(cover),
            "since": since and since | {"rows": [row | {"change": changes_of(row)} for row in since["rows"]]},
            **_last_days(*(real_rows(answer["rows"], filters) for answer in rolling), target=months["target_wafers"]),
            "rolling_day": rolling[0]["day"],
            "months": shown,
            "month_rows": month_rows,
            "synthetic_months": [month_row(row) for row in months_shown(months["synthetic"], through, filters.grade)],
            "short": short,
            "soonest": soonest if soonest is not None and soonest["act_by"] else None,
            "bridge": bridge,
            "cause": _largest_loss(bridge),
            "short_count": worst["count"] - worst["synthetic_count"],
            "shorts": shorts,
            "all_shorts": at_sites,
            "today": worst["today"],
            "by_grade": grade_rows(grades, filters),
            "before": await self._last_plan(worst, by_group | {"limit": "5", "firmness": filters.grade}),
            "alerts": alerts,
            "work": work | {"rows": work["rows"][:FIRST_LINES]},
            "work_rows": len(work["rows"]),
            "oldest": min(months["position"], worst["position"], alerts["position"]),  # the plan is behind the fold
        }
        charts, tables = _programme_charts(shown, through, filters), _programme_tables(numbers, work, cover)
        return PageContent("programme.html.j2", numbers, charts, tables)

    async def shortages(self, _: Request, filters: Filters) -> PageContent:
        """Return all shortages, those to act on first; with its reasons where one is chosen."""
        query = filters.params("product", "site", "party", "offset") | {"firmness": filters.grade, "order": "act_by"}
        ask, order = self.upstream.aggregator, filters.order_of("shortages")
        answer = await ask_in_order(ask, "/shortages", query | {"limit": "50"}, order)
        why, bridge, ahead, charts = None, None, [], dict[str, Spec]()
        if filters.product and filters.site:
            group = filters.params("product", "site") | {"firmness": filters.grade}
            explained, promised = await asyncio.gather(
                self.upstream.aggregator("/shortages", group | {"why": "true", "limit": 1}),
                self.upstream.aggregator("/atp", group | {"at": "sites", "bucket": "week", "buckets": _WEEKS_AHEAD}),
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
        tables |= why_tables(why, bridge) | last_plan_table(before)
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

    async def _first_changes(self, filters: Filters) -> Numbers | None:
        """Return the first changes since the day before; None while it is not folded, or days pass too quickly."""
        if self.days_pass and not filters.as_of:
            return None
        try:
            return await self._since(filters, FIRST_CHANGES)
        except NoAnswer as why:
            if why.status != HTTPStatus.SERVICE_UNAVAILABLE:
                raise
            return None

    async def _since(self, filters: Filters, limit: str, *, within_s: float | None = _PAST_WITHIN_S) -> Numbers | None:
        """Return the first changes since an earlier moment, None if its state is not folded in time: that goes on."""
        query = filters.params("product", "site", "supplier", "offset")
        query.pop("as_of", None)
        query |= {"from": filters.since, "to": filters.as_of, "firmness": filters.grade, "limit": limit}
        try:
            async with asyncio.timeout(within_s):
                answer: Numbers = await self.upstream.aggregator("/since", query)
        except TimeoutError:
            return None
        return answer

    async def _last_plan(self, answer: Numbers, query: Mapping[str, str]) -> Numbers | None:
        """Return the shortages of the last plan before the day of an answer went back; None if it did not."""
        if answer["went_back"] is None:
            return None
        past = dict(query) | {"as_of": str(answer["went_back"]["position"]), "offset": ""}
        before: Numbers = await self.upstream.aggregator("/shortages", past)
        return before

    async def sites(self, _: Request, filters: Filters) -> PageContent:
        """Return a page of the sites with their phases, needs and cover; announced sites apart from assumed ones."""
        query, order = filters.params("site", "party", "after") | {"firmness": filters.grade}, filters.order_of("sites")
        answer, footprint, parties = await asyncio.gather(
            ask_in_order(self.upstream.aggregator, "/sites", query, order, turned="after"),
            self.upstream.aggregator("/footprint", filters.params()),
            self.upstream.aggregator("/parties", filters.params("party") | {"firmness": filters.grade}),
        )
        parts = sites_by_kind(answer["rows"])
        numbers = {
            "state": answer,
            "parts": parts,
            "megawatts": {part: sum_megawatts(held) for part, held in parts.items()},
            "footprint": footprint["rows"],
            "parties": parties["rows"],
            "next": answer["next"],
            "is_all": not filters.after and answer["next"] is None,
        }
        tables = {"sites": answer["rows"], "footprint": footprint["rows"], "parties": parties["rows"]}
        return PageContent("sites.html.j2", numbers, tables=tables)

    async def _sites(self, filters: Filters) -> Numbers:
        """Return the first answer about the sites, with the rows of all its pages."""
        return await self._all("/sites", filters.params("party") | {"firmness": filters.grade})

    async def _all(self, path: str, query: Mapping[str, str]) -> Numbers:
        """Return the first answer of a view, with the rows of all its pages."""
        answer: Numbers = await self.upstream.aggregator(path, query)
        after = answer["next"]
        while after is not None:
            page = await self.upstream.aggregator(path, dict(query) | {"after": after})
            answer["rows"] += page["rows"]
            after = page["next"]
        return answer

    async def timeline(self, request: Request, filters: Filters) -> PageContent:
        """Return a site's declarations, and its requirements and receipts by month."""
        name = request.path_params["site"]
        answer, described, promised = await asyncio.gather(
            self.upstream.aggregator(path_of("sites", name, "timeline"), filters.params("product")),
            self._site(filters, name),
            self._promised(filters, name),
        )
        months = answer["months"]
        through = answer["complete_through"]
        charts = {"months": site_chart(months, through)} if months else {}
        if any(row["mw_populated"] is not None and row["mw"] for row in months):
            charts["megawatts"] = megawatts_chart(months, through)
        numbers = {"state": answer, "answer": answer, "name": name, "today": described["today"]}
        site = described["rows"][0] if described["rows"] else None
        tables = {"months": months, "promised": promised, "time line": answer["entries"]}
        numbers |= {"site": site, "promised": promised, "weeks_promised": _WEEKS_PROMISED}
        return PageContent("site.html.j2", numbers, charts, tables)

    async def _promised(self, filters: Filters, site: str) -> list[Numbers]:
        """Return the orders of a site for each product in the next weeks, and the wafers promised to it."""
        query = filters.params("product") | {"at": "sites", "site": site, "buckets": str(_WEEKS_PROMISED)}
        try:
            weeks = rows_by_product((await self._all("/atp", query | {"firmness": filters.grade}))["rows"])
        except NoAnswer as why:
            if why.status != HTTPStatus.NOT_FOUND:
                raise
            return []  # no wafers are recorded of the site
        return promised_rows(weeks)

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
        stages, made, promises = await asyncio.gather(
            ask("/balances", {"by": "supplier", "basis": "receipt"} | by_key),
            ask("/suppliers", by_product | {"lag": _LAG_DAYS}),
            self._all("/atp", by_product | {"at": "supply", "buckets": str(_WEEKS_PROMISED)}),
        )
        names = list(dict.fromkeys(row["supplier"] for row in stages["rows"] if row["supplier"] != UNATTRIBUTED))
        names = [name for name in names if filters.supplier in ("", name)]
        found = await asyncio.gather(*(ask(path_of("suppliers", name, "performance"), by_product) for name in names),
                                     *(ask("/months", by_key | {"supplier": name}) for name in names))  # fmt: skip
        performances, months = found[: len(names)], found[len(names) :]
        rows = [row for row in made["rows"] if row["supplier"] in names]
        suppliers = {
            name: {
                "stages": next(row for row in stages["rows"] if row["supplier"] == name),
                "apart": [row for row in stages["rows"] if row["supplier"] == name and row["synthetic"]],
                "made": {row["product"]: row for row in rows if row["supplier"] == name},
                "performance": {row["product"]: row for row in answer["rows"]},
                "promisable": rows_by_product(
                    [row for row in promises["rows"] if row["supplier"] == name and not row["synthetic"]]
                ),
                "wip_by_age": wip_by_age(row for row in rows if row["supplier"] == name),
            }
            for name, answer in zip(names, performances, strict=True)
        }
        numbers = {
            "state": made,
            "suppliers": suppliers,
            "lag_weeks": _LAG_DAYS // 7,
            "weeks_promised": _WEEKS_PROMISED,
            "synthetic_sites": made["synthetic_sites"],
        }
        tables = {
            "suppliers": rows,
            "stages": [each["stages"] for each in suppliers.values()],
            "performance": [{"supplier": name} | row for name, each in suppliers.items()
                            for row in each["performance"].values()],
            "age by product": [{"supplier": row["supplier"], "product": row["product"]} | age
                               for row in rows for age in row["wip_by_age"] or ()],
            "available to promise": promises["rows"],
        }  # fmt: skip
        return PageContent("suppliers.html.j2", numbers, _supplier_charts(suppliers, months), tables)

    async def lines(self, _: Request, filters: Filters) -> PageContent:
        """Return commits, orders, forecasts and shipments by due day, those that are open or all."""
        query = filters.params("kind", "due", "state", "product", "site", "supplier", "offset")
        query["sort"] = filters.order_of("lines")
        answer = await self.upstream.aggregator("/lines", query | {"limit": "100"})
        return PageContent("lines.html.j2", {"state": answer, "answer": answer}, tables={"lines": answer["rows"]})

    async def worklist(self, _: Request, filters: Filters) -> PageContent:
        """Return the worklist, with the items of each line."""
        work = await self._work(filters)
        return PageContent("worklist.html.j2", {"state": work, "work": work}, tables={"worklist": items_of(work)})

    async def _work(self, filters: Filters) -> Numbers:
        query = filters.params("product", "site", "supplier", "party") | {"firmness": filters.grade}
        work: Numbers = await self.upstream.aggregator("/worklist", query)
        if order := filters.order_of("worklist"):
            rows = [line | {"items": sort_rows(line["items"], order)} for line in work["rows"]]
            work["rows"] = sort_rows(rows, order)
        return work

    async def since(self, request: Request, filters: Filters) -> PageContent:
        """Return the changes since an earlier moment; while that is being folded, a page that says so."""
        wants_rows = "format" in request.query_params
        state = await self.upstream.aggregator("/watermarks", filters.params())
        answer = await self._since(filters, _SINCE_ROWS, within_s=None if wants_rows else _PAST_WITHIN_S)
        if answer is None:
            return PageContent("since.html.j2", {"state": state, "answer": None})
        tables = {"since": since_rows(answer)} | {
            name.replace("_", " "): answer[name]
            for name in ("alerts_raised", "alerts_cleared", "phases", "acknowledged", "notes")
        }
        return PageContent("since.html.j2", {"state": answer, "answer": answer}, tables=tables)

    async def remarks(self, _: Request, filters: Filters) -> PageContent:
        """Return the remarks on one subject, or all, with the form for one more remark."""
        query = filters.params("about", "offset")
        answer = await ask_in_order(self.upstream.aggregator, "/remarks", query, filters.order_of("notes"))
        numbers = {
            "state": answer,
            "answer": answer,
            "about": filters.about,
            "is_alert": filters.about.startswith("alert/"),
            "planners": planners(self.service_urls),
        }
        tables = {"notes": answer["rows"], "acknowledged": answer["acknowledged"]}
        return PageContent("remarks.html.j2", numbers, tables=tables)

    async def search(self, _: Request, filters: Filters) -> PageContent:
        """Return the products, sites, suppliers, sources, lines, events and days that some words name."""
        state, hits, more = await search(self.upstream, filters)
        numbers = {"state": state, "hits": hits, "more": more}
        return PageContent("search.html.j2", numbers, tables={"found": [hit.row() for hit in hits]})

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
                "/alerts", filters.params("product", "site", "supplier", "party", "offset") | {"limit": "50"}
            ),
            self.upstream.ledger("/refusals"),
            self.upstream.ledger("/head"),
            *(self.upstream.health(url) for url in urls.values()),
        )
        sources = [{"source": name} | each for name, each in head["sources"].items()]
        refusals.reverse()  # the latest first
        numbers = {
            "state": alerts,
            "alerts": alerts,
            "refusals": refusals,
            "sources": sources,
            "head": head,
            "health": dict(zip(urls, health, strict=True)),
        }
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


def _largest_loss(bridge: Numbers | None) -> Numbers | None:
    """Return the bar of a bridge that takes the most wafers; None where none takes any."""
    losses = [row for row in bridge["rows"] if row["wafers"] < 0] if bridge is not None else []
    return min(losses, key=lambda row: row["wafers"], default=None)


def _last_days(started: Sequence[Numbers], received: Sequence[Numbers], *, target: int | None) -> Numbers:
    """Return the balance of the last days, and its share of the programme's target where one is declared.

    It is on the start basis, unless a supplier moves wafers and reports no lots: its starts are not known, its receipts
    are.
    """
    basis, rows = ("receipt", received) if any(row["lots_not_reported_by"] for row in started) else ("start", started)
    row = rows[0] if rows else None
    share = None if row is None else share_percent(row["supply"], target)
    return {"basis": basis, "rolling": row, "share": share, "target": target}


def _programme_charts(months: Sequence[Numbers], through: str | None, filters: Filters) -> dict[str, Spec]:
    charts = {"months": months_chart(months, through)} if months else {}
    if months and not filters.supplier:  # orders name no supplier, so one supplier alone has no gap
        charts["gap"] = gap_chart(months, through)
    return charts


def _programme_tables(numbers: Numbers, work: Numbers, cover: Numbers) -> dict[str, Rows]:
    return {
        "months": numbers["month_rows"],
        "synthetic months": numbers["synthetic_months"],
        "grades": [{"firmness": row["grade"], "count": row["count"]} | without_nested(row["first"])
                   for row in numbers["by_grade"]],
        "worklist": items_of(work),
        "weeks of cover": cover["rows"],
    } | last_plan_table(numbers["before"])  # fmt: skip


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
