"""Rows of the tables of a page, made of the parts of an answer."""

from collections.abc import Mapping

from services.console.http.months import Numbers
from services.console.http.tables.choice import Rows


def items_of(work: Numbers) -> Rows:
    """Return the items of a worklist, without their remarks."""
    left_out = ("alert", "acknowledged", "notes")
    return [
        {"kind": line["kind"]} | {name: value for name, value in item.items() if name not in left_out}
        for line in work["rows"]
        for item in line["items"]
    ]


def last_plan_table(before: Numbers | None) -> dict[str, Rows]:
    """Return the shortages of the last plan before the last complete day went back, where it did."""
    return {} if before is None else {"last plan": before["rows"]}


def why_tables(why: Numbers | None, bridge: Numbers | None) -> dict[str, Rows]:
    """Return the tables of the reasons of a shortage, where one is chosen."""
    tables: dict[str, Rows] = {}
    if why is not None:
        behind = why.get("why", {})
        tables["grades"] = [{"firmness": grade} | short for grade, short in why["by_firmness"].items()]
        tables |= {name: behind.get(name, ()) for name in ("reasons", "overdue", "orders")}
    if bridge is not None:
        ends = [{"cause": f"projected_{when}", "wafers": bridge[f"projected_{when}"]} for when in ("then", "now")]
        tables["bridge"] = [ends[0], *bridge["rows"], ends[1]]
    return tables


def without_nested(row: Numbers | None) -> Numbers:
    """Return the fields of a row that hold no others."""
    return {name: value for name, value in (row or {}).items() if not isinstance(value, Mapping)}
