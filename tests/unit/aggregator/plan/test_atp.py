"""What can still be promised: the golden rows, and plain loops over lists."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.aggregator.plan.atp import atp_cumulative, atp_discrete
from services.aggregator.plan.checks import WAFERS_SUM_MAX

quick = settings(max_examples=150, deadline=None)
wafers = st.integers(0, 40)


@st.composite
def plans(draw, flows=wafers):
    """On hand of each group, what comes in each bucket, what is ordered in it."""
    groups, buckets = draw(st.integers(0, 3)), draw(st.integers(0, 9))
    table = st.lists(st.lists(flows, min_size=buckets, max_size=buckets), min_size=groups, max_size=groups)
    on_hand = st.lists(st.integers(-20, 60), min_size=groups, max_size=groups)
    return draw(on_hand), *(np.array(draw(table), dtype=np.int64).reshape(groups, buckets) for _ in range(2))


def naive_discrete(on_hand, receipts, committed):
    buckets = len(receipts)
    atp = [0] * buckets
    for first in range(buckets):
        if first == 0 or receipts[first] > 0:
            atp[first] = receipts[first] + (on_hand if first == 0 else 0)
            for later in range(first, buckets):
                if later > first and receipts[later] > 0:
                    break
                atp[first] -= committed[later] - (receipts[later] if later > first else 0)
    for short in range(buckets):
        for earlier in reversed(range(short)):
            taken = min(max(atp[earlier], 0), max(-atp[short], 0))
            atp[earlier] -= taken
            atp[short] += taken
    return atp


def naive_cumulative(on_hand, supply, demand):
    net = [on_hand + sum(supply[: n + 1]) - sum(demand[: n + 1]) for n in range(len(supply))]
    return [min(net[n:]) for n in range(len(supply))]


def test_golden_row_discrete():
    assert atp_discrete(20, [0, 30, 0, 30], [10, 40, 0, 5]).tolist() == [0, 0, 0, 25]


def test_golden_row_cumulative():
    assert atp_cumulative(100, [0, 50, 0, 50], [30, 30, 90, 20]).tolist() == [0, 0, 0, 30]


def test_the_nearest_earlier_bucket_pays_a_deficit_first():
    assert atp_discrete(10, [0, 10, 10], [0, 0, 15]).tolist() == [10, 5, 0]


def test_what_no_bucket_can_pay_stays_where_it_arose():
    assert atp_discrete(5, [0, 10, 40], [0, 30, 5]).tolist() == [0, -15, 35]


@given(plans(st.integers(-10, 40)))
@quick
def test_discrete_is_that_of_the_naive_twin(plan):
    expected = [naive_discrete(*each) for each in zip(*map(list, plan), strict=True)]

    assert atp_discrete(*plan).tolist() == [list(map(int, each)) for each in expected]


@given(plans(st.integers(-10, 40)))
@quick
def test_cumulative_is_that_of_the_naive_twin(plan):
    expected = [naive_cumulative(*each) for each in zip(*map(list, plan), strict=True)]

    assert atp_cumulative(*plan).tolist() == [list(map(int, each)) for each in expected]


@given(plans())
@quick
def test_cumulative_is_the_running_sum_of_discrete_where_none_is_below_zero(plan):
    discrete, cumulative = atp_discrete(*plan), atp_cumulative(*plan)

    kept = (discrete >= 0).all(axis=1)
    assert (discrete.cumsum(axis=1)[kept] == cumulative[kept]).all()


@given(plans())
@quick
def test_no_wafer_is_promised_twice_nor_forgotten(plan):
    on_hand, receipts, committed = plan

    if receipts.shape[1]:
        assert atp_discrete(*plan).sum(axis=1).tolist() == (on_hand + (receipts - committed).sum(axis=1)).tolist()


def test_one_group_needs_no_group_axis_and_no_buckets_promise_nothing():
    assert atp_discrete(20, [], []).tolist() == []
    assert atp_cumulative([20], [[]], [[]]).tolist() == [[]]


def test_huge_numbers_are_exact_up_to_the_greatest_sum_and_refused_beyond():
    half = WAFERS_SUM_MAX // 2

    assert atp_discrete(WAFERS_SUM_MAX, [half, half], [0, 0]).tolist() == [3 * half, half]
    assert atp_discrete(-WAFERS_SUM_MAX, [0, half], [half, half]).tolist() == [-3 * half, 0]
    with pytest.raises(ValueError, match="receipts holds"):
        atp_discrete(0, [half + 1, 0], [0, 0])
    with pytest.raises(ValueError, match="on_hand holds"):
        atp_cumulative(WAFERS_SUM_MAX + 1, [0], [0])


@pytest.mark.parametrize(
    ("on_hand", "supply", "demand", "message"),
    [
        (1, [1.0], [1], "supply holds float64"),
        (1, [1, 2], [1], r"demand has the shape \(1,\)"),
        ([1], [1], [1], r"on_hand has the shape \(1,\)"),
        (1, [True], [1], "supply holds bool"),
        (1, [2**64], [1], "supply holds object"),
        (1, 5, 5, "supply is one number"),
    ],
)
def test_what_is_no_array_of_whole_wafers_is_refused(on_hand, supply, demand, message):
    with pytest.raises(ValueError, match=message):
        atp_cumulative(on_hand, supply, demand)
