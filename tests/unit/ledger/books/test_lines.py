"""The state of a line as the store keeps it."""

import orjson

from services.ledger.books.lines import LineState
from services.ledger.books.memory import Memory
from services.ledger.books.posting import post_events
from shared.wire.events import Event
from shared.wire.postings import Measure
from shared.wire.rows import Row
from testing.cloud_events import CloudEvent, Party
from testing.played import numbered

KEY = ["HBM4-12H", "TX-ABILENE", "samsung"]
samsung, texas = Party("samsung"), Party("stargate-americas")


def rows(*log: CloudEvent) -> list[Row]:
    return [Row.of(Event.read(event)) for event in numbered(log)]


def read_again(line: LineState) -> LineState:
    return LineState.read(orjson.loads(orjson.dumps(line.state())))


def test_a_line_that_is_read_again_is_the_same():
    log = rows(
        samsung.commit("2026-10-01", "c", 100, "2026-10-20"),
        samsung.dispatch("2026-10-02", "s", 50, "2026-10-05", "c"),
        texas.receive("2026-10-05", "s", 40, 3, supplier="unattributed"),
    )
    memory = Memory()
    post_events(log, memory)

    assert len(memory.lines) == 2
    for line in memory.lines.values():
        assert read_again(line) == line


def test_what_is_returned_leaves_what_is_on_hand_under_the_shipments_supplier_and_is_not_in_transit():
    log = rows(
        samsung.dispatch("2026-10-02", "s", 50, "2026-10-05"),
        texas.receive("2026-10-05", "s", 50, supplier="unattributed"),
        texas.send_back("2026-10-07", "s", 7, supplier="unattributed", reason="warped"),
        texas.count("2026-10-08", 43),
    )
    for order in (log, log[::-1]):
        posted = dict(post_events(order, Memory()).postings())
        by_measure = {measure: wafers for (measure, _, _), wafers in posted.items()}

        assert {key for _, _, key in posted} == {tuple(KEY)}
        assert by_measure == {Measure.DISPATCHED: 50, Measure.RECEIVED: 50, Measure.RETURNED: 7}


def test_a_receipt_without_a_dispatch_takes_nothing_from_transit_and_a_late_dispatch_comes_to_the_same():
    dispatch, receipt = rows(
        samsung.dispatch("2026-10-02", "s", 50, "2026-10-05"), texas.receive("2026-10-05", "s", 20)
    )
    memory = Memory()
    alone = dict(post_events([receipt], memory).postings())
    late = dict(post_events([dispatch], memory).postings())
    at_once = dict(post_events([dispatch, receipt], Memory()).postings())

    on = receipt.time // 86_400_000_000
    assert alone == {(Measure.RECEIVED, on, tuple(KEY)): 20, (Measure.DIVERTED_IN, on, tuple(KEY)): 20}
    sums = {cell: alone.get(cell, 0) + late.get(cell, 0) for cell in alone | late}
    assert {cell: wafers for cell, wafers in sums.items() if wafers} == at_once
