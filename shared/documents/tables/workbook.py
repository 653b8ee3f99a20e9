"""An .xlsx workbook as bytes, read into rows: values and formulas, merged cells, hidden rows; bounded beforehand."""

import re
import struct
import warnings
import zlib
from datetime import date, timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any
from zipfile import BadZipFile, ZipFile

from openpyxl import load_workbook
from openpyxl.utils import range_boundaries
from openpyxl.worksheet._read_only import ReadOnlyWorksheet
from openpyxl.worksheet._reader import WorkSheetParser

from shared.documents.tables.delimited import CELLS_MAX, Grid, GridRow, Merge, Unreadable
from shared.documents.tables.values import Cell, CellFault, shown

UNPACKED_MAX = 64 * 2**20
PARTS_MAX = 2_000
TAGS_MAX = 4 * CELLS_MAX
"""Elements of XML in all parts: a cell takes three or four."""

ZIP_START, OLE_START = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
SAVE_ANEW = "cannot be opened as a workbook: open it in a spreadsheet program and save it anew as .xlsx"

# The library raises nearly anything for a workbook that is damaged or that it does not know: a part that is missing,
# a value of another type, a style that it cannot hold.
UNOPENED = (
    LookupError, ValueError, TypeError, AttributeError, ArithmeticError, OSError, EOFError, RuntimeError, SyntaxError,
    AssertionError, BadZipFile, zlib.error, struct.error,
)  # fmt: skip

_is_formula = re.compile(rb"<(?:\w+:)?f[\s>/]").search
_is_declaration = re.compile(rb"<!(?:DOCTYPE|ENTITY)").search


def read_workbook(body: bytes, sheet: str = "") -> Grid:
    """Return the rows of the sheet of that name, or of the first one that is not hidden.

    Raises `Unreadable` for a workbook that cannot be opened, or is beyond the limits. The cells come from the library's
    own parser of a sheet: its worksheets would unroll one far cell, merge or link to a million rows.
    """
    if body.startswith(OLE_START):
        raise Unreadable("no_such_format", "is an old .xls, or a workbook with a password: save it anew as .xlsx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of styles and extensions that the library leaves out
        try:
            _check_bounds(body)
            return _read_sheet(body, sheet)
        except UNOPENED as error:
            raise Unreadable("no_such_format", f"{SAVE_ANEW} ({type(error).__name__})") from None


def _check_bounds(body: bytes) -> None:
    """Raise `Unreadable` for a workbook that would take too much memory once unpacked, or that declares entities."""
    with ZipFile(BytesIO(body)) as archive:
        parts = archive.infolist()
        unpacked = sum(part.file_size for part in parts)
        if unpacked > UNPACKED_MAX or len(parts) > PARTS_MAX:
            limit = f"{UNPACKED_MAX // 2**20} MiB and {PARTS_MAX:,} parts"
            raise Unreadable("too_large", f"unpacks to {unpacked:,} bytes in {len(parts):,} parts; at most {limit}")
        tags = 0
        for part in parts:
            if not part.filename.lower().endswith((".xml", ".rels")):
                continue
            text = archive.read(part)
            if text.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in text[:100]:
                text = text.replace(b"\0", b"")
            tags += text.count(b"<")
            if tags > TAGS_MAX:
                raise Unreadable("too_large", f"has more than about {CELLS_MAX:,} cells: send it in parts")
            if _is_declaration(text):
                raise Unreadable("no_such_format", f"declares entities in {shown(part.filename)}, as no workbook does")


def _read_sheet(body: bytes, wanted: str) -> Grid:
    workbook = load_workbook(BytesIO(body), read_only=True, data_only=True, keep_links=False)
    try:
        sheets = [each for each in workbook.worksheets if isinstance(each, ReadOnlyWorksheet)]
        visible = [each for each in sheets if each.sheet_state == "visible"]
        named = [each for each in sheets if each.title.strip().casefold() == wanted.strip().casefold()]
        chosen = next(iter(named if wanted else visible), None)
        if chosen is None:
            titles = ", ".join(shown(each.title) for each in sheets[:20])
            what = f"no sheet is named {shown(wanted)}" if wanted else "no sheet is visible"
            raise Unreadable("missing", f"{what}; the workbook has {titles or 'none'}")
        with _source(chosen) as source:
            has_formula = _is_formula(source.read()) is not None
        formulas = _formula_cells(workbook, chosen) if has_formula else {}
        rows, parser = _read_rows(workbook, chosen, formulas)
    finally:
        workbook.close()
    notes = [("other_sheets", f"left out: sheet {shown(each.title)}") for each in visible if each is not chosen]
    if hidden_sheets := len(sheets) - len(visible) - (chosen not in visible):
        notes.append(("hidden_sheets", f"left out: {hidden_sheets} hidden"))
    hidden = {int(row) for row, terms in parser.row_dimensions.items() if terms.get("hidden") in ("1", "true")}
    left_out = [row for row in rows if row.number in hidden]
    if left_out:
        notes.append(("hidden_rows", f"left out: {len(left_out)} hidden, the first is row {left_out[0].number}"))
    return Grid(chosen.title, [row for row in rows if row.number not in hidden], _merges(parser), notes)


def _source(sheet: Any) -> Any:
    """Return the part of a sheet, to be closed by the caller."""
    return sheet._get_source()


def _parser(workbook: Any, sheet: Any, source: Any, *, data_only: bool) -> WorkSheetParser:
    """Return the parser of a sheet, for its values or for its formulas."""
    return WorkSheetParser(
        source,
        sheet._shared_strings,
        data_only=data_only,
        epoch=workbook.epoch,
        date_formats=workbook._date_formats,
        timedelta_formats=workbook._timedelta_formats,
    )


def _formula_cells(workbook: Any, sheet: Any) -> dict[int, set[int]]:
    """Return the columns of the formulas of each row."""
    with _source(sheet) as source:
        rows = _parser(workbook, sheet, source, data_only=False).parse()
        return {number: {cell["column"] for cell in cells if cell["data_type"] == "f"} for number, cells in rows}


def _read_rows(workbook: Any, sheet: Any, formulas: dict[int, set[int]]) -> tuple[list[GridRow], WorkSheetParser]:
    """Return the rows that are not empty, and the parser with all else that it found.

    A row is reduced to its values before the next one is parsed: the library's cells take five times the memory.
    """
    rows: dict[int, GridRow] = {}
    with _source(sheet) as source:
        parser = _parser(workbook, sheet, source, data_only=True)
        for number, found in parser.parse():
            unsaved = formulas.get(number, set())
            cells: dict[int, Cell] = {}
            for cell in found:
                value = _cell(cell, cell["column"] in unsaved)
                if value is not None:
                    cells[cell["column"]] = value
            if cells:
                rows[number] = GridRow(number, cells)
    return [rows[number] for number in sorted(rows)], parser


def _cell(cell: dict[str, Any], is_formula: bool) -> Cell:
    value, data_type = cell["value"], cell["data_type"]
    if data_type == "e":
        return CellFault("cell_error", f"the cell holds the error {shown(value)}")
    if value is None:
        # a formula that gives an empty text is saved as a text without one
        if is_formula and data_type != "str":
            return CellFault("formula_without_value", "the value of the formula was not saved: recalculate and save")
        return None
    if isinstance(value, str):
        return value if value.strip() else None
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, bool | int | date | timedelta):
        return value
    return CellFault("bad_text", f"{shown(value)} is no number, text or day")  # a time of day


def _merges(parser: WorkSheetParser) -> list[Merge]:
    if parser.merged_cells is None:
        return []
    bounds = (range_boundaries(merge.ref) for merge in parser.merged_cells.mergeCell)
    return [(top, left, bottom, right) for left, top, right, bottom in bounds if left and top and right and bottom]
