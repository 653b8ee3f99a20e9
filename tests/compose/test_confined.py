"""Does each container run with no more than it needs, and can nobody see or reach what is not for them?"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.compose.conftest import UNTIL, Start
from tests.compose.stack import OPERATOR, OURS, PARTIES, SERVICES, Stack, run, until

PLAYED_WITHIN_S = 120
SAMSUNG, SKHYNIX = "wafers:{0}:supply:samsung", "wafers:{0}:supply:skhynix"
POSTINGS = "wafers:{0}:postings"


@pytest.fixture(scope="module")
def stack(start: Start, playing: dict[str, str], embedded: Callable[[], dict[str, Any]]) -> Iterator[Stack]:
    """A stack that has played as fast as it can: its logs and streams hold something."""
    with start(**playing) as stack:
        until(
            lambda: stack.ask("aggregator", "/state")["complete_through"] == UNTIL.isoformat(),
            f"played to {UNTIL}",
            PLAYED_WITHIN_S,
        )
        yield stack


def test_the_programme_played_in_containers_comes_to_the_same_balances_as_on_a_laptop(
    stack: Stack, embedded: Callable[[], dict[str, Any]]
) -> None:
    expected = embedded()

    assert stack.ask("aggregator", "/state")["state_hash"] == expected["state_hash"]
    assert stack.ask("ledger", "/counts") == expected["events_by_type"]


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_is_confined_and_is_started_again(service: str, stack: Stack) -> None:
    container = stack.inspect(service)
    host = container["HostConfig"]

    assert container["State"]["Health"]["Status"] == "healthy"
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert not host["Privileged"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["Memory"] > 0
    assert host["PidsLimit"] > 0
    assert host["LogConfig"]["Config"].keys() == {"max-size", "max-file"}
    assert host["RestartPolicy"]["Name"] == "unless-stopped"


@pytest.mark.parametrize("service", SERVICES)
def test_its_process_is_not_root_and_not_even_root_could_write_to_its_image(service: str, stack: Stack) -> None:
    tried = "grep ^Uid: /proc/1/status; for place in / /opt/ /usr/bin/; do touch ${place}tried 2>&1; done; true"
    uid, *refused = run("docker", "exec", "--user", "0", stack.container(service), "sh", "-c", tried).splitlines()

    assert "0" not in uid.split()[1:]
    assert len(refused) == 3
    assert all("Read-only file system" in line for line in refused)


def test_no_secret_stands_in_what_docker_tells_of_the_containers_or_in_their_logs(stack: Stack) -> None:
    kinds = ("redis-*", "postgres-*", "token-*", "grafana-*", "ledger.key", "tls/*.key")
    secrets = [line for kind in kinds for path in stack.secrets.glob(kind) for line in path.read_text().split()]
    told = stack.logs() + "".join(run("docker", "inspect", stack.container(service)) for service in SERVICES)

    assert "/run/secrets/postgres-admin" in told  # it was the containers' settings that was looked through
    assert "service_started" in told
    assert [each for each in secrets if len(each) >= 20 and each in told] == []


@pytest.mark.parametrize(
    ("user", "command"),
    [
        ("supplier-samsung", ("XADD", SKHYNIX, "*", "data", "x")),
        ("supplier-samsung", ("XREVRANGE", SKHYNIX, "+", "-", "COUNT", "1")),
        ("supplier-samsung", ("XADD", POSTINGS, "*", "data", "x")),
        ("datacenter-stargate-emea", ("XADD", SAMSUNG, "*", "data", "x")),
        ("ledger", ("XADD", SAMSUNG, "*", "data", "x")),
        ("aggregator", ("XADD", POSTINGS, "*", "data", "x")),
        ("operator", ("XADD", SAMSUNG, "*", "data", "x")),
        ("operator", ("CONFIG", "GET", "dir")),
        ("ledger", ("FLUSHALL",)),
        ("ledger", ("DEL", POSTINGS)),
        ("health", ("XLEN", POSTINGS)),
    ],
)
def test_redis_refuses_a_user_what_its_service_does_not_send(user: str, command: tuple[str, ...], stack: Stack) -> None:
    assert "NOPERM" in stack.redis(user, *command)


def test_redis_grants_what_a_service_sends_and_nothing_to_nobody(stack: Stack) -> None:
    assert stack.redis("health", "PING") == "PONG"
    assert int(stack.redis("operator", "XLEN", POSTINGS)) > 0
    assert "NOAUTH" in stack.redis(None, "PING")
    assert "WRONGPASS" in stack.redis(None, "AUTH", "default", "")


def routes() -> list[tuple[str, str, str]]:
    return [
        *((service, "GET", "/metrics") for service in OURS),
        ("ledger", "GET", "/head"),
        ("ledger", "GET", "/postings"),
        ("aggregator", "GET", "/state"),
        ("aggregator", "GET", "/shortages"),
        *((party, "POST", "/events") for party in PARTIES),
    ]


@pytest.mark.parametrize(("service", "method", "path"), routes())
def test_without_a_token_and_with_a_wrong_one_nothing_is_answered(
    service: str, method: str, path: str, stack: Stack
) -> None:
    with stack.http(token=None) as nobody:
        answers = [
            nobody.request(method, stack.url(service) + path, headers=headers, content=b"{}")
            for headers in ({}, {"Authorization": "Bearer guessed"})
        ]

    assert [answer.status_code for answer in answers] == [401, 401]
    assert [answer.headers["www-authenticate"].split()[0] for answer in answers] == ["Bearer", "Bearer"]


def test_a_token_that_lacks_the_scope_is_refused_and_health_is_open_but_tells_nothing(stack: Stack) -> None:
    with stack.http("token-planner") as planner, stack.http(token=None) as nobody:
        assert planner.get(stack.url("aggregator") + "/state").status_code == 200
        assert planner.get(stack.url("ledger") + "/postings").status_code == 403
        assert planner.post(stack.url("supplier-samsung") + "/events", content=b"{}").status_code == 403
        assert nobody.get(stack.url("aggregator") + "/health").json().keys() <= {"well", "service"}


PROBE = """
import json, socket, sys

def reached(host, port):
    try:
        socket.create_connection((host, port), 2).close()
    except OSError:
        return False
    return True

print(json.dumps({name: reached(*at) for name, at in json.loads(sys.argv[1]).items()}))
"""


def reached(stack: Stack, network: str) -> dict[str, bool]:
    """Return which of PostgreSQL and Redis can be reached from a network by who knows their addresses."""
    doors = {"postgres": ("store", 5432), "redis": ("streams", 6379)}
    places = {name: (stack.address(name, on), port) for name, (on, port) in doors.items()}
    command = ("--network", stack.network(network), "--entrypoint", "python", OPERATOR, "-c", PROBE)
    return dict(json.loads(run("docker", "run", "--rm", *command, json.dumps(places))))


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        ("http", {"postgres": False, "redis": False}),
        ("streams", {"postgres": False, "redis": True}),
        ("store", {"postgres": True, "redis": False}),
    ],
)
def test_postgresql_and_redis_are_reached_from_their_own_network_only(
    network: str, expected: dict[str, bool], stack: Stack
) -> None:
    assert reached(stack, network) == expected


@pytest.mark.parametrize("service", SERVICES)
def test_only_our_services_have_a_port_and_only_on_this_machine(service: str, stack: Stack) -> None:
    bound = stack.inspect(service)["NetworkSettings"]["Ports"]
    hosts = [each["HostIp"] for places in bound.values() for each in places or ()]

    assert hosts == (["127.0.0.1"] if service in OURS else [])
