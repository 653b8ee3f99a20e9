"""Commit against actual: worked by hand, and plain loops over days."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.aggregator.performance import bias, slip
from services.aggregator.whole_wafers import WAFERS_SUM_MAX

GROUPS, DAYS = 2, 8
quick = settings(max_examples=150, deadline=None)


def pairs(ratio):
    return list(zip(np.ravel(ratio.numerator).tolist(), np.ravel(ratio.denominator).tolist(), strict=True))


def tables(low=0):
    row = st.lists(st.integers(low, 6), min_size=DAYS, max_size=DAYS)
    return st.lists(row, min_size=GROUPS, max_size=GROUPS)


def naive_slip(committed, received, through):
    days = {}
    for day in range(through + 1):
        wafers = committed[day] - (committed[day - 1] if day else 0)
        if wafers:
            reached = [s for s in range(through + 1) if received[s] >= committed[day]]
            days[day] = wafers, min(reached, default=through) - day
    return (
        sum(wafers * late for wafers, late in days.values()),
        sum(wafers for wafers, _ in days.values()),
        max((late for _, late in days.values()), default=0),
        max(0, committed[through] - received[through]) if through >= 0 else 0,
    )


# ---------------------------------------------------------------- bias


def test_bias_by_hand():
    assert pairs(bias([[90, 100, 60]], [[100, 100, 80]])) == [(-30, 280)]
    assert pairs(bias([], [])) == [(0, 0)]


@given(tables(-3), tables())
@quick
def test_bias_is_that_of_the_naive_twin(received, committed):
    expected = [(sum(r) - sum(c), sum(c)) for r, c in zip(received, committed, strict=True)]

    assert pairs(bias(received, committed)) == expected


# ---------------------------------------------------------------- slip


def test_slip_by_hand():
    measured = slip([[10, 10, 30, 40, 40, 40]], [[0, 30, 30, 35, 35, 35]], 5)

    assert [each.tolist() for each in measured] == [[10], [40], [2], [5]]


def test_a_curve_moved_by_two_days_has_slipped_by_two_days():
    measured = slip([[5, 5, 12, 20, 20, 20]], [[0, 0, 5, 5, 12, 20]], 5)

    assert [each.tolist() for each in measured] == [[2 * 20], [20], [2], [0]]


def test_all_early_is_a_greatest_slip_below_zero():
    assert [each.tolist() for each in slip([[0, 0, 5, 9]], [[0, 9, 9, 9]], 3)] == [[-5 - 8], [9], [-1], [0]]


@given(tables(), tables(-3), st.integers(-1, DAYS - 1))
@quick
def test_slip_is_that_of_the_naive_twin(committed, received, through):
    committed, received = np.cumsum(committed, axis=1), np.cumsum(received, axis=1)
    expected = [naive_slip(*each, through) for each in zip(committed.tolist(), received.tolist(), strict=True)]

    measured = slip(committed, received, through)

    assert list(zip(*(each.tolist() for each in measured), strict=True)) == expected


def test_without_days_or_commits_nothing_has_slipped():
    assert [each.tolist() for each in slip(np.zeros((2, 0), dtype=int), np.zeros((2, 0), dtype=int), -1)] == [
        [0, 0]
    ] * 4
    assert [each.tolist() for each in slip([[0, 0]], [[3, 3]], 1)] == [[0]] * 4


@pytest.mark.parametrize(
    ("committed", "through", "told"),
    [
        ([[1, 2]], 2, "day 2 is not one"),
        ([[1, 2]], -2, "day -2 is not one"),
        ([1, 2], 1, "shape"),
        ([[2, 1]], 1, "falls"),
        ([[-1, 1]], 1, "falls"),
    ],
)
def test_curves_that_cannot_be_are_refused(committed, through, told):
    with pytest.raises(ValueError, match=told):
        slip(committed, committed, through)


# ---------------------------------------------------------------- bounds


def test_huge_numbers_are_exact_up_to_the_greatest_sum_and_refused_beyond():
    half = WAFERS_SUM_MAX // 2

    assert pairs(bias([0, 0], [half, half])) == [(-WAFERS_SUM_MAX, WAFERS_SUM_MAX)]
    assert [each.tolist() for each in slip([[half, half]], [[0, half - 1]], 1)] == [[half], [half], [1], [1]]
    with pytest.raises(ValueError, match="committed holds"):
        slip([[0, half + 1]], [[0, 0]], 1)
