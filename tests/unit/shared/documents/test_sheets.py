"""Sheets of every form become documents, or problems with their places."""

from datetime import date, datetime
from decimal import Decimal
from io import BytesIO

import pytest
from openpyxl import Workbook

from shared.documents.profile import read_profile
from shared.documents.sheets import read_sheet
from testing.workbooks import Raw, error, formula, one_sheet, sheet_xml, workbook

HEADER = "product,site,line,due,wafers,firmness\n"


def read(body, kind="commits", profile=""):
    body = body.encode() if isinstance(body, str) else body
    return read_sheet("a sheet", body, read_profile(profile), kind)


def document(sheet):
    assert sheet.document is not None, sheet.problems
    return sheet.document


def lines(sheet):
    return [{name: value.value for name, value in line.values.items()} for line in document(sheet).lines]


def problems(sheet):
    assert sheet.document is None
    return [(problem.code, str(problem.place)) for problem in sheet.problems]


def saved(rows):
    book = Workbook()
    for row in rows:
        book.active.append(row)
    body = BytesIO()
    book.save(body)
    return body.getvalue()


# ---------------------------------------------------------------- rows


def test_each_value_has_its_place():
    line = document(read(HEADER + "\nHBM9,NO-1,C-1,2026-07-15,1200,firm\n")).lines[0]

    assert line.values["due"].value == date(2026, 7, 15)
    assert str(line.values["due"].place) == "row 3, column due"
    assert line.values["wafers"].value == Decimal(1200)


def test_a_cell_of_a_workbook_has_the_place_that_a_spreadsheet_shows():
    sheet = read(one_sheet([["Product", "Site", "Due", "Wafers", "Firmness"], ["P", "S", "2026-07-15", 400, "firm"]]))

    assert str(document(sheet).lines[0].values["wafers"].place) == "Plan!D2"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_way_a_text_is_written_does_not_matter(delimiter, encoding, end):
    text = HEADER + 'P,S,C-1,2026-07-15,1200,firm\nP,S,"C é 2",2026-07-22,0,planned\n'
    written = text.replace(",", delimiter).replace("\n", end).encode(encoding)

    assert lines(read(written)) == lines(read(text))


def test_headers_are_found_by_name_below_a_title():
    rows = "Call-off DRAM\n\n Firmness ;WAFERS;start-by;Due; Site;Product;Remark\nfirm;4;;2026-07-15;S;P;x\n"
    sheet = read(rows.replace("Call-off DRAM", "Call-off DRAM;;;;;;"))

    assert lines(sheet) == [{"product": "P", "site": "S", "due": date(2026, 7, 15), "wafers": 4, "firmness": "firm"}]
    assert [note.name for note in sheet.notes] == ["extra_columns"]


def test_a_profile_names_the_columns_and_their_words():
    profile = """
        columns: {product: Item, site: [Location, Plant], due: Receipt Date, wafers: Quantity, line: Reference}
        codes: {firmness: {Confirmed: firm}}
        defaults: {firmness: planned}
        """
    body = saved([
        ["Reference", "Item", "Plant", "Ordering Date", "Receipt Date", "Quantity", "firmness"],
        ["PO #3", "beam", "factory", None, datetime(2026, 6, 26, 12, 20), 50, "confirmed"],  # noqa: DTZ001
        ["PO #4", "beam", "factory", None, date(2026, 6, 27), 60, None],
    ])  # fmt: skip

    assert [(line["line"], line["due"], line["firmness"]) for line in lines(read(body, "commits", profile))] == [
        ("PO #3", date(2026, 6, 26), "firm"), ("PO #4", date(2026, 6, 27), "planned"),
    ]  # fmt: skip


def test_a_column_that_is_missing_is_one_problem_before_any_row():
    sheet = read("product,site,wafers\nP,S,x\nP,S,y\n", "forecasts")

    assert problems(sheet) == [("missing", "row 1")]
    assert "due" in sheet.problems[0].reason


def test_a_header_that_no_row_has_is_one_problem():
    assert problems(read("id,name\n1,english\n")) == [("missing", "row 1")]
    assert problems(read("id,name\n1,english\n", profile="header_row: 7")) == [("missing", "row 7")]
    assert problems(read("")) == [("missing", "file")]


def test_where_no_row_is_a_header_the_likely_one_is_shown_with_the_way_to_name_its_columns():
    foreign = read("Plan of May;;\n;;\nArtikel;Ort;Menge\nX;Y;400\n")
    extra = read("product,site,due,wafers,grade\nX,Y,2026-07-15,400,firm\n")

    reasons = [sheet.problems[0].reason for sheet in (foreign, extra)]

    assert "; row 3 has 'Artikel', 'Ort', 'Menge': say in `columns` of the profile what each is" in reasons[0]
    assert reasons[1].endswith("not known here: 'grade': say in `columns` of the profile what each is")


def test_all_problems_of_all_rows_are_named_at_once():
    sheet = read(HEADER + "P,S,C-1,32.07.2026,x,firm\nP,S,C-2,,-4,sure\nP,S,C-3,2026-07-15,4,firm,more\nP,S\n")

    assert problems(sheet) == [
        ("bad_day", "row 2, column due"), ("bad_number", "row 2, column wafers"), ("no_day", "row 3, column due"),
        ("unknown_code", "row 3, column firmness"), ("ends_early", "row 4"), ("ends_early", "row 5"),
    ]  # fmt: skip


def test_cells_without_a_number_are_problems_of_those_cells():
    cells = [error("#REF!"), formula("A1+1"), "tbd", True, 400.5]
    rows = [["product", "site", "due", "wafers"]]
    rows += [["P", "S", f"2026-07-{day:02d}", cell] for day, cell in enumerate(cells, start=1)]

    assert problems(read(one_sheet(rows), "forecasts")) == [
        ("cell_error", "Plan!D2"), ("formula_without_value", "Plan!D3"), ("bad_number", "Plan!D4"),
        ("bad_number", "Plan!D5"),
    ]  # fmt: skip


def test_a_formula_has_the_value_that_was_saved():
    rows = [["product", "site", "due", "wafers"], ["P", "S", "2026-07-01", formula("B1*2", 800)]]

    assert lines(read(one_sheet(rows), "forecasts"))[0]["wafers"] == 800


@pytest.mark.parametrize(("date_1904", "serial"), [(False, 46209), (True, 44747)])
def test_a_date_cell_is_a_day_in_both_date_systems(date_1904, serial):
    book = Workbook()
    book.epoch = datetime(1904, 1, 1) if date_1904 else datetime(1899, 12, 30)  # noqa: DTZ001
    book.active.append(["product", "site", "due", "wafers"])
    book.active.append(["P", "S", serial, 4])
    book.active["C2"].number_format = "dd/mm/yyyy"
    body = BytesIO()
    book.save(body)

    assert lines(read(body.getvalue(), "forecasts"))[0]["due"] == date(2026, 7, 6)


def test_leading_zeros_of_a_text_stay():
    assert lines(read(HEADER + "P,S,0012,2026-07-15,4,firm\n"))[0]["line"] == "0012"


def test_two_columns_of_one_field_are_a_problem():
    assert problems(read("product,site,due,due,wafers,firmness\nP,S,2026-07-15,2026-07-15,4,firm\n")) == [
        ("repeated", "row 1, column due")
    ]


def test_hidden_rows_and_sheets_are_left_out_and_counted():
    rows = [["product", "site", "due", "wafers"]]
    rows += [["P", "S", f"2026-07-{day:02d}", day] for day in (1, 2, 3)]
    body = workbook({"Old": sheet_xml([]), "Plan": sheet_xml(rows, hidden=[3])}, hidden=["Old"])

    sheet = read(body, "forecasts")

    assert [line["wafers"] for line in lines(sheet)] == [1, 3]
    assert {note.name for note in sheet.notes} == {"hidden_rows", "hidden_sheets"}


def test_the_profile_names_the_sheet():
    rows = [["product", "site", "due", "wafers"], ["P", "S", "2026-07-01", 7]]
    body = workbook({"Notes": sheet_xml([["nothing"]]), "Plan": sheet_xml(rows)})

    assert lines(read(body, "forecasts", "sheet: plan"))[0]["wafers"] == 7
    assert problems(read(body, "forecasts", "sheet: Plans"))[0][0] == "missing"


def test_hidden_columns_are_read_and_named():
    rows = sheet_xml([["product", "site", "2026-07-06", "2026-07-13"], ["P", "S", 4, 5]])
    sheet = read(
        workbook({"Plan": rows.replace("<sheetData>", '<cols><col min="3" max="3" hidden="1"/></cols><sheetData>')}),
        "forecasts",
    )

    assert [line["wafers"] for line in lines(sheet)] == [4, 5]
    assert [tuple(note) for note in sheet.notes] == [("hidden_columns", "read, though hidden: C")]


def test_a_number_is_the_one_that_a_spreadsheet_shows():
    """A sum of fractions is stored with 17 digits, and some programs save whole numbers with a fraction of 0."""
    rows = [["product", "site", "due", "wafers"], [Raw("><v>1234.0</v>"), "S", "2026-07-15", 1320.0000000000002]]

    [line] = lines(read(one_sheet(rows), "forecasts"))

    assert (line["product"], line["wafers"]) == ("1234", 1320)


def test_blanks_that_no_line_breaks_are_blanks():
    text = "product,site,due,wafers,firmness,reason\nP\u00a0,S,15\u00a0Jul 2026,1\u00a0200,firm,second\u00a0shift\n"

    [line] = lines(read(text))

    assert [line[name] for name in ("product", "due", "wafers", "reason")] == [
        "P", date(2026, 7, 15), 1200, "second shift",
    ]  # fmt: skip


@pytest.mark.parametrize("title", ["Plan of July", "Plan, July"])
def test_the_delimiter_is_that_of_the_header_below_a_title(title):
    assert lines(read(f"{title}\nproduct;site;due;wafers\nP;S;2026-07-15;4\n", "forecasts"))[0]["wafers"] == 4


# ---------------------------------------------------------------- matrix

MATRIX = [
    ["Call-off"],
    [],
    ["Product", "Site", "Supplier", "2026-07-06", "2026-W29", "KW30/2026", "Aug 2026", "Total"],
    ["P", "S", "north", 900, 900, 0, 1200, formula("SUM(D4:G4)", 3000)],
    ["Q", "S", "north", 400, None, 400, 400, formula("SUM(D5:G5)", 1200)],
    ["Total", None, None, 1300, 900, 400, 1600, 4200],
]


def test_a_matrix_has_a_line_for_each_cell_that_is_not_empty():
    sheet = read(one_sheet(MATRIX, merged=["A1:H1"]), "forecasts")

    assert [(line["product"], line["due"], line["wafers"]) for line in lines(sheet)] == [
        ("P", date(2026, 7, 6), 900), ("P", date(2026, 7, 13), 900), ("P", date(2026, 7, 20), 0),
        ("P", date(2026, 8, 1), 1200), ("Q", date(2026, 7, 6), 400), ("Q", date(2026, 7, 20), 400),
        ("Q", date(2026, 8, 1), 400),
    ]  # fmt: skip
    assert (document(sheet).starts_on, document(sheet).ends_on) == (date(2026, 7, 6), date(2026, 8, 31))
    assert str(document(sheet).lines[3].place) == "Plan!G4"


def test_a_week_may_be_due_on_its_last_day():
    sheet = read(one_sheet(MATRIX), "forecasts", "bucket_due: end")

    assert [line["due"] for line in lines(sheet)][:4] == [
        date(2026, 7, 6), date(2026, 7, 19), date(2026, 7, 26), date(2026, 8, 31),
    ]  # fmt: skip


@pytest.mark.parametrize(("row", "column", "place"), [(5, 3, "Plan!D6"), (5, 7, "Plan!H6"), (3, 7, "Plan!H4")])
def test_totals_are_checked(row, column, place):
    rows = [list(each) for each in MATRIX]
    rows[row][column] = 1

    assert ("schedule_sum", place) in problems(read(one_sheet(rows), "forecasts"))


def test_a_total_is_that_of_its_block_or_of_all_rows():
    text = "product,site,due,wafers\nP,S,2026-07-01,4\nSubtotal,,,4\nQ,S,2026-07-01,5\nSumme:,,,5\nGrand total,,,9\n"

    assert [line["wafers"] for line in lines(read(text, "forecasts"))] == [4, 5]


def test_a_merged_key_holds_for_all_its_rows():
    rows = [["product", "site", "2026-07-06"], ["P", "S", 1], [None, "T", 2], [None, None, 3], ["Q", "T", 4]]

    read_lines = lines(read(one_sheet(rows, merged=["A2:A4", "B3:B4"]), "forecasts"))

    assert [(line["product"], line["site"], line["wafers"]) for line in read_lines] == [
        ("P", "S", 1), ("P", "T", 2), ("P", "T", 3), ("Q", "T", 4),
    ]  # fmt: skip


def test_two_columns_of_one_bucket_are_a_problem():
    assert problems(read("product,site,2026-07-06,06 Jul 2026\nP,S,1,2\n", "forecasts")) == [
        ("repeated", "row 1, column 06 Jul 2026")
    ]


def test_an_ambiguous_day_of_a_header_is_a_problem():
    assert problems(read("product,site,03/04/2026\nP,S,1\n", "forecasts"))[0] == (
        "ambiguous_day", "row 1, column 03/04/2026",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("title", "code"),
    [
        (formula("C1+7"), "formula_without_value"), (error("#REF!"), "cell_error"), (46216, "bad_day"),
        (2026, "bad_day"), ("2026-02-30", "bad_day"), ("Aug-26", "ambiguous_day"), ("August", "ambiguous_day"),
        ("W30", "ambiguous_day"), ("Q3 2026", "ambiguous_day"), ("2026 H2", "ambiguous_day"),
        ("FY2026", "ambiguous_day"), ("13.07.", "ambiguous_day"), ("13.07.26", "ambiguous_day"),
    ],
)  # fmt: skip
def test_a_bucket_that_cannot_be_told_is_never_left_out(title, code):
    rows = [["product", "site", "2026-07-06", title, "Remark"], ["P", "S", 1, 200, "x"]]

    assert problems(read(one_sheet(rows), "forecasts")) == [(code, "Plan!D1")]


def test_a_header_without_a_value_is_a_problem_in_rows_too():
    """It could be that of the unit."""
    rows = [["product", "site", "due", "wafers", formula("A9")], ["P", "S", "2026-07-06", 1, "gb"]]

    assert problems(read(one_sheet(rows), "forecasts")) == [("formula_without_value", "Plan!E1")]


@pytest.mark.parametrize("merged", ["C2:D2", "C2:C3"])
def test_a_merged_quantity_is_a_problem(merged):
    rows = [["product", "site", "2026-07-06", "2026-07-13"], ["P", "S", 100], ["Q", "S", None, 4]]

    assert problems(read(one_sheet(rows, merged=[merged]), "forecasts")) == [("bad_number", "Plan!C2")]


def test_one_rule_holds_for_a_column_of_days():
    text = "product,site,due,wafers\nP,S,15.07.2026,1\nP,S,07/16/2026,2\nP,S,03/04/2026,2\n"

    assert problems(read(text, "forecasts")) == [
        ("ambiguous_day", "row 3, column due"), ("ambiguous_day", "row 4, column due"),
    ]  # fmt: skip
