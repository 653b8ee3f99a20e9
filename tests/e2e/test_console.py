"""Does the page show what the aggregator says, and does it hear of an event at once?"""

import json
import re
import threading
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.operator.ask.client import ask
from services.operator.stack.stack import ScenarioRun, Stack, started
from shared.play.numbering import Numbering
from shared.wire.events import LotStarted, SourceAdvanced
from tests.e2e.test_stack import is_played, wait_until

UNTIL = date(2026, 2, 28)


class Page(HTMLParser):
    """The text and the attributes of each element that has an id."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text: dict[str, str] = {}
        self.attributes: dict[str, dict[str, str | None]] = {}
        self._open: list[str] = []
        self.links: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "a":
            self.links.append(found.get("href") or "")
        self._open.append(found.get("id") or "")
        self.attributes[self._open[-1]] = found

    def handle_endtag(self, _: str) -> None:
        if self._open:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1]:
            self.text[self._open[-1]] = self.text.get(self._open[-1], "") + data.strip()


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("console")
    with started(Stack(folder, ScenarioRun(until=UNTIL, variant="loi_headline"))) as stack:
        wait_until("the programme is played", lambda: is_played(stack, UNTIL))
        # the plan is worked out beside the fold
        state = ask(folder, "aggregator", "/state")
        wait_until("planned", lambda: ask(folder, "aggregator", "/shortages")["position"] == state["position"])
        yield stack


def get(stack: Stack, path: str, **query: str) -> httpx.Response:
    return httpx.get(stack.url("console") + path, params=query or None, timeout=30, headers={"Accept": "text/html"})


def test_the_programme_page_says_what_the_aggregator_says(played: Stack) -> None:
    page = Page(get(played, "/").text)
    rows = ask(played.folder, "aggregator", "/balances", window=30, basis="start")["rows"]
    [rolled] = [row for row in rows if not row["synthetic"]]
    first = ask(played.folder, "aggregator", "/shortages", limit=1)["rows"][0]

    shown = [page.text[name] for name in ("supply", "demand", "net")]
    assert shown == [f"{rolled[name]:,}".replace("-", "−") for name in ("supply", "demand", "net")]
    assert page.attributes["first-short"]["data-day"] == first["first_short_day"]
    assert first["site"] == "TX-SHACKELFORD"
    assert page.text["first-short"] == f"{first['product']} at Shackelford County"
    assert page.attributes["standing"]["data-through"] == "2026-02-28"


def test_from_a_shortage_to_its_cause_and_from_there_to_the_event_is_a_click_each(played: Stack) -> None:
    shortage = next(link for link in Page(get(played, "/").text).links if link.startswith("/shortages?"))
    causes = [link for link in Page(get(played, shortage).text).links if link.startswith("/events/")]
    event = get(played, causes[0])

    assert event.status_code == 200
    assert causes[0].partition("?")[0].rpartition("/")[2] in event.text
    assert "Recorded in batch" in event.text
    assert event.text.count("✓") == 3
    assert "Proved: it stands in the chain" in event.text


@pytest.mark.parametrize("path", ["/", "/sites", "/sites/TX-ABILENE", "/suppliers", "/shortages", "/log"])
def test_every_page_is_there_and_keeps_the_filters_in_its_links(played: Stack, path: str) -> None:
    answer = get(played, path, product="HBM4-12H")

    assert answer.status_code == 200
    assert f"<option selected>{'HBM4-12H'}" in answer.text
    assert "/suppliers?product=HBM4-12H" in Page(answer.text).links


def test_the_filters_offer_each_name_once(played: Stack) -> None:
    page = get(played, "/").text

    for part in (re.search(rf'<datalist id="{name}s">(.*?)</datalist>', page) for name in ("site", "supplier")):
        assert part is not None
        names = re.findall(r'<option value="([^"]+)"', part[1])
        assert len(names) == len(set(names)) > 1
    products = re.findall(r"<option>([^<]+)", page.partition('<select name="product">')[2].partition("</select>")[0])
    assert len(products) == len(set(products)) > 1


def test_what_cannot_be_shown_says_why_and_what_there_is(played: Stack) -> None:
    answer = get(played, "/", site="ATLANTIS")

    assert answer.status_code == 404
    assert "site is &#39;ATLANTIS&#39;; there are" in answer.text


def test_what_is_announced_what_is_assumed_and_what_is_synthetic_stand_apart(played: Stack) -> None:
    announced, rest = get(played, "/sites").text.split('id="assumed"')
    assumed, synthetic = rest.split('id="synthetic"')

    parts = {"TX-ABILENE": announced, "KR-FDC-FLEET": assumed, "POOL-US": synthetic}
    for name, its_part in parts.items():
        assert [part for part in (announced, assumed, synthetic) if f'<tr data-key="{name}">' in part] == [its_part]


@pytest.mark.parametrize("name", ["months", "gap"])
def test_a_chart_is_a_picture_too(played: Stack, name: str) -> None:
    assert get(played, "/", format="png", chart=name).content.startswith(b"\x89PNG")


def test_an_event_is_told_to_open_pages_within_a_second(tmp_path: Path, redis_url: str) -> None:
    numbering, noon = Numbering("samsung"), datetime(2026, 3, 1, 12, tzinfo=UTC)
    key: dict[str, Any] = {"product": "HBM4-12H", "site": "TX-ABILENE", "supplier": "samsung"}
    said = [
        numbering.emit(noon, LotStarted(**key, lot="L1", fab="P3", wafers=25, due_out=date(2026, 9, 1))),
        numbering.emit(noon, SourceAdvanced(through=noon.date())),
    ]
    heard: list[float] = []

    with started(Stack(tmp_path / "stack", redis_url=redis_url)) as stack:
        empty = get(stack, "/")

        def listen() -> None:
            with httpx.stream("GET", stack.url("console") + "/live", timeout=30) as events:
                for line in events.iter_lines():
                    if line == "event: moved":
                        heard.append(time.monotonic())
                        return

        listening = threading.Thread(target=listen)
        listening.start()
        wait_until("a page listens", lambda: httpx.get(stack.url("console") + "/health").json()["watching"] == 1)
        body = "\n".join(json.dumps(event.cloud_event()) for event in said)
        began = time.monotonic()
        httpx.post(stack.url("supplier-samsung") + "/events", content=body, timeout=30).raise_for_status()
        listening.join(20)
        page = Page(get(stack, "/").text)

    assert "Nothing is recorded yet" in empty.text
    assert heard
    assert heard[0] - began < 1
    assert page.text["supply"] == "25"
