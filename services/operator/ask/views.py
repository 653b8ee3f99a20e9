"""Every view of the aggregator as the sheet of a workbook, all rows of it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from services.operator.ask.client import ask
from shared.http.tabular import flatten_rows
from shared.http.workbook import ViewSheet

VIEWS: dict[str, tuple[str, dict[str, str]]] = {
    "Months": ("/months", {}),
    "Shortages": ("/shortages", {"order": "act_by"}),
    "Balances": ("/balances", {"by": "product,site,supplier"}),
    "Balances, receipt basis": ("/balances", {"by": "product,site,supplier", "basis": "receipt"}),
    "Cover": ("/cover", {}),
    "ATP": ("/atp", {}),
    "Sites": ("/sites", {}),
    "Suppliers": ("/suppliers", {}),
    "Commits": ("/lines", {"kind": "commit", "state": "all"}),
    "Orders": ("/lines", {"kind": "order", "state": "all"}),
    "Forecasts": ("/lines", {"kind": "forecast", "state": "all"}),
    "Shipments": ("/lines", {"kind": "shipment", "state": "all"}),
    "Alerts": ("/alerts", {}),
    "Watermarks": ("/watermarks", {}),
}


def view_sheets(folder: Path, advance: Callable[[int], None] = lambda _: None) -> list[ViewSheet]:
    """Return a sheet for each view of a stack, and one that says of which position they are."""
    sheets, positions = [], []
    for title, (path, query) in VIEWS.items():
        rows: list[dict[str, Any]] = []
        answer: dict[str, Any] = {}
        for answer in _pages(folder, path, query):
            rows += answer["rows"]
        sheets.append(ViewSheet(title, *flatten_rows(rows, ("no rows",))))
        positions.append((title, answer["complete_through"], answer["position"], answer["head"]))
        advance(1)
    return [*sheets, ViewSheet("About", ("sheet", "complete through", "position", "head"), positions)]


def _pages(folder: Path, path: str, query: dict[str, str]) -> Iterator[dict[str, Any]]:
    answer = ask(folder, "aggregator", path, **query)
    yield answer
    while answer.get("next") is not None:
        following = {"offset" if isinstance(answer["next"], int) else "after": answer["next"]}
        answer = ask(folder, "aggregator", path, **query, **following)
        yield answer
