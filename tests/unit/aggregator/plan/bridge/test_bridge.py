"""The bridge between two projections: it sums for any two positions of any log, and cases worked by hand."""

from datetime import date
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.queries import sum_moved
from services.aggregator.fold.state import FoldState
from services.aggregator.plan.bridge.bridge import CAUSES, build_bridge
from services.aggregator.plan.bridge.ground import survey
from shared.wire.days import day_number
from shared.wire.events import Event, ShipmentLost, StockCounted, StockOpened, StockTransferred
from shared.wire.firmness import FIRMNESS
from shared.wire.postings import STAGES, PostingBatch
from testing.fold import EPOCH, Horizon, fold
from testing.lines import KEY, Story, lines_published
from testing.projection import project
from testing.twins.curves import batch_of
from tests.unit.aggregator.fold.lines.test_book import GROUPS
from tests.unit.ledger.books.test_posting import HORIZON, START, logs, thorough

ABILENE = ("HBM4-12H", "abilene")
any_log = logs(themes=("plans", "plans", "shipments", "stock", "lots"))


def state_at(log: list[Event], today: int | None, horizon: Horizon = HORIZON) -> FoldState:
    """The state of a log when all sources have completed the days before today."""
    folded = fold(log, horizon=horizon)
    curves = Curves(*horizon)
    if today is None:
        today = curves.start
    for stored in folded.store.published_batches(0, 1_000_000):
        batch = stored.postings
        curves.add(PostingBatch(**dict(batch) | {"watermarks": {}}))
    sources = {"samsung", *curves.sources}
    curves.add(batch_of(curves.position + 1, [], dict.fromkeys(sources, today - 1), epoch=EPOCH))
    return FoldState(curves, lines_published(folded))


# ---------------------------------------------------------------- any log


@thorough
@given(any_log, st.integers(0, 40), st.integers(-8, 10), st.integers(0, 10), st.integers(0, 9),
       st.sampled_from(FIRMNESS), st.sampled_from(GROUPS))  # fmt: skip
def test_the_bars_sum_to_the_difference(log, cut, first, later, ahead, firmness, group):
    before, now = number(START) + first, number(START) + first + later
    then, state = state_at(log[:cut], before), state_at(log, now)
    day = max(now, then.curves.start, state.curves.start) + ahead

    bridge = build_bridge(then, state, group, day, firmness)

    assert bridge.then == projected(then, group, day, firmness)
    assert bridge.now == projected(state, group, day, firmness)
    assert bridge.then + sum(bar.wafers for bar in bridge.bars) == bridge.now
    for bar in bridge.bars:
        assert bar.cause in CAUSES
        assert bar.entries
        assert bar.wafers == sum(entry.wafers for entry in bar.entries)
    for each in (then, state):
        beyond = survey(each, group, day, firmness).consumed_beyond
        assert 0 <= beyond <= consumed(each, group)


def consumed(state: FoldState, group: tuple[str, str]) -> int:
    measures = [measure for measure, (_, into) in STAGES.items() if into == "installed"]
    grouping = state.curves.group(("product", "site"), product=group[0], site=group[1])
    return int(sum_moved(state.curves, grouping, state.curves.last_day, None, measures).sum())


def number(day: date) -> int:
    return day_number(day)


def projected(state: FoldState, group: tuple[str, str], day: int, firmness: Any) -> int:
    found = project(state.curves, firmness, product=group[0], site=group[1])
    return int(found[0].balance[day - found[0].today]) if found else 0


# ---------------------------------------------------------------- by hand

APRIL = Horizon(date(2026, 4, 1), 60)


def bars(story: Story, cut: int, day: int, today: tuple[int, int] = (3, 3)) -> dict[str, int]:
    """The bars from the first events of a story to all of them, for a day of April."""
    first, now = (number(date(2026, 4, each)) for each in today)
    then = state_at(sorted(story.log[:cut], key=lambda event: event.source), first, APRIL)
    state = state_at(sorted(story.log, key=lambda event: event.source), now, APRIL)
    bridge = build_bridge(then, state, ABILENE, number(date(2026, 4, day)))
    assert bridge.then + sum(bar.wafers for bar in bridge.bars) == bridge.now
    return {bar.cause: bar.wafers for bar in bridge.bars}


def test_a_commit_that_others_replace_is_no_cause():
    story = Story()
    story.commit(1, 2048, 10, line="month")
    story.commit(2, 0, 10, 1, line="month")
    for week in range(4):
        story.commit(2, 500, 4 + week, line=f"week-{week}")

    assert bars(story, 1, 10) == {"commits_lowered": -48}
    assert bars(story, 1, 5) == {"commits_raised": 1000}


def test_a_commit_that_slips_is_lowered_by_the_rest_only():
    story = Story()
    story.commit(1, 100, 10)
    story.commit(2, 70, 12, 1)

    assert bars(story, 1, 10) == {"commits_lowered": -30, "slipped": -70}
    assert bars(story, 1, 11) == {"commits_lowered": -30, "slipped": -70}
    assert bars(story, 1, 12) == {"commits_lowered": -30}


def test_demand_that_is_raised_and_pulled_in():
    story = Story()
    story.order(1, 100, 20)
    story.order(2, 140, 10, 1)

    assert bars(story, 1, 12) == {"demand_raised": -40, "demand_pulled_in": -100}
    assert bars(story, 1, 20) == {"demand_raised": -40}


def test_a_shipment_is_lost_damaged_and_short():
    story = Story()
    story.commit(1, 100, 10)
    story.send(2, 100, 10, "c")
    story.receive(4, 60, 5)
    story.say(5, ShipmentLost(shipment="s", owner="samsung", wafers=15, **KEY))

    assert bars(story, 1, 12, (3, 6)) == {"lost": -15, "damaged": -5}
    assert bars(story, 1, 12, (3, 11)) == {"lost": -15, "damaged": -5, "short_received": -20}


def test_supply_becomes_overdue_as_today_moves_on():
    story = Story()
    story.commit(1, 100, 5)

    assert bars(story, 1, 12, (3, 6)) == {"overdue": -100}
    assert bars(story, 1, 12, (6, 6)) == {}


def test_movements_of_stock_are_causes():
    story = Story()
    story.order(1, 380, 12)
    story.commit(1, 390, 10)
    story.say(2, StockOpened(wafers=50, **KEY))
    story.say(2, StockTransferred(wafers=20, to_site="narvik", **KEY))
    story.say(2, StockCounted(counted=5, **KEY))

    assert bars(story, 2, 12) == {"opened": 50, "transferred": -20, "counted": -25}


def test_each_bar_leads_to_the_event_in_force():
    story = Story()
    story.commit(1, 100, 10)
    event = story.commit(2, 40, 10, 1)
    then, now = (state_at(story.log[:n], number(date(2026, 4, 3)), APRIL) for n in (1, 2))

    [bar] = build_bridge(then, now, ABILENE, number(date(2026, 4, 10))).bars
    [entry] = bar.entries
    assert (entry.party, entry.kind, entry.event, entry.wafers) == ("samsung", "supply.committed", event.id, -60)
    assert entry.event_source is None


def test_the_event_of_damage_and_loss_is_of_the_site_that_states_it():
    story = Story()
    story.commit(1, 100, 10)
    story.send(2, 100, 10, "c")
    event = story.receive(4, 60, 5)
    lost = story.say(5, ShipmentLost(shipment="s", owner="samsung", wafers=35, **KEY))
    log = sorted(story.log, key=lambda event: event.source)
    then, now = (state_at(each, number(date(2026, 4, 6)), APRIL) for each in (story.log[:2], log))

    entries = [
        entry for bar in build_bridge(then, now, ABILENE, number(date(2026, 4, 12))).bars for entry in bar.entries
    ]

    found = {entry.event: (entry.party, entry.event_source) for entry in entries if entry.event_source}
    assert found == {event.id: ("samsung", event.source), lost.id: ("samsung", lost.source)}
    assert event.source != "samsung"


def test_before_the_first_event_the_balance_is_zero():
    story = Story()
    story.order(1, 380, 12)

    assert bars(story, 0, 12) == {"never_promised": -380}


def test_of_orders_placed_since_what_no_commit_was_raised_for_was_never_promised():
    story = Story()
    story.order(1, 100, 10)
    story.order(2, 50, 12, line="late")
    story.order(2, 30, 11, line="early")
    story.commit(3, 45, 9)

    assert bars(story, 1, 12) == {"demand_raised": -45, "commits_raised": 45, "never_promised": -35}
    assert bars(story, 1, 11) == {"demand_raised": -30, "commits_raised": 45}


def test_an_order_that_replaces_another_one_was_promised_with_it():
    story = Story()
    story.order(1, 100, 10)
    story.order(2, 0, 10, 1)
    story.order(2, 60, 10, line="a")
    story.order(2, 40, 11, line="b")

    assert bars(story, 1, 12) == {}
    assert bars(story, 1, 10) == {"demand_lowered": 40}


def test_the_bars_stand_in_the_order_of_the_causes():
    story = Story()
    story.order(1, 380, 12)
    story.commit(1, 390, 10)
    story.say(2, StockOpened(wafers=50, **KEY))
    story.say(2, StockCounted(counted=45, **KEY))
    story.order(2, 40, 12, line="p")
    story.commit(2, 390, 20, 1)

    assert list(bars(story, 2, 12)) == ["slipped", "never_promised", "opened", "counted"]
