"""Tables and bars of supply against demand, month by month."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group
from rich.text import Text

from services.operator.show.sparklines import SHADES, sparkline, stacked_bar
from services.operator.show.table import SYNTHETIC, FittedTable, table
from shared.wire.firmness import FIRMNESS

_BAR_WIDTH = 60


def months_tables(answer: Mapping[str, Any]) -> Iterator[FittedTable]:
    """Yield the months on the start basis and on the receipt basis, which are never mixed; synthetic sites apart."""
    target = answer["target_wafers"]
    if answer["rows"]:
        yield from _months(answer["rows"], target, "Months")
    if answer["synthetic"]:
        yield from _months(answer["synthetic"], target, f"{SYNTHETIC}Months")


def _months(rows: Sequence[Mapping[str, Any]], target: int | None, title: str) -> tuple[FittedTable, FittedTable]:
    shares = () if target is None else (f"% of {target:,}",)  # of a declared target only
    grades = list(rows[0]["receipt"]["committed"])
    starts = [row for row in rows if row["start"]["started"] is not None]
    begins = {
        basis: f"The gap begins at {first['cumulative_gap'] - first['net']:+,}: the opening stock less "
        for basis, first in (
            *((("start", starts[0]["start"]),) if starts else ()), ("receipt", rows[0]["receipt"]),
        )
    }  # fmt: skip
    start = table(
        f"{title}, start basis (300 mm wafer starts at planned yield)",
        ("month", "demand", "started", "net", "cumulative gap", *shares, "letter of intent"),
        [
            (
                r["month"],
                s["demand"],
                s["started"],
                s["net"],
                s["cumulative_gap"],
                *(s["share_percent"] for _ in shares),
                s["agreed"],
            )
            for r in rows
            for s in (r["start"],)
        ],
        caption="demand: starts required in the month. A letter of intent enters no other number.\n"
        + (begins["start"] + "the starts required before.\n" if starts else "")
        + "– : not reported by any supplier, or the month is to come.\n"
        "It nets all sites and products: a surplus of one does not cover another.",
    )
    receipt = table(
        f"{title}, receipt basis (at the dock): the same wafers months later, never mixed with the above",
        (
            "month",
            "due",
            *grades,
            "received",
            "to come",
            "net",
            "cumulative gap",
            *(f"received, {share}" for share in shares),
        ),
        [
            (
                r["month"],
                s["due"],
                *s["committed"].values(),
                s["received"],
                sum(s["to_come"].values()),
                s["net"],
                s["cumulative_gap"],
                *(s["share_percent"] for _ in shares),
            )
            for r in rows
            for s in (r["receipt"],)
        ],
        caption="planned to immediate: commits due in the month, each wafer once, by its present firmness.\n"
        "to come: from today on, in transit by eta and open commits by due day; overdue ones are left out.\n"
        "net: received and to come, less due; forecasts are in no net.\n"
        + begins["receipt"]
        + "the orders due before. It nets all sites and products.\n"
        "The opening stock lasts until the first lots arrive. Lots that yield more than planned ship more.",
    )
    return start, receipt


def ahead_tables(answer: Mapping[str, Any]) -> Iterator[FittedTable]:
    """Yield orders, forecasts and commits of the months to come; those of synthetic sites apart."""
    for title, rows in (("Ahead", answer["rows"]), (f"{SYNTHETIC}Ahead", answer["synthetic"])):
        if rows:
            yield _ahead_table(title, rows)


def _ahead_table(title: str, rows: Sequence[Mapping[str, Any]]) -> FittedTable:
    grades = list(rows[0]["receipt"]["committed"])
    return table(
        f"{title}, receipt basis: orders and forecasts, and commits by firmness",
        ("month", "due on order", "forecast", *grades, "commits less both"),
        [
            (
                row["month"],
                r["due"],
                r["forecast"],
                *r["committed"].values(),
                sum(r["committed"].values()) - r["due"] - r["forecast"],
            )
            for row in rows
            for r in (row["receipt"],)
        ],
        caption="an order replaces its forecast; planned and material commits are not yet started",
    )


def months_bars(answer: Mapping[str, Any]) -> Group:
    """Return commits by firmness as a bar a month, with orders and forecasts as a mark on it, receipt basis."""
    rows = answer["rows"]
    receipts = [row["receipt"] for row in rows]
    needs = [each["due"] + each["forecast"] for each in receipts]
    supplies = [tuple(each["committed"][grade] for grade in FIRMNESS) for each in receipts]
    longest = max([1, *needs, *map(sum, supplies)])
    keys = "  ".join(f"{shade} {grade}" for shade, grade in zip(SHADES, FIRMNESS, strict=True))
    lines = [
        Text(f"{row['month']}  {stacked_bar(supply, need, longest, _BAR_WIDTH)}  {sum(supply) - need:+,}")
        for row, supply, need in zip(rows, supplies, needs, strict=True)
    ]
    gaps = [sparkline([row[basis]["cumulative_gap"] for row in rows]) for basis in ("start", "receipt")]
    return Group(
        Text("Commits by firmness against orders and forecasts (┃), receipt basis", style="bold"),
        Text(f"         {keys}, up to {longest:,} a month; on the right: commits less both\n", style="dim"),
        *lines,
        Text(f"\ncumulative gap  start basis {gaps[0]}  receipt basis {gaps[1]}\n"),
    )
