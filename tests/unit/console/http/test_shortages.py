"""The pages lead a planner to what can still be acted on, and from a shortage to its causes and its overdue supply."""

import asyncio

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

WHY = {"product": "HBM4-12H", "site": "TX-ABILENE"}


@pytest.fixture
def log():
    """Wafers take 30 days: those started today are there on 1 December.

    TX-ABILENE is short by 50 since 15 October, and by 250 from 20 December on. TX-MILAM is short by 70 from 10
    December on, NM-DONAANA only until 5 November; OH-LORDSTOWN has a forecast without supply.
    """
    samsung, texas = Party("samsung"), Party("stargate-americas")
    order = texas.order
    return [
        order("2026-10-01", "o", 80, "2026-10-15", start_by="2026-09-15"),
        order("2026-10-01", "m", 70, "2026-12-10", start_by="2026-11-10", site="TX-MILAM"),
        order("2026-10-01", "n", 7, "2026-10-20", start_by="2026-09-20", site="NM-DONAANA"),
        samsung.commit("2026-10-01", "c", 120, "2026-12-15"),
        samsung.commit("2026-10-01", "n", 7, "2026-11-05", site="NM-DONAANA"),
        samsung.commit("2026-10-02", "late", 12, "2026-10-20", reason="the <furnace> is down"),
        order("2026-10-05", "p", 220, "2026-12-20", start_by="2026-11-20"),
        samsung.commit("2026-10-06", "c", 20, "2026-12-15", 1, reason="yield"),
        texas.open("2026-10-07", 30),
        texas.forecast("2026-10-07", "f", 40, "2027-01-10", site="OH-LORDSTOWN"),
        samsung.advance("2026-10-31"),
        texas.advance("2026-10-31"),
    ]


class ByHost(httpx.AsyncBaseTransport):
    """The services by their host names."""

    def __init__(self, services):
        self.services = services

    async def handle_async_request(self, request):
        return await self.services[request.url.host].handle_async_request(request)


def show(log, path, **filters):
    folded = play(log, on=RECORDED)
    transport = ByHost({
        "aggregator": httpx.ASGITransport(folded.app), "ledger": httpx.ASGITransport(folded.ledger_app)
    })  # fmt: skip
    upstream = Upstream(ANONYMOUS, "http://aggregator", "http://ledger", transport)
    console = Starlette(routes=routes(upstream, MoveFeed(), {}))

    async def get():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(console), base_url="http://console") as client:
            return await client.get(path, params=filters or None)

    return asyncio.run(get())


def words(answer):
    assert answer.status_code == 200
    return " ".join(answer.text.split())


def test_the_first_sentence_names_what_can_be_acted_on_first_and_by_when(log):
    page = words(show(log, "/"))

    assert "To act on first: start <strong>70</strong> wafers of" in page
    assert ">HBM4-12H for TX-MILAM</a> by <strong>10 Nov 2026</strong>" in page
    assert "They take 30 days to the dock, and that shortage begins on 10 Dec 2026." in page


def test_where_all_is_too_late_the_first_sentence_says_so(log):
    page = words(show(log, "/", site="NM-DONAANA"))

    assert "It is too late to start wafers for what runs short" in page


def test_the_list_is_in_the_order_in_which_to_act(log):
    html = Html(show(log, "/shortages").text)
    first = [row[0] for row in html.rows]
    parts = [next(n for n, cell in enumerate(first) if cell.startswith(begin)) for begin in (
        "Wafers can still be started", "Wafers started today", "Too late",
    )]  # fmt: skip
    assert [html.rows[part + 1][1] for part in parts] == [
        f"{site}: why? note" for site in ("TX-MILAM", "TX-ABILENE", "NM-DONAANA")
    ]
    assert parts == sorted(parts)
    assert ["HBM4-12H", "OH-LORDSTOWN", "10 Jan 2027", "40"] in html.rows


def test_what_is_short_already_says_since_when_once(log):
    html = Html(show(log, "/", site="NM-DONAANA").text)

    assert html.row("planned")[1:] == ["7", "since 20 Oct 2026", "7", "1 Nov 2026", "5 Nov 2026", "1"]
    assert html.row("immediate") == ["7", "1 Nov 2026", "not within the horizon", "1"]


def test_overdue_supply_stands_on_the_page_with_its_suppliers_reason(log):
    page, html = words(show(log, "/shortages", **WHY)), Html(show(log, "/shortages", **WHY).text)

    assert html.row("commit late") == ["samsung", "20 Oct 2026", "12", "12", "the <furnace> is down"]
    assert "the &lt;furnace&gt; is down" in page
    assert "12 wafers, left out until their supplier states another day" in page


def test_the_other_end_of_the_bridge_and_its_day_can_be_chosen(log):
    html = Html(show(log, "/shortages", **WHY, since="0", day="2026-12-20").text)

    assert html.row("projected then") == ["0", ""]
    assert html.row("projected now")[0] == "−250"
    assert html.row("never promised")[0] == "−268"
    assert html.row("commits raised")[0] == "32"
    refused = show(log, "/shortages", **WHY, since="0", day="2026-10-01")
    assert refused.status_code == 422
    assert "before 2026-11-01" in refused.text


def test_a_bar_of_movements_opens_to_its_events_and_each_to_its_page(log):
    page = Html(show(log, "/shortages", **WHY, since="4").text)
    [link] = [value for tag, name, value in page.attributes if name == "href" and value.startswith("/movements?")]
    assert page.row("opened")[1].endswith("their events")

    shown = show(log, link)

    html, opened = Html(shown.text), log[8]
    kind, wafers, site, supplier, source, _, effect = html.row("7 Oct 2026, 12:00")
    assert (kind, wafers, site, supplier, source) == (
        "stock.opened", "30", "TX-ABILENE", "samsung", "stargate-americas"
    )  # fmt: skip
    assert effect == "holds"
    assert f"/events/stargate-americas/{opened['id']}?" in shown.text
    assert "stock.opened; recorded after known at batch 4" in " ".join(shown.text.split())
    event = show(log, f"/events/stargate-americas/{opened['id']}")
    assert "it stands in the chain as it was published" in event.text
    assert "None." in show(log, link.replace("since=4", "since=5")).text
