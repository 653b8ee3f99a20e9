"""Megawatts populated: racks run with matched sets, in the order of the phases, as the naive twin has it."""

from datetime import UTC, date, datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.fold.sites import PhaseStatement
from services.aggregator.plan.populated.racks import PhaseNeed, needs_of_phases, populate_phases, tenths_of
from services.aggregator.plan.populated.rates import MegawattRates
from shared.play.numbering import Numbering
from shared.programme.changes import find_changes
from shared.programme.declarations import Declarations
from shared.programme.megawatts import sum_megawatts
from shared.programme.programme_file import read_programme
from shared.programme.wafer_model import facility_at, wafers_per_mw
from shared.wire.days import DAY_US, day_number
from shared.wire.events import EventReversed, PhasePlanned
from shared.wire.rows import Row
from testing.asked import Asked
from testing.megawatts import half_populated, programme_events
from testing.reference import PROGRAMME_PATH
from testing.twins.racks import naive_populated

PROGRAMME = read_programme(PROGRAMME_PATH.read_text())
PRODUCTS = ("HBM", "LP", "DDR")
PHASES = st.lists(
    st.tuples(st.integers(0, 300), st.integers(1, 40), st.dictionaries(st.sampled_from(PRODUCTS), st.integers(0, 500))),
    max_size=4,
)


def needs_of(histories, through, rates, pue_percent):
    first = {(each[-1].source, each[-1].phase): min(said.time for said in each) // DAY_US for each in histories}
    return needs_of_phases(histories, first, through, rates, pue_percent)


def declarations() -> Declarations:
    found, numbering = Declarations(), Numbering("planner")
    changes = find_changes(PROGRAMME.entries(), found)
    found.add([Row.of(numbering.emit(datetime(2026, 1, 1, tzinfo=UTC), each.declared)) for each in changes])
    return found


def needs(phases) -> list[PhaseNeed]:
    return [PhaseNeed(("s", str(n)), mw, racks, wafers) for n, (mw, racks, wafers) in enumerate(phases)]


def statement(phase="p1", mw=100, on=20, stated=10, platform="VR-NVL72", status="planned", revision=0):
    return PhaseStatement(revision, stated * DAY_US, "id", "s", "site", phase, mw, platform, on, status)


@given(PHASES, st.tuples(*(st.integers(0, 1_000) for _ in PRODUCTS)))
def test_as_many_racks_run_as_the_naive_twin_fills(phases, wafers):
    at_hand = dict(zip(PRODUCTS, wafers, strict=True))
    running, megawatts = naive_populated(phases, at_hand)

    found = populate_phases(needs(phases), at_hand)

    assert [each.racks for each in found.phases.values()] == running
    assert (found.megawatts, found.energised) == (megawatts, sum(mw for mw, _, _ in phases))


@given(PHASES, st.tuples(*(st.integers(0, 1_000) for _ in PRODUCTS)))
def test_megawatts_wait_for_a_product_as_if_all_others_were_there(phases, wafers):
    at_hand = dict(zip(PRODUCTS, wafers, strict=True))

    for lacking in populate_phases(needs(phases), at_hand).waits_for:
        plenty = dict.fromkeys(PRODUCTS, 10**6) | {lacking.product: at_hand[lacking.product]}
        _, populated = naive_populated(phases, plenty)
        assert lacking.megawatts == sum(mw for mw, _, _ in phases) - populated
        assert lacking.wafers == sum(each.get(lacking.product, 0) for _, _, each in phases) - at_hand[lacking.product]


@given(PHASES)
def test_nothing_waits_once_what_is_missing_is_there(phases):
    nothing = dict.fromkeys(PRODUCTS, 0)
    missing = {each.product: each.wafers for each in populate_phases(needs(phases), nothing).waits_for}

    found = populate_phases(needs(phases), nothing | missing)

    assert (found.megawatts, found.waits_for) == (found.energised, [])


def test_a_site_takes_its_own_pue_into_its_need():
    rates, models = MegawattRates(declarations()), PROGRAMME.wafer_models
    rack = PROGRAMME.platforms["VR-NVL72"].rack
    floating = wafers_per_mw(rack, facility_at(PROGRAMME.facility, 112), models)

    assert rates.rate("VR-NVL72", 112, 20).wafers == floating
    assert rates.rate("VR-NVL72", None, 20).wafers == wafers_per_mw(rack, PROGRAMME.facility, models)
    (need,) = needs_of([[statement(mw=50)]], 20, rates, 112)
    assert need.wafers == {product: int(each * 50) for product, each in floating.items()}


def test_a_later_revision_of_a_platform_changes_no_rack_that_runs():
    found = declarations()
    now = found.platforms["VR-NVL72"]
    revised = now.model_copy(update={"rack": now.rack.model_copy(update={"memory_gb": {"HBM4-12H": 1}}), "revision": 1})
    on = datetime(2026, 6, 5, tzinfo=UTC)
    found.add([Row.of(Numbering("other").emit(on, revised))])
    rates, day = MegawattRates(found), day_number(on.date())

    assert sorted(rates.rate("VR-NVL72", 120, day - 1).wafers) == ["DDR5-32G", "HBM4-12H", "LP5X-16G"]
    assert sorted(rates.rate("VR-NVL72", 120, day).wafers) == ["DDR5-32G", "HBM4-12H"]


def test_only_energised_phases_need_memory_and_old_ones_have_theirs():
    rates = MegawattRates(declarations())
    histories = [
        [statement("old", on=5)],
        [statement("moved", on=5, stated=4), statement("moved", on=15, stated=9, revision=1)],
        [statement("paused", status="paused")],
        [statement("later", on=21)],
    ]

    found = needs_of(histories, 20, rates, 120)

    assert [(need.phase[1], bool(need.wafers)) for need in found] == [("old", False), ("moved", True)]


def test_a_need_is_not_known_without_a_declared_rack_or_wafer_model():
    rates = MegawattRates(declarations())

    assert needs_of([[statement(platform="NEW")]], 20, rates, 120) is None
    assert needs_of([[statement()]], 20, MegawattRates(Declarations()), 120) is None
    assert needs_of([[statement(platform="NEW")]], 19, rates, 120) == []


def test_what_lacks_one_wafer_is_not_shown_as_populated():
    found = populate_phases([PhaseNeed(("s", "p"), 695, 2_482, {"HBM": 61_708})], {"HBM": 61_707})

    assert tenths_of(found.megawatts) == 6_947
    assert tenths_of(Fraction(200)) == 2_000


# ---------------------------------------------------------------- the routes


@pytest.fixture
def asked() -> Asked:
    return half_populated()


def test_what_is_installed_and_on_hand_populates_a_site(asked):
    (row,) = asked("/sites")["rows"]

    assert (row["mw_energised"], row["mw_populated"], row["mw_waiting"]) == (100, 49.8, 50.2)
    assert row["waits_for"] == [{"product": "LP5X-16G", "mw": 50.2, "wafers": 3_345 - 1_673}]
    columns = ("phase", "mw_populated", "racks_populated", "racks")
    phases = [tuple(each[name] for name in columns) for each in row["phases"]]
    assert phases == [("a1", 49.8, 178, 357), ("a2", None, None, None)]


def test_the_months_to_come_have_the_supply_that_is_due(asked):
    months = asked("/sites/abilene/timeline")["months"]

    assert [(each["month"], each["mw"], each["mw_populated"], each["waits_for"]) for each in months] == [
        ("2026-04", 100, 49.8, "LP5X-16G"), ("2026-05", 150, 101.1, "HBM4-12H"),
    ]  # fmt: skip
    alone = asked("/sites/abilene/timeline?product=LP5X-16G")["months"]
    assert [each["mw_populated"] for each in alone] == [49.8, 150]


def test_wafers_received_today_or_later_stay_in_the_months_to_come():
    asked = half_populated(arrived_on=20)
    april, may = asked("/sites/abilene/timeline")["months"]

    assert (april["mw_populated"], may["mw_populated"]) == (100, 101.1)
    assert asked("/sites")["rows"][0]["mw_populated"] == 49.8  # at the end of the last complete day


def test_a_phase_that_is_reversed_and_stated_again_after_its_day_needs_its_wafers():
    """Its first statement, reversed since, was before its day: its memory did not come before the log."""
    sites = Numbering("americas")
    phase = PhasePlanned(
        site="abilene", phase="a1", mw=100, platform="VR-NVL72", energise_on=date(2026, 4, 10), status="planned",
        revision=0,
    )  # fmt: skip
    first = sites.emit(datetime(2026, 4, 1, tzinfo=UTC), phase)
    undone = sites.emit(datetime(2026, 4, 12, tzinfo=UTC), EventReversed(reversed=first.id, reason=""))
    again = sites.emit(datetime(2026, 4, 12, 1, tzinfo=UTC), phase)
    asked = Asked([*programme_events(), first, undone, again], date(2026, 4, 16))

    (row,) = asked("/sites")["rows"]
    assert (row["mw_energised"], row["mw_populated"], row["mw_waiting"]) == (100, 0, 100)
    assert [each["mw_populated"] for each in asked("/sites/abilene/timeline")["months"]] == [0]


def test_sums_over_sites_are_not_known_if_one_is_not(asked):
    row = asked("/sites")["rows"][0]
    unknown = row | {"mw_populated": None, "mw_waiting": None, "waits_for": []}

    assert sum_megawatts([row, row]) == {
        "mw_energised": 200, "mw_populated": 99.6, "mw_waiting": 100.4,
        "waits_for": [{"product": "LP5X-16G", "mw": 100.4, "wafers": 3_344}],
    }  # fmt: skip
    assert (sum_megawatts([row, unknown])["mw_energised"], sum_megawatts([row, unknown])["mw_populated"]) == (200, None)


def test_sums_over_many_sites_are_those_of_their_tenths():
    waits_for = [{"product": "HBM4-12H", "mw": 0.1, "wafers": 1}]
    row = {"mw_energised": 3, "mw_populated": 2.15, "mw_waiting": 0.1, "waits_for": waits_for}

    sums = sum_megawatts([row | {"mw_populated": 2.1}] * 3)

    assert sums == {
        "mw_energised": 9, "mw_populated": 6.3, "mw_waiting": 0.3,
        "waits_for": [{"product": "HBM4-12H", "mw": 0.3, "wafers": 3}],
    }  # fmt: skip
    assert isinstance(sums["mw_energised"], int)


def test_the_footprint_is_of_energised_megawatts_and_their_hours(asked):
    answer = asked("/footprint?by=mooring,power_source")

    assert (answer["today"], answer["by"]) == ("2026-04-16", ["mooring", "power_source"])
    assert answer["rows"] == [
        {
            "mooring": "onshore", "power_source": "grid", "sites": 1, "mw": 150, "mw_planned": 150,
            "mw_energised": 100, "mw_populated": 49.8, "mw_waiting": 50.2, "energy_mwh": 100 * 24 * 6,
            "co2_tonnes": 5_760, "year_mwh": 1_314_000, "year_co2_tonnes": 525_600, "year_kg_co2_per_mwh": 400,
            "land_ha": 100, "waterplane_m2": None, "m2_per_mw": 6_667,
        }
    ]  # fmt: skip
