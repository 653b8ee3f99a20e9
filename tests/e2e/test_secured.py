"""Do the real processes do their work under users with no more than they need, over TLS, and say why they may not?"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from secrets import token_hex

import httpx
import pytest
from redis import Redis

from services.operator.ask.client import ask
from services.operator.deployment.deployment_secrets import provision
from services.operator.stack.stack import ScenarioRun, Stack, started
from shared.wire.days import day_number
from testing.servers.redis import deployed_redis
from testing.simulate import declarations, simulate
from tests.replay.tape import state_hash

UNTIL, SEED = date(2026, 1, 31), 7
PLAYED_WITHIN_S = 90
SUPPLIERS = ("samsung", "skhynix", "micron")
DATACENTERS = ("stargate-americas", "stargate-emea", "stargate-apac")

_SEEN = token_hex()


class Confined(Stack):
    """A stack of which each service has its own user, its own password, and trusts one CA."""

    secrets: Path

    def environment(self, name: str, source: str) -> Mapping[str, str]:
        return {**super().environment(name, source), **login(self.secrets, name)}


def login(secrets: Path, user: str) -> dict[str, str]:
    return {
        "WAFERLINE_REDIS_USER": user,
        "WAFERLINE_REDIS_PASSWORD_FILE": str(secrets / f"redis-{user}"),
        "WAFERLINE_TLS_CA_FILE": str(secrets / "tls/ca.crt"),
    }


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """The secrets of the reference programme, and somebody who sees what Redis refuses."""
    secrets = tmp_path / "secrets"
    provision(secrets, SUPPLIERS, DATACENTERS, ("stargate-planning",), playing=True)
    acl = secrets / "users.acl"
    acl.chmod(0o600)
    acl.write_text(acl.read_text() + f"user guard on >{_SEEN} -@all +acl|log\n")
    return secrets


@pytest.fixture
def port(secrets: Path, tmp_path: Path) -> Iterator[int]:
    with deployed_redis(tmp_path / "redis", secrets, "redis-tls.conf") as port:
        yield port


def is_played(stack: Stack) -> bool:
    try:
        head = httpx.get(stack.url("ledger") + "/head").json()
        state = httpx.get(stack.url("aggregator") + "/health").json()
    except httpx.TransportError:
        return False
    days = [source["advanced"] for source in head["sources"].values() if source["advanced"] is not None]
    return len(days) == len(SUPPLIERS + DATACENTERS) and set(days) == {day_number(UNTIL)} and (
        state.get("position") == head["position"] == state.get("planned")
    )  # fmt: skip


def test_the_programme_is_played_by_users_with_no_more_than_they_need_and_nothing_is_refused(
    folder: Path, secrets: Path, port: int
) -> None:
    stack = Confined(folder, ScenarioRun(until=UNTIL, seed=SEED), redis_url=f"redis://localhost:{port}/0")
    stack.secrets = secrets
    with started(stack):
        deadline = time.monotonic() + PLAYED_WITHIN_S
        while not is_played(stack):
            assert time.monotonic() < deadline, f"not played within {PLAYED_WITHIN_S} s: see {folder}/logs"
            time.sleep(0.1)
        state = ask(folder, "aggregator", "/state")

    ca = str(secrets / "tls/ca.crt")
    with Redis(host="localhost", port=port, ssl=True, ssl_ca_certs=ca, username="guard", password=_SEEN) as redis:
        refused = [(entry["username"], entry["object"]) for entry in redis.acl_log()]
    # a client that says its name at the start of a connection goes on where a later Redis than 7.0 forbids it
    assert [each for each in refused if each[1] != "client|setinfo"] == []
    assert state["state_hash"] == state_hash(
        [*declarations(UNTIL), *(event for _, said in simulate("announced", UNTIL, SEED) for event in said)]
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"WAFERLINE_REDIS_PASSWORD_FILE": "redis-aggregator"}, ("refuses ledger", "waferline secrets")),
        ({"WAFERLINE_REDIS_PASSWORD_FILE": "gone"}, ("cannot be read", "waferline secrets")),
        ({"WAFERLINE_TLS_CA_FILE": "ledger.key.pub"}, ("is no CA", "WAFERLINE_TLS_CA_FILE")),
        (
            {"WAFERLINE_REDIS_USER": "aggregator", "WAFERLINE_REDIS_PASSWORD_FILE": "redis-aggregator"},
            ("refuses aggregator", "waferline secrets"),
        ),
    ],
)
def test_a_service_that_is_not_let_in_ends_with_one_line_that_says_what_to_do(
    folder: Path, secrets: Path, port: int, changes: dict[str, str], told: tuple[str, ...]
) -> None:
    folder.mkdir()
    files = {key: value if key.endswith("_USER") else str(secrets / value) for key, value in changes.items()}
    environment = {
        **os.environ, **login(secrets, "ledger"), **files,
        "WAFERLINE_REDIS_URL": f"redis://localhost:{port}/0", "WAFERLINE_LEDGER_STORE": str(folder / "ledger.db"),
        "WAFERLINE_SUPPLIERS": ",".join(SUPPLIERS),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "services.ledger"], env=environment, capture_output=True, timeout=60, check=False
    )

    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1
    assert [(line["level"], line["log"]) for line in lines] == [("critical", "service_stopped")]
    for words in told:
        assert words in lines[0]["reason"]
    for password in secrets.glob("redis-*"):
        assert password.read_bytes() not in done.stdout + done.stderr


def test_an_embedded_stack_asks_its_own_redis_as_on_a_laptop_whatever_is_set_for_a_deployment(
    folder: Path, secrets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in login(secrets, "operator").items():
        monkeypatch.setenv(name, value)

    with started(Stack(folder)) as stack:
        assert httpx.get(stack.url("ledger") + "/health").json()["well"]
