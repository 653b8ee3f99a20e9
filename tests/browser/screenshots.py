"""Pictures of the planner's page for the documentation: `make screenshots`."""

import sys
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.sync_api import sync_playwright

from services.operator.ask.client import ask
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
    ("sites", "/sites", DESK, "light"),
    ("site", "/sites/TX-ABILENE", DESK, "light"),
    ("suppliers", "/suppliers", DESK, "light"),
    ("shortages", "/shortages", DESK, "light"),
    ("why", "/shortages?product=HBM4-12H&site=TX-MILAM", DESK, "light"),
    ("log", "/log", DESK, "light"),
]


def main() -> int:
    """Play the programme to the end of August 2026, and take a picture of each view."""
    to = Path("docs/pictures")
    to.mkdir(exist_ok=True)
    with TemporaryDirectory() as folder, started(Stack(Path(folder), ScenarioRun(until=UNTIL))) as stack:
        print(f"The programme is played to {UNTIL} ...", file=sys.stderr)
        wait_until("the programme is played", lambda: is_played(stack, UNTIL), within_s=300)
        position = ask(stack.folder, "aggregator", "/state")["position"]
        wait_until("planned", lambda: ask(stack.folder, "aggregator", "/shortages")["position"] == position)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
            for name, path, width, scheme in VIEWS:
                context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
                page = context.new_page()
                page.goto(stack.url("console") + path, wait_until="load")
                page.locator("#live.on").wait_for()
                high = min(page.evaluate("document.documentElement.scrollHeight"), 1_200)
                page.screenshot(
                    path=to / f"{name}.png", full_page=True, clip={"x": 0, "y": 0, "width": width, "height": high}
                )
                print(to / f"{name}.png")
                context.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
