"""What the answers look like to a person: tables, on a terminal or in a picture."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

WIDTH = 120


def save_picture(console: Console, path: Path, title: str) -> None:
    """Write what was printed as an SVG picture that loads nothing from elsewhere."""
    svg = console.export_svg(title=title)
    path.write_text(re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL), encoding="utf-8")


def open_console(*, record: bool = False) -> Console:
    """Return a console that is wide enough for the month table where nobody says how wide it is."""
    console = Console(record=record)
    return console if console.is_terminal and not record else Console(record=record, width=WIDTH)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, caption: str = "") -> Group:
    """Return a table under its title; numbers stand right, with thousands apart, and are red below zero."""
    result = Table(header_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for n, column in enumerate(columns):
        number = bool(rows) and all(isinstance(row[n], int | float | None) for row in rows)
        last = n == len(columns) - 1 and not number
        width = None if last else _width(rows, n)
        result.add_column(column, justify="right" if number else "left", no_wrap=not last, min_width=width)
    for row in rows:
        result.add_row(*map(_cell, row))
    return Group(Text(title, style="bold"), result, Text(caption + "\n" if caption else "", style="dim"))


def _width(rows: Sequence[Sequence[Any]], n: int) -> int:
    """Return what a column needs: a number with dots in it is no number."""
    return max((len(_cell(row[n])) for row in rows), default=0)


def _cell(value: Any) -> Text:
    if value is None:
        return Text("–", style="dim")
    if isinstance(value, bool):
        return Text("yes" if value else "no", style="" if value else "bold red")
    if isinstance(value, int):
        return Text(f"{value:,}", style="red" if value < 0 else "dim" if value == 0 else "")
    if isinstance(value, float):
        return Text(f"{value:,.1f}")
    return Text(str(value))


def months_tables(answer: Mapping[str, Any]) -> tuple[Group, Group]:
    """Return the months on the start basis and on the receipt basis, which are never mixed."""
    rows = answer["rows"]
    start = table(
        "Months, start basis (300 mm wafer starts at planned yield)",
        ("month", "demand", "started", "net", "cumulative gap", "% of 900,000"),
        [
            (r["month"], s["demand"], s["started"], s["net"], s["cumulative_gap"], s["share_percent"])
            for r in rows
            for s in (r["start"],)
        ],
        caption="demand: to be started in the month; a letter of intent is never counted as supply",
    )
    grades = list(rows[0]["receipt"]["committed"]) if rows else []
    receipt = table(
        "Months, receipt basis (at the dock): the same wafers months later, never mixed with the above",
        ("month", "due", *grades, "received", "net", "cumulative gap"),
        [
            (r["month"], s["due"], *s["committed"].values(), s["received"], s["net"], s["cumulative_gap"])
            for r in rows
            for s in (r["receipt"],)
        ],
        caption="planned to immediate: commits due in the month, by the firmness they now have; a wafer stands in one",
    )
    return start, receipt


def ahead_table(answer: Mapping[str, Any]) -> Group:
    """Return what is due in the months to come, and what is promised for them."""
    grades = list(answer["rows"][0]["receipt"]["committed"])
    return table(
        "Ahead, receipt basis: ordered and forecast, and promised by firmness",
        ("month", "due on order", "forecast", *grades, "promised less both"),
        [
            (
                row["month"],
                r["due"],
                r["forecast"],
                *r["committed"].values(),
                sum(r["committed"].values()) - r["due"] - r["forecast"],
            )
            for row in answer["rows"]
            for r in (row["receipt"],)
        ],
        caption="an order replaces its forecast; planned and material are promised, and not yet started",
    )


def shortages_table(answer: Mapping[str, Any]) -> Group:
    """Return who is short, and who runs short first, on every promise and on firm ones only."""
    return table(
        f"Short first, as of {answer['today']}: {answer['short']} products at sites are or run short",
        ("site", "product", "short since", "first short day", "short by then", "at worst", "if only firm counts"),
        [
            (row["site"], row["product"], row["short_since"], row["first_short_day"], row["first_shortage"],
             row["shortage"], row["by_firmness"]["firm"]["shortage"])
            for row in answer["rows"]
        ],
        caption="on hand + in transit + open commits - what is required and not yet consumed; overdue supply left out",
    )  # fmt: skip


def refusals_table(refusals: Sequence[Mapping[str, Any]]) -> Group:
    """Return the events that were not taken, and why."""
    return table(
        f"Refused events: {len(refusals)} (stored, told to their source; the good ones beside them went on)",
        ("source", "sequence", "reason", "where", "what is wrong"),
        [(r["source"], r["sequence"], r["code"], r["path"], r["message"][:70]) for r in refusals],
    )


def counts_table(counts: Mapping[str, int], refused: int) -> Group:
    """Return how many events of each type were recorded."""
    return table(
        f"Events recorded: {sum(counts.values()):,} (and {refused} refused)",
        ("event", "count"),
        sorted(counts.items(), key=lambda item: -item[1]),
    )
