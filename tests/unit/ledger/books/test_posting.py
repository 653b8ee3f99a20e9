"""The postings against their naive twin, and what must hold of them for any events."""

import tempfile
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.ledger.books.memory import Memory
from services.ledger.books.posting import post_events
from shared.wire.events import (
    DemandForecast,
    DemandRequired,
    Event,
    EventReversed,
    LotFinished,
    LotScrapped,
    LotStarted,
    ShipmentDispatched,
    ShipmentLost,
    ShipmentReceived,
    ShipmentReturned,
    ShipmentRevised,
    SourceAdvanced,
    StockCounted,
    StockOpened,
    StockTransferred,
    SupplyAgreed,
    SupplyCommitted,
    WafersConsumed,
    event_id,
)
from shared.wire.firmness import FIRMNESS
from shared.wire.postings import STAGES, Measure
from shared.wire.rows import Row
from testing.fold import Folded, Horizon, cells_of, fold
from testing.twins.ledger import sum_up

START = date(2026, 3, 25)
HORIZON = Horizon(date(2026, 3, 20), 60)
SUPPLIERS = ("samsung", "skhynix")
DATACENTERS = ("americas", "emea")

days = st.integers(0, 8).map(lambda n: START + timedelta(days=n))
lines = st.sampled_from(["a", "a", "b"])
sites = st.sampled_from(["abilene", "abilene", "narvik"])
wafers = st.integers(1, 9) | st.sampled_from([40, 100])
wafers_or_none = st.just(0) | wafers
revisions = st.integers(0, 1)
products = st.sampled_from(["HBM4-12H", "HBM4-12H", "DDR5-16G"])
owners = st.sampled_from(SUPPLIERS)
whose = st.sampled_from(["samsung", "samsung", "skhynix", "unattributed"])
Kinds = list[st.SearchStrategy[Any]]


def built(kind: type, supplier: st.SearchStrategy[str], **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(kind, product=products, site=sites, supplier=supplier, **fields)


def supplied(source: str) -> dict[str, Kinds]:
    """What a supplier may say, by what it is about."""
    own = st.just(source)
    sent = built(
        ShipmentDispatched, own, shipment=lines, wafers=wafers, eta=days, commit=st.none() | lines, lots=st.just([])
    )
    return {
        "plans": [
            built(SupplyAgreed, own, agreement=lines, instrument=st.just("LOI"), wafers_per_month=wafers_or_none,
                  starts_on=days, ends_on=days, revision=revisions),
            built(SupplyCommitted, own, line=lines, due=days, firmness=st.sampled_from(FIRMNESS),
                  wafers=wafers_or_none, revision=revisions),
            sent,
        ],
        "lots": [
            built(LotStarted, own, lot=lines, fab=st.just("P4"), wafers=st.integers(1, 25), due_out=days),
            built(LotScrapped, own, lot=lines, cause=st.just(""), wafers=wafers),
            built(LotFinished, own, lot=lines, wafers=wafers_or_none, yield_variance=st.integers(-5, 5)),
            st.builds(SourceAdvanced, through=days),
        ],
        "shipments": [
            sent,
            built(ShipmentRevised, own, shipment=lines, eta=days, revision=revisions),
            built(ShipmentLost, own, shipment=lines, owner=owners, wafers=wafers),
        ],
        "stock": [],
    }  # fmt: skip


DEMANDED: dict[str, Kinds] = {
    "plans": [
        built(DemandForecast, whose, line=lines, due=days, wafers=wafers_or_none, revision=revisions),
        built(DemandRequired, whose, line=lines, due=days, start_by=days, priority=st.just(1), wafers=wafers_or_none,
              revision=revisions),
        built(WafersConsumed, whose, phase=st.just("p1"), wafers=wafers, order=lines),
    ],
    "lots": [st.builds(SourceAdvanced, through=days)],
    "shipments": [
        built(ShipmentReceived, whose, shipment=lines, owner=owners, wafers=wafers, wafers_damaged=wafers_or_none),
        built(ShipmentReceived, whose, shipment=lines, owner=owners, wafers=wafers_or_none, wafers_damaged=wafers),
        built(ShipmentLost, whose, shipment=lines, owner=owners, wafers=wafers),
        built(ShipmentReturned, whose, shipment=lines, owner=owners, wafers=wafers),
    ],
    "stock": [
        built(WafersConsumed, whose, phase=st.just("p1"), wafers=wafers),
        built(WafersConsumed, whose, phase=st.just("p1"), wafers=wafers, order=lines),
        built(StockOpened, whose, wafers=wafers),
        built(StockTransferred, whose, wafers=wafers, to_site=sites),
        *[built(StockCounted, whose, counted=wafers_or_none, revision=revisions)] * 3,
    ],
}  # fmt: skip
SUPPLIED = {source: supplied(source) for source in SUPPLIERS}
THEMES = tuple(DEMANDED)


def spoken(themes: tuple[str, ...]) -> st.SearchStrategy[tuple[str, Any]]:
    """Draw who says what; a number says that it reverses the event of that index, or one that never was."""
    said = [st.tuples(st.just(s), kind) for s, kinds in SUPPLIED.items() for theme in themes for kind in kinds[theme]]
    said += [st.tuples(st.just(s), kind) for s in DATACENTERS for theme in themes for kind in DEMANDED[theme]]
    undone = st.tuples(st.sampled_from(SUPPLIERS + DATACENTERS), st.integers(0, 40))
    return st.one_of(*said, undone, undone)


@st.composite
def logs(draw: st.DrawFn, events_max: int = 30, themes: tuple[str, ...] | None = None) -> list[Event]:
    """Draw what the parties say, each in the order of its sequence; of one theme mostly, so that much meets."""
    themes = themes or draw(st.sampled_from([THEMES, *((theme,) for theme in THEMES)]))
    size = draw(st.integers(0, events_max))
    drawn = draw(st.lists(st.tuples(spoken(themes), days, st.integers(0, 23)), min_size=size, max_size=size))
    sequences: Counter[str] = Counter()
    ids = []
    for (source, _), day, hour in drawn:
        sequences[source] += 1
        time = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
        # ids of one moment: they sort otherwise than the times
        ids.append(
            (source, sequences[source], time, event_id(datetime(2026, 1, 1, tzinfo=UTC), source, "", sequences[source]))
        )
    log = []
    for ((_, data), _, _), (source, sequence, time, id_) in zip(drawn, ids, strict=True):
        if isinstance(data, int):
            own = [known for said_by, _, _, known in ids if said_by == source or data % 5 == 0]
            target = own[data % len(own)] if data % 7 else event_id(time, source, "never said", data)
            log.append(Event(id=id_, source=source, sequence=sequence, time=time,
                             data=EventReversed(reversed=target, reason="")))  # fmt: skip
        else:
            log.append(Event(id=id_, source=source, sequence=sequence, time=time, data=data))
    return log


thorough = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
quick = settings(thorough, max_examples=40)


# ---------------------------------------------------------------- whatever is said


@thorough
@given(logs(), st.randoms(use_true_random=False), st.integers(1, 6))
def test_the_postings_sum_to_what_the_set_of_events_comes_to(log, shuffle, size):
    again = log + shuffle.sample(log, len(log) // 4)
    folded = fold(shuffle.sample(again, len(again)), batches=size, horizon=HORIZON)

    assert folded.cells() == sum_up(log)


@quick
@given(logs(), st.randoms(use_true_random=False), st.lists(st.integers(1, 5), max_size=10))
def test_neither_order_nor_batches_alter_the_state_hash(log, shuffle, sizes):
    shuffled = fold(shuffle.sample(log, len(log)), batches=sizes, horizon=HORIZON)

    assert shuffled.state_hash == fold(log, horizon=HORIZON).state_hash


@settings(quick, max_examples=30)
@given(logs(), st.randoms(use_true_random=False))
def test_a_ledger_that_starts_anew_before_each_batch_posts_the_same(log, shuffle):
    shuffled = shuffle.sample(log, len(log))
    with tempfile.TemporaryDirectory() as folder:
        folded = fold(shuffled, batches=3, horizon=HORIZON, path=Path(folder) / "ledger.db", reopen=True)
        cells, head = folded.cells(), folded.store.head
        folded.store.close()
    whole = fold(shuffled, batches=3, horizon=HORIZON)

    assert (cells, head) == (sum_up(log), whole.store.head)


@quick
@given(logs(), st.randoms(use_true_random=False))
def test_no_wafer_comes_from_nowhere(log, shuffle):
    """Double entry: transfers pass on what they take, diversions too, save what came and was never dispatched."""
    stages: Counter[tuple[str, str]] = Counter()
    for (measure, _, (product, _, _)), moved in fold(shuffle.sample(log, len(log)), batches=4).cells().items():
        if measure in STAGES:
            out, into = STAGES[measure]
            stages[product, out] -= moved
            stages[product, into] += moved

    for product in ("HBM4-12H", "DDR5-16G"):
        assert stages[product, "transferred"] == 0
        assert stages[product, "diverted"] <= 0
        assert sum(held for (of, _), held in stages.items() if of == product) == 0


@quick
@given(logs())
def test_what_is_in_transit_is_what_is_due_and_never_less_than_nothing(log):
    moved: defaultdict[tuple[str, str, str], Counter[int]] = defaultdict(Counter)
    due: Counter[tuple[str, str, str]] = Counter()
    for (measure, day, key), wafers in fold(log, horizon=HORIZON).cells().items():
        if measure in STAGES:
            out, into = STAGES[measure]
            moved[key][day] += wafers * ((into == "transit") - (out == "transit"))
        elif measure == Measure.TRANSIT_DUE:
            due[key] += wafers

    for key, by_day in moved.items():
        in_transit = list(accumulate(by_day[day] for day in sorted(by_day)))
        assert min(in_transit) >= 0
        assert in_transit[-1] == due[key]


# ---------------------------------------------------------------- reversals


class Voices:
    """Events of one datacenter and one supplier, on the first days of April."""

    def __init__(self) -> None:
        self.sequences: Counter[str] = Counter()

    def say(self, source: str, day: int, data: Any) -> Event:
        self.sequences[source] += 1
        time = datetime(2026, 4, day, 12, tzinfo=UTC)
        id_ = event_id(time, source, "", self.sequences[source])
        return Event(id=id_, source=source, sequence=self.sequences[source], time=time, data=data)

    def open(self, day: int, wafers: int) -> Event:
        return self.say("americas", day, StockOpened(wafers=wafers, **KEY))

    def count(self, day: int, counted: int) -> Event:
        return self.say("americas", day, StockCounted(counted=counted, **KEY))

    def undo(self, event: Event, source: str = "americas") -> Event:
        return self.say(source, 9, EventReversed(reversed=event.id, reason=""))


KEY = {"product": "HBM4-12H", "site": "abilene", "supplier": "samsung"}


@pytest.fixture
def voices() -> Voices:
    return Voices()


def on_hand(folded: Folded) -> int:
    return folded.stages()["on_hand"]


@pytest.mark.parametrize("size", [1, 10])
def test_a_reversal_reaches_its_target_in_the_same_batch_and_in_another(voices, size):
    opened = voices.open(1, 100)
    log = [opened, voices.open(2, 7), voices.undo(opened)]

    assert on_hand(fold(log, batches=size)) == on_hand(fold(log[::-1], batches=size)) == 7


def test_several_reversals_of_one_event_act_once(voices):
    opened = voices.open(1, 100)
    log = [opened, voices.undo(opened), voices.undo(opened), voices.undo(opened)]

    assert on_hand(fold(log, batches=1)) == 0


@pytest.mark.parametrize("size", [1, 10])
def test_a_reversal_cannot_be_reversed(voices, size):
    opened = voices.open(1, 100)
    undone = voices.undo(opened)
    log = [opened, undone, voices.undo(undone)]

    assert on_hand(fold(log, batches=size)) == on_hand(fold(log[::-1], batches=size)) == 0


def test_nobody_reverses_what_another_said(voices):
    opened = voices.open(1, 100)

    assert on_hand(fold([opened, voices.undo(opened, "emea")])) == 100


def test_a_reversal_that_came_first_waits_through_a_restart(voices, tmp_path):
    opened = voices.open(1, 100)
    folded = fold([voices.undo(opened), opened], batches=1, path=tmp_path / "ledger.db", reopen=True)

    assert on_hand(folded) == 0
    assert folded.refusals == []


# ---------------------------------------------------------------- shipments and counts


def test_a_shipment_diverted_on_its_way_leaves_nothing_at_the_first_site(voices):
    log = [
        voices.say("samsung", 1, ShipmentDispatched(
            shipment="s", wafers=100, eta=date(2026, 4, 8), commit=None, lots=[], **KEY)),
        voices.say("samsung", 2, ShipmentRevised(
            shipment="s", eta=date(2026, 4, 9), revision=1, **(KEY | {"site": "narvik"}))),
    ]  # fmt: skip
    arrived = voices.say(
        "emea", 8,
        ShipmentReceived(shipment="s", owner="samsung", wafers=130, wafers_damaged=0, **(KEY | {"site": "narvik"})),
    )  # fmt: skip
    folded = fold([*log, arrived], batches=1)

    assert fold(log).stages(site="narvik")["in_transit"] == 100
    assert fold(log).planned(Measure.TRANSIT_DUE, site="narvik") == {date(2026, 4, 9): 100}
    assert folded.stages(site="abilene")["in_transit"] == 0
    assert folded.stages(site="narvik")["in_transit"] == 0  # 30 more than were sent: an alert tells it
    assert folded.planned(Measure.TRANSIT_DUE) == {}


def test_a_shipment_sent_in_two_parts_on_one_day_is_planned_by_the_eta_of_each(voices):
    def dispatch(eta: int, site: str) -> Event:
        said = ShipmentDispatched(
            shipment="s", wafers=50, eta=date(2026, 4, eta), commit=None, lots=[], **(KEY | {"site": site})
        )
        return voices.say("samsung", 1, said)

    log = [dispatch(9, "abilene"), dispatch(8, "narvik")]
    folded = fold(log)

    assert fold(log[::-1], batches=1).state_hash == folded.state_hash
    assert folded.planned(Measure.TRANSIT_DUE) == {date(2026, 4, 8): 50, date(2026, 4, 9): 50}
    assert folded.planned(Measure.TRANSIT_DUE, site="narvik") == {date(2026, 4, 8): 50}
    assert [folded.stages(site=site)["in_transit"] for site in ("abilene", "narvik")] == [50, 50]


def test_shipments_of_one_name_but_two_owners_never_meet(voices):
    def dispatch(owner: str) -> Event:
        said = ShipmentDispatched(
            shipment="s", wafers=100, eta=date(2026, 4, 8), commit=None, lots=[], **(KEY | {"supplier": owner})
        )
        return voices.say(owner, 1, said)

    received = voices.say(
        "americas", 5, ShipmentReceived(shipment="s", owner="skhynix", wafers=100, wafers_damaged=0,
                                        **(KEY | {"supplier": "skhynix"}))
    )  # fmt: skip
    folded = fold([dispatch("samsung"), dispatch("skhynix"), received])

    assert folded.stages(supplier="samsung")["in_transit"] == 100
    assert folded.stages(supplier="skhynix")["in_transit"] == 0


def test_a_line_that_is_no_longer_remembered_is_read_from_the_store(voices):
    log = [
        voices.say("samsung", 1, SupplyCommitted(
            line="c", due=date(2026, 4, 20), firmness="firm", wafers=wafers, revision=n, **KEY))
        for n, wafers in enumerate((100, 70, 90))
    ]  # fmt: skip
    folded = fold([*log, voices.undo(log[1], "samsung"), voices.undo(log[2], "samsung")], batches=1, lines_max=0)

    assert folded.store.memory.lines == Memory().lines == {}
    assert cells_of(folded.store) == sum_up([log[0]])


def test_the_lines_of_a_batch_are_asked_for_at_once(voices):
    said = [
        voices.say(
            "samsung",
            1,
            SupplyCommitted(line=line, due=date(2026, 4, 20), firmness="firm", wafers=9, revision=0, **KEY),
        )
        for line in "abab"
    ]
    sent = ShipmentDispatched(shipment="s", wafers=3, eta=date(2026, 4, 2), commit="c", lots=[], **KEY)
    log = [*said, voices.undo(said[0], "samsung"), voices.say("samsung", 2, sent)]
    asked = []
    memory = Memory(load_lines=lambda names: asked.append(list(names)) or {})
    for _ in range(2):
        post_events([Row.of(event) for event in log], memory)

    commits = [("samsung", "supply.committed", line) for line in "abc"]
    assert asked == [[*commits[:2], ("samsung", "shipment/HBM4-12H", "s"), commits[2]]]


def test_a_line_that_is_asked_for_in_vain_is_not_remembered(voices):
    commit = voices.say(
        "samsung", 1, SupplyCommitted(line="c", due=date(2026, 4, 20), firmness="firm", wafers=9, revision=0, **KEY)
    )
    memory = Memory()
    post_events([Row.of(voices.undo(commit, "samsung")), Row.of(commit)], memory)

    assert memory.lines == {}
