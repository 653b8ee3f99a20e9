"""Conditions of each alert, its first and last day, and that it depends on the events alone."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.alerts.finding import Alert, explain_alert, find_alerts, sum_due_commits
from services.aggregator.alerts.thresholds import AlertThresholds
from services.aggregator.fold.curves import Curves
from services.aggregator.fold.state import FoldState
from services.aggregator.plan.projection import make_plan
from shared.play.numbering import Numbering
from shared.wire.alerts import SUBJECTS, Cause
from shared.wire.days import day_number
from shared.wire.events import (
    DemandRequired,
    Event,
    EventData,
    EventReversed,
    ShipmentDispatched,
    ShipmentLost,
    ShipmentReceived,
    SourceAdvanced,
    StockOpened,
    SupplyCommitted,
    WafersConsumed,
    event_id,
)
from testing.fold import Horizon, fold
from testing.twins.curves import NaiveCurves, batch_of
from tests.unit.aggregator.plan.test_projection import DAYS, START, logs, quick
from tests.unit.ledger.books.test_posting import HORIZON
from tests.unit.ledger.books.test_posting import logs as event_logs

DAY = date(2026, 3, 31)  # complete; the day after it is today
TODAY = DAY + timedelta(days=1)
PRODUCT, SITE = "HBM4-12H", "abilene"
KEY: dict[str, Any] = {"product": PRODUCT, "site": SITE, "supplier": "samsung"}


class Story:
    """What two parties say, in order; each day up to `DAY` is complete."""

    def __init__(self) -> None:
        self.numberings = {name: Numbering(name) for name in ("samsung", "stargate", "skhynix")}
        self.events: list[Event] = []
        for name in ("samsung", "stargate"):
            self.say(name, DAY, SourceAdvanced(through=DAY))

    def say(self, name: str, day: date, data: EventData) -> Event:
        event = self.numberings[name].emit(datetime(day.year, day.month, day.day, 12, tzinfo=UTC), data)
        self.events.append(event)
        return event

    def order(self, due: date, wafers: int, revision: int = 0) -> Event:
        data = DemandRequired(
            **KEY, line="O1", due=due, start_by=due - timedelta(days=99), priority=1, wafers=wafers, revision=revision
        )
        return self.say("stargate", DAY, data)

    def commit(self, due: date, wafers: int, revision: int = 0, line: str = "C1", source: str = "samsung") -> Event:
        key = KEY | {"supplier": source}
        data = SupplyCommitted(**key, line=line, due=due, firmness="firm", wafers=wafers, revision=revision)
        return self.say(source, DAY, data)

    def open(self, wafers: int) -> Event:
        return self.say("stargate", DAY, StockOpened(**KEY, wafers=wafers))

    def dispatch(self, wafers: int, day: date = DAY, eta: date = DAY) -> Event:
        data = ShipmentDispatched(**KEY, shipment="S1", commit="C1", wafers=wafers, eta=eta, lots=[])
        return self.say("samsung", day, data)

    def receive(self, wafers: int, day: date = DAY, damaged: int = 0) -> Event:
        data = ShipmentReceived(**KEY, shipment="S1", owner="samsung", wafers=wafers, wafers_damaged=damaged)
        return self.say("stargate", day, data)

    def consume(self, wafers: int, supplier: str = "samsung", day: date = DAY) -> Event:
        return self.say("stargate", day, WafersConsumed(**KEY | {"supplier": supplier}, phase="p", wafers=wafers))

    def find(self, **thresholds: Any) -> dict[Cause, Alert]:
        return found(state_of(self.events), **thresholds)


def state_of(events: list[Event], horizon: Horizon = Horizon(), batches: Any = 1_000) -> FoldState:  # noqa: B008
    """Return the state that the aggregator folds of some events."""
    state = FoldState(Curves(*horizon))
    for stored in fold(events, horizon=horizon, batches=batches).store.published_batches(0, 1_000_000):
        state.add(stored.postings)
    return state


def found(state: FoldState, **thresholds: Any) -> dict[Cause, Alert]:
    return find_alerts(state, make_plan(state.curves), AlertThresholds(**thresholds))


def days(number: int) -> timedelta:
    return timedelta(days=number)


# ---------------------------------------------------------------- short_within


@pytest.mark.parametrize(("ahead", "is_open"), [(0, True), (29, True), (30, False)])
def test_a_shortage_is_an_alert_if_its_day_is_within_the_limit(ahead, is_open):
    story = Story()
    story.order(TODAY + days(ahead), 40)

    alert = story.find(short_days=30).get(("short_within", (PRODUCT, SITE)))

    day = day_number(TODAY) + ahead
    detail = {"first_short_day": day, "wafers": 40, "wafers_at_worst": 40}
    assert alert == (Alert("short_within", (PRODUCT, SITE), day, detail) if is_open else None)


def test_what_is_short_already_is_so_since_its_first_day():
    story = Story()
    story.order(TODAY - days(5), 40)

    alert = story.find()["short_within", (PRODUCT, SITE)]

    assert (alert.day, alert.detail["first_short_day"]) == (day_number(TODAY) - 5, day_number(TODAY))


@pytest.mark.parametrize(("firmness", "is_open"), [("planned", False), ("firm", False), ("immediate", True)])
def test_a_commit_is_counted_on_from_the_firmness_asked_for(firmness, is_open):
    story = Story()
    story.order(TODAY + days(9), 40)
    story.commit(TODAY + days(9), 40)

    assert (("short_within", (PRODUCT, SITE)) in story.find(firmness=firmness)) is is_open


def test_a_shortage_is_cleared_by_a_commit_and_raised_again_by_what_lowers_it_which_is_its_cause():
    story = Story()
    story.order(TODAY + days(9), 40)
    story.commit(TODAY + days(9), 40)
    before = story.find()
    lowered = story.commit(TODAY + days(9), 30, revision=1)
    state = state_of(story.events)
    alert = found(state)["short_within", (PRODUCT, SITE)]

    assert ("short_within", (PRODUCT, SITE)) not in before
    assert alert.detail["wafers"] == 10
    assert explain_alert(state, alert).causes == (f"samsung/{lowered.id}",)


# ---------------------------------------------------------------- cover_below


@pytest.mark.parametrize(("ahead", "is_open"), [(6, True), (7, False)])
def test_a_cover_is_an_alert_if_it_lasts_for_fewer_days_than_the_limit(ahead, is_open):
    story = Story()
    story.open(30)
    story.order(TODAY + days(ahead), 40)
    story.commit(TODAY + days(ahead), 10)

    alert = story.find(cover_days=7).get(("cover_below", (PRODUCT, SITE)))

    detail = {"days": ahead, "on_hand": 30, "wafers": 10}
    expected = Alert("cover_below", (PRODUCT, SITE), day_number(TODAY) + ahead, detail)
    assert alert == (expected if is_open else None)


def test_a_product_that_runs_short_is_not_told_twice():
    story = Story()
    story.order(TODAY + days(2), 40)

    assert list(story.find()) == [("short_within", (PRODUCT, SITE))]


def test_a_cover_lacks_what_is_owed_already_too():
    story = Story()
    story.order(DAY, 40)
    story.commit(TODAY, 40)

    alert = story.find()["cover_below", (PRODUCT, SITE)]

    assert alert.detail == {"days": 0, "on_hand": 0, "wafers": 40}


def test_without_demand_ahead_no_cover_is_too_small():
    story = Story()
    story.open(1)

    assert story.find() == {}


# ---------------------------------------------------------------- slip_beyond


@pytest.mark.parametrize(("late", "is_open"), [(14, False), (15, True)])
def test_a_slip_is_an_alert_once_the_oldest_commit_is_late_beyond_the_limit(late, is_open):
    story = Story()
    commit = story.commit(DAY - days(late), 40)
    state = state_of(story.events)

    alert = found(state, slip_days=14).get(("slip_beyond", ("samsung", PRODUCT)))

    due = day_number(DAY) - late
    detail = {"oldest_due_day": due, "days": late, "wafers": 40}
    assert alert == (Alert("slip_beyond", ("samsung", PRODUCT), due, detail) if is_open else None)
    assert alert is None or explain_alert(state, alert).causes == (f"samsung/{commit.id}",)


def test_what_is_under_way_is_as_late_as_its_commit_until_it_comes():
    story = Story()
    story.commit(DAY - days(20), 40)
    sent = story.dispatch(40, eta=TODAY + days(3))
    state = state_of(story.events)
    alert = found(state)["slip_beyond", ("samsung", PRODUCT)]
    story.receive(39, damaged=1)

    assert explain_alert(state, alert).causes == (f"samsung/{sent.id}",)
    assert story.find() == {}


def test_wafers_that_are_lost_are_not_late():
    story = Story()
    story.commit(DAY - days(20), 40)
    story.dispatch(40)
    story.receive(30)
    before = story.find()
    story.say("samsung", DAY, ShipmentLost(**KEY, shipment="S1", owner="samsung", wafers=10))

    assert before["slip_beyond", ("samsung", PRODUCT)].detail["wafers"] == 10
    assert story.find() == {}


def test_what_has_come_fills_what_was_due_first():
    story = Story()
    story.commit(DAY - days(30), 40)
    story.commit(DAY - days(16), 7, line="C2")
    story.dispatch(41)
    story.receive(41)

    alert = story.find()["slip_beyond", ("samsung", PRODUCT)]

    assert alert.detail == {"oldest_due_day": day_number(DAY) - 16, "days": 16, "wafers": 6}


def test_a_slip_is_cleared_by_another_due_day():
    story = Story()
    story.commit(DAY - days(20), 40)
    story.commit(TODAY + days(2), 40, revision=1)

    assert story.find() == {}


# ---------------------------------------------------------------- the books


def test_more_received_than_dispatched_is_an_alert_until_the_rest_is_said_to_have_been_sent():
    story = Story()
    story.dispatch(10)
    receipt = story.receive(11)
    alerts = story.find()
    story.dispatch(1)

    detail = {"dispatched": 10, "ended": 11, "wafers": 1}
    cause: Cause = ("received_beyond_dispatched", ("samsung", "S1", PRODUCT))
    assert alerts == {cause: Alert(*cause, day_number(DAY), detail, (f"stargate/{receipt.id}",))}
    assert story.find() == {}


def test_a_receipt_of_a_day_that_is_not_complete_waits_for_its_dispatch():
    story = Story()
    story.receive(11, day=TODAY)

    assert story.find() == {}


def test_a_receipt_that_is_taken_back_is_no_more_too_many():
    story = Story()
    story.dispatch(10)
    receipt = story.receive(11)
    story.say("stargate", DAY, EventReversed(reversed=receipt.id, reason="entered twice"))

    assert story.find() == {}


def test_a_stock_below_zero_is_an_alert_as_of_the_last_complete_day():
    story = Story()
    story.open(10)
    story.consume(9)
    before = story.find()
    story.consume(3, day=TODAY)
    meanwhile = story.find()
    story.consume(3)

    cause: Cause = ("stock_negative", (PRODUCT, SITE))
    assert (before, meanwhile) == ({}, {})
    assert story.find() == {cause: Alert(*cause, day_number(DAY), {"wafers": 2})}


def test_a_stock_is_counted_over_all_suppliers():
    story = Story()
    story.open(10)
    story.consume(9, supplier="unattributed")

    assert story.find() == {}


# ---------------------------------------------------------------- source_silent


@pytest.mark.parametrize(("behind", "is_open"), [(3, False), (4, True)])
def test_a_source_is_silent_once_it_is_behind_the_latest_beyond_the_limit(behind, is_open):
    story = Story()
    story.say("samsung", DAY + days(behind), SourceAdvanced(through=DAY + days(behind)))

    alerts = story.find(silent_days=3)

    alert = Alert("source_silent", ("stargate",), day_number(DAY), {"days": behind})
    assert alerts == ({alert.cause: alert} if is_open else {})


def test_a_source_that_is_expected_and_has_never_spoken_is_silent():
    cause: Cause = ("source_silent", ("micron",))

    assert Story().find(sources=("micron", "samsung")) == {cause: Alert(*cause, day_number(DAY), {})}


def test_a_source_that_completes_no_day_is_silent_and_holds_up_all_others():
    story = Story()
    story.order(TODAY, 40)
    story.commit(TODAY, 1, source="skhynix")

    assert list(story.find()) == [("source_silent", ("skhynix",))]


def test_before_any_watermark_nothing_is_found():
    assert found(state_of(Story().events[2:]), sources=("samsung",)) == {}


# ---------------------------------------------------------------- any log


@given(logs, st.integers(START, START + DAYS - 1), st.integers(0, 60), st.integers(0, 20))
@quick
def test_the_alerts_of_products_at_sites_are_those_of_the_naive_twin(log, today, short_days, cover_days):
    state = FoldState(Curves(date(2025, 1, 1), DAYS))
    state.add(batch_of(1, log, {"samsung": today - 1}, ["samsung"]))
    naive = NaiveCurves(START, DAYS)
    naive.add(log, {}, [])
    expected: set[Cause] = set()
    for label, on_hand, _, _, first, _, _ in naive.project("planned", today, past_due=False, only={}):
        covered = naive.cover(label, today)[0]
        if first is not None and first < today + short_days:
            expected.add(("short_within", label))
        elif covered is not None and covered < cover_days:
            expected.add(("cover_below", label))
        if on_hand < 0:
            expected.add(("stock_negative", label))

    alerts = found(state, short_days=short_days, cover_days=cover_days)

    assert {cause for cause in alerts if cause[0] != "slip_beyond"} == expected


@given(event_logs(), st.randoms(use_true_random=False), st.lists(st.integers(1, 5), max_size=10))
@quick
def test_neither_order_nor_batches_alter_what_is_open(log, shuffle, sizes):
    time = datetime(2026, 4, 9, tzinfo=UTC)
    ends = [
        Event(
            id=event_id(time, source, "end"),
            source=source,
            sequence=10_000,
            time=time,
            data=SourceAdvanced(through=date(2026, 4, 1)),
        )
        for source in sorted({event.source for event in log})
    ]
    events = log + ends
    thresholds = {"short_days": 3, "slip_days": 1, "silent_days": 0, "sources": ("micron",)}
    one = state_of(events, HORIZON)
    other = state_of(shuffle.sample(events, len(events)), HORIZON, sizes)

    alerts = found(one, **thresholds)

    assert list(found(other, **thresholds).items()) == list(alerts.items())
    assert [explain_alert(other, alert) for alert in alerts.values()] == [
        explain_alert(one, alert) for alert in alerts.values()
    ]


@given(logs, logs, st.integers(START, START + DAYS - 1), st.integers(0, 1), st.integers(0, 30))
@quick
def test_what_is_promised_is_the_same_when_only_what_changed_is_counted_anew(first, then, today, passed, slip_days):
    thresholds = AlertThresholds(slip_days=slip_days)
    curves = Curves(date(2025, 1, 1), DAYS)
    curves.add(batch_of(1, first, {"samsung": today - 1}, ["samsung"]))
    before = sum_due_commits(curves, make_plan(curves), thresholds)
    changed = curves.add(batch_of(2, then, {"samsung": today - 1 + passed}))
    now = make_plan(curves)

    whole, again = (
        sum_due_commits(curves, now, thresholds),
        sum_due_commits(curves, now, thresholds, before=before, changed=changed),
    )

    assert (whole is None) == (again is None) == (now.today is None)
    assert whole is None or again is None or whole.wafers.tolist() == again.wafers.tolist()


# ---------------------------------------------------------------- their order


def test_the_most_urgent_comes_first():
    story = Story()
    story.say("samsung", DAY + days(9), SourceAdvanced(through=DAY + days(9)))
    story.dispatch(1)
    story.receive(2)
    story.consume(3)
    story.order(TODAY + days(2), 40)

    assert [code for code, _ in story.find()] == [
        "source_silent",
        "stock_negative",
        "received_beyond_dispatched",
        "short_within",
    ]


def test_every_code_names_its_subject():
    assert all(SUBJECTS.values())
