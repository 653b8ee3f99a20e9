"""Rows as a workbook: the cells have their types, the header stays, and no text is a formula."""

from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from shared.http import workbook
from shared.http.workbook import TooManyRows, ViewSheet, write_workbook

TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)


def read(*sheets: ViewSheet):
    return load_workbook(BytesIO(write_workbook(sheets)))


def test_cells_have_their_types():
    row = [5, 1.5, True, None, "2026-09-01", "2026-09-01T12:00:00+02:00", "TX-MILAM", [1, "a"], 2**60]
    sheet = read(ViewSheet("S", [str(n) for n in range(len(row))], [row])).active

    assert [cell.value.isoformat() if cell.is_date else cell.value for cell in sheet[2]] == [
        5, 1.5, True, None, "2026-09-01T00:00:00", "2026-09-01T10:00:00", "TX-MILAM", '[1, "a"]', str(2**60)
    ]  # fmt: skip
    assert sheet["E2"].is_date
    assert (sheet.freeze_panes, sheet["A1"].font.bold) == ("A2", True)


@given(st.lists(TEXTS, min_size=1, max_size=5))
@settings(max_examples=25)
def test_a_text_comes_back_as_it_was(texts):
    sheet = read(ViewSheet("S", ["text"], [["=1+1"], ["2026-13-45"], ["-5"], *([f"x{text}"] for text in texts)])).active

    found = [row[0] for row in sheet.iter_rows(min_row=2)]
    assert [cell.value for cell in found] == ["=1+1", "2026-13-45", "-5", *(f"x{text}" for text in texts)]
    assert {cell.data_type for cell in found} == {"s"}


def test_a_control_does_not_break_the_file():
    assert read(ViewSheet("a\x00b", ["c\x07"], [["d\x1b"]])).active["A2"].value == "d\ufffd"


def test_sheets_have_titles_that_excel_takes_and_that_differ():
    titles = read(
        *[ViewSheet("Months, start basis [300 mm]: wafer starts", ["a"], [])] * 3, ViewSheet("", [], [])
    ).sheetnames

    assert len({title.lower() for title in titles}) == 4
    assert all(0 < len(title) <= 31 and not set(title) & set("[]:*?/\\") for title in titles)


def test_more_rows_than_a_sheet_holds_are_refused(monkeypatch):
    monkeypatch.setattr(workbook, "_ROWS_MAX", 1)

    with pytest.raises(TooManyRows, match="S has 2 rows, and a sheet holds 1"):
        write_workbook([ViewSheet("S", ["a"], [[1], [2]])])
