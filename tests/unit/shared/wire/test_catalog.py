"""The wafer model against the golden values of the reference programme."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.wire.catalog import (
    CATALOG,
    PRODUCTS,
    PROGRAMME_WAFERS,
    digest,
    gb_per_wafer,
    gross_dies,
    share_out,
    share_percent,
    wafers_per_mw,
)


def test_the_catalogue_knows_each_product_and_no_other():
    assert tuple(CATALOG) == PRODUCTS == ("HBM3E-12H", "HBM4-12H", "DDR5-16G", "DDR5-32G", "LP5X-16G")


def test_gross_dies_are_the_golden_ones():
    assert [gross_dies(product) for product in PRODUCTS] == [501, 464, 1593, 796, 1680]


def test_gigabytes_a_wafer_are_the_golden_ones():
    assert [round(gb_per_wafer(product)) for product in PRODUCTS] == [1013, 859, 2829, 2705, 2969]


@pytest.mark.parametrize(
    ("platform", "golden", "total"),
    [
        ("GB300-NVL72", {"HBM3E-12H": 119.78, "LP5X-16G": 34.06, "DDR5-32G": 23.8}, 177.6),
        ("VR-NVL72", {"HBM4-12H": 88.79, "LP5X-16G": 66.91, "DDR5-32G": 23.8}, 179.5),
        ("HELIOS-MI455X", {"HBM4-12H": 116.54, "DDR5-32G": 66.64}, 183.2),
        ("TITAN-ASIC", {"HBM4-12H": 124.31, "DDR5-32G": 92.35}, 216.7),
    ],
)
def test_wafers_a_megawatt_are_the_golden_ones(platform, golden, total):
    rates = wafers_per_mw(platform)

    assert {product: round(float(rate), 2) for product, rate in rates.items()} == golden
    assert round(float(sum(rates.values())), 1) == total


def test_the_digest_stays_while_the_products_stay():
    assert digest() == "ab0b5d537af4ca2e5814a875101a999ab9d2b51c653698f4290cde1bfd370313"


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
    for wafers in range(PROGRAMME_WAFERS + 1):
        tenths = round(share_percent(wafers) * 10)
        assert share_percent(wafers) == tenths / 10
        assert tenths * 1_800 - 900 <= 2 * wafers < tenths * 1_800 + 900
