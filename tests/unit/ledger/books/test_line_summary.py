"""The summary of a line follows the statement in force and what has moved on it, in any order of arrival."""

import pytest

from services.ledger.books.line_summary import LineSummary, summarize_line
from services.ledger.books.lines import LineState
from services.ledger.books.memory import Memory
from services.ledger.books.posting import post_events
from shared.wire.days import iso_day
from shared.wire.events import Event
from shared.wire.lines import line_of
from shared.wire.rows import Row
from testing.cloud_events import CloudEvent, Party

samsung, texas = Party("samsung"), Party("texas")


def summary(*events: CloudEvent) -> LineSummary | None:
    """Return the summary of the line of the first event."""
    rows = [Row.of(Event.read(event)) for event in events]
    memory = Memory()
    for row in reversed(rows):  # the order of arrival does not matter
        post_events([row], memory)
    name = line_of(rows[0])
    return summarize_line(name, memory.lines.get(name, LineState()))


def shown(found: LineSummary | None) -> tuple[object, ...]:
    assert found is not None
    return (found.kind, iso_day(found.day), found.wafers, found.open_wafers, found.revision, found.state)


def test_a_commit_is_open_for_what_was_not_dispatched_on_it():
    events = [
        samsung.commit("2026-01-05", "C-1", 100, "2026-03-01"),
        samsung.commit("2026-01-06", "C-1", 90, "2026-03-08", revision=1),
        samsung.dispatch("2026-02-01", "S-1", 30, "2026-02-10", commit="C-1"),
    ]

    assert shown(summary(*events)) == ("commit", "2026-03-08", 90, 60, 1, "open")
    assert summary(*events).event == events[1]["id"]
    assert shown(summary(*events, samsung.dispatch("2026-02-02", "S-2", 60, "2026-02-10", commit="C-1")))[3:] == (
        0, 1, "closed"
    )  # fmt: skip
    assert shown(summary(*events, samsung.commit("2026-02-03", "C-1", 0, "2026-03-08", revision=2)))[5] == "withdrawn"


def test_an_order_is_open_for_what_was_not_consumed_for_it_and_a_forecast_whole():
    order = texas.order("2026-01-05", "PO-1", 50, "2026-03-01")

    assert shown(summary(order, texas.consume("2026-03-02", 20, order="PO-1")))[2:] == (50, 30, 0, "open")
    assert shown(summary(order, texas.consume("2026-03-02", 60, order="PO-1")))[2:] == (50, 0, 0, "closed")
    assert shown(summary(texas.forecast("2026-01-05", "F-1", 7, "2026-09-01")))[2:] == (7, 7, 0, "open")


def test_a_shipment_is_open_until_it_is_received_or_lost():
    sent = samsung.dispatch("2026-02-01", "S-1", 30, "2026-02-10")

    assert shown(summary(sent)) == ("shipment", "2026-02-10", 30, 30, None, "open")
    assert shown(summary(sent, samsung.revise("2026-02-02", "S-1", "2026-02-20"))) == (
        "shipment", "2026-02-20", 30, 30, 1, "open"
    )  # fmt: skip
    ended = [texas.receive("2026-02-11", "S-1", 20, damaged=2), texas.lose("2026-02-12", "S-1", 8)]
    assert shown(summary(sent, *ended[:1]))[3:] == (8, None, "open")
    assert shown(summary(sent, *ended))[3:] == (0, None, "closed")


@pytest.mark.parametrize("reversed_", [True, False])
def test_a_line_without_a_statement_in_force_has_no_summary(reversed_):
    order = texas.order("2026-01-05", "PO-1", 50, "2026-03-01")
    consumed = texas.consume("2026-03-02", 20, order="PO-1")

    events = [order, texas.reverse("2026-01-06", order)] if reversed_ else [texas.receive("2026-02-11", "S-9", 20)]
    assert summary(*events) is None
    assert consumed["data"]["order"] == "PO-1"
