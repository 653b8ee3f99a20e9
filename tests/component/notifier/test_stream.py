"""The notifier over a real Redis that loses the stream of alerts while it runs."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from services.notifier.app import build_app
from services.notifier.notifying import AlertNotifier
from services.notifier.outgoing import Outgoing
from services.notifier.rules import NO_RULES
from services.notifier.sending import AppriseSender, Pace
from services.notifier.settings import NotifierSettings
from services.operator.stack.stack import Stack
from shared.service.service import Service
from shared.wire.alerts import AlertBatch
from shared.wire.streams import ALERTS, DATA
from tests.component.notifier.killed import entry


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    stack = Stack(tmp_path / "redis", parties=False)
    stack.start_redis()
    yield stack.redis_url
    stack.stop()


async def test_alerts_of_a_stream_that_begins_anew_make_messages_while_it_runs(redis_url: str, tmp_path: Path) -> None:
    redis = Redis.from_url(redis_url)

    def publish(number: int, batch: AlertBatch) -> None:
        redis.xadd(ALERTS, {DATA: batch.encode()}, id=f"1-{number}")

    async def until_made(messages: int) -> None:
        async with asyncio.timeout(20):
            while made.counts()[0] < messages:  # noqa: ASYNC110 (the file knows no event)
                await asyncio.sleep(0.05)

    rules = tmp_path / "rules.yaml"
    rules.write_text("targets: {nobody: {url: 'json://127.0.0.1:1'}}\nrules: [{name: all, to: [nobody]}]\n")
    made = Outgoing(tmp_path / "out.db")
    made.begin_behind("0-0")
    settings = NotifierSettings(redis_url=redis_url, rules=rules, outgoing=tmp_path / "out.db")
    service = build_app(settings)
    task = asyncio.create_task(service.run())

    for number in (1, 2):
        publish(number, entry(number)[1])
    await until_made(2)
    redis.delete(ALERTS)
    publish(1, entry(1)[1].model_copy(update={"position": 9, "changes": entry(3)[1].changes}))
    await until_made(3)
    service.stopping.set()
    redis.close()

    assert await task == 0
    assert made.entry == "1-1"


async def test_rules_that_change_while_the_notifier_starts_are_taken(redis_url: str, tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("targets: {nobody: {url: 'json://127.0.0.1:1'}}\nrules: [{name: all, to: [nobody]}]\n")
    service = Service("notifier", NotifierSettings(redis_url=redis_url, rules=path))
    sender, outgoing = AppriseSender(NO_RULES, 5), Outgoing(tmp_path / "out.db")
    notifier = AlertNotifier(service, path, NO_RULES, outgoing, sender, Pace(60, 60))  # read before the file changed
    service.reads(ALERTS, after="0-0")(notifier.take_alerts)
    service.run_beside(notifier.send)
    service.at_end.append(notifier.end)
    task = asyncio.create_task(service.run())

    async with asyncio.timeout(20):
        while not notifier.rules.rules:  # noqa: ASYNC110 (the file knows no event)
            await asyncio.sleep(0.05)
    service.stopping.set()

    assert await task == 0
    assert sender.rules == notifier.rules
