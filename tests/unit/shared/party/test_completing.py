"""An event that leaves out its id, revision or owner gets the same ones whenever it is sent."""

import json
from copy import deepcopy
from functools import partial
from typing import Any

import pytest

from shared.party.completing import complete
from shared.party.intake import number_lines, read_lines, take_events
from shared.party.outbox import Outbox
from shared.wire.events import Event

KEY = {"product": "HBM4-12H", "site": "TX-MILAM", "supplier": "samsung"}


@pytest.fixture
def outbox(tmp_path) -> Outbox:
    return Outbox(tmp_path / "samsung.db")


def commit(wafers: int, line: str = "c", **attributes: Any) -> dict[str, Any]:
    data = {**KEY, "line": line, "due": "2026-09-01", "firmness": "firm", "wafers": wafers}
    time = "2026-03-01T00:00:00Z"
    event = {"specversion": "1.0", "source": "samsung", "type": "waferline.supply.committed.v1", "time": time}
    return event | {"data": data | attributes}


def receipt(**others: Any) -> dict[str, Any]:
    data = {**KEY, "shipment": "s", "wafers": 5, "wafers_damaged": 0, **others}
    return commit(1) | {"type": "waferline.shipment.received.v1", "source": "stargate-americas", "data": data}


def published(outbox: Outbox) -> list[Event]:
    return [Event.read(entry.body) for entry in outbox.after(0)]


def take(outbox: Outbox, *events: dict[str, Any]) -> list[bool]:
    """Return of each event whether it is a duplicate."""
    found = take_events("\n".join(map(json.dumps, events)).encode(), outbox)
    assert [line.refused for line in found] == [None] * len(events)
    return [line.duplicate for line in found]


def test_an_event_without_an_id_is_the_same_event_when_it_is_sent_again(outbox):
    assert take(outbox, commit(5), commit(5), commit(6)) == [False, True, False]
    assert take(outbox, commit(6), commit(5)) == [True, True]

    ids = [event.id for event in published(outbox)]
    assert len(set(ids)) == 2


def test_the_revisions_of_a_line_go_up_from_the_greatest_that_came(outbox):
    take(outbox, commit(5), commit(6), commit(7, revision=9), commit(5, line="d"))
    take(outbox, commit(8), commit(4, revision=3))

    found = [(event.data.line, event.data.wafers, event.data.revision) for event in published(outbox)]
    assert found == [("c", 5, 0), ("c", 6, 1), ("c", 7, 9), ("d", 5, 0), ("c", 8, 10), ("c", 4, 3)]


def test_a_restarted_door_goes_on_with_the_revisions(tmp_path):
    take(Outbox(tmp_path / "samsung.db"), commit(5), commit(6))
    again = Outbox(tmp_path / "samsung.db")
    take(again, commit(7))

    assert [event.data.revision for event in published(again)] == [0, 1, 2]


def declaration(kind: str, **data: Any) -> dict[str, Any]:
    return commit(1) | {"type": f"waferline.{kind}.declared.v1", "data": data}


def test_a_declaration_gets_the_next_revision_of_its_thing(outbox):
    product, programme = partial(declaration, "product"), partial(declaration, "programme")
    take(outbox, product(product="A"), product(product="B"), product(product="A", basis="b"))
    take(outbox, declaration("platform", platform="A"), programme(programme="north"), programme(programme="south"))

    assert [event.data.revision for event in published(outbox)] == [0, 0, 1, 0, 0, 1]  # there is one programme


def test_a_declaration_goes_beyond_those_of_other_planners(outbox):
    lines = [*read_lines(json.dumps(declaration("product", product="A")).encode(), "samsung")]
    number_lines(lines, outbox, 10, last_revision={"product.declared A": 6}.__getitem__)

    assert [event.data.revision for event in published(outbox)] == [7]


def test_the_greatest_revision_of_a_line_is_kept(outbox):
    outbox.put([], revisions={"supply.committed c": 4})
    outbox.put([], revisions={"supply.committed c": 2, "supply.committed d": 1})

    assert [outbox.revision(f"supply.committed {line}") for line in "cde"] == [4, 1, -1]


def test_the_owner_of_a_received_shipment_is_its_supplier():
    assert complete(receipt(), "stargate-americas").content["data"]["owner"] == "samsung"
    assert complete(receipt(owner="broker"), "stargate-americas").content["data"]["owner"] == "broker"


def test_a_whole_event_stays_as_it_is():
    event = receipt(owner="samsung") | {"id": "00000000-0000-7000-8000-000000000001"}
    before = deepcopy(event)

    assert complete(event, "stargate-americas") == (before, None, None)


@pytest.mark.parametrize("event", [{"type": 5}, {"data": []}, commit(1) | {"time": "soon"}, commit(1) | {"time": 3}])
def test_an_event_that_cannot_be_read_is_left_to_the_ledger(event):
    assert complete(event, "samsung") == complete(deepcopy(event), "samsung")
