"""Queries as a fuzzer makes them, any bytes included, to the real services: each is answered, and none with a 500."""

import gzip
import random
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPException, HTTPResponse
from itertools import islice
from pathlib import Path

import pytest
from redis import Redis

from services.operator.record import tapes
from services.operator.stack.settling import settle
from services.operator.stack.stack import Stack
from shared.wire.streams import DATA, party_stream
from tests.abuse.conftest import Watch, bearer, running
from tests.fuzz.http_queries import OF_THE_LEDGER, ApiRequest, check_answer, read_request
from tests.fuzz.stream_entries import TAPE
from tests.fuzz.targets import load

QUERIES, PAGES, SEED = 3_000, 100, 2026
CONSOLE = (
    "/",
    "/shortages",
    "/sites",
    "/sites/AE-ABUDHABI",
    "/suppliers",
    "/months",
    "/alerts",
    "/bridge",
    "/log",
    "/x",
)
EVENTS = 700


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory, secrets: Path) -> Iterator[Stack]:
    """A stack whose ledger has read the begin of the kept tape; its parties are not there."""
    with running(tmp_path_factory.mktemp("spoken"), secrets, horizon_days=400, horizon_start="2026-01-01") as stack:
        for name in [name for name in stack.processes if name.startswith(("supplier-", "datacenter-"))]:
            stack.processes[name].terminate()  # it would find events that are not its own
            stack.processes.pop(name).wait(20)
        with gzip.open(TAPE) as file:
            lines = list(islice(file, EVENTS))
        roles, _ = tapes.source_roles(lines)
        with Redis.from_url(stack.redis_url) as redis:
            for entry in tapes.entries(lines):
                redis.xadd(party_stream(roles[entry.source], entry.source), {DATA: entry.body})
        settle(stack)
        yield stack


class Client:
    """A client that sends any bytes as its target, on one connection while the service leaves it open."""

    def __init__(self, stack: Stack, service: str, name: str) -> None:
        self.port = stack.ports[service]
        self.head = f"Host: 127.0.0.1:{self.port}\r\nAuthorization: {bearer(name)['Authorization']}\r\n\r\n".encode()
        self.connection: socket.socket | None = None

    def get(self, target: bytes) -> tuple[int, dict[str, str], bytes]:
        """Return the status, headers and body of an answer; once more where the connection was about to close."""
        try:
            return self._get(target)
        except (HTTPException, ConnectionError):
            self.close()
            return self._get(target)

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def _get(self, target: bytes) -> tuple[int, dict[str, str], bytes]:
        if self.connection is None:
            self.connection = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        self.connection.sendall(b"GET " + target + b" HTTP/1.1\r\n" + self.head)
        with HTTPResponse(self.connection) as response:
            response.begin()
            body = response.read()
            headers = {name.lower(): value for name, value in response.getheaders()}
            if response.will_close:
                self.close()
            return response.status, headers, body


def test_queries_of_any_bytes_are_answered(spoken: Stack, watch: Watch) -> None:
    ledger, aggregator = Client(spoken, "ledger", "auditor"), Client(spoken, "aggregator", "planner")
    statuses = Counter[int]()
    parties = tuple(name for name in spoken.services() if name not in spoken.processes)
    with (
        closing(ledger),
        closing(aggregator),
        watch(spoken, f"{QUERIES} queries as a fuzzer makes them", except_=parties) as noted,
    ):
        for data in load("query").inputs(QUERIES, SEED):
            request = read_request(data)
            client = ledger if request.path in OF_THE_LEDGER else aggregator
            status, headers, body = client.get(request.target)
            if not (status == 400 and headers["content-type"].startswith("text/plain")):  # no request to the server
                check_answer(request, status, headers, body)
            statuses[status] += 1
        noted.seen = str(dict(statuses))

    assert statuses[200] > 100


def test_pages_with_queries_of_any_bytes_are_answered(spoken: Stack, watch: Watch) -> None:
    client, dice, statuses = Client(spoken, "console", "operator"), random.Random(SEED), Counter[int]()
    queries = (read_request(data).query for data in load("query").inputs(PAGES, SEED))
    parties = tuple(name for name in spoken.services() if name not in spoken.processes)
    with closing(client), watch(spoken, f"{PAGES} pages, such queries", except_=parties) as noted:
        for query in islice(queries, PAGES):
            request = ApiRequest(dice.choice(CONSOLE), {}, query)
            status, _, body = client.get(request.target)
            statuses[status] += 1
            assert status < 500, (request.target, status, body[:300])
        noted.seen = str(dict(statuses))

    assert statuses[200] > 10
