"""The demand plan of the reference programme against the golden table of its facts."""

from collections import Counter
from datetime import date

import pytest

from services.supplier.capacity import TSV, Capacity
from shared.play.demand_plan import derive_plan, split_headline
from shared.play.scenario import load_scenario

SCENARIO = load_scenario()
HEADLINE = derive_plan(SCENARIO, "loi_headline")
ANNOUNCED = derive_plan(SCENARIO, "announced")


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
    ("known_on", "month", "wafers"),
    [
        (date(2026, 1, 1), date(2026, 9, 1), 71_074),
        (date(2026, 1, 1), date(2027, 12, 1), 39_259),
        (date.max, date(2026, 9, 1), 31_870),
        (date.max, date(2027, 12, 1), 90_725),
        (date.max, date(2028, 6, 1), 38_809),
    ],
)
def test_what_announced_sites_need_is_what_was_known_on_the_day(known_on, month, wafers):
    assert derive_plan(SCENARIO, "announced", known_on).monthly()[month] == wafers


def test_announced_sites_need_1_77_million_as_known_at_the_start_and_3_53_million_now():
    totals = [sum(derive_plan(SCENARIO, "announced", day).monthly().values()) for day in (SCENARIO.starts_on, date.max)]

    assert totals == [1_773_582, 3_526_638]


def test_the_tsv_room_for_what_sites_need_is_least_in_2027():
    """As known when the scenario was written: the percents that the note of `dram_permille` states."""
    rooms, needs = Counter[int](), Counter[int]()
    for supplier in SCENARIO.suppliers:
        capacity = Capacity(SCENARIO, supplier, "announced")
        capacity.revise(SCENARIO.written)
        for month in (date(year, number, 1) for year in (2026, 2027, 2028) for number in range(1, 13)):
            if month >= date(2026, 7, 1):
                rooms[month.year] += capacity.of_month(TSV, month)
    for need in ANNOUNCED.needs:
        if need.product.startswith("HBM") and need.month >= date(2026, 7, 1):
            needs[need.month.year] += need.wafers

    assert {year: round(100 * room / needs[year]) for year, room in rooms.items()} == {2026: 100, 2027: 80, 2028: 276}


def test_the_need_goes_by_the_pue_of_the_site():
    """The same megawatt holds more racks where less of it is cooling."""
    per_mw = {}
    for need in ANNOUNCED.needs:
        if need.product == "HBM4-12H" and need.site in ("KR-FDC-FLEET", "KR-POHANG"):
            per_mw[need.site] = per_mw.get(need.site, 0) + need.wafers
    megawatts = {"KR-FDC-FLEET": 200, "KR-POHANG": 20}
    rates = {site: wafers / megawatts[site] for site, wafers in per_mw.items()}

    assert rates["KR-FDC-FLEET"] / rates["KR-POHANG"] == pytest.approx(120 / 112, rel=0.001)


def test_a_phase_that_was_energised_before_the_play_needs_nothing():
    assert "TX-ABILENE.1" in {phase.name for phase in ANNOUNCED.phases}
    assert "TX-ABILENE.1" not in {need.phase for need in ANNOUNCED.needs}


def test_who_supplies_follows_the_platform_and_the_qualification():
    def sourcing(day):
        return SCENARIO.sourcing("VR-NVL72", "HBM4-12H", day)

    assert sourcing(date(2026, 1, 15)) == {"skhynix": 65}
    assert sourcing(date(2026, 3, 1)) == {"skhynix": 65, "samsung": 28}
    assert sourcing(date(2026, 6, 5)) == {"skhynix": 65, "samsung": 28, "micron": 7}
    assert max(SCENARIO.sourcing("GB300-NVL72", "LP5X-16G", date(2026, 6, 5)).items(), key=lambda part: part[1]) == (
        "micron", 60,
    )  # fmt: skip
    assert sum(SCENARIO.sourcing("MIX-2029", "DDR5-32G", date(2029, 1, 1)).values()) > 0


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
