"""The planning terms that queries, commands and the fold share; importing them loads no compiled code."""

from typing import Literal, NamedTuple, get_args

Part = Literal["product", "site", "supplier"]
Basis = Literal["start", "receipt"]
PARTS: tuple[Part, ...] = get_args(Part)
BASES: tuple[Basis, ...] = get_args(Basis)

NETTING_DAYS = 7
"""Days before and after its due day whose forecast an order consumes, unless a query has others."""

LAGS = (0, 28, 56, 91, 182)
"""Days before the due day at which a commit is compared with its receipts: 0, 4, 8, 13 and 26 weeks."""


class Tolerance(NamedTuple):
    """How far receipts may deviate from a commit that counts as received on time and in full."""

    days_early: int | None  # before the due day; None: however early
    days_late: int
    percent_short: int


STRICT = Tolerance(None, 0, 0)
TOLERANT = Tolerance(None, 7, 5)
"""The second tolerance, unless the programme declares one."""

REPLACED_DAYS = 31
"""Days before and after its due day for which new commits take the place of a commit: a month's by its weeks'."""

LineKind = Literal["commit", "order", "forecast", "shipment"]
LINE_KINDS: tuple[LineKind, ...] = ("commit", "order", "forecast", "shipment")

LINE_COLUMNS = (
    "due", "kind", "site", "product", "wafers", "open_wafers", "days_overdue", "firmness", "supplier", "line"
)  # fmt: skip
"""Columns that lines can be sorted by."""
