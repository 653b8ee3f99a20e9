"""The lines against their naive twin and against the curves, and worked cases of what became of a promise."""

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.lines import FORECAST, LAGS, TOLERANCES, LineBook, ShortageCause
from services.aggregator.fold.queries import planned_by_day
from services.aggregator.fold.series import OPEN
from shared.play.numbering import Numbering
from shared.wire.batch import Row, canonical_bodies
from shared.wire.events import (
    FIRMNESS,
    DemandRequired,
    Event,
    EventData,
    EventReversed,
    ShipmentDispatched,
    ShipmentLost,
    ShipmentReceived,
    ShipmentRevised,
    SupplyCommitted,
)
from shared.wire.postings import LINE_EVENTS, Measure
from testing.fold import Folded, Horizon, fold
from testing.twins.ledger import in_force, number
from tests.replay.test_tape import SAID
from tests.unit.ledger.books.test_posting import HORIZON, START, logs, quick, thorough

LINED = ("plans", "shipments")
GROUPS = [(product, site) for product in ("HBM4-12H", "DDR5-16G") for site in ("abilene", "narvik")]
about_lines = logs(themes=LINED)


def said(log: list[Event]) -> list[str]:
    return canonical_bodies([Row.of(event) for event in log if event.data.type in LINE_EVENTS])


def lines_of(*parts: list[Event]) -> LineBook:
    lines = LineBook()
    for part in parts:
        lines.add(said(part))
    return lines


def everything(lines: LineBook) -> list[Any]:
    """All that lines are asked for."""
    columns = [lines.supplies(firmness) for firmness in FIRMNESS] + [lines.demands(), lines.demands(FORECAST)]
    listed = [[part.tolist() if hasattr(part, "tolist") else part for part in each] for each in columns]
    causes = [lines.causes(*group, number(START) + day) for group in GROUPS for day in range(0, 9, 2)]
    return [lines.digest(), listed, records(lines), causes]


def records(lines: LineBook) -> dict[tuple[Any, int], list[int]]:
    """What is recorded of commits: by supplier and product, and due day: a number a lag, then the others in order."""
    return {
        ((supplier, product), due): [*record.committed[:, n].tolist(), int(record.standing[n]), int(record.churned[n]),
                                     int(record.lines[n]), *record.kept[:, n].tolist()]
        for supplier in lines.suppliers()
        for product, record in lines.record(supplier).items()
        for n, due in enumerate(record.due.tolist())
    }  # fmt: skip


def column(lines: LineBook, place: int) -> dict[tuple[Any, int], int]:
    return {cell: columns[place] for cell, columns in records(lines).items() if columns[place]}


STANDING, CHURNED, DUE_LINES, KEPT, NEARLY_KEPT = range(len(LAGS), len(LAGS) + 5)


# ---------------------------------------------------------------- whatever is said


@thorough
@given(about_lines, st.randoms(use_true_random=False), st.lists(st.integers(0, 30), max_size=5))
def test_neither_order_nor_batches_nor_repetition_alter_anything(log, random, cuts):
    shuffled = random.sample(log, len(log)) + random.sample(log, len(log) // 4)
    edges = [0, *sorted(cuts), len(shuffled)]
    parts = [shuffled[a:b] for a, b in pairwise(edges)]

    assert everything(lines_of(*parts)) == everything(lines_of(log))


@quick
@given(about_lines, st.integers(0, 30))
def test_lines_that_are_read_again_are_the_same_and_go_on_the_same(log, cut):
    again = LineBook.read(orjson.loads(orjson.dumps(lines_of(log[:cut]).state())))

    assert everything(again) == everything(lines_of(log[:cut]))
    again.add(said(log[cut:]))
    assert everything(again) == everything(lines_of(log))


# ---------------------------------------------------------------- the curves


def plans_of(curves: Curves) -> dict[tuple[Any, ...], int]:
    """The wafers of each plan that lines have, too, by measure, product, site, supplier and row."""
    grouping = curves.group(("product", "site", "supplier"))
    found = {}
    for measure in (*OPEN, Measure.TRANSIT_DUE, Measure.REQUIRED, Measure.FORECAST):
        daily = planned_by_day(curves, grouping, [measure])
        for group, row in zip(*daily.nonzero(), strict=True):
            found[(measure, *grouping.labels[group], int(row))] = int(daily[group, row])
    return found


def lined_plans(lines: LineBook, curves: Curves) -> dict[tuple[Any, ...], int]:
    measures = {rank: OPEN[-rank] for rank in range(1, 6)} | {0: Measure.TRANSIT_DUE}
    found: Counter[tuple[Any, ...]] = Counter()
    for columns, fixed in (
        (lines.supplies(), None), (lines.demands(), Measure.REQUIRED), (lines.demands(FORECAST), Measure.FORECAST)
    ):  # fmt: skip
        rows = curves.rows_of(columns.day).tolist()
        for group, row, wafers, rank, supplier in zip(
            columns.group, rows, columns.wafers.tolist(), columns.rank, columns.suppliers, strict=True
        ):
            found[(fixed or measures[rank], *columns.groups[group], supplier, row)] += wafers
    return dict(found)


def told(folded: Folded) -> LineBook:
    """The lines that are told with the postings."""
    lines = LineBook()
    for stored in folded.store.told_batches(0, 1_000_000):
        lines.add(stored.postings.said)
    return lines


@thorough
@given(about_lines, st.integers(1, 9))
def test_what_stands_of_all_lines_is_what_is_planned(log, size):
    folded = fold(log, horizon=HORIZON, batches=size)

    assert lined_plans(told(folded), folded.curves) == plans_of(folded.curves)


def test_what_stands_of_the_tape_is_what_is_planned_all_along():
    """At its end little is still to come: it is compared on the way, too."""
    horizon = Horizon(date(2026, 1, 1), 1461)
    curves, lines, seen = Curves(*horizon), LineBook(), Counter[Measure]()
    for n, stored in enumerate(fold(SAID, horizon=horizon).store.told_batches(0, 1_000_000), start=1):
        curves.add(stored.postings)
        lines.add(stored.postings.said)
        if n % 50 == 0:
            planned = plans_of(curves)
            seen.update(measure for measure, *_ in planned)
            assert lined_plans(lines, curves) == planned

    assert lined_plans(lines, curves) == plans_of(curves)
    assert seen.keys() >= {*OPEN, Measure.TRANSIT_DUE, Measure.REQUIRED, Measure.FORECAST}
    assert everything(LineBook.read(orjson.loads(orjson.dumps(lines.state())))) == everything(lines)


# ---------------------------------------------------------------- the naive twin


def live(log: list[Event]) -> list[Event]:
    undone = {(event.source, event.data.reversed) for event in log if isinstance(event.data, EventReversed)}
    return [event for event in log if (event.source, event.id) not in undone]


def statements(log: list[Event], kind: type = SupplyCommitted) -> dict[Any, list[Event]]:
    """What was said of each line, the one in force last."""
    of_line: dict[Any, list[Event]] = defaultdict(list)
    for event in sorted(live(log), key=lambda e: (getattr(e.data, "revision", 0), e.id)):
        if isinstance(event.data, kind):
            of_line[event.source, event.data.line].append(event)
    return of_line


@quick
@given(about_lines, st.sampled_from(LAGS), st.integers(0, 30))
def test_what_was_committed_at_a_lag_is_what_was_in_force_then(log, lag, later):
    """The days of a log are few: commits are due later, so that the lag meets them."""
    log = [postponed(event, later) for event in log]
    expected: Counter[Any] = Counter()
    for said_of_line in statements(log).values():
        for due in {event.data.due for event in said_of_line}:
            known = [event for event in said_of_line if event.time.date() <= due - timedelta(days=lag)]
            if known and known[-1].data.due == due:
                data = known[-1].data
                expected[(data.supplier, data.product), number(due)] += data.wafers

    assert column(lines_of(log), LAGS.index(lag)) == {cell: n for cell, n in expected.items() if n}


def postponed(event: Event, days: int) -> Event:
    if not isinstance(event.data, SupplyCommitted):
        return event
    return event.model_copy(
        update={"data": event.data.model_copy(update={"due": event.data.due + timedelta(days=days)})}
    )


@quick
@given(about_lines)
def test_churn_is_what_statements_differ_from_the_ones_before(log):
    changed: Counter[Any] = Counter()
    standing: Counter[Any] = Counter()
    for said_of_line in statements(log).values():
        said, now = [event.data for event in said_of_line], said_of_line[-1].data
        cell = (now.supplier, now.product), number(now.due)
        standing[cell] += now.wafers
        for a, b in pairwise(said):
            changed[cell] += abs(b.wafers - a.wafers) if a.due == b.due else max(a.wafers, b.wafers)

    assert column(lines_of(log), CHURNED) == {cell: n for cell, n in changed.items() if n}
    assert column(lines_of(log), STANDING) == {cell: n for cell, n in standing.items() if n}


@quick
@given(about_lines)
def test_receipts_fill_the_dispatches_of_a_shipment_wafer_by_wafer(log):
    sent, came = defaultdict(list), defaultdict(list)
    for event in in_order_of_dispatch(log):
        sent[event.source, event.data.product, event.data.shipment] += [event.data.commit] * event.data.wafers
    for event in sorted(live(log), key=lambda e: (e.time.date(), e.source, e.id)):
        if isinstance(event.data, ShipmentReceived):
            data = event.data
            came[data.owner, data.product, data.shipment] += [number(event.time.date())] * data.wafers
    expected: Counter[Any] = Counter()
    for (owner, *shipment), commits in sent.items():
        days = came[(owner, *shipment)]
        for n, day in enumerate(days):
            expected[owner, commits[min(n, len(commits) - 1)], day] += 1

    lines = lines_of(log)
    receipts = {
        (owner, line, day): wafers
        for (owner, kind, line), plan in lines.plans.items()
        for day, wafers in plan.receipts.items()
        if kind == "supply.committed"
    }
    assert receipts == {cell: n for cell, n in expected.items() if cell[1] is not None}

    due, kept = Counter[Any](), [Counter[Any](), Counter[Any]()]
    for (source, line), said_of_line in statements(log).items():
        now = said_of_line[-1].data
        cell = (now.supplier, now.product), number(now.due)
        due[cell] += now.wafers > 0
        for place, (days, percent) in enumerate(TOLERANCES):
            in_time = range(-(10**6), number(now.due) + days + 1)
            got = sum(n for (*commit, day), n in expected.items() if commit == [source, line] and day in in_time)
            kept[place][cell] += now.wafers > 0 and got >= now.wafers * (100 - percent) / 100
    assert column(lines, DUE_LINES) == {cell: n for cell, n in due.items() if n}
    assert [column(lines, KEPT), column(lines, NEARLY_KEPT)] == [{c: n for c, n in k.items() if n} for k in kept]


def in_order_of_dispatch(log: list[Event]) -> list[Any]:
    sent = [event for event in live(log) if isinstance(event.data, ShipmentDispatched)]
    return sorted(sent, key=lambda e: (e.time.date(), e.data.eta, e.data.site, e.id))


@thorough
@given(about_lines, st.sampled_from(GROUPS), st.integers(0, 9))
def test_the_causes_of_a_line_come_to_what_is_missing_of_it(log, group, day):
    through = START + timedelta(days=day)
    expected = {}
    commits, sent = statements(log), in_order_of_dispatch(log)
    for (source, line), said_of_line in commits.items():
        first, now = said_of_line[0].data, said_of_line[-1].data
        dispatched = sum(e.data.wafers for e in sent if (e.source, e.data.commit) == (source, line))
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
    for cause in lines_of(log).causes(*group, number(through)):
        assert cause.wafers > 0
        found[cause.name] += cause.wafers
    assert found == {name: wafers for name, wafers in expected.items() if wafers > 0}


def by_then(data: Any, group: tuple[str, str], through: date) -> bool:
    return bool((data.product, data.site) == group and data.due <= through)


def missing_of(name: Any, log: list[Event], commits: Any, group: tuple[str, str], through: date) -> int:
    """What of a shipment was to be there by a day, less what was received or is to be there by it."""
    owner, product, shipment = name[0], name[1].removeprefix("shipment/"), name[2]
    own = [e for e in live(log) if getattr(e.data, "shipment", "") == shipment and e.data.product == product]
    sent = [e for e in in_order_of_dispatch(own) if e.source == owner]
    first = sent[0].data
    missing = 0
    for event in sent:
        said_of_line = commits.get((owner, event.data.commit))
        promised = said_of_line[-1].data if said_of_line else first.model_copy(update={"due": first.eta})
        due = getattr(promised, "due", first.eta)
        missing += event.data.wafers * ((promised.product, promised.site) == group and due <= through)
    revised = in_force(live(log), ShipmentRevised, "shipment").get((owner, product, shipment))
    plan = first if revised is None else revised.data
    ends = [e for e in own if getattr(e.data, "owner", "") == owner]
    gone = sum(e.data.wafers + getattr(e.data, "wafers_damaged", 0) for e in ends)
    if (product, plan.site) == group and plan.eta <= through:
        missing -= max(0, sum(e.data.wafers for e in sent) - gone)
    return missing - sum(
        e.data.wafers
        for e in ends
        if isinstance(e.data, ShipmentReceived) and (product, e.data.site) == group and e.time.date() <= through
    )


# ---------------------------------------------------------------- worked cases

KEY = {"product": "HBM4-12H", "site": "abilene", "supplier": "samsung"}


class Story:
    """What a supplier and a site say, on days of April 2026."""

    def __init__(self) -> None:
        self.supplier, self.center = Numbering("samsung"), Numbering("americas")
        self.log: list[Event] = []

    def say(self, day: int, data: EventData) -> Event:
        numbering = self.supplier if "supplier" in data.said_by and type(data) is not EventReversed else self.center
        self.log.append(numbering.emit(datetime(2026, 4, day, 12, tzinfo=UTC), data))
        return self.log[-1]

    def commit(self, day: int, wafers: int, due: int, revision: int = 0, **other: str) -> Event:
        said = {"line": "c", "firmness": "firm"} | KEY | other
        return self.say(day, SupplyCommitted(due=date(2026, 4, due), wafers=wafers, revision=revision, **said))

    def send(self, day: int, wafers: int, eta: int, commit: str | None = None, **other: str) -> Event:
        said = {"shipment": "s"} | KEY | other
        return self.say(day, ShipmentDispatched(wafers=wafers, eta=date(2026, 4, eta), commit=commit, lots=[], **said))

    def revise(self, day: int, eta: int, revision: int = 1, **other: str) -> Event:
        return self.say(day, ShipmentRevised(shipment="s", eta=date(2026, 4, eta), revision=revision, **(KEY | other)))

    def receive(self, day: int, wafers: int, damaged: int = 0, **other: str) -> Event:
        said = {"shipment": "s", "owner": "samsung"} | KEY | other
        return self.say(day, ShipmentReceived(wafers=wafers, wafers_damaged=damaged, **said))

    def order(self, day: int, wafers: int, due: int, revision: int = 0, **other: str) -> Event:
        data = DemandRequired(
            due=date(2026, 4, due), start_by=date(2026, 4, 1), priority=2, wafers=wafers, revision=revision,
            **({"line": "o"} | KEY | other),
        )  # fmt: skip
        return self.say(day, data)

    def causes(self, through: int, site: str = "abilene") -> list[tuple[int, str, str]]:
        found = lines_of(self.log).causes("HBM4-12H", site, number(date(2026, 4, through)))
        return [(cause.wafers, cause.what, cause.event) for cause in found]


@pytest.fixture
def story() -> Story:
    return Story()


def test_a_commit_that_is_redated_and_lowered_says_both(story):
    story.commit(1, 100, 10)
    lowered = story.commit(2, 80, 10, 1)
    redated = story.commit(3, 80, 20, 2)
    story.commit(4, 80, 20, 3, site="abilene")  # says nothing new: the causes remain those before

    assert story.causes(9) == []
    assert story.causes(10) == [(80, "re-dated", redated.id), (20, "lowered", lowered.id)]
    assert story.causes(20) == [(20, "lowered", lowered.id)]


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

    assert lines_of(story.log).causes("HBM4-12H", "abilene", number(date(2026, 4, 10))) == [
        ShortageCause(40, "lowered", ("samsung", "supply.committed", "c"), "samsung", event.id)
    ]


def test_a_commit_counts_at_each_lag_as_it_stood_then(story):
    story.commit(1, 100, 29)  # 28 days before
    story.commit(20, 70, 29, 1)
    lines = lines_of(story.log)
    due = number(date(2026, 4, 29))

    record = lines.record("samsung")["HBM4-12H"]
    assert (record.due.tolist(), record.churned.tolist(), record.standing.tolist()) == ([due], [30], [70])
    assert record.committed.tolist() == [[70], [100], [0], [0], [0]]


def test_columns_go_by_group_day_rank_and_name(story):
    story.commit(1, 100, 10)
    sent = story.send(2, 40, 10, "c")
    order = story.order(1, 60, 12)
    supplies, demands = lines_of(story.log).supplies(), lines_of(story.log).demands()

    assert (supplies.groups, supplies.group.tolist()) == ([("HBM4-12H", "abilene")], [0, 0])
    assert (supplies.wafers.tolist(), supplies.rank.tolist()) == ([40, 60], [0, 2])  # 2: firm
    assert supplies.events[0] == sent.id
    assert supplies.names[1] == ("samsung", "supply.committed", "c")
    assert lines_of(story.log).supplies("immediate").wafers.tolist() == [40]
    assert (demands.wafers.tolist(), demands.rank.tolist(), demands.events) == ([60], [2], [order.id])


def test_no_lines_have_columns_of_no_rows():
    assert everything(LineBook())[1] == [[[], [], [], [], [], [], [], []]] * 7


def test_two_shipments_of_a_commit_are_counted_with_what_came_of_them(story):
    story.commit(1, 100, 10)
    story.send(2, 40, 10, "c")
    story.send(3, 20, 10, "c")
    story.receive(10, 38, damaged=2)
    story.receive(12, 20)

    plan = lines_of(story.log).plans["samsung", "supply.committed", "c"]
    first = number(date(2026, 4, 10))
    assert (plan.dispatched, plan.receipts) == (60, {first: 38, first + 2: 20})


@pytest.mark.parametrize(
    ("day", "wafers", "kept"),
    [(10, 100, [1, 1]), (11, 100, [0, 1]), (17, 95, [0, 1]), (17, 94, [0, 0]), (18, 100, [0, 0])],
)
def test_a_commit_is_kept_when_all_came_in_time_and_nearly_kept_when_most_came_soon_after(story, day, wafers, kept):
    story.commit(1, 100, 10)
    story.send(2, 100, 10, "c")
    story.receive(day, wafers)

    record = lines_of(story.log).record("samsung")["HBM4-12H"]
    assert (record.lines.tolist(), record.kept[:, 0].tolist()) == ([1], kept)


def test_a_commit_that_was_withdrawn_is_not_due(story):
    story.commit(1, 100, 10)
    story.commit(2, 0, 10, 1)

    record = lines_of(story.log).record("samsung")["HBM4-12H"]
    assert (record.lines.tolist(), record.kept.tolist(), record.churned.tolist()) == ([0], [[0], [0]], [100])
