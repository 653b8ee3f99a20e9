"""Import on the page, in a real Chromium: upload, preview, confirmation, and the sheet with its problems."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from services.operator.ask.client import ask
from services.operator.stack.stack import Stack, started

HEADER = "line,product,site,supplier,due,wafers,firmness\n"
ROW = "{line},HBM4-12H,TX-ABILENE,samsung,{due},{wafers},firm\n"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("import") / "stack")
    stack.suppliers, stack.datacenters, stack.planners = ["samsung"], ["texas"], ["planner"]
    with started(stack):
        yield stack


@pytest.fixture
def page(browser: Browser, stack: Stack) -> Iterator[Page]:
    with browser.new_context(base_url=stack.url("console"), viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        page.goto("/")
        page.get_by_role("link", name="Import").click()
        yield page


def sheet(folder: Path, *rows: tuple[str, str, str]) -> Path:
    path = folder / "plan.csv"
    path.write_text(HEADER + "".join(ROW.format(line=line, due=due, wafers=wafers) for line, due, wafers in rows))
    return path


def preview(page: Page, path: Path, target: str = "commits of samsung") -> None:
    page.get_by_label("States").select_option(label=target)
    page.get_by_label("Sheet", exact=True).set_input_files(path)
    page.get_by_role("button", name="Preview").click()


def commits(stack: Stack) -> dict[str, int]:
    rows = ask(stack.folder, "ledger", "/lines", source="samsung", kind="commit")["rows"]
    return {row["line"]: row["wafers"] for row in rows}


def test_a_preview_states_nothing_and_the_confirmation_what_it_said(page: Page, stack: Stack, tmp_path: Path) -> None:
    preview(page, sheet(tmp_path, ("A-1", "2027-03-01", "100"), ("A-2", "2027-04-01", "200")))

    expect(page.locator("#outcome")).to_have_attribute("data-status", "checked")
    expect(page.locator("#outcome")).to_contain_text("2 new, 0 changed, 0 withdrawn, 0 unchanged: commits of samsung")
    assert "A-1" not in commits(stack)
    assert Axe().run(page).violations_count == 0
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.locator("#outcome")).to_have_attribute("data-status", "taken")
    expect(page.locator("#events tbody tr").first).to_contain_text("recorded")
    assert commits(stack) == {"A-1": 100, "A-2": 200}
    preview(page, sheet(tmp_path, ("A-1", "2027-03-01", "100"), ("A-2", "2027-04-01", "0")))
    expect(page.locator("#outcome")).to_contain_text("0 new, 0 changed, 1 withdrawn, 1 unchanged")


def test_problems_have_their_places_and_come_back_in_the_sheet(page: Page, stack: Stack, tmp_path: Path) -> None:
    preview(page, sheet(tmp_path, ("B-1", "soon", "100"), ("B-2", "2027-04-01", "1.5")))

    expect(page.locator("#outcome h2")).to_have_text("plan.csv: 2 problems, nothing is stated")
    expect(page.locator("#problems tbody tr")).to_have_count(2)
    expect(page.locator("#problems")).to_contain_text("row 2, column due")
    assert page.get_by_role("button", name="Import", exact=True).count() == 0
    assert Axe().run(page).violations_count == 0
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the sheet with its problems").click()
    assert download.value.suggested_filename == "plan-problems.csv"
    assert "bad_day" in Path(download.value.path()).read_text()
    assert "B-1" not in commits(stack)


def test_facts_that_a_source_does_not_state_cannot_be_chosen(page: Page) -> None:
    options = page.get_by_label("States").locator("option").all_inner_texts()

    stated = [f"{kind} of texas" for kind in ("forecasts", "orders", "receipts", "stock", "sites")]
    assert set(options) >= {"commits of samsung", *stated}
    assert not {"orders of samsung", "commits of texas", "commits of planner"} & set(options)


def test_a_page_of_another_origin_cannot_import(stack: Stack) -> None:
    files = {
        "sheet": ("plan.csv", HEADER.encode()),
        "target": (None, b"supplier-samsung/commits"),
        "step": (None, b"import"),
    }
    answer = httpx.post(stack.url("console") + "/import", files=files, headers={"Origin": "https://elsewhere.example"})

    assert answer.status_code == 403
    assert answer.json()["type"] == "/problems/foreign-origin"


@pytest.mark.parametrize("target", ["supplier-nobody/commits", "ledger/commits", "supplier-samsung/lots", ""])
def test_a_form_that_no_page_has_sent_is_refused(stack: Stack, target: str) -> None:
    files = {"sheet": ("plan.csv", HEADER.encode()), "target": (None, target.encode()), "step": (None, b"preview")}
    answer = httpx.post(stack.url("console") + "/import", files=files)

    assert answer.status_code in (400, 404)
    assert 'role="alert"' in answer.text


def test_a_preview_shows_the_effect_on_the_first_short_day_and_asks_about_a_typo(
    page: Page, stack: Stack, tmp_path: Path
) -> None:
    declare_and_order(stack)
    path = sheet(tmp_path, ("E-1", "2027-02-01", "30"))
    path.write_text(path.read_text() + ROW.format(line="E-2", due="2027-02-01", wafers=1).replace("ENE", "EN"))
    preview(page, path)

    expect(page.locator("#doubts")).to_contain_text(
        "row 3: no site TX-ABILEN is declared; the nearest names that are: TX-ABILENE"
    )
    expect(page.locator("#events tbody tr").nth(1)).to_contain_text("no site TX-ABILEN is declared")
    effect = page.locator("#effect")
    expect(effect.locator("h2")).to_have_text("It would change 1 shortage")
    expect(effect.locator("tbody tr").first).to_have_text("HBM4-12HTX-ABILENE1 Feb 20271 Feb 20274010−30")
    assert Axe().run(page).violations_count == 0
    assert page.get_by_role("button", name="Import", exact=True).count() == 0
    page.get_by_role("button", name="Import all the same").click()
    expect(page.locator("#outcome")).to_have_attribute("data-status", "taken")
    assert {"E-1", "E-2"} <= commits(stack).keys()


def declare_and_order(stack: Stack) -> None:
    """Have TX-ABILENE declared, 40 wafers ordered there, and December completed."""
    site = {
        "site": "TX-ABILENE", "name": "Abilene", "country": "US", "mooring": "onshore", "mw": 100, "pue_percent": 120,
        "land_ha": 1, "waterplane_m2": None, "kg_co2_per_mwh": 300, "evidence": "a permit", "confidence": "sourced",
    }  # fmt: skip
    order = {
        "line": "PO-1", "product": "HBM4-12H", "site": "TX-ABILENE", "supplier": "samsung", "due": "2027-02-01",
        "start_by": "2026-06-01", "priority": 1, "wafers": 40,
    }  # fmt: skip
    through = ("source.advanced", {"through": "2025-12-31"})
    for party, source, facts in (
        ("datacenter-texas", "texas", [("site.declared", site), ("demand.required", order), through]),
        ("supplier-samsung", "samsung", [through]),
    ):
        envelope = {"specversion": "1.0", "source": source, "time": "2026-01-01T00:00:00Z"}
        lines = [json.dumps(envelope | {"type": f"waferline.{name}.v1", "data": data}) for name, data in facts]
        answer = httpx.post(f"{stack.url(party)}/events", content="\n".join(lines))
        assert [each["status"] for each in answer.json()] == ["recorded"] * len(facts), answer.text
    deadline = time.monotonic() + 30
    while not any(row["confidence"] for row in ask(stack.folder, "aggregator", "/sites")["rows"]):
        assert time.monotonic() < deadline, "the aggregator does not know the site"
        time.sleep(0.05)
