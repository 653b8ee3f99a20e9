"""A sheet of each kind, as planners send them, is read whole or refused with each place."""

from pathlib import Path

import pytest

from shared.documents.document import KINDS
from testing.sheet_table import main, sheets_of

SHEETS = Path(__file__).parent / "sheets"
READ = {row.file: row for row in sheets_of(SHEETS)}


def test_there_is_a_sheet_of_each_kind():
    assert {row.kind for row in READ.values() if row.is_read} == set(KINDS)


@pytest.mark.parametrize(
    ("file", "profile", "lines"),
    [
        ("commits-german.csv", "german", 3), ("forecasts-matrix.xlsx", "", 7), ("orders-rows.xlsx", "", 2),
        ("products-rows.xlsx", "", 2), ("receipts-rows.csv", "", 2), ("sites-rows.csv", "", 2),
        ("stock-matrix.xlsx", "", 3),
    ],
)  # fmt: skip
def test_a_sheet_is_read(file, profile, lines):
    row = READ[file]

    assert row.sheet.problems == ()
    assert (row.profile, len(row.sheet.document.lines)) == (profile, lines)


@pytest.mark.parametrize(
    ("file", "problems"),
    [
        ("commits-broken.csv", ["row 2, column due: ambiguous_day", "row 2, column wafers: bad_number",
                                "row 3, column due: bad_day", "row 3, column firmness: unknown_code",
                                "row 4: ends_early"]),
        ("forecasts-broken.xlsx", ["Plan!C2: cell_error", "Plan!D2: formula_without_value", "Plan!E2: bad_number",
                                   "Plan!C3: bad_number"]),
    ],
)  # fmt: skip
def test_a_broken_sheet_names_each_place(file, problems):
    assert [f"{each.place}: {each.code}" for each in READ[file].sheet.problems] == problems


def test_the_table_says_that_it_was_not_run(capsys):
    assert main([]) == 0
    assert "not run" in capsys.readouterr().out


def test_the_table_has_a_line_for_each_sheet(capsys):
    assert main([str(SHEETS)]) == 0
    assert "9 sheets: 7 read, 2 refused with place" in capsys.readouterr().out
