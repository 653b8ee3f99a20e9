"""A simulated supplier: wafers are conserved, promises firm up, and the script is played."""

from collections import Counter
from datetime import date, timedelta
from itertools import pairwise

import pytest

from services.supplier.fab import Fab
from shared.play.scenario import load_scenario
from shared.wire.events import Event
from shared.wire.firmness import FIRMNESS
from testing.simulate import simulate, told

UNTIL = date(2027, 10, 31)
SUPPLIERS = ("samsung", "skhynix")


@pytest.fixture(scope="module")
def supply():
    return [event for event in told("announced_sites_only", UNTIL) if event.source in SUPPLIERS]


def of(events, name):
    return [event for event in events if event.data.type == name]


def by_lot(events, name, wafers="wafers"):
    total = Counter()
    for event in of(events, name):
        total[event.source, event.data.lot] += getattr(event.data, wafers)
    return total


def test_a_finished_lot_leaves_no_wafer_in_process(supply):
    started, scrapped = by_lot(supply, "lot.started"), by_lot(supply, "lot.scrapped")
    finished, variance = by_lot(supply, "lot.finished"), by_lot(supply, "lot.finished", "yield_variance")

    assert len(finished) > 10_000
    assert [lot for lot in finished if started[lot] != scrapped[lot] + finished[lot] + variance[lot]] == []


def test_every_lot_comes_out_in_the_end(supply):
    """26 weeks in the fab, and four more where commits have slipped."""
    old = {
        (e.source, e.data.lot): e.data.wafers
        for e in of(supply, "lot.started")
        if e.time.date() < UNTIL - timedelta(weeks=31)
    }
    finished, scrapped = by_lot(supply, "lot.finished"), by_lot(supply, "lot.scrapped")

    assert len(old) > 10_000
    assert [lot for lot, wafers in old.items() if lot not in finished and scrapped[lot] < wafers] == []


def test_no_lot_loses_more_than_it_had(supply):
    started, scrapped = by_lot(supply, "lot.started"), by_lot(supply, "lot.scrapped")

    assert [lot for lot in scrapped if scrapped[lot] > started[lot]] == []
    assert max(started.values()) == 25
    assert min(started.values()) >= 1


def test_a_lot_is_dispatched_once_with_the_wafers_it_was_credited(supply):
    finished = by_lot(supply, "lot.finished")
    sent = Counter()
    for event in of(supply, "shipment.dispatched"):
        lots = [(event.source, lot) for lot in event.data.lots]
        sent.update(lots)

        assert sum(finished[lot] for lot in lots) == event.data.wafers

    assert set(sent.values()) == {1}


def test_a_lot_keeps_its_site_until_it_is_dispatched(supply):
    key = {(e.source, e.data.lot): (e.data.site, e.data.product) for e in of(supply, "lot.started")}

    for event in of(supply, "lot.finished"):
        assert key[event.source, event.data.lot] == (event.data.site, event.data.product)
    for event in of(supply, "shipment.dispatched"):
        assert {key[event.source, lot] for lot in event.data.lots} == {(event.data.site, event.data.product)}


def test_yield_is_credited_without_losing_a_wafer_to_rounding(supply):
    """DDR5 yields as planned on average: what is credited is what was started, within a percent."""
    finished = by_lot(supply, "lot.finished")
    dipped = {(e.source, e.data.lot) for e in of(supply, "lot.scrapped") if e.data.cause == "power dip"}
    started = credited = 0
    for event in of(supply, "lot.started"):
        lot = (event.source, event.data.lot)
        if event.data.product == "DDR5-32G" and lot in finished and lot not in dipped:
            started += event.data.wafers
            credited += finished[lot]

    assert credited == pytest.approx(started, rel=0.01)


def test_a_promise_only_becomes_more_certain(supply):
    said = {}
    for event in of(supply, "supply.committed"):
        line = (event.source, event.data.line)
        before = said.get(line)
        said[line] = event.data
        if before is not None:
            assert event.data.revision == before.revision + 1
            assert FIRMNESS.index(event.data.firmness) >= FIRMNESS.index(before.firmness)
        else:
            assert event.data.revision == 0
            assert event.data.firmness in {"planned", "material"}


def test_a_commit_is_shipped_or_says_that_it_is_not(supply):
    last = {(e.source, e.data.line): e.data for e in of(supply, "supply.committed")}
    sent = Counter()
    for event in of(supply, "shipment.dispatched"):
        sent[event.source, event.data.commit] += event.data.wafers
    overdue = [
        line
        for line, commit in last.items()
        if commit.firmness != "planned" and commit.due < UNTIL - timedelta(weeks=6) and commit.wafers > sent[line]
    ]

    assert overdue == []


def test_starts_never_exceed_the_capacity_given_to_the_programme(supply):
    known = load_scenario().suppliers
    starts = Counter()
    for event in of(supply, "lot.started"):
        if event.data.product.startswith("HBM"):
            starts[event.source, event.time.date()] += event.data.wafers

    for (source, _), wafers in starts.items():
        capacity = max(based.value for based in known[source].tsv_wafers_per_month.values())
        assert wafers <= capacity * 0.6 * 12 / 365


def test_lots_start_in_a_fab_only_when_it_is_open(supply):
    opens = {fab.name: fab.opens_on for known in load_scenario().suppliers.values() for fab in known.fabs}
    used = Counter(event.data.fab for event in of(supply, "lot.started"))

    assert all(opens[event.data.fab] <= event.time.date() for event in of(supply, "lot.started"))
    assert used["Yongin-1"] > 0
    assert used["Pyeongtaek-P5"] == 0


def test_the_power_dip_scraps_6_000_wafers_on_its_day(supply):
    dip = [event for event in of(supply, "lot.scrapped") if event.data.cause == "power dip"]

    assert {(event.source, event.data.product, event.time.date()) for event in dip} == {
        ("samsung", "DDR5-32G", date(2027, 2, 8))
    }
    assert sum(event.data.wafers for event in dip) == 6_000


def test_the_yield_excursion_shows_in_the_yield_variance(supply):
    def variance_share(first, last):
        lots = [
            event.data
            for event in of(supply, "lot.finished")
            if event.source == "samsung" and event.data.product == "HBM4-12H" and first <= event.time.date() < last
        ]
        return sum(lot.yield_variance for lot in lots) / sum(lot.wafers + lot.yield_variance for lot in lots)

    begin = date(2026, 9, 14)

    assert variance_share(begin, begin + timedelta(weeks=5)) > 0.15
    assert variance_share(begin - timedelta(weeks=4), begin) < 0.08


def test_the_slipped_commits_are_due_four_weeks_later(supply):
    due = {}
    slipped = []
    for event in of(supply, "supply.committed"):
        line = (event.source, event.data.line)
        if event.data.reason == "slipped":
            slipped.append((event.time.date(), event.data.due - due[line], event.data.wafers))
        due[line] = event.data.due

    assert {(day, delay) for day, delay, _ in slipped} == {(date(2027, 5, 17), timedelta(weeks=4))}
    assert 3_000 < sum(wafers for _, _, wafers in slipped) <= 4_000


def test_what_was_made_for_a_withdrawn_site_is_diverted(supply):
    sent = {(e.source, e.data.shipment): e.data for e in of(supply, "shipment.dispatched")}
    diverted = Counter()
    for event in of(supply, "shipment.revised"):
        shipment = sent[event.source, event.data.shipment]
        if shipment.site != event.data.site:
            assert shipment.commit is None
            diverted[shipment.site, event.data.site] += shipment.wafers

    assert set(diverted) == {("NO-NARVIK", "AE-ABUDHABI-2"), ("GB-STARGATE", "AE-ABUDHABI")}


def test_the_letter_of_intent_is_said_once_and_jointly(supply):
    letters = [event.data for event in of(supply, "supply.agreed") if event.data.instrument == "LOI"]

    assert sum(letter.wafers_per_month for letter in letters) == 900_000
    assert {letter.site for letter in letters} == {"unallocated"}


@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_seed_says_the_same(seed):
    first = [said for _, said in simulate("announced_sites_only", date(2026, 3, 31), seed)]
    again = [said for _, said in simulate("announced_sites_only", date(2026, 3, 31), seed)]

    assert first == again


def test_another_seed_says_otherwise():
    def lots(seed):
        days = simulate("announced_sites_only", date(2026, 2, 28), seed)
        return [e.data for _, said in days for e in said if isinstance(e, Event) and e.data.type == "lot.scrapped"]

    assert lots(1) != lots(2)


def test_who_acts_first_on_a_day_does_not_matter():
    def by_source(backwards):
        said = {}
        for source, events in simulate("loi_headline", date(2026, 6, 30), backwards=backwards):
            said.setdefault(source, []).extend(events)
        return said

    assert by_source(backwards=False) == by_source(backwards=True)


def test_a_day_cannot_be_left_out():
    start = date(2026, 1, 1)
    fab = Fab(load_scenario(), "samsung", 1, start, date(2026, 1, 31), "loi_headline")

    fab.act(start, [])

    with pytest.raises(ValueError, match="does not follow"):
        fab.act(start + timedelta(days=2), [])


def test_each_day_ends_with_its_watermark():
    for _, said in simulate("announced_sites_only", date(2026, 2, 28)):
        assert said[-1].data.type == "source.advanced"
        assert said[-1].data.through == said[-1].time.date()


def test_sequences_are_gapless_and_times_ascend():
    by_source = {}
    for source, said in simulate("announced_sites_only", date(2026, 7, 31)):
        for event in said:
            sequence = event.sequence if isinstance(event, Event) else int(event["sequence"])
            by_source.setdefault(source, []).append(sequence)
    for sequences in by_source.values():
        assert sequences == list(range(1, len(sequences) + 1))
    for source in by_source:
        times = [e.time for e in told("announced_sites_only", UNTIL) if e.source == source]
        assert all(earlier < later for earlier, later in pairwise(times))


def test_ids_are_unique():
    ids = [event.id for event in told("announced_sites_only", UNTIL)]

    assert len(set(ids)) == len(ids)
