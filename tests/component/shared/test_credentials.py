"""Is a service let into Redis under its user and over TLS, and does it say in a line why it is not?"""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisLost
from redis.exceptions import TimeoutError as RedisTimeout

from services.operator.deployment.deployment_secrets import provision
from shared.process.credentials import CredentialsError, redis_address
from shared.process.settings import ServiceSettings
from shared.service.entries import Entry, publish_entries
from shared.service.service import Service
from shared.wire.streams import POSTINGS, party_stream, recorded_stream
from testing.servers.redis import deployed_redis

OURS = party_stream("supplier", "samsung")


class Deployed(NamedTuple):
    """A Redis with users, in the clear or over TLS alone, and the folder of their secrets."""

    port: int
    secrets: Path

    def settings(self, user: str = "supplier-samsung", *, tls: bool = True, host: str = "localhost") -> ServiceSettings:
        return ServiceSettings(
            redis_url=f"redis://{host}:{self.port}/0",
            redis_user=user,
            redis_password_file=self.secrets / f"redis-{user}",
            tls_ca_file=self.secrets / "tls/ca.crt" if tls else None,
        )


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("secrets") / "secrets"
    provision(folder, ["samsung"], ["emea"])
    return folder


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory, secrets: Path) -> Iterator[Deployed]:
    with deployed_redis(tmp_path_factory.mktemp("redis") / "tls", secrets, "redis-tls.conf") as port:
        yield Deployed(port, secrets)


@pytest.fixture(scope="module")
def clear(tmp_path_factory: pytest.TempPathFactory, secrets: Path) -> Iterator[Deployed]:
    with deployed_redis(tmp_path_factory.mktemp("redis") / "clear", secrets) as port:
        yield Deployed(port, secrets)


async def outcome(settings: ServiceSettings, *reads: str) -> BaseException | None:
    """Return why a service that reads some streams stopped; None if it reads, and stops only when asked to."""
    service = Service("tried", settings)
    for stream in reads:

        @service.reads(stream, after="0-0")
        async def hear(entries: list[Entry]) -> None:
            service.stopping.set()

    @service.run_beside
    async def speak() -> None:
        await publish_entries(service.redis, [(OURS, b"x", "*")])
        service.stopping.set()

    await asyncio.wait_for(service.run(), 20)
    return service.failure


@pytest.mark.parametrize("tls", [False, True])
async def test_a_service_speaks_under_its_user(clear: Deployed, encrypted: Deployed, *, tls: bool) -> None:
    settings = (encrypted if tls else clear).settings(tls=tls)

    assert await outcome(settings, recorded_stream("samsung")) is None


def test_over_tls_nothing_is_said_in_the_clear(encrypted: Deployed) -> None:
    with Redis(port=encrypted.port, retry=None) as redis, pytest.raises(RedisLost):
        redis.ping()


async def test_a_wrong_password_is_told_with_who_where_and_what_to_do(clear: Deployed, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("not-the-password\n")
    settings = clear.settings(tls=False).model_copy(update={"redis_password_file": wrong})

    failure = await outcome(settings)

    assert isinstance(failure, CredentialsError)
    for told in (f"localhost:{clear.port}", "supplier-samsung", "invalid username-password pair", "waferline secrets"):
        assert told in str(failure)
    assert "not-the-password" not in str(failure)


async def test_who_says_no_name_is_refused(clear: Deployed) -> None:
    settings = ServiceSettings(redis_url=f"redis://127.0.0.1:{clear.port}/0")

    with pytest.raises(CredentialsError, match="refuses the default user"):
        raise await outcome(settings) or AssertionError("it was let in")


async def test_the_user_of_another_service_is_found_out_at_the_start(clear: Deployed) -> None:
    failure = await outcome(clear.settings("supplier-samsung", tls=False), POSTINGS)

    assert isinstance(failure, CredentialsError)
    assert "supplier-samsung" in str(failure)


async def test_a_redis_of_another_ca_is_not_trusted(encrypted: Deployed, tmp_path: Path) -> None:
    provision(tmp_path / "others", ["samsung"], ["emea"])
    settings = encrypted.settings().model_copy(update={"tls_ca_file": tmp_path / "others/tls/ca.crt"})

    with pytest.raises(CredentialsError, match="is not trusted"):
        raise await outcome(settings) or AssertionError("it was trusted")


async def test_a_redis_under_another_name_is_not_trusted(encrypted: Deployed) -> None:
    with pytest.raises(CredentialsError, match="is not trusted"):
        raise await outcome(encrypted.settings(host="127.0.0.2")) or AssertionError("it was trusted")


async def test_a_redis_without_tls_is_not_spoken_to(clear: Deployed) -> None:
    with pytest.raises(RedisTimeout, match="no Redis that speaks TLS at rediss://"):
        raise await outcome(clear.settings()) or AssertionError("it was spoken to")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"redis_password_file": Path("/nowhere")}, "/nowhere cannot be read"),
        ({"redis_password_file": None}, "no password"),
        ({"redis_password_file": Path("/dev/null")}, "is empty"),
        ({"tls_ca_file": Path("/nowhere")}, "/nowhere is no CA"),
        ({"tls_ca_file": Path("/dev/null")}, "/dev/null is no CA"),
        ({"redis_url": "unix:///run/redis.sock"}, "has no TLS"),
    ],
)
def test_settings_that_do_not_fit_are_told(secrets: Path, changes: dict[str, object], told: str) -> None:
    settings = Deployed(1, secrets).settings().model_copy(update=changes)

    with pytest.raises(CredentialsError, match=told):
        redis_address(settings)


def test_the_password_stands_in_no_url(secrets: Path) -> None:
    url, options = redis_address(Deployed(1, secrets).settings())

    assert url == "rediss://localhost:1/0"
    assert options["password"] == (secrets / "redis-supplier-samsung").read_text()
