"""Overview of the programme, computed from the aggregator's answers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from services.operator.ask.client import ask, ask_all
from shared.wire.catalog import share_percent

WINDOW_DAYS = 30
CONFIDENCES = ("sourced", "assumed")
_FROM_BALANCES = (
    "complete_through", "position", "head", "recorded_by", "went_back", "missing_sources", "day", "window_days",
)  # fmt: skip


def ask_programme(folder: Path, as_of: str | None = None) -> dict[str, Any]:
    """Return supply, demand and net of the last 30 days, the first shortage by firmness, the alerts, and the months.

    Demand of announced sites (`sourced`) is apart from that of sites assumed to reach the headline figure (`assumed`).
    """
    answer = ask_all(folder, "/balances", as_of=as_of, window=WINDOW_DAYS, by="site")
    shortages = _ask_shortages(folder, as_of)
    back = answer["went_back"]
    before = None if back is None else _ask_shortages(folder, str(back["position"]))
    alerts = ask(folder, "aggregator", "/alerts", as_of=as_of, limit=1)
    months = ask(folder, "aggregator", "/months", as_of=as_of)
    confidence = {row["site"]: row["confidence"] for row in ask_all(folder, "/sites", as_of=as_of)["rows"]}
    rows_by_confidence = {
        each: [row for row in answer["rows"] if confidence.get(row["site"]) == each] for each in CONFIDENCES
    }
    total = _sums(answer["rows"])
    return {
        **{name: answer[name] for name in _FROM_BALANCES},
        "today": shortages["planned"]["today"],
        **total,
        "share_percent": share_percent(total["supply"]),
        **{each: _sums(rows) for each, rows in rows_by_confidence.items()},
        "short": _first_shortages(shortages),
        "last_plan": None
        if before is None
        else {name: before["planned"][name] for name in ("complete_through", "position")}
        | {"short": _first_shortages(before)},
        "alerts": alerts["open"],
        "months": busy_months(months["rows"]),
    }


def _ask_shortages(folder: Path, as_of: str | None) -> dict[str, Any]:
    return {
        firmness: ask(folder, "aggregator", "/shortages", as_of=as_of, firmness=firmness, limit=1)
        for firmness in ("planned", "firm")
    }


def _first_shortages(shortages: dict[str, Any]) -> dict[str, Any]:
    """Return by firmness how many run short, None where that is not known, and the first of them."""
    return {
        firmness: {"count": None if found["today"] is None else found["count"], "first": (found["rows"] or [None])[0]}
        for firmness, found in shortages.items()
    }


def _sums(rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    return {name: sum(row[name] for row in rows) for name in ("supply", "demand", "net")}


def busy_months(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the months from the first to the last with a plan or a movement."""
    busy = [n for n, row in enumerate(rows) if _moves(row)]
    return list(rows[busy[0] : busy[-1] + 1]) if busy else []


def _moves(row: dict[str, Any]) -> bool:
    """Return whether a month has a number other than its running totals."""
    flat = {**row["start"], **row["receipt"], **row["receipt"]["committed"]}
    return any(value for name, value in flat.items() if name not in ("cumulative_gap", "committed"))
