"""Shares: of whole wafers they sum exactly, in percent they are rounded half up."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from shared.programme.shares import share_out, share_percent

TARGET = 900_000


@given(st.integers(0, 10**6), st.dictionaries(st.text(max_size=3), st.fractions(min_value=Fraction(1, 99)), min_size=1))
def test_shares_sum_exactly_and_none_is_a_wafer_off(wafers, weights):
    shares = share_out(wafers, weights)

    assert sum(shares.values()) == wafers
    assert all(abs(shares[key] - wafers * weights[key] / sum(weights.values())) < 1 for key in weights)


def test_the_largest_remainder_gets_what_is_left():
    assert share_out(80, {"a": 50, "b": 30, "c": 20}) == {"a": 40, "b": 24, "c": 16}
    assert share_out(10, {"a": 1, "b": 1, "c": 1}) == {"a": 4, "b": 3, "c": 3}


def test_the_share_of_the_programme_is_rounded_half_up_for_every_number_of_wafers():
    """The tenths of a percent are nearest to the exact share; of two that are as near, the greater."""
    for wafers in range(TARGET + 1):
        tenths = round(share_percent(wafers, TARGET) * 10)
        assert share_percent(wafers, TARGET) == tenths / 10
        assert tenths * 1_800 - 900 <= 2 * wafers < tenths * 1_800 + 900


def test_there_is_no_share_of_no_target():
    assert share_percent(7, None) is None
