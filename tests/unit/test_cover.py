"""How long the wafers on hand last: the golden row, and a plain loop over the days."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.aggregator.cover import days_of_cover
from services.aggregator.whole_wafers import WAFERS_SUM_MAX


@st.composite
def stocks(draw):
    """On hand of each group, what is required of it on each day; a day may also give some back."""
    groups, days = draw(st.integers(1, 4)), draw(st.integers(0, 8))
    row = st.lists(st.integers(-3, 20), min_size=days, max_size=days)
    return (
        draw(st.lists(st.integers(-5, 90), min_size=groups, max_size=groups)),
        draw(st.lists(row, min_size=groups, max_size=groups)),
    )


def naive_cover(on_hand, demand):
    if on_hand <= 0:
        return 0, 0, 1
    left = on_hand
    for day, required in enumerate(demand):
        if left < required:
            return day, left, required
        left -= required
    return -1, 0, 1


def test_golden_row_95_at_30_a_day():
    cover = days_of_cover(95, [30, 30, 30, 30])

    assert tuple(map(int, cover)) == (3, 5, 30)


@given(stocks())
@settings(max_examples=200, deadline=None)
def test_cover_is_that_of_the_naive_twin(stock):
    cover = days_of_cover(*stock)

    assert list(zip(*(each.tolist() for each in cover), strict=True)) == [
        naive_cover(*each) for each in zip(*stock, strict=True)
    ]


@given(stocks())
@settings(max_examples=100, deadline=None)
def test_a_fraction_is_below_one_and_nothing_is_divided_by_zero(stock):
    cover = days_of_cover(*stock)

    assert (cover.remainder >= 0).all()
    assert (cover.remainder < cover.next_demand).all()


@pytest.mark.parametrize(
    ("on_hand", "demand", "cover"),
    [
        (90, [30, 30, 30], (-1, 0, 1)),  # paid to the last wafer: what comes after is not known
        (90, [30, 30, 30, 1], (3, 0, 1)),
        (91, [30, 30, 30, 0, 0], (-1, 0, 1)),
        (40, [0, 30, 0, 30], (3, 10, 30)),  # a day that requires nothing is covered
        (5, [], (-1, 0, 1)),
        (5, [0, 0], (-1, 0, 1)),
        (0, [0, 30], (0, 0, 1)),
        (0, [], (0, 0, 1)),
        (-7, [30], (0, 0, 1)),
        (29, [30], (0, 29, 30)),
    ],
)
def test_the_edges_of_cover(on_hand, demand, cover):
    assert tuple(map(int, days_of_cover(on_hand, demand))) == cover


def test_no_groups_have_no_cover():
    assert [each.tolist() for each in days_of_cover([], np.empty((0, 3)))] == [[], [], []]


def test_huge_numbers_are_exact_up_to_the_greatest_sum_and_refused_beyond():
    half = WAFERS_SUM_MAX // 2

    assert tuple(map(int, days_of_cover(WAFERS_SUM_MAX - 1, [half, half]))) == (1, half - 1, half)
    with pytest.raises(ValueError, match="demand holds"):
        days_of_cover(1, [half + 1, 1])
