"""The neutral document between a sheet and its events: each value with its place."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Literal, NamedTuple, TypeAlias, get_args

from shared.wire.streams import Role

Kind = Literal["commits", "forecasts", "orders", "receipts", "stock", "sites", "products"]
"""The facts that a sheet states; a sheet states facts of one kind."""

KINDS: tuple[Kind, ...] = get_args(Kind)

STATED_BY: dict[Kind, Role] = {
    "commits": "supplier",
    "forecasts": "datacenter",
    "orders": "datacenter",
    "receipts": "datacenter",
    "stock": "datacenter",
    "sites": "datacenter",
    "products": "planner",
}
"""The role of the party that states each kind."""

PLANS: frozenset[Kind] = frozenset({"commits", "forecasts", "orders"})
"""The kinds that plan wafers by a due day: a later document of the same scope may replace them."""

Scalar: TypeAlias = str | int | Decimal | date
Scope = tuple[str, str, str]  # product, site, supplier: as our events name them


class Place(NamedTuple):
    """The place of a value in a file. Row and column count from 1; 0 is the whole sheet, or the whole row."""

    sheet: str = ""  # the name of a workbook's sheet; empty in a CSV file
    row: int = 0
    column: int = 0
    title: str = ""  # the header of the column, as written

    def __str__(self) -> str:
        """Return `Call-off!E4` for a workbook, and `row 3, column Due` for a CSV file."""
        if not self.row:
            return self.sheet or "file"
        if self.sheet:
            return (
                f"{self.sheet}!{column_letters(self.column)}{self.row}" if self.column else f"{self.sheet}!{self.row}"
            )
        return f"row {self.row}, column {self.title or self.column}" if self.column else f"row {self.row}"


class Value(NamedTuple):
    """A value of a document: a text, a whole number, a decimal as written, or a day."""

    value: Scalar
    place: Place


class DocumentLine(NamedTuple):
    """One line of a document: the value of each field that it gives; the names are still those of the partner."""

    values: Mapping[str, Value]
    place: Place
    is_whole: bool = True  # no value of its row has a problem


class Document(NamedTuple):
    """All lines that a sheet states, and the terms under which they hold."""

    kind: Kind
    lines: tuple[DocumentLine, ...]
    replaces: bool = False  # the lines that are absent in its scopes and its horizon are withdrawn
    starts_on: date | None = None  # the horizon: first and last bucket, of a plan
    ends_on: date | None = None
    scopes: tuple[DocumentLine, ...] = ()  # of a matrix: its rows, also those without any quantity


def column_letters(column: int) -> str:
    """Return the name of a column as a spreadsheet shows it: 1 is A, 27 is AA."""
    letters = ""
    while column > 0:
        column, letter = divmod(column - 1, 26)
        letters = chr(65 + letter) + letters
    return letters
