"""Pegging: worked by hand, a naive twin that hands over wafer by wafer, and what must hold for all pegs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.aggregator.plan.checks import WAFERS_SUM_MAX
from services.aggregator.plan.pegging import peg

quick = settings(max_examples=150, deadline=None)
days = st.one_of(st.integers(0, 6), st.sampled_from([-(2**31), 2**31 - 1]))  # far apart they are sorted otherwise
groups = st.one_of(st.integers(0, 2), st.sampled_from([-(2**50), 2**50]))
lines = st.lists(st.tuples(groups, days, st.integers(0, 9)), max_size=10)


def columns(lines):
    return [list(column) for column in zip(*lines, strict=True)] if lines else [[], [], []]


def pegs_of(pegs):
    """Return the pegs as rows of demand, supply, wafers, days late."""
    return list(zip(*(column.tolist() for column in pegs[:4]), strict=True))


def naive_pegs(demands, supplies):
    """Wafers of the demands and of the supplies in their turn: the n-th is for the n-th."""
    pegs = {}
    for group in sorted({group for group, *_ in demands}):
        wanted, coming = (
            [
                n
                for _, n, wafers in sorted((day, n, wafers) for n, (of, day, wafers) in enumerate(lines) if of == group)
                for _ in range(wafers)
            ]
            for lines in (demands, supplies)
        )
        for pair in zip(wanted, coming, strict=False):
            pegs[pair] = pegs.get(pair, 0) + 1
    return [(d, s, wafers, max(0, supplies[s][1] - demands[d][1])) for (d, s), wafers in pegs.items()]


def test_the_earliest_due_takes_the_earliest_supply():
    demands = [(0, 9, 30), (0, 5, 40), (1, 5, 10)]
    supplies = [(0, 12, 100), (0, 3, 50)]

    pegs = peg(*columns(demands), *columns(supplies))

    assert pegs_of(pegs) == [(1, 1, 40, 0), (0, 1, 10, 0), (0, 0, 20, 3)]
    assert (pegs.shortage.tolist(), pegs.surplus.tolist()) == ([0, 0, 10], [80, 0])


def test_of_one_day_the_line_given_first_comes_first():
    pegs = peg(*columns([(0, 5, 10)] * 2), *columns([(0, 5, 5)] * 3))

    assert pegs_of(pegs) == [(0, 0, 5, 0), (0, 1, 5, 0), (1, 2, 5, 0)]
    assert pegs.shortage.tolist() == [0, 5]


@given(lines, lines)
@quick
def test_pegs_are_those_of_the_naive_twin(demands, supplies):
    assert pegs_of(peg(*columns(demands), *columns(supplies))) == naive_pegs(demands, supplies)


@given(lines, lines)
@quick
def test_no_wafer_is_pegged_twice_nor_left_on_both_sides(demands, supplies):
    pegs = peg(*columns(demands), *columns(supplies))

    taken, given_away = np.zeros(len(demands), dtype=int), np.zeros(len(supplies), dtype=int)
    np.add.at(taken, pegs.demand, pegs.wafers)
    np.add.at(given_away, pegs.supply, pegs.wafers)
    assert (taken + pegs.shortage).tolist() == columns(demands)[2]
    assert (given_away + pegs.surplus).tolist() == columns(supplies)[2]
    assert min([*pegs.shortage, *pegs.surplus], default=0) >= 0
    short = {group for (group, *_), left in zip(demands, pegs.shortage, strict=True) if left}
    assert not short & {group for (group, *_), left in zip(supplies, pegs.surplus, strict=True) if left}


@given(lines, lines)
@quick
def test_every_peg_is_of_one_group(demands, supplies):
    pegs = peg(*columns(demands), *columns(supplies))

    assert [demands[d][0] for d in pegs.demand] == [supplies[s][0] for s in pegs.supply]


def test_what_was_given_is_left_as_it_was():
    wafers = np.array([5])

    peg([0], [1], wafers, [0], [1], wafers)

    assert wafers.tolist() == [5]


def test_huge_numbers_are_exact_up_to_the_greatest_sum_and_refused_beyond():
    pegs = peg([0], [1], [WAFERS_SUM_MAX], [0], [1], [WAFERS_SUM_MAX - 1])

    assert (pegs.wafers.tolist(), pegs.shortage.tolist()) == ([WAFERS_SUM_MAX - 1], [1])
    with pytest.raises(ValueError, match="supply_wafers holds"):
        peg([], [], [], [0], [1], [WAFERS_SUM_MAX + 1])


@pytest.mark.parametrize(
    ("demand", "message"),
    [
        (([0], [1], [-1]), "demand_wafers holds -1"),
        (([0], [2**31], [1]), "demand_due holds"),
        (([0, 0], [1], [1]), r"demand_group has the shape \(2,\)"),
        (([[0]], [[1]], [[1]]), "columns of lines"),
    ],
)
def test_columns_that_cannot_be_are_refused(demand, message):
    with pytest.raises(ValueError, match=message):
        peg(*demand, [], [], [])
