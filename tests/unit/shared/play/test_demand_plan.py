"""The demand plan of the reference programme against the golden table of its facts."""

from datetime import date

import pytest

from shared.play.demand_plan import derive_plan, split_headline
from shared.play.scenario import load_scenario

SCENARIO = load_scenario()
HEADLINE = derive_plan(SCENARIO, "loi_headline")
ANNOUNCED = derive_plan(SCENARIO, "announced_sites_only")


@pytest.mark.parametrize(
    ("month", "wafers"),
    [
        (date(2026, 1, 1), 60_000),
        (date(2026, 7, 1), 98_325),
        (date(2026, 12, 1), 140_000),
        (date(2027, 6, 1), 210_000),
        (date(2027, 12, 1), 310_000),
        (date(2028, 12, 1), 580_000),
        (date(2029, 12, 1), 900_000),
    ],
)
def test_monthly_demand_is_the_golden_one(month, wafers):
    assert HEADLINE.monthly()[month] == wafers


@pytest.mark.parametrize(
    ("month", "wafers"),
    [
        (date(2026, 1, 1), 26_259),
        (date(2026, 12, 1), 58_402),
        (date(2027, 6, 1), 71_913),
        (date(2027, 12, 1), 51_119),
        (date(2028, 6, 1), 17_197),
        (date(2029, 6, 1), 756),
    ],
)
def test_announced_sites_need_the_golden_wafers_but_for_rounding(month, wafers):
    assert ANNOUNCED.monthly()[month] == pytest.approx(wafers, abs=5)  # each phase is rounded to whole wafers


@pytest.mark.parametrize(
    ("month", "golden"),
    [
        (date(2026, 1, 1), {"HBM3E-12H": 2000, "HBM4-12H": 31425, "LP5X-16G": 15250, "DDR5-32G": 11325}),
        (date(2027, 6, 1), {"HBM4-12H": 111200, "LP5X-16G": 49475, "DDR5-32G": 49325}),
        (date(2029, 12, 1), {"HBM4-12H": 500725, "LP5X-16G": 123475, "DDR5-32G": 275800}),
    ],
)
def test_the_mix_of_products_is_the_golden_one_within_a_lot(month, golden):
    mix = {}
    for need in HEADLINE.needs:
        if need.month == month and not need.withdrawn:
            mix[need.product] = mix.get(need.product, 0) + need.wafers

    assert mix == pytest.approx(golden, abs=25)  # the golden table is rounded to lots


def test_announced_sites_peak_near_72_000_and_need_1_77_million():
    monthly = ANNOUNCED.monthly()

    assert max(monthly.values()) == pytest.approx(72_000, abs=500)
    assert sum(monthly.values()) == pytest.approx(1_772_948, abs=100)
    assert sum(w for month, w in monthly.items() if month < SCENARIO.starts_on) == pytest.approx(228_457, abs=50)


def test_only_the_headline_has_pools():
    assert {need.site for need in HEADLINE.needs if need.site.startswith("POOL-")} == set(
        SCENARIO.pools.region_percent.value
    )
    assert not any(need.site.startswith("POOL-") for need in ANNOUNCED.needs)


def test_each_need_is_of_a_known_site_and_phase():
    phases = {(phase.site, phase.name) for phase in HEADLINE.phases}

    assert {(need.site, need.phase) for need in HEADLINE.needs} <= phases
    assert {site for site, _ in phases} <= set(SCENARIO.sites)


def test_the_headline_is_a_joint_total():
    parts = [split_headline(SCENARIO, supplier) for supplier in SCENARIO.suppliers]

    assert sum(sum(part.values()) for part in parts) == 900_000
