"""Wafers ordered by a site and promised to it, product by product."""

from collections.abc import Mapping, Sequence

from services.console.http.months import Numbers


def rows_by_product(rows: Sequence[Numbers]) -> dict[str, list[Numbers]]:
    """Return the rows of each product, in their order."""
    found: dict[str, list[Numbers]] = {}
    for row in rows:
        found.setdefault(row["product"], []).append(row)
    return found


def promised_rows(weeks: Mapping[str, Sequence[Numbers]]) -> list[Numbers]:
    """Return a row for each product of a site: the sums of its weeks, the next with a promise, and the last balance."""
    return [
        {
            "product": product,
            **{name: sum(week[name] for week in held) for name in ("orders", "net_forecast", "receipts")},
            "next_promised": next((week["from"] for week in held if week["receipts"]), None),
            "projected": held[-1]["projected"],
        }
        for product, held in weeks.items()
    ]
