"""Content of the calendar's page: the days of the log, and the positions of one of them."""

import asyncio
import re

from starlette.requests import Request

from services.console.http.address import Filters, is_day
from services.console.http.contents import PageContent, PageContents
from services.console.http.days.month import beside, day_shown, months_of, weeks_of
from shared.http.peers import path_of

PATH = "/calendar"
_is_month = re.compile(r"[12]\d{3}-(0[1-9]|1[0-2])").fullmatch
_is_own_page = re.compile(r"/(?![/\\])[A-Za-z0-9._~/-]*").fullmatch


async def calendar(contents: PageContents, _: Request, filters: Filters) -> PageContent:
    """Return the month and the day that the address chooses, from which to choose how much the page before knows."""
    ledger, aggregator = contents.upstream.ledger, contents.upstream.aggregator
    log, state = await asyncio.gather(ledger("/days"), aggregator("/watermarks"))
    rows = log["rows"]
    as_of = filters.as_of if filters.as_of.isdecimal() or is_day(filters.as_of) else ""
    day = day_shown(rows, filters.on if is_day(filters.on) else "", as_of)
    batches = await ledger(path_of("days", day), {"after": filters.after}) if day else {"rows": [], "next": None}
    month = filters.month if _is_month(filters.month) else day[:7]
    if rows:  # beyond the log no day can be chosen
        month = min(max(month, rows[0]["day"][:7]), rows[-1]["day"][:7])
    numbers = {
        "state": state,
        "log": log,
        "as_of": as_of,
        "day": day,
        "month": month,
        "weeks": weeks_of(month, rows, as_of) if month else [],
        "months": months_of(rows),
        "before": beside(month, -1) if rows and rows[0]["day"][:7] < month else "",
        "later": beside(month, 1) if rows and month < rows[-1]["day"][:7] else "",
        "next": batches["next"],
        "positions": batches["rows"],
        "page": filters.page if _is_own_page(filters.page) else "/",
    }
    return PageContent("calendar.html.j2", numbers, tables={"days": rows, "positions": batches["rows"]})
