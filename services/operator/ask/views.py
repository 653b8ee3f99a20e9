"""Every view of the aggregator as the sheet of a workbook, all rows of it."""

from collections.abc import Callable, Mapping
from operator import itemgetter
from pathlib import Path
from typing import Any

from services.operator.ask.client import ask_all
from shared.http.tabular import flatten_rows
from shared.http.workbook import ViewSheet

_Rows = Callable[[Mapping[str, Any]], list[dict[str, Any]]]


def work_rows(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return each item of a worklist as a row, with the number of its line; a row has its notes as one text."""
    return [
        {
            "line": n,
            "kind": line["kind"],
            "synthetic": line["synthetic"],
            **item,
            "notes": "; ".join(note["text"] for note in item["notes"]),
        }
        for n, line in enumerate(answer["rows"], 1)
        for item in line["items"]
    ]


_rows: _Rows = itemgetter("rows")
_acknowledged: _Rows = itemgetter("acknowledged")
_synthetic: _Rows = itemgetter("synthetic")

VIEWS: dict[str, tuple[str, dict[str, str], _Rows]] = {
    "Worklist": ("/worklist", {"resting": "true"}, work_rows),
    "Months": ("/months", {}, _rows),
    "Synthetic months": ("/months", {}, _synthetic),
    "Shortages": ("/shortages", {"order": "act_by"}, _rows),
    "Balances": ("/balances", {"by": "product,site,supplier"}, _rows),
    "Balances, receipt basis": ("/balances", {"by": "product,site,supplier", "basis": "receipt"}, _rows),
    "Cover": ("/cover", {}, _rows),
    "ATP": ("/atp", {}, _rows),
    "Promised to sites": ("/atp", {"at": "sites"}, _rows),
    "Sites": ("/sites", {}, _rows),
    "Suppliers": ("/suppliers", {}, _rows),
    "Commits": ("/lines", {"kind": "commit", "state": "all"}, _rows),
    "Orders": ("/lines", {"kind": "order", "state": "all"}, _rows),
    "Forecasts": ("/lines", {"kind": "forecast", "state": "all"}, _rows),
    "Shipments": ("/lines", {"kind": "shipment", "state": "all"}, _rows),
    "Alerts": ("/alerts", {}, _rows),
    "Acknowledged alerts": ("/remarks", {}, _acknowledged),
    "Notes": ("/remarks", {}, _rows),
    "Watermarks": ("/watermarks", {}, _rows),
}


def view_sheets(folder: Path, advance: Callable[[int], None] = lambda _: None) -> list[ViewSheet]:
    """Return a sheet for each view of a stack, and one that says of which position they are."""
    sheets, positions = [], []
    for title, (path, query, rows_of) in VIEWS.items():
        answer = ask_all(folder, path, **query)
        sheets.append(ViewSheet(title, *flatten_rows(rows_of(answer), ("no rows",))))
        positions.append((title, answer["complete_through"], answer["position"], answer["head"]))
        advance(1)
    return [*sheets, ViewSheet("About", ("sheet", "complete through", "position", "head"), positions)]
