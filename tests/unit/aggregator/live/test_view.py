"""Queries while the fold goes on: a plan is of one position, and the fold waits while a function reads the state."""

import asyncio
import random
from datetime import date

import numpy as np
import pytest

from services.aggregator.alerts.thresholds import AlertThresholds
from services.aggregator.fold.curves import Curves
from services.aggregator.fold.state import FoldState
from services.aggregator.live.view import LiveView
from services.aggregator.plan.projection import make_plan
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
TABLES = ("first_short", "first_shortage", "shortage", "course", "first_gap", "gap", "overdue", "figures")


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
    view = LiveView(FoldState(Curves(date(2025, 1, 1), 90)))
    plans, seen = [], []

    async def fold():
        for batch in batches(seed, 60):
            async with view.fold_lock:
                changed = view.state.add(batch)
            view.note_changes(changed)
            await asyncio.sleep(0)
            if batch.batch % 7 == 0:
                await asyncio.sleep(0.002)

    async def plan(folding):
        while not folding.done() or view.moved.is_set():
            plans.append(await view.refresh())
            await asyncio.sleep(0)

    async def look(folding):
        curves = view.state.curves
        while not folding.done():
            seen.append(await view.run_paused(lambda: (curves.position, curves.state_hash(), curves.position)))

    async def all_at_once():
        folding = asyncio.create_task(fold())
        await asyncio.gather(folding, plan(folding), look(folding))

    asyncio.run(all_at_once())

    curves, at, hashes = Curves(date(2025, 1, 1), 90), {}, {}
    for batch in [None, *batches(seed, 60)]:
        if batch is not None:
            curves.add(batch)
        at[curves.position], hashes[curves.position] = tables(make_plan(curves)), curves.state_hash()
    assert len({plan.position for plan in plans}) > 3
    assert [tables(plan) for plan in plans] == [at[plan.position] for plan in plans]
    assert tables(view.plan) == at[60]
    assert all(before == after and hashed == hashes[before] for before, hashed, after in seen)


def test_another_state_begins_with_its_own_plan():
    view = LiveView(FoldState(Curves(date(2025, 1, 1), 90)))
    for batch in batches(1, 5):
        view.note_changes(view.state.add(batch))
    other = Curves(date(2025, 1, 1), 90)
    other.add(next(batches(2, 1)))
    view.replace(FoldState(other))

    assert tables(view.plan) == tables(make_plan(other))
    assert tables(asyncio.run(view.refresh())) == tables(make_plan(other))


def test_the_plan_of_the_state_is_made_where_the_views_is_older():
    view = LiveView(FoldState(Curves(date(2025, 1, 1), 90)))
    assert view.plan_now() is view.plan

    for batch in batches(1, 5):
        view.note_changes(view.state.add(batch))

    assert tables(view.plan_now()) == tables(make_plan(view.state.curves)) != tables(view.plan)
    asyncio.run(view.refresh())
    assert view.plan_now() is view.plan


def test_the_fold_waits_for_whoever_looks_aside_and_the_loop_does_not():
    view = LiveView(FoldState(Curves(date(2025, 1, 1), 90)))
    order: list[str] = []

    async def fold():
        async with view.fold_lock:
            order.append("folded")

    async def run():
        begun, may_end = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def work():
            loop.call_soon_threadsafe(begun.set)
            asyncio.run_coroutine_threadsafe(may_end.wait(), loop).result(10)
            return np.arange(2)

        looking = asyncio.create_task(view.run_paused(work))
        await begun.wait()
        folding = asyncio.create_task(fold())
        await asyncio.sleep(0)  # the loop goes on, and the fold has begun to wait
        order.append("looked")
        may_end.set()
        await asyncio.gather(looking, folding)

    asyncio.run(run())
    assert order == ["looked", "folded"]


async def test_the_sites_are_of_the_plan_that_comes_with_them_and_whoever_tells_alerts_is_still_woken():
    view = LiveView(FoldState(Curves(date(2025, 1, 1), 90)))
    for batch in batches(0, 5):
        view.note_changes(view.state.add(batch))

    (plan, sites), (again, same) = await view.read_sites(), await view.read_sites()

    assert plan.position == view.state.curves.position == 5
    assert sites.names == sorted({site for _, site in plan.grouping.labels})
    assert (again, same) == (plan, sites)
    assert view.moved.is_set()
    view.note_changes(view.state.add(list(batches(0, 6))[-1]))
    await view.refresh()
    assert (await view.read_sites())[0].position == 6


def test_a_day_that_goes_back_alone_changes_no_alert_to_publish():
    """narvik is short within 30 days of the day that samsung completed; the first day of micron is weeks before."""
    view, key = LiveView(FoldState(Curves(date(2025, 1, 1), 90))), ("HBM4-12H", "narvik", "samsung")

    def alerts_after(number, log, watermarks, sources=()):
        view.note_changes(view.state.add(batch_of(number, log, watermarks, sources)))
        asyncio.run(view.refresh())
        return set(view.alerts_to_publish) - {("source_silent", ("micron",))}, set(view.alerts)

    reached, _ = alerts_after(1, [(key, Measure.REQUIRED, START + 50, 5)], {"samsung": START + 40})
    silent, _ = alerts_after(2, [(key, Measure.OPEN_FIRM, START + 80, 1)], {}, ["micron"])
    back, open_ = alerts_after(3, [], {"micron": START + 2})
    assert reached == silent == back == {("short_within", ("HBM4-12H", "narvik"))}
    assert ("short_within", ("HBM4-12H", "narvik")) not in open_
    assert (view.completion.setback, view.completion.behind) == ((START + 40, 2), ["micron"])

    supplied, _ = alerts_after(4, [(key, Measure.OPEN_FIRM, START + 45, 5)], {})
    assert supplied == set()  # what is recorded meanwhile counts

    again, open_ = alerts_after(5, [], {"micron": START + 40})
    assert again == open_ == set()
    assert view.completion == (None, [], [])


def test_expected_sources_and_those_that_have_published_are_missing_without_a_watermark():
    view = LiveView(FoldState(Curves(date(2025, 1, 1), 90)), AlertThresholds(sources=("micron", "samsung")))
    view.state.add(batch_of(1, [], {"samsung": START}, ["samsung", "abilene"]))

    assert view.completion_now().missing == ["abilene", "micron"]
