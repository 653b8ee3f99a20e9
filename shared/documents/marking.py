"""A file given back with its problems: two more columns, `place` and `problem`; corrected, it imports."""

import csv
import re
import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from io import BytesIO, StringIO
from zipfile import ZipFile

from openpyxl import load_workbook
from openpyxl.cell.cell import Cell as WorkbookCell
from openpyxl.utils import range_boundaries

from shared.documents.columns import TERMS
from shared.documents.document import Kind
from shared.documents.headers import MARKS, find_header, is_mark
from shared.documents.problems import DocumentProblem
from shared.documents.profile import Profile
from shared.documents.sheets import read_grid
from shared.documents.tables.delimited import CELLS_MAX, FORMULA_STARTS, Grid, Unreadable, find_layout, split_rows
from shared.documents.tables.workbook import UNOPENED, ZIP_START

COLUMN_MAX = 16_384
TEXT_MAX = 2_000
"""Letters of the problems of one row."""

_is_number = re.compile(r"(?a)[+-]?[\d.,]+").fullmatch
_find_ranges = re.compile(rb'<(?:\w+:)?(?:mergeCell|hyperlink)\b[^>]*?\sref="([A-Z]+\d+:[A-Z]+\d+)"').findall


def mark_problems(name: str, body: bytes, problems: Sequence[DocumentProblem], profile: Profile, kind: Kind) -> bytes:
    """Return the same file, in the same format, with the place and the reason of each problem beside its row.

    A reader ignores the two columns. A text that a spreadsheet would run as a formula gets an apostrophe before it.
    Problems without a row stand beside the header. A file that cannot be opened comes back as a CSV of problems alone.
    """
    try:
        grid = read_grid(body, profile)
    except Unreadable:
        return _only_problems(name, problems)
    header, _ = find_header(grid, TERMS[kind], profile)
    top = header.row if header is not None else profile.header_row or (grid.rows[0].number if grid.rows else 1)
    marks = _marks(problems, top)
    if not body.startswith(ZIP_START):
        return _mark_delimited(body, marks, top)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of styles and extensions that the library leaves out
        try:
            return _mark_workbook(body, grid, marks, top)
        except UNOPENED:  # the library reads more workbooks than it can write
            return _only_problems(name, problems)


def _marks(problems: Sequence[DocumentProblem], top: int) -> dict[int, tuple[str, str]]:
    """Return the texts of the two columns by row; those of the whole sheet are in the row of the header."""
    rows: dict[int, list[DocumentProblem]] = defaultdict(list)
    for problem in problems:
        rows[max(problem.place.row, top)].append(problem)
    marks = {row: (_line(*(each.place for each in found)), _reasons(found)) for row, found in rows.items()}
    whole = f": {marks[top][1]}" if top in marks else ""
    return marks | {top: (MARKS[0], MARKS[1] + whole)}


def _reasons(problems: Sequence[DocumentProblem]) -> str:
    return _line(*(f"{each.code}: {each.reason}" for each in problems))


def _line(*parts: object) -> str:
    """Return parts as one printable line."""
    text = "; ".join(dict.fromkeys(map(str, parts)))
    return "".join(letter if letter.isprintable() else " " for letter in text)[:TEXT_MAX]


def _guard(text: str) -> str:
    """Return a text that no spreadsheet runs as a formula; a number stays one."""
    return f"'{text}" if text.startswith(tuple(FORMULA_STARTS)) and not _is_number(text) else text


def _only_problems(name: str, problems: Sequence[DocumentProblem]) -> bytes:
    text = StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(("file", *MARKS))
    writer.writerows(
        (_guard(_line(name)), _guard(_line(problem.place)), _guard(_reasons([problem]))) for problem in problems
    )
    return text.getvalue().encode("utf-8-sig", "replace")


def _mark_delimited(body: bytes, marks: Mapping[int, tuple[str, str]], top: int) -> bytes:
    layout = find_layout(body)
    rows = list(split_rows(layout))
    titles = rows[top - 1] if len(rows) >= top else []
    old = {at for at, title in enumerate(titles) if is_mark(title)}
    width = len(titles) - len(old)
    text = StringIO()
    writer = csv.writer(text, delimiter=layout.delimiter, lineterminator="\r\n")
    for number, values in enumerate(rows, start=1):
        kept = [_guard(value) for at, value in enumerate(values) if at not in old]
        if number >= top and kept:
            kept += [""] * (width - len(kept))
            kept += map(_guard, marks.get(number, ("", "")))
        writer.writerow(kept)
    encoding = {"utf-16-le": "utf-16", "utf-16-be": "utf-16"}.get(layout.encoding, "utf-8-sig")
    if layout.encoding == "utf-8" and not layout.mark:
        encoding = "utf-8"
    return (layout.separator_line + text.getvalue()).encode(encoding, "replace")


def _mark_workbook(body: bytes, grid: Grid, marks: Mapping[int, tuple[str, str]], top: int) -> bytes:
    """Return the workbook with the two columns behind the last one.

    Formulas stay without values: a spreadsheet program calculates them when it opens the file.
    """
    _check_ranges(body)
    workbook = load_workbook(BytesIO(body))
    sheet = workbook[grid.sheet]
    titles = {column: value for row in grid.rows if row.number == top for column, value in row.cells.items()}
    old = sorted(column for column, title in titles.items() if is_mark(title))
    last = max((column for row in grid.rows for column in row.cells if column not in old), default=0)
    columns = old if len(old) == len(MARKS) else [last + 1, last + 2]
    if columns[-1] > COLUMN_MAX:
        raise ValueError("no column is free")
    for row in grid.rows if columns == old else ():
        for column in columns:
            sheet.cell(row.number, column).value = None
    for row_number, texts in marks.items():
        for column, text in zip(columns, texts, strict=True):
            cell = sheet.cell(row_number, column)
            if isinstance(cell, WorkbookCell):  # a merged cell takes no value
                cell.value = text
                cell.data_type = "s"  # a text, even one that begins as a formula
    saved = BytesIO()
    workbook.save(saved)
    return saved.getvalue()


def _check_ranges(body: bytes) -> None:
    """Raise `ValueError` where merged cells or links span so many cells that the library would not end."""
    cells = 0
    with ZipFile(BytesIO(body)) as archive:
        for part in archive.namelist():
            for reference in _find_ranges(archive.read(part)) if "/worksheets/" in part else ():
                left, top, right, bottom = range_boundaries(reference.decode())
                cells += ((right or 0) - (left or 0) + 1) * ((bottom or 0) - (top or 0) + 1)
    if cells > CELLS_MAX:
        raise ValueError("too many merged cells")
