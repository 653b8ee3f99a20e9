"""The months: the naive twin, the share of the programme, and the horizon's edges."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.plan.months import month_table
from shared.wire.postings import Measure
from testing.twins.curves import batch_of
from tests.unit.aggregator.plan.test_projection import DAYS, START, fold, fold_naively, logs, of, only, quick


@given(logs, only, st.none() | st.integers(START, START + DAYS - 2))
@quick
def test_months_are_those_of_the_naive_twin(log, only, through):
    naive, curves = fold_naively(log), fold(log)
    if through is not None:
        curves.add(batch_of(2, [], {"samsung": through}, sources=["samsung"]))

    for row in month_table(curves, date(2025, 1, 1), date(2025, 3, 31), **only):
        start, receipt = row.start, row.receipt
        assert {
            "agreed": start.agreed, "demand": start.demand, "started": start.started, "start_net": start.net,
            "start_gap": start.cumulative_gap, "forecast": receipt.forecast, "due": receipt.due,
            "committed": receipt.committed, "received": receipt.received, "to_come": receipt.to_come,
            "receipt_net": receipt.net, "receipt_gap": receipt.cumulative_gap,
        } == naive.month(row.month, only, curves.today)  # fmt: skip


@pytest.mark.parametrize(
    ("started", "percent"),
    [(900_000, 100.0), (0, 0.0), (449, 0.0), (450, 0.1), (300_000, 33.3), (600_000, 66.7), (1_800_000, 200.0)],
)
def test_the_share_of_the_programme_is_rounded_half_up_from_integers(started, percent):
    (row,) = month_table(fold(of(Measure.STARTED, started)), date(2025, 1, 1), date(2025, 1, 1), 900_000)

    assert row.start.share_percent == percent


def test_there_is_no_share_where_no_target_is_declared():
    (row,) = month_table(fold(of(Measure.STARTED, 300)), date(2025, 1, 1), date(2025, 1, 1))

    assert (row.start.share_percent, row.receipt.share_percent) == (None, None)


def test_the_two_bases_are_never_mixed():
    log = of(Measure.STARTED, 10) + of(Measure.REQUIRED_START, 20) + of(Measure.RECEIVED, 3) + of(Measure.REQUIRED, 5)

    (row,) = month_table(fold(log), date(2025, 1, 1), date(2025, 1, 1))

    assert (row.start.demand, row.start.started, row.start.net) == (20, 10, -10)
    assert (row.receipt.due, row.receipt.received, row.receipt.net) == (5, 3, -2)


def test_the_gap_runs_on_whatever_month_the_table_begins_with():
    curves = fold(of(Measure.STARTED, 10) + of(Measure.REQUIRED_START, 30, first=START + 40))

    whole = month_table(curves, date(2025, 1, 1), date(2025, 3, 1))

    assert [row.start.cumulative_gap for row in whole] == [10, -20, -20]
    assert month_table(curves, date(2025, 3, 1), date(2025, 3, 1)) == whole[2:]


def test_a_month_to_come_counts_its_commits_and_what_is_in_transit_and_has_no_starts_yet():
    curves = fold(
        of(Measure.STARTED, 10)
        + of(Measure.RECEIVED, 3)
        + of(Measure.TRANSIT_DUE, 4, first=START + 25)
        + of(Measure.OPEN_FIRM, 90, 50, first=START + 19)  # overdue; due today
        + of(Measure.OPEN_PLANNED, 7, first=START + 40)
        + of(Measure.REQUIRED, 60, first=START + 45)
    )
    curves.add(batch_of(2, [], {"samsung": START + 19}, sources=["samsung"]))

    now, ahead = month_table(curves, date(2025, 1, 1), date(2025, 2, 1))

    assert (now.receipt.received, now.receipt.to_come["in_transit"], now.receipt.to_come["firm"]) == (3, 4, 50)
    assert (now.receipt.net, now.receipt.cumulative_gap, now.start.started) == (57, 57, 10)
    assert (ahead.receipt.net, ahead.receipt.cumulative_gap, ahead.start.started) == (-53, 4, None)


@pytest.mark.parametrize(("first", "last"), [((2024, 12), (2025, 1)), ((2025, 3), (2025, 4)), ((2025, 3), (2025, 2))])
def test_months_outside_the_horizon_are_refused(first, last):
    with pytest.raises(ValueError, match="month"):
        month_table(fold([]), date(*first, 1), date(*last, 1))
