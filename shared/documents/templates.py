"""Workbooks that `read_sheet` reads: a template for each kind, empty or filled with the lines in force."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from io import BytesIO
from typing import Any

from openpyxl import Workbook
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from shared.documents.columns import TERMS, Column
from shared.documents.document import Kind
from shared.documents.stating import LineInForce

DAY_FORMAT = "yyyy-mm-dd"
ROWS_CHECKED = 10_000
"""Rows in which a spreadsheet offers the words of a column."""

_MOVEMENT_DAY = {"receipts": "received", "stock": "day"}
_BOLD = Font(bold=True)


def template(kind: Kind, lines: Sequence[LineInForce] = ()) -> bytes:
    """Return an XLSX workbook with typed columns and a frozen header, that reads back to nothing new.

    Its second sheet describes the columns. With `lines` it holds their values, too.
    """
    workbook = Workbook()
    sheet = workbook.active
    assert isinstance(sheet, Worksheet)
    sheet.title = kind
    columns = TERMS[kind].columns
    _add_header(sheet, [column.name for column in columns])
    for at, column in enumerate(columns, start=1):
        letter = get_column_letter(at)
        sheet.column_dimensions[letter].width = max(14, len(column.name) + 4)
        if column.type == "day":
            sheet.column_dimensions[letter].number_format = DAY_FORMAT
        if column.type in ("name", "party", "product", "text"):
            sheet.column_dimensions[letter].number_format = "@"
        if column.choices:
            words = DataValidation(type="list", formula1=f'"{",".join(column.choices)}"', allow_blank=True)
            words.add(f"{letter}2:{letter}{ROWS_CHECKED}")
            sheet.add_data_validation(words)
    for row, line in enumerate(lines, start=2):
        for at, column in enumerate(columns, start=1):
            _write(sheet, row, at, column, _value(kind, column, line))
    _describe(workbook.create_sheet("columns"), columns)
    saved = BytesIO()
    workbook.save(saved)
    return saved.getvalue()


def _add_header(sheet: Worksheet, titles: Sequence[str]) -> None:
    for at, title in enumerate(titles, start=1):
        sheet.cell(1, at, title).font = _BOLD
    sheet.freeze_panes = "A2"


def _value(kind: Kind, column: Column, line: LineInForce) -> Any:
    """Return the value of a column as the data of an event has it; the day of a movement is that of its time."""
    if column.name == _MOVEMENT_DAY.get(kind):
        return line.time.date()
    model = line.data.get("wafer_model") or {}
    value = line.data.get(column.name, model.get(column.name))
    if value is None or value == "":
        return None
    if column.type == "day":
        return date.fromisoformat(value)
    return Decimal(value) if column.type == "ratio" else value


def _write(sheet: Worksheet, row: int, at: int, column: Column, value: Any) -> None:
    if value is None:
        return
    cell = sheet.cell(row, at, value)
    if column.type == "day":
        cell.number_format = DAY_FORMAT
    if isinstance(value, str):
        cell.data_type = "s"  # a text, even one that begins as a formula
        cell.number_format = "@"


def _describe(sheet: Worksheet, columns: Sequence[Column]) -> None:
    """Fill the sheet that describes the columns."""
    _add_header(sheet, ("column", "necessary", "meaning", "example"))
    for row, column in enumerate(columns, start=2):
        needed = "yes" if column.required else "no"
        for at, value in enumerate((column.name, needed, column.meaning, column.example), start=1):
            sheet.cell(row, at, value)
    for at, width in enumerate((18, 12, 80, 20), start=1):
        sheet.column_dimensions[get_column_letter(at)].width = width
