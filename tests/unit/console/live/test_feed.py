"""The feed: the position first, then each move, none lost in a pause."""

import asyncio
import time

from services.console.live.feed import MoveFeed


async def read_events(feed: MoveFeed, count: int) -> list[bytes]:
    found: list[bytes] = []
    async with asyncio.timeout(5):
        async for event in feed.events():
            found.append(event)
            if len(found) == count:
                break
    return found


async def test_a_page_that_opens_gets_the_position_and_then_each_move() -> None:
    feed = MoveFeed()
    feed.start_at(b'{"position": 7}', quiet_s=0)
    listening = asyncio.create_task(read_events(feed, 2))
    await asyncio.sleep(0)
    began = time.monotonic()
    feed.publish([("1-0", b'{"position": 8}')])
    position, move = await listening

    assert position.endswith(b"event: standing\ndata: 7\n\n")
    assert move == b"event: moved\ndata: 8\n\n"
    assert time.monotonic() - began < 1


async def test_a_move_in_the_pause_after_another_is_sent_next() -> None:
    feed = MoveFeed()
    listening = asyncio.create_task(read_events(feed, 3))
    await asyncio.sleep(0)
    feed.publish([("1-0", b'{"position": 1}')])
    await asyncio.sleep(0.05)  # the page has its event, and the feed pauses
    feed.publish([("2-0", b'{"position": 2}')])

    assert (await listening)[-1] == b"event: moved\ndata: 2\n\n"


def test_no_day_passes_while_alerts_of_the_plans_day_come_between_balances():
    feed = MoveFeed()
    for number, body in enumerate((b'"day": 2', b'"complete_through": 1', b'"day": 2', b'"complete_through": 2')):
        feed.publish([("1-0", b'{"position": %d, %b}' % (number, body))])

    assert not feed.days_pass


def test_days_pass_while_one_is_completed_after_another() -> None:
    feed = MoveFeed()
    found = []
    for number, body in enumerate((b'"day": 1', b'"day": 1', b'"day": 2', b'"complete_through": 2')):
        feed.publish([("1-0", b'{"position": %d, %b}' % (number, body))])
        found.append(feed.days_pass)

    assert found == [False, False, True, True]
