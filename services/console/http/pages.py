"""The pages' routes: each page as HTML, as CSV of its rows, or as PNG of one chart; all work without a script."""

import asyncio
import re
from collections.abc import Mapping
from functools import cache, partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

from services.console.http.address import Filters
from services.console.http.charts import draw_png, draw_svg
from services.console.http.contents import Page, PageContent, PageContents
from services.console.http.days.calendar import PATH as CALENDAR_PATH
from services.console.http.days.calendar import calendar
from services.console.http.importing import (
    LOOKED_AHEAD,
    ImportedSheet,
    look_ahead,
    outcome,
    outcome_tables,
    send_sheet,
    targets,
)
from services.console.http.importing import PATH as IMPORT_PATH
from services.console.http.login import Sessions, WrongLogin, log_in, log_out
from services.console.http.months import Numbers
from services.console.http.remarking import PATH as REMARKS_PATH
from services.console.http.remarking import RemarkForm, publish_remark
from services.console.http.rendering import render
from services.console.http.tables.choice import Rows, address_of_form, choose_columns, read_choices, sort_tables
from services.console.http.tables.layout import arrange_tables
from services.console.http.uploads import UnreadableForm, read_form
from services.console.live.feed import MoveFeed
from services.console.live.upstream import NO_NAMES, FilterNames, NoAnswer, Upstream
from shared.http.access import AUDIT, OPEN, READ, ScopedRoute
from shared.http.problem import BUSY, Problem, problem
from shared.http.tabular import XLSX, CsvStyle, UnknownLocale, csv_style, flatten_rows, write_csv
from shared.wire.firmness import FIRMNESS

_STATIC = {
    "console.css": "text/css",
    "tables.css": "text/css",
    "console.js": "text/javascript",
    "calendar.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")
_HEADERS = {
    # nothing of another host, and no script inside a page
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def routes(
    upstream: Upstream, feed: MoveFeed, service_urls: Mapping[str, str], sessions: Sessions | None = None
) -> list[ScopedRoute]:
    """Return the routes of all pages, of their files, and of the feed; without sessions nobody logs in."""
    pages = _Pages(upstream, feed, service_urls, sessions)
    by_path: dict[str, Page] = {
        "/": PageContents.programme,
        "/sites": PageContents.sites,
        "/sites/{site}": PageContents.timeline,
        "/shortages": PageContents.shortages,
        "/suppliers": PageContents.suppliers,
        "/lines": PageContents.lines,
        "/watermarks": PageContents.watermarks,
        "/worklist": PageContents.worklist,
        "/search": PageContents.search,
        "/since": PageContents.since,
        REMARKS_PATH: PageContents.remarks,
        CALENDAR_PATH: calendar,
    }
    audited: dict[str, Page] = {  # the ledger's answers
        "/log": PageContents.log,
        "/events/{source}/{id}": PageContents.event,
        "/movements": PageContents.movements,
    }
    return [
        *(ScopedRoute(path, partial(pages.show, page=page), scope=READ) for path, page in by_path.items()),
        *(ScopedRoute(path, partial(pages.show, page=page), scope=AUDIT) for path, page in audited.items()),
        ScopedRoute(REMARKS_PATH, pages.publish_remark, scope=READ, methods=("POST",)),
        ScopedRoute(IMPORT_PATH, pages.import_sheet, scope=READ, methods=("GET", "POST")),
        ScopedRoute("/live", pages.stream_moves, scope=READ),
        ScopedRoute("/login", pages.login, scope=OPEN, methods=("GET", "POST")),
        ScopedRoute("/logout", pages.logout, scope=OPEN, methods=("POST",)),
        ScopedRoute("/static/{name}", _serve_file, scope=OPEN),
    ]


class _Pages:
    """Pages as responses."""

    def __init__(
        self, upstream: Upstream, feed: MoveFeed, service_urls: Mapping[str, str], sessions: Sessions | None
    ) -> None:
        self.upstream = upstream
        self.feed = feed
        self.service_urls = service_urls
        self.sessions = sessions if sessions is not None and sessions.are_needed else None
        self.names = FilterNames(upstream)

    async def show(self, request: Request, page: Page) -> Response:
        """Return a page, a table of it as CSV, all its tables as XLSX, or one of its charts as PNG.

        `table` names the table, else it is the main one. `locale` gives the CSV of a spreadsheet of that locale. Page
        and files have the rows and columns that the address chooses. Where a service does not answer, the page has the
        reason.
        """
        moved = address_of_form(request.scope["path"], request.query_params.multi_items())
        if moved is not None:
            return RedirectResponse(moved, status_code=303)
        filters, format_ = Filters.of(request.query_params), request.query_params.get("format", "")
        contents = PageContents(self._upstream_of(request), self.service_urls, days_pass=self.feed.days_pass)
        try:
            content = await page(contents, request, filters)
        except NoAnswer as reason:
            if format_:
                return problem(reason.status, str(reason))
            numbers = {"reason": str(reason), "retry": reason.status == HTTPStatus.SERVICE_UNAVAILABLE}
            return await self._render("error.html.j2", request, filters, numbers, status=reason.status)
        choices = read_choices(filters.columns, filters.sort)
        sort_tables(content.tables, choices)
        if format_:
            return await self._file(request, format_, content, choose_columns(content.tables, choices))
        drawn = await asyncio.gather(*map(draw_svg, content.charts.values()))
        numbers = content.numbers | {"charts": dict(zip(content.charts, drawn, strict=True)), "rows": content.rows}
        return await self._render(content.template, request, filters, numbers)

    async def _file(self, request: Request, format_: str, content: PageContent, tables: Mapping[str, Rows]) -> Response:
        """Return a table of a page, all its tables, or one of its charts, as a file."""
        query = request.query_params
        table = query.get("table", "")
        if format_ == "csv" and (rows := tables.get(table, next(iter(tables.values()), ()))):
            try:
                style = csv_style(query["locale"]) if "locale" in query else CsvStyle()
            except UnknownLocale as why:
                return problem(400, str(why))
            part = table if table in tables else ""
            return _download(write_csv(rows, style=style), "text/csv", request, content, "csv", part)
        if format_ == "xlsx" and any(tables.values()):
            state = content.numbers["state"]
            about = {name: state[name] for name in ("complete_through", "position", "head")}
            body = await run_in_threadpool(_workbook, tables, about)
            return _download(body, XLSX, request, content, "xlsx")
        chart = query.get("chart", "")
        if format_ == "png" and chart in content.charts:
            return _download(await draw_png(content.charts[chart]), "image/png", request, content, "png", chart)
        charts = "".join(f", format=png&chart={name}" for name in content.charts)
        files = "format=csv, format=xlsx" * bool(content.rows)
        return problem(404, f"this page has no such format; there are {files}{charts}")

    async def import_sheet(self, request: Request) -> Response:
        """Return the form for a sheet, its preview, its import, or the sheet with its problems."""
        numbers: dict[str, Any] = {"wrong": "", "look": None, "targets": targets(self.service_urls)}
        status = 200
        if request.method == "POST":
            try:
                sheet = ImportedSheet.of(read_form(request.headers.get("content-type", ""), await request.body()))
                answer = await send_sheet(self._upstream_of(request), self.service_urls, sheet)
                if sheet.step == "problems" and "content-disposition" in answer.headers:
                    kept = {name: answer.headers[name] for name in ("content-type", "content-disposition")}
                    return Response(answer.content, headers=_HEADERS | kept)
                content = answer.json()
                if sheet.step in LOOKED_AHEAD:
                    upstream, url = self._upstream_of(request), self.service_urls["aggregator"]
                    numbers["look"] = await look_ahead(upstream, url, content)
                if sheet.step == "tables":
                    return await _import_tables(content, numbers["look"])
                numbers |= outcome(content, sheet)
            except UnreadableForm as why:
                numbers["wrong"], status = str(why), 400
            except NoAnswer as why:
                # a 403 would lead to the login, where the token that lacks the scope is the right one to read with
                numbers["wrong"], status = str(why), 400 if why.status in (401, 403) else why.status
        return await self._render("import.html.j2", request, Filters(), numbers, status)

    async def publish_remark(self, request: Request) -> Response:
        """Publish the remark of a form, and show all on its subject; or the reason where it is refused."""
        try:
            form = RemarkForm.read(await request.body())
            await publish_remark(self._upstream_of(request), self.service_urls, form)
        except ValueError as why:
            return await self._refuse(request, 400, str(why))
        except NoAnswer as why:  # a 403 would lead to the login, where the token is the right one to read with
            return await self._refuse(request, 400 if why.status in (401, 403) else why.status, str(why))
        about = form.fields.get("about") or f"alert/{form.fields['alert']}"
        return RedirectResponse(Filters(about=about).download(REMARKS_PATH), status_code=303)

    async def _refuse(self, request: Request, status: int, reason: str) -> Response:
        numbers = {"reason": reason, "retry": False}
        return await self._render("error.html.j2", request, Filters(), numbers, status=status)

    def _upstream_of(self, request: Request) -> Upstream:
        """Return the services as they answer the visitor of a request."""
        return self.upstream.as_visitor(self.sessions.visitor_token(request) if self.sessions is not None else None)

    async def _render(
        self, template: str, request: Request, filters: Filters, numbers: Numbers, status: int = 200
    ) -> Response:
        sees_names = self._sees_names(request)
        html = render(
            template,
            filters=filters,
            path=request.scope["path"],
            firmness=FIRMNESS,
            names=await self.names.read() if sees_names else NO_NAMES,
            titles=self.names.titles if sees_names else {},
            has_session=self.sessions is not None and "authorization" in request.headers,
            quiet_s=self.feed.quiet_s,
            locale=_spreadsheet_locale(request),
            **numbers,
        )
        html = arrange_tables(html, request.scope["path"], filters)
        return HTMLResponse(html, status_code=status, headers=_HEADERS)

    def _sees_names(self, request: Request) -> bool:
        """Return whether a visitor may see the names in the filters, which the console reads with its own token."""
        return self.sessions is None or self.sessions.access.may(request, READ)

    async def stream_moves(self, _: Request) -> Response:
        """Return the feed of moves for an open page, as server-sent events."""
        if self.feed.watching >= self.feed.watchers_max:
            raise Problem(
                BUSY, f"{self.feed.watching} pages follow the numbers already (WAFERLINE_WATCHERS_MAX): load this one"
                " again by hand", headers={"Retry-After": "60"},
            )  # fmt: skip
        return StreamingResponse(self.feed.events(), media_type="text/event-stream", headers=_HEADERS)

    async def login(self, request: Request) -> Response:
        """Return the form for the token, or open a session for the token that was typed."""
        wrong, status, wanted = "", 200, request.query_params.get("next", "/")
        if request.method == "POST":
            if self.sessions is None:
                return RedirectResponse("/", status_code=303)
            try:
                return await log_in(request, self.sessions)
            except WrongLogin as why:
                wrong, status = str(why), 400
        numbers = {"next": wanted, "wrong": wrong}
        return await self._render("login.html.j2", request, Filters(), numbers, status)

    async def logout(self, request: Request) -> Response:
        """End the visitor's session."""
        if self.sessions is None:
            return RedirectResponse("/", status_code=303)
        return log_out(request, self.sessions)


async def _serve_file(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _STATIC:
        return problem(404, f"there is no {name[:80]!r}; there are {', '.join(_STATIC)}")
    # whole and from memory: a part, or an answer without a body, would save nothing of a few kilobytes
    return Response(_read_file(name), media_type=_STATIC[name], headers=_HEADERS)


@cache
def _read_file(name: str) -> bytes:
    return (Path(__file__).parent / "static" / name).read_bytes()


async def _import_tables(answer: Numbers, look: Numbers) -> Response:
    """Return the tables of a preview as a workbook."""
    about = {name: answer[name] for name in ("name", "kind", "issued", "sha256")}
    body = await run_in_threadpool(_workbook, outcome_tables(answer, look), about)
    disposition = {"Content-Disposition": 'attachment; filename="waferline-import.xlsx"'}
    return Response(body, media_type=XLSX, headers=_HEADERS | disposition)


def _workbook(tables: Mapping[str, Rows], about: Mapping[str, Any]) -> bytes:
    """Return tables as a workbook, a sheet each; one without rows has none."""
    from shared.http.workbook import ViewSheet, write_workbook  # noqa: PLC0415 (loads the library of workbooks)

    sheets = [ViewSheet(name, *flatten_rows(rows)) for name, rows in tables.items() if rows]
    return write_workbook([*sheets, ViewSheet("About", ("of", "value"), list(about.items()))])


def _spreadsheet_locale(request: Request) -> str:
    """Return the language that a visitor's browser asks for, where its spreadsheets have a delimiter of their own."""
    wanted = request.headers.get("accept-language", "").partition(",")[0].partition(";")[0].strip()
    try:
        return wanted if csv_style(wanted).delimiter != CsvStyle().delimiter else ""
    except UnknownLocale:
        return ""


def _download(
    body: str | bytes, media_type: str, request: Request, content: PageContent, ending: str, part: str = ""
) -> Response:
    """Return a file named for its page and its position."""
    page = [request.scope["path"].strip("/") or "programme", part, str(content.numbers["state"]["position"])]
    name = _NOT_IN_NAMES.sub("-", "-".join(["waferline", *filter(None, page)]))
    disposition = {"Content-Disposition": f'attachment; filename="{name}.{ending}"'}
    return Response(body, media_type=media_type, headers=_HEADERS | disposition)
