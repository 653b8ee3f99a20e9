"""What a supplier can still promise: worked by hand, and wafer by wafer."""

from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.aggregator.plan.schedule import made_wafers, promise_supply
from shared.wire.postings import Measure
from testing.oracle.planning import promise
from tests.unit.aggregator.plan.test_schedule import DAYS, KEY, START, fold, of

BY = ("supplier", "product")
LOTS = (Measure.STARTED, Measure.SCRAPPED, Measure.FINISHED, Measure.DISPATCHED)
WIP_SIGNS = {Measure.STARTED: 1, Measure.SCRAPPED: -1, Measure.FINISHED: -1}
logs = st.lists(
    st.tuples(
        st.just(KEY), st.sampled_from([*LOTS, Measure.OPEN_FIRM]), st.integers(START - 4, START + DAYS + 3),
        st.integers(1, 30),
    ),
    max_size=25,
)  # fmt: skip


def promised(log, today, lead, bucket_days=1):
    curves = fold(log)
    made = curves.group(BY)
    if not made.labels:
        return None
    held = made_wafers(curves, made, today)
    return [each.tolist() for each in promise_supply(curves, made, held, today, lead, bucket_days)]


def test_by_hand():
    """10 were started 4 days ago, 35 yesterday, and 5 of them are finished; the lead time is 5 days."""
    today = START + 20
    log = [
        *of(Measure.STARTED, 10, first=today - 4), *of(Measure.STARTED, 35, first=today - 1),
        *of(Measure.FINISHED, 5, first=today - 1), *of(Measure.OPEN_FIRM, 12, first=today - 3),
        *of(Measure.OPEN_FIRM, 20, 100, first=today + 4),
    ]  # fmt: skip

    assert promised(log, today, 5) == [
        [5, 5, 0, 0, 35],
        [12, 0, 0, 0, 20],
        [-7, 5, 0, 0, 15],
        [-7, -2, -2, -2, 13],
    ]


def test_what_was_dispatched_today_is_neither_finished_nor_open():
    today = START + 20
    log = [*of(Measure.FINISHED, 8, first=today - 2), *of(Measure.DISPATCHED, 3, first=today)]

    assert promised(log, today, 2)[0] == [5, 0]


@given(logs, st.integers(START, START + DAYS - 1), st.integers(0, 40), st.sampled_from([1, 7]))
@settings(max_examples=100, deadline=None)
def test_supply_is_that_of_each_wafer_in_process_by_the_day_on_which_it_comes(log, today, lead, bucket_days):
    moved = [(measure, day, wafers) for _, measure, day, wafers in log if day < today]
    wip = sum(WIP_SIGNS.get(measure, 0) * wafers for measure, _, wafers in moved)
    starts = sorted(day for measure, day, wafers in moved if measure == Measure.STARTED for _ in range(wafers))
    finished = sum(wafers for measure, _, wafers in moved if measure == Measure.FINISHED)
    ever = [(measure, wafers) for _, measure, day, wafers in log if day < START + DAYS]
    finished -= sum(wafers for measure, wafers in ever if measure == Measure.DISPATCHED)
    days = range(today, min(today + lead, START + DAYS))
    comes = [today if day < START else max(today, day + lead) for day in starts[len(starts) - max(0, wip) :]]
    coming = [sum(day == each for each in comes) for day in days]
    due = [sum(w for _, m, day, w in log if m == Measure.OPEN_FIRM and max(day, today) == each) for each in days]
    sizes = range(0, len(days), bucket_days)
    coming, due = ([sum(column[n : n + bucket_days]) for n in sizes] for column in (coming, due))
    supply = [coming[0] + finished, *coming[1:]] if coming else []
    left = list(accumulate(one - other for one, other in zip(supply, due, strict=True)))

    found = promised(log, today, lead, bucket_days)

    if log:
        assert found == [supply, due, promise(finished, coming, due), [min(left[n:]) for n in range(len(left))]]


@pytest.mark.parametrize("lead", [0, 1, 200])
def test_the_buckets_end_with_the_lead_time_and_with_the_horizon(lead):
    today = START + 80

    assert len(promised(of(Measure.STARTED, 1), today, lead)[0]) == min(lead, 10)
