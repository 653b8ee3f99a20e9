"""The events that a sheet of each kind states, and their ids: neither layout nor order matters."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.documents.facts import line_name
from shared.documents.profile import Profile, read_profile
from shared.documents.sheets import read_sheet
from shared.documents.stating import LineInForce, line_in_force, state_document
from shared.wire.events import Event
from testing.documents import CATALOGUE, ISSUED, Source, counts, named, relaxed

ROWS = """product,site,supplier,line,due,wafers
HBM-12H,S,north,L-1,2026-07-06,4
HBM-12H,S,north,,2026-07-13,5
DDR-16G,T,,L 2,2026-07-20,6
"""
PROFILE = """
columns: {product: Item, site: Plant, due: Receipt date}
items: {Stack: HBM-12H, Other: DDR-16G}
parties: {Oslo plant: S, Nordic: north}
dates: DMY
"""
OTHER_ROWS = """Some title;;;;;;
Receipt date;Plant;Item;Supplier;Remark;Wafers;Line
20.07.2026;T;Other;;;6;L 2
13.07.2026;Oslo plant;Stack;Nordic;x;5;
06/07/2026;Oslo plant;Stack;Nordic;;4;L-1
"""


def test_the_layout_does_not_matter():
    """Neither does the order of columns and rows, nor the names of the partner."""
    stated = []
    for text, profile in ((ROWS, ""), (OTHER_ROWS, PROFILE)):
        sheet = read_sheet("a sheet", text.encode(), read_profile(profile), "forecasts")
        stated.append(Source().state(sheet.document, profile=read_profile(profile)))

    first, second = (sorted((each.event for each in of.events), key=lambda event: event["id"]) for of in stated)
    assert first == second
    assert len(first) == 3
    assert stated[0].document == stated[1].document == first[0]["correlationid"]


def test_a_row_without_a_line_is_named_by_what_it_is():
    sheet = read_sheet("a sheet", ROWS.encode(), Profile(), "forecasts")

    names = [each.event["data"]["line"] for each in Source().state(sheet.document).events]

    assert names[:2] == ["L-1", "HBM-12H.S.north.2026-07-13"]
    assert names[2].startswith("L-2-")
    assert len(names[2]) == len("L-2-") + 6


@relaxed
@given(st.text(min_size=1, max_size=80), st.text(min_size=1, max_size=80))
def test_two_names_of_a_partner_never_meet(one, other):
    assert (line_name(one) == line_name(other)) == (one == other) or line_name(one) in (one, other)


# ---------------------------------------------------------------- the other kinds

SITES = """site,name,country,mooring,mw,pue_percent,kg_co2_per_mwh,evidence,confidence,land_ha
NO-1,Oslo,NO,onshore,200,115,30,press,assumed,12
"""
PRODUCTS = """product,family,gb_per_die,die_mm2,layers,line_yield,probe_yield,layer_yield,final_yield,basis
NEW-16H,HBM,3,130,16,0.97,0.70,0.99,0.95,assumed
PLAIN,,,,,,,,,
"""


def test_a_receipt_that_changes_is_reversed_and_stated_anew():
    source, head = Source("receipts"), b"product,site,supplier,shipment,received,wafers,wafers_damaged\n"

    def receive(*rows, after):
        sheet = read_sheet("receipts", head + "\n".join(rows).encode(), Profile(), "receipts")
        return source.state(sheet.document, ISSUED + timedelta(days=after))

    first = receive("HBM-12H,S,north,S-1,2026-06-30,40,0", after=0)
    grown = receive("HBM-12H,S,north,S-1,2026-06-30,40,0", "HBM-12H,S,north,S-2,2026-07-01,50,", after=1)
    corrected = receive("HBM-12H,S,north,S-1,2026-06-30,38,2", after=2)
    taken_back = receive("HBM-12H,S,north,S-1,2026-06-30,40,0", after=3)

    assert [counts(each) for each in (first, grown, corrected, taken_back)] == [
        (1, 0, 0, 0), (1, 0, 0, 1), (0, 1, 0, 0), (0, 1, 0, 0),
    ]  # fmt: skip
    assert sorted(line.data["wafers"] for line in source.in_force()) == [40, 50]
    assert len(source.events) == 6


def test_a_receipt_has_the_same_id_in_each_sheet_that_lists_it():
    text = b"product,site,supplier,shipment,received,wafers\nHBM-12H,S,north,S-1,2026-06-30,40\n"
    events = [
        state_document(
            read_sheet("r", more, Profile(), "receipts").document, [], "group", Profile(), CATALOGUE, issued
        ).events[0]
        for more, issued in (
            (text, ISSUED),
            (text + b"HBM-12H,S,north,S-2,2026-07-01,1\n", ISSUED + timedelta(days=7)),
        )
    ]

    assert events[0].event == events[1].event


def test_a_count_that_changes_is_the_next_revision():
    source = Source("stock")
    for n, counted in enumerate((7, 7, 9)):
        text = f"product,site,day,counted\nHBM-12H,S,2026-06-30,{counted}\n"
        stated = source.state(
            read_sheet("stock", text.encode(), Profile(), "stock").document, ISSUED + timedelta(days=n)
        )

    assert counts(stated) == (0, 1, 0, 0)
    assert stated.events[0].event["data"] | {"supplier": ""} == {
        "product": "HBM-12H", "site": "S", "supplier": "", "counted": 9, "revision": 1,
    }  # fmt: skip


def test_a_sheet_of_sites_leaves_synthetic_ones_so():
    """No column says it."""
    sheet = read_sheet("sites", named(SITES), Profile(), "sites")
    first = state_document(sheet.document, [], "north", Profile(), CATALOGUE, ISSUED)
    in_force = Event.read(first.events[0].event | {"sequence": "1"})
    data = in_force.data.model_dump(mode="json") | {"synthetic": True}
    again, larger = (
        state_document(sheet.document, [LineInForce(line, ISSUED)], "north", Profile(), CATALOGUE, ISSUED)
        for line in (data, data | {"mw": 1})
    )

    assert counts(again)[:3] == (0, 0, 0)
    assert [each.event["data"]["synthetic"] for each in larger.events] == [True]


@pytest.mark.parametrize(
    ("kind", "text", "type_"),
    [
        ("sites", SITES, "waferline.site.declared.v1"), ("products", PRODUCTS, "waferline.product.declared.v1"),
        ("orders", "product,site,due,wafers,start_by\nP,S,2026-07-06,1,2026-01-01\n", "waferline.demand.required.v1"),
        ("commits", "product,site,due,wafers,firmness\nP,S,2026-07-06,1,firm\n", "waferline.supply.committed.v1"),
    ],
)  # fmt: skip
def test_each_kind_states_its_event(kind, text, type_):
    sheet = read_sheet(kind, named(text), Profile(), kind)
    stated = state_document(sheet.document, [], "north", Profile(), CATALOGUE, ISSUED)

    events = [Event.read(each.event | {"sequence": "1"}) for each in stated.events]
    lines = [LineInForce(event.data.model_dump(mode="json"), event.time, event.id) for event in events]
    assert {each.event["type"] for each in stated.events} == {type_}
    assert counts(state_document(sheet.document, lines, "north", Profile(), CATALOGUE, ISSUED))[:3] == (0, 0, 0)


def test_a_row_of_the_ledgers_lines_is_a_line_in_force():
    row = {
        "source": "north", "kind": "commit", "line": "C-1", "product": "HBM-12H", "site": "S", "supplier": "north",
        "day": "2026-07-06", "wafers": 4, "open_wafers": 4, "revision": 2, "state": "open", "firmness": "firm",
        "start_by": None, "priority": None, "id": "an id", "time": "2026-06-01T00:00:00.000000Z",
    }  # fmt: skip
    text = "product,site,line,due,wafers,firmness\nHBM-12H,S,C-1,2026-07-06,{},firm\n"

    def state(wafers):
        sheet = read_sheet("commits", text.format(wafers).encode(), Profile(), "commits")
        return state_document(sheet.document, [line_in_force(row)], "north", Profile(), CATALOGUE, ISSUED)

    assert counts(state(4)) == (0, 0, 0, 1)
    assert state(5).events[0].event["data"]["revision"] == 3
