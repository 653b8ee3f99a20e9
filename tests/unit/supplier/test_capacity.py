"""A capacity counts from the day from which it is known, worked by hand."""

from collections import Counter
from datetime import date

import pytest

from services.supplier.capacity import FABS, TSV, Booking, Capacity, week_of
from services.supplier.promising import Ask, SupplierPromises
from shared.play.facts import Based
from shared.play.scenario import Scenario, load_scenario

KNOWN_FROM = date(2026, 4, 1)
JULY, WEEK = date(2026, 7, 1), week_of(date(2026, 7, 6))


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    """A tenth of a TSV line that rises from 120,000 to 240,000 in 2026; in April July is known to have 150,000."""
    reference = load_scenario()
    tsv = {
        date(2026, 1, 1): Based(value=120_000, note="first", known_from=date(2026, 6, 1)),
        JULY: Based(value=150_000, sources=["S70"], known_from=KNOWN_FROM, confidence="high"),
        date(2027, 1, 1): Based(value=240_000, note="assumed"),
    }
    supplier = reference.suppliers["samsung"].model_copy(update={"tsv_wafers_per_month": tsv})
    whole, tenth = (Based(value={date(2026, 1, 1): permille}, note="by hand") for permille in (1000, 100))
    choice = reference.variants["announced"].model_copy(
        update={"dram_permille": whole, "fab_permille": whole, "tsv_permille": tenth}
    )
    return reference.model_copy(
        update={
            "suppliers": reference.suppliers | {"samsung": supplier},
            "variants": reference.variants | {"announced": choice},
        }
    )


def test_a_capacity_counts_from_the_day_from_which_it_is_known(scenario):
    """Half-way from 120,000 to 240,000 are 180,000 in July; the first month counts from the start of the play."""
    capacity = Capacity(scenario, "samsung", "announced")
    before = capacity.of_month(TSV, JULY)

    capacity.revise(date(2026, 3, 31))
    assert capacity.of_month(TSV, JULY) == before == 18_000
    capacity.revise(KNOWN_FROM)
    assert capacity.of_month(TSV, JULY) == 15_000
    assert capacity.of_month(TSV, date(2026, 1, 1)) == 12_000


def test_the_week_of_the_revision_keeps_its_room_and_those_after_it_have_the_new_one(scenario):
    """18,000 a month are 4,142 in each of its 365 / 84 weeks, and 15,000 are 3,452."""
    capacity = Capacity(scenario, "samsung", "announced")
    rooms = [capacity.room("HBM4-12H", week, stacked=True) for week in (WEEK, WEEK + 1)]

    capacity.revise(date(2026, 7, 8))

    assert rooms == [4_142, 4_142]
    assert [capacity.room("HBM4-12H", week, stacked=True) for week in (WEEK, WEEK + 1)] == [4_142, 3_452]


@pytest.mark.parametrize(("late_weeks", "weeks"), [(10, {WEEK: 3_452, WEEK + 1: 548}), (0, {WEEK: 3_452})])
def test_starts_without_room_after_a_revision_are_booked_in_the_next_weeks_or_left_out(scenario, late_weeks, weeks):
    play = scenario.play.model_copy(update={"late_weeks": late_weeks})
    promising = SupplierPromises(scenario.model_copy(update={"play": play}), "samsung", "announced")
    ask = Ask("order", "HBM4-12H", "site", 1, date(2026, 7, 12), date(2027, 1, 31), 4_000, 4_000, "event")
    [(_, [promise])] = promising.answer([ask], date(2026, 3, 30))
    assert {booking.week for booking in promise.booked} == {WEEK}

    promising.revise(KNOWN_FROM)
    booked, limit = promising.rebook("HBM4-12H", promise.booked, KNOWN_FROM)

    by_week = Counter[int]()
    for booking in booked:
        by_week[booking.week] += booking.wafers
    assert (by_week, limit) == (weeks, TSV)
    assert promising.rebook("HBM4-12H", booked, KNOWN_FROM) == (booked, "")


@pytest.fixture(scope="module")
def scenario_of_two_fabs(scenario: Scenario) -> Scenario:
    """Fab A has 10,000 DRAM wafers a month, from April known to have 4,000; fab B keeps 10,000."""
    first = Based(value=10_000, note="first")
    revised = Based(value=4_000, sources=["S70"], known_from=KNOWN_FROM, confidence="high")
    month, samsung = date(2026, 1, 1), scenario.suppliers["samsung"]
    fab = samsung.fabs[0].model_copy(update={"makes": Based(value=["DDR5-32G"], note="by hand")})
    fabs = [
        fab.model_copy(update={"name": "A", "dram_wafers_per_month": {month: first, date(2026, 2, 1): revised}}),
        fab.model_copy(update={"name": "B", "dram_wafers_per_month": {month: first}}),
    ]
    return scenario.model_copy(
        update={"suppliers": scenario.suppliers | {"samsung": samsung.model_copy(update={"fabs": fabs})}}
    )


def test_a_booking_keeps_what_a_fab_of_its_week_is_overbooked_by(scenario_of_two_fabs):
    """10,000 a month are 2,301 a week, and 4,000 are 920: with 2,000 booked of them, 1,080 too many."""
    capacity = Capacity(scenario_of_two_fabs, "samsung", "announced")
    booked = list(capacity.book("DDR5-32G", WEEK, 2_000, stacked=False))
    capacity.revise(KNOWN_FROM)

    [small] = capacity.book("DDR5-32G", WEEK, 25, stacked=False)

    assert ([*booked], small) == ([Booking(WEEK, "A", 2_000)], Booking(WEEK, "B", 25))
    assert capacity.overbooked(booked[0], stacked=False) == FABS
    capacity.release(booked[0], stacked=False)
    assert capacity.room("DDR5-32G", WEEK, stacked=False) == 920 + 2_301 - 25
