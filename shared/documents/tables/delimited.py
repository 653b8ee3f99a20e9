"""CSV as bytes, read into rows: encoding, delimiter and quotation found, never guessed without a note."""

import csv
import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from io import StringIO
from typing import NamedTuple

from shared.documents.document import Place
from shared.documents.problems import ProblemCode
from shared.documents.tables.values import Cell

BYTES_MAX = 16 * 2**20
CELLS_MAX = 500_000
DELIMITERS = ",;\t|"
HEADER_ROWS = 30
"""Rows in which the header is looked for, where the profile does not name its row."""

Merge = tuple[int, int, int, int]  # first row, first column, last row, last column


class GridRow(NamedTuple):
    """A row as a spreadsheet shows it: its number, and its cells by column; both count from 1."""

    number: int
    cells: dict[int, Cell]
    width: int = 0  # of CSV: the number of values; 0 in a workbook: its rows have no end


class Grid(NamedTuple):
    """The rows of one sheet that are not empty."""

    sheet: str
    rows: list[GridRow]
    merged: list[Merge]
    notes: list[tuple[str, str]]

    def place(self, row: int, column: int = 0, title: str = "") -> Place:
        """Return a place in this sheet."""
        return Place(self.sheet, row, column, title)


class Unreadable(Exception):
    """A file cannot be read at all; has the problem's code, the place and the reason."""

    def __init__(self, code: ProblemCode, reason: str, place: Place | None = None) -> None:
        self.code: ProblemCode = code
        self.reason = reason
        self.place = place or Place()
        super().__init__(reason)


class TextLayout(NamedTuple):
    """The way that a CSV file is written."""

    encoding: str
    delimiter: str
    text: str  # without a byte order mark, and without Excel's line `sep=;`
    mark: bool  # it begins with a byte order mark
    separator_line: str = ""


def find_layout(body: bytes) -> TextLayout:
    """Return the encoding, the delimiter and the text of a CSV file; raise `Unreadable` if it is no text."""
    encoding, mark = "utf-8", False
    for known_mark, name in ((BOM_UTF8, "utf-8"), (BOM_UTF16_LE, "utf-16-le"), (BOM_UTF16_BE, "utf-16-be")):
        if body.startswith(known_mark):
            encoding, mark, body = name, True, body[len(known_mark) :]
            break
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError:
        if mark:
            raise Unreadable("no_such_format", f"begins as {encoding.upper()} and is not") from None
        try:
            encoding, text = "cp1252", body.decode("cp1252")
        except UnicodeDecodeError:
            raise Unreadable("no_such_format", "is no text in UTF-8, UTF-16 or Windows-1252, and no workbook") from None
    separator = re.match(r"sep=(.)\r?\n", text)
    if separator and separator[1] in DELIMITERS:
        return TextLayout(encoding, separator[1], text[separator.end() :], mark, separator[0])
    return TextLayout(encoding, _find_delimiter(text[:100_000]), text, mark)


def _find_delimiter(text: str) -> str:
    """Return the most frequent delimiter of the header: the first line with two of one, past lines of title."""
    lines = [re.sub(r'"[^"]*"', "", line) for line in re.split(r"[\r\n]+", text)[:HEADER_ROWS]]
    for least in (2, 1):
        for line in lines:
            delimiter = max(DELIMITERS, key=line.count)
            if line.count(delimiter) >= least and line.strip(DELIMITERS + " "):
                return delimiter
    return DELIMITERS[0]


def split_rows(layout: TextLayout) -> Iterator[list[str]]:
    """Yield the values of each row, empty rows included; raise `Unreadable` where quotation or size is wrong."""
    text, delimiter = layout.text, layout.delimiter
    if text.count(delimiter) + text.count("\n") + text.count("\r") > CELLS_MAX:
        raise Unreadable("too_large", f"has more than {CELLS_MAX:,} cells: send it in parts")
    rows = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    number = 0
    try:
        for values in rows:
            number += 1
            yield values
    except csv.Error as error:
        code: ProblemCode = "too_large" if "larger than" in str(error) else "ends_early"
        raise Unreadable(code, f"cannot be split into values: {error}", Place("", number + 1)) from None


def read_delimited(body: bytes) -> Grid:
    """Return the rows of a CSV file; raise `Unreadable` if it is none."""
    layout = find_layout(body)
    notes = []
    if layout.encoding == "cp1252":
        notes.append(("encoding", "the file is not UTF-8: read as Windows-1252"))
    rows = []
    for number, values in enumerate(split_rows(layout), start=1):
        cells: dict[int, Cell] = {
            column: _unguard(value) for column, value in enumerate(values, start=1) if value.strip()
        }
        if cells:
            nul = next((column for column, value in cells.items() if "\0" in str(value)), None)
            if nul is not None:
                raise Unreadable("bad_text", "holds a NUL character", Place("", number, nul))
            rows.append(GridRow(number, cells, len(values)))
    return Grid("", rows, [], notes)


def _unguard(value: str) -> str:
    """Return a text without the apostrophe that kept a spreadsheet from running it as a formula."""
    return value[1:] if value[:1] == "'" and value[1:2] in FORMULA_STARTS and value[1:2] else value


FORMULA_STARTS = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"  # the last four are fullwidth
"""The first characters of a text that a spreadsheet would run."""
