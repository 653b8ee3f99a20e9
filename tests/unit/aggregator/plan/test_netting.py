"""Netting: the golden rows, a naive twin that consumes wafer by wafer, and the time fences."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.aggregator.plan.checks import WAFERS_SUM_MAX
from services.aggregator.plan.netting import net_forecast, zone_of

quick = settings(max_examples=150, deadline=None)
TODAY = 20_000
reach = st.integers(0, 7)


@st.composite
def forecasts(draw):
    groups, buckets = draw(st.integers(0, 3)), draw(st.integers(0, 6))
    table = st.lists(st.lists(st.integers(0, 9), min_size=buckets, max_size=buckets), min_size=groups, max_size=groups)
    return [np.array(draw(table), dtype=np.int64).reshape(groups, buckets) for _ in range(2)]


def naive_net(gross, orders, early, late, frozen):
    net = list(gross)
    for bucket, wafers in enumerate(orders):
        nearest_first = [bucket, *(bucket - n for n in range(1, early + 1)), *(bucket + n for n in range(1, late + 1))]
        for _ in range(wafers):
            for other in nearest_first:
                if 0 <= other < len(net) and net[other] > 0:
                    net[other] -= 1
                    break
    return [0 if bucket < frozen else wafers for bucket, wafers in enumerate(net)]


@pytest.mark.parametrize(("early", "late"), [(1, 1), (2, 2), (4, 4)])
def test_golden_row_350_by_4_needs_a_reach_of_one_either_way(early, late):
    assert net_forecast([350] * 4, [300, 500, 280, 0], early, late).tolist() == [0, 0, 0, 320]


@pytest.mark.parametrize(("early", "late"), [(0, 0), (1, 1), (3, 0), (0, 3)])
def test_golden_row_350_by_3_comes_out_whatever_the_reach(early, late):
    assert net_forecast([350] * 3, [130, 100, 80], early, late).tolist() == [220, 250, 270]


@pytest.mark.parametrize(
    ("early", "late", "net"),
    [
        (0, 0, [50, 0, 70, 350]),
        (1, 0, [0, 0, 70, 350]),
        (0, 1, [50, 0, 0, 270]),  # 150 of the second go to the third, whose own orders then reach on
    ],
)
def test_the_reach_decides_what_is_consumed(early, late, net):
    assert net_forecast([350] * 4, [300, 500, 280, 0], early, late).tolist() == net


def test_earlier_buckets_are_consumed_before_later_ones_and_the_nearest_first():
    assert net_forecast([5, 5, 5, 5, 5], [0, 0, 17, 0, 0], 2, 2).tolist() == [0, 0, 0, 3, 5]


def test_in_the_frozen_zone_only_orders_are_demand_but_they_still_consume():
    assert net_forecast([10, 10, 10], [4, 13, 0], 0, 1, frozen=1).tolist() == [0, 0, 7]
    assert net_forecast([10, 10, 10], [4, 13, 0], 0, 1, frozen=9).tolist() == [0, 0, 0]


@given(forecasts(), reach, reach, reach)
@quick
def test_net_forecasts_are_those_of_the_naive_twin(tables, early, late, frozen):
    gross, orders = tables
    expected = [naive_net(*map(list, each), early, late, frozen) for each in zip(gross, orders, strict=True)]

    net = net_forecast(gross, orders, early, late, frozen)

    assert net.tolist() == [list(map(int, each)) for each in expected]


@given(forecasts())
@quick
def test_orders_that_reach_everywhere_consume_all_they_can(tables):
    gross, orders = tables
    net = net_forecast(gross, orders, 99, 99)

    assert net.sum(axis=1).tolist() == np.maximum(gross.sum(axis=1) - orders.sum(axis=1), 0).tolist()


def test_what_was_given_is_left_as_it_was():
    gross = np.array([5, 5])

    net_forecast(gross, [5, 5], 1, 1)

    assert gross.tolist() == [5, 5]


def test_arrays_that_are_read_only_or_strided_are_read_as_well():
    orders = np.frombuffer(np.array([1, 9, 2, 9]).tobytes(), dtype=np.int64)

    assert net_forecast([5] * 4, orders, 0, 0).tolist() == [4, 0, 3, 0]
    assert net_forecast([5] * 2, orders[::2], 0, 0).tolist() == [4, 3]


def test_huge_numbers_are_exact_up_to_the_greatest_sum_and_refused_beyond():
    assert net_forecast([WAFERS_SUM_MAX], [WAFERS_SUM_MAX - 1], 2**62, 2**62).tolist() == [1]
    with pytest.raises(ValueError, match="gross holds"):
        net_forecast([WAFERS_SUM_MAX, 0], [0, 0], 0, 0)


@pytest.mark.parametrize(
    ("gross", "orders", "early", "message"),
    [([-1], [1], 0, "gross holds -1"), ([1], [-1], 0, "orders holds -1"), ([1], [1], -1, "early")],
)
def test_what_is_below_zero_is_refused(gross, orders, early, message):
    with pytest.raises(ValueError, match=message):
        net_forecast(gross, orders, early, 0)


@pytest.mark.parametrize(
    ("day", "zone"),
    [(-1, "frozen"), (0, "frozen"), (6, "frozen"), (7, "tradeoff"), (20, "tradeoff"), (21, "free")],
)
def test_zones_follow_each_other_from_today(day, zone):
    assert zone_of(TODAY + day, TODAY, 7, 21) == zone


def test_without_fences_only_the_past_is_frozen():
    assert [zone_of(TODAY + n, TODAY, 0, 0) for n in (-1, 0)] == ["frozen", "free"]


@pytest.mark.parametrize("fences", [(-1, 0), (0, -1)])
def test_a_zone_of_less_than_no_days_is_refused(fences):
    with pytest.raises(ValueError, match="zone"):
        zone_of(TODAY, TODAY, *fences)
