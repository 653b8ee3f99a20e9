"""The planner's page in a real Chromium: is it right, quick, alone with its own host, and can everybody use it?"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.state import FoldState
from services.aggregator.http.routes import routes as aggregator_routes
from services.aggregator.live.view import LiveView
from services.console.http.pages import routes
from services.console.live.feed import MoveFeed
from services.console.live.upstream import Upstream
from services.operator.ask.client import ask
from services.operator.stack.stack import Stack, started
from shared.http.access import READ, ScopedRoute
from shared.http.peers import ANONYMOUS
from shared.play.numbering import Numbering
from shared.process.settings import ServiceSettings
from shared.service.service import Service
from shared.wire.events import LotStarted, SourceAdvanced
from shared.wire.postings import Measure
from testing.servers.served import free_port, no_past, served
from testing.twins.curves import batch_of
from tests.e2e.test_stack import wait_until

WHY = "/shortages?product=LP5X-16G&site=POOL-US"
VIEWS = ["/", "/worklist", "/lines", "/sites", "/sites/TX-ABILENE", "/suppliers", "/shortages", WHY, "/log"]
VIEWS += ["/remarks?about=site/TX-ABILENE", "/search?q=abilene", "/since?since=2026-07-31"]
VIEWS += ["/remarks?about=alert/source_silent/samsung"]
DESK, PHONE = 1280, 390
PAST = "2026-05-31"


@contextmanager
def page_of(browser: Browser, url: str, width: int = DESK, scheme: Any = "light") -> Iterator[Page]:
    """Open a page as somebody who was never here."""
    with browser.new_context(base_url=url, viewport={"width": width, "height": 900}, color_scheme=scheme) as context:
        yield context.new_page()


@pytest.fixture
def page(browser: Browser, played: Stack) -> Iterator[Page]:
    with page_of(browser, played.url("console")) as page:
        yield page


def told(count: int) -> str:
    return f"{count:,}".replace("-", "−")


def title_of(stack: Stack, site: str) -> str:
    [row] = ask(stack.folder, "aggregator", "/sites", site=site)["rows"]
    return str(row["name"])


def query_of(page: Page) -> str:
    return urlsplit(page.url).query


# ---------------------------------------------------------------- is it right


def test_the_first_short_day_is_that_of_the_api(page: Page, played: Stack) -> None:
    first = ask(played.folder, "aggregator", "/shortages", limit=1)["rows"][0]
    page.goto("/")

    expect(page.locator("#first-short")).to_have_attribute("data-day", first["first_short_day"])
    expect(page.locator("#first-short")).to_have_text(f"{first['product']} at {title_of(played, first['site'])}")


def test_the_first_shortage_to_act_on_is_that_of_the_api_and_leads_to_its_page(page: Page, played: Stack) -> None:
    first = ask(played.folder, "aggregator", "/shortages", limit=1, order="act_by")["rows"][0]
    page.goto("/")

    expect(page.locator("#act")).to_contain_text(f"start {told(first['act_wafers'])} wafers of")
    page.locator("#act a").first.click()
    expect(page.locator("#why")).to_contain_text(
        f"Why {first['product']} at {title_of(played, first['site'])} is short"
    )


def test_from_what_is_short_to_its_cause_and_to_the_event_is_a_click_each(page: Page, played: Stack) -> None:
    [row] = ask(played.folder, "aggregator", "/shortages", limit=1)["rows"]
    group = {name: row[name] for name in ("product", "site")}
    bridge = ask(played.folder, "aggregator", "/bridge", day=row["first_short_day"], **group)
    event = bridge["rows"][0]["entries"][0]["event"]
    page.goto("/")

    page.locator("#first-short").click()
    expect(page.locator("#why")).to_contain_text(
        f"{row['product']} at {title_of(played, row['site'])} is short by {told(row['first_shortage'])}"
    )
    page.locator("#causes a.cause").first.click()
    expect(page.locator("pre")).to_contain_text(event)
    expect(page.locator("main")).to_contain_text("Recorded in batch")


def test_the_first_screen_has_the_megawatts_the_work_the_changes_and_the_weeks_of_cover(
    page: Page, played: Stack
) -> None:
    sites = [row for row in ask(played.folder, "aggregator", "/sites")["rows"] if not row["synthetic"]]
    cover = ask(played.folder, "aggregator", "/cover/weeks")["rows"]
    work = ask(played.folder, "aggregator", "/worklist")["rows"]
    page.goto("/")

    expect(page.locator("#populated")).to_contain_text(f"of {sum(row['mw_energised'] for row in sites):,} MW energised")
    expect(page.locator("#work tbody tr")).to_have_count(min(5, len(work)))
    expect(page.locator("#cover td.heat")).to_have_count(len(cover))
    texts = [text.split()[0] for text in page.locator("#cover td.heat").all_inner_texts()]
    assert texts == [
        "0" if row["short"] else "all" if row["cover_weeks"] is None else str(row["cover_weeks"]) for row in cover
    ]
    last = page.locator("#cover tbody").last
    expect(last.locator("tr.part")).to_have_text("Synthetic demand, at no site")
    expect(last.locator("tr").nth(1)).to_contain_text("Synthetic demand")


def test_the_whole_page_travels_to_a_day_of_the_past_and_back(page: Page, played: Stack) -> None:
    def supply(**as_of: str) -> str:
        rows = ask(played.folder, "aggregator", "/balances", window=30, basis="start", **as_of)["rows"]
        [row] = [each for each in rows if not each["synthetic"]]
        return told(row["supply"])

    page.goto("/")
    expect(page.locator("#supply")).to_have_text(supply())
    page.get_by_label("Known by", exact=True).fill(PAST)
    page.get_by_role("button", name="Show").click()

    expect(page.locator("#supply")).to_have_text(supply(as_of=PAST))
    expect(page.locator("#live")).to_have_text("a past state")
    assert f"as_of={PAST}" in query_of(page)
    page.get_by_role("link", name="Sites").click()
    expect(page.locator("#standing")).to_contain_text("known by the end of 31 May 2026")
    page.locator("#now").click()
    expect(page.locator("#standing")).not_to_contain_text("known by")


def test_what_is_chosen_stands_in_the_address_and_is_the_same_for_a_colleague(browser: Browser, page: Page) -> None:
    page.goto("/")
    page.locator("select[name=product]").select_option("HBM4-12H")
    page.get_by_label("Counting on").select_option("firm")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**product=HBM4-12H**")

    with page_of(browser, page.url) as other:
        other.goto(page.url)
        for each in (page, other):
            expect(each.locator("[data-late]")).to_have_count(0, timeout=60_000)
        assert other.locator("main").inner_text() == page.locator("main").inner_text()
        expect(other.get_by_label("Counting on")).to_have_value("firm")
    assert "firmness=firm" in query_of(page)


def test_an_event_is_on_the_open_page_within_a_second(browser: Browser, tmp_path: Path) -> None:
    """Three are handed in, one after the other: a machine that is busy elsewhere is late for one, but not for all."""
    numbering, noon = Numbering("samsung"), datetime(2026, 3, 1, 12, tzinfo=UTC)
    key: dict[str, Any] = {"product": "HBM4-12H", "site": "TX-ABILENE", "supplier": "samsung"}

    def started_(lot: str, wafers: int) -> str:
        lots = LotStarted(**key, lot=lot, fab="P3", wafers=wafers, due_out=date(2026, 9, 1))
        return json.dumps(numbering.emit(noon, lots).cloud_event())

    with started(Stack(tmp_path / "stack")) as stack, page_of(browser, stack.url("console")) as page:

        def hand_in(line: str) -> None:
            answer = httpx.post(stack.url("supplier-samsung") + "/events", content=line, timeout=30)
            assert [verdict["status"] for verdict in answer.json()] == ["recorded"]

        hand_in(json.dumps(numbering.emit(noon, SourceAdvanced(through=noon.date())).cloud_event()))
        hand_in(started_("L0", 25))
        page.goto("/")
        expect(page.locator("#live")).to_have_class("on", timeout=20_000)
        expect(page.locator("#supply")).to_have_text("25", timeout=20_000)
        page.evaluate("window.isTheSame = true")
        took = []
        for n in (1, 2, 3):
            page.evaluate(
                """text => { window.seen = new Promise(done => {
                    const supply = document.getElementById("supply");
                    const look = () => supply.textContent === text ? done(Date.now()) : setTimeout(look, 5);
                    look();
                }); }""",
                str(25 + 25 * n),
            )
            began = datetime.now(tz=UTC).timestamp()
            hand_in(started_(f"L{n}", 25))
            took.append(page.evaluate("window.seen") / 1000 - began)

        assert page.evaluate("window.isTheSame")
    print("seconds from an event's sending to the page:", [round(each, 2) for each in took])
    assert min(took) < 1


# ---------------------------------------------------------------- is it quick


@pytest.mark.parametrize("path", VIEWS)
def test_the_first_paint_comes_within_two_seconds(page: Page, path: str) -> None:
    paints = []
    for _ in range(4):
        answer = page.goto(path, wait_until="load")
        assert answer is not None
        assert answer.ok
        paints.append(
            page.evaluate(
                """() => new Promise(done => new PerformanceObserver(seen => {
                    for (const paint of seen.getEntriesByName("first-contentful-paint")) done(paint.startTime);
                }).observe({ type: "paint", buffered: true }))"""
            )
        )

    assert min(paints) < 2_000


def test_five_hundred_changed_balances_are_on_the_page_within_200_ms(browser: Browser) -> None:
    """Of 2,000 balances, 10 products at each of 200 sites, 500 change; the page of all sites shows what that alters.

    Measured in the page: from where the answer has been read to the second frame after it was put in, when it is
    painted. What the services need before is not in it. The best of three moves, as the machine may be busy.
    """
    feed, began = MoveFeed(), (date(2025, 1, 1) - date(1970, 1, 1)).days
    sites, products = [f"SITE-{n:03}" for n in range(200)], [f"PRODUCT-{n}" for n in range(10)]
    curves, ended = Curves(date(2025, 1, 1), 200), ({"samsung": began + 59}, ["samsung"])
    keys = [(product, site, "samsung") for site in sites for product in products]
    curves.add(batch_of(1, [(key, Measure.REQUIRED, began + 90, 10) for key in keys], *ended))
    feed.start_at(b'{"position": 1}', 0)
    view = LiveView(FoldState(curves))

    async def move(_: Request) -> Response:
        position = curves.position + 1
        changed = [(key, Measure.RECEIVED, began + 50, 7) for key in keys[::4]]  # of every site some
        view.note_changes(view.state.add(batch_of(position, changed, *ended)))
        await view.refresh()
        feed.publish([(f"{position}-0", b'{"position": %d}' % position)])
        return Response()

    def build() -> Service:
        service = Service("console", ServiceSettings(http_port=free_port()))
        asked = httpx.ASGITransport(Starlette(routes=aggregator_routes(lambda: view, no_past)))
        upstream = Upstream(ANONYMOUS, "http://aggregator", "http://ledger", asked)
        service.routes += [*routes(upstream, feed, {}), ScopedRoute("/move", move, scope=READ)]
        return service

    with served(build) as url, page_of(browser, url) as page:
        page.goto("/sites")
        expect(page.locator("#live")).to_have_class("on")
        expect(page.locator("tbody tr")).to_have_count(200)
        took = []
        for n in (1, 2, 3):
            page.evaluate("delete document.documentElement.dataset.putMs")
            httpx.get(url + "/move", timeout=30).raise_for_status()
            expect(page.locator("html")).to_have_attribute("data-put-ms", re.compile("[0-9]+"), timeout=20_000)
            took.append(int(page.evaluate("document.documentElement.dataset.putMs")))
            shown = page.locator("tbody tr td:nth-child(8)").all_inner_texts()
            assert sum(int(each) for each in shown) == n * 7 * 500

    print("ms until it is painted:", took)
    assert min(took) < 200


# ---------------------------------------------------------------- alone with its host, and for everybody


@pytest.mark.parametrize("path", VIEWS)
def test_no_other_host_is_asked_and_nothing_goes_wrong(page: Page, played: Stack, path: str) -> None:
    asked: list[str] = []
    wrong: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda failure: wrong.append(str(failure)))
    page.goto(path)
    expect(page.locator("#live")).to_have_class("on")

    assert len(asked) > 3
    assert {urlsplit(each).netloc for each in asked} == {urlsplit(played.url("console")).netloc}
    assert wrong == []


@pytest.mark.parametrize("path", VIEWS)
@pytest.mark.parametrize(("width", "scheme"), [(DESK, "light"), (DESK, "dark"), (PHONE, "light")])
def test_axe_finds_nothing_serious_and_no_page_is_wider_than_its_window(
    browser: Browser, played: Stack, path: str, width: int, scheme: str
) -> None:
    with page_of(browser, played.url("console"), width, scheme) as page:
        answer = page.goto(path)
        assert answer is not None
        assert answer.ok
        found = Axe().run(page).response["violations"]
        wide = page.evaluate("document.documentElement.scrollWidth")

    assert [(each["id"], each["nodes"][0]["html"]) for each in found if each["impact"] in ("serious", "critical")] == []
    assert wide <= width


def test_all_is_reached_with_keys(page: Page) -> None:
    page.goto("/")
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.keyboard.press("d")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before
    page.keyboard.press("f")
    assert page.evaluate("document.activeElement.name") == "product"
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("g")
    page.keyboard.press("s")
    page.wait_for_url("**/suppliers**")


def test_a_search_goes_by_keys_from_any_page_to_the_thing(page: Page) -> None:
    page.goto("/lines")
    page.keyboard.press("/")
    page.keyboard.type("milam")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?q=milam")
    expect(page.locator("#found tbody tr").first).to_contain_text("TX-MILAM")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/sites/TX-MILAM")
    expect(page.locator("h1")).to_contain_text("Milam County")


@pytest.mark.parametrize(("link", "ending", "begin"), [("CSV of", "csv", b"month,"), ("PNG", "png", b"\x89PNG")])
def test_what_is_shown_can_be_taken_along(page: Page, link: str, ending: str, begin: bytes) -> None:
    page.goto("/")
    with page.expect_download() as download:
        page.get_by_role("link", name=link).first.click()

    assert download.value.suggested_filename.endswith("." + ending)
    assert Path(download.value.path()).read_bytes().startswith(begin)


# ---------------------------------------------------------------- when there is nothing to show


def test_a_page_says_how_to_begin_how_old_it_is_and_comes_back_when_it_is_answered_again(
    browser: Browser, tmp_path: Path
) -> None:
    with started(Stack(tmp_path / "stack")) as stack, page_of(browser, stack.url("console")) as page:
        page.clock.install()
        page.goto("/")
        expect(page.locator("main")).to_contain_text("Nothing is recorded yet")
        expect(page.locator("#live")).to_have_class("on")
        page.clock.fast_forward("04:30")
        expect(page.locator("#live")).to_contain_text("last event 4 min ago")

        stack.kill("aggregator")
        page.goto("/")
        expect(page.locator("main")).to_contain_text("The aggregator does not answer")
        stack.tend()
        wait_until("the aggregator is back", lambda: stack.is_up("aggregator"))
        page.clock.fast_forward("00:30")
        expect(page.locator("main")).to_contain_text("Nothing is recorded yet", timeout=20_000)
