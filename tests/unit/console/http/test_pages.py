"""The console's pages over a real aggregator: what they show is what it answers, in whatever format."""

import asyncio
import csv
import re
from collections.abc import Callable
from datetime import date
from html import unescape
from html.parser import HTMLParser
from io import StringIO
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.state import FoldState
from services.aggregator.http.routes import routes as aggregator_routes
from services.aggregator.live.view import LiveView
from services.console.http.pages import routes
from services.console.live.feed import MoveFeed
from services.console.live.upstream import Upstream
from shared.http.peers import ANONYMOUS
from shared.wire.postings import Measure
from testing.twins.curves import batch_of

START, DAYS = 20_089, 200  # 2025-01-01
TODAY = START + 60  # 2025-03-02
SAMSUNG, HYNIX = ("HBM4-12H", "ABILENE", "samsung"), ("DDR5-32G", "NARVIK", "skhynix")
ORDERED, FORECAST = ("HBM4-12H", "ABILENE", "unattributed"), ("DDR5-32G", "NARVIK", "unattributed")
LOG = [
    (SAMSUNG, Measure.STARTED, START + 1, 500),
    (SAMSUNG, Measure.STARTED, START + 40, 300),
    (SAMSUNG, Measure.FINISHED, START + 45, 90),
    (SAMSUNG, Measure.SCRAPPED, START + 45, 10),
    (SAMSUNG, Measure.COMMITTED_FIRM, START + 50, 90),
    (SAMSUNG, Measure.COMMITTED_FIRM, START + 70, 40),
    (SAMSUNG, Measure.OPEN_FIRM, START + 70, 40),
    (HYNIX, Measure.STARTED, START + 30, 70),
    (ORDERED, Measure.REQUIRED, START + 50, 90),
    (ORDERED, Measure.REQUIRED, START + 75, 120),
    (FORECAST, Measure.REQUIRED, START + 90, 33),
]


class Html(HTMLParser):
    """The rows of cells of a page, its attributes, and the text of what has an id."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.options: list[str] = []
        self.text: dict[str, str] = {}
        self._ids: list[str] = []
        self._in, self._in_cell = "", False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self._in = tag
        if tag not in ("meta", "link", "input"):
            self._ids.append(dict(attrs).get("id") or "")
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag: str) -> None:
        self._ids.pop()
        self._in_cell = self._in_cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._ids and self._ids[-1]:
            self.text[self._ids[-1]] = self.text.get(self._ids[-1], "") + data.strip()
        if self._in == "option" and data.strip():
            self.options.append(data.strip())
        if self._in_cell:
            self.rows[-1][-1] = f"{self.rows[-1][-1]} {data.strip()}".strip()

    def row(self, name: str) -> list[str]:
        """Return the cells behind the first row head that begins so."""
        return next(row[1:] for row in self.rows if row and row[0].startswith(name))


Get = Callable[..., httpx.Response]


async def empty_log(as_of: str) -> LiveView:
    assert as_of in ("0", "2025-02-28")  # the bridge begins there, and the changes since the day before
    return LiveView(FoldState(Curves(date(2025, 1, 1), DAYS)))


def over(log: list[Any]) -> tuple[Get, Get]:
    """Return how to ask a console for a page, and how to ask the aggregator behind it."""
    curves = Curves(date(2025, 1, 1), DAYS)
    if log:
        curves.add(batch_of(1, log, {"samsung": TODAY - 1, "skhynix": TODAY - 1}, ["samsung", "skhynix"]))
    aggregator = httpx.ASGITransport(
        Starlette(routes=aggregator_routes(lambda: LiveView(FoldState(curves)), empty_log))
    )

    async def ask(path: str, query: dict[str, str], transport: httpx.ASGITransport) -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return await client.get(path, params=query or None)

    def get(path: str, feed: MoveFeed | None = None, **query: str) -> httpx.Response:
        upstream = Upstream(ANONYMOUS, "http://aggregator", "http://ledger", aggregator)
        console = httpx.ASGITransport(Starlette(routes=routes(upstream, feed or MoveFeed(), {})))
        return asyncio.run(ask(path, query, console))

    return get, lambda path, **query: asyncio.run(ask(path, query, aggregator))


@pytest.fixture(scope="module")
def both() -> tuple[Get, Get]:
    return over(LOG)


def shown(number: int | None) -> str:
    return "–" if number is None else f"{number:,}".replace("-", "−")


def test_the_suppliers_page_says_what_the_aggregator_says(both: tuple[Get, Get]) -> None:
    get, ask = both
    html = Html(get("/suppliers", supplier="samsung").text)
    [row] = ask("/suppliers", supplier="samsung", lag="56").json()["rows"]

    assert html.row("yield") == [f"{row['yield']['percent']} %"]
    assert html.row("committed, due") == [shown(row["wafers_due"])]
    assert [html.row(f"{age['from_days']} ")[-1] for age in row["wip_by_age"]] == [
        shown(age["wafers"]) for age in row["wip_by_age"]
    ]


def test_what_the_aggregator_does_not_know_is_a_dash(both: tuple[Get, Get]) -> None:
    html = Html(both[0]("/suppliers", supplier="skhynix").text)

    assert html.row("slip, days") == ["–"]
    assert html.row("yield") == ["not known yet"]


def test_the_programme_as_csv_is_the_table_of_its_page(both: tuple[Get, Get]) -> None:
    get, _ = both
    page, answer = Html(get("/").text), get("/", format="csv")

    rows = list(csv.DictReader(StringIO(answer.text)))
    assert [row["month"] for row in rows] == [row[0] for row in page.rows if row[0].startswith("2025-")]
    for row in rows:
        assert page.row(row["month"])[-2:] == [shown(int(row[name])) for name in ("cumulative_gap", "letter_of_intent")]
    assert answer.headers["content-disposition"] == 'attachment; filename="waferline-programme-1.csv"'


def test_shortages_as_csv_are_those_of_the_aggregator(both: tuple[Get, Get]) -> None:
    get, ask = both
    rows = list(csv.DictReader(StringIO(get("/shortages", format="csv").text)))

    assert [(row["product"], row["first_short_day"], int(row["shortage"])) for row in rows] == [
        (row["product"], row["first_short_day"], row["shortage"]) for row in ask("/shortages").json()["rows"]
    ]
    assert rows


def test_the_bridge_on_the_page_is_that_of_the_aggregator_and_sums(both: tuple[Get, Get]) -> None:
    get, ask = both
    query = {"product": "HBM4-12H", "site": "ABILENE"}
    [short] = ask("/shortages", **query).json()["rows"]
    bridge = ask("/bridge", day=short["first_short_day"], **query).json()

    html = Html(get("/shortages", **query).text)
    assert html.row("projected then")[0] == shown(bridge["projected_then"])
    assert [html.row(row["cause"].replace("_", " "))[0] for row in bridge["rows"]] == [
        shown(row["wafers"]) for row in bridge["rows"]
    ]
    assert html.row("projected now")[0] == shown(-short["first_shortage"])


@pytest.mark.parametrize(
    ("path", "query", "chart"),
    [
        ("/", {}, "months"),
        ("/", {}, "gap"),
        ("/suppliers", {}, "kept-samsung"),
        ("/suppliers", {}, "age-skhynix"),
        ("/sites/ABILENE", {}, "months"),
        ("/shortages", {"product": "HBM4-12H", "site": "ABILENE"}, "ahead"),
        ("/shortages", {"product": "HBM4-12H", "site": "ABILENE"}, "bridge"),
    ],
)
def test_each_chart_of_a_page_can_be_taken_as_a_picture(
    both: tuple[Get, Get], path: str, query: dict[str, str], chart: str
) -> None:
    get, _ = both
    page, picture = get(path, **query), get(path, **query, format="png", chart=chart)

    assert f'id="chart-{chart}"' in page.text
    assert picture.content.startswith(b"\x89PNG")


def test_a_format_that_a_page_has_not_is_refused_with_those_that_it_has(both: tuple[Get, Get]) -> None:
    answer = both[0]("/", format="png", chart="pie")

    assert answer.status_code == 404
    assert answer.json()["detail"].endswith(
        "there are format=csv, format=xlsx, format=png&chart=months, format=png&chart=gap"
    )


def test_of_one_supplier_alone_there_is_no_demand_and_no_gap(both: tuple[Get, Get]) -> None:
    page = both[0]("/", supplier="samsung").text

    assert (Html(page).text["demand"], Html(page).text["net"]) == ("–", "–")
    assert 'id="chart-months"' in page
    assert 'id="chart-gap"' not in page


def test_a_page_says_how_old_it_is_and_one_of_the_past_that_it_stands_still(both: tuple[Get, Get]) -> None:
    get, feed = both[0], MoveFeed()
    feed.start_at(b'{"position": 1}', quiet_s=250)

    assert Html(get("/", feed).text).text["live"] == "last event 4 min ago"
    assert Html(get("/", MoveFeed()).text).text["live"] == "last event just now"


@pytest.mark.parametrize("path", ["/", "/suppliers", "/sites", "/shortages"])
def test_an_aggregator_that_refuses_is_quoted_with_its_status(both: tuple[Get, Get], path: str) -> None:
    get, ask = both
    refused = ask("/balances", site="ATLANTIS")

    page, rows = get(path, product="ATLANTIS"), get(path, product="ATLANTIS", format="csv")
    if path == "/sites":  # which knows sites only
        page, rows = get(path, site="ATLANTIS"), get(path, site="ATLANTIS", format="csv")
    assert page.status_code == rows.status_code == refused.status_code
    assert "This cannot be shown." in page.text
    assert "&#39;ATLANTIS&#39;; there are" in page.text
    assert "'ATLANTIS'; there are" in rows.json()["detail"]


@pytest.mark.parametrize("path", ["/", "/suppliers", "/sites", "/sites/ABILENE", "/shortages"])
def test_a_page_holds_no_script_no_style_and_no_address_of_another_host(both: tuple[Get, Get], path: str) -> None:
    html = Html(both[0](path).text)

    names = {name for _, name, _ in html.attributes}
    assert "style" not in names
    assert not {name for name in names if name.startswith("on")}
    sources = [value for _, name, value in html.attributes if name in ("href", "src", "action")]
    assert sources
    assert [source for source in sources if not source.startswith(("/", "#"))] == []


def test_the_names_that_there_are_can_be_chosen(both: tuple[Get, Get]) -> None:
    html = Html(both[0]("/").text)

    assert {"ABILENE", "NARVIK", "samsung", "skhynix"} <= set(html.options)
    assert "unattributed" not in html.options


@pytest.mark.parametrize("path", ["/", "/suppliers", "/sites", "/shortages"])
def test_before_the_first_event_a_page_says_how_to_begin(path: str) -> None:
    answer = over([])[0](path)

    assert answer.status_code == 200
    assert "Nothing" in answer.text


def test_very_many_sites_come_in_pages() -> None:
    names = [f"SITE-{n:03}" for n in range(450)]
    get, _ = over([(("HBM4-12H", name, "unattributed"), Measure.REQUIRED, START + 75, 10) for name in names])
    path, read, counts = "/sites?firmness=firm", list[str](), list[str]()

    while path:
        address = httpx.URL(path)
        page, rows = get(path), get(str(address.copy_add_param("format", "csv")))
        shown_names = [value for _, name, value in Html(page.text).attributes if name == "data-key"]
        assert shown_names == [row["site"] for row in csv.DictReader(StringIO(rows.text))]
        read += shown_names
        counts += re.findall(r"(\d+) sites on this page", page.text)
        path = next(iter(re.findall(r'rel="next" href="([^"]+)"', unescape(page.text))), "")

    assert read == names
    assert counts == ["200", "200", "50"]


def test_sites_of_one_page_are_all_of_them(both: tuple[Get, Get]) -> None:
    page = both[0]("/sites").text

    assert "2 sites, " in page
    assert "on this page" not in page
    assert 'rel="next"' not in page


def test_of_very_many_forecasts_without_supply_a_page_shows_the_first_and_counts_the_others() -> None:
    names = [f"SITE-{n:03}" for n in range(130)]
    get, ask = over([(("HBM4-12H", name, "unattributed"), Measure.FORECAST, START + 75, 10) for name in names])

    page = get("/shortages").text

    assert len(ask("/shortages").json()["forecast_gaps"]) == 130
    assert page.count("<tr data-key=") == 50
    assert "80 more: choose a product or a site." in page
