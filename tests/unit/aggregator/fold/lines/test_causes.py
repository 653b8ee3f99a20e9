"""Causes of a shortage against their naive twin, and worked cases of how a line changed."""

from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.fold.lines.causes import ShortageCause, find_causes, find_lasting_causes
from shared.wire.days import day_number
from shared.wire.events import DemandRequired, EventReversed, ShipmentLost
from testing.lines import KEY, Story, lines_of
from testing.twins.lines import by_then, in_order_of_dispatch, missing_of, statements
from tests.unit.aggregator.fold.lines.test_book import GROUPS, about_lines
from tests.unit.ledger.books.test_posting import START, thorough


@pytest.fixture
def story() -> Story:
    return Story()


@thorough
@given(about_lines, st.sampled_from(GROUPS), st.integers(0, 9))
def test_the_causes_of_a_line_come_to_what_is_missing_of_it(log, group, day):
    through = START + timedelta(days=day)
    expected = {}
    commits, sent = statements(log), in_order_of_dispatch(log)
    for (source, line), said_of_line in commits.items():
        first, now = said_of_line[0].data, said_of_line[-1].data
        dispatched = sum(
            e.data.wafers
            for e in sent
            if (e.source, e.data.commit, e.data.product, e.data.supplier) == (source, line, now.product, now.supplier)
        )
        missing = by_then(first, group, through) * first.wafers
        missing -= by_then(now, group, through) * max(now.wafers, dispatched)
        expected[source, "supply.committed", line] = missing
    for (source, line), said_of_line in statements(log, DemandRequired).items():
        first, now = said_of_line[0].data, said_of_line[-1].data
        added = by_then(now, group, through) * now.wafers - by_then(first, group, through) * first.wafers
        expected[source, "demand.required", line] = added
    for shipment in {(e.source, f"shipment/{e.data.product}", e.data.shipment) for e in sent}:
        expected[shipment] = missing_of(shipment, log, commits, group, through)

    found: Counter[Any] = Counter()
    for cause in find_causes(lines_of(log), *group, day_number(through)):
        assert cause.wafers > 0
        found[cause.name] += cause.wafers
    assert found == {name: wafers for name, wafers in expected.items() if wafers > 0}


def test_a_commit_that_is_redated_and_lowered_says_both(story):
    story.commit(1, 100, 10)
    lowered = story.commit(2, 80, 10, 1)
    redated = story.commit(3, 80, 20, 2)
    story.commit(4, 80, 20, 3, site="abilene")  # says nothing new: the causes remain those before

    assert story.causes(9) == []
    assert story.causes(10) == [(80, "re-dated", redated.id), (20, "lowered", lowered.id)]
    assert story.causes(20) == [(20, "lowered", lowered.id)]


def lasting_causes(story: Story, through: int) -> list[tuple[int, str]]:
    found = find_lasting_causes(lines_of(story.log), "HBM4-12H", "abilene", day_number(date(2026, 4, through)))
    return [(cause.wafers, cause.change) for cause in found]


def test_what_a_supplier_alters_in_answer_to_demand_is_no_lasting_cause(story):
    ordered = story.order(1, 100, 10)
    story.commit(1, 100, 10, cause=ordered.id)
    changed = story.order(2, 70, 10, 1)
    story.commit(3, 70, 10, 1, cause=changed.id)
    assert story.causes(10)[0][:2] == (30, "lowered")
    assert lasting_causes(story, 10) == []

    postponed = story.order(4, 70, 20, 2)
    story.commit(5, 70, 20, 2, cause=postponed.id)
    assert lasting_causes(story, 10) == []

    story.commit(6, 60, 20, 3)  # of its own will
    assert lasting_causes(story, 20) == [(10, "lowered")]


def test_an_answer_that_was_taken_back_excuses_no_cut_of_the_supplier_itself(story):
    story.order(1, 100, 10)
    story.commit(1, 100, 10)
    fewer = story.order(2, 60, 10, 1)
    story.commit(3, 60, 10, 1, cause=fewer.id)
    again = story.order(4, 100, 10, 2)
    story.commit(5, 100, 10, 2, cause=again.id)
    assert lasting_causes(story, 10) == []

    story.commit(6, 60, 10, 3)
    assert lasting_causes(story, 10) == [(40, "lowered")]


def test_a_cause_that_is_reversed_is_none(story):
    story.commit(1, 100, 10)
    withdrawn = story.commit(2, 0, 10, 1)
    assert story.causes(10) == [(100, "withdrawn", withdrawn.id)]

    story.log.append(story.supplier.emit(withdrawn.time, EventReversed(reversed=withdrawn.id, reason="")))
    assert story.causes(10) == []


def test_a_commit_that_moves_is_missing_where_it_was_and_no_cause_where_it_is(story):
    story.commit(1, 100, 10)
    moved = story.commit(2, 100, 10, 1, site="narvik")

    assert story.causes(30) == [(100, "moved", moved.id)]
    assert story.causes(30, "narvik") == []


def test_what_was_dispatched_is_not_lowered_any_more(story):
    """The wafers are on their way: a commit that is lowered to less than was sent has lost what was open."""
    story.commit(1, 100, 10)
    story.send(2, 70, 9, "c")
    lowered = story.commit(3, 50, 10, 1)

    assert story.causes(10) == [(30, "lowered", lowered.id)]


def test_a_shipment_tells_lost_damaged_and_late_wafers_apart(story):
    sent = story.send(1, 100, 8)
    assert story.causes(8) == []

    revised = story.revise(2, 12)
    assert story.causes(8) == [(100, "re-dated", revised.id)]

    came = story.receive(9, 60, damaged=5)
    lost = story.say(9, ShipmentLost(shipment="s", owner="samsung", wafers=15, **KEY))
    assert story.causes(8) == [
        (60, "received late", came.id), (20, "re-dated", revised.id), (15, "lost", lost.id), (5, "damaged", came.id)
    ]  # fmt: skip
    assert story.causes(9) == [(20, "re-dated", revised.id), (15, "lost", lost.id), (5, "damaged", came.id)]
    assert story.causes(12) == [(15, "lost", lost.id), (5, "damaged", came.id)]
    assert sent.id not in {event for _, _, event in story.causes(8)}


def test_a_dispatch_that_will_be_later_than_its_commit_is_the_cause(story):
    story.commit(1, 100, 10)
    sent = story.send(2, 40, 14, "c")

    assert story.causes(10) == [(40, "sent late", sent.id)]
    assert story.causes(14) == []


def test_a_shipment_that_was_diverted_is_missing_where_it_was_to_come(story):
    story.send(1, 100, 8)
    diverted = story.revise(2, 8, site="narvik")

    assert story.causes(30) == [(100, "diverted", diverted.id)]
    assert story.causes(30, "narvik") == []


def test_more_received_than_sent_makes_up_for_what_was_damaged(story):
    story.send(1, 100, 8)
    came = story.receive(8, 98, damaged=5)

    assert story.causes(8) == [(2, "damaged", came.id)]


def test_an_order_that_grows_or_comes_earlier_is_a_cause(story):
    story.order(1, 100, 20)
    raised = story.order(2, 130, 20, 1)
    earlier = story.order(3, 130, 12, 2)

    assert story.causes(12) == [(100, "brought forward", earlier.id), (30, "raised", raised.id)]
    assert story.causes(20) == [(30, "raised", raised.id)]


def test_causes_name_their_line_and_who_said_so(story):
    story.commit(1, 100, 10)
    event = story.commit(2, 60, 10, 1)

    assert find_causes(lines_of(story.log), "HBM4-12H", "abilene", day_number(date(2026, 4, 10))) == [
        ShortageCause(40, "lowered", ("samsung", "supply.committed", "c"), "samsung", event.id)
    ]
