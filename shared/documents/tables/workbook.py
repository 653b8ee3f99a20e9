"""An .xlsx workbook as bytes, read into rows: values and formulas, merged cells, hidden rows; bounded beforehand."""

import re
import struct
import warnings
import zlib
from collections.abc import Generator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any, NamedTuple
from xml.etree.ElementTree import iterparse
from zipfile import BadZipFile, ZipFile

from openpyxl.reader.excel import ExcelReader
from openpyxl.styles.stylesheet import apply_stylesheet
from openpyxl.utils import get_column_letter, range_boundaries
from openpyxl.worksheet._reader import COL_TAG, FORMULA_TAG, MERGE_TAG, ROW_TAG, WorkSheetParser
from openpyxl.worksheet.merge import MergeCells

from shared.documents.tables.delimited import CELLS_MAX, Grid, GridRow, Merge, Unreadable
from shared.documents.tables.values import Cell, CellFault, shown

UNPACKED_MAX = 64 * 2**20
PARTS_MAX = 2_000
TAGS_MAX = 4 * CELLS_MAX
"""Elements of XML in all parts: a cell takes three or four."""

_DIGITS = 15

ZIP_START, OLE_START = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
SAVE_ANEW = "cannot be opened as a workbook: open it in a spreadsheet program and save it anew as .xlsx"

# The library raises nearly anything for a workbook that is damaged or that it does not know: a part that is missing,
# a value of another type, a style that it cannot hold.
UNOPENED = (
    LookupError, ValueError, TypeError, AttributeError, ArithmeticError, OSError, EOFError, RuntimeError, SyntaxError,
    AssertionError, BadZipFile, zlib.error, struct.error,
)  # fmt: skip

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
            text = archive.read(part)  # of any name: a workbook may name any part as a sheet
            if text.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in text[:100]:
                text = text.replace(b"\0", b"")
            tags += text.count(b"<")
            if tags > TAGS_MAX:
                raise Unreadable("too_large", f"has more than about {CELLS_MAX:,} cells: send it in parts")
            if _is_declaration(text):
                raise Unreadable("no_such_format", f"declares entities in {shown(part.filename)}, as no workbook does")


class _SheetPart(NamedTuple):
    """A sheet of a workbook, and the part of the file that holds it."""

    title: str
    is_visible: bool
    part: str


def _read_sheet(body: bytes, wanted: str) -> Grid:
    """Return the rows of a sheet; of the rest of the workbook only its texts and its formats are read."""
    reader = ExcelReader(BytesIO(body), read_only=True, data_only=True, keep_links=False)
    reader.read_manifest()
    reader.read_strings()
    reader.read_workbook()
    apply_stylesheet(reader.archive, reader.wb)
    sheets = [
        _SheetPart(sheet.name, sheet.state == "visible", relation.target)
        for sheet, relation in reader.parser.find_sheets()
        if relation.Type.endswith("/worksheet") and relation.target in reader.valid_files
    ]
    if not sheets:
        raise Unreadable("no_such_format", f"{SAVE_ANEW} (it has no sheet that is known)")
    visible = [each for each in sheets if each.is_visible]
    named = [each for each in sheets if each.title.strip().casefold() == wanted.strip().casefold()]
    chosen = next(iter(named if wanted else visible), None)
    if chosen is None:
        what = f"no sheet is named {shown(wanted)}" if wanted else "no sheet is visible"
        titles = ", ".join(shown(each.title) for each in sheets[:20])
        raise Unreadable("missing", f"{what}; the workbook has {titles}")
    rows, parser = _read_rows(reader, chosen.part)
    notes = [("other_sheets", f"left out: sheet {shown(each.title)}") for each in visible if each is not chosen]
    if hidden_sheets := len(sheets) - len(visible) - (not chosen.is_visible):
        notes.append(("hidden_sheets", f"left out: {hidden_sheets} hidden"))
    hidden = {int(row) for row, terms in parser.row_dimensions.items() if _is_hidden(terms)}
    left_out = [row for row in rows if row.number in hidden]
    if left_out:
        notes.append(("hidden_rows", f"left out: {len(left_out)} hidden, the first is row {left_out[0].number}"))
    if columns := _hidden_columns(rows, parser):
        notes.append(("hidden_columns", f"read, though hidden: {', '.join(map(get_column_letter, columns[:20]))}"))
    return Grid(chosen.title, [row for row in rows if row.number not in hidden], _merges(parser), notes)


def _is_hidden(terms: Mapping[str, str]) -> bool:
    return terms.get("hidden") in ("1", "true")


def _hidden_columns(rows: Sequence[GridRow], parser: WorkSheetParser) -> list[int]:
    """Return the hidden columns that hold a value."""
    spans = [each for each in parser.column_dimensions.values() if _is_hidden(each)]
    hidden = [(int(each["min"]), int(each.get("max", each["min"]))) for each in spans]
    used = {column for row in rows for column in row.cells} if hidden else set()
    return sorted(column for column in used if any(first <= column <= last for first, last in hidden))


class _SheetParser(WorkSheetParser):
    """The library's parser of rows, columns and merged cells, without all else that a sheet may hold.

    The library would parse with whichever package is installed; entities are refused beforehand, so the fast one will
    do. It would also read a sheet twice, for its values and its formulas: here a cell says whether it has a formula.
    """

    def parse(self) -> Generator[Any, None, None]:
        """Yield the number and the cells of each row; columns and merged cells are known at the end."""
        element: Any  # as the library's own types have it
        for _, element in iterparse(self.source):  # noqa: S314 - entities are refused beforehand
            if element.tag == ROW_TAG:
                yield self.parse_row(element)
                element.clear()
            elif element.tag == COL_TAG:
                self.parse_column_dimensions(element)
            elif element.tag == MERGE_TAG:
                self.merged_cells = MergeCells.from_tree(element)

    def parse_cell(self, element: Any) -> dict[str, Any]:
        """Return a cell with its value, its type, and whether a formula gives it."""
        cell: dict[str, Any] = super().parse_cell(element)
        cell["is_formula"] = element.find(FORMULA_TAG) is not None
        return cell


def _read_rows(reader: ExcelReader, part: str) -> tuple[list[GridRow], WorkSheetParser]:
    """Return the rows that are not empty, and the parser with all else that it found.

    A row is reduced to its values before the next one is parsed: the library's cells take five times the memory.
    """
    rows: dict[int, GridRow] = {}
    book: Any = reader.wb
    with reader.archive.open(part) as source:
        parser = _SheetParser(
            source,
            reader.shared_strings,
            data_only=True,
            epoch=book.epoch,
            date_formats=book._date_formats,
            timedelta_formats=book._timedelta_formats,
        )
        for number, found in parser.parse():
            cells: dict[int, Cell] = {cell["column"]: value for cell in found if (value := _cell(cell)) is not None}
            if cells:
                rows[number] = GridRow(number, cells)
    return [rows[number] for number in sorted(rows)], parser


def _cell(cell: dict[str, Any]) -> Cell:
    value, data_type = cell["value"], cell["data_type"]
    if data_type == "e":
        return CellFault("cell_error", f"the cell holds the error {shown(value)}")
    if value is None:
        # a formula that gives an empty text is saved as a text without one
        if cell["is_formula"] and data_type != "str":
            return CellFault("formula_without_value", "the value of the formula was not saved: recalculate and save")
        return None
    if isinstance(value, str):
        return value if value.strip() else None
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, bool | int | date | timedelta):
        return value
    return CellFault("bad_text", f"{shown(value)} is no number, text or day")  # a time of day


def _number(value: float) -> int | Decimal:
    """Return the number of a cell as a spreadsheet shows it, which has 15 digits: 1320.0000000000002 is 1320.

    Some programs save each whole number as 1234.0, also in a column of names.
    """
    number = Decimal(f"{value:.{_DIGITS}g}")
    return int(number) if number.is_finite() and number == number.to_integral_value() else number


def _merges(parser: WorkSheetParser) -> list[Merge]:
    if parser.merged_cells is None:
        return []
    bounds = (range_boundaries(merge.ref) for merge in parser.merged_cells.mergeCell)
    return [(top, left, bottom, right) for left, top, right, bottom in bounds if left and top and right and bottom]
