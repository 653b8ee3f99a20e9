"""The overlay of a batch against the plan after it is folded, and the state that it leaves as it was."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.fold.curves import Curves, Gap
from services.aggregator.plan.projection import ShortageFigures, make_plan
from services.aggregator.plan.what_if import overlay
from services.aggregator.plan.what_if.overlay import find_changes
from shared.wire.firmness import FIRMNESS
from shared.wire.postings import Measure
from testing.twins.curves import batch_of
from tests.unit.aggregator.plan.test_projection import DAYS, KEY, START, logs, of, quick

NOT_SHORT = ShortageFigures(None, 0, 0)


def fold(log, today=START + 9):
    curves = Curves(date(2025, 1, 1), DAYS)
    curves.add(batch_of(1, log, {"samsung": today - 1}))
    return curves


def shortages(curves, firmness, *, past_due):
    plan = make_plan(curves)
    return {label: plan.short(group, firmness, past_due=past_due) for group, label in enumerate(plan.grouping.labels)}


@given(logs, logs, st.sampled_from(FIRMNESS), st.integers(START, START + DAYS - 1), st.booleans(), st.integers(1, 3))
@quick
def test_the_overlay_is_the_plan_after_the_batch_is_folded(log, more, firmness, today, past_due, at_once):
    curves, batch = fold(log, today), batch_of(2, more)
    hash_before, before = curves.state_hash(), shortages(curves, firmness, past_due=past_due)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overlay, "GROUPS_AT_ONCE", at_once)
        changes = list(find_changes(curves, batch, firmness, past_due=past_due))

    assert (curves.state_hash(), curves.position) == (hash_before, 1)
    curves.add(batch)
    after = shortages(curves, firmness, past_due=past_due)
    touched = sorted({key[:2] for key, *_ in more})
    assert [each[:2] for each in changes] == touched
    for product, site, was, is_ in changes:
        assert was == before.get((product, site), NOT_SHORT)
        assert is_ == after.get((product, site), NOT_SHORT)
    untouched = before.keys() - set(touched)
    assert {label: before[label] for label in untouched} == {label: after[label] for label in untouched}


def test_a_later_commit_brings_the_first_short_day_forward():
    supply, demand = of(Measure.OPEN_FIRM, 0, 50, 0, 50), of(Measure.REQUIRED, 30, 20, 20, 20)
    curves = fold([(KEY, Measure.OPENED, START, 30), *supply, *demand], today=START + 10)
    slip = [(KEY, Measure.OPEN_FIRM, START + 11, -50), (KEY, Measure.OPEN_FIRM, START + 13, 50)]

    [change] = find_changes(curves, batch_of(2, slip))

    assert change.before == NOT_SHORT
    assert change.after == ShortageFigures(START + 11, 20, 40)


def test_a_batch_of_another_position_is_no_overlay():
    with pytest.raises(Gap):
        list(find_changes(fold([]), batch_of(3, of(Measure.OPENED, 1))))


def test_nothing_is_known_before_any_day_is_complete():
    curves = Curves(date(2025, 1, 1), DAYS)
    curves.add(batch_of(1, of(Measure.REQUIRED, 5)))

    assert [each[2:] for each in find_changes(curves, batch_of(2, of(Measure.REQUIRED, 5)))] == [(NOT_SHORT, NOT_SHORT)]
