"""Units of a partner come to exact wafers, and rounding loses nothing."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.documents.units import Unit, carry_over, nearest_whole, wafers_per_unit
from shared.wire.events import WaferModel

relaxed = settings(deadline=None)  # a busy machine is slow


def model(gb, mm2, layers, line, probe, layer, final):
    return WaferModel(
        gb_per_die=gb, die_mm2=mm2, layers=layers,
        line_yield=line, probe_yield=probe, layer_yield=layer, final_yield=final,
    )  # fmt: skip


STACKED_4 = model(3, 130, 12, "0.97", "0.74", "0.99", "0.97")
STACKED_3 = model(3, 121, 12, "0.97", "0.80", "0.99", "0.98")
FLAT_16 = model(2, 40, 1, "0.98", "0.92", "1", "0.985")
FLAT_32 = model(4, 78, 1, "0.98", "0.88", "1", "0.985")


@pytest.mark.parametrize(
    ("quantity", "unit", "product", "wafers"),
    [
        (1_000, Unit("stack"), STACKED_4, 41.905), (1_000, Unit("stack"), STACKED_3, 35.533),
        (50_000, Unit("gb", Fraction(64)), FLAT_32, 1183.13), (1_000_000, Unit("die"), FLAT_16, 696.26),
        (1_000_000, Unit("gbit", Fraction(16)), FLAT_16, 706.86), (1, Unit("gb", Fraction(10**6)), STACKED_4, 1164.03),
        (24, Unit("per_wafer", Fraction(24)), None, 1), (7, Unit("wse"), None, 7),
    ],
)  # fmt: skip
def test_a_unit_comes_to_the_wafers_of_the_model(quantity, unit, product, wafers):
    assert float(quantity * wafers_per_unit(unit, product)) == pytest.approx(wafers, rel=1e-5)


def test_six_weeks_of_a_thousand_stacks_carry_what_each_week_leaves():
    week = 1_000 * wafers_per_unit(Unit("stack"), STACKED_4)

    assert carry_over([week] * 6) == [42, 42, 42, 42, 42, 41]
    assert [nearest_whole(week)] * 6 == [42] * 6


@relaxed
@given(st.lists(st.fractions(0, 1000)), st.fractions(0, 1000))
def test_the_carried_cumulative_is_within_half_a_wafer_for_ever(buckets, before):
    wafers = carry_over(buckets, before)

    whole, exact = nearest_whole(before), before
    for each, bucket in zip(wafers, buckets, strict=True):
        whole, exact = whole + each, exact + bucket
        assert abs(whole - exact) <= Fraction(1, 2)
    assert all(each >= 0 for each in wafers)


@relaxed
@given(st.lists(st.fractions(0, 1000), min_size=1), st.data())
def test_a_later_plan_that_is_anchored_gives_the_same_buckets_again(buckets, data):
    cut = data.draw(st.integers(0, len(buckets)))

    assert carry_over(buckets[cut:], sum(buckets[:cut], Fraction(0))) == carry_over(buckets)[cut:]
