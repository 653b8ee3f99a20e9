"""A file with problems comes back as it was, with their places beside its rows; corrected, it imports."""

from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook

from shared.documents.marking import mark_problems
from shared.documents.profile import Profile, read_profile
from shared.documents.sheets import read_sheet
from testing.workbooks import one_sheet

relaxed = settings(deadline=None)  # a busy machine is slow

WRONG = "Firmness;Product;Site;Due;Wafers\r\nfirm;P;S;2026-07-06;x\r\nfirm;P;S;2026-07-13;5\r\nfirm;P;S;soon;6;7\r\n"


def read(body, kind="commits", profile=""):
    return read_sheet("a sheet", body, read_profile(profile), kind)


def mark(body, kind="commits", profile=""):
    return mark_problems("a sheet", body, read(body, kind, profile).problems, read_profile(profile), kind)


def values(sheet):
    assert sheet.problems == ()
    return [{name: value.value for name, value in line.values.items()} for line in sheet.document.lines]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_csv_file_keeps_its_rows(encoding):
    marked = mark(WRONG.encode(encoding)).decode(encoding).split("\r\n")

    assert marked[0] == "Firmness;Product;Site;Due;Wafers;place;problem"
    assert marked[1] == "firm;P;S;2026-07-06;x;row 2, column Wafers;bad_number: 'x' is no number"
    assert marked[2] == "firm;P;S;2026-07-13;5;;"
    assert marked[3].startswith("firm;P;S;soon;6;7;row 4;ends_early")


def test_a_corrected_csv_file_imports():
    marked = mark(WRONG.encode()).decode()

    corrected = marked.replace(";x;", ";4;").replace(";soon;6;7;", ";2026-07-20;6;")

    right = WRONG.replace(";x", ";4").replace(";soon;6;7", ";2026-07-20;6")
    assert values(read(corrected.encode())) == values(read(right.encode()))


def test_a_file_is_marked_anew_in_the_same_columns():
    once = mark(WRONG.encode())
    again = mark(once.replace(b";x;", b";y;"))

    assert again.splitlines()[0] == once.splitlines()[0]
    assert again.splitlines()[1].endswith(b"'y' is no number")


def test_a_workbook_keeps_its_cells_and_formats():
    book = Workbook()
    for row in (["title"], ["product", "site", "2026-07-06", "2026-07-13"], ["P", "S", "tbd", 5], ["Q", "S", 6, "=A1"]):
        book.active.append(row)
    book.active["D3"].number_format = "0.00"
    body = BytesIO()
    book.save(body)

    sheet = load_workbook(BytesIO(mark(body.getvalue(), "forecasts"))).active

    assert [[cell.value for cell in row] for row in sheet.iter_rows()] == [
        ["title", None, None, None, None, None],
        ["product", "site", "2026-07-06", "2026-07-13", "place", "problem"],
        ["P", "S", "tbd", 5, "Sheet!C3", "bad_number: 'tbd' is no number"],
        ["Q", "S", 6, "=A1", "Sheet!D4", sheet["F4"].value],
    ]
    assert sheet["D3"].number_format == "0.00"
    assert sheet["F4"].value.startswith("formula_without_value")


def test_a_corrected_workbook_imports():
    body = one_sheet([["product", "site", "2026-07-06"], ["P", "S", "tbd"], ["Q", "S", 6]], merged=["B2:B3"])
    book = load_workbook(BytesIO(mark(body, "forecasts")))
    book.active["C2"] = 4
    corrected = BytesIO()
    book.save(corrected)

    assert [line["wafers"] for line in values(read(corrected.getvalue(), "forecasts"))] == [4, 6]


def test_a_problem_of_the_whole_sheet_stands_beside_the_header():
    marked = mark(b"product,site,due\nP,S,2026-07-06\n", "forecasts").decode().splitlines()

    assert marked[0].startswith("product,site,due,place,problem: missing: no column for wafers")
    assert mark(marked[0].encode() + b"\nP,S,2026-07-06\n", "forecasts").decode().splitlines()[0] == marked[0]


def test_a_file_that_cannot_be_opened_comes_back_as_its_problems():
    assert b"no_such_format" in mark(b"PK\x03\x04 no workbook")


@relaxed
@given(st.text(max_size=20), st.text(max_size=20))
def test_no_cell_of_a_marked_file_is_a_formula(one, other):
    quoted = [f'"{text}"'.replace('""', '"').encode("utf-8", "replace") for text in (one, other)]
    body = b"product,site,due,wafers\n=1+1,S," + quoted[0].replace(b'"', b"") + b",@sum\n"

    for line in mark_problems("=a", body, read(body, "forecasts").problems, Profile(), "forecasts").splitlines():
        assert not line.startswith((b"=", b"@", b"+", b"-"))
        assert b",=" not in line
        assert b",@" not in line
