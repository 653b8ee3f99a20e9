"""A row gives its event back, with the same content."""

from typing import Any

from hypothesis import HealthCheck, given, settings

from shared.wire.events import Event, SupplyCommitted
from shared.wire.rows import Row
from testing.bad_events import (
    SOURCE,
    good_events,
)
from testing.strategies import events

slow = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)


@given(events())
@slow
def test_a_row_gives_its_event_back(event: Event) -> None:
    assert Row.of(event).event() == event


@given(events())
@slow
def test_a_row_and_its_event_have_the_same_content(event: Event) -> None:
    row = Row.of(event)

    assert row.content() == event.content()
    assert row.content() == event.content()


def test_a_field_at_its_default_is_not_in_the_content() -> None:
    fields: dict[str, Any] = {
        "product": "HBM4-12H", "site": "abilene", "supplier": SOURCE, "line": "C1", "due": good_events()[0].time.date(),
        "firmness": "firm", "wafers": 7, "revision": 0,
    }  # fmt: skip
    silent, spoken = (
        good_events()[0].model_copy(update={"data": SupplyCommitted(**fields, **more)}) for more in ({}, {"reason": ""})
    )

    assert "reason" not in spoken.content()["data"]
    assert Row.of(spoken) == Row.of(silent)
    assert Row.of(silent).others == {"firmness": "firm", "reason": ""}
