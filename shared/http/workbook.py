"""Rows as an XLSX workbook: a sheet for each view, typed cells, and a header that stays in sight."""

import json
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from io import BytesIO
from typing import Any, NamedTuple

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE, Cell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

_TITLE_MAX, _TEXT_MAX, _ROWS_MAX = 31, 32_767, 1_048_575  # of Excel, its header row apart
_EXACT_MAX = 2**53  # a cell holds a float: beyond this a whole number stays a text
_WIDTH_MAX, _WIDTH_ROWS = 60, 200
_is_day = re.compile(r"(?a)\d{4}-\d\d-\d\d").fullmatch
_is_time = re.compile(r"(?a)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S*").fullmatch


class ViewSheet(NamedTuple):
    """A table as a sheet: its title, its columns, and the values of each row."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


class TooManyRows(ValueError):
    """A table has more rows than a sheet can hold."""


def write_workbook(sheets: Iterable[ViewSheet]) -> bytes:
    """Return a workbook with a sheet for each table; a day and a time become dates, a text is never a formula.

    Raises `TooManyRows` for a table with more rows than a sheet can hold.
    """
    workbook, titles = Workbook(write_only=True), set[str]()
    for sheet in sheets:
        if len(sheet.rows) > _ROWS_MAX:
            raise TooManyRows(f"{sheet.title} has {len(sheet.rows):,} rows, and a sheet holds {_ROWS_MAX:,}")
        written = workbook.create_sheet(_unique_title(sheet.title, titles))
        written.freeze_panes = "A2"
        for n, name in enumerate(sheet.columns):
            longest = max([len(name), *(len(str(row[n] or "")) for row in sheet.rows[:_WIDTH_ROWS])])
            written.column_dimensions[get_column_letter(n + 1)].width = min(longest + 2, _WIDTH_MAX)
        if sheet.columns:
            written.auto_filter.ref = f"A1:{get_column_letter(len(sheet.columns))}{len(sheet.rows) + 1}"
        header = [_text_cell(written, name) for name in sheet.columns]
        for cell in header:
            cell.font = Font(bold=True)
        written.append(header)
        for row in sheet.rows:
            written.append([_cell(written, value) for value in row])
    file = BytesIO()
    workbook.save(file)
    return file.getvalue()


def _unique_title(title: str, titles: set[str]) -> str:
    """Return a title that Excel takes, and that no other sheet has."""
    base = re.sub(r"[\[\]:*?/\\']+", " ", ILLEGAL_CHARACTERS_RE.sub(" ", title)).strip()[:_TITLE_MAX] or "Sheet"
    chosen, n = base, 2
    while chosen.lower() in titles:
        chosen = f"{base[: _TITLE_MAX - 4]} {n}"
        n += 1
    titles.add(chosen.lower())
    return chosen


def _cell(sheet: Any, value: Any) -> Any:
    """Return a value as a cell of its type; None is an empty cell."""
    if value is None or value == {} or isinstance(value, bool | float):
        return None if value == {} else value
    if isinstance(value, int):
        return value if abs(value) <= _EXACT_MAX else _text_cell(sheet, str(value))
    if not isinstance(value, str):
        return _text_cell(sheet, json.dumps(value, ensure_ascii=False, default=str))
    try:
        if _is_day(value):
            return date.fromisoformat(value)
        if _is_time(value):  # a cell has no offset: it is in UTC
            time = datetime.fromisoformat(value)
            return (time if time.tzinfo is None else time.astimezone(UTC)).replace(tzinfo=None)
    except ValueError:
        pass
    return _text_cell(sheet, value)


def _text_cell(sheet: Any, text: str) -> Cell:
    """Return a text as a cell that no spreadsheet runs as a formula."""
    cell: Cell = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("\ufffd", text)[:_TEXT_MAX])
    if text[:1] in ("=", "+", "-", "@"):
        cell.data_type = "s"
        cell.quotePrefix = True
    return cell
