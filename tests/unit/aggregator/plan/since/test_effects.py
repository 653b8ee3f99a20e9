"""Effects on shortages: they sum to the whole change for any two positions of any log, and cases worked by hand."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.fold.state import FoldState
from services.aggregator.plan.since.effects import MovedShortage, find_moved_shortages, share_effects
from shared.wire.days import day_number
from shared.wire.events import StockCounted, StockOpened
from shared.wire.firmness import FIRMNESS, Firmness
from testing.lines import KEY, Story
from testing.projection import project
from tests.unit.aggregator.plan.bridge.test_bridge import APRIL, any_log, state_at
from tests.unit.ledger.books.test_posting import START, thorough

# ---------------------------------------------------------------- shares


def share_one_by_one(floor: int, balance: int, wafers: dict[str, int]) -> dict[str, int]:
    """The naive twin: every wafer is taken and brought alone, and one that moves the shortage counts for its part.

    Of those that take, the smallest part is first, as what is to spare is taken first; of those that bring, the last.
    """
    found = dict.fromkeys(wafers, 0)
    ranked = sorted(wafers, key=lambda part: (-abs(wafers[part]), part))
    for part in [*reversed([each for each in ranked if wafers[each] < 0]), *(p for p in ranked if wafers[p] > 0)]:
        for _ in range(abs(wafers[part])):
            before = max(floor, -balance)
            balance += 1 if wafers[part] > 0 else -1
            found[part] += max(floor, -balance) - before
    return found


@given(st.integers(0, 30), st.integers(-40, 40), st.dictionaries(st.sampled_from("abcdef"), st.integers(-30, 30)))
def test_the_shares_are_those_of_wafers_counted_one_by_one(floor, balance, wafers):
    shares = share_effects(floor, balance, wafers)

    assert shares == share_one_by_one(floor, balance, wafers)
    assert sum(shares.values()) == max(floor, -balance - sum(wafers.values())) - max(floor, -balance)


# ---------------------------------------------------------------- any log


@thorough
@given(any_log, st.integers(0, 40), st.integers(-8, 10), st.integers(0, 10), st.sampled_from(FIRMNESS))
def test_the_effects_sum_to_the_whole_change(log, cut, first, later, firmness):
    before, after = day_number(START) + first, day_number(START) + first + later
    then, now = state_at(log[:cut], before), state_at(log, after)
    today = max(before, after, then.curves.start)

    moved = [*find_moved_shortages(then, now, firmness)]

    short_then, short_now = (worst_of_each(state, today, firmness) for state in (then, now))
    change = {
        group: short_now.get(group, 0) - short_then.get(group, 0)
        for group in short_then.keys() | short_now.keys()
        if short_now.get(group, 0) != short_then.get(group, 0)
    }
    found = {(each.product, each.site): sum(effect.more_short for effect in each.effects) for each in moved}
    assert {group: wafers for group, wafers in found.items() if wafers} == change
    # those that did not move too, or the sums of all shortages would leave them out
    short = {(each.product, each.site): (each.then.shortage, each.now.shortage) for each in moved}
    both = {
        group: (short_then.get(group, 0), short_now.get(group, 0)) for group in short_then.keys() | short_now.keys()
    }
    assert short == {group: wafers for group, wafers in both.items() if any(wafers)}
    for each in moved:
        for effect in each.effects:
            wafers = sum(change.wafers for change in effect.changes)
            assert abs(effect.more_short) <= abs(wafers)
            assert effect.more_short * wafers <= 0  # more wafers never make more short


def worst_of_each(state: FoldState, today: int, firmness: Firmness) -> dict[tuple[str, str], int]:
    """The shortage at worst of each product-site, of the days from a day on."""
    return {
        (each.product, each.site): max(0, -int(each.balance[today - each.today :].min()))
        for each in project(state.curves, firmness)
    }


# ---------------------------------------------------------------- by hand


def moved(story: Story, cut: int, today: int = 3) -> list[MovedShortage]:
    """The shortages moved from the first events of a story to all of them."""
    ordered = [sorted(log, key=lambda event: event.source) for log in (story.log[:cut], story.log)]
    then, now = (state_at(log, day_number(date(2026, 4, today)), APRIL) for log in ordered)
    return [*find_moved_shortages(then, now)]


def test_a_commit_that_is_moved_makes_its_wafers_short_from_the_day_it_was_due():
    story = Story()
    story.order(1, 320, 12)
    story.commit(1, 320, 12)
    story.commit(2, 320, 26, 1)

    [shortage] = moved(story, 2)

    [effect] = shortage.effects
    assert (effect.mover.source, effect.more_short) == ("samsung", 320)
    assert [(change.cause, change.wafers) for change in effect.changes] == [("slipped", -320)]
    assert shortage.then == (0, None, None)
    assert shortage.now == (320, day_number(date(2026, 4, 12)), day_number(date(2026, 4, 12)))


def test_wafers_to_spare_are_no_shortage_and_each_party_has_its_own():
    story = Story()
    story.order(1, 320, 12)
    story.commit(1, 400, 12)
    story.commit(2, 100, 12, 1)
    story.say(2, StockOpened(wafers=50, **KEY))
    story.say(2, StockCounted(counted=40, **KEY))
    story.order(2, 20, 12, line="p")

    [shortage] = moved(story, 2)

    # 80 to spare; 300 fewer are committed, 40 brought to the stock, and 20 ordered: 200 short
    assert {each.mover: each.more_short for each in shortage.effects} == {
        ("samsung", None): 240, (None, "samsung"): -40, ("americas", None): 0
    }  # fmt: skip
    assert shortage.now.shortage == 200


def test_changes_that_keep_every_day_as_it_was_are_no_effect():
    story = Story()
    story.order(1, 320, 12)
    story.commit(1, 100, 12)
    story.commit(2, 0, 12, 1)
    story.commit(2, 60, 12, line="d")
    story.commit(2, 40, 12, line="e")

    [shortage] = moved(story, 2)

    assert (shortage.then.shortage, shortage.now.shortage, shortage.effects) == (220, 220, [])


def test_days_that_have_passed_count_no_more_and_supply_becomes_overdue():
    story = Story()
    story.order(1, 320, 5)
    story.commit(1, 320, 12)
    log = sorted(story.log, key=lambda event: event.source)
    then, now = (state_at(log, day_number(date(2026, 4, today)), APRIL) for today in (3, 14))

    [shortage] = find_moved_shortages(then, now)

    assert shortage.then == (0, None, None)  # short from 5 to 11 April only
    [effect] = shortage.effects
    assert (effect.mover.source, effect.more_short, effect.changes[0].cause) == ("samsung", 320, "overdue")
