"""Overview of the programme, computed from the aggregator's answers."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from services.operator.ask.client import ask, ask_all
from shared.programme.megawatts import sum_megawatts
from shared.programme.shares import share_percent

WINDOW_DAYS = 30
KINDS = ("sourced", "assumed", "undeclared", "synthetic")
_FROM_BALANCES = (
    "complete_through", "position", "head", "recorded_by", "went_back", "missing_sources", "day", "window_days",
    "basis",
)  # fmt: skip


def ask_programme(folder: Path, as_of: str | None = None) -> dict[str, Any]:
    """Return supply, demand and net of the last 30 days, the first shortage by firmness, the alerts, and the months.

    Announced sites (`sourced`) are apart from sites that are assumed (`assumed`), and from sites that no event declares
    (`undeclared`). Synthetic demand (`synthetic`) is in no other sum. Where a supplier moves wafers and reports no
    lots, the basis is `receipt`.
    """
    query = {"as_of": as_of, "window": WINDOW_DAYS, "by": "site"}
    answer = ask_all(folder, "/balances", **query)
    if any(row["lots_not_reported_by"] for row in answer["rows"]):  # their starts are not known, their receipts are
        answer = ask_all(folder, "/balances", **query, basis="receipt")
    shortages = _ask_shortages(folder, as_of)
    to_act_on = ask(folder, "aggregator", "/shortages", as_of=as_of, order="act_by", limit=1)
    back = answer["went_back"]
    before = None if back is None else _ask_shortages(folder, str(back["position"]))
    alerts = ask(folder, "aggregator", "/alerts", as_of=as_of, limit=1)
    months = ask(folder, "aggregator", "/months", as_of=as_of)
    sites = {row["site"]: row for row in ask_all(folder, "/sites", as_of=as_of)["rows"]}
    pools = {name for name, site in sites.items() if site["synthetic"]}
    total = _sums(
        [row for row in answer["rows"] if row["site"] not in pools],
        [site for name, site in sites.items() if name not in pools],
    )
    return {
        **{name: answer[name] for name in _FROM_BALANCES},
        "lots_not_reported_by": sorted({name for row in answer["rows"] for name in row["lots_not_reported_by"]}),
        "today": shortages["planned"]["today"],
        **total,
        "share_percent": share_percent(total["supply"], months["target_wafers"]),
        "target_wafers": months["target_wafers"],
        **{
            kind: _sums(
                [row for row in answer["rows"] if row["site"] in sites and _kind(sites[row["site"]]) == kind],
                [site for site in sites.values() if _kind(site) == kind],
            )
            for kind in KINDS
        },
        "short": _first_shortages(shortages),
        "to_act_on": next((row for row in to_act_on["rows"] if not row["synthetic"]), None),
        "last_plan": None
        if before is None
        else {name: before["planned"][name] for name in ("complete_through", "position", "today")}
        | {"short": _first_shortages(before)},
        "alerts": alerts["open"],
        "alerts_synthetic": alerts["open_synthetic"],
        "months": busy_months(months["rows"]),
        "months_synthetic": busy_months(months["synthetic"]),
    }


def _kind(site: dict[str, Any]) -> str:
    return "synthetic" if site["synthetic"] else site["confidence"] or "undeclared"


def _ask_shortages(folder: Path, as_of: str | None) -> dict[str, Any]:
    return {
        firmness: ask(folder, "aggregator", "/shortages", as_of=as_of, firmness=firmness, limit=1)
        for firmness in ("planned", "firm")
    }


def _first_shortages(shortages: dict[str, Any]) -> dict[str, Any]:
    """Return by firmness how many run short but at synthetic sites, None where that is not known, and the first."""
    return {
        firmness: {
            "count": None if found["today"] is None else found["count"] - found["synthetic_count"],
            "first": next((row for row in found["rows"] if not row["synthetic"]), None),
        }
        for firmness, found in shortages.items()
    }


def _sums(rows: Sequence[dict[str, Any]], sites: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return sums over sites; `lacking` and `products_short` are those that a surplus elsewhere does not hide."""
    described = list(sites)
    return {name: sum(row[name] for row in rows) for name in ("supply", "demand", "net", "lacking")} | {
        "products": sum(site["products"] or 0 for site in described),
        "products_short": sum(len(site["short_products"]) for site in described),
        **sum_megawatts(described),
    }


def busy_months(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the months from the first to the last with a plan or a movement."""
    busy = [n for n, row in enumerate(rows) if _moves(row)]
    return list(rows[busy[0] : busy[-1] + 1]) if busy else []


def _moves(row: dict[str, Any]) -> bool:
    """Return whether a month has a number other than its running totals."""
    receipt = row["receipt"]
    flat = {**row["start"], **receipt, **receipt["committed"], "to_come": sum(receipt["to_come"].values())}
    return any(value for name, value in flat.items() if name not in ("cumulative_gap", "committed"))
