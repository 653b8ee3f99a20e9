"""Why a product is short: against the projection and the lines of any log, and worked by hand."""

from collections import Counter
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.lines.book import LineBook
from services.aggregator.fold.lines.causes import find_causes
from services.aggregator.fold.queries import planned_by_day, supplied_by_day
from services.aggregator.plan.projection import make_plan
from services.aggregator.plan.shortage import (
    CAUSES_MAX,
    ORDERS_MAX,
    PeggedSupply,
    ShortageExplanation,
    explain_shortage,
)
from shared.wire.events import StockCounted, StockOpened, StockTransferred, WafersConsumed
from shared.wire.firmness import FIRMNESS
from shared.wire.postings import Measure
from testing.fold import EPOCH, Folded, Horizon, fold
from testing.lines import KEY, Story, lines_published
from testing.projection import project
from testing.twins.curves import batch_of
from testing.twins.ledger import number
from tests.unit.aggregator.fold.lines.test_book import GROUPS
from tests.unit.ledger.books.test_posting import HORIZON, START, logs, thorough

ABILENE = ("HBM4-12H", "abilene")
LATE = 10**6  # a day after all others
short_logs = logs(themes=("plans", "plans", "shipments", "stock"))


def stand_at(folded: Folded, today: int) -> tuple[Curves, LineBook]:
    """The state when all sources have completed the days before today."""
    curves, sources = folded.curves, {"samsung", *folded.curves.sources}
    curves.add(batch_of(curves.position + 1, [], dict.fromkeys(sources, today - 1), epoch=EPOCH))
    return curves, lines_published(folded)


def projected(curves: Curves, firmness: Any, past_due: bool, group: tuple[str, str]) -> Any:
    found = project(curves, firmness, past_due=past_due, product=group[0], site=group[1])
    return found[0] if found else None


# ---------------------------------------------------------------- any log


@thorough
@given(short_logs, st.integers(-8, 12), st.sampled_from(FIRMNESS), st.booleans(), st.sampled_from(GROUPS))
def test_what_orders_lack_on_a_day_is_what_the_projection_has_below_zero(log, day, firmness, past_due, group):
    curves, lines = stand_at(fold(log, horizon=HORIZON), number(START) + day)
    projection = projected(curves, firmness, past_due, group)
    if projection is None:
        return
    behind = explain_shortage(curves, lines, group, firmness, LATE, past_due=past_due)
    grouping = curves.group(product=group[0], site=group[1])
    brought = supplied_by_day(curves, grouping, curves.start - 1)[0]
    brought -= np.maximum(planned_by_day(curves, grouping, (Measure.REQUIRED_MOVED,))[0], 0).cumsum()
    last = curves.start + len(brought) - 3
    backlog = make_plan(curves, labels=[group]).backorder(0)

    for n, balance in enumerate(projection.balance.tolist()):
        on = projection.today + n
        due = [order for order in behind.orders if order.due <= on]
        lack = sum(order.short + sum(peg.wafers for peg in order.pegs if comes(peg, on)) for order in due)
        orders = [order for order in lines.orders_of(*group) if projection.today <= order.day <= on]
        required = backlog + sum(order.wafers for order in orders)
        below_zero = min(required, max(0, -balance))
        falls_later = any(b < a for a, b in pairwise(brought[on - curves.start + 1 :].tolist()))
        assert lack >= below_zero
        assert lack == below_zero or (falls_later and on < last)


def comes(peg: PeggedSupply, after: int) -> bool:
    """Whether it comes after a day: what is overdue comes today at the earliest, which is no later than that day."""
    return peg.day is not None and peg.day > after


@thorough
@given(short_logs, st.integers(-8, 12), st.sampled_from(FIRMNESS), st.booleans(), st.sampled_from(GROUPS))
def test_no_supply_is_meant_for_more_than_it_brings_and_no_order_gets_more_than_it_asks(
    log, day, firmness, past_due, group
):
    curves, lines = stand_at(fold(log, horizon=HORIZON), number(START) + day)
    today = max(curves.today, curves.start)
    behind = explain_shortage(curves, lines, group, firmness, LATE, past_due=past_due)
    orders = {order.name: order for order in lines.orders_of(*group, today)}
    supplies = {supply.name: supply for supply in lines.supplies_of(*group, firmness)}

    meant: Counter[Any] = Counter()
    for order in behind.orders:
        expected = orders[order.line]
        assert (order.event, order.due) == (expected.event, expected.day)
        assert order.wafers == expected.wafers or (0 < order.wafers < expected.wafers and order.due < today)
        assert order.short + sum(peg.wafers for peg in order.pegs) == order.wafers
        assert order.short or any(peg.days_late for peg in order.pegs)
        for peg in order.pegs:
            meant[peg.line] += peg.wafers
            if peg.line is not None:
                supply = supplies[peg.line]
                assert (peg.event, peg.day) == (supply.event, supply.day)
                assert past_due or supply.day >= today
            assert peg.wafers > 0
            assert peg.days_late == (0 if peg.day is None else max(0, max(peg.day, today) - order.due))
    brought = int(supplied_by_day(curves, curves.group(product=group[0], site=group[1]), curves.start - 1)[:, -1].sum())
    assert meant.pop(None, 0) <= max(0, brought)
    assert all(wafers <= supplies[name].wafers for name, wafers in meant.items())
    overdue = [supply for supply in lines.supplies_of(*group, firmness) if supply.day < today]
    assert [each[:-1] for each in behind.overdue] == [
        (each.name, each.event, each.supplier, each.day, each.wafers, today - each.day) for each in overdue
    ]
    assert behind.causes == find_causes(lines, *group, LATE)


# ---------------------------------------------------------------- worked cases


@pytest.fixture
def story() -> Story:
    return Story()


def behind(story: Story, today: int, through: int = 30, firmness: str = "planned", **how: bool) -> ShortageExplanation:
    folded = fold(sorted(story.log, key=lambda event: event.source), horizon=Horizon(date(2026, 4, 1), 60))
    return explain_shortage(*stand_at(folded, april(today)), ABILENE, firmness, april(through), **how)


def april(day: int) -> int:
    return number(date(2026, 4, day))


def test_an_order_is_covered_in_part_late_in_part_and_short_in_part(story):
    story.say(1, StockOpened(wafers=30, **KEY))
    order = story.order(1, 100, 12)
    sent = story.send(3, 20, 11)
    commit = story.commit(1, 40, 15)
    (short,) = behind(story, today=5).orders

    assert (short.event, short.due, short.wafers, short.short) == (order.id, april(12), 100, 10)
    assert short.pegs == [
        PeggedSupply(None, None, None, 30, 0),
        PeggedSupply(("samsung", "shipment/HBM4-12H", "s"), sent.id, april(11), 20, 0),
        PeggedSupply(("samsung", "supply.committed", "c"), commit.id, april(15), 40, 3),
    ]


def test_an_overdue_order_lacks_what_was_not_consumed_for_it_by_yesterday(story):
    order = story.order(1, 50, 3, line="late")
    story.say(5, WafersConsumed(**KEY, wafers=50, phase="p1", order="late"))

    assert [(each.event, each.short) for each in behind(story, today=5).orders] == [(order.id, 50)]
    assert behind(story, today=6).orders == []


def test_an_order_in_time_is_not_told(story):
    story.order(1, 50, 12, line="early")
    late = story.order(1, 50, 13, line="late")
    story.commit(1, 50, 12)

    assert [order.event for order in behind(story, today=5).orders] == [late.id]


def test_what_is_overdue_serves_none_unless_it_is_asked_for(story):
    story.order(1, 50, 12)
    commit = story.commit(1, 50, 4)
    apart, today = (behind(story, today=8, past_due=past_due) for past_due in (False, True))

    assert [(order.short, order.pegs) for order in apart.orders] == [(50, [])]
    assert [supply.event for supply in apart.overdue] == [commit.id]
    assert (today.orders, today.overdue) == ([], apart.overdue)


def test_what_is_overdue_comes_today_at_the_earliest(story):
    story.order(1, 50, 6)
    commit = story.commit(1, 50, 4)
    (order,) = behind(story, today=8, past_due=True).orders

    assert order.pegs == [PeggedSupply(("samsung", "supply.committed", "c"), commit.id, april(4), 50, 2)]


@pytest.mark.parametrize(("firmness", "short"), [("planned", []), ("firm", []), ("immediate", [50])])
def test_commits_below_the_firmness_are_meant_for_none(story, firmness, short):
    story.order(1, 50, 12)
    story.commit(1, 50, 10)

    assert [order.short for order in behind(story, today=5, firmness=firmness).orders] == short


def test_what_came_ahead_of_the_slowest_source_is_at_hand_from_its_day(story):
    story.order(1, 50, 5)
    story.send(2, 50, 6)
    story.receive(7, 50)
    (order,) = behind(story, today=4).orders

    assert (order.short, order.pegs) == (0, [PeggedSupply(None, None, april(7), 50, 2)])
    assert behind(story, today=8).orders == []


def test_what_is_counted_away_later_was_never_there_to_give(story):
    story.say(1, StockOpened(wafers=80, **KEY))
    story.say(6, StockCounted(counted=20, **KEY))
    story.order(1, 50, 5)
    (order,) = behind(story, today=4).orders

    assert (order.short, order.pegs) == (30, [PeggedSupply(None, None, None, 20, 0)])


def test_what_comes_makes_up_for_what_is_overdrawn_before_it_serves_an_order(story):
    story.say(1, StockOpened(wafers=10, **KEY))
    story.say(2, StockTransferred(wafers=40, to_site="narvik", **KEY))
    story.order(1, 50, 12)
    commit = story.commit(1, 70, 10)
    found = behind(story, today=5)

    assert found.overdrawn == 30
    assert [(order.short, order.pegs) for order in found.orders] == [
        (10, [PeggedSupply(("samsung", "supply.committed", "c"), commit.id, april(10), 40, 0)])
    ]


def test_a_today_before_the_horizon_is_its_first_day(story):
    """As in the plan: what was to come by then is overdue."""
    story.order(1, 50, 12)
    commit = story.commit(1, 50, 1)
    folded = fold(sorted(story.log, key=lambda event: event.source), horizon=Horizon(date(2026, 4, 5), 60))
    found = explain_shortage(*stand_at(folded, number(date(2026, 3, 20))), ABILENE, "planned", april(30))

    assert [supply.event for supply in found.overdue] == [commit.id]
    assert [order.short for order in found.orders] == [50]


def test_of_long_lists_the_first_are_told_and_how_many_there_are(story):
    for n in range(ORDERS_MAX + 5):
        story.order(1, 10, 28 - n, line=f"o-{n:02}")
        story.order(2, 10 + n, 28 - n, 1, line=f"o-{n:02}")
    found = behind(story, today=3)

    assert (len(found.orders), found.orders_count) == (ORDERS_MAX, ORDERS_MAX + 5)
    assert [order.due for order in found.orders] == [april(4 + n) for n in range(ORDERS_MAX)]
    assert (len(found.causes), found.causes_count) == (CAUSES_MAX, ORDERS_MAX + 4)
    assert found.causes[0].wafers == ORDERS_MAX + 4


def test_a_product_that_nobody_ever_spoke_of_has_nothing_behind_it(story):
    story.order(1, 50, 12)
    folded = fold(story.log, horizon=HORIZON)
    found = explain_shortage(*stand_at(folded, april(3)), ("HBM4-12H", "nowhere"), "planned", april(30))

    assert found == ShortageExplanation([], 0, [], [], 0, 0)
