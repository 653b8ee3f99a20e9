"""Does whatever fails stop the process, and does health tell the truth? Over a real Redis."""

import asyncio
import re
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis
from redis.exceptions import ResponseError
from starlette.applications import Starlette

from services.operator.stack.stack import Stack
from shared.process.settings import ServiceSettings
from shared.service.entries import Entry, entry_order, publish_entries
from shared.service.service import Service
from shared.wire.streams import DATA

STREAM = "wafers:{0}:tried"


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    stack = Stack(tmp_path_factory.mktemp("redis"), parties=False)
    stack.start_redis()
    yield stack.redis_url
    stack.stop()


@pytest.fixture
def service(redis_url: str) -> Service:
    with Redis.from_url(redis_url) as redis:
        redis.flushall()
    return Service("tried", ServiceSettings(redis_url=redis_url, silence_max_s=0.05))


def say(service: Service, *bodies: bytes) -> None:
    with Redis.from_url(service.settings.redis_url) as redis:
        for body in bodies:
            redis.xadd(STREAM, {DATA: body})


async def until(holds: Any, within_s: float = 10) -> None:
    """Wait for a condition, with a deadline."""
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110 (what is waited for knows no event)
            await asyncio.sleep(0.005)


@asynccontextmanager
async def running(service: Service) -> AsyncIterator["asyncio.Task[int]"]:
    """Run a service beside the test, and stop it at its end as a platform does."""
    task = asyncio.create_task(service.run())
    await until(lambda: service.broker.running)
    yield task
    service.stopping.set()
    await task


async def metrics_of(service: Service) -> str:
    transport = httpx.ASGITransport(Starlette(routes=service.routes))
    async with httpx.AsyncClient(transport=transport, base_url="http://tried") as client:
        return (await client.get("/metrics")).text


async def test_the_metrics_say_whether_redis_is_up_and_how_long_an_entry_waits(service: Service) -> None:
    held = asyncio.Event()

    @service.reads(STREAM, after="0-0")
    async def read(_: list[Entry]) -> None:
        await held.wait()

    away = Service("away", ServiceSettings(redis_url="redis://127.0.0.1:1/0"))
    away.reads(STREAM, after="0-0")(read)
    await away.broker.connect()
    async with running(service):
        say(service, b"1")
        await metrics_of(service)  # whoever looks first sees it begin to wait
        await asyncio.sleep(0.1)
        waiting = await metrics_of(service)
        held.set()

    assert "waferline_redis_up 1.0" in waiting
    [waited_s] = re.findall(r'waferline_stream_waiting_seconds\{stream=".*:tried"\} ([0-9.]+)', waiting)
    assert 0.05 < float(waited_s) < 5
    assert "waferline_redis_up 0.0" in await metrics_of(away)
    assert "process_start_time_seconds" in waiting


async def test_a_reader_begins_behind_its_position_and_hears_in_order(service: Service) -> None:
    say(service, b"0", b"1", b"2")
    with Redis.from_url(service.settings.redis_url) as redis:
        first = redis.xrange(STREAM)[0][0].decode()
    heard: list[bytes] = []

    @service.reads(STREAM, after=first, batch_max=2)
    async def hear(entries: list[Entry]) -> None:
        heard.extend(body for _, body in entries)

    async with running(service):
        await until(lambda: len(heard) == 2)
        say(service, b"3")
        await until(lambda: len(heard) == 3)

    assert heard == [b"1", b"2", b"3"]


async def test_a_reader_that_raises_ends_the_process_and_takes_nothing_more(service: Service) -> None:
    heard: list[bytes] = []

    @service.reads(STREAM, after="0-0", batch_max=1)
    async def hear(entries: list[Entry]) -> None:
        heard.append(entries[0][1])
        raise ValueError(entries[0][1])

    say(service, b"poison", b"good")

    assert await asyncio.wait_for(service.run(), 10) == 1
    assert heard == [b"poison"]
    assert isinstance(service.failure, ValueError)


async def test_a_task_that_dies_ends_the_process(service: Service) -> None:
    @service.run_beside
    async def die() -> None:
        raise KeyError("gone")

    assert await asyncio.wait_for(service.run(), 10) == 1


async def test_without_redis_the_process_ends_at_its_start() -> None:
    service = Service("tried", ServiceSettings(redis_url="redis://127.0.0.1:1/0"))

    assert await asyncio.wait_for(service.run(), 30) == 1


async def test_a_stop_signal_ends_the_process_well(service: Service) -> None:
    async with running(service) as task:
        signal.raise_signal(signal.SIGTERM)

        assert await asyncio.wait_for(task, 10) == 0


async def test_health_says_no_while_an_entry_waits_and_yes_again_after(service: Service) -> None:
    released = asyncio.Event()

    @service.reads(STREAM, after="0-0")
    async def hang(entries: list[Entry]) -> None:
        await released.wait()

    async with running(service):
        assert (await service.health.check()).well
        say(service, b"waits")
        assert (await service.health.check()).well  # it has only just come
        await asyncio.sleep(0.2)
        waiting = await service.health.check()
        released.set()
        await until(lambda: service.readers[0].entries == 1)
        after = await service.health.check()

    assert (waiting.well, waiting.detail["waiting"]) == (False, [STREAM])
    assert after.well


async def test_an_entry_id_at_or_below_the_last_one_is_answered_and_adds_nothing(service: Service) -> None:
    entry, again, next_one = (STREAM, b"a", "7-1"), (STREAM, b"a", "7-1"), (STREAM, b"b", "7-2")

    async with running(service):
        answers = await publish_entries(service.redis, [entry, again, next_one], raise_on_error=False)
        with pytest.raises(ResponseError, match="equal or smaller"):
            await publish_entries(service.redis, [again])
        entries = await service.redis.xrange(STREAM)

    assert [isinstance(answer, Exception) for answer in answers] == [False, True, False]
    assert [fields[DATA.encode()] for _, fields in entries] == [b"a", b"b"]


def test_entry_ids_sort_as_numbers() -> None:
    assert sorted(["10-2", "9-11", "10-10"], key=entry_order) == ["9-11", "10-2", "10-10"]


def test_the_folder_of_a_stack_is_where_its_data_lies(tmp_path: Path) -> None:
    assert Stack(tmp_path / "a" / ".." / "b").files.ledger_store == tmp_path / "b" / "ledger.db"
