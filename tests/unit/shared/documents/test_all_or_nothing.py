"""A document with problems: each with its code and place, and no event of the whole document."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.documents.profile import Profile
from shared.documents.sheets import read_sheet
from shared.documents.stating import find_problems, state_document
from testing.documents import CATALOGUE, ISSUED, named, relaxed


@pytest.mark.parametrize(
    ("kind", "text", "code", "place"),
    [
        ("forecasts", "product,site,due,wafers\nHBM8,S,2026-07-06,4\n", "unknown_product", "row 2, column product"),
        ("forecasts", "product,site,due,wafers\nP,S,2026-07-06,4.5\n", "fraction", "row 2, column wafers"),
        ("forecasts", "product,site,due,wafers\nP,S,2026-07-06,-4\n", "out_of_bounds", "row 2, column wafers"),
        ("forecasts", "product,site,due,wafers\nP,S,2026-07-06,1000001\n", "out_of_bounds", "row 2, column wafers"),
        ("forecasts", "product,site,due,wafers\nP,S,1999-07-06,1\n", "date_out_of_bounds", "row 2, column due"),
        ("forecasts", "product,site,due,wafers\nP,a b,2026-07-06,1\n", "unknown_party", "row 2, column site"),
        ("forecasts", "product,site,due,wafers,unit\nP,S,2026-07-06,1,box\n", "unknown_unit", "row 2, column unit"),
        ("forecasts", "product,site,due,wafers,unit\nQ,S,2026-07-06,1,gb\n", "no_wafer_model", "row 2, column wafers"),
        ("forecasts", "product,site,due,wafers,unit\nP,S,2026-07-06,1,stack\n", "fraction", "row 2, column wafers"),
        ("forecasts", "product,site,due,wafers\nP,S,2026-07-06,1\nP,S,2026-07-06,1\n", "repeated", "row 3"),
        ("commits", "supplier,product,site,due,wafers,firmness\neast,P,S,2026-07-06,1,firm\n", "unknown_party",
         "row 2, column supplier"),
        ("orders", "product,site,due,wafers\nP,S,2026-07-06,1\n", "missing", "row 2"),
        ("orders", "product,site,due,wafers,start_by,priority\nP,S,2026-07-06,1,2026-01-01,10\n", "out_of_bounds",
         "row 2, column priority"),
        ("receipts", "product,site,shipment,received,wafers\nP,S,S-1,2026-07-01,4\n", "missing", "row 2"),
        ("stock", "product,site,day,counted\nP,S,2026-07-02,4\n", "date_out_of_bounds", "row 2, column day"),
        ("products", "product,gb_per_die\nNEW,3\n", "missing", "row 2, column gb_per_die"),
    ],
)  # fmt: skip
def test_one_problem_says_nothing_of_the_whole_document(kind, text, code, place):
    sheet = read_sheet("a sheet", named(text), Profile(), kind)
    stated = state_document(sheet.document, [], "north", Profile(), CATALOGUE, ISSUED)

    assert [(problem.code, str(problem.place)) for problem in stated.problems] == [(code, place)]
    assert stated.events == ()


@relaxed
@given(
    st.lists(st.tuples(st.sampled_from(["P", "HBM8", ""]), st.sampled_from(["4", "4.5", "-1", "x", ""])), max_size=5)
)
def test_the_problems_of_a_check_are_those_of_an_import(rows):
    text = "product,site,line,due,wafers\n" + "".join(
        f"{product},S,L-{n},2026-07-06,{wafers}\n" for n, (product, wafers) in enumerate(rows)
    )
    sheet = read_sheet("a sheet", named(text), Profile(), "forecasts")

    found = find_problems(sheet, "group", Profile(), CATALOGUE, ISSUED)

    wrong = {n for n, (product, wafers) in enumerate(rows, start=2) if (product, wafers) != ("P", "4")}
    assert {problem.place.row for problem in found} == wrong
    if sheet.document is not None:
        assert state_document(sheet.document, [], "group", Profile(), CATALOGUE, ISSUED).problems == found


def test_an_unknown_product_names_the_nearest():
    sheet = read_sheet("a sheet", b"product,site,due,wafers\nHBM8,S,2026-07-06,4\n", Profile(), "forecasts")

    assert "HBM9" in state_document(sheet.document, [], "north", Profile(), CATALOGUE, ISSUED).problems[0].reason
