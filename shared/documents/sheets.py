"""A sheet read into a document: its form, its header, its rows, and all its problems at once."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from shared.documents.columns import TERMS, Column, KindTerms
from shared.documents.document import PLANS, Document, DocumentLine, Kind, Place, Scalar, Value
from shared.documents.headers import Header, column_name, find_header, is_total
from shared.documents.problems import DocumentProblem, ProblemCode, in_order
from shared.documents.profile import Profile
from shared.documents.tables.delimited import BYTES_MAX, CELLS_MAX, Grid, GridRow, Unreadable, read_delimited
from shared.documents.tables.values import (
    Bucket,
    Cell,
    CellFault,
    DateOrder,
    Misread,
    read_bucket,
    read_number,
    read_text,
    read_whole,
    shown,
)
from shared.documents.totals import Totals
from shared.programme.declarations import nearest_names

PROBLEMS_MAX = 1_000
"""Problems that a sheet names; of the rest it says the number."""

KEY_TYPES = ("name", "party", "product")


class SheetNote(NamedTuple):
    """A thing that the reader did and that the planner should see: `hidden_rows`, `extra_columns`, `encoding` ..."""

    name: str
    text: str


class Sheet(NamedTuple):
    """A sheet that was read: its document, or None and all its problems."""

    document: Document | None
    problems: tuple[DocumentProblem, ...]
    notes: tuple[SheetNote, ...] = ()
    readable: Document | None = None  # the lines that could be read, also beside others with problems


def read_grid(body: bytes, profile: Profile) -> Grid:
    """Return the rows of a CSV or XLSX file; raise `Unreadable` if it is neither, or too large."""
    if len(body) > BYTES_MAX:
        raise Unreadable("too_large", f"has {len(body):,} bytes; at most {BYTES_MAX // 2**20} MiB")
    if not body.strip():
        raise Unreadable("missing", "is empty")
    # loads the library of workbooks: a party that gets no sheet starts without it
    from shared.documents.tables.workbook import OLE_START, ZIP_START, read_workbook  # noqa: PLC0415

    return read_workbook(body, profile.sheet) if body.startswith((ZIP_START, OLE_START)) else read_delimited(body)


def read_sheet(name: str, body: bytes, profile: Profile, kind: Kind) -> Sheet:
    """Return the document of a CSV or XLSX file, or all its problems, each with its place.

    `name` is the file's, for messages only: the content tells the format. Never raises for any bytes.
    """
    try:
        grid = read_grid(body, profile)
    except Unreadable as why:
        place = why.place
        reason = why.reason if place.row else f"{name}: {why.reason}"
        return Sheet(None, (DocumentProblem(why.code, place, reason),))
    header, problems = find_header(grid, TERMS[kind], profile)
    notes = [SheetNote(*note) for note in grid.notes]
    if header is None or problems:
        return Sheet(None, tuple(problems), tuple(notes))
    if header.extra:
        names = ", ".join(shown(column_name(header, column)) for column in header.extra[:20])
        notes.append(SheetNote("extra_columns", f"not read: {names}"))
    reader = _Reader(grid, header, kind, profile)
    document = reader.read()
    if reader.left_out:
        notes.append(SheetNote("totals", f"left out: {reader.left_out} rows of totals"))
    found = in_order(reader.problems)
    if len(found) > PROBLEMS_MAX:
        notes.append(SheetNote("more_problems", f"{len(found) - PROBLEMS_MAX:,} more problems are not shown"))
    return Sheet(None if found else document, found[:PROBLEMS_MAX], tuple(notes), document)


class _Reader:
    """One reading of the rows below a header: collects lines and problems."""

    def __init__(self, grid: Grid, header: Header, kind: Kind, profile: Profile) -> None:
        self.grid = grid
        self.header = header
        self.kind = kind
        self.profile = profile
        self.terms: KindTerms = TERMS[kind]
        self.problems: list[DocumentProblem] = []
        self.left_out = 0
        self._orders: dict[int, DateOrder] = {}  # of day and month, by column
        self._present = [
            (column, header.fields.get(column.name, 0)) for column in self.terms.columns if self._gives(column)
        ]
        self._keys = [at for column, at in self._present if at and column.type in KEY_TYPES]
        self._spread = {(top, left) for top, left, _, _ in grid.merged}  # a quantity there is of many buckets or keys
        self._totals = Totals()

    def _gives(self, column: Column) -> bool:
        """Whether a row, or the profile, gives this column: a bucket of a matrix gives its day and its quantity."""
        in_matrix = self.header.buckets and column.name in (self.terms.day, self.terms.quantity)
        return not in_matrix and (column.name in self.header.fields or column.name in self.profile.defaults)

    def read(self) -> Document:
        lines: list[DocumentLine] = []
        scopes: list[DocumentLine] = []
        for row in self._rows():
            if self._is_total(row):
                self.left_out += 1
                self.problems += self._totals.check_row(self._numbers(row, self.header.totals))
                continue
            if row.width and self._is_ragged(row):
                continue
            before = len(self.problems)
            values = self._fields(row)
            is_whole = len(self.problems) == before
            if self.header.buckets:
                cells = list(self._cells(row, values, is_whole))
                self._check_row_total(row, cells)
                scopes.append(DocumentLine(values, self._place(row, 0), is_whole))
                lines += cells
            elif values:
                self._count(values)
                lines.append(DocumentLine(values, self._place(row, 0), is_whole))
        return self._document(lines, scopes)

    def _document(self, lines: list[DocumentLine], scopes: list[DocumentLine]) -> Document:
        day = self.terms.day
        if self.kind not in PLANS:
            return Document(self.kind, tuple(lines))
        if self.header.buckets:
            firsts = [bucket.first for bucket in self.header.buckets.values()]
            lasts = [bucket.last for bucket in self.header.buckets.values()]
        else:
            firsts = lasts = [line.values[day].value for line in lines if day in line.values]  # type: ignore[misc]
        return Document(
            self.kind,
            tuple(lines),
            self.profile.replace,
            min(firsts, default=None),
            max(lasts, default=None),
            tuple(scopes),
        )

    # ---------------------------------------------------------------- rows

    def _rows(self) -> Iterator[GridRow]:
        """Yield the rows below the header in which any column that is read holds a value, merged keys filled in."""
        below = [row for row in self.grid.rows if row.number > self.header.row]
        self._fill_merged(below)
        used = {at for _, at in self._present if at} | set(self.header.buckets)
        for row in below:
            if used & row.cells.keys() or (row.width > 1 and row.cells):
                yield row

    def _fill_merged(self, rows: list[GridRow]) -> None:
        """Give the value of a merged cell of a key column to all its rows."""
        numbers, filled = [row.number for row in rows], 0
        for top, left, bottom, right in self.grid.merged:
            columns = [column for column in self._keys if left <= column <= right]
            inside = rows[bisect_left(numbers, top) : bisect_right(numbers, bottom)]
            filled += len(inside) * len(columns)
            if not columns or not inside or filled > CELLS_MAX:
                continue
            value = inside[0].cells.get(left) if inside[0].number == top else None
            for row in inside if value is not None else ():
                for column in columns:
                    row.cells.setdefault(column, value)

    def _is_total(self, row: GridRow) -> bool:
        texts = (row.cells.get(column) for column in (*self._keys, *self.header.extra))
        return any(isinstance(text, str) and is_total(text.strip().rstrip(":")) for text in texts)

    def _is_ragged(self, row: GridRow) -> bool:
        """Whether a CSV row has not as many values as the header; empty ones at the end are no matter."""
        last = max(row.cells)
        if last <= self.header.last and row.width >= self.header.last:
            return False
        count = last if last > self.header.last else row.width
        reason = f"the row has {count} values, and the header has {self.header.last} columns"
        self.problems.append(DocumentProblem("ends_early", self._place(row, 0), reason))
        return True

    def _place(self, row: GridRow, column: int) -> Place:
        return Place(self.grid.sheet, row.number, column, self.header.titles.get(column, ""))

    # ---------------------------------------------------------------- values

    def _fields(self, row: GridRow) -> dict[str, Value]:
        """Return the values of a row by field, those of the profile included; append its problems."""
        values = {}
        for column, at in self._present:
            cell = row.cells.get(at) if at else None
            place = self._place(row, at)
            if cell is None:
                cell = self.profile.defaults.get(column.name)
            try:
                value = self._read(column, cell, at)
            except Misread as why:
                self.problems.append(DocumentProblem(why.code, place, why.reason))
                continue
            if value is not None:
                values[column.name] = Value(value, place)
            elif column.required:
                code: ProblemCode = "no_day" if column.type == "day" else "missing"
                self.problems.append(DocumentProblem(code, place, f"{column.name} is empty"))
        return values

    def _read(self, column: Column, cell: Cell, at: int) -> Scalar | None:
        if cell is None:
            return None
        if column.type == "day":
            return self._day(read_bucket(cell, self.profile.dates), at)
        if column.type == "whole":
            return read_whole(cell, self.profile.decimal)
        if column.type in ("quantity", "ratio"):
            return read_number(cell, self.profile.decimal)
        text = read_text(cell)
        if not text.isprintable():
            raise Misread("bad_text", f"{shown(text)} holds a line break or a control character")
        if column.type == "choice":
            return self._choice(column, text)
        return text or None

    def _choice(self, column: Column, text: str) -> str:
        word = self.profile.codes.get(column.name, {}).get(text.casefold(), text)
        if word not in column.choices:
            word = word.casefold() if word.casefold() in column.choices else word
        if word not in column.choices:
            near = nearest_names(word, column.choices)
            nearest = f"; nearest: {', '.join(near)}" if near else ""
            raise Misread("unknown_code", f"{shown(text)} is none of {', '.join(column.choices)}{nearest}")
        return word

    def _day(self, bucket: Bucket, at: int) -> Scalar:
        if bucket.order is not None and self._orders.setdefault(at, bucket.order) != bucket.order:
            raise Misread("ambiguous_day", "the column holds days of both orders: set `dates` in the profile")
        return bucket.first if self.profile.bucket_due == "start" else bucket.last

    def _cells(self, row: GridRow, values: dict[str, Value], is_whole: bool) -> Iterator[DocumentLine]:
        """Yield a line for each cell of a matrix row that is not empty."""
        for at, bucket in self.header.buckets.items():
            cell = row.cells.get(at)
            if cell is None:
                continue
            place = self._place(row, at)
            if (row.number, at) in self._spread:
                cell = CellFault("bad_number", f"{shown(cell)} is merged over several cells: write each of them")
            try:
                quantity = read_number(cell, self.profile.decimal)
            except Misread as why:
                self.problems.append(DocumentProblem(why.code, place, why.reason))
                self._totals.spoil(at)
                continue
            self._totals.add(at, quantity)
            day = bucket.first if self.profile.bucket_due == "start" else bucket.last
            added = {self.terms.day: Value(day, place), self.terms.quantity: Value(quantity, place)}
            yield DocumentLine(values | added, place, is_whole)

    # ---------------------------------------------------------------- totals

    def _count(self, values: dict[str, Value]) -> None:
        """Add the quantities of a row to the sums that a row of totals is checked with."""
        for column, at in self._present:
            if column.type != "quantity" or not at:
                continue
            if column.name in values:
                quantity = values[column.name].value
                assert isinstance(quantity, Decimal)
                self._totals.add(at, quantity)
            else:
                self._totals.spoil(at)

    def _numbers(self, row: GridRow, more: tuple[int, ...]) -> Iterator[tuple[Place, Decimal]]:
        """Yield the numbers of a row of totals, with their places."""
        quantities = [at for column, at in self._present if column.type == "quantity" and at]
        for at in (*quantities, *self.header.buckets, *more):
            try:
                yield self._place(row, at), read_number(row.cells.get(at), self.profile.decimal)
            except Misread as why:
                if why.code in ("cell_error", "formula_without_value"):
                    self.problems.append(DocumentProblem(why.code, self._place(row, at), why.reason))

    def _check_row_total(self, row: GridRow, cells: list[DocumentLine]) -> None:
        """Compare the columns that say Total with the sum of the row."""
        total = sum((line.values[self.terms.quantity].value for line in cells), Decimal())
        is_whole = len(cells) == sum(at in row.cells for at in self.header.buckets)
        for at in self.header.totals:
            cell = row.cells.get(at)
            if cell is None:
                continue
            try:
                number = read_number(cell, self.profile.decimal)
            except Misread as why:
                self.problems.append(DocumentProblem(why.code, self._place(row, at), why.reason))
                continue
            self._totals.add(at, number)
            if is_whole and number != total:
                reason = f"says {number:f}, and the row adds up to {total:f}"
                self.problems.append(DocumentProblem("schedule_sum", self._place(row, at), reason))
