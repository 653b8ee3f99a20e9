"""The header of a sheet: the row that names the columns, and the field or the bucket of each."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from shared.documents.columns import KindTerms
from shared.documents.document import Place, column_letters
from shared.documents.problems import DocumentProblem
from shared.documents.profile import Profile
from shared.documents.tables.delimited import HEADER_ROWS, Grid, GridRow
from shared.documents.tables.values import Bucket, Cell, CellFault, Misread, find_bucket, shown

_TITLES_SHOWN, _TITLES_MIN = 20, 2
_TO_NAME = ": say in `columns` of the profile what each is"

MARKS = ("place", "problem")
"""The columns that `mark_problems` adds; a problem of the whole sheet stands behind the title of the second."""

is_total = re.compile(
    r"(?:grand|sub)?[ -]?(?:totals?|sums?)|(?:gesamt|zwischen|teil)?summen?|gesamt|insgesamt", re.IGNORECASE
).fullmatch


class Header(NamedTuple):
    """The row of the header, and the meaning of each of its columns."""

    row: int
    fields: Mapping[str, int]  # the column of each field
    titles: Mapping[int, str]  # of each column, as written
    buckets: Mapping[int, Bucket]  # of a matrix, by column
    totals: tuple[int, ...]  # columns that say Total
    extra: tuple[int, ...]  # columns that nothing reads
    last: int  # the last column that is not empty


def plain(title: object) -> str:
    """Return a title as titles are compared: without case, and with one blank for blanks, `_` and `-`."""
    return re.sub(r"[\s_-]+", " ", str(title)).strip().casefold()


def is_mark(title: object) -> bool:
    """Return whether a title is that of a column which `mark_problems` has added."""
    text = plain(title)
    return text in MARKS or text.startswith(f"{MARKS[1]}: ")


def field_titles(terms: KindTerms, profile: Profile) -> dict[str, str]:
    """Return the field of each title: our name, or those of the profile in its place."""
    names = {column.name: profile.columns.get(column.name, (column.name,)) for column in terms.columns}
    return {plain(title): field for field, titles in names.items() for title in titles}


def find_header(grid: Grid, terms: KindTerms, profile: Profile) -> tuple[Header | None, list[DocumentProblem]]:
    """Return the header, None if no row is one, and the problems of its columns."""
    titles = field_titles(terms, profile)
    row = _header_row(grid, titles, profile)
    if row is None:
        names = ", ".join(column.name for column in terms.columns if column.required)
        where = f"none of the first {HEADER_ROWS} rows names"
        if profile.header_row:
            where = f"row {profile.header_row} does not name"
        at = grid.place(profile.header_row or (grid.rows[0].number if grid.rows else 0))
        reason = f"{where} a column of this kind: it needs {names}{_likely_titles(grid)}"
        return None, [DocumentProblem("missing", at, reason)]
    header, problems = _read_header(grid, row, terms, titles, profile)
    lacking = [
        column.name
        for column in terms.columns
        if column.required
        and column.name not in header.fields
        and column.name not in profile.defaults
        and not (header.buckets and column.name in (terms.day, terms.quantity))
    ]
    if lacking:
        found = [header.titles[column] for column in header.extra][:_TITLES_SHOWN]
        hint = f"; not known here: {', '.join(map(shown, found))}{_TO_NAME}" if found else ""
        reason = f"no column for {', '.join(lacking)}{hint}"
        problems.append(DocumentProblem("missing", grid.place(row.number), reason))
    return header, problems


def _likely_titles(grid: Grid) -> str:
    """Return the titles of the row that looks most like a header, as the end of a sentence: the one with most texts."""
    rows = [
        (row.number, [each for each in row.cells.values() if isinstance(each, str) and each.strip()])
        for row in grid.rows[:HEADER_ROWS]
    ]
    number, texts = max(rows, key=lambda row: len(row[1]), default=(0, []))
    if len(texts) < _TITLES_MIN:
        return ""
    return f"; row {number} has {', '.join(map(shown, texts[:_TITLES_SHOWN]))}{_TO_NAME}"


def _header_row(grid: Grid, titles: Mapping[str, str], profile: Profile) -> GridRow | None:
    """Return the row of the profile, or the first of those that name most columns."""
    if profile.header_row:
        return next((row for row in grid.rows if row.number == profile.header_row), None)
    best, most = None, 0
    for row in grid.rows[:HEADER_ROWS]:
        named = len({titles[each] for each in map(plain, row.cells.values()) if each in titles})
        if named > most:
            best, most = row, named
    return best


def _read_header(
    grid: Grid, row: GridRow, terms: KindTerms, titles: Mapping[str, str], profile: Profile
) -> tuple[Header, list[DocumentProblem]]:
    problems: list[DocumentProblem] = []
    fields: dict[str, int] = {}
    names: dict[int, str] = {}
    rest: list[tuple[int, Cell]] = []
    for column, value in sorted(row.cells.items()):
        if isinstance(value, CellFault):
            problems.append(DocumentProblem(value.code, grid.place(row.number, column), value.reason))
            continue
        names[column] = str(getattr(value, "date", lambda value=value: value)())
        field = titles.get(plain(value))
        if field is None:
            rest.append((column, value))
        elif field in fields:
            place = grid.place(row.number, column, names[column])
            problems.append(DocumentProblem("repeated", place, f"a column before is {field}, too"))
        else:
            fields[field] = column
    buckets: dict[int, Bucket] = {}
    totals, extra = [], []
    is_in_rows = terms.day in fields or (terms.day in profile.defaults and terms.quantity in fields)
    is_matrix = bool(terms.day) and not is_in_rows
    for column, value in rest:
        if is_total(names[column].strip().rstrip(":")):
            totals.append(column)
            continue
        if is_mark(value):
            continue
        place = grid.place(row.number, column, names[column])
        bucket = _read_bucket_title(value, profile, place, problems) if is_matrix else None
        if bucket is None:
            extra.append(column)
        elif bucket in buckets.values():
            problems.append(DocumentProblem("repeated", place, "a column before has the same day"))
        else:
            buckets[column] = bucket
    return Header(row.number, fields, names, buckets, tuple(totals), tuple(extra), max(row.cells)), problems


def _read_bucket_title(value: Cell, profile: Profile, place: Place, problems: list[DocumentProblem]) -> Bucket | None:
    """Return the bucket of a title of a matrix, None if it is none.

    Appends the problem of one that cannot be told: its wafers would be left out without a word.
    """
    try:
        bucket = find_bucket(value, profile.dates)
    except Misread as why:
        problems.append(DocumentProblem(why.code, place, why.reason))
        return None
    return None if bucket is None else bucket._replace(order=None)


def column_name(header: Header, column: int) -> str:
    """Return the title of a column, or its letters where it has none."""
    return header.titles.get(column) or column_letters(column)
