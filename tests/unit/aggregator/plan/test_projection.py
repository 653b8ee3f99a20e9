"""The planning numbers: the golden rows of the books, the naive twin, and the cases that broke other systems."""

from datetime import date
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.aggregator.fold.curves import Curves
from services.aggregator.plan.projection import make_plan
from shared.wire.postings import Measure
from testing.projection import project
from testing.twins.curves import GRADES, NaiveCurves, batch_of

START, DAYS = 20_089, 90  # 2025-01-01 to 2025-03-31
KEY = ("HBM4-12H", "abilene", "samsung")

keys = st.tuples(
    st.sampled_from(["HBM4-12H", "DDR5-16G"]),
    st.sampled_from(["abilene", "narvik", "unallocated"]),
    st.sampled_from(["samsung", "skhynix"]),
)
postings = st.tuples(
    keys, st.sampled_from(Measure), st.integers(START - 4, START + DAYS + 3), st.integers(-50, 50)
).map(lambda each: (*each[:3], abs(each[3]) if each[1] == Measure.CONSUMED else each[3]))
logs = st.lists(postings, max_size=40)
only = st.fixed_dictionaries({}, optional={"product": st.just("HBM4-12H"), "site": st.just("narvik")})
quick = settings(max_examples=60, deadline=None)


def fold(log):
    curves = Curves(date(2025, 1, 1), DAYS)
    curves.add(batch_of(1, log))
    return curves


def fold_naively(log):
    naive = NaiveCurves(START, DAYS)
    naive.add(log, {}, [])
    return naive


def of(measure, *wafers, key=KEY, first=START + 10):
    """Return one posting a day."""
    return [(key, measure, first + n, each) for n, each in enumerate(wafers)]


# ---------------------------------------------------------------- the naive twin


@given(logs, st.sampled_from(GRADES), st.integers(START, START + DAYS - 1), st.booleans(), only)
@quick
def test_projections_are_those_of_the_naive_twin(log, firmness, today, past_due, only):
    projected = project(fold(log), firmness, today, past_due=past_due, **only)

    assert [
        (each[:2], each.on_hand, each.past_due_supply, each.balance.tolist(), *each[6:]) for each in projected
    ] == fold_naively(log).project(firmness, today, past_due, only)


@given(logs, st.sampled_from(GRADES), st.integers(START, START + DAYS - 1), st.booleans())
@quick
def test_shortages_are_the_projections_below_zero_the_first_to_run_short_first(log, firmness, today, past_due):
    plan = make_plan(fold(log), today)
    short = plan.shortages(firmness, past_due=past_due)

    naive = fold_naively(log)
    below = [row for row in naive.project(firmness, today, past_due, {}) if row[4] is not None]
    since = {row[0]: naive.short_since(row[0], today) for row in below}
    below.sort(key=lambda row: (row[4], since[row[0]] or row[4], -row[6], row[0]))
    assert [plan.grouping.labels[group] for group in short] == [row[0] for row in below]
    assert [plan.short_since(group) for group in short] == [since[row[0]] for row in below]
    for grade in GRADES:
        expected = {row[0]: (row[4:7], row[2], row[1]) for row in naive.project(grade, today, past_due, {})}
        for group, label in enumerate(plan.grouping.labels):
            found = plan.short(group, grade, past_due=past_due), plan.past_due(group, grade), plan.on_hand(group)
            assert found == expected[label]


@given(logs, st.sampled_from(GRADES), st.integers(START, START + DAYS - 1), st.booleans(), st.integers(0, 40))
@quick
def test_the_course_of_a_shortage_is_read_off_the_projection(log, firmness, today, past_due, lead):
    curves = fold(log)
    plan = make_plan(curves, today, lead_days={"HBM4-12H": lead})

    for group, each in enumerate(project(curves, firmness, today, past_due=past_due)):
        balance = dict(enumerate(each.balance.tolist(), today))
        short = [day for day, wafers in balance.items() if wafers < 0]
        later = [day for day in short if day >= today + lead] if each.product == "HBM4-12H" else []
        assert plan.course_of(group, firmness, past_due=past_due) == (
            min(short, key=lambda day: balance[day], default=None),
            max(short) + 1 if short and max(short) < START + DAYS - 1 else None,
            later[0] - lead if later else None,
            later[0] if later else None,
            -balance[later[0]] if later else 0,
        )
        assert plan.short_now(group) == max(0, plan.backorder(group) - plan.on_hand(group))
        assert (plan.short_now(group) > 0) == (plan.short_since(group) is not None) or today == START


@given(logs, st.sampled_from(GRADES), st.booleans())
@quick
def test_shortages_that_wafers_can_still_be_started_for_come_first(log, firmness, past_due):
    plan = make_plan(fold(log), START + 10, lead_days={"HBM4-12H": 12})
    ranked = plan.shortages_to_act_on(firmness, past_due=past_due).tolist()

    assert sorted(ranked) == sorted(plan.shortages(firmness, past_due=past_due).tolist())
    courses = [plan.course_of(group, firmness, past_due=past_due) for group in ranked]
    first = [plan.short(group, firmness, past_due=past_due).first_short_day for group in ranked]
    urgency = [
        (2 if each.act_by is None else each.act_for != day, each.act_by or 0, -each.act_wafers)
        for each, day in zip(courses, first, strict=True)
    ]
    assert urgency == sorted(urgency)
    late = [group for group, each in zip(ranked, courses, strict=True) if each.act_by is None]
    assert late == [group for group in plan.shortages(firmness, past_due=past_due).tolist() if group in late]


def test_a_plan_with_another_lead_time_is_planned_anew():
    curves = fold(of(Measure.REQUIRED, 10, first=START + 30))
    before = make_plan(curves, START + 10)
    none = np.empty(0, dtype=np.int64)

    after = make_plan(curves, START + 10, before=before, changed=none, lead_days={"HBM4-12H": 20})

    assert (before.course_of(0, "planned").act_by, after.course_of(0, "planned").act_by) == (None, START + 10)


@given(logs, st.integers(START, START + DAYS - 1))
@quick
def test_cover_is_that_of_the_naive_twin(log, today):
    plan, naive = make_plan(fold(log), today), fold_naively(log)

    for group, label in enumerate(plan.grouping.labels):
        days, left, next_, backorder = naive.cover(label, today)
        assert (plan.cover(group), plan.backorder(group)) == ((days, left, next_), backorder)
    ranked = [plan.cover(group) for group in plan.least_covered()]
    fractions = [inf if days is None else days + left / max(1, next_) for days, left, next_ in ranked]
    assert fractions == sorted(fractions)


def test_a_plan_before_the_first_watermark_has_no_groups_whatever_changes():
    curves = Curves(date(2025, 1, 1), DAYS)
    before = make_plan(curves)
    changed = curves.add(batch_of(1, [(KEY, Measure.REQUIRED, START, 1)], sources=["stargate"]))

    assert make_plan(curves, before=before, changed=changed).grouping.labels == []


@given(logs, logs, st.integers(START, START + DAYS - 1))
@quick
def test_a_plan_worked_out_for_what_has_changed_is_the_plan_worked_out_anew(log, later, today):
    curves = fold(log)
    before = make_plan(curves, today)
    changed = curves.add(batch_of(2, later))

    after, anew = make_plan(curves, today, before=before, changed=changed), make_plan(curves, today)

    assert after.grouping.labels == anew.grouping.labels
    for name in ("first_short", "first_shortage", "shortage", "course", "first_gap", "gap", "overdue", "figures"):
        assert (getattr(after, name) == getattr(anew, name)).all()


# ---------------------------------------------------------------- golden rows


@pytest.mark.parametrize("receipts", [Measure.TRANSIT_DUE, Measure.OPEN_IMMEDIATE, Measure.OPEN_PLANNED])
def test_projected_available_balance_of_the_golden_row(receipts):
    log = of(Measure.OPENED, 100, first=START) + of(receipts, 0, 50, 0, 50) + of(Measure.REQUIRED, 30, 30, 90, 20)

    (row,) = project(fold(log), "planned", START + 10)

    assert row.balance[:4].tolist() == [70, 90, 0, 30]
    assert (row.first_short_day, row.first_shortage, row.shortage) == (None, 0, 0)


def test_first_short_day_and_both_shortages():
    log = of(Measure.OPENED, 100, first=START) + of(Measure.REQUIRED, 90, 30, 50) + of(Measure.TRANSIT_DUE, 0, 0, 0, 99)

    (row,) = project(fold(log), "planned", START + 10)

    assert row.balance[:4].tolist() == [10, -20, -70, 29]
    assert (row.first_short_day, row.first_shortage, row.shortage) == (START + 11, 20, 70)


def test_days_of_cover_of_the_golden_row():
    log = of(Measure.OPENED, 95, first=START) + of(Measure.REQUIRED, 30, 30, 30, 30)

    plan = make_plan(fold(log), START + 10)

    assert plan.cover(0) == (3, 5, 30)


def test_cover_ends_with_no_demand_that_it_could_not_pay():
    log = of(Measure.OPENED, 95, first=START) + of(Measure.REQUIRED, 30, 30)

    assert make_plan(fold(log), START + 10).cover(0) == (None, 35, 0)


def test_a_balance_of_exactly_nothing_is_not_short():
    log = of(Measure.OPENED, 100, first=START) + of(Measure.REQUIRED, 100)

    assert make_plan(fold(log), START + 10).shortages().size == 0


def test_a_commit_counts_at_its_grade_and_the_ones_below():
    log = of(Measure.OPEN_MANUFACTURING, 40) + of(Measure.REQUIRED, 40)
    curves = fold(log)

    short = {grade: project(curves, grade, START + 10)[0].shortage for grade in GRADES}

    assert short == {"planned": 0, "material": 0, "manufacturing": 0, "firm": 40, "immediate": 40}


def test_overdue_supply_stands_apart_unless_it_is_asked_for():
    log = of(Measure.OPEN_FIRM, 40) + of(Measure.TRANSIT_DUE, 30) + of(Measure.REQUIRED, 100)
    curves = fold(log)

    (without,) = project(curves, "firm", START + 20)
    (included,) = project(curves, "firm", START + 20, past_due=True)

    assert (without.past_due_supply, without.shortage) == (70, 100)
    assert (included.past_due_supply, included.shortage) == (70, 30)


def test_overdue_demand_falls_on_today():
    log = of(Measure.REQUIRED, 40, first=START - 3) + of(Measure.REQUIRED, 30)

    (row,) = project(fold(log), "planned", START + 20)

    assert (row.first_short_day, row.shortage) == (START + 20, 70)


def test_a_today_before_the_horizon_is_its_first_day():
    (row,) = project(fold(of(Measure.REQUIRED, 40)), "planned", START - 9)

    assert (row.today, row.balance.size, row.first_short_day) == (START, DAYS, START + 10)


def test_of_two_that_run_short_on_one_day_the_greater_shortage_comes_first():
    narvik, oslo = (KEY[0], "narvik", KEY[2]), (KEY[0], "oslo", KEY[2])
    log = of(Measure.REQUIRED, 40) + of(Measure.REQUIRED, 50, key=narvik) + of(Measure.REQUIRED, 50, key=oslo)

    plan = make_plan(fold(log), START)

    assert [plan.grouping.labels[group][1] for group in plan.shortages()] == ["narvik", "oslo", "abilene"]


def test_commits_without_a_site_are_a_row_of_their_own():
    nowhere = (KEY[0], "unallocated", KEY[2])
    log = of(Measure.OPEN_FIRM, 500, key=nowhere) + of(Measure.REQUIRED, 40)

    rows = project(fold(log), "firm", START + 10)

    assert [(row.site, int(row.balance[0])) for row in rows] == [("abilene", -40), ("unallocated", 500)]


def test_nothing_is_projected_before_there_is_a_today_nor_after_the_horizon():
    curves = fold(of(Measure.REQUIRED, 40))

    assert project(curves) == []
    assert project(curves, "planned", START + DAYS) == []
    assert len(project(curves, "planned", START + DAYS - 1)) == 1


def test_a_plan_goes_on_from_one_that_had_no_today():
    curves = fold([])
    before = make_plan(curves)
    changed = curves.add(batch_of(2, of(Measure.REQUIRED, 40)))

    assert make_plan(curves, before=before, changed=changed).grouping.labels == []
    curves.add(batch_of(3, [], {"samsung": START}))
    assert make_plan(curves, before=before, changed=changed).shortages().tolist() == [0]


# ---------------------------------------------------------------- cases that broke other systems


def balance_after(*steps):
    (row,) = project(fold([posting for step in steps for posting in step]), "firm", START + 10)
    return row.balance[20:].tolist()


def test_a_commit_dispatched_and_received_in_part_leaves_total_supply_unchanged():
    commit = of(Measure.OPEN_FIRM, 100, first=START + 30) + of(Measure.REQUIRED, 60, first=START + 30)
    dispatch = of(Measure.DISPATCHED, 40) + of(Measure.OPEN_FIRM, -40, first=START + 30)
    transit = of(Measure.TRANSIT_DUE, 40, first=START + 25)
    receipt = of(Measure.RECEIVED, 25, first=START + 9) + of(Measure.TRANSIT_DUE, -25, first=START + 25)

    agreed = balance_after(commit)

    assert balance_after(commit, dispatch, transit) == agreed
    assert balance_after(commit, dispatch, transit, receipt) == agreed


def test_wafers_received_ahead_of_the_slowest_watermark_are_not_lost():
    transit = of(Measure.TRANSIT_DUE, 40, first=START + 12)
    receipt = of(Measure.RECEIVED, 40, first=START + 11) + of(Measure.TRANSIT_DUE, -40, first=START + 12)

    assert balance_after(transit, receipt) == balance_after(transit)


def test_what_has_been_consumed_is_not_demanded_again():
    before = of(Measure.OPENED, 100, first=START) + of(Measure.REQUIRED, 60, first=START + 5)

    assert balance_after(before, of(Measure.CONSUMED, 60, first=START + 6)) == balance_after(before)


def test_a_commit_moved_to_another_day_moves_only_its_day():
    moved = of(Measure.OPEN_FIRM, -40, first=START + 30) + of(Measure.OPEN_FIRM, 40, first=START + 35)

    balance = balance_after(of(Measure.OPEN_FIRM, 40, first=START + 30), moved)

    assert balance[:6] == [0, 0, 0, 0, 0, 40]


# ---------------------------------------------------------------- forecast without supply


def gap_of(log, firmness="planned", *, past_due=False):
    return make_plan(fold(log), START + 10).forecast_gap(0, firmness, past_due=past_due)


def test_forecast_that_no_supply_covers_is_a_gap_beside_the_shortage_of_orders():
    log = of(Measure.OPENED, 40, first=START) + of(Measure.REQUIRED, 0, 30, 30) + of(Measure.OPEN_FIRM, 0, 0, 0, 50)
    log += of(Measure.FORECAST, 0, 90, 0, 30)
    plan = make_plan(fold(log), START + 10)

    assert plan.forecast_gap(0, "planned") == (START + 11, 30)
    assert plan.short(0, "planned") == (START + 12, 20, 20)
    assert plan.forecast_gap(0, "immediate") == (START + 11, 60)
    assert plan.forecast_gaps().tolist() == [0]


def test_ordered_forecast_past_forecast_and_covered_forecast_are_no_gap():
    assert gap_of(of(Measure.FORECAST, 30) + of(Measure.REQUIRED, 30, first=START + 4)) == (None, 0)
    assert gap_of(of(Measure.FORECAST, 30, first=START + 9)) == (None, 0)
    assert gap_of(of(Measure.FORECAST, 30) + of(Measure.OPENED, 30, first=START)) == (None, 0)
    assert gap_of(of(Measure.FORECAST, 30)) == (START + 10, 30)


def test_overdue_supply_covers_forecast_where_it_is_asked_for():
    log = of(Measure.FORECAST, 30) + of(Measure.TRANSIT_DUE, 20, first=START + 3)

    assert gap_of(log).wafers == 30
    assert gap_of(log, past_due=True).wafers == 10
