"""Every page and view of a stack in which nobody, or hardly anybody, has spoken."""

from pathlib import Path

import httpx

from services.operator.stack.settling import settle
from services.operator.stack.stack import Stack
from tests.abuse.conftest import Watch, running

MOVEMENTS = "/movements?product=HBM4-12H&site=TX-ABILENE"
PAGES = ("/", "/sites", "/shortages", "/suppliers", "/log", "/sites/TX-ABILENE", MOVEMENTS)
VIEWS = (
    "/balances", "/shortages", "/cover", "/atp", "/alerts", "/sites", "/suppliers", "/months",
    "/sites/TX-ABILENE/timeline",
)  # fmt: skip
EVENTS = Path(__file__).parents[2] / "docs/howto/events.ndjson"


def statuses(stack: Stack, service: str, paths: tuple[str, ...]) -> dict[str, int]:
    return {path: httpx.get(stack.url(service) + path, timeout=30).status_code for path in paths}


def test_no_page_and_no_view_has_a_bug_before_anybody_has_spoken(silent: Stack, watch: Watch) -> None:
    with watch(silent, "row 5: every page and view, before anybody has spoken") as noted:
        found = statuses(silent, "console", PAGES) | statuses(silent, "aggregator", VIEWS)
        noted.seen = f"statuses {sorted(set(found.values()))}"

    assert set(found.values()) <= {200, 404}, found


def test_nor_before_a_day_is_complete(tmp_path: Path, watch: Watch) -> None:
    with running(tmp_path / "stack", None) as stack:
        url = stack.url("datacenter-stargate-americas") + "/events"
        with watch(stack, "row 5: the how-to's events, then every page and view") as noted:
            taken = httpx.post(url, content=EVENTS.read_bytes(), timeout=30)
            settle(stack)
            found = statuses(stack, "console", PAGES) | statuses(stack, "aggregator", VIEWS)
            noted.seen = f"statuses {sorted(set(found.values()))}"

    assert [line["status"] for line in taken.json()] == ["recorded"] * 3
    assert set(found.values()) == {200}, found
