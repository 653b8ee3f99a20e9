"""Does the same stack do its work where nothing is in the clear?"""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import httpx
import pytest

from shared.play.numbering import Numbering
from shared.wire.events import LotFinished, LotStarted, SupplyCommitted
from tests.compose.conftest import Start
from tests.compose.stack import OPERATOR, OURS, TLS_FILES, Failed, Stack, run, until

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY = {"product": "HBM4-12H", "site": "TX-ABILENE", "supplier": "samsung"}


SESAME = "sesame-of-the-hook"
RULES = """
targets: {hook: {url_file: hook}, away: {url_file: away}}
rules: [{name: typos, to: [hook, away], codes: [due_beyond_horizon]}]
"""
SINK = """
from http.server import BaseHTTPRequestHandler, HTTPServer
class Hook(BaseHTTPRequestHandler):
    def do_POST(self):
        print(self.headers, self.rfile.read(int(self.headers["Content-Length"])).decode(), flush=True)
        self.send_response(200)
        self.end_headers()
HTTPServer(("", 8080), Hook).serve_forever()
"""


@pytest.fixture(scope="module")
def stack(start: Start, secrets_folder: Path) -> Iterator[Stack]:
    folder = secrets_folder / "notify"
    for name, text in {
        "rules.yaml": RULES, "hook": f"json://planner:{SESAME}@sink:8080/hook",
        "away": f"json://planner:{SESAME}@nowhere:8080/hook",
    }.items():  # fmt: skip
        (folder / name).write_text(text)
    with start(*TLS_FILES, COMPOSE_PROFILES="notify") as stack:
        yield stack


@pytest.mark.parametrize("service", [*OURS, "notifier"])
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


@pytest.fixture
def sink(stack: Stack) -> Iterator[str]:
    """A web hook on the network of the services; it prints what it gets."""
    name = f"{stack.project}-sink"
    place = ("--name", name, "--network", stack.network("http"), "--network-alias", "sink")
    run("docker", "run", "--detach", "--rm", *place, "--entrypoint", "python", OPERATOR, "-c", SINK)
    try:
        yield name
    finally:
        run("docker", "kill", name)


def test_an_alert_reaches_a_web_hook_and_no_secret_of_an_address_is_printed(stack: Stack, sink: str) -> None:
    key = KEY | {"supplier": "skhynix"}
    commit = SupplyCommitted(**key, line="C1", due=date(2045, 9, 1), firmness="firm", wafers=25, revision=0)
    with stack.http("token-skhynix") as skhynix:
        body = json.dumps(Numbering("skhynix").emit(NOON, commit).cloud_event())
        assert skhynix.post(stack.url("supplier-skhynix") + "/events", content=body).json()[0]["status"] == "recorded"

    title = "due beyond horizon HBM4-12H TX-ABILENE"
    until(lambda: title in run("docker", "logs", sink), "the hook has got the alert", 60)
    until(lambda: stack.ask("notifier", "/messages")["failing"] == 1, "the other address is tried", 60)
    said = stack.ask("notifier", "/messages")
    assert (said["sent"], said["waiting"], [row["target"] for row in said["rows"]]) == (1, 1, ["away"])
    assert "Idempotency-Key: " in run("docker", "logs", sink)
    told = stack.logs("notifier") + json.dumps(stack.inspect("notifier")) + json.dumps(said)
    assert "message_not_sent" in told
    assert SESAME not in told
