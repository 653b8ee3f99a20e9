"""Is each alert told once, whoever is killed meanwhile, and are the same ones open in whatever order it was said?"""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis

from services.operator.ask.client import ask
from services.operator.stack.settling import settle
from services.operator.stack.stack import Stack, started
from shared.play.numbering import Numbering
from shared.wire.alerts import AlertBatch
from shared.wire.events import DemandRequired, Event, EventData, ShipmentDispatched, ShipmentReceived, SourceAdvanced
from shared.wire.events import SupplyCommitted as Commit
from shared.wire.streams import ALERTS, DATA
from tests.e2e.test_mishaps import is_folded, until

DAY = date(2026, 3, 1)
KEY: dict[str, Any] = {"product": "HBM4-12H", "site": "TX-ABILENE", "supplier": "samsung"}
PARTIES = {
    "samsung": "supplier", "skhynix": "supplier", "stargate-americas": "datacenter", "stargate-emea": "datacenter",
    "stargate-apac": "datacenter",
}  # fmt: skip
SHORT, TOO_MANY = "short_within", "received_beyond_dispatched"


class Said:
    """The voices of all parties of a stack."""

    def __init__(self) -> None:
        self.numberings = {name: Numbering(name) for name in PARTIES}

    def __call__(self, name: str, data: EventData) -> Event:
        return self.numberings[name].emit(datetime(DAY.year, DAY.month, DAY.day, 12, tzinfo=UTC), data)

    def order(self, wafers: int, due: date, line: str) -> Event:
        start_by = due - timedelta(days=90)
        data = DemandRequired(**KEY, line=line, due=due, start_by=start_by, priority=1, wafers=wafers, revision=0)
        return self("stargate-americas", data)

    def commit(self, wafers: int, due: date, revision: int = 0) -> Event:
        return self("samsung", Commit(**KEY, line="C1", due=due, firmness="firm", wafers=wafers, revision=revision))

    def ends(self) -> list[Event]:
        return [self(name, SourceAdvanced(through=DAY)) for name in PARTIES]


def hand_in(stack: Stack, events: list[Event]) -> None:
    """Hand in some events, one request a run of one source, and wait until they are folded and planned with."""
    for event in events:
        body = json.dumps(event.cloud_event())
        answer = httpx.post(f"{stack.url(f'{PARTIES[event.source]}-{event.source}')}/events", content=body, timeout=30)
        assert [verdict["status"] for verdict in answer.json()] == ["recorded"]
    settle(stack)


def told(stack: Stack) -> list[str]:
    """Return what was said of the shortage on the stream; a source is silent until its watermark is handed in."""
    with Redis.from_url(stack.redis_url) as redis:
        batches = [AlertBatch.model_validate_json(fields[DATA.encode()]) for _, fields in redis.xrange(ALERTS)]
    return [change.status for batch in batches for change in batch.changes if change.code == SHORT]


def restart(stack: Stack) -> None:
    """Kill the aggregator as a power cut would, and have it fold everything anew."""
    stack.kill("aggregator")
    stack.tend()
    until("the aggregator is back", lambda: stack.is_up("aggregator") and is_folded(stack))
    settle(stack)


@pytest.fixture
def stack(folder: Path, redis_url: str) -> Iterator[Stack]:
    with started(Stack(folder, redis_url=redis_url)) as stack:
        yield stack


def test_an_alert_is_raised_once_and_cleared_once_though_the_aggregator_is_killed(stack: Stack) -> None:
    say = Said()
    due = DAY + timedelta(days=9)
    hand_in(stack, [say.order(40, due, "O1"), *say.ends()])
    until("it is raised", lambda: told(stack) == ["raised"])
    restart(stack)
    hand_in(stack, [say.order(5, due, "O2")])  # what is short alters, and is short still
    raised = told(stack)

    hand_in(stack, [say.commit(45, due)])
    until("it is cleared", lambda: len(told(stack)) == 2)
    restart(stack)
    hand_in(stack, [say.commit(46, due, 1)])

    assert raised == ["raised"]
    assert told(stack) == ["raised", "cleared"]
    log = (stack.folder / "logs" / "aggregator.log").read_text().splitlines()
    for name in ("alert_raised", "alert_cleared"):
        assert len([line for line in log if f'"log":"{name}","code":"{SHORT}"' in line]) == 1


def test_what_was_not_told_when_it_was_killed_is_told_by_the_next_one(stack: Stack) -> None:
    say = Said()
    hand_in(stack, [say.order(40, DAY + timedelta(days=9), "O1"), *say.ends()])
    until("it is raised", lambda: told(stack) == ["raised"])
    with Redis.from_url(stack.redis_url) as redis:
        redis.delete(ALERTS)  # as if it had been killed before it said so
    restart(stack)

    until("it is raised", lambda: told(stack) == ["raised"])


def test_the_same_alerts_are_open_in_any_order_and_at_rest(folder: Path, tmp_path: Path) -> None:
    say, due = Said(), DAY + timedelta(days=9)
    sent = ShipmentDispatched(**KEY, shipment="S1", commit="C1", wafers=10, eta=due, lots=[])
    events = [
        say.commit(40, due),
        say.commit(20, due, 1),
        say("samsung", sent),
        say.order(60, due, "O1"),
        say("stargate-americas", ShipmentReceived(**KEY, shipment="S1", owner="samsung", wafers=11, wafers_damaged=0)),
        *say.ends(),
    ]
    other = sorted(events, key=lambda event: (-list(PARTIES).index(event.source), event.sequence))
    answers = []
    for place, order in ((folder, events), (tmp_path / "other", other)):
        with started(Stack(place)) as stack:
            hand_in(stack, order)
            answers.append(ask(place, "aggregator", "/alerts"))
        answers.append(ask(place, "aggregator", "/alerts"))

    assert [row["code"] for row in answers[0]["rows"]] == [TOO_MANY, SHORT]
    assert [row["detail"] for row in answers[0]["rows"]][1]["wafers"] == 60 - 20 - 1
    assert all(answer["rows"] == answers[0]["rows"] for answer in answers)
