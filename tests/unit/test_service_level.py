"""Fill rate, on time in full, and backorder: worked by hand, and plain loops over wafers and lines."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.aggregator.service_level import DueLines, Receipts, backorder, fill_rate, otif
from services.aggregator.whole_wafers import WAFERS_SUM_MAX

GROUPS, DAYS = 2, 8
quick = settings(max_examples=150, deadline=None)
days = st.integers(0, DAYS + 1)  # the last two lie beyond the curve
lines = st.lists(st.tuples(st.integers(0, GROUPS - 1), days, st.integers(0, 12)), max_size=8)
daily_receipts = st.lists(st.lists(st.integers(0, 12), min_size=DAYS, max_size=DAYS), min_size=GROUPS, max_size=GROUPS)


def columns(rows, of=DueLines):
    return of(*(list(column) for column in zip(*rows, strict=True))) if rows else of([], [], [])


def pairs(ratio):
    return list(zip(ratio.numerator.tolist(), ratio.denominator.tolist(), strict=True))


def naive_fill_rate(lines, daily):
    """The k-th wafer to come is for the k-th wafer to be due."""
    rates = []
    for group in range(GROUPS):
        due = sorted(day for of, day, wafers in lines for _ in range(wafers) if of == group and day < DAYS)
        came = [day for day, wafers in enumerate(daily[group]) for _ in range(wafers)]
        rates.append((sum(arrival <= day for arrival, day in zip(came, due, strict=False)), len(due)))
    return rates


def naive_otif(lines, receipts, through, days, percent):
    rates = []
    for group in range(GROUPS):
        kept = judged = 0
        for n, (of, due, wafers) in enumerate(lines):
            if of == group and wafers > 0 and due + days <= through:
                judged += 1
                got = sum(came for line, day, came in receipts if line == n and day <= due + days)
                kept += got * 100 >= wafers * (100 - percent)
        rates.append((kept, judged))
    return rates


def test_fill_rate_by_hand():
    due = DueLines([0, 0, 0], [1, 3, 3], [40, 30, 30])

    ratio = fill_rate(due, [[20, 20, 60, 80]])  # 20 of the 40 had come on day 1, and 80 − 40 of the 60 on day 3

    assert pairs(ratio) == [(20 + 40, 100)]


def test_what_came_late_is_not_counted_for_the_next_due():
    assert pairs(fill_rate(DueLines([0, 0], [0, 1], [10, 10]), [[0, 10]])) == [(0, 20)]


@given(lines, daily_receipts)
@quick
def test_fill_rate_is_that_of_the_naive_twin(lines, daily):
    assert pairs(fill_rate(columns(lines), np.cumsum(daily, axis=1))) == naive_fill_rate(lines, daily)


@st.composite
def delivered(draw):
    said = draw(lines)
    receipts = st.tuples(st.integers(0, max(len(said) - 1, 0)), days, st.integers(0, 12))
    return said, draw(st.lists(receipts, max_size=12)) if said else []


@given(delivered(), days, st.integers(0, 3), st.sampled_from([0, 5, 10, 50, 99, 100]))
@quick
def test_otif_is_that_of_the_naive_twin(said, through, late, percent):
    ratio = otif(columns(said[0]), columns(said[1], Receipts), GROUPS, through, days=late, percent=percent)

    assert pairs(ratio) == naive_otif(*said, through, late, percent)


@pytest.mark.parametrize(
    ("through", "late", "percent", "ratio"),
    [
        (10, 0, 0, (1, 4)),
        (10, 2, 0, (2, 4)),  # the second came two days late
        (10, 0, 10, (2, 4)),  # of the third 90 of 100
        (10, 2, 11, (4, 4)),  # of the fourth 89 of 100
        (10, 2, 10, (3, 4)),
        (6, 2, 0, (1, 1)),  # the second is due on 5: until 7 it may still come
    ],
)
def test_otif_strict_and_tolerant_by_hand(through, late, percent, ratio):
    due = DueLines([0] * 4, [4, 5, 6, 7], [100] * 4)
    came = Receipts([0, 0, 1, 2, 3], [1, 4, 7, 6, 7], [60, 40, 100, 90, 89])

    assert pairs(otif(due, came, 1, through, days=late, percent=percent)) == [ratio]


def test_a_withdrawn_line_is_not_due():
    assert pairs(otif(DueLines([0], [1], [0]), columns([], Receipts), 1, 5)) == [(0, 0)]


def test_backorder_is_never_below_zero():
    assert backorder([30, 30, 0], [10, 40, 0]).tolist() == [20, 0, 0]


def test_nothing_due_is_a_denominator_of_zero():
    assert pairs(fill_rate(columns([]), [[5, 5], [0, 0]])) == [(0, 0), (0, 0)]
    assert pairs(fill_rate(columns([]), np.zeros((1, 0), dtype=int))) == [(0, 0)]
    assert pairs(otif(columns([]), columns([], Receipts), 2, 5)) == [(0, 0), (0, 0)]


def test_huge_numbers_are_exact_up_to_the_greatest_sum_and_refused_beyond():
    most = WAFERS_SUM_MAX // 100

    assert pairs(fill_rate(DueLines([0], [0], [WAFERS_SUM_MAX]), [[WAFERS_SUM_MAX - 1]])) == [
        (WAFERS_SUM_MAX - 1, WAFERS_SUM_MAX)
    ]
    assert pairs(otif(DueLines([0], [0], [most]), Receipts([0], [0], [most - 1]), 1, 0)) == [(0, 1)]
    with pytest.raises(ValueError, match="line wafers holds"):
        otif(DueLines([0], [0], [most + 1]), columns([], Receipts), 1, 0)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (DueLines([1], [0], [1]), "line group holds 1, not 0 to 0"),
        (DueLines([0], [-1], [1]), "line due holds -1"),
        (DueLines([0], [0], [-1]), "line wafers holds -1"),
        (DueLines([0, 0], [0], [1]), r"line group has the shape \(2,\), not \(1,\)"),
    ],
)
def test_lines_that_cannot_be_are_refused(lines, told):
    with pytest.raises(ValueError, match=told):
        fill_rate(lines, [[1]])


@pytest.mark.parametrize(("late", "percent"), [(-1, 0), (0, -1), (0, 101)])
def test_a_tolerance_out_of_bounds_is_refused(late, percent):
    with pytest.raises(ValueError, match="tolerance"):
        otif(columns([]), columns([], Receipts), 1, 0, days=late, percent=percent)


def test_a_receipt_of_a_line_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="receipt line holds 1"):
        otif(DueLines([0], [0], [1]), Receipts([1], [0], [1]), 1, 0)
