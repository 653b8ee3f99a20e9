"""Fill rate: worked by hand, and plain loops over wafers."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.aggregator.fold.curves import Curves
from services.aggregator.plan.checks import WAFERS_SUM_MAX
from services.aggregator.plan.fill_rate import fill_rate, order_fill_rate
from shared.wire.postings import Measure
from testing.twins.curves import batch_of

GROUPS, DAYS = 2, 8
START = 20_089  # 2025-01-01
KEY = ("HBM4-12H", "abilene", "samsung")
table = st.lists(st.lists(st.integers(0, 12), min_size=DAYS, max_size=DAYS), min_size=GROUPS, max_size=GROUPS)


def pairs(ratio):
    return list(zip(ratio.numerator.tolist(), ratio.denominator.tolist(), strict=True))


def naive_fill_rate(due, daily):
    """The k-th wafer to come is for the k-th wafer to be due."""
    rates = []
    for group in range(GROUPS):
        wanted = [day for day, wafers in enumerate(due[group]) for _ in range(wafers)]
        came = [day for day, wafers in enumerate(daily[group]) for _ in range(wafers)]
        rates.append((sum(arrival <= day for arrival, day in zip(came, wanted, strict=False)), len(wanted)))
    return rates


def test_fill_rate_by_hand():
    ratio = fill_rate(
        [[0, 40, 0, 60]], [[20, 20, 60, 80]]
    )  # 20 of the 40 had come on day 1; 80 - 40 of the 60 on day 3

    assert pairs(ratio) == [(20 + 40, 100)]


def test_what_came_late_is_not_counted_for_the_next_due():
    assert pairs(fill_rate([[10, 10]], [[0, 10]])) == [(0, 20)]


@given(table, table)
@settings(max_examples=150, deadline=None)
def test_fill_rate_is_that_of_the_naive_twin(due, daily):
    assert pairs(fill_rate(due, np.cumsum(daily, axis=1))) == naive_fill_rate(due, daily)


def test_nothing_due_is_a_denominator_of_zero():
    assert pairs(fill_rate([[0]], [[9]])) == [(0, 0)]


def test_huge_numbers_are_refused_and_so_is_what_is_due_below_zero():
    with pytest.raises(ValueError, match="beyond"):
        fill_rate([[WAFERS_SUM_MAX, 1]], [[0, 0]])
    with pytest.raises(ValueError, match="due holds -1"):
        fill_rate([[-1]], [[0]])


def test_what_was_due_up_to_the_last_complete_day_is_counted_and_no_more():
    curves = Curves(date(2025, 1, 1), 90)
    log = [
        (KEY, Measure.OPENED, START - 3, 5), (KEY, Measure.REQUIRED, START + 1, 8),
        (KEY, Measure.RECEIVED, START + 2, 9),
        (KEY, Measure.REQUIRED, START + 4, 6), (KEY, Measure.REQUIRED, START + 5, 100),
    ]  # fmt: skip
    curves.add(batch_of(1, log, {"samsung": START + 4}))

    assert pairs(order_fill_rate(curves, curves.group(("product",)))) == [(5 + 6, 14)]


def test_nothing_is_due_before_there_is_a_complete_day():
    curves = Curves(date(2025, 1, 1), 90)
    curves.add(batch_of(1, [(KEY, Measure.REQUIRED, START + 1, 8)]))

    assert pairs(order_fill_rate(curves, curves.group(("product",)))) == [(0, 0)]
