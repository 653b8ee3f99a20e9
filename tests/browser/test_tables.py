"""Tables of the page, sorted and with chosen columns, and the calendar, in a real Chromium; also without a script."""

import csv
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from services.operator.ask.client import ask
from services.operator.stack.stack import Stack

DESK, PHONE = 1280, 390
CHOSEN = "/lines?columns=lines:due,site,wafers&sort=lines:-wafers"
PAST = "2026-05-31"


@pytest.fixture(params=[True, False], ids=["with a script", "without one"])
def page(browser: Browser, played: Stack, request: pytest.FixtureRequest) -> Iterator[Page]:
    with browser.new_context(base_url=played.url("console"), java_script_enabled=request.param) as context:
        yield context.new_page()


def query_of(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def test_a_table_is_sorted_by_all_lines_and_keeps_the_order_on_its_next_page(page: Page, played: Stack) -> None:
    rows = ask(played.folder, "aggregator", "/lines", sort="-wafers", limit=200)["rows"]
    page.goto("/lines")
    page.get_by_role("link", name="wafers", exact=True).click()
    page.wait_for_url("**sort=**")

    shown = page.locator("#lines tbody tr td:nth-child(5)")
    assert [int(text.replace(",", "")) for text in shown.all_inner_texts()] == [row["wafers"] for row in rows[:100]]
    expect(page.get_by_role("columnheader", name="wafers", exact=True)).to_have_attribute("aria-sort", "descending")
    page.get_by_role("link", name="the next 100").click()
    page.wait_for_url("**offset=100**")
    assert [int(text.replace(",", "")) for text in shown.all_inner_texts()] == [row["wafers"] for row in rows[100:]]


def test_columns_are_chosen_by_a_form_and_the_file_has_them(page: Page, tmp_path: Path) -> None:
    page.goto("/lines?kind=commit&as_of=" + PAST)
    page.get_by_text("Columns", exact=True).click()
    for name in ("kind", "remarks", "days overdue"):
        page.get_by_label(name, exact=True).uncheck()
    page.locator("details.columns").get_by_role("button", name="Show").click()
    page.wait_for_url("**columns=**")

    heads = page.locator("#lines thead th").all_inner_texts()
    assert heads == ["due", "site", "product", "wafers", "open", "firmness", "supplier", "line"]
    assert query_of(page)["as_of"] == [PAST]
    assert query_of(page)["kind"] == ["commit"]
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV of").first.click()
    header = next(csv.reader(Path(download.value.path()).read_text().splitlines()))
    assert header == ["due", "site", "product", "wafers", "open_wafers", "firmness", "supplier", "line"]


def test_a_day_is_chosen_in_the_calendar_and_stays_across_pages(page: Page, played: Stack) -> None:
    [row] = [row for row in ask(played.folder, "ledger", "/days")["rows"] if row["day"] == PAST]
    page.goto(CHOSEN)
    page.get_by_role("link", name="calendar").click()
    page.get_by_role("link", name="May 2026").click()
    day = page.get_by_role("link", name=f"known by the end of 31 May 2026, {row['events']:,} events")
    day.click()

    page.wait_for_url("**/lines?**as_of=" + PAST + "**")
    assert query_of(page)["sort"] == ["lines:-wafers"]
    expect(page.locator("#standing")).to_contain_text("known by the end of 31 May 2026")
    page.get_by_role("link", name="Suppliers").click()
    expect(page.locator("#standing")).to_contain_text("known by the end of 31 May 2026")


def test_a_position_of_a_day_is_chosen_in_the_calendar(page: Page, played: Stack) -> None:
    batches = ask(played.folder, "ledger", f"/days/{PAST}")["rows"]
    page.goto("/sites")
    page.get_by_role("link", name="calendar").click()
    page.get_by_role("link", name="May 2026").click()
    page.get_by_role("link", name=" positions of 31 May 2026").click()
    expect(page.locator("#positions-of")).to_contain_text("Positions of 31 May 2026")
    positions = page.locator("#picker .positions tbody tr")
    expect(positions).to_have_count(len(batches))
    positions.first.get_by_role("link").click()

    page.wait_for_url(f"**/sites?as_of={batches[0]['batch']}")
    expect(page.locator("#standing")).to_contain_text(f"known at batch {batches[0]['batch']:,}")


def test_the_calendar_is_used_with_keys_alone(browser: Browser, played: Stack) -> None:
    with browser.new_context(base_url=played.url("console")) as context:
        page = context.new_page()
        page.goto("/shortages?as_of=" + PAST)
        page.keyboard.press("c")
        expect(page.locator("dialog a.day[data-day='2026-05-31']")).to_be_focused()
        page.keyboard.press("ArrowUp")
        expect(page.locator("dialog a.day[data-day='2026-05-24']")).to_be_focused()
        page.keyboard.press("PageUp")
        expect(page.locator("dialog a.day[data-day='2026-04-30']")).to_be_focused()
        page.keyboard.press("ArrowRight")
        expect(page.locator("dialog a.day[data-day='2026-05-01']")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.locator("dialog")).not_to_be_visible()
        expect(page.locator("#calendar")).to_be_focused()
        page.keyboard.press("c")
        expect(page.locator("dialog a.day[data-day='2026-05-31']")).to_be_focused()
        page.keyboard.press("ArrowLeft")
        expect(page.locator("dialog a.day[data-day='2026-05-30']")).to_be_focused()
        page.keyboard.press("Enter")
        page.wait_for_url("**/shortages?as_of=2026-05-30")


@pytest.mark.parametrize(
    "path", [CHOSEN, "/sites?sort=sites:cover_days", "/shortages?sort=shortages:-shortage", "/calendar"]
)
@pytest.mark.parametrize(("width", "scheme"), [(DESK, "light"), (DESK, "dark"), (PHONE, "light")])
def test_axe_finds_nothing_serious_and_no_page_is_wider_than_its_window(
    browser: Browser, played: Stack, path: str, width: int, scheme: str
) -> None:
    settings = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
    with browser.new_context(base_url=played.url("console"), **settings) as context:  # type: ignore[arg-type]
        page = context.new_page()
        answer = page.goto(path)
        assert answer is not None
        assert answer.ok
        if path != "/calendar":
            page.evaluate("document.querySelectorAll('details.columns').forEach(each => each.open = true)")
            page.keyboard.press("c")
            page.locator("dialog a.day").first.wait_for()
        found = Axe().run(page).response["violations"]
        wide = page.evaluate("document.documentElement.scrollWidth")

    assert [(each["id"], each["nodes"][0]["html"]) for each in found if each["impact"] in ("serious", "critical")] == []
    assert wide <= width
