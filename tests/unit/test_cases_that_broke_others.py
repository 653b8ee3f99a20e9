"""The cases that broke other systems: what a planner would check after each."""

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from services.aggregator.fold.curves import Curves, Gap
from services.aggregator.fold.state import FoldState
from shared.play.numbering import Numbering
from shared.wire.days import day_number
from shared.wire.events import (
    EVENTS,
    AlertAcknowledged,
    DemandForecast,
    DemandRequired,
    EventReversed,
    LotFinished,
    LotScrapped,
    LotStarted,
    MilestoneReported,
    NoteAdded,
    PartyDeclared,
    PartyRole,
    PhasePlanned,
    PlatformDeclared,
    ProductDeclared,
    ProgrammeDeclared,
    ProgrammeTarget,
    ShipmentDispatched,
    ShipmentLost,
    ShipmentReceived,
    ShipmentReturned,
    ShipmentRevised,
    SiteDeclared,
    SourceAdvanced,
    SourceEnded,
    StockCounted,
    StockOpened,
    StockTransferred,
    SupplyAgreed,
    SupplyCommitted,
    WafersConsumed,
)
from shared.wire.postings import Measure, PostingBatch
from testing.fold import Folded, Horizon, catch_up, fold, record

KEY = {"product": "HBM4-12H", "site": "abilene", "supplier": "samsung"}


def day(month: int, number: int) -> date:
    return date(2026, month, number)


class Party:
    """A voice, and the events that these cases are made of; `on` is (month, day)."""

    def __init__(self, source: str) -> None:
        self.numbering = Numbering(source)

    def say(self, on: tuple[int, int], data: Any, hour: int = 12) -> Any:
        return self.numbering.emit(datetime(2026, *on, hour, tzinfo=UTC), data)

    def commit(self, on, line, wafers, due, revision=0, firmness="firm", **key):
        said = SupplyCommitted(
            line=line, due=day(*due), firmness=firmness, wafers=wafers, revision=revision, **(KEY | key)
        )
        return self.say(on, said)

    def dispatch(self, on, shipment, wafers, eta, commit=None, **key):
        return self.say(
            on,
            ShipmentDispatched(shipment=shipment, wafers=wafers, eta=day(*eta), commit=commit, lots=[], **(KEY | key)),
        )

    def receive(self, on, shipment, wafers, damaged=0, **key):
        return self.say(
            on,
            ShipmentReceived(shipment=shipment, owner="samsung", wafers=wafers, wafers_damaged=damaged, **(KEY | key)),
        )

    def open(self, on, wafers, **key):
        return self.say(on, StockOpened(wafers=wafers, **(KEY | key)))

    def consume(self, on, wafers, **key):
        return self.say(on, WafersConsumed(phase="p1", wafers=wafers, **(KEY | key)))

    def count(self, on, counted, hour=12):
        return self.say(on, StockCounted(counted=counted, **KEY), hour)

    def require(self, on, line, wafers, due, revision=0):
        return self.say(
            on,
            DemandRequired(
                line=line, due=day(*due), start_by=day(1, 5), priority=1, wafers=wafers, revision=revision, **KEY
            ),
        )

    def reverse(self, on, event):
        return self.say(on, EventReversed(reversed=event.id, reason="said in error"))


@pytest.fixture
def samsung() -> Party:
    return Party("samsung")


@pytest.fixture
def texas() -> Party:
    return Party("stargate-americas")


def supply(folded: Folded) -> int:
    """All that is promised, on its way and on hand: what a partial receipt must leave alone."""
    stages = folded.stages()
    return stages["open_commit"] + stages["in_transit"] + stages["on_hand"]


# ---------------------------------------------------------------- 1 and 2: receipts


def test_a_partial_receipt_of_an_open_commit_leaves_total_supply_unchanged(samsung, texas):
    """Case 1: partial receipt of an open commit."""
    log = [samsung.commit((1, 2), "c1", 1000, (3, 1))]
    sent = [*log, samsung.dispatch((2, 1), "s1", 600, (2, 20), "c1")]
    received = [*sent, texas.receive((2, 20), "s1", 250)]

    assert [supply(fold(events)) for events in (log, sent, received)] == [1000, 1000, 1000]
    assert fold(received).stages() == {
        "wip": 0, "finished": -600, "in_transit": 350, "on_hand": 250, "open_commit": 400,
    }  # fmt: skip


@pytest.mark.parametrize("arrives", [(2, 10), (2, 20), (3, 5)])
def test_a_receipt_leaves_no_planned_wafers_on_the_day_it_was_planned_for(samsung, texas, arrives):
    """Case 2: a receipt earlier or later than planned takes the planned quantity out of its old bucket."""
    sent = samsung.dispatch((2, 1), "s1", 600, (2, 20))
    folded = fold([sent, texas.receive(arrives, "s1", 600)])

    assert fold([sent]).planned(Measure.TRANSIT_DUE) == {day(2, 20): 600}
    assert folded.planned(Measure.TRANSIT_DUE) == {}
    assert folded.stages(day(*arrives))["on_hand"] == 600
    assert folded.stages(day(*arrives) - timedelta(days=1))["on_hand"] == 0
    assert folded.project(day(2, 1)).balance[-1] == 600


def test_what_of_a_shipment_has_not_come_stays_planned_on_its_day(samsung, texas):
    """Case 2: a part arrives early, another damaged; the rest keeps its day until it is lost."""
    log = [
        samsung.dispatch((2, 1), "s1", 600, (2, 20)), texas.receive((2, 10), "s1", 200),
        texas.receive((2, 11), "s1", 90, damaged=10),
    ]  # fmt: skip
    lost = texas.say((3, 1), ShipmentLost(shipment="s1", owner="samsung", wafers=300, **KEY))

    assert fold(log).planned(Measure.TRANSIT_DUE) == {day(2, 20): 300}
    assert fold([*log, lost]).planned(Measure.TRANSIT_DUE) == {}
    assert fold([*log, lost]).stages()["in_transit"] == 0


# ---------------------------------------------------------------- 3: alternation


def test_a_long_alternation_of_demand_and_receipt_ends_where_arithmetic_says(samsung, texas):
    """Case 3: a long alternation of demand and receipt."""
    log = [texas.open((1, 1), 100)]
    for n in range(200):
        due = day(1, 2) + timedelta(days=n)
        on = (due.month, due.day)
        log += [
            texas.require((1, 1), f"d{n}", 30, on), samsung.dispatch(on, f"s{n}", 29, on),
            texas.receive(on, f"s{n}", 29), texas.consume(on, 30),
        ]  # fmt: skip
    folded = fold(log, batches=7)
    after = folded.project(day(1, 2) + timedelta(days=200))
    before = folded.project(day(1, 2))

    assert folded.stages() == {
        "wip": 0, "finished": -5800, "in_transit": 0, "on_hand": -100, "open_commit": 0,
    }  # fmt: skip
    assert after.on_hand == after.balance[-1] == -100
    assert list(before.balance[:200]) == [100 - n for n in range(1, 201)]
    assert before.first_short_day == day_number(day(1, 2)) + 100


# ---------------------------------------------------------------- 4: reversals


def test_reversing_the_newest_movement_restores_what_was_before_it(texas):
    """Case 4: reversal of the newest movement."""
    log = [texas.open((1, 1), 500), texas.consume((1, 5), 120)]
    newest = texas.consume((1, 6), 80)

    assert fold([*log, newest, texas.reverse((1, 7), newest)]).stages()["on_hand"] == 380


def test_reversing_a_backdated_movement_alters_every_day_since(texas):
    """Case 4: reversal of a backdated one."""
    opened = texas.open((1, 1), 500)
    later = texas.consume((1, 20), 120)
    backdated = texas.consume((1, 5), 80)
    folded = fold([opened, later, backdated, texas.reverse((1, 25), backdated)])

    assert [folded.stages(day(1, n))["on_hand"] for n in (4, 5, 19, 20)] == [500, 500, 500, 380]


def test_two_reversals_come_to_the_same_in_either_order_and_before_their_targets(texas):
    """Case 4: two reversals in either order; one that comes first waits for its target."""
    opened, first, second = texas.open((1, 1), 500), texas.consume((1, 5), 120), texas.consume((1, 6), 80)
    undone = [texas.reverse((1, 7), first), texas.reverse((1, 8), second), texas.reverse((1, 9), first)]
    hashes = {
        fold(log).state_hash
        for log in (
            [opened, first, second, *undone], [opened, first, second, *undone[::-1]], [*undone, second, first, opened],
            [undone[1], first, undone[2], opened, undone[0], second],
        )
    }  # fmt: skip

    assert len(hashes) == 1
    assert fold([opened, first, second, *undone]).stages()["on_hand"] == 500


def test_reversing_a_revision_puts_the_one_before_it_in_force_again(samsung):
    """Case 4: of a plan, the greatest revision that is not reversed is in force."""
    first, second = samsung.commit((1, 1), "c1", 400, (3, 1)), samsung.commit((1, 2), "c1", 900, (5, 1), revision=1)
    undone = samsung.reverse((1, 3), second)

    assert fold([first, second]).open() == {day(5, 1): 900}
    assert fold([first, second, undone]).open() == {day(3, 1): 400}
    assert fold([undone, second, first]).open() == {day(3, 1): 400}


# ---------------------------------------------------------------- 5: counts


@pytest.mark.parametrize("late_first", [False, True])
def test_a_count_holds_when_an_earlier_movement_is_told_late(texas, late_first):
    """Case 5: a count (observation), then a late event with an earlier effective day."""
    opened, count, late = texas.open((1, 1), 500), texas.count((1, 10), 470), texas.consume((1, 5), 20)
    after = texas.consume((1, 12), 100)
    folded = fold([late, opened, after, count] if late_first else [opened, count, after, late])

    assert [folded.stages(day(1, n))["on_hand"] for n in (4, 5, 9, 10, 12)] == [500, 480, 480, 470, 370]
    assert folded.cells()[Measure.ADJUSTED, day_number(day(1, 10)), tuple(KEY.values())] == -10


def test_of_two_counts_each_holds_on_its_day(texas):
    """Case 5: a count taken late, between the start and one that was there before."""
    log = [texas.open((1, 1), 500), texas.count((1, 20), 430), texas.count((1, 10), 470), texas.consume((1, 15), 30)]
    reversed_count = texas.reverse((1, 25), log[2])

    assert [fold(log).stages(day(1, n))["on_hand"] for n in (9, 10, 15, 20)] == [500, 470, 440, 430]
    assert [fold([*log, reversed_count]).stages(day(1, n))["on_hand"] for n in (10, 15, 20)] == [500, 470, 430]


def test_a_count_fixes_the_end_of_its_day_whatever_moves_later_on_it(texas):
    """Case 5: of several counts on one day the latest wins."""
    log = [texas.open((1, 1), 500), texas.count((1, 10), 470, hour=8), texas.consume((1, 10), 50)]
    recount = texas.count((1, 10), 440, hour=18)

    assert fold(log).stages(day(1, 10))["on_hand"] == 470
    assert fold([*log, recount]).stages(day(1, 10))["on_hand"] == 440
    assert fold([recount, *log]).stages(day(1, 10))["on_hand"] == 440


# ---------------------------------------------------------------- 6, 7 and 8: commits


def test_a_dispatch_after_its_commit_is_subtracted_once(samsung):
    """Case 6: dispatch after commit: subtracted once."""
    log = [samsung.commit((1, 2), "c1", 1000, (3, 1)), samsung.dispatch((2, 1), "s1", 600, (2, 20), "c1")]
    revised = samsung.commit((2, 2), "c1", 900, (3, 1), revision=1)
    more = samsung.dispatch((2, 3), "s2", 700, (2, 22), "c1")

    assert fold(log).open() == {day(3, 1): 400}
    assert fold([*log, revised]).open() == {day(3, 1): 300}
    assert fold([*log, revised, more]).open() == {}  # more than committed: never negative
    assert fold([*log, revised, more, samsung.reverse((2, 4), log[1])]).open() == {day(3, 1): 200}


def test_a_backdated_dispatch_releases_its_commit(samsung):
    """Case 7: a backdated dispatch releases its commit."""
    commit = samsung.commit((2, 10), "c1", 1000, (3, 1))
    backdated = samsung.dispatch((1, 20), "s1", 600, (2, 5), "c1")
    folded = fold([commit, backdated])

    assert folded.open() == fold([backdated, commit]).open() == {day(3, 1): 400}
    assert folded.planned(Measure.TRANSIT_DUE) == {day(2, 5): 600}
    assert folded.stages(day(1, 20))["in_transit"] == 600


def test_redating_a_commit_moves_its_day_and_nothing_else(samsung):
    """Case 8: a re-dated commit: only the date moves."""
    log = [samsung.commit((1, 2), "c1", 1000, (3, 1)), samsung.dispatch((2, 1), "s1", 600, (2, 20), "c1")]
    redated = samsung.commit((2, 2), "c1", 1000, (4, 15), revision=1)

    assert fold([*log, redated]).open() == {day(4, 15): 400}
    assert fold([*log, redated]).planned(Measure.COMMITTED_FIRM) == {day(4, 15): 1000}
    assert fold([*log, redated]).stages() == fold(log).stages()
    assert fold([redated, *log]).state_hash == fold([*log, redated]).state_hash


def test_two_lines_of_one_document_stay_apart(samsung):
    """Case 8: two lines of one document with different dates, of which one is re-dated onto the other's day."""
    log = [samsung.commit((1, 2), "po7:10", 300, (3, 1)), samsung.commit((1, 2), "po7:20", 500, (4, 1))]
    merged = [*log, samsung.commit((1, 3), "po7:10", 300, (4, 1), revision=1)]

    assert fold(log).open() == {day(3, 1): 300, day(4, 1): 500}
    assert fold(merged).open() == {day(4, 1): 800}
    assert fold([*merged, samsung.commit((1, 4), "po7:20", 0, (4, 1), revision=1)]).open() == {day(4, 1): 300}


# ---------------------------------------------------------------- 9: away, and back


def test_a_consumer_that_was_away_catches_up_to_the_same_state(samsung, texas):
    """Case 9: the consumer is down while events arrive, then catches up."""
    log = every_kind()
    whole = fold(log, batches=3)
    folded = fold(log[:10], batches=3)
    record(folded, log[10:], batches=3)

    stood = folded.curves.position
    missed = folded.store.published_batches(stood + 1, 1)[0].postings
    with pytest.raises(Gap, match=f"follows {stood + 1}, not {stood}"):
        folded.curves.add(missed)
    catch_up(folded)

    assert stood < folded.curves.position == folded.store.head.batch
    assert folded.state_hash == whole.state_hash


def test_a_consumer_that_starts_anew_hears_old_batches_twice_and_counts_them_once():
    """Case 9: at least once in, exactly once in effect."""
    folded = fold(every_kind(), batches=5)
    batches = [stored.postings for stored in folded.store.published_batches(0, 1000)]
    anew = Curves(*Horizon())
    for seen in (0, 3, len(batches)):
        for batch in batches[: seen + 1]:
            anew.add(PostingBatch.model_validate_json(batch.encode()))

    assert anew.state_hash() == folded.state_hash


# ---------------------------------------------------------------- 10: any order


def every_kind() -> list[Any]:
    """All event types, several sources; revisions, counts, transfers, diversions and reversals, each out of order."""
    samsung, hynix, texas, narvik = map(Party, ("samsung", "skhynix", "stargate-americas", "stargate-emea"))
    north = {"site": "narvik"}
    theirs = {"supplier": "skhynix"}
    log = [
        samsung.say((1, 1), SupplyAgreed(
            agreement="loi", instrument="LOI", wafers_per_month=900_000, starts_on=day(1, 1), ends_on=day(6, 1),
            revision=0, **KEY)),
        samsung.commit((1, 1), "c1", 1000, (3, 1)),
        samsung.commit((1, 9), "c1", 800, (3, 9), revision=2, firmness="immediate"),
        samsung.commit((1, 8), "c1", 1200, (2, 9), revision=1),
        samsung.commit((1, 9), "c1", 850, (3, 8), revision=2, firmness="planned"),
        hynix.commit((1, 1), "c1", 500, (3, 1), **theirs),
        samsung.say((1, 2), LotStarted(lot="l1", fab="P4", wafers=25, due_out=day(5, 1), **KEY)),
        samsung.say((1, 2), LotStarted(lot="l2", fab="P4", wafers=25, due_out=day(5, 1), **KEY)),
        samsung.say((1, 20), LotScrapped(lot="l1", cause="broken", wafers=2, **KEY)),
        samsung.say((1, 28), LotFinished(lot="l1", wafers=24, yield_variance=-1, **KEY)),
        samsung.dispatch((2, 1), "s1", 600, (2, 20), "c1"),
        samsung.dispatch((2, 2), "s2", 100, (2, 21), "c1"),
        hynix.dispatch((2, 2), "s1", 200, (2, 22), None, **theirs),
        samsung.say((2, 5), ShipmentRevised(shipment="s2", eta=day(2, 25), revision=1, **(KEY | north))),
        samsung.say((2, 4), ShipmentRevised(shipment="s2", eta=day(2, 24), revision=0, **(KEY | {"site": "abu"}))),
        texas.open((1, 1), 50),
        texas.receive((2, 18), "s1", 350, damaged=10),
        texas.receive((2, 25), "s1", 300),  # more than was sent
        texas.receive((2, 26), "s9", 40),  # before its notice
        narvik.receive((2, 27), "s2", 60, **north),
        narvik.say((2, 28), ShipmentLost(shipment="s2", owner="samsung", wafers=15, **(KEY | north))),
        texas.say((2, 19), StockTransferred(to_site="narvik", wafers=70, **KEY)),
        texas.count((2, 20), 330),
        texas.count((2, 10), 45),
        texas.count((2, 20), 333, hour=20),
        texas.consume((2, 15), 30),
        texas.consume((2, 22), 500),  # more than is on hand
        texas.require((1, 1), "o1", 400, (3, 1)),
        texas.require((1, 3), "o1", 450, (3, 4), revision=1),
        narvik.say((1, 1), DemandForecast(line="f1", due=day(4, 1), wafers=700, revision=0, **(KEY | north))),
        texas.say((1, 1), SiteDeclared(
            site="abilene", name="Abilene", country="US", mooring="onshore", mw=1200, pue_percent=125, land_ha=400,
            waterplane_m2=None, kg_co2_per_mwh=370, evidence="press", confidence="sourced", revision=0)),
        texas.say((1, 1), PhasePlanned(
            site="abilene", phase="p1", mw=200, platform="gb200", energise_on=day(6, 1), status="planned", revision=0)),
    ]  # fmt: skip
    log += [
        texas.say((2, 27), ShipmentReturned(shipment="s1", owner="samsung", wafers=5, reason="warped", **KEY)),
        texas.consume((2, 23), 60, order="o1"),
        texas.say((2, 25), StockCounted(counted=90, revision=1, **(KEY | {"supplier": "unattributed"}))),
        narvik.say((3, 5), SourceEnded(through=day(3, 4), successor=None), 20),
    ]
    log += declarations()
    newest, consumed, revision = log[10], log[26], log[3]
    log += [samsung.reverse((3, 1), newest), samsung.reverse((3, 2), revision), texas.reverse((3, 1), consumed)]
    log += [texas.reverse((3, 2), consumed), texas.reverse((3, 3), log[-1]), texas.reverse((3, 4), log[22])]
    log += [samsung.dispatch((2, 10), "s9", 45, (2, 26))]
    planner, alert = Party("planner"), f"short_within/{KEY['product']}/{KEY['site']}/2026-02-20"
    log += [planner.say((1, 1), ProductDeclared(product=KEY["product"], revision=0))]
    log += [planner.say((1, 1), PlatformDeclared(platform="rack", revision=0))]
    log += [planner.say((1, 1), ProgrammeDeclared(programme="p", revision=0))]
    maker = PartyRole(role="maker", of="supplier", name="samsung", basis="")
    log += [planner.say((1, n + 1), PartyDeclared(party="maker", roles=[maker] * n, revision=n)) for n in (1, 0)]
    reports = ((0, day(5, 1)), (2, day(7, 1)), (1, day(6, 1)))
    log += [texas.say((1, n + 1), MilestoneReported(site="abilene", milestone="m", day=when, revision=n))
            for n, when in reports]  # fmt: skip
    log += [planner.say((1, n), AlertAcknowledged(alert=alert, assignee="Kim", revision=n)) for n in (2, 1)]
    log += [planner.say((1, 3), NoteAdded(note="n", about=f"site/{KEY['site']}", text="x", revision=0))]
    log += [party.say((3, 5), SourceAdvanced(through=day(3, 4))) for party in (samsung, hynix, texas, narvik)]
    return log


def declarations() -> list[Any]:
    """Declarations of two planners: revised, withdrawn and reversed, each out of order."""
    planner, other = map(Party, ("planning", "planning-2"))
    target = ProgrammeTarget(wafers_per_month=1000, basis="plan")
    log = [
        planner.say((1, 2), ProductDeclared(product=KEY["product"], family="HBM", revision=1)),
        planner.say((1, 1), ProductDeclared(product=KEY["product"], revision=0)),
        planner.say((1, 3), ProductDeclared(product="OLD", revision=1, withdrawn=True)),
        other.say((1, 1), ProductDeclared(product="OLD", revision=0)),
        planner.say((1, 1), PlatformDeclared(platform="gb200", revision=0)),
        planner.say((1, 1), ProgrammeDeclared(programme="mine", target=target, revision=0)),
        other.say((1, 9), ProgrammeDeclared(programme="theirs", revision=1)),
    ]
    return [*log, other.reverse((1, 10), log[-1])]


def whole_state_hash(folded: Folded) -> str:
    """Return the state hash of the balances together with the declarations in force."""
    state = FoldState(Curves(*Horizon()))
    for stored in folded.store.published_batches(0, 1_000_000):
        state.add(PostingBatch.model_validate_json(stored.postings.encode()))
    return state.curves.state_hash()


def test_a_hundred_shuffles_with_duplicates_come_to_one_state_hash():
    """Case 10: one log under 100 shuffles with duplicates: one state hash."""
    log = every_kind()
    due = fold(log)
    hashes = set()
    for seed in range(100):
        shuffle = random.Random(seed)  # noqa: S311
        again = [*log, *shuffle.choices(log, k=12)]
        folded = fold(shuffle.sample(again, len(again)), batches=shuffle.randint(1, 9))
        assert folded.duplicates == 12
        hashes.add(whole_state_hash(folded))

    assert hashes == {whole_state_hash(due)}
    assert whole_state_hash(due) != due.state_hash  # the declarations are in it
    assert due.refusals == []
    assert {event.data.type for event in log} == EVENTS.keys()


@pytest.mark.parametrize("seed", range(3))
def test_a_ledger_that_restarts_before_each_event_comes_to_that_hash_too(tmp_path, seed):
    """Case 10: what a ledger remembers is what its store holds."""
    log = every_kind()
    shuffled = random.Random(seed).sample(log, len(log))  # noqa: S311
    folded = fold(shuffled, batches=1, path=tmp_path / "ledger.db", reopen=True)

    assert folded.state_hash == fold(log).state_hash


# ---------------------------------------------------------------- 11 and 12


@pytest.mark.parametrize(
    ("field", "value"),
    [("wafers", 1.5), ("wafers", 100.0), ("wafers", "100"), ("wafers", 1e-9), ("wafers", True)],
)
def test_a_fraction_of_a_wafer_is_refused_and_alters_nothing(texas, field, value):
    """Case 11: fractions are refused everywhere."""
    opened = texas.open((1, 1), 500)
    consumed = texas.consume((1, 5), 100).cloud_event()
    consumed["data"][field] = value
    folded = fold([opened, consumed])

    (refusal,) = folded.refusals
    assert refusal.path == f"data.{field}"
    assert refusal.code == ("fraction" if isinstance(value, float) else "malformed")
    assert folded.stages()["on_hand"] == 500


@pytest.mark.parametrize("place", ["revision", "wafers_damaged", "counted"])
def test_fractions_are_refused_in_every_number(texas, samsung, place):
    """Case 11: fractions are refused everywhere."""
    event = {
        "revision": samsung.commit((1, 1), "c1", 10, (3, 1)),
        "wafers_damaged": texas.receive((1, 1), "s1", 10),
        "counted": texas.count((1, 1), 10),
    }[place].cloud_event()
    event["data"][place] = 0.5

    assert [(r.code, r.path) for r in fold([event]).refusals] == [("fraction", f"data.{place}")]


def test_using_more_than_half_of_the_stock_is_no_shortage(texas):
    """Case 12: using more than half of the stock, for its order before that is due, does not turn anything red."""
    log = [texas.open((1, 1), 500), texas.require((1, 1), "o1", 400, (1, 20)), texas.consume((1, 10), 400, order="o1")]
    projection = fold(log).project(day(1, 11))

    assert projection.on_hand == 100
    assert (projection.first_short_day, projection.shortage) == (None, 0)
    assert projection.balance.min() == 100


def test_using_stock_for_no_order_leaves_the_next_order_short(texas):
    """Case 12: what is used before an order is due, and does not name the order, does not pay it."""
    log = [texas.open((1, 1), 500), texas.require((1, 1), "o1", 400, (1, 20)), texas.consume((1, 10), 400)]
    projection = fold(log).project(day(1, 11))

    assert projection.on_hand == 100
    assert (projection.first_short_day, projection.shortage) == (day_number(day(1, 20)), 300)
