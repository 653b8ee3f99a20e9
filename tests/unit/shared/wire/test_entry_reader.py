"""Entries are read row by row, and each invalid row is refused alone."""

import gc
import json
from datetime import UTC, datetime
from time import process_time
from typing import Any

import pytest
import rfc8785
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.wire.batch import EventBatch
from shared.wire.days import microseconds
from shared.wire.entry_reader import read_entry
from shared.wire.events import canonical
from shared.wire.refusal import RefusedEvent
from shared.wire.rows import Row
from testing.bad_events import (
    BAD_ENTRIES,
    BAD_EVENTS,
    SOURCE,
    Bad,
    BadEntry,
    good_columns,
    good_events,
)
from testing.strategies import Said, said, times

slow = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)


@given(said(events_max=20), st.none() | times())
@slow
def test_a_batch_is_read_as_it_was_said(party: Said, recorded: datetime | None) -> None:
    us = None if recorded is None else microseconds(recorded)
    body = EventBatch.of(party.events, recorded=us).encode()

    assert read_entry(body, party.source, party.role) == ([Row.of(event) for event in party.events], [], us)


@given(said(events_max=20))
@slow
def test_a_batch_may_be_written_by_another_program(party: Said) -> None:
    columns = json.loads(EventBatch.of(party.events).encode())
    if "rests" in columns:
        columns["rests"] = [rest and json.dumps(json.loads(rest), indent=1) for rest in columns["rests"]]
    body = json.dumps(dict(reversed(columns.items())) | {"recorded": None}, indent=2).encode()

    assert read_entry(body, party.source, party.role) == ([Row.of(event) for event in party.events], [], None)


@given(said(events_max=1), st.none() | times())
@slow
def test_a_cloud_event_is_read_as_the_row_it_would_be(party: Said, recorded: datetime | None) -> None:
    event = party.events[0].model_copy(update={"recordedtime": recorded})
    us = None if recorded is None else microseconds(recorded)

    assert read_entry(json.dumps(event.cloud_event()).encode(), party.source, party.role) == ([Row.of(event)], [], us)


def verdict(refused: list[RefusedEvent]) -> list[tuple[str, str]]:
    return [(row.code, row.path) for row in refused]


@pytest.mark.parametrize("bad", BAD_EVENTS, ids=lambda bad: bad.name)
def test_a_bad_event_is_refused_with_its_reason_and_place(bad: Bad) -> None:
    body = bad.cloud_event()

    rows, refused, _ = read_entry(body, SOURCE, "supplier")

    assert (rows, verdict(refused)) == ([], [(bad.code, bad.path)])
    assert refused[0].body == body


@pytest.mark.parametrize("bad", [bad for bad in BAD_EVENTS if bad.row is not None], ids=lambda bad: bad.name)
def test_a_bad_row_is_refused_alone(bad: Bad) -> None:
    first, second, third = good_events()

    rows, refused, _ = read_entry(bad.batch(), SOURCE, "supplier")

    assert (rows, verdict(refused)) == ([Row.of(first), Row.of(third)], [(bad.code, bad.path)])
    assert (refused[0].source, refused[0].sequence) == (SOURCE, second.sequence)


@pytest.mark.parametrize("bad", BAD_ENTRIES, ids=lambda bad: bad.name)
def test_a_bad_entry_is_refused_once_and_soon(bad: BadEntry) -> None:
    gc.freeze()  # as a service does: the collector would scan the objects of all other tests again and again
    start = process_time()
    rows, refused, _ = read_entry(bad.body, SOURCE, "supplier")
    seconds = process_time() - start
    gc.unfreeze()

    assert verdict(refused) == [(bad.code, bad.path)]
    assert [row.sequence for row in rows] == [1, 3][: bad.good]
    assert seconds < 2  # it is 0.5 where there are megabytes; what grew with the square took minutes


@pytest.mark.parametrize("bad", BAD_EVENTS + BAD_ENTRIES, ids=lambda bad: bad.name)
def test_what_is_told_of_a_refusal_can_be_stored(bad: Bad | BadEntry) -> None:
    _, (refused,), _ = read_entry(bad.cloud_event() if isinstance(bad, Bad) else bad.body, SOURCE, "supplier")

    assert (refused.path + refused.message).isprintable()
    assert len(refused.path) <= 200
    assert len(refused.message) <= 500


def test_a_bad_row_does_not_lose_the_time_its_batch_was_recorded() -> None:
    recorded = microseconds(datetime(2026, 3, 2, tzinfo=UTC))
    columns = good_columns() | {"recorded": recorded, "wafers": [25, "25", 25]}

    assert read_entry(json.dumps(columns).encode(), SOURCE, "supplier")[2] == recorded


def test_a_refused_row_keeps_what_was_said() -> None:
    columns = good_columns() | {"wafers": [25, 2**64, 25]}

    _, (refused,), _ = read_entry(json.dumps(columns).encode(), SOURCE, "supplier")

    assert json.loads(refused.body)["data"]["wafers"] == 2**64


def test_the_number_of_anothers_event_is_not_taken_for_ones_own() -> None:
    content = good_events()[1].cloud_event() | {"source": "skhynix"}

    _, (refused,), _ = read_entry(json.dumps(content).encode(), SOURCE, "supplier")

    assert (refused.source, refused.sequence, refused.id) == (SOURCE, None, content["id"])


JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(-2, 2), st.floats(), st.text(max_size=5), st.just(""),
    st.sampled_from([
        10**6, 10**6 + 1, 2**31, 2**53, 2**63, 2**64, -(2**63) - 1, 10**18, 946_684_800_000_000 - 1, 10_956, 47_847,
        4_133_980_799_999_999, 4_133_980_800_000_000, "samsung", "skhynix", "abilene", "x\n", "lot.started", "HBM4-12H",
        "{}", "[]", "null", '{"fab":"P4"}', '{"fab":"P4","fab":"P4"}', ' {"fab" : "P4"}', '{"firmness":"firm"}',
        '{"firmness":"firm","reason":""}', '{"owner":"x","wafers_damaged":0}', '{"wafers_damaged":0,"owner":"x"}',
        '{"lots":[],"commit":null}', '{"wafers":1,"fab":"P4"}', '{"reversed":"x","reason":""}', "event.reversed",
        "source.advanced", "shipment.received", "stock.opened", "supply.committed", "2026-01-01", "\ud800", "\0",
    ]),
    st.lists(st.integers(), max_size=2), st.dictionaries(st.text(max_size=2), st.none(), max_size=2),
)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> tuple[Said, dict[str, Any]]:
    """Draw a batch of which a few cells were replaced, by junk or by another row's."""
    party = draw(said(events_max=4))
    columns = json.loads(EventBatch.of(party.events).encode())
    rows = len(party.events)
    lists = ["ids", "types", "times", "lines", "days", "wafers", "revisions", "products", "sites", "suppliers", "rests",
             "causes", "correlations"]  # fmt: skip
    for _ in range(draw(st.integers(0, 3))):
        column = columns.setdefault(draw(st.sampled_from(lists)), [None] * rows)
        column[draw(st.integers(0, rows - 1))] = draw(JUNK | st.sampled_from(column))
    return party, columns


def alone(columns: dict[str, Any], n: int) -> bytes:
    """Return row n as a batch of its own that only the strict reading takes: a column says nothing at all."""
    one = {name: cells[n : n + 1] if isinstance(cells, list) else cells for name, cells in columns.items()}
    return json.dumps(one | {"sequence": columns["sequence"] + n}).encode()


@given(mutated())
@settings(slow, max_examples=200)
def test_what_is_taken_quickly_is_taken_strictly(case: tuple[Said, dict[str, Any]]) -> None:
    party, columns = case
    strictly = [_strict(alone(columns, n), party) for n in range(len(party.events))]

    rows, refused, _ = read_entry(json.dumps(columns).encode(), party.source, party.role)

    assert rows == [row for row in strictly if isinstance(row, Row)]
    assert [(r.sequence, r.code, r.path) for r in refused] == [
        (r.sequence, r.code, r.path) for r in strictly if isinstance(r, RefusedEvent)
    ]


def _strict(body: bytes, party: Said) -> Row | RefusedEvent:
    """Return the verdict of the strict reading, which an entry with a wrong row beside ours gets."""
    columns = json.loads(body)
    beside = {name: [*cells, None] if isinstance(cells, list) else cells for name, cells in columns.items()}
    rows, refused, _ = read_entry(json.dumps(beside).encode(), party.source, party.role)
    return rows[0] if rows else refused[0]


@given(mutated())
@slow
def test_what_is_taken_comes_back_through_its_own_content(case: tuple[Said, dict[str, Any]]) -> None:
    party, columns = case
    rows, _, _ = read_entry(json.dumps(columns).encode(), party.source, party.role)

    for row in rows:
        assert read_entry(canonical(row.content()), party.source, party.role)[0] == [row]
        assert canonical(row.content()) == rfc8785.dumps(row.content())


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_no_bytes_at_all_raise(body: bytes) -> None:
    rows, refused, _ = read_entry(body, SOURCE, "supplier")

    assert len(rows) + len(refused) == 1


@given(st.recursive(JUNK, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10), st.data())
@slow
def test_no_json_at_any_place_raises(junk: Any, data: st.DataObject) -> None:
    body = good_events()[0].cloud_event() if data.draw(st.booleans()) else good_columns()
    place = body["data"] if "data" in body and data.draw(st.booleans()) else body
    place[data.draw(st.sampled_from(list(place)) | st.text(max_size=5))] = junk

    rows, refused, _ = read_entry(json.dumps(body).encode(), SOURCE, "supplier")

    assert rows or refused
