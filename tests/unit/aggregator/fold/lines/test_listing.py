"""Lists of lines against a list of the events, and what is open of each."""

from datetime import date

import pytest

from services.aggregator.fold.lines.listing import LineSelection, list_lines
from shared.wire.days import day_number
from shared.wire.events import DemandForecast, ShipmentDispatched, ShipmentRevised
from testing.lines import KEY, Story, lines_of

TODAY = day_number(date(2026, 4, 6))
GROUP = (KEY["product"], KEY["site"])


@pytest.fixture
def story() -> Story:
    """A commit of 50 that was one of 100 and is overdue, two orders, a forecast, and a shipment that was moved."""
    story = Story()
    story.commit(1, 100, 3)
    story.commit(2, 50, 4, 1)
    story.order(1, 30, 2)
    story.order(1, 20, 5, line="o2")
    story.say(2, DemandForecast(line="f", due=date(2026, 4, 9), wafers=7, revision=0, **KEY))
    story.say(2, ShipmentDispatched(shipment="s", commit=None, wafers=10, eta=date(2026, 4, 8), lots=[], **KEY))
    story.say(3, ShipmentRevised(shipment="s", eta=date(2026, 4, 10), revision=1, **KEY))
    return story


def listed(story: Story, backorder: int = 0, **chosen) -> list[tuple[str, str, int, int]]:
    """Return the kind, the name, and the wafers of each line listed, all and open."""
    found = list_lines(lines_of(story.log), LineSelection(**chosen), TODAY, {GROUP: backorder} if backorder else {})
    return [(line.kind, line.name, line.wafers, line.open_wafers) for line in found]


def test_every_line_is_listed_by_its_day_as_it_is_in_force(story):
    found = listed(story, is_open=False)

    assert [(kind, wafers) for kind, _, wafers, _ in found] == [
        ("order", 30), ("commit", 50), ("order", 20), ("forecast", 7), ("shipment", 10)
    ]  # fmt: skip


def test_the_backorder_is_open_of_the_orders_that_were_due_last(story):
    assert [line[3] for line in listed(story, kind="order", is_open=False)] == [0, 0]
    assert [line[3] for line in listed(story, 15, kind="order", is_open=False)] == [0, 15]
    assert [line[3] for line in listed(story, 25, kind="order", is_open=False)] == [5, 20]


def test_a_span_of_days_holds_its_ends(story):
    overdue = listed(story, to_day=TODAY - 1)

    assert [kind for kind, *_ in overdue] == ["commit"]
    assert [kind for kind, *_ in listed(story, from_day=TODAY)] == ["forecast", "shipment"]


@pytest.mark.parametrize(
    ("chosen", "kinds"),
    [
        ({"kind": "shipment"}, ["shipment"]), ({"supplier": "skhynix"}, []), ({"site": "narvik"}, []),
        ({"source": "samsung"}, ["commit", "shipment"]), ({"product": "HBM4-12H"}, ["commit", "forecast", "shipment"]),
    ],
)  # fmt: skip
def test_a_filter_leaves_the_lines_that_it_names(story, chosen, kinds):
    assert [kind for kind, *_ in listed(story, **chosen)] == kinds
