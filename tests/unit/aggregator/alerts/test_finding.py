"""Conditions of each alert, its first and last day, and that it depends on the events alone."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.alerts.explaining import explain_alert
from services.aggregator.alerts.finding import Alert, find_alerts, sum_due_commits
from services.aggregator.alerts.thresholds import AlertThresholds
from services.aggregator.fold.curves import Curves
from services.aggregator.fold.series import OPEN
from services.aggregator.fold.state import FoldState
from services.aggregator.plan.projection import make_plan
from shared.play.numbering import Numbering
from shared.wire.alerts import NAMED_BY, SUBJECTS, AlertName, Cause
from shared.wire.days import day_number
from shared.wire.events import (
    DemandRequired,
    Event,
    EventData,
    EventReversed,
    LotFinished,
    LotStarted,
    ShipmentDispatched,
    ShipmentLost,
    ShipmentReceived,
    SourceAdvanced,
    SourceEnded,
    StockOpened,
    SupplyCommitted,
    WafersConsumed,
    event_id,
)
from shared.wire.firmness import Firmness
from shared.wire.postings import Measure
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
    """What two parties say, in order; after it each completes the days up to `DAY`."""

    def __init__(self) -> None:
        self.numberings = {name: Numbering(name) for name in ("samsung", "stargate", "skhynix")}
        self.events: list[Event] = []
        for name in ("samsung", "stargate"):
            self.events.append(self.say(name, DAY, SourceAdvanced(through=DAY)).model_copy(update={"sequence": 10_000}))
            del self.events[-2]

    def say(self, name: str, day: date, data: EventData) -> Event:
        event = self.numberings[name].emit(datetime(day.year, day.month, day.day, 12, tzinfo=UTC), data)
        self.events.append(event)
        return event

    def order(self, due: date, wafers: int, revision: int = 0, line: str = "O1") -> Event:
        data = DemandRequired(
            **KEY, line=line, due=due, start_by=due - timedelta(days=99), priority=1, wafers=wafers, revision=revision
        )
        return self.say("stargate", DAY, data)

    def commit(
        self, due: date, wafers: int, revision: int = 0, line: str = "C1", source: str = "samsung", day: date = DAY,
        firmness: Firmness = "firm",
    ) -> Event:  # fmt: skip
        key = KEY | {"supplier": source}
        data = SupplyCommitted(**key, line=line, due=due, firmness=firmness, wafers=wafers, revision=revision)
        return self.say(source, day, data)

    def open(self, wafers: int) -> Event:
        return self.say("stargate", DAY, StockOpened(**KEY, wafers=wafers))

    def start_lot(self, lot: str, wafers: int, product: str = PRODUCT) -> Event:
        key = KEY | {"product": product}
        return self.say("samsung", DAY, LotStarted(**key, lot=lot, wafers=wafers, fab="P4", due_out=DAY))

    def finish_lot(self, lot: str, wafers: int, site: str = SITE) -> Event:
        return self.say("samsung", DAY, LotFinished(**KEY | {"site": site}, lot=lot, wafers=wafers, yield_variance=0))

    def dispatch(self, wafers: int, day: date = DAY, eta: date = DAY, commit: str | None = "C1") -> Event:
        data = ShipmentDispatched(**KEY, shipment="S1", commit=commit, wafers=wafers, eta=eta, lots=[])
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


def test_the_cause_of_a_shortage_that_nobody_promised_is_the_order_that_is_due_last():
    story = Story()
    story.order(TODAY + days(5), 40)
    last = story.order(TODAY + days(9), 40, line="O2")
    story.commit(TODAY + days(5), 50)
    state = state_of(story.events)

    alert = found(state)["short_within", (PRODUCT, SITE)]

    assert alert.detail["wafers"] == 30
    assert explain_alert(state, alert).causes == (f"{last.source}/{last.id}",)


def test_a_planned_commit_that_others_replaced_is_no_cause_of_a_shortage():
    """An outlook of 40 gives way to a commit of 30 to the order: 10 of it, and no more, were given up."""
    story = Story()
    story.commit(TODAY + days(9), 40, day=DAY - days(9))
    given_up = story.commit(TODAY + days(9), 0, revision=1)
    story.commit(TODAY + days(9), 30, line="another")
    story.order(TODAY + days(9), 40)
    state = state_of(story.events)

    alert = found(state)["short_within", (PRODUCT, SITE)]

    assert alert.detail["wafers"] == 10
    assert explain_alert(state, alert).causes == (f"samsung/{given_up.id}",)


def test_an_outlook_that_was_withdrawn_comes_after_the_order_that_nobody_promised():
    story = Story()
    story.commit(TODAY + days(9), 90, day=DAY - days(9), firmness="planned")
    withdrawn = story.commit(TODAY + days(9), 0, revision=1, day=DAY - days(5), firmness="planned")
    order = story.order(TODAY + days(9), 60)
    state = state_of(story.events)

    alert = found(state)["short_within", (PRODUCT, SITE)]

    assert explain_alert(state, alert).causes == (f"{order.source}/{order.id}", f"samsung/{withdrawn.id}")


def test_a_planned_commit_that_was_replaced_in_full_is_no_cause_at_all():
    story = Story()
    story.commit(TODAY + days(9), 40, day=DAY - days(9))
    story.commit(TODAY + days(9), 0, revision=1)
    story.commit(TODAY + days(9), 40, line="another")
    order = story.order(TODAY + days(9), 60)
    state = state_of(story.events)

    alert = found(state)["short_within", (PRODUCT, SITE)]

    assert explain_alert(state, alert).causes == (f"{order.source}/{order.id}",)


# ---------------------------------------------------------------- cover_below


@pytest.mark.parametrize(("ahead", "is_open"), [(6, True), (7, False)])
def test_a_cover_is_an_alert_if_it_lasts_for_fewer_days_than_the_limit(ahead, is_open):
    story = Story()
    story.open(30)
    story.order(TODAY + days(ahead), 40)
    story.commit(TODAY + days(ahead), 10)

    alert = story.find(cover_days=7).get(("cover_below", (PRODUCT, SITE)))

    detail = {"days": ahead, "on_hand": 30, "wafers": 10, "since_day": day_number(DAY) + ahead - 6}
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

    assert alert.detail == {"days": 0, "on_hand": 0, "wafers": 40, "since_day": day_number(DAY) - 7}


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
    detail = {"oldest_due_day": due, "days": late, "wafers": 40, "since_day": due + 15}
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

    since = day_number(DAY) - 30 + 15
    assert alert.detail == {"oldest_due_day": day_number(DAY) - 16, "days": 16, "wafers": 6, "since_day": since}


def test_a_slip_is_cleared_by_another_due_day():
    story = Story()
    story.commit(DAY - days(20), 40)
    story.commit(TODAY + days(2), 40, revision=1)

    assert story.find() == {}


# ---------------------------------------------------------------- the books


def test_more_received_than_dispatched_is_an_alert_until_the_rest_is_said_to_have_been_sent():
    story = Story()
    story.commit(DAY, 11)
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
    story.commit(DAY, 10)
    story.dispatch(10)
    receipt = story.receive(11)
    story.say("stargate", DAY, EventReversed(reversed=receipt.id, reason="entered twice"))

    assert story.find() == {}


def test_more_dispatched_than_finished_is_an_alert_until_the_missing_lot_is_published():
    story = Story()
    story.commit(DAY, 40)
    story.start_lot("L1", 25)
    story.finish_lot("L1", 25)
    story.dispatch(40)
    alerts = story.find()
    story.start_lot("L2", 15)
    story.finish_lot("L2", 15)

    cause: Cause = ("dispatched_beyond_finished", ("samsung", PRODUCT))
    day = day_number(DAY)
    detail = {"finished": 25, "dispatched": 40, "wafers": 15, "since_day": day}
    assert alerts == {cause: Alert(*cause, day, detail)}
    assert story.find() == {}


def test_a_supplier_that_reports_no_lots_dispatches_as_it_likes():
    story = Story()
    story.commit(DAY, 40)
    story.dispatch(40)

    assert story.find() == {}


def test_lots_of_another_product_are_no_report_of_this_one():
    story = Story()
    story.start_lot("L1", 25, product="DDR5-16G")
    story.commit(DAY, 40)
    story.dispatch(40)

    assert story.find() == {}


def test_more_finished_than_started_is_an_alert_over_all_sites():
    story = Story()
    story.start_lot("L1", 25)
    story.finish_lot("L1", 25, site="narvik")
    before = story.find()
    finished = story.finish_lot("L1", 5)
    alerts = story.find()
    story.say("samsung", DAY, EventReversed(reversed=finished.id, reason="entered twice"))

    cause: Cause = ("stage_negative", ("wip", "samsung", PRODUCT))
    assert (before, story.find()) == ({}, {})
    day = day_number(DAY)
    assert alerts == {cause: Alert(*cause, day, {"wafers": 5, "since_day": day})}


def test_a_dispatch_on_a_commit_that_was_never_published_is_an_alert_until_it_is():
    story = Story()
    sent = story.dispatch(10)
    alerts = story.find()
    commit = story.commit(DAY, 10)
    committed = story.find()
    story.say("samsung", DAY, EventReversed(reversed=commit.id, reason="entered twice"))

    cause: Cause = ("dispatch_without_commit", ("samsung", "S1", PRODUCT))
    alert = Alert(*cause, day_number(DAY), {"wafers": 10}, (f"samsung/{sent.id}",))
    assert (alerts, committed) == ({cause: alert}, {})
    assert story.find() == {cause: alert}


def test_of_a_shipment_the_dispatches_without_a_commit_count_until_they_are_reversed():
    story = Story()
    story.commit(DAY, 10)
    story.dispatch(10)
    sent = story.dispatch(3, day=DAY - days(1), commit=None)
    story.dispatch(4, day=TODAY, commit=None)
    alerts = story.find()
    story.say("samsung", DAY, EventReversed(reversed=sent.id, reason="entered twice"))

    cause: Cause = ("dispatch_without_commit", ("samsung", "S1", PRODUCT))
    assert alerts == {cause: Alert(*cause, day_number(DAY) - 1, {"wafers": 3}, (f"samsung/{sent.id}",))}
    assert story.find() == {}


def test_a_dispatch_on_a_commit_that_was_withdrawn_is_none_without_a_commit():
    story = Story()
    story.commit(DAY, 10)
    story.commit(DAY, 0, revision=1)
    story.dispatch(10)

    assert story.find() == {}


def test_a_dispatch_that_follows_from_a_commit_needs_to_name_it_unless_that_is_withdrawn():
    story = Story()
    commit = story.commit(DAY, 10)
    sent = story.dispatch(10, commit=None)
    story.events[-1] = sent.model_copy(update={"causationid": commit.id})
    alerts = story.find()
    withdrawn = story.commit(DAY, 0, revision=1)
    before = story.find()
    story.say("samsung", DAY, EventReversed(reversed=withdrawn.id, reason="entered twice"))

    assert list(alerts) == list(story.find()) == [("dispatch_without_commit", ("samsung", "S1", PRODUCT))]
    assert before == {}


def test_a_dispatch_on_a_commit_of_another_product_is_an_alert_until_the_commit_is_of_that_product():
    story = Story()
    key = KEY | {"product": "DDR5-16G"}
    story.say("samsung", DAY, SupplyCommitted(**key, line="C1", due=DAY, firmness="firm", wafers=10, revision=0))
    sent = story.dispatch(10)
    alerts = story.find()
    story.commit(DAY, 10, revision=1)

    cause: Cause = ("dispatch_of_other_product", ("samsung", "S1", PRODUCT))
    assert alerts == {cause: Alert(*cause, day_number(DAY), {"wafers": 10}, (f"samsung/{sent.id}",))}
    assert story.find() == {}


def test_a_receipt_of_another_supplier_or_product_than_was_dispatched_is_an_alert_until_it_is_reversed():
    story = Story()
    story.commit(DAY, 10)
    story.dispatch(10)
    ends = [
        story.say("stargate", DAY, ShipmentReceived(**key, shipment="S1", owner="samsung", wafers=4, wafers_damaged=0))
        for key in (KEY | {"supplier": "skhynix"}, KEY | {"product": "DDR5-16G"})
    ]
    alerts = story.find()
    for end in ends:
        story.say("stargate", DAY, EventReversed(reversed=end.id, reason="entered twice"))

    supplier: Cause = ("supplier_contradicts_shipment", ("samsung", "S1", PRODUCT))
    product: Cause = ("receipt_of_other_product", ("samsung", "S1", "DDR5-16G"))
    for cause, end in zip((supplier, product), ends, strict=True):
        assert alerts[cause] == Alert(*cause, day_number(DAY), {"wafers": 4}, (f"stargate/{end.id}",))
    assert [code for code, _ in alerts] == ["received_beyond_dispatched", supplier[0], product[0]]
    assert story.find() == {}


def test_a_stock_below_zero_is_an_alert_as_of_the_last_complete_day():
    story = Story()
    story.order(DAY, 9)
    story.open(10)
    story.consume(9)
    before = story.find()
    story.consume(3, day=TODAY)
    meanwhile = story.find()
    story.consume(3)

    cause: Cause = ("stock_negative", (PRODUCT, SITE))
    assert (before, meanwhile) == ({}, {})
    beyond: Cause = ("consumed_beyond_required", (PRODUCT, SITE))
    short: Cause = ("short_within", (PRODUCT, SITE))  # the next receipts make up for it
    detail = {"first_short_day": day_number(TODAY), "wafers": 2, "wafers_at_worst": 2}
    assert story.find() == {
        cause: Alert(*cause, day_number(DAY), {"wafers": 2, "since_day": day_number(DAY)}),
        beyond: Alert(*beyond, day_number(DAY), {"wafers": 3, "since_day": day_number(DAY)}),
        short: Alert(*short, day_number(DAY), detail),
    }


def test_a_stock_is_counted_over_all_suppliers():
    story = Story()
    story.order(DAY, 9)
    story.open(10)
    story.consume(9, supplier="unattributed")

    assert story.find() == {}


def test_what_is_consumed_beyond_what_was_due_is_an_alert_until_the_order_is_there():
    story = Story()
    story.open(50)
    story.consume(30, day=DAY - days(1))
    alerts = story.find()
    story.order(DAY, 30)
    late = story.find()
    story.order(DAY - days(1), 30, revision=1)

    cause: Cause = ("consumed_beyond_required", (PRODUCT, SITE))
    assert alerts == {cause: Alert(*cause, day_number(DAY), {"wafers": 30, "since_day": day_number(DAY) - 1})}
    assert late[cause] == alerts[cause]
    assert story.find() == {}


def test_what_is_consumed_for_an_order_before_it_is_due_is_within_what_was_due_up_to_its_wafers():
    story = Story()
    story.open(50)
    story.order(TODAY + days(9), 30)
    story.say("stargate", DAY, WafersConsumed(**KEY, phase="p", wafers=30, order="O1"))
    before = story.find()
    story.say("stargate", DAY, WafersConsumed(**KEY, phase="p", wafers=4, order="O1"))

    cause: Cause = ("consumed_beyond_required", (PRODUCT, SITE))
    story.say("stargate", TODAY, WafersConsumed(**KEY, phase="p", wafers=5, order="O1"))

    assert before == {}
    assert story.find() == {cause: Alert(*cause, day_number(DAY), {"wafers": 4, "since_day": day_number(DAY)})}


# ---------------------------------------------------------------- behind_watermark

BEHIND: Cause = ("behind_watermark", ("skhynix",))
LOT: dict[str, Any] = {**KEY, "supplier": "skhynix", "wafers": 25, "fab": "M15X", "due_out": DAY}


class LateStory(Story):
    """A third party says more of days that it has completed."""

    def __init__(self) -> None:
        super().__init__()
        self.advanced = self.advance(DAY)

    def advance(self, through: date) -> Event:
        return self.say("skhynix", TODAY, SourceAdvanced(through=through))

    def start(self, lot: str, day: date) -> Event:
        return self.say("skhynix", day, LotStarted(**LOT, lot=lot))


def test_an_event_of_a_day_that_its_source_has_completed_is_an_alert_until_the_next_watermark():
    story = LateStory()
    before = story.find()
    late = [story.start("L1", DAY - days(2)), story.start("L2", DAY), story.start("L3", DAY)]
    story.start("L4", TODAY)
    alerts = story.find()
    story.advance(DAY)

    causes = tuple(f"skhynix/{event.id}" for event in (late[2], late[0]))
    alert = Alert(*BEHIND, day_number(DAY) - 2, {"days": 2, "watermark_day": day_number(DAY)}, causes)
    assert (before, alerts, story.find()) == ({}, {BEHIND: alert}, {})


def test_an_event_published_before_the_watermark_is_not_behind_it_whenever_it_arrives():
    story = LateStory()
    story.start("L1", DAY)
    story.advance(DAY)
    *before, lot, confirmed = story.events

    assert found(state_of([*before, confirmed, lot], batches=[1])) == {}


def test_an_event_published_after_the_watermark_is_behind_it_also_if_it_arrives_before():
    story = LateStory()
    lot = story.start("L1", DAY)
    story.events.insert(0, story.events.pop())

    assert story.find()[BEHIND].causes == (f"skhynix/{lot.id}",)


def test_a_watermark_that_is_reversed_does_not_hold_and_the_one_before_it_does():
    story = LateStory()
    later = story.advance(TODAY)
    story.start("L1", TODAY)
    alerts = story.find()
    story.say("skhynix", TODAY + days(1), EventReversed(reversed=later.id, reason="a typing error"))
    reversed_ = story.find()
    story.start("L2", DAY)

    assert (alerts.keys(), reversed_, story.find().keys()) == ({BEHIND}, {}, {BEHIND})


def test_a_watermark_below_the_one_in_force_confirms_nothing():
    story = LateStory()
    story.start("L1", DAY)
    story.advance(DAY - days(1))

    assert story.find().keys() == {BEHIND}


def test_an_event_after_the_end_of_its_source_is_behind_it():
    story = LateStory()
    story.say("skhynix", TODAY, SourceEnded(through=DAY, successor=None))
    before = story.find()
    story.start("L1", DAY)

    assert (before, story.find().keys()) == ({}, {BEHIND})


# ---------------------------------------------------------------- source_silent


@pytest.mark.parametrize(("behind", "is_open"), [(3, False), (4, True)])
def test_a_source_is_silent_once_it_is_behind_the_latest_beyond_the_limit(behind, is_open):
    story = Story()
    story.say("samsung", DAY + days(behind), SourceAdvanced(through=DAY + days(behind)))

    alerts = story.find(silent_days=3)

    detail = {"days": behind, "watermark_day": day_number(DAY)}
    alert = Alert("source_silent", ("stargate",), day_number(DAY), detail)
    assert alerts == ({alert.cause: alert} if is_open else {})


def test_a_source_that_is_expected_and_has_never_spoken_is_silent():
    cause: Cause = ("source_silent", ("micron",))

    assert Story().find(sources=("micron", "samsung")) == {cause: Alert(*cause, day_number(DAY), {})}


def test_a_source_that_completes_no_day_is_silent_and_holds_up_no_other():
    story = Story()
    story.order(TODAY, 40)
    story.commit(TODAY, 1, source="skhynix")

    assert list(story.find()) == [("source_silent", ("skhynix",)), ("short_within", ("HBM4-12H", "abilene"))]


def test_before_any_watermark_nothing_is_found():
    assert found(state_of(Story().events[2:]), sources=("samsung",)) == {}


# ---------------------------------------------------------------- any log


@given(logs, st.integers(START, START + DAYS - 1), st.integers(0, 60), st.integers(0, 20))
@quick
def test_the_alerts_of_products_are_those_of_the_naive_twin(log, today, short_days, cover_days):
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
        keys = naive.groups(("product", "site"), {})[label]
        required, moved_up, consumed = (
            naive.ever(keys, measure, today - 1)
            for measure in (Measure.REQUIRED, Measure.REQUIRED_MOVED, Measure.CONSUMED)
        )
        if naive.backlog(keys, today - 1) > required + moved_up - consumed:
            expected.add(("consumed_beyond_required", label))
    moved: Counter[tuple[str, str, Measure]] = Counter()
    for (product, _, supplier), measure, day, wafers in log:
        if measure < 32 and day < today:
            moved[supplier, product, measure] += wafers
    for pair in {pair[:2] for pair in moved}:
        started, scrapped, finished, variance, dispatched = (moved[*pair, Measure(measure)] for measure in range(5))
        if started < scrapped + finished + variance:
            expected.add(("stage_negative", ("wip", *pair)))
        if (started or scrapped or finished or variance) and dispatched > finished:
            expected.add(("dispatched_beyond_finished", pair))

    beyond: Counter[tuple[str, str]] = Counter()
    for (product, site, _), measure, day, wafers in log:
        if Measure(measure) in (Measure.FORECAST, Measure.REQUIRED, Measure.TRANSIT_DUE, *OPEN) and day >= START + DAYS:
            beyond[product, site] += wafers
    expected |= {("due_beyond_horizon", label) for label, wafers in beyond.items() if wafers > 0}

    alerts = found(state, short_days=short_days, cover_days=cover_days)

    assert {cause for cause in alerts if cause[0] != "slip_beyond"} == expected


@given(logs, st.integers(START + 1, START + DAYS - 25), st.integers(0, 20), st.integers(0, 20))
@quick
def test_an_alert_is_named_by_the_first_of_the_days_in_a_row_on_which_it_holds(log, today, cover_days, slip_days):
    thresholds = AlertThresholds(short_days=0, cover_days=cover_days, slip_days=slip_days)
    state = FoldState(Curves(date(2025, 1, 1), DAYS))
    state.add(batch_of(1, log, {"samsung": today - 1}, ["samsung"]))
    of_day = {
        day: find_alerts(state, make_plan(state.curves, day + 1), thresholds) for day in range(START, today)
    }  # as each day ended, by what is recorded now

    for cause, alert in of_day[today - 1].items():
        since = alert.name.day
        if NAMED_BY[alert.code] != "since_day" or since is None:
            continue
        assert [day for day in range(max(since, START), today) if cause not in of_day[day]] == []
        assert cause not in of_day.get(since - 1, {}), alert


@given(event_logs(), st.randoms(use_true_random=False), st.lists(st.integers(1, 5), max_size=10))
@quick
def test_neither_order_nor_batches_nor_duplicates_alter_what_is_open(log, shuffle, sizes):
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
    repeated = events + shuffle.sample(events, len(events) // 2)
    other = state_of(shuffle.sample(repeated, len(repeated)), HORIZON, sizes)

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
    story.dispatch(1)
    story.receive(2)
    story.consume(3)
    story.order(TODAY + days(2), 40)
    story.say("samsung", DAY + days(9), SourceAdvanced(through=DAY + days(9)))

    assert [code for code, _ in story.find()] == [
        "source_silent",
        "stock_negative",
        "consumed_beyond_required",
        "received_beyond_dispatched",
        "dispatch_without_commit",
        "short_within",
    ]


def test_every_code_names_its_subject():
    assert all(SUBJECTS.values())


# ---------------------------------------------------------------- their names


def test_a_name_is_read_back_from_its_text():
    for code, names in SUBJECTS.items():
        name = AlertName(code, names, None if NAMED_BY[code] is None else 20_000)
        assert AlertName.read(name.text) == name


@pytest.mark.parametrize(
    "text",
    [
        "", "short", "short_within", "short_within/P", "short_within/P//2026-01-01", "short_within/P/S/20260101",
        "short_within/P/S/2026-02-30", "short_within/P/S/2026-01-01/x", "undeclared_site/S/2026-01-01",
    ],
)  # fmt: skip
def test_a_text_that_names_no_alert_is_refused(text):
    with pytest.raises(ValueError, match=r"is not|is no code|out of range"):
        AlertName.read(text)


def test_a_shortage_keeps_its_name_when_its_day_has_come_and_gone():
    def named(wafers_due: date, through: date) -> AlertName:
        story = Story()
        story.order(wafers_due, 40)
        for name in ("samsung", "stargate"):
            story.say(name, through, SourceAdvanced(through=through))
        return story.find()["short_within", (PRODUCT, SITE)].name

    due = TODAY + days(5)
    names = {named(due, DAY + days(n)) for n in range(15)}

    assert names == {AlertName("short_within", (PRODUCT, SITE), day_number(due))}
