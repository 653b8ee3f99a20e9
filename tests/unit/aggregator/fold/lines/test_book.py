"""The book of lines against its naive twin and the curves, and worked cases of commit records."""

from collections import Counter, defaultdict
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.lines.book import LineBook
from services.aggregator.fold.lines.causes import find_causes
from services.aggregator.fold.lines.facts import FORECAST
from services.aggregator.fold.queries import planned_by_day
from services.aggregator.fold.series import OPEN
from services.aggregator.terms import LAGS
from shared.wire.days import day_number
from shared.wire.events import EventReversed, ShipmentLost, ShipmentReceived
from shared.wire.firmness import FIRMNESS
from shared.wire.lines import ORDER
from shared.wire.postings import Measure
from testing.fold import Horizon, fold
from testing.lines import Story, bodies_of, demands, lines_of, lines_published, supplies
from testing.twins.lines import churn, in_order_of_dispatch, live, postponed, promise_at, statements
from tests.replay.test_tape import SAID
from tests.unit.ledger.books.test_posting import HORIZON, START, logs, quick, thorough

LINED = ("plans", "shipments")
GROUPS = [(product, site) for product in ("HBM4-12H", "DDR5-16G") for site in ("abilene", "narvik")]
about_lines = logs(themes=LINED)


def everything(lines: LineBook) -> list[Any]:
    """All answers of a book."""
    columns = [supplies(lines, firmness) for firmness in FIRMNESS] + [demands(lines), demands(lines, FORECAST)]
    listed = [[part.tolist() if hasattr(part, "tolist") else part for part in each] for each in columns]
    causes = [find_causes(lines, *group, day_number(START) + day) for group in GROUPS for day in range(0, 9, 2)]
    return [lines.digest(), listed, records(lines), causes, lines.lead_days()]


def records(lines: LineBook) -> dict[tuple[Any, int], list[int]]:
    """What is recorded of commits, by supplier and product, and due day: four numbers a lag, then the others."""
    return {
        ((supplier, product), due): [*np.vstack((record.committed, record.lines, *record.kept))[:, n].tolist(),
                                     int(record.in_force[n]), int(record.churned[n]), int(record.answered[n])]
        for supplier in lines.suppliers()
        for product, record in lines.record(supplier).items()
        for n, due in enumerate(record.due.tolist())
    }  # fmt: skip


def column(lines: LineBook, place: int) -> dict[tuple[Any, int], int]:
    return {cell: columns[place] for cell, columns in records(lines).items() if columns[place]}


COMMITTED, DUE_LINES, KEPT, NEARLY_KEPT, IN_FORCE = range(0, 5 * len(LAGS), len(LAGS))
CHURNED, ANSWERED = IN_FORCE + 1, IN_FORCE + 2


# ---------------------------------------------------------------- any log


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
    again.add(bodies_of(log[cut:]))
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
    orders = (line.statements[-1] for line in lines.plans.values() if line.name[1] == ORDER and line.statements)
    for order in orders:  # whole: its wafers that were consumed for it stay required, and are due no more
        if order.wafers:
            row = int(curves.rows_of(np.array([order.due]))[0])
            found[(Measure.REQUIRED, *order.key, row)] += order.wafers
    for columns, fixed in ((supplies(lines), None), (demands(lines, FORECAST), Measure.FORECAST)):
        rows = curves.rows_of(columns.day).tolist()
        for group, row, wafers, rank, supplier in zip(
            columns.group, rows, columns.wafers.tolist(), columns.rank, columns.suppliers, strict=True
        ):
            found[(fixed or measures[rank], *columns.groups[group], supplier, row)] += wafers
    return dict(found)


@thorough
@given(about_lines, st.integers(1, 9))
def test_what_stands_of_all_lines_is_what_is_planned(log, size):
    folded = fold(log, horizon=HORIZON, batches=size)

    assert lined_plans(lines_published(folded), folded.curves) == plans_of(folded.curves)


def test_what_stands_of_the_tape_is_what_is_planned_all_along():
    """At its end little is still to come: it is compared on the way, too."""
    horizon = Horizon(date(2026, 1, 1), 1461)
    curves, lines, seen = Curves(*horizon), LineBook(), Counter[Measure]()
    for n, stored in enumerate(fold(SAID, horizon=horizon).store.published_batches(0, 1_000_000), start=1):
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


@quick
@given(about_lines, st.sampled_from(LAGS), st.integers(0, 30))
def test_what_was_committed_at_a_lag_is_one_promise_a_line_as_it_was_in_force_then(log, lag, later):
    """The days of a log are few: commits are due later, so that the lag meets them."""
    log = [postponed(event, later) for event in log]
    committed, promised = Counter[Any](), Counter[Any]()
    for of_line in statements(log).values():
        data = promise_at(of_line, lag)
        if data is not None:
            committed[(data.supplier, data.product), day_number(data.due)] += data.wafers
            promised[(data.supplier, data.product), day_number(data.due)] += 1

    lines = lines_of(log)
    assert column(lines, COMMITTED + LAGS.index(lag)) == committed
    assert column(lines, DUE_LINES + LAGS.index(lag)) == promised


@quick
@given(about_lines)
def test_churn_is_what_statements_differ_from_the_ones_before_and_no_new_commit_replaced(log):
    changed: Counter[Any] = Counter()
    in_force: Counter[Any] = Counter()
    altered = churn(log)
    for line, of_line in statements(log).items():
        now = of_line[-1].data
        cell = (now.supplier, now.product), day_number(now.due)
        in_force[cell] += now.wafers
        changed[cell] += altered[line][0]

    assert column(lines_of(log), CHURNED) == {cell: n for cell, n in changed.items() if n}
    assert column(lines_of(log), IN_FORCE) == {cell: n for cell, n in in_force.items() if n}


@quick
@given(about_lines)
def test_what_comes_to_an_end_ends_the_dispatches_of_a_shipment_wafer_by_wafer(log):
    sent, came = defaultdict(list), defaultdict(list)
    for event in in_order_of_dispatch(log):
        sent[event.source, event.data.product, event.data.shipment] += [event.data.commit] * event.data.wafers
    for event in live(log):
        if isinstance(event.data, ShipmentReceived | ShipmentLost):
            data, day = event.data, day_number(event.time.date())
            good, gone = (data.wafers, data.wafers_damaged) if isinstance(data, ShipmentReceived) else (0, data.wafers)
            came[data.owner, data.product, data.shipment] += [(day, False)] * good + [(day, True)] * gone
    commit_products = {line: of_line[-1].data.product for line, of_line in statements(log).items()}
    expected: Counter[Any] = Counter()
    for (owner, *shipment), commits in sent.items():
        for n, (day, is_gone) in enumerate(sorted(came[(owner, *shipment)])):
            commit = commits[min(n, len(commits) - 1)]
            if not is_gone and commit_products.get((owner, commit)) == shipment[0]:
                expected[owner, commit, day] += 1

    lines = lines_of(log)
    receipts = {
        (owner, line, day): wafers
        for (owner, kind, line), plan in lines.plans.items()
        for day, wafers in plan.receipts.items()
        if kind == "supply.committed"
    }
    assert receipts == expected

    kept = [Counter[Any](), Counter[Any]()]
    for (source, line), of_line in statements(log).items():
        now = promise_at(of_line, 0)
        for place, (_, days, percent) in enumerate(lines.tolerances if now else ()):
            in_time = range(-(10**6), day_number(now.due) + days + 1)
            got = sum(n for (*commit, day), n in expected.items() if commit == [source, line] and day in in_time)
            kept[place][(now.supplier, now.product), day_number(now.due)] += got >= now.wafers * (100 - percent) / 100
    assert [column(lines, KEPT), column(lines, NEARLY_KEPT)] == [{c: n for c, n in k.items() if n} for k in kept]


# ---------------------------------------------------------------- worked cases


@pytest.fixture
def story() -> Story:
    return Story()


def test_a_commit_counts_at_each_lag_as_it_stood_then(story):
    story.commit(1, 100, 29)  # 28 days before
    story.commit(20, 70, 29, 1)
    lines = lines_of(story.log)
    due = day_number(date(2026, 4, 29))

    record = lines.record("samsung")["HBM4-12H"]
    assert (record.due.tolist(), record.churned.tolist(), record.in_force.tolist()) == ([due], [30], [70])
    assert record.committed.tolist() == [[70], [100], [0], [0], [0]]


def test_a_commit_moved_when_it_is_due_is_due_when_it_was(story):
    story.commit(1, 100, 10)
    story.commit(12, 100, 20, 1)
    story.send(14, 100, 15, "c")
    story.receive(15, 100)
    record = lines_of(story.log).record("samsung")["HBM4-12H"]

    assert record.due.tolist() == [day_number(date(2026, 4, day)) for day in (10, 20)]
    assert (record.committed[0].tolist(), record.lines[0].tolist()) == ([100, 0], [1, 0])
    assert record.kept[:, 0].tolist() == [[0, 0], [1, 0]]
    assert record.in_force.tolist() == [0, 100]


def test_columns_go_by_group_day_rank_and_name(story):
    story.commit(1, 100, 10)
    sent = story.send(2, 40, 10, "c")
    order = story.order(1, 60, 12)
    supply, demand = supplies(lines_of(story.log)), demands(lines_of(story.log))

    assert (supply.groups, supply.group.tolist()) == ([("HBM4-12H", "abilene")], [0, 0])
    assert (supply.wafers.tolist(), supply.rank.tolist()) == ([40, 60], [0, 2])  # 2: firm
    assert supply.events[0] == sent.id
    assert supply.names[1] == ("samsung", "supply.committed", "c")
    assert supplies(lines_of(story.log), "immediate").wafers.tolist() == [40]
    assert (demand.wafers.tolist(), demand.rank.tolist(), demand.events) == ([60], [2], [order.id])


def test_no_lines_have_columns_of_no_rows():
    assert everything(LineBook())[1] == [[[], [], [], [], [], [], [], []]] * 7


def test_two_shipments_of_a_commit_are_counted_with_what_came_of_them(story):
    story.commit(1, 100, 10)
    story.send(2, 40, 10, "c")
    story.send(3, 20, 10, "c")
    story.receive(10, 38, damaged=2)
    story.receive(12, 20)

    plan = lines_of(story.log).plans["samsung", "supply.committed", "c"]
    first = day_number(date(2026, 4, 10))
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
    assert (record.lines[0].tolist(), record.kept[:, 0, 0].tolist()) == ([1], kept)


def test_a_commit_that_was_withdrawn_is_not_due(story):
    story.commit(1, 100, 10)
    story.commit(2, 0, 10, 1)

    record = lines_of(story.log).record("samsung")["HBM4-12H"]
    assert (int(record.lines.sum()), int(record.kept.sum()), record.churned.tolist()) == (0, 0, [100])


def test_an_answer_to_demand_is_known_whenever_the_demand_arrives_and_not_once_it_is_reversed(story):
    ordered = story.order(1, 100, 10)
    first = story.commit(1, 100, 10, cause=ordered.id)
    changed = story.order(2, 60, 10, 1)
    answer = story.commit(2, 60, 10, 1, cause=changed.id)
    undone = story.center.emit(datetime(2026, 4, 3, tzinfo=UTC), EventReversed(reversed=changed.id, reason="wrong"))

    lines = lines_of([first, answer], [ordered])
    for arrived, expected in (([changed], (0, 40)), ([undone], (40, 0))):
        lines.add(bodies_of(arrived))
        record = lines.record("samsung")["HBM4-12H"]
        assert (int(record.churned.sum()), int(record.answered.sum())) == expected


@pytest.mark.parametrize("cause", ["the first order", "an order at another site", "its own commit", "unknown", None])
def test_a_commit_that_follows_from_no_change_of_its_demand_is_altered_by_its_supplier(story, cause):
    ordered, elsewhere = story.order(1, 100, 10), story.order(2, 60, 10, line="p", site="narvik")
    first = story.commit(1, 100, 10, cause=ordered.id)
    causes = dict(zip(("the first order", "an order at another site", "its own commit"),
                      (ordered.id, elsewhere.id, first.id), strict=True))  # fmt: skip
    story.commit(3, 70, 10, 1, cause=cause and causes.get(cause, cause))
    record = lines_of(story.log).record("samsung")["HBM4-12H"]

    assert (record.churned.tolist(), record.answered.tolist()) == ([30], [0])


@thorough
@given(st.data(), st.randoms(use_true_random=False))
def test_what_new_commits_replace_or_answers_demand_is_no_churn_in_whatever_order_it_is_told(data, random):
    """Few days, sites and lines, so that commits are lowered, made, moved and reversed side by side; and demand too."""
    story = Story()
    for _ in range(data.draw(st.integers(1, 20))):
        on, wafers, line = (data.draw(st.sampled_from(each)) for each in ((1, 2, 3), (0, 1, 2, 5, 9), "aabcde"))
        site, far = data.draw(st.sampled_from(["abilene", "abilene", "narvik"])), data.draw(st.integers(0, 3))
        if data.draw(st.booleans()):
            event = data.draw(st.sampled_from([story.order, story.forecast]))(on, wafers, 9, far, site=site)
        else:
            cause = data.draw(st.sampled_from([None, *(event.id for event in story.log)]))
            due = data.draw(st.sampled_from([5, 9]))
            event = story.commit(on, wafers, due, far, line=line, site=site, cause=cause)
            if line in "de":  # due some 31 days later
                event = story.log[-1] = postponed(event, data.draw(st.integers(24, 33)))
        if data.draw(st.integers(0, 9)) == 0:
            undone = EventReversed(reversed=event.id, reason="wrong")
            party = story.supplier if event.source == story.supplier.source else story.center
            story.log.append(party.emit(datetime(2026, 4, 4, tzinfo=UTC), undone))
    log, churned, answered = story.log, Counter[Any](), Counter[Any]()
    altered = churn(log)
    for line, of_line in statements(log).items():
        now = of_line[-1].data
        cell = (now.supplier, now.product), day_number(now.due)
        churned[cell] += altered[line][0]
        answered[cell] += altered[line][1]

    shuffled = random.sample(log, len(log))
    parts = [shuffled[n : n + 2] for n in range(0, len(shuffled), 2)]
    assert column(lines_of(*parts), CHURNED) == {cell: n for cell, n in churned.items() if n}
    assert column(lines_of(*parts), ANSWERED) == {cell: n for cell, n in answered.items() if n}
    assert records(lines_of(*parts)) == records(lines_of(log))


def test_what_contradicts_a_shipment_or_a_commit_is_kept_in_view(story):
    story.commit(1, 100, 10)
    sent = story.send(2, 40, 10, "c", product="DDR5-16G")
    story.receive(3, 5)
    contradicting = story.receive(4, 5, product="DDR5-16G", supplier="unattributed")
    lines = lines_of(story.log)
    of_other_product, of_shipment = ("samsung", "shipment/DDR5-16G", "s"), ("samsung", "shipment/HBM4-12H", "s")

    assert {n: plan.of_other_origin for n, plan in lines.misnamed.items()} == {
        ("samsung", "supply.committed", "c"): {of_other_product: sent.data.wafers}
    }
    assert [end.id for end in lines.contradicted[of_other_product].contradictions()] == [contradicting.id]
    assert list(lines.undispatched) == [of_shipment]
    assert lines.dispatched_products(of_shipment) == ["DDR5-16G"]

    story.commit(5, 100, 10, 1, product="DDR5-16G")
    lines = lines_of(story.log)
    assert lines.misnamed == {}
    assert lines.plans["samsung", "supply.committed", "c"].dispatched == 40


def test_the_lead_time_of_a_product_is_the_median_of_its_orders_as_first_stated(story):
    story.order(1, 10, 20, line="a", start_by=8)
    story.order(1, 10, 20, line="b", start_by=15, site="narvik")
    story.order(1, 10, 30, line="c", start_by=4)

    assert lines_of(story.log).lead_days() == {"HBM4-12H": 12}

    story.order(2, 10, 29, 1, line="a", start_by=8)  # postponed: its wafers take no longer for that
    assert lines_of(story.log).lead_days() == {"HBM4-12H": 12}

    story.order(2, 10, 12, line="d", start_by=9)
    assert lines_of(story.log).lead_days() == {"HBM4-12H": 5}
