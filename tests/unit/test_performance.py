"""Commit against actual: worked by hand, and plain loops over days, lines and revisions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.aggregator.performance import Revisions, bias, churn, committed_at_lag, slip
from services.aggregator.whole_wafers import WAFERS_SUM_MAX

GROUPS, DAYS = 2, 8
quick = settings(max_examples=150, deadline=None)
revisions = st.lists(
    st.tuples(
        st.integers(0, GROUPS - 1), st.integers(0, 3), st.integers(-9, DAYS), st.integers(-1, DAYS), st.integers(0, 9)
    ),
    max_size=12,
)  # fmt: skip


def columns(rows):
    return Revisions(*map(list, zip(*rows, strict=True))) if rows else Revisions([], [], [], [], [])


def pairs(ratio):
    return list(zip(np.ravel(ratio.numerator).tolist(), np.ravel(ratio.denominator).tolist(), strict=True))


def tables(low=0):
    row = st.lists(st.integers(low, 6), min_size=DAYS, max_size=DAYS)
    return st.lists(row, min_size=GROUPS, max_size=GROUPS)


def naive_committed_at_lag(rows, lag):
    committed = [[0] * DAYS for _ in range(GROUPS)]
    for day in range(DAYS):
        known = {}  # the latest of each line that had been said by then
        for group, line, said, due, wafers in rows:
            if said <= day - lag:
                known[line] = group, due, wafers
        for group, due, wafers in known.values():
            if due == day:
                committed[group][day] += wafers
    return committed


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


def naive_churn(rows):
    totals = [[0, 0] for _ in range(GROUPS)]
    last = {}
    for group, line, _, due, wafers in rows:
        if line in last:
            _, due_before, before = last[line]
            totals[group][0] += abs(wafers - before) if due == due_before else max(wafers, before)
        last[line] = group, due, wafers
    for group, _, wafers in last.values():
        totals[group][1] += wafers
    return [tuple(each) for each in totals]


# ---------------------------------------------------------------- what was committed


def test_a_commit_counts_as_it_was_a_lag_before_its_due_day():
    said = Revisions([0] * 3, [7] * 3, [10, 20, 29], [40, 40, 45], [100, 80, 80])

    at = {lag: committed_at_lag(said, lag, 1, 40, 6)[0].tolist() for lag in (0, 14, 20, 25, 31)}

    assert at == {
        0: [0, 0, 0, 0, 0, 80],
        14: [80, 0, 0, 0, 0, 80],  # on day 26 it was due on 40; on day 31 it was due on 45
        20: [80, 0, 0, 0, 0, 0],
        25: [100, 0, 0, 0, 0, 0],
        31: [0, 0, 0, 0, 0, 0],
    }


@given(revisions, st.integers(0, 12))
@quick
def test_commits_at_a_lag_are_those_of_the_naive_twin(rows, lag):
    assert committed_at_lag(columns(rows), lag, GROUPS, 0, DAYS).tolist() == naive_committed_at_lag(rows, lag)


@pytest.mark.parametrize("lag", [-1, 2**31])
def test_a_lag_out_of_bounds_is_refused(lag):
    with pytest.raises(ValueError, match="lag"):
        committed_at_lag(columns([]), lag, 1, 0, 1)


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


# ---------------------------------------------------------------- churn


def test_churn_by_hand():
    assert pairs(churn(Revisions([0] * 3, [7] * 3, [1, 2, 3], [5, 5, 9], [100, 80, 80]), 1)) == [(20 + 80, 80)]


def test_a_withdrawn_commit_has_churned_over_nothing():
    assert pairs(churn(Revisions([0] * 2, [7] * 2, [1, 2], [5, 5], [100, 0]), 1)) == [(100, 0)]


@given(revisions)
@quick
def test_churn_is_that_of_the_naive_twin(rows):
    assert pairs(churn(columns(rows), GROUPS)) == naive_churn(rows)


# ---------------------------------------------------------------- bounds


def test_huge_numbers_are_exact_up_to_the_greatest_sum_and_refused_beyond():
    half = WAFERS_SUM_MAX // 2

    assert pairs(bias([0, 0], [half, half])) == [(-WAFERS_SUM_MAX, WAFERS_SUM_MAX)]
    assert [each.tolist() for each in slip([[half, half]], [[0, half - 1]], 1)] == [[half], [half], [1], [1]]
    assert pairs(churn(Revisions([0] * 2, [1] * 2, [0, 1], [0, 1], [half, half]), 1)) == [(half, half)]
    with pytest.raises(ValueError, match="committed holds"):
        slip([[0, half + 1]], [[0, 0]], 1)


@pytest.mark.parametrize(
    ("row", "told"),
    [((2, 0, 0, 0, 1), "group holds 2"), ((0, 0, 2**31, 0, 1), "said holds"), ((0, 0, 0, 0, -1), "wafers holds -1")],
)
def test_revisions_that_cannot_be_are_refused(row, told):
    with pytest.raises(ValueError, match=told):
        churn(columns([row]), GROUPS)
