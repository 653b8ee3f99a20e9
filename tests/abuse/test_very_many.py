"""A hundred thousand open lines at one site, and a hundred thousand open alerts."""

import time
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import httpx
from redis import Redis

from services.operator.stack.settling import settle
from services.operator.stack.stack import Stack
from shared.play.numbering import Numbering
from shared.wire.alerts import AlertBatch
from shared.wire.batch import BATCH_MAX, EventBatch
from shared.wire.events import DemandRequired, Event, ShipmentDispatched, SourceAdvanced, SupplyCommitted
from shared.wire.streams import ALERTS, DATA, party_stream
from tests.abuse.conftest import Watch, bearer, running

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MANY = 100_000
PRODUCT, SITE = "HBM4-12H", "TX-ABILENE"
ORDERER, SUPPLIER = ("datacenter", "stargate-americas"), ("supplier", "samsung")
PARTIES = tuple(f"{role}-{source}" for role, source in (ORDERER, SUPPLIER))
ANSWERED_S = 20.0
RESTARTED_S = 60.0


def orders() -> Iterator[Event]:
    """Yield orders of one product at one site, due on many days, and a watermark."""
    numbering = Numbering(ORDERER[1])
    for n in range(MANY // 2):
        due = date(2026, 1 + n % 10, 1 + n % 28)
        order = DemandRequired(
            product=PRODUCT, supplier="unattributed", site=SITE, line=f"order-{n}", priority=5, wafers=100,
            revision=1, due=due, start_by=date(2026, 1, 1),
        )  # fmt: skip
        yield numbering.emit(NOON, order)
    yield numbering.emit(NOON, SourceAdvanced(through=NOON.date()))


def commits() -> Iterator[Event]:
    """Yield commits of half of what is ordered, some of them overdue, and a watermark."""
    numbering = Numbering(SUPPLIER[1])
    for n in range(MANY // 2):
        commit = SupplyCommitted(
            product=PRODUCT, supplier="samsung", site=SITE, line=f"commit-{n}", firmness="firm", wafers=50,
            revision=1, due=date(2026, 1 + n % 10, 1 + n % 28),
        )  # fmt: skip
        yield numbering.emit(NOON, commit)
    yield numbering.emit(NOON, SourceAdvanced(through=NOON.date()))


def dispatches() -> Iterator[Event]:
    """Yield shipments that name no commit, each an alert, and a watermark."""
    numbering = Numbering(SUPPLIER[1])
    for n in range(MANY):
        dispatch = ShipmentDispatched(
            product=PRODUCT, supplier="samsung", site=f"site-{n % 20}", shipment=f"shipment-{n}", commit=None,
            wafers=1, lots=[], eta=date(2026, 4, 1),
        )  # fmt: skip
        yield numbering.emit(NOON, dispatch)
    yield numbering.emit(NOON, SourceAdvanced(through=NOON.date()))


def publish(stack: Stack, party: tuple[str, str], events: Iterable[Event]) -> None:
    """Put events on the stream of a party, which is stopped: it would find events that are not its own."""
    name = "-".join(party)
    stack.processes[name].terminate()
    stack.processes.pop(name).wait(20)
    waiting = list(events)
    with Redis.from_url(stack.redis_url) as redis:
        for first in range(0, len(waiting), BATCH_MAX):
            redis.xadd(party_stream(*party), {DATA: EventBatch.of(waiting[first : first + BATCH_MAX]).encode()})


def times(stack: Stack, service: str, paths: Iterable[str]) -> dict[str, float]:
    """Return the seconds that the answer at each path took; all have to be there."""
    took = {}
    for path in paths:
        began = time.monotonic()
        answer = httpx.get(stack.url(service) + path, headers=bearer("operator"), timeout=60)
        assert answer.status_code == 200, f"{path}: {answer.text[:300]}"
        took[path] = round(time.monotonic() - began, 1)
    return took


def alerts_on_stream(stack: Stack) -> tuple[int, list[int]]:
    """Return how many alerts are raised on the stream and not cleared, and the changes of each entry."""
    with Redis.from_url(stack.redis_url) as redis:
        batches = [AlertBatch.model_validate_json(fields[DATA.encode()]) for _, fields in redis.xrange(ALERTS)]
    signs = [1 if change.status == "raised" else -1 for batch in batches for change in batch.changes]
    return sum(signs), [len(batch.changes) for batch in batches]


def test_very_many_open_lines_at_one_site_keep_no_other_answer_waiting(
    tmp_path: Path, secrets: Path, watch: Watch
) -> None:
    why = f"/shortages?product={PRODUCT}&site={SITE}"
    with running(tmp_path, secrets, horizon_days=400, horizon_start="2026-01-01") as stack:
        publish(stack, ORDERER, orders())
        publish(stack, SUPPLIER, commits())
        settle(stack)
        with watch(stack, f"{MANY:,} open lines at one site, explained", except_=PARTIES) as noted:
            took = times(stack, "aggregator", (why + "&why=true", f"/bridge{why.removeprefix('/shortages')}", "/atp"))
            noted.seen = str(took)
        with watch(stack, f"{MANY:,} open lines at one site, pages", except_=PARTIES) as noted:
            pages = times(stack, "console", ("/", why, "/sites", "/suppliers", "/log"))
            noted.seen = str(pages)

    assert max(took.values()) < ANSWERED_S, took
    assert max(pages.values()) < ANSWERED_S, pages


def test_very_many_open_alerts_are_raised_once_and_shown_in_pages(tmp_path: Path, secrets: Path, watch: Watch) -> None:
    with running(tmp_path, secrets, horizon_days=400, horizon_start="2026-01-01") as stack:
        publish(stack, SUPPLIER, dispatches())
        settle(stack)
        with watch(stack, f"{MANY:,} alerts are raised", except_=PARTIES) as noted:
            began = time.monotonic()
            while alerts_on_stream(stack)[0] < MANY:
                assert time.monotonic() - began < 120, alerts_on_stream(stack)[0]
                time.sleep(0.5)
            noted.seen = f"on the stream after {time.monotonic() - began:.0f} s"
        with watch(stack, f"{MANY:,} open alerts, pages", except_=PARTIES) as noted:
            paths = ("/alerts?limit=200", f"/alerts?limit=200&offset={MANY - 100}", "/alerts?site=site-7")
            took = times(stack, "aggregator", paths) | times(stack, "console", ("/", "/log", "/log?site=site-7"))
            noted.seen = str(took)
        before = alerts_on_stream(stack)
        began = time.monotonic()
        stack.kill("aggregator")
        stack.start_service("aggregator")
        settle_when_up(stack, began)
        with watch(stack, f"{MANY:,} open alerts, the aggregator started again", except_=PARTIES) as noted:
            noted.seen = f"up after {time.monotonic() - began:.0f} s"
            times(stack, "aggregator", ("/alerts",))
        after = alerts_on_stream(stack)

    assert max(took.values()) < ANSWERED_S, took
    assert after == before
    assert before[0] == MANY
    assert max(before[1]) <= 1_000


def settle_when_up(stack: Stack, began: float) -> None:
    """Wait until an aggregator that was started again answers, and has folded and planned all."""
    while True:
        try:
            httpx.get(stack.url("aggregator") + "/health", timeout=5)
            break
        except httpx.TransportError:
            assert time.monotonic() - began < RESTARTED_S
            time.sleep(0.1)
    settle(stack)
