"""Pictures of the planner's page for the documentation: `make screenshots`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from services.operator.ask.client import ask
from services.operator.ask.publishing import advance_sources
from services.operator.ask.sheets import send_sheet
from services.operator.stack.stack import ScenarioRun, Stack, started
from tests.browser.chromium import find_chromium
from tests.e2e.test_stack import is_played, wait_until

UNTIL = date(2026, 8, 31)
DESK, PHONE = 1280, 390
# name, address, width, and whether it is dark where it is looked at
VIEWS: list[tuple[str, str, int, Any]] = [
    ("programme", "/", DESK, "light"),
    ("programme-dark", "/", DESK, "dark"),
    ("programme-phone", "/", PHONE, "light"),
    ("since", "/since", DESK, "light"),
    ("worklist", "/worklist", DESK, "light"),
    ("sites", "/sites", DESK, "light"),
    ("site", "/sites/TX-ABILENE", DESK, "light"),
    ("suppliers", "/suppliers", DESK, "light"),
    ("shortages", "/shortages", DESK, "light"),
    ("why", "/shortages?product=HBM4-12H&site=TX-MILAM", DESK, "light"),
    ("lines", "/lines", DESK, "light"),
    ("lines-phone", "/lines", PHONE, "light"),
    (
        "columns",
        "/lines?columns=lines:due,kind,site,product,wafers,open_wafers,supplier&sort=lines:-open_wafers",
        DESK,
        "light",
    ),
    ("calendar", "/calendar?on=2026-05-29&month=2026-05", DESK, "light"),
    ("calendar-phone", "/calendar?on=2026-05-29&month=2026-05", PHONE, "light"),
    ("log", "/log", DESK, "light"),
]
IMPORTS = [("import", DESK), ("import-phone", PHONE)]
TO, NORDIC = Path("docs/pictures"), Path("docs/nordic")
SHEETS = [
    ("sites.csv", "sites", "datacenter-nordic-sites"),
    ("orders.csv", "orders", "datacenter-nordic-sites"),
    ("stock.csv", "stock", "datacenter-nordic-sites"),
    ("borealis.csv", "commits", "supplier-borealis"),
    ("fjord.csv", "commits", "supplier-fjord"),
]


def main() -> int:
    """Play the programme to the end of August 2026, and take a picture of each view; and one of a sheet's preview."""
    TO.mkdir(exist_ok=True)
    with sync_playwright() as playwright, TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        with started(Stack(Path(folder) / "played", ScenarioRun(until=UNTIL))) as stack:
            print(f"The programme is played to {UNTIL} ...", file=sys.stderr)
            wait_until("the programme is played", lambda: is_played(stack, UNTIL), within_s=300)
            position = ask(stack.folder, "aggregator", "/state")["position"]
            wait_until("planned", lambda: ask(stack.folder, "aggregator", "/shortages")["position"] == position)
            for name, path, width, scheme in VIEWS:
                with _opened(browser, stack, path, width, scheme) as page:
                    if page.locator("#live").count():  # the calendar is no live page
                        page.locator("#live.on").wait_for()
                    page.locator("[data-late]").first.wait_for(state="detached", timeout=60_000)
                    _save(page, name, width)
        with started(Stack(Path(folder) / "nordic", programme_file=NORDIC / "programme.yaml")) as stack:
            _import_sheets(stack)
            for name, width in IMPORTS:
                with _opened(browser, stack, "/import", width, "light") as page:
                    page.get_by_label("States").select_option(label="commits of fjord")
                    page.get_by_label("Sheet", exact=True).set_input_files(NORDIC / "fjord-later.csv")
                    page.get_by_role("button", name="Preview").click()
                    page.locator("#effect table").wait_for()
                    _save(page, name, width)
    return 0


@contextmanager
def _opened(browser: Browser, stack: Stack, path: str, width: int, scheme: Any) -> Iterator[Page]:
    with browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme) as context:
        page = context.new_page()
        page.goto(stack.url("console") + path, wait_until="load")
        yield page


def _save(page: Page, name: str, width: int) -> None:
    high = min(page.evaluate("document.documentElement.scrollHeight"), 1_200)
    page.screenshot(path=TO / f"{name}.png", full_page=True, clip={"x": 0, "y": 0, "width": width, "height": high})
    print(TO / f"{name}.png")


def _import_sheets(stack: Stack) -> None:
    """Import the sheets of the tutorial *Your own programme*, and complete their last day."""
    for name, kind, service in SHEETS:
        send_sheet(stack.url(service), NORDIC / name, None, {"as": kind, "dry_run": "false"})
    parties = [name for name in stack.services() if name.startswith(("supplier-", "datacenter-"))]
    advance_sources({"services": {name: stack.url(name) for name in parties}}, parties, date(2026, 6, 30))
    wait_until("planned", lambda: ask(stack.folder, "aggregator", "/shortages")["today"] is not None)


if __name__ == "__main__":
    sys.exit(main())
