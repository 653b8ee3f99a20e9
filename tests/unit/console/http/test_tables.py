"""Every table of every page can be taken as a sheet of a workbook, and as CSV for the spreadsheet of a locale."""

import asyncio
import re
from datetime import UTC, date, datetime
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from openpyxl import load_workbook
from starlette.applications import Starlette

from services.console.http import pages
from services.console.http.importing import outcome_tables
from services.console.http.pages import routes
from services.console.live.feed import MoveFeed
from services.console.live.upstream import Upstream
from shared.http.peers import ANONYMOUS
from shared.play.numbering import Numbering
from shared.wire.events import (
    AlertAcknowledged,
    DemandForecast,
    NoteAdded,
    PartyDeclared,
    PartyRole,
    SiteDeclared,
    StockCounted,
    StockOpened,
)
from testing.lines import KEY, Story
from testing.played import Played, advanced, numbered, play

TEMPLATES = Path(pages.__file__).parent / "templates"
WITHOUT_TABLES = {"/events/{source}/{id}", "/live", "/login", "/logout", "/static/{name}"}
PATHS = [route.path for route in routes(None, None, {}) if route.path not in {*WITHOUT_TABLES, "/import"}]
PATHS.append("/shortages?")
find_tables = re.compile(r"<table\b[^>]*>").findall
names_of = re.compile(r'<table\b[^>]*\sdata-rows="([^"]+)"').findall


class Services(httpx.AsyncBaseTransport):
    """The aggregator and the ledger of a log that was played."""

    def __init__(self, played: Played) -> None:
        vars(played).pop("view", None)  # its lock is of one event loop
        self.apps = {
            "aggregator": httpx.ASGITransport(played.app), "ledger": httpx.ASGITransport(played.ledger_app)
        }  # fmt: skip

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self.apps[request.url.host].handle_async_request(request)


@pytest.fixture(scope="module")
def played() -> Played:
    """390 committed and 20 forecast for 380 required; one event is refused, one supply is overdue."""
    story = Story()
    story.order(1, 380, 12)
    story.commit(1, 390, 10, line="d", reason="one lot was lost")
    story.commit(1, 5, 3, line="c")
    story.say(2, StockOpened(wafers=30, **KEY))
    story.commit(2, 350, 10, 1, line="d")
    story.say(3, StockCounted(counted=5, **KEY))
    site = {"site": KEY["site"], "name": "Abilene", "country": "US", "mooring": "onshore", "mw": 1200}
    site |= {"pue_percent": 120, "land_ha": None, "waterplane_m2": None, "kg_co2_per_mwh": 350, "revision": 0}
    story.say(3, SiteDeclared(evidence="a permit", confidence="sourced", **site))
    forecast = {"line": "f", "due": date(2026, 5, 20), "wafers": 20, "revision": 0, "site": "narvik"}
    story.say(3, DemandForecast(**(KEY | forecast)))
    planner, day = Numbering("planner"), datetime(2026, 4, 3, tzinfo=UTC)
    seen = AlertAcknowledged(alert="source_silent/samsung", assignee="Kim", revision=0)
    note = NoteAdded(note="n", about=f"product/{KEY['product']}", text="a lot is late", revision=0)
    role = PartyRole(role="tenant", of="site", name=KEY["site"], basis="a lease")
    party = PartyDeclared(party="cloud", name="Cloud", roles=[role], revision=0)
    story.log += [planner.emit(day, data) for data in (seen, note, party)]
    events = [event.cloud_event() for event in story.log]
    refused = {**events[1], "id": f"{events[1]['id'][:-4]}eeee", "data": {**events[1]["data"], "wafers": -1}}
    marks = [advanced(source, date(2026, 4, 4)) for source in ("samsung", "americas")]
    return play(numbered([*events, refused, *marks]), batches=1)


def get(played: Played, path: str, accept_language: str = "", **query: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        upstream = Upstream(ANONYMOUS, "http://aggregator", "http://ledger", Services(played))
        console = httpx.ASGITransport(Starlette(routes=routes(upstream, MoveFeed(), {})))
        async with httpx.AsyncClient(transport=console, base_url="http://console") as client:
            return await client.get(path, params=query or None, headers={"accept-language": accept_language})

    return asyncio.run(ask())


def asked(path: str) -> tuple[str, dict[str, str]]:
    """Return the address of a page with all its tables; `/shortages?` is that of all groups."""
    if path == "/shortages?":
        return "/shortages", {}
    queries = {
        "/shortages": {"product": KEY["product"], "site": KEY["site"]},
        "/lines": {"state": "all"},
        "/search": {"q": "abilene"},
        "/movements": {"product": KEY["product"], "site": KEY["site"], "types": "stock.opened", "since": "0"},
    }
    return path.replace("{site}", KEY["site"]), queries.get(path, {})


@pytest.mark.parametrize("template", sorted(TEMPLATES.glob("*.j2")), ids=lambda path: path.name)
def test_each_table_of_a_template_names_its_rows(template):
    text = template.read_text()

    assert len(names_of(text)) == len(find_tables(text))


@pytest.mark.parametrize("path", PATHS)
def test_each_table_of_a_page_is_a_sheet_of_its_workbook(played, path):
    path, query = asked(path)
    page, answer = get(played, path, **query), get(played, path, format="xlsx", **query)

    assert (page.status_code, answer.status_code) == (200, 200), answer.text
    shown, workbook = set(names_of(page.text)), load_workbook(BytesIO(answer.content))
    assert shown <= set(workbook.sheetnames)
    assert workbook.sheetnames[-1] == "About"
    for name in shown:
        assert workbook[name].freeze_panes == "A2"
        assert workbook[name].max_row > 1
        rows = get(played, path, format="csv", table=name, **query).text.splitlines()
        assert len(rows) == workbook[name].max_row


def test_the_pages_show_every_table_that_a_template_names(played):
    """Else the test above would compare nothing."""
    shown = {name for path in PATHS for at, query in [asked(path)] for name in names_of(get(played, at, **query).text)}
    named = {
        name for file in TEMPLATES.glob("*.j2") if file.name != "import.html.j2" for name in names_of(file.read_text())
    }

    # of a day that went back, of lots, and of synthetic sites
    assert named - shown <= {"last plan", "age by product", "synthetic months"}


def test_the_tables_of_an_import_are_those_of_its_page():
    tables = outcome_tables({"events": [{"place": "row 2"}], "problems": []}, {"moved": [{"product": "P"}]})

    assert set(tables) == set(names_of((TEMPLATES / "import.html.j2").read_text()))


def test_csv_is_that_of_the_locale_asked_for(played):
    answer = get(played, "/lines", state="all", format="csv", locale="de_DE")

    assert answer.content.startswith(b"\xef\xbb\xbf")
    assert ";" in answer.text.splitlines()[0]
    assert get(played, "/lines", state="all", format="csv").text.startswith("due") is False
    assert not get(played, "/lines", state="all", format="csv").content.startswith(b"\xef\xbb\xbf")
    assert get(played, "/lines", state="all", format="csv", locale="tlh").status_code == 400


@pytest.mark.parametrize(
    ("language", "offered"), [("de-DE,de;q=0.9", True), ("en-US", False), ("", False), ("tlh", False)]
)
def test_a_page_offers_the_csv_of_the_browsers_language_where_it_differs(played, language, offered):
    assert ("CSV for de-DE" in get(played, "/watermarks", language).text) is offered
