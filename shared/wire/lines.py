"""The line of an event: the commit, order, forecast, agreement or shipment that it belongs to."""

from shared.wire.rows import Row

LineName = tuple[str, str, str]  # owner, kind, id: lines of two parties never clash
COMMIT, ORDER = "supply.committed", "demand.required"
"""A line's kind is the name of the events that revise it, but for shipments."""


def line_of(row: Row) -> LineName:
    """Return the line an event belongs to.

    A shipment may carry several products. Each is a line of its own: the ledger's formulas hold for one product.
    """
    if row.name.startswith("shipment."):
        return (row.others.get("owner", row.source), f"shipment/{row.product}", str(row.line))
    if row.name == "wafers.consumed":
        return (row.source, ORDER, row.others["order"])
    return (row.source, row.name, str(row.line))


def commit_line(owner: str, commit: str) -> LineName:
    """Return the line of a supplier's commit."""
    return (owner, COMMIT, commit)


def lines_of(row: Row) -> tuple[LineName, ...]:
    """Return the line an event belongs to and, for a dispatch against a commit, the line of the commit.

    Consumption for no order belongs to none.
    """
    if row.name == "wafers.consumed" and row.others["order"] is None:
        return ()
    line = line_of(row)
    commit = row.others.get("commit") if row.name == "shipment.dispatched" else None
    return (line,) if commit is None else (line, commit_line(row.source, commit))
