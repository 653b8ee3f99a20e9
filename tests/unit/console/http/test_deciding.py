"""The first screen: the verdict in one sentence, megawatts, the heat map; and names and the search of every page."""

import asyncio
import re

import httpx
import pytest
from starlette.applications import Starlette

from services.console.http.pages import routes
from services.console.live.feed import MoveFeed
from services.console.live.upstream import Upstream
from shared.http.peers import ANONYMOUS
from testing.cloud_events import Party
from testing.played import play
from tests.cases.tapes import RECORDED
from tests.unit.console.http.test_pages import Html
from tests.unit.console.http.test_tables import Services


class Console:
    """The pages over a log that was played."""

    def __init__(self, events, service_urls=None):
        self.played, self.service_urls = play(events, on=RECORDED), service_urls or {}

    def get(self, path, status=200, **query):
        async def ask():
            upstream = Upstream(ANONYMOUS, "http://aggregator", "http://ledger", Services(self.played))
            console = httpx.ASGITransport(Starlette(routes=routes(upstream, MoveFeed(), self.service_urls)))
            async with httpx.AsyncClient(transport=console, base_url="http://console") as client:
                return await client.get(path, params=query)

        answer = asyncio.run(ask())
        assert answer.status_code == status, answer.text
        return answer.text


def verdict_of(page):
    """Return the heading of the verdict, without its tags."""
    [heading] = re.findall('<h2 id="verdict">(.*?)</h2>', page, re.DOTALL)
    return " ".join(re.sub("<[^>]*>", "", heading).split())


@pytest.fixture
def texas() -> Party:
    return Party("stargate-americas")


def log_of(texas, *orders, **declared):
    return [texas.declare("2026-10-01", **declared), texas.open("2026-10-01", 5), *orders, texas.advance("2026-10-31")]


# ---------------------------------------------------------------- the verdict


def test_a_shortage_to_come_is_named_with_its_day_and_its_wafers(texas):
    orders = [texas.order("2026-10-02", "a", 40, "2026-12-01"), texas.order("2026-10-02", "b", 30, "2026-12-08")]

    assert verdict_of(Console(log_of(texas, *orders)).get("/")) == (
        "Covered until 30 Nov 2026; then HBM4-12H at Abilene is short by 35 wafers, and by 65 at worst."
    )


def test_shortages_of_today_come_before_those_to_come_and_are_counted(texas):
    orders = [
        texas.order("2026-10-02", "a", 40, "2026-10-20"),
        texas.order("2026-10-02", "b", 30, "2026-10-25", site="TX-MILAM"),
        texas.order("2026-10-02", "c", 30, "2026-12-08", product="LP5X-16G"),
    ]

    assert verdict_of(Console(log_of(texas, *orders)).get("/")) == (
        "Not covered: HBM4-12H at Abilene is short by 35 wafers today (since 20 Oct 2026); 1 more product at a site is"
        " short today, 1 later."
    )


def test_what_is_short_at_synthetic_sites_alone_is_no_shortage_at_a_site_and_no_green_light(texas):
    page = Console(log_of(texas, texas.order("2026-10-02", "a", 40, "2026-12-01"), synthetic=True)).get("/")

    assert verdict_of(page) == "At sites nothing runs short; synthetic demand does."
    assert "verdict good" not in page
    assert "verdict bad" not in page


# ---------------------------------------------------------------- megawatts


def test_megawatts_are_those_of_the_sites_without_synthetic_ones(texas):
    phase = {"revision": 0, "platform": "VR-NVL72", "energise_on": "2026-09-01", "status": "planned"}
    pool = texas.declare("2026-10-01", site="POOL-US", synthetic=True)
    phases = [
        texas.publish("2026-10-01", "phase.planned", site=site, phase=f"{site}.1", mw=mw, **phase)
        for site, mw in (("TX-ABILENE", 200), ("TX-MILAM", 30), ("POOL-US", 900))
    ]
    page = Console(log_of(texas, pool, *phases)).get("/")

    assert Html(page).text["populated"].startswith("230")
    assert "MW energised; not known of how many the memory is there" in page


# ---------------------------------------------------------------- the heat map


def test_the_heat_map_has_the_weeks_of_the_aggregator_and_no_colour_without_a_number(texas):
    orders = [texas.order("2026-10-02", f"a{day}", 2, f"2026-11-{day}") for day in (10, 17, 24)]
    pool = [
        texas.declare("2026-10-01", site="POOL-US", name="Synthetic demand, US", synthetic=True),
        texas.order("2026-10-02", "p", 7, "2026-11-03", site="POOL-US"),
    ]
    console = Console(log_of(texas, *pool, *orders))
    page = console.get("/")
    weeks = console.played.ask("/cover/weeks")["rows"]

    cells = re.findall('<td class="heat ([a-z]+)" title="[^"]*">(.*?)</td>', page)
    assert cells[:4] == [("some", "2.5"), ("some", "1.5"), ("low", "0.5"), ("short", "0 <small>−1</small>")]
    assert len(cells) == len(weeks)
    assert [float(text.split()[0]) for _, text in cells] == [row["cover_weeks"] for row in weeks]
    assert all(re.search("[0-9]|all", text) for _, text in cells)
    rows = [row for row in Html(page).rows if row and row[0] in ("Abilene", "Sites", "Synthetic demand, US")]
    assert [row[0] for row in rows][:3] == ["Sites", "Abilene", "Synthetic demand, US"]


# ---------------------------------------------------------------- names


def test_a_site_has_its_name_and_keeps_its_id_in_the_address(texas):
    console = Console(log_of(texas, texas.order("2026-10-02", "a", 40, "2026-12-01")))

    for path in ("/", "/worklist", "/shortages", "/lines", "/sites", "/sites/TX-ABILENE"):
        page = console.get(path)
        assert "Abilene" in page
        assert ">TX-ABILENE</a>" not in page
    assert 'href="/shortages?product=HBM4-12H&amp;site=TX-ABILENE"' in console.get("/")


def test_a_supplier_has_the_name_of_the_party_of_its_id(texas):
    planner, samsung = Party("planner"), Party("samsung")
    named = planner.publish("2026-10-01", "party.declared", party="samsung", name="Samsung Electronics", revision=0)
    console = Console([*log_of(texas), named, samsung.commit("2026-10-02", "c", 3, "2026-12-01")])

    assert ">Samsung Electronics</a></h2>" in console.get("/suppliers")
    assert [each[:2] for each in found(console, "electronics")] == [
        ("party", "samsung"), ("source", "samsung"), ("supplier", "samsung")
    ]  # fmt: skip


# ---------------------------------------------------------------- search


@pytest.fixture
def console(texas) -> Console:
    return Console(log_of(texas, *(texas.order("2026-10-02", f"PO-{n}", 40, "2026-12-01") for n in (10, 1, 11))))


def found(console, words):
    """Return the kind, the id and the address of each thing found."""
    page = console.get("/search", q=words)
    links = re.findall('<th scope="row"><a href="([^"]*)">', page)
    rows = [row for row in Html(page).rows if len(row) == 4][1:]
    return [(row[1], row[0], link) for row, link in zip(rows, links, strict=True)]


def test_a_search_says_the_kind_of_each_thing_and_leads_to_its_page(console):
    assert found(console, "abi") == [("site", "TX-ABILENE", "/sites/TX-ABILENE")]
    assert found(console, "TEX") == []
    assert found(console, "hbm4") == [("product", "HBM4-12H", "/?product=HBM4-12H")]
    assert found(console, "2026-05-31") == [("day", "2026-05-31", "/?as_of=2026-05-31")]
    assert {kind for kind, *_ in found(console, "stargate")} == {"source"}
    assert "Nothing has these words in its id or name" in console.get("/search", q="atlantis")


def test_a_line_of_just_this_id_comes_first_and_leads_to_its_event(console):
    lines = found(console, "po-1")
    events = {row["line"]: row["event"] for row in console.played.ask("/lines", state="all")["rows"]}

    assert [(kind, line) for kind, line, _ in lines] == [("order", "PO-1"), ("order", "PO-10"), ("order", "PO-11")]
    assert [link for *_, link in lines] == [f"/events/{events[line]}" for _, line, _ in lines]


def test_an_event_is_found_by_its_id_alone_or_behind_its_source(console):
    event = console.played.ask("/lines", state="all")["rows"][0]["event"]

    for words in (event, event.partition("/")[2]):
        assert found(console, words) == [("event", event.partition("/")[2], f"/events/{event}")]


def test_a_past_search_finds_only_things_that_were_recorded_by_then(console):
    assert "Nothing has these words in its id or name by then" in console.get("/search", q="abi", as_of="0")


def test_a_line_of_many_items_has_each_of_them_on_its_page(texas):
    orders = [texas.order("2026-10-02", f"a{n}", 40, "2026-12-01", site=f"S{n}") for n in range(7)]
    page = Console(log_of(texas, *orders)).get("/worklist")

    assert page.count('<tr class="item">') == 7
