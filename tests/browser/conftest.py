"""What the tests in a browser share: Chromium, and a stack that has played the programme."""

from collections.abc import Iterator
from datetime import date

import pytest
from playwright.sync_api import Browser, sync_playwright

from services.operator.ask.client import ask
from services.operator.stack.stack import ScenarioRun, Stack, started
from tests.browser.chromium import find_chromium
from tests.e2e.test_stack import is_played, wait_until

UNTIL = date(2026, 8, 31)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The Chromium of this machine, without a window."""
    with sync_playwright() as playwright:
        # as root, which may be all there is, it runs without its sandbox only
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack in which the programme was played to the end of August 2026."""
    folder = tmp_path_factory.mktemp("browser")
    with started(Stack(folder, ScenarioRun(until=UNTIL, variant="loi_headline"))) as stack:
        wait_until("the programme is played", lambda: is_played(stack, UNTIL), within_s=180)
        state = ask(folder, "aggregator", "/state")
        wait_until("planned", lambda: ask(folder, "aggregator", "/shortages")["position"] == state["position"])
        yield stack
