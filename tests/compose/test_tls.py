"""Does the same stack do its work where nothing is in the clear?"""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime

import httpx
import pytest

from shared.play.numbering import Numbering
from shared.wire.events import LotFinished, LotStarted
from tests.compose.conftest import Start
from tests.compose.stack import OURS, TLS_FILES, Failed, Stack, until

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY = {"product": "HBM4-12H", "site": "TX-ABILENE", "supplier": "samsung"}


@pytest.fixture(scope="module")
def stack(start: Start) -> Iterator[Stack]:
    with start(*TLS_FILES) as stack:
        yield stack


@pytest.mark.parametrize("service", OURS)
def test_a_service_answers_over_tls_with_its_certificate_and_not_in_the_clear(service: str, stack: Stack) -> None:
    url = stack.url(service) + "/health"

    with stack.http("token-operator") as client:
        assert client.get(url).json()["well"]
    with pytest.raises(httpx.TransportError), httpx.Client() as careless:
        careless.get(url.replace("https:", "http:"))


def test_redis_and_postgresql_answer_over_tls_only(stack: Stack) -> None:
    tls = ("--tls", "--cacert", "/run/secrets/tls/ca.crt")

    assert stack.redis("health", *tls, "PING") == "PONG"
    assert stack.postgres("sslmode=require", "SELECT current_user") == "ledger"
    with pytest.raises(Failed, match="redis-cli"):
        stack.redis("health", "PING")
    with pytest.raises(Failed, match="no encryption"):
        stack.postgres("sslmode=disable", "SELECT current_user")


def test_events_handed_in_over_tls_become_a_balance_that_the_command_line_reads(stack: Stack) -> None:
    numbering = Numbering("samsung")
    said = [
        numbering.emit(NOON, LotStarted(**KEY, lot="L1", fab="P3", wafers=25, due_out=date(2026, 9, 1))),
        numbering.emit(NOON, LotFinished(**KEY, lot="L1", wafers=24, yield_variance=1)),
    ]
    with stack.http("token-samsung") as samsung:
        body = "\n".join(json.dumps(event.cloud_event()) for event in said)
        answer = samsung.post(stack.url("supplier-samsung") + "/events", content=body)

    assert [verdict["status"] for verdict in answer.json()] == ["recorded", "recorded"]
    until(lambda: stack.ask("aggregator", "/state")["postings"] > 0, "the events are folded", 30)
    [balance] = stack.ask("aggregator", "/balances", by="product,site,supplier", window="1")["rows"]
    assert (balance["wip"], balance["finished"]) == (0, 24)
    [read] = json.loads(stack.operator("balances", "--by", "product,site,supplier", "--window", "1", "--json"))["rows"]
    assert read == balance
