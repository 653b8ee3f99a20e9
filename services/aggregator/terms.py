"""The planning terms that queries, commands and the fold share; importing them loads no compiled code."""

from typing import Literal, get_args

Part = Literal["product", "site", "supplier"]
Basis = Literal["start", "receipt"]
PARTS: tuple[Part, ...] = get_args(Part)
BASES: tuple[Basis, ...] = get_args(Basis)

NETTING_DAYS = 7
"""Days before and after its due day whose forecast an order consumes, unless a query has others."""

LAGS = (0, 28, 56, 91, 182)
"""Days before the due day at which a commit is compared with its receipts: 0, 4, 8, 13 and 26 weeks."""

TOLERANCES = ((0, 0), (7, 5))
"""Days after the due day, and percent of the wafers: a commit kept in full and on time, and one nearly kept."""

REPLACED_DAYS = 31
"""Days before and after its due day for which new commits take the place of a commit: a month's by its weeks'."""

LineKind = Literal["commit", "order", "forecast", "shipment"]
LINE_KINDS: tuple[LineKind, ...] = ("commit", "order", "forecast", "shipment")

LINE_COLUMNS = (
    "due", "kind", "site", "product", "wafers", "open_wafers", "days_overdue", "firmness", "supplier", "line"
)  # fmt: skip
"""Columns that lines can be sorted by."""
