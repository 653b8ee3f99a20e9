"""A simulated group of sites: nothing is received twice, no stock is negative, and the script is played."""

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import orjson
import pytest

from services.datacenter.buildout import Buildout
from shared.play.demand_plan import derive_plan
from shared.play.numbering import Numbering
from shared.play.scenario import load_scenario
from shared.wire.entry_reader import read_entry
from shared.wire.events import EVENTS, UNATTRIBUTED, Event, ShipmentDispatched, ShipmentLost, SupplyCommitted
from shared.wire.rows import DECLARATIONS, REMARKS, Row
from testing.simulate import kept_days, told

UNTIL = date(2027, 9, 30)
DATACENTERS = ("stargate-americas", "stargate-emea", "stargate-apac")


@pytest.fixture(scope="module")
def run():
    return told("announced", UNTIL)


def of(events, name):
    return [event for event in events if event.data.type == name]


def arrivals(events):
    """Yield the shipment and the wafers of each receipt that stands, and of each loss."""
    wrong = {event.data.reversed for event in of(events, "event.reversed")}
    for event in events:
        if event.data.type in {"shipment.received", "shipment.lost"} and event.id not in wrong:
            wafers = event.data.wafers + getattr(event.data, "wafers_damaged", 0)
            yield (event.data.owner, event.data.shipment), wafers


def test_every_event_of_the_contract_is_said(run):
    not_simulated = {"shipment.returned", "source.ended", *DECLARATIONS, *REMARKS}
    assert {event.data.type for event in run} == set(EVENTS) - not_simulated


def test_no_shipment_brings_more_than_was_sent(run):
    sent = {(e.source, e.data.shipment): e.data.wafers for e in of(run, "shipment.dispatched")}
    arrived = Counter()
    for shipment, wafers in arrivals(run):
        arrived[shipment] += wafers

    assert arrived.keys() <= sent.keys()
    assert [key for key, wafers in arrived.items() if wafers > sent[key]] == []


def test_what_was_sent_long_ago_has_arrived_or_is_lost(run):
    sent = {
        (e.source, e.data.shipment): e.data.wafers
        for e in of(run, "shipment.dispatched")
        if e.time.date() < UNTIL - timedelta(weeks=4)
    }
    for shipment, wafers in arrivals(run):
        if shipment in sent:
            sent[shipment] -= wafers

    assert {key: wafers for key, wafers in sent.items() if wafers} == {}


def test_no_stock_is_ever_negative_and_each_count_is_nearly_right(run):
    wrong = {event.data.reversed for event in of(run, "event.reversed")}
    on_hand = Counter()
    for event in sorted(of_stock(run), key=lambda e: e.time):
        data = event.data
        key = (data.product, data.site, data.supplier)
        if event.id in wrong:
            continue
        if data.type in {"stock.opened", "shipment.received"}:
            on_hand[key] += data.wafers
        elif data.type == "stock.counted":
            counted = data.counted
            if data.supplier == UNATTRIBUTED:  # of the whole shelf
                counted -= sum(wafers for other, wafers in on_hand.items() if other[:2] == key[:2] and other != key)
            assert abs(on_hand[key] - counted) <= 3
            on_hand[key] = counted
        else:
            on_hand[key] -= data.wafers
        if data.type == "stock.transferred":
            on_hand[data.product, data.to_site, data.supplier] += data.wafers

        assert on_hand[key] >= 0, event


def of_stock(run):
    names = {"stock.opened", "shipment.received", "stock.counted", "wafers.consumed", "stock.transferred"}
    return [event for event in run if event.data.type in names]


def test_a_phase_is_given_no_more_than_it_needs_and_not_before_its_day(run):
    scenario = load_scenario()
    orders = {(e.data.line): e.data for e in of(run, "demand.required")}
    phases = {}
    for event in of(run, "phase.planned"):
        phases[event.data.phase] = event.data
    required = Counter()
    for order in orders.values():
        required[order.line.split(f".{order.product}.")[0], order.product] += order.wafers
    consumed = Counter()
    for event in of(run, "wafers.consumed"):
        consumed[event.data.phase, event.data.product] += event.data.wafers
        phase = phases[event.data.phase]

        assert event.time.date() >= phase.energise_on
        assert phase.status == "planned"

    assert [key for key, wafers in consumed.items() if wafers > required[key]] == []
    assert scenario.sites.keys() >= {phase.site for phase in phases.values()}


def test_what_is_cut_is_ordered_anew_and_promised_when_there_is_room(run):
    """Of what had to be started in April 2026 not half was promised at first; in the end all but a few wafers are."""
    orders = {e.data.line: e.data for e in of(run, "demand.required")}
    chosen = {
        line for line, order in orders.items() if order.product == "HBM4-12H" and f"{order.start_by:%Y-%m}" == "2026-04"
    }
    promised = {}
    for event in of(run, "supply.committed"):
        promised[event.source, event.data.line] = event.data.wafers
    whole = sum(orders[line].wafers for line in chosen)
    at_first = sum(w for (_, line), w in promised.items() if line in chosen and ":" not in line)
    at_last = sum(w for (_, line), w in promised.items() if line.removesuffix("-L") in chosen)

    assert at_first < whole / 2
    assert 0.97 * whole < at_last < 1.03 * whole


def test_an_order_anew_has_the_days_of_the_first_and_the_wafers_taken_off_it(run):
    first, before = {}, {}
    lowered = anew = 0
    for event in of(run, "demand.required"):
        order = event.data
        root = order.line.partition(":")[0]
        if order.line != root and order.revision == 0:
            anew += order.wafers
            assert order.start_by == first[root].start_by
        elif order.revision and 0 < order.wafers < before[order.line]:
            lowered += before[order.line] - order.wafers
        first.setdefault(root, order)
        before[order.line] = order.wafers

    assert anew > 50_000
    assert anew >= lowered


def test_a_second_loss_on_an_order_is_ordered_anew_too():
    """An order of 370 wafers is promised whole; 100 are lost, ordered anew, and again 100 are lost."""
    scenario = load_scenario()
    sites = Buildout(scenario, "stargate-apac", 1, scenario.starts_on, scenario.ends_on, "announced")
    root, first_loss, second_loss = "IN-HYPERVAULT.1.HBM4-12H.2604.2", date(2026, 5, 1), date(2026, 7, 1)
    supplier, day, answers, orders = Numbering("samsung"), scenario.starts_on, [], {}
    while day < date(2026, 9, 1):
        now = datetime.combine(day, time(12), UTC)
        observed, answers = [Row.of(supplier.emit(now, answer)) for answer in answers], []
        for event in sites.act(day, observed):
            if isinstance(event, Event) and event.data.type == "demand.required":
                order = event.data
                orders.setdefault(order.line, []).append(order.wafers)
                if order.revision == 0:
                    commit = {"line": order.line, "due": order.due, "firmness": "planned", "revision": 0}
                    answers.append(SupplyCommitted(**key_of(order), **commit, wafers=order.wafers))
                    if order.line == root:
                        key = key_of(order)
        if day in (first_loss, second_loss):
            shipment = {**key, "wafers": 100, "shipment": f"S-{day}"}
            answers.append(ShipmentDispatched(**shipment, commit=root, eta=day + timedelta(7), lots=[]))
            answers.append(ShipmentLost(**shipment, owner="samsung"))
        day += timedelta(days=1)

    anew = {line.removeprefix(root): wafers for line, wafers in orders.items() if line.startswith(root)}
    assert anew == {"": [370, 270, 170], ":1": [100], ":2": [100]}


def key_of(order):
    return {"product": order.product, "site": order.site, "supplier": "samsung"}


def test_opening_stock_is_what_was_required_of_earlier_starts(run):
    start = load_scenario().starts_on
    required, opened = Counter(), Counter()
    for event in of(run, "demand.required"):
        if event.data.start_by < start and event.data.revision == 0:
            required[event.data.site, event.data.product] += event.data.wafers
    for event in of(run, "stock.opened"):
        opened[event.data.site, event.data.product] += event.data.wafers

    assert opened == required
    assert sum(opened.values()) > 190_000


def test_an_order_takes_its_wafers_out_of_the_forecast(run):
    lines = {event.data.line for event in of(run, "demand.required")}
    last = {event.data.line: event.data.wafers for event in of(run, "demand.forecast")}
    complete = {line for line in last if line.startswith("WI-PORTWASHINGTON.1.") and f"{line}.4" in lines}

    assert complete
    assert {last[line] for line in complete} == {0}


def test_an_order_must_be_started_within_the_month_it_names(run):
    for event in of(run, "demand.required"):
        month = event.data.line.split(".")[-2]

        assert f"{event.data.start_by:%y%m}" == month
        if event.data.revision == 0 and ":" not in event.data.line:
            assert event.data.due == event.data.start_by + load_scenario_lead(event.data.product)


def load_scenario_lead(product, scenario=load_scenario()):  # noqa: B008 - read once
    return scenario.lead(product)


@pytest.mark.parametrize(
    ("phase", "status", "day"),
    [
        ("TX-ABILENE.5", "cancelled", date(2026, 3, 6)),
        ("KR-JEONNAM.1", "paused", date(2026, 9, 7)),
        ("MI-SALINE.4", "cancelled", date(2026, 9, 30)),
        ("GB-STARGATE.1", "paused", date(2026, 4, 9)),
        ("NO-NARVIK.1", "transferred", date(2026, 4, 15)),
    ],
)
def test_a_withdrawn_phase_leaves_no_demand(run, phase, status, day):
    said = [event for event in of(run, "phase.planned") if event.data.phase == phase]
    lines = {}
    for event in run:
        if event.data.type in {"demand.required", "demand.forecast"} and event.data.line.startswith(phase + "."):
            lines.setdefault(event.data.line, []).append(event.data.wafers)

    assert [(event.data.status, event.time.date()) for event in said[1:]] == [(status, day)]
    assert any(wafers[0] for wafers in lines.values())
    assert {wafers[-1] for wafers in lines.values()} == {0}


def test_stock_of_a_withdrawn_site_is_transferred(run):
    moved = {(event.data.site, event.data.to_site) for event in of(run, "stock.transferred")}

    assert moved == {("NO-NARVIK", "AE-ABUDHABI-2"), ("GB-STARGATE", "AE-ABUDHABI")}


REVISED = date(2026, 9, 24)  # the force-majeure notice for Doña Ana


def test_a_phase_planned_later_takes_its_orders_with_it_and_withdraws_those_not_yet_started(run):
    first, then = (e for e in of(run, "phase.planned") if e.data.phase == "NM-DONAANA.1")
    delay, due, moved, withdrawn = then.data.energise_on - first.data.energise_on, {}, set(), set()
    planned = {e.id for e in of(run, "phase.planned") if e.data.site == "NM-DONAANA" and e.time.date() == REVISED}
    for event in of(run, "demand.required"):
        if event.data.line.startswith("NM-DONAANA."):
            if event.causationid in planned:
                if event.data.wafers == 0:
                    withdrawn.add(event.data.line)
                    assert event.data.start_by > REVISED + timedelta(days=28)
                elif event.data.line.startswith("NM-DONAANA.1.") and event.data.due != due[event.data.line]:
                    moved.add(event.data.due - due[event.data.line])
            due[event.data.line] = event.data.due

    assert (first.data.energise_on, then.data.energise_on) == (date(2026, 12, 31), date(2028, 3, 31))
    assert then.time.date() == REVISED
    assert moved == {delay}
    assert withdrawn


def test_a_milestone_that_is_late_takes_the_orders_of_its_phase_with_it_and_states_no_phase_anew(run):
    first, late = (e for e in of(run, "milestone.reported") if e.data.milestone == "vessel-1-delivered")
    moved = [e for e in of(run, "demand.required") if e.causationid == late.id]
    phase = [e for e in of(run, "phase.planned") if e.data.phase == "KR-FDC-FLEET.1"]
    anew = [
        e.data.due
        for e in of(run, "demand.required")
        if e.data.line.startswith("KR-FDC-FLEET.1.HBM4") and e.data.wafers and e.time > late.time
    ]

    assert (first.data.day, late.data.day) == (date(2028, 4, 1), date(2028, 7, 2))
    assert moved
    assert {e.data.wafers for e in moved} == {0}
    assert {e.data.line.partition(".HBM4")[0] for e in moved} == {"KR-FDC-FLEET.1"}
    assert [e.data.follows.milestone for e in phase] == ["vessel-1-delivered"]
    assert min(anew) > max(e.data.due for e in moved)


def test_a_phase_planned_anew_is_forecast_in_its_new_months(run):
    before, after = set(), set()
    for event in of(run, "demand.forecast"):
        if event.data.line.startswith("NM-DONAANA.4.HBM4-12H.") and event.data.wafers:
            (before if event.time.date() < REVISED else after).add(event.data.line.rpartition(".")[2])

    assert min(after) > min(before)


def test_each_revision_is_an_event_of_the_day_since_which_it_is_known(run):
    scenario = load_scenario()
    published = {(e.data.site, e.time.date()): e.data.mw for e in of(run, "site.declared")}
    for site in scenario.sites.values():
        for revision in site.declared if not site.pool else ():
            day = max(revision.known_from, scenario.starts_on)
            if revision is not site.declared[0] or revision.known_from >= scenario.starts_on:
                assert published[site.id, day] == revision.mw
    first = {e.data.site: e.time.date() for e in reversed(of(run, "site.declared"))}

    assert first["OH-PORTS-PIKE"] == date(2026, 8, 17)
    assert first["GA-CAMELLIA"] == date(2026, 7, 22)
    assert first["TX-ABILENE"] == scenario.starts_on


def test_racks_that_take_less_lower_the_orders_to_the_need_of_the_day(run):
    """The modules of VR-NVL72 are halved on 15 June 2026: the orders of LP5X, those to be started last first."""
    scenario, day = load_scenario(), date(2026, 6, 15)
    before, after = {}, {}
    for event in of(run, "demand.required"):
        if event.time.date() <= day:
            after[event.data.line] = event.data
            if event.time.date() < day:
                before[event.data.line] = event.data
    lowered = [order for line, order in after.items() if line in before and order.wafers < before[line].wafers]
    need = Counter()
    for each in derive_plan(scenario, "announced", day).needs:
        need[each.phase, each.product] += each.wafers
    ordered = Counter()
    for order in after.values():
        ordered[order.line.partition(f".{order.product}.")[0], order.product] += order.wafers

    assert sum(before[order.line].wafers - order.wafers for order in lowered) > 5_000
    assert {order.product for order in lowered if order.site == "NM-DONAANA"} == {"LP5X-16G"}
    phases = {order.line.partition(f".{order.product}.")[0] for order in lowered if order.product == "LP5X-16G"}
    assert [phase for phase in phases if ordered[phase, "LP5X-16G"] > need[phase, "LP5X-16G"]] == []


def test_a_receipt_said_in_error_is_reversed_and_said_right(run):
    by_id = {event.id: event for event in run}
    for event in of(run, "event.reversed"):
        wrong = by_id[event.data.reversed]
        right = [
            other.data.wafers
            for other in of(run, "shipment.received")
            if (other.source, other.data.shipment, other.data.owner)
            == (wrong.source, wrong.data.shipment, wrong.data.owner)
            and other.id != wrong.id
        ]

        assert len(right) == 1
        assert right[0] < wrong.data.wafers
    assert len(of(run, "event.reversed")) == 2


def test_each_mistake_is_refused_and_the_right_event_follows():
    scenario = load_scenario()
    refused = []
    for source, said in kept_days("announced", UNTIL):
        role = "supplier" if source in scenario.suppliers else "datacenter"
        for wrong, right in pairwise(said):
            if isinstance(wrong, dict):
                rows, refusals, _ = read_entry(orjson.dumps(wrong), source, role)
                refused.append((source, refusals[0].code))

                assert rows == []
                assert isinstance(right, Event)
                assert wrong["type"] == f"waferline.{right.data.type}.v1"

    assert len(refused) == len(scenario.mistakes) == 10
    assert {code for _, code in refused} == {
        "fraction", "malformed", "out_of_bounds", "date_out_of_bounds", "foreign_source"
    }  # fmt: skip


def test_sites_of_a_group_speak_with_its_voice(run):
    groups = load_scenario().datacenters
    site_of = {site.id: name for name, group in groups.items() for site in group.sites}

    for event in run:
        if event.source in DATACENTERS and hasattr(event.data, "site"):
            assert site_of[event.data.site] == event.source
