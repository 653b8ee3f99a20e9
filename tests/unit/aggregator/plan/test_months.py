"""The months: the naive twin, the share of the programme, and the horizon's edges."""

from datetime import date

import pytest
from hypothesis import given

from services.aggregator.plan.months import month_table
from shared.wire.postings import Measure
from tests.unit.aggregator.plan.test_projection import START, fold, fold_naively, logs, of, only, quick


@given(logs, only)
@quick
def test_months_are_those_of_the_naive_twin(log, only):
    naive = fold_naively(log)

    for row in month_table(fold(log), date(2025, 1, 1), date(2025, 3, 31), **only):
        start, receipt = row.start, row.receipt
        assert {
            "agreed": start.agreed, "demand": start.demand, "started": start.started, "start_net": start.net,
            "start_gap": start.cumulative_gap, "forecast": receipt.forecast, "due": receipt.due,
            "committed": receipt.committed, "received": receipt.received, "receipt_net": receipt.net,
            "receipt_gap": receipt.cumulative_gap,
        } == naive.month(row.month, only)  # fmt: skip


@pytest.mark.parametrize(
    ("started", "percent"),
    [(900_000, 100.0), (0, 0.0), (449, 0.0), (450, 0.1), (300_000, 33.3), (600_000, 66.7), (1_800_000, 200.0)],
)
def test_the_share_of_the_programme_is_rounded_half_up_from_integers(started, percent):
    (row,) = month_table(fold(of(Measure.STARTED, started)), date(2025, 1, 1), date(2025, 1, 1))

    assert row.start.share_percent == percent


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


@pytest.mark.parametrize(("first", "last"), [((2024, 12), (2025, 1)), ((2025, 3), (2025, 4)), ((2025, 3), (2025, 2))])
def test_months_outside_the_horizon_are_refused(first, last):
    with pytest.raises(ValueError, match="month"):
        month_table(fold([]), date(*first, 1), date(*last, 1))
