"""Reading while the fold goes on: a plan is of one position, and whoever looks aside has the state stand still."""

import asyncio
import random
from datetime import date

import numpy as np
import pytest

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.state import FoldState
from services.aggregator.live.view import Reading
from services.aggregator.plan.projection import plan_ahead
from shared.wire.postings import Measure
from testing.twins.curves import batch_of

START = 20_089  # 2025-01-01
MEASURES = [
    Measure.REQUIRED,
    Measure.OPENED,
    Measure.RECEIVED,
    Measure.CONSUMED,
    Measure.OPEN_FIRM,
    Measure.TRANSIT_DUE,
]
TABLES = ("first_short", "first_shortage", "shortage", "overdue", "standing")


def batches(seed: int, count: int):
    """Yield batches of a few postings; now and then of a new key, or of a later today."""
    chance = random.Random(seed)  # noqa: S311
    for number in range(1, count + 1):
        keys = [("HBM4-12H", f"site-{chance.randrange(1 + number)}", "samsung") for _ in range(4)]
        log = [(key, chance.choice(MEASURES), START + chance.randrange(60), chance.randrange(1, 50)) for key in keys]
        yield batch_of(number, log, {"samsung": START + number // 10}, ["samsung"])


def tables(plan):
    return [plan.position, plan.today, plan.grouping.labels, *(getattr(plan, name).tolist() for name in TABLES)]


@pytest.mark.parametrize("seed", range(3))
def test_no_plan_is_torn_while_the_fold_goes_on(seed):
    """Each plan is that of its position, worked out from what had changed since the one before."""
    reading = Reading(FoldState(Curves(date(2025, 1, 1), 90)))
    plans, seen = [], []

    async def fold():
        for batch in batches(seed, 60):
            async with reading.still:
                changed = reading.state.add(batch)
            reading.note(changed)
            await asyncio.sleep(0)
            if batch.batch % 7 == 0:
                await asyncio.sleep(0.002)

    async def plan(folding):
        while not folding.done() or reading.moved.is_set():
            plans.append(await reading.refresh())
            await asyncio.sleep(0)

    async def look(folding):
        curves = reading.state.curves
        while not folding.done():
            seen.append(await reading.aside(lambda: (curves.position, curves.state_hash(), curves.position)))

    async def all_at_once():
        folding = asyncio.create_task(fold())
        await asyncio.gather(folding, plan(folding), look(folding))

    asyncio.run(all_at_once())

    curves, at, hashes = Curves(date(2025, 1, 1), 90), {}, {}
    for batch in [None, *batches(seed, 60)]:
        if batch is not None:
            curves.add(batch)
        at[curves.position], hashes[curves.position] = tables(plan_ahead(curves)), curves.state_hash()
    assert len({plan.position for plan in plans}) > 3
    assert [tables(plan) for plan in plans] == [at[plan.position] for plan in plans]
    assert tables(reading.plan) == at[60]
    assert all(before == after and hashed == hashes[before] for before, hashed, after in seen)


def test_another_state_begins_with_its_own_plan():
    reading = Reading(FoldState(Curves(date(2025, 1, 1), 90)))
    for batch in batches(1, 5):
        reading.note(reading.state.add(batch))
    other = Curves(date(2025, 1, 1), 90)
    other.add(next(batches(2, 1)))
    reading.replace(FoldState(other))

    assert tables(reading.plan) == tables(plan_ahead(other))
    assert tables(asyncio.run(reading.refresh())) == tables(plan_ahead(other))


def test_the_fold_waits_for_whoever_looks_aside_and_the_loop_does_not():
    reading = Reading(FoldState(Curves(date(2025, 1, 1), 90)))
    told: list[str] = []

    async def fold():
        async with reading.still:
            told.append("folded")

    async def run():
        begun, may_end = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def work():
            loop.call_soon_threadsafe(begun.set)
            asyncio.run_coroutine_threadsafe(may_end.wait(), loop).result(10)
            return np.arange(2)

        looking = asyncio.create_task(reading.aside(work))
        await begun.wait()
        folding = asyncio.create_task(fold())
        await asyncio.sleep(0)  # the loop goes on, and the fold has begun to wait
        told.append("looked")
        may_end.set()
        await asyncio.gather(looking, folding)

    asyncio.run(run())
    assert told == ["looked", "folded"]


async def test_the_sites_are_of_the_plan_that_comes_with_them_and_whoever_tells_alerts_is_still_woken():
    reading = Reading(FoldState(Curves(date(2025, 1, 1), 90)))
    for batch in batches(0, 5):
        reading.note(reading.state.add(batch))

    (plan, sites), (again, same) = await reading.look_at_sites(), await reading.look_at_sites()

    assert plan.position == reading.state.curves.position == 5
    assert sites.names == sorted({site for _, site in plan.grouping.labels})
    assert (again, same) == (plan, sites)
    assert reading.moved.is_set()
    reading.note(reading.state.add(list(batches(0, 6))[-1]))
    await reading.refresh()
    assert (await reading.look_at_sites())[0].position == 6
