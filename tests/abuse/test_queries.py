"""Queries of the past while the ledger stands still, and queries of very many sites."""

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

import httpx
import pytest
from redis import Redis

from services.operator.stack.settling import settle
from services.operator.stack.stack import Stack
from shared.play.numbering import Numbering
from shared.wire.batch import BATCH_MAX, EventBatch
from shared.wire.events import DemandRequired, Event, SourceAdvanced
from shared.wire.streams import DATA, party_stream
from tests.abuse.conftest import Watch, bearer, running

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SITES, PARTY = 8_000, "datacenter-stargate-americas"
PAST, PRESENT = 60, ("/alerts", "/months", "/state")
PRESENT_S = 3.0
SITES_S = 10.0
ANSWERED_S = 12.0


def orders() -> Iterator[Event]:
    """Yield an order of each site, and the watermark that makes a plan of them."""
    numbering = Numbering("stargate-americas")
    for n in range(SITES):
        order = DemandRequired(
            product="HBM4-12H", supplier="unattributed", site=f"site-{n}", line=f"line-{n}", priority=5, wafers=100,
            revision=1, due=date(2026, 9, 1), start_by=date(2026, 3, 1),
        )  # fmt: skip
        yield numbering.emit(NOON, order)
    yield numbering.emit(NOON, SourceAdvanced(through=NOON.date()))


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory, secrets: object) -> Iterator[Stack]:
    """A stack whose ledger has read orders of very many sites; its party is not there."""
    with running(tmp_path_factory.mktemp("many"), secrets, horizon_days=400, horizon_start="2026-01-01") as stack:  # type: ignore[arg-type]
        stack.processes[PARTY].terminate()  # it would find events that are not its own
        stack.processes.pop(PARTY).wait(20)
        events = list(orders())
        with Redis.from_url(stack.redis_url) as redis:
            for first in range(0, len(events), BATCH_MAX):
                body = EventBatch.of(events[first : first + BATCH_MAX]).encode()
                redis.xadd(party_stream("datacenter", "stargate-americas"), {DATA: body})
        yield stack


def get(stack: Stack, path: str) -> tuple[int, float]:
    """Return the status of an answer, and the seconds that it took."""
    began = time.monotonic()
    answer = httpx.get(stack.url("aggregator") + path, headers=bearer("planner"), timeout=60)
    return answer.status_code, time.monotonic() - began


def test_a_ledger_that_stands_still_holds_up_no_query_of_the_present(guarded: Stack, watch: Watch) -> None:
    ledger = guarded.processes["ledger"]
    ledger.send_signal(signal.SIGSTOP)
    try:
        with (
            watch(guarded, f"row 8: {PAST} queries of the past, the ledger stopped", except_=("ledger",)) as noted,
            ThreadPoolExecutor(PAST) as threads,
        ):
            past = [threads.submit(get, guarded, f"/state?as_of={n}") for n in range(PAST)]
            time.sleep(0.5)
            present = {path: get(guarded, path) for path in PRESENT}
            statuses = Counter(each.result()[0] for each in past)
            slowest = max(seconds for _, seconds in present.values())
            noted.seen = f"the past {dict(statuses)}, the present in {slowest:.2f} s"
    finally:
        ledger.send_signal(signal.SIGCONT)

    assert {status for status, _ in present.values()} == {200}
    assert slowest < PRESENT_S, present
    assert statuses == {503: PAST}


def test_many_searches_for_movements_hold_up_no_other_answer(guarded: Stack, watch: Watch) -> None:
    url, query = guarded.url("ledger") + "/movements", {"product": "HBM4-12H", "site": "TX-ABILENE"}

    def search(_: int) -> httpx.Response:
        return httpx.get(url, params=query, headers=bearer("operator"), timeout=60)

    with watch(guarded, f"row 8: {PAST} searches for movements at once") as noted, ThreadPoolExecutor(PAST) as threads:
        answers = list(threads.map(search, range(PAST)))
        statuses = Counter(answer.status_code for answer in answers)
        noted.seen = str(dict(statuses))

    assert statuses[200] > 0
    assert set(statuses) <= {200, 503}
    assert all("Retry-After" in answer.headers for answer in answers if answer.status_code == 503)


def test_a_person_is_told_soon_that_the_aggregator_does_not_answer(guarded: Stack, watch: Watch) -> None:
    """With no more patience than the default, both the console and the command line say so."""
    aggregator = guarded.processes["aggregator"]
    aggregator.send_signal(signal.SIGSTOP)
    command = [sys.executable, "-m", "services.operator", "shortages", "--data", str(guarded.folder)]
    try:
        with watch(guarded, "row 20: the aggregator stopped, a page and a command", except_=("aggregator",)) as noted:
            began = time.monotonic()
            page = httpx.get(guarded.url("console") + "/shortages", headers=bearer("planner"), timeout=60)
            page_s, began = time.monotonic() - began, time.monotonic()
            again = httpx.get(guarded.url("console") + "/sites", headers=bearer("planner"), timeout=60)
            again_s, began = time.monotonic() - began, time.monotonic()
            told = subprocess.run(command, capture_output=True, text=True, check=False)
            command_s = time.monotonic() - began
            noted.seen = f"the page {page_s:.1f} s, the next one {again_s:.1f} s, the command {command_s:.1f} s"
    finally:
        aggregator.send_signal(signal.SIGCONT)

    assert (page.status_code, again.status_code, told.returncode) == (503, 503, 1)
    assert "The aggregator does not answer" in page.text
    assert "WAFERLINE_ANSWER_WAIT_S" in told.stderr
    assert max(page_s, again_s) < ANSWERED_S
    assert command_s < ANSWERED_S + 5  # its own start included


def test_pages_of_very_many_sites_are_made_page_by_page(many: Stack, watch: Watch) -> None:
    settle(many)
    with (
        watch(many, f"row 9: {SITES} sites, six pages at once", except_=(PARTY,)) as noted,
        ThreadPoolExecutor(6) as threads,
    ):
        began = time.monotonic()
        pages = [threads.submit(get, many, f"/sites?limit={n}") for n in range(1, 7)]
        months = get(many, "/months")
        statuses = {each.result()[0] for each in pages}
        seconds = time.monotonic() - began
        noted.seen = f"all pages in {seconds:.1f} s, /months in {months[1]:.1f} s"

    assert (statuses, months[0]) == ({200}, 200)
    assert seconds < SITES_S


def test_the_pages_with_very_many_sites_come_soon(many: Stack, watch: Watch) -> None:
    settle(many)
    with watch(many, f"row 9: the console with {SITES} sites", except_=(PARTY,)) as noted:
        took = {}
        for path in ("/", "/sites", "/sites/site-7"):
            began = time.monotonic()
            page = httpx.get(many.url("console") + path, headers=bearer("planner"), timeout=60)
            took[path] = (page.status_code, round(time.monotonic() - began, 1))
        noted.seen = str(took)

    assert {status for status, _ in took.values()} == {200}
    assert max(seconds for _, seconds in took.values()) < SITES_S, took
