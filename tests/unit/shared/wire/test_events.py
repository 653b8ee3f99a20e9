"""Events are read strictly, and their identity and canonical form hold."""

import json
from datetime import UTC, datetime, timedelta
from uuid import RFC_4122, UUID

import pytest
import rfc8785
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.wire.days import microseconds
from shared.wire.entry_reader import read_entry
from shared.wire.events import EVENTS, Event, Refused, canonical, event_id
from testing.bad_events import (
    SOURCE,
    good_columns,
    good_events,
)
from testing.strategies import contents, events, times

slow = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)


@pytest.mark.parametrize("name", EVENTS)
@given(drawn=st.data())
@settings(slow, max_examples=10)
def test_an_event_of_every_type_is_read_as_it_was_said(name: str, drawn: st.DataObject) -> None:
    data = drawn.draw(contents(EVENTS[name], supplier=SOURCE))
    event = good_events()[0].model_copy(update={"data": data})

    assert Event.read(json.dumps(event.cloud_event()).encode()) == event


@pytest.mark.parametrize("digits", ["1", "123456", "1234567", "123456789", "1234569" + "9" * 90])
def test_of_a_fraction_the_microseconds_are_kept(digits: str) -> None:
    event = Event.read(good_events()[0].cloud_event() | {"time": f"2026-03-01T23:59:59.{digits}Z"})

    assert event.time == datetime(2026, 3, 1, 23, 59, 59, int(digits[:6].ljust(6, "0")), UTC)


def test_a_leap_second_is_refused_by_name() -> None:
    with pytest.raises(Refused, match="leap second") as refused:
        Event.read(good_events()[0].cloud_event() | {"time": "2016-12-31T23:59:60Z"})

    assert (refused.value.code, refused.value.path) == ("malformed", "time")


@given(events())
@slow
def test_canonical_is_what_rfc_8785_says(event: Event) -> None:
    assert canonical(event.content()) == rfc8785.dumps(event.content())


@given(events(), st.integers(-23 * 60, 23 * 60))
@slow
def test_a_time_is_the_same_in_every_offset(event: Event, minutes: int) -> None:
    sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
    local = (event.time + timedelta(minutes=minutes)).replace(tzinfo=None).isoformat()
    content = event.cloud_event() | {"time": f"{local}{sign}{hours:02d}:{rest:02d}"}

    assert Event.read(content).content() == event.content()


@given(times(), st.text(max_size=20), st.text(max_size=20), st.integers(0, 10**6))
def test_an_event_id_is_a_uuid_of_version_7(time: datetime, source: str, cause: str, n: int) -> None:
    id_ = UUID(event_id(time, source, cause, n))

    assert (id_.version, id_.variant) == (7, RFC_4122)
    assert id_.int >> 80 == microseconds(time) // 1000


@given(times(), times(), st.text(max_size=20))
def test_event_ids_sort_by_time(one: datetime, other: datetime, source: str) -> None:
    early, late = sorted((one, other))

    assert early + timedelta(milliseconds=1) > late or event_id(early, source, "") < event_id(late, source, "")


@given(times(), st.text(max_size=20), st.integers(0, 10**6))
def test_an_event_said_again_has_the_same_id_and_another_has_not(time: datetime, cause: str, n: int) -> None:
    assert event_id(time, "samsung", cause, n) == event_id(time, "samsung", cause, n)
    assert len({event_id(time, "samsung", cause, n), event_id(time, "samsung", cause, n + 1)}) == 2
    assert event_id(time, "samsung", cause, n) != event_id(time, "skhynix", cause, n)


@pytest.mark.parametrize("text", ["a\0b", "a\nb", "\x1b[31m", "\x7f"], ids=repr)
def test_a_text_is_one_line(text: str) -> None:
    content = good_events()[0].cloud_event() | {"type": "waferline.lot.scrapped.v1"}
    data = {"product": "HBM4-12H", "site": "abilene", "supplier": SOURCE, "wafers": 1, "lot": "L0", "cause": text}

    with pytest.raises(Refused, match=r"malformed at data\.cause"):
        Event.read(content | {"data": data})


def test_a_receipt_of_nothing_is_refused() -> None:
    keys = {"product": "HBM4-12H", "site": "abilene", "supplier": "samsung", "shipment": "S1", "owner": "samsung"}
    content = good_events()[0].cloud_event() | {
        "type": "waferline.shipment.received.v1", "subject": "S1", "source": "abilene",
        "data": keys | {"wafers": 0, "wafers_damaged": 0},
    }  # fmt: skip
    row = json.loads(json.dumps(good_columns() | {"source": "abilene", "types": ["shipment.received"] * 3}))
    row |= {"lines": ["S1"] * 3, "suppliers": ["samsung"] * 3, "days": None, "wafers": [1, 0, 0]}
    row["rests"] = [json.dumps({"owner": "samsung", "wafers_damaged": damaged}) for damaged in (0, 0, 1)]

    _, (refused,), _ = read_entry(json.dumps(content).encode(), "abilene", "datacenter")
    rows, (refused_row,), _ = read_entry(json.dumps(row).encode(), "abilene", "datacenter")

    assert (refused.code, refused.path) == (refused_row.code, refused_row.path) == ("out_of_bounds", "data")
    assert [row.sequence for row in rows] == [1, 3]
