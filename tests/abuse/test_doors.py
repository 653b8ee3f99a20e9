"""Requests that no careful caller sends: bodies too large and too many, heads that never end, hosts of strangers."""

import json
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from redis import Redis

from services.operator.stack.stack import Stack
from shared.wire.streams import DATA, party_stream
from tests.abuse.conftest import Watch, bearer, running

MB = 1 << 20
SUPPLIER, DATACENTER = "supplier-samsung", "datacenter-stargate-americas"
KEY = {"product": "HBM4-12H", "site": "TX-ABILENE", "supplier": "samsung"}


def order(n: int, site: str = "TX-ABILENE") -> dict[str, object]:
    return {
        "specversion": "1.0", "id": f"019cacde-ae00-7a43-8f1d-{n:012x}", "source": "stargate-americas",
        "type": "waferline.demand.required.v1", "time": "2026-03-02T05:00:00Z",
        "data": {
            "product": "HBM4-12H", "site": site, "supplier": "unattributed", "line": f"O{n}", "due": "2026-09-01",
            "start_by": "2026-04-01", "priority": 5, "wafers": 25, "revision": 0,
        },
    }  # fmt: skip


def post(stack: Stack, service: str, body: bytes | Iterator[bytes], name: str = "", **headers: str) -> httpx.Response:
    sent = {**(bearer(name) if name else {}), **headers}
    return httpx.post(stack.url(service) + "/events", content=body, headers=sent, timeout=60)


def raw(stack: Stack, service: str, head: str, timeout_s: float = 30) -> str:
    """Return the first line of the answer to these bytes; empty where the connection is closed without one."""
    with connected(stack, service, timeout_s) as connection:
        connection.sendall(head.encode())
        return connection.recv(100).decode("latin-1").partition("\r\n")[0]


def connected(stack: Stack, service: str, timeout_s: float = 30) -> socket.socket:
    return socket.create_connection(("127.0.0.1", stack.ports[service]), timeout=timeout_s)


# ---------------------------------------------------------------- bodies


def test_a_login_of_half_a_gigabyte(guarded: Stack, watch: Watch) -> None:
    with watch(guarded, "row 2: POST /login with 500 MB", {"console": 300}) as noted:
        answers = [
            httpx.post(guarded.url("console") + "/login", content=body, timeout=60).status_code
            for body in (b"x" * (500 * MB), (b"x" * MB for _ in range(100)))  # with a length, and in chunks
        ]
        noted.seen = f"statuses {answers}"

    assert answers == [413, 413]


def test_a_login_of_a_million_fields(guarded: Stack, watch: Watch) -> None:
    with watch(guarded, "row 2: POST /login with 12 MB, and 12 kB, of a=1&", {"console": 300}) as noted:
        answers = [
            httpx.post(guarded.url("console") + "/login", content=b"a=1&" * n, timeout=60).status_code
            for n in (3 * MB, 3_000)
        ]
        noted.seen = f"statuses {answers}"

    assert answers == [413, 400]


def test_a_body_to_a_path_that_takes_none(guarded: Stack, watch: Watch) -> None:
    with watch(
        guarded, "row 2: GET with 100 MB to each service", dict.fromkeys(("ledger", "console", "supplier"), 300)
    ):
        for name in ("ledger", "console", "aggregator", SUPPLIER):
            body = (b"x" * MB for _ in range(100))
            answer = httpx.request("GET", guarded.url(name) + "/health", content=body, timeout=60)

            assert answer.status_code in (200, 413)


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("1 MiB of x", b"x\n" * (MB // 2)),
        ("1 MiB of {}", b"{}\n" * (MB // 3)),
        ("1 MiB of empty lines", b"\n" * MB),
        ("1 MiB of pretty JSON", "\n".join(json.dumps(order(n), indent=1) for n in range(2_000)).encode()[: MB - 1]),
        ("1 MiB of CSV", b"order,product,site\n" + b"O1,HBM4-12H,TX-ABILENE\n" * (MB // 24)),
    ],
)
def test_a_body_of_lines_that_are_no_events(guarded: Stack, watch: Watch, what: str, body: bytes) -> None:
    with watch(guarded, f"row 3: {what} to /events", {"datacenter": 250}) as noted:
        answer = post(guarded, DATACENTER, body, "stargate-americas")
        noted.seen = f"{answer.status_code}, answer of {len(answer.content):,} bytes"

    assert answer.status_code == 413
    assert "WAFERLINE_REQUEST_EVENTS_MAX" in answer.json()["detail"]


def test_as_many_wrong_events_as_a_body_may_have(guarded: Stack, watch: Watch) -> None:
    wrong = [{**order(n), "type": "waferline.demand.required.v9"} for n in range(2_000)]
    body = "\n".join(map(json.dumps, wrong)).encode()
    assert len(body) < MB

    with watch(guarded, "row 3: 10 times 2,000 events of an unknown version", {"datacenter": 250}) as noted:
        for n in range(10):
            answer = post(guarded, DATACENTER, body.replace(b"019cacde", b"019ca%03x" % n), "stargate-americas")
            assert answer.status_code in (200, 202)
        noted.seen = f"{answer.status_code}, {dict(Counter(line['status'] for line in answer.json()))}"


# ---------------------------------------------------------------- heads and time


@contextmanager
def crowd(stack: Stack, service: str, sent: str, count: int = 1_200) -> Iterator[None]:
    """Keep connections open, on each of which the same bytes are sent; the service may close some."""
    with ExitStack() as until_the_end:
        for _ in range(count):
            connection = until_the_end.enter_context(connected(stack, service))
            with suppress(OSError):
                connection.sendall(sent.encode())
        yield


def test_heads_that_never_end(guarded: Stack, watch: Watch) -> None:
    with watch(guarded, "row 7: 1,200 unfinished heads to each service", {"ledger": 300, "console": 300}) as noted:
        for name in ("ledger", "aggregator", "console", SUPPLIER):
            with crowd(guarded, name, "GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX: "):
                time.sleep(1)
        began = time.monotonic()
        with connected(guarded, "ledger", 60) as slow:
            slow.sendall(b"GET /health HTTP/1.1\r\n")
            answer = b"".join(iter(lambda: slow.recv(1_000), b""))
        noted.seen = f"one alone is closed after {time.monotonic() - began:.0f} s"

    assert answer.startswith(b"HTTP/1.1 408")
    assert b"WAFERLINE_HEAD_TIMEOUT_S" in answer


def test_half_a_body(tmp_path: Path, secrets: Path, watch: Watch) -> None:
    head = "POST {} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n{}\r\nhalf"
    token = f"Authorization: {bearer('samsung')['Authorization']}\r\n"
    with running(tmp_path / "stack", secrets, body_timeout_s=3) as stack:
        with watch(stack, "row 7: half a body to /events and /login") as noted:
            began = time.monotonic()
            answers = [
                raw(stack, SUPPLIER, head.format("/events", token)),
                raw(stack, "console", head.format("/login", "")),
            ]
            noted.seen = f"{answers} after {time.monotonic() - began:.0f} s"
        with watch(stack, "row 7: 550 times half a body to /events and /login"):
            with crowd(stack, SUPPLIER, head.format("/events", token), 550):
                time.sleep(1)
            with crowd(stack, "console", head.format("/login", ""), 550):
                time.sleep(1)

    assert answers == ["HTTP/1.1 408 Request Timeout"] * 2


def test_answers_that_nobody_reads(tmp_path: Path, secrets: Path, watch: Watch) -> None:
    asked = "GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    asked += f"Authorization: {bearer('operator')['Authorization']}\r\n\r\n"
    with (
        running(tmp_path / "stack", secrets, answer_timeout_s=3) as stack,
        watch(stack, "row 7: 20 callers ask 200 times, and read nothing", {"aggregator": 500}) as noted,
    ):
        with crowd(stack, "aggregator", asked * 200, 20):
            time.sleep(6)
            metrics = httpx.get(stack.url("aggregator") + "/metrics", headers=bearer("operator")).text
        noted.seen = next(line for line in metrics.splitlines() if line.startswith("waferline_http_connections "))

    assert float(noted.seen.split()[1]) < 5


def test_a_length_beside_chunks(guarded: Stack, watch: Watch) -> None:
    head = (
        "POST /events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n"
        f"Authorization: {bearer('samsung')['Authorization']}\r\n\r\n0\r\n\r\n"
    )
    with watch(guarded, "row 18: Content-Length beside Transfer-Encoding") as noted:
        noted.seen = raw(guarded, SUPPLIER, head)

    assert noted.seen == "HTTP/1.1 400 Bad Request"


# ---------------------------------------------------------------- strangers' pages


def test_a_strangers_page_posts_and_a_strangers_name_reads(silent: Stack, watch: Watch) -> None:
    event = json.dumps(order(1)).encode()
    with watch(silent, "row 12: a stranger's page posts; a stranger's name leads here") as noted:
        posted = post(silent, DATACENTER, event, Origin="http://evil.example", **{"Content-Type": "text/plain"})
        rebound = [
            httpx.get(silent.url(name) + path, headers={"Host": f"evil.example:{silent.ports[name]}"}, timeout=30)
            for name, path in {
                "aggregator": "/balances",
                "ledger": "/head",
                "console": "/",
                DATACENTER: "/health",
            }.items()
        ]
        own = httpx.get(silent.url("aggregator") + "/balances", headers={"Host": "localhost"}, timeout=30)
        noted.seen = f"{posted.status_code}, {[answer.status_code for answer in rebound]}"

    assert posted.status_code == 403
    assert [answer.status_code for answer in rebound] == [421] * 4
    assert own.status_code == 200
    assert httpx.get(silent.url("ledger") + "/head").json()["events"] == 0


# ---------------------------------------------------------------- names


def test_a_new_name_in_each_order(tmp_path: Path, secrets: Path, watch: Watch) -> None:
    with running(tmp_path / "stack", secrets, names_max=1_000) as stack:
        with watch(stack, "row 1: 20,000 orders, each naming a new site", {"aggregator": 400}) as noted:
            answers = []
            for first in range(0, 20_000, 1_000):
                orders = [order(n, f"SITE-{n}") for n in range(first, first + 1_000)]
                body = "\n".join(map(json.dumps, orders)).encode()
                answers.append(post(stack, DATACENTER, body, "stargate-americas"))
            more = post(stack, DATACENTER, json.dumps(order(20_001, "SITE-7")).encode(), "stargate-americas")
            noted.seen = (
                f"statuses {dict(Counter(answer.status_code for answer in answers))}, a known name {more.status_code}"
            )
        names = httpx.get(stack.url(DATACENTER) + "/metrics", headers=bearer("operator")).text
        head = httpx.get(stack.url("ledger") + "/head", headers=bearer("operator")).json()

    assert [answer.status_code for answer in answers] == [200] + [429] * 19
    assert answers[-1].json()["type"] == "/problems/too-many-names"
    assert "WAFERLINE_NAMES_MAX" in answers[-1].json()["detail"]
    assert more.status_code == 200
    assert "waferline_names 1000.0" in names
    assert head["events"] == 1_001
    assert "names_near_limit" in (tmp_path / f"stack/logs/{DATACENTER}.log").read_text()


def test_new_names_that_come_by_the_stream(tmp_path: Path, secrets: Path, watch: Watch) -> None:
    with running(tmp_path / "stack", secrets, all_names_max=1_000) as stack:
        forged, log = (
            "datacenter-stargate-emea",
            tmp_path / "stack/logs/aggregator.log",
        )  # a party stops that never sent them
        with watch(stack, "row 1: 1,000 new sites by XADD, past the party", {"aggregator": 400}, (forged,)) as noted:
            with Redis.from_url(stack.redis_url) as redis:
                for n in range(1, 1_001):
                    entry = json.dumps(order(n, f"SITE-{n}") | {"sequence": str(n)})
                    redis.xadd(party_stream("datacenter", "stargate-emea"), {DATA: entry.replace("americas", "emea")})
            head = {"events": 0}
            deadline = time.monotonic() + 60
            while head["events"] < 1_000 or "names_near_limit" not in log.read_text():
                assert time.monotonic() < deadline, f"{head} within a minute"
                time.sleep(0.2)
                head = httpx.get(stack.url("ledger") + "/head", headers=bearer("operator")).json()
            noted.seen = f"{head['events']} recorded, and names_near_limit"

    assert head["events"] == 1_000
