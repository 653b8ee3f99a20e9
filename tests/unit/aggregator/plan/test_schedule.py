"""The master schedule: its buckets are those of the projection, and its numbers those of the books."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.aggregator.fold.curves import Curves
from services.aggregator.plan.schedule import schedule, weeks_of_cover
from shared.wire.postings import Measure
from testing.projection import project
from testing.twins.curves import GRADES, batch_of

START, DAYS = 20_089, 90  # 2025-01-01 to 2025-03-31
KEY = ("HBM4-12H", "abilene", "samsung")
BY = ("product", "site")

keys = st.tuples(st.just("HBM4-12H"), st.sampled_from(["abilene", "narvik"]), st.sampled_from(["samsung", "skhynix"]))
postings = st.tuples(
    keys, st.sampled_from(Measure), st.integers(START - 4, START + DAYS + 3), st.integers(-50, 50)
).map(lambda each: (*each[:3], abs(each[3]) if each[1] == Measure.CONSUMED else each[3]))  # as the kernel relies on
logs = st.lists(postings, max_size=40)


def fold(log):
    curves = Curves(date(2025, 1, 1), DAYS)
    curves.add(batch_of(1, log))
    return curves


def of(measure, *wafers, first=START + 10):
    return [(KEY, measure, first + n, each) for n, each in enumerate(wafers)]


@given(logs, st.integers(START, START + DAYS - 1), st.sampled_from(GRADES), st.sampled_from([1, 7]), st.integers(1, 30))
@settings(max_examples=60, deadline=None)
def test_what_is_projected_is_the_projection_at_the_end_of_each_bucket(log, today, firmness, bucket_days, buckets):
    curves = fold(log)
    table = schedule(curves, curves.group(BY), today, bucket_days, buckets, firmness)

    for group, projection in enumerate(project(curves, firmness, today)):
        ends = projection.balance[bucket_days - 1 :: bucket_days][:buckets].tolist()
        if len(ends) < min(buckets, table.projected.shape[1]):  # the horizon cuts the last bucket short
            ends.append(int(projection.balance[-1]))
        assert table.projected[group].tolist() == ends


def test_the_golden_rows_come_out_of_postings():
    log = (
        of(Measure.OPENED, 100, first=START)
        + of(Measure.REQUIRED, 30, 30, 90, 20)
        + of(Measure.OPEN_FIRM, 0, 50, 0, 50)
    )
    curves = fold(log + of(Measure.FORECAST, 350, 350, 350, 350))

    table = schedule(curves, curves.group(BY), START + 10, 1, 4, early_days=0, late_days=0)

    assert table.projected.tolist() == [[70, 90, 0, 30]]
    assert table.atp_cumulative.tolist() == [[0, 0, 0, 30]]
    assert table.net_forecast.tolist() == [[320, 320, 260, 330]]


def test_what_was_required_before_today_and_is_not_consumed_is_not_available():
    log = of(Measure.OPENED, 100, first=START) + of(Measure.REQUIRED, 30) + of(Measure.CONSUMED, 10)
    curves = fold(log)

    table = schedule(curves, curves.group(BY), START + 11, 7, 2)

    assert (table.available.tolist(), table.atp_cumulative.tolist()) == ([70], [[70, 70]])


def test_what_came_today_is_a_receipt_of_today():
    log = of(Measure.TRANSIT_DUE, 40, 0, 9) + of(Measure.RECEIVED, 40) + of(Measure.TRANSIT_DUE, -40)
    curves = fold(log)

    table = schedule(curves, curves.group(BY), START + 10, 1, 3)

    assert table.receipts.tolist() == [[40, 0, 9]]


def test_only_orders_count_in_the_frozen_zone():
    curves = fold(of(Measure.FORECAST, 50, 50) + of(Measure.REQUIRED, 20, 20))

    table = schedule(curves, curves.group(BY), START + 10, 1, 2, frozen=1)

    assert table.net_forecast.tolist() == [[0, 30]]


@pytest.mark.parametrize("today", [START - 1, START + DAYS])
def test_a_day_outside_the_horizon_is_refused(today):
    curves = fold(of(Measure.REQUIRED, 1))

    with pytest.raises(ValueError, match="outside the horizon"):
        schedule(curves, curves.group(BY), today, 7, 4)


def test_no_group_makes_no_row():
    curves = fold([])

    assert schedule(curves, curves.group(BY), START, 7, 4).atp.shape == (0, 4)
    assert np.shape(schedule(curves, curves.group(BY), START + DAYS - 1, 7, 4).atp) == (0, 1)


# ---------------------------------------------------------------- weeks of cover

stocked = st.lists(
    st.tuples(keys, st.sampled_from(Measure), st.integers(START - 4, START + DAYS + 3), st.integers(0, 50)), max_size=40
)


def count_weeks(balance, orders, week):
    """Return the wafers short in a week, and the tenths of the later weeks that its last balance pays for."""
    short = max(0, -min(balance[7 * week : 7 * week + 7]))
    if short:
        return short, 0
    left, tenths = balance[7 * week : 7 * week + 7][-1], 0
    for first in range(7 * week + 7, len(balance), 7):
        needed = sum(orders[first : first + 7])
        if needed > left:
            return 0, tenths + 10 * left // needed
        left, tenths = left - needed, tenths + 10
    return 0, -1


@given(stocked, st.integers(START, START + DAYS - 1), st.sampled_from(GRADES), st.integers(1, 20))
@settings(max_examples=60, deadline=None)
def test_the_weeks_of_cover_are_those_counted_week_by_week(log, today, firmness, weeks):
    curves = fold(log)
    cover = weeks_of_cover(curves, curves.group(BY), today, weeks, firmness)
    orders = schedule(curves, curves.group(BY), today, 1, DAYS, firmness).orders

    for group, projection in enumerate(project(curves, firmness, today)):
        balance, days = projection.balance.tolist(), orders[group].tolist()
        counted = [count_weeks(balance, days, week) for week in range(min(weeks, -(-len(balance) // 7)))]
        assert [*zip(cover.short[group].tolist(), cover.tenths[group].tolist(), strict=True)] == counted
        weeks_short = [week for week, (short, _) in enumerate(counted) if short]
        first = projection.first_short_day
        if first is not None and first < today + 7 * weeks:
            assert weeks_short[0] == (first - today) // 7


def test_the_golden_weeks_come_out_of_postings():
    """100 on hand; 30, 50, 0 and 40 are ordered: 70 pay for the 50, for the week without an order, and for 20 of 40."""
    log = of(Measure.OPENED, 100, first=START)
    log += [(KEY, Measure.REQUIRED, START + 10 + 7 * week, wafers) for week, wafers in enumerate((30, 50, 0, 40))]
    curves = fold(log)

    cover = weeks_of_cover(curves, curves.group(BY), START + 10, 5)
    assert cover.tenths.tolist() == [[25, 15, 5, 0, 0]]
    assert cover.short.tolist() == [[0, 0, 0, 20, 20]]
