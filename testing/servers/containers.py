"""Redis and PostgreSQL in containers: the servers of a deployment, for the end-to-end tests."""

import os
import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import psycopg
from redis import Redis
from testcontainers.community.postgres import PostgresContainer
from testcontainers.community.redis import PingWaitStrategy, RedisContainer
from testcontainers.core.config import testcontainers_config

from testing.servers.redis import free_port

WANTED = "WAFERLINE_TEST_CONTAINERS"  # set: these and no others; a test that gets none fails
REDIS, POSTGRES = "redis:8", "postgres:17"

_COMMAND = 'redis-server --save "" --appendonly yes --maxmemory-policy noeviction --requirepass'
_ENGINE_ANSWERS_WITHIN_S = 10
_PULLED_WITHIN_S = 30
_STARTED_WITHIN_S = 30

testcontainers_config.ryuk_disabled = True  # we stop what we start; the reaper is one more image to pull


class Unable(Exception):
    """There is no container, and why."""


class Running(NamedTuple):
    """A server's address, and what to say about it."""

    url: str
    said: str


def are_wanted() -> bool:
    """Whether nothing but containers is to be tested on."""
    return bool(os.environ.get(WANTED))


@contextmanager
def redis_container() -> Iterator[Running]:
    """Run a Redis; raise `Unable` where there can be none."""
    _expect(REDIS)
    password = secrets.token_hex()  # the port is open to the network, and without one Debian's Redis lets nobody in
    wait = PingWaitStrategy().with_startup_timeout(_STARTED_WITHIN_S).with_poll_interval(0.1)
    container = RedisContainer(REDIS, password=password).with_command(f"{_COMMAND} {password}").waiting_for(wait)
    with _started(container, REDIS):
        address = f"{container.get_container_host_ip()}:{container.get_exposed_port(6379)}"
        url = f"redis://:{password}@{address}/0"
        with Redis.from_url(url) as redis:
            version = redis.info("server")["redis_version"]
        yield Running(url, f"{version}, the container {REDIS} at {address}")


class PostgresServer:
    """A PostgreSQL in a container, which can be ended and started again."""

    def __init__(self, container: PostgresContainer) -> None:
        self._container = container.get_wrapped_container()
        self.url = container.get_connection_url(driver=None)

    def start(self) -> None:
        self._container.start()
        deadline = time.monotonic() + _STARTED_WITHIN_S
        while True:
            try:
                psycopg.connect(self.url).close()
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            else:
                return

    def end(self, number: int) -> None:
        """Send a signal to the server, and wait until it has ended."""
        self._container.kill(signal=number)
        self._container.wait(timeout=_STARTED_WITHIN_S)

    def kill(self, pid: int) -> None:
        """Kill one of its processes, by the number that it has inside."""
        code, said = self._container.exec_run(["sh", "-c", f"kill -KILL {pid}"])
        assert code == 0, said

    @property
    def said(self) -> str:
        with psycopg.connect(self.url) as connection:
            version = connection.info.parameter_status("server_version")
        return f"{version}, the container {POSTGRES} at {self.url.rpartition('@')[2]}"


@contextmanager
def postgres_container() -> Iterator[PostgresServer]:
    """Run a PostgreSQL, always at the same port; raise `Unable` where there can be none."""
    _expect(POSTGRES)
    container = PostgresContainer(POSTGRES, username="postgres", password=secrets.token_hex(), dbname="postgres")
    container.with_bind_ports(5432, free_port())  # one that Docker chooses is another after a restart
    with _started(container, POSTGRES):
        yield PostgresServer(container)


@contextmanager
def _started(container: RedisContainer | PostgresContainer, image: str) -> Iterator[None]:
    try:
        container.start()
    except Exception as why:
        container.stop()
        raise Unable(f"the Docker engine cannot run {image} ({type(why).__name__}: {why})") from why
    try:
        yield
    finally:
        container.stop()


def _expect(image: str) -> None:
    """Raise `Unable` where no engine answers, or it has not the image and cannot pull it."""
    if not _docker("version", within_s=_ENGINE_ANSWERS_WITHIN_S):
        raise Unable("no Docker engine answers")
    if not _docker("image", "inspect", image, within_s=_ENGINE_ANSWERS_WITHIN_S) and not _docker(
        "pull", image, within_s=_PULLED_WITHIN_S
    ):
        raise Unable(f"the Docker engine has no image {image} and cannot pull it ('docker pull {image}' says why)")


def _docker(*arguments: str, within_s: float) -> bool:
    """Whether a command of Docker succeeds in time."""
    try:
        done = subprocess.run(["docker", *arguments], capture_output=True, timeout=within_s, check=False)  # noqa: S607
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
