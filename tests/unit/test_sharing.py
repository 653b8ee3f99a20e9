"""Fair share: the golden rows, what must hold for all shares, and twins that try every choice or go wafer by wafer."""

from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.aggregator.sharing import share_by_priority, share_proportionally, share_to_target
from services.aggregator.whole_wafers import WAFERS_SUM_MAX

quick = settings(max_examples=150, deadline=None)
supplies = st.integers(0, 90)
claims = st.lists(st.integers(0, 20), max_size=6)
stocks_and_targets = st.lists(st.tuples(st.integers(-9, 40), st.integers(0, 40)), max_size=5)


def exact_shares_to_target(supply, stock, target):
    """Of all choices of who is raised, the one in which all of them gain and nobody else could."""
    having = [n for n in range(len(target)) if target[n]]
    for size in range(1, len(having) + 1):
        for raised in combinations(having, size):
            level = Fraction(supply + sum(stock[n] for n in raised), sum(target[n] for n in raised))
            shares = [level * wanted - had for had, wanted in zip(stock, target, strict=True)]
            if all((shares[n] >= 0) if n in raised else (shares[n] <= 0) for n in having):
                return [shares[n] if n in raised else Fraction(0) for n in range(len(target))]
    return [Fraction(0)] * len(target)


def naive_by_priority(supply, demands):
    waiting = sorted((priority, due, n) for n, (wafers, priority, due) in enumerate(demands) for _ in range(wafers))
    served = [n for _, _, n in waiting[:supply]]
    return [served.count(n) for n in range(len(demands))]


def test_golden_row_proportional():
    assert share_proportionally(80, [50, 30, 20]) == [40, 24, 16]


def test_golden_row_to_target():
    assert share_to_target(1200, [200, 600], [800, 1500]) == [496, 704]


def test_golden_row_by_priority():
    assert share_by_priority(70, [50, 30, 20], [2, 1, 3], [0, 0, 0]) == [40, 30, 0]


def test_what_is_left_goes_to_the_largest_remainders_and_of_equal_ones_to_the_first():
    assert share_proportionally(10, [1, 1, 1]) == [4, 3, 3]
    assert share_proportionally(10, [9, 1, 6]) == [6, 0, 4]  # 5.625, 0.625, 3.75: the third first, then the first
    assert share_to_target(5, [0, 0, 100], [7, 7, 7]) == [3, 2, 0]


@given(supplies, claims)
@quick
def test_proportional_shares_add_up_and_are_the_exact_ones_but_for_less_than_a_wafer(supply, weights):
    shares = share_proportionally(supply, weights)

    assert sum(shares) == (supply if any(weights) else 0)
    for share, weight in zip(shares, weights, strict=True):
        assert abs(share * sum(weights) - supply * weight) < max(1, sum(weights))


@given(supplies, stocks_and_targets)
@quick
def test_shares_to_target_add_up_and_are_the_exact_ones_but_for_less_than_a_wafer(supply, claims):
    stock, target = [had for had, _ in claims], [wanted for _, wanted in claims]
    shares = share_to_target(supply, stock, target)

    assert sum(shares) == (supply if any(target) else 0)
    for share, exact in zip(shares, exact_shares_to_target(supply, stock, target), strict=True):
        assert share >= 0
        assert abs(share - exact) < 1


@given(supplies, st.lists(st.tuples(st.integers(0, 20), st.integers(1, 3), st.integers(0, 3)), max_size=6))
@quick
def test_shares_by_priority_are_those_of_the_naive_twin(supply, demands):
    columns = zip(*demands, strict=True) if demands else ([], [], [])

    assert share_by_priority(supply, *map(list, columns)) == naive_by_priority(supply, demands)


def test_who_claims_nothing_gets_nothing():
    assert share_proportionally(5, []) == share_to_target(5, [], []) == share_by_priority(5, [], [], []) == []
    assert share_proportionally(5, [0, 0]) == share_to_target(5, [1, 2], [0, 0]) == [0, 0]


def test_huge_numbers_are_exact_up_to_the_greatest_sum_and_refused_beyond():
    assert share_proportionally(WAFERS_SUM_MAX, [2**59 - 1, 2**59]) == [2**59 - 1, 2**59 + 1]
    with pytest.raises(ValueError, match="supply holds"):
        share_proportionally(WAFERS_SUM_MAX + 1, [1])


@pytest.mark.parametrize(
    ("share", "told"),
    [
        (lambda: share_proportionally(1.5, [1]), "supply holds float64"),
        (lambda: share_proportionally(-1, [1]), "supply holds -1"),
        (lambda: share_proportionally(1, [-1]), "weights holds -1"),
        (lambda: share_to_target(1, [1, 2], [1]), r"target has the shape \(1,\)"),
        (lambda: share_by_priority(1, [1], [1, 2], [0]), r"priority has the shape \(2,\)"),
    ],
)
def test_what_cannot_be_shared_is_refused(share, told):
    with pytest.raises(ValueError, match=told):
        share()
