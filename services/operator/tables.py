"""What the answers look like to a person: tables, on a terminal or in a picture."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

WIDTH = 180  # where nobody says how wide it is: no number may be cut
PICTURE_WIDTH = 120


def save_picture(console: Console, path: Path, title: str) -> None:
    """Write what was printed as an SVG picture that loads nothing from elsewhere."""
    svg = console.export_svg(title=title)
    path.write_text(re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL), encoding="utf-8")


def open_console(*, record: bool = False) -> Console:
    """Return a console that is wide enough for the month table where nobody says how wide it is."""
    if record:
        return Console(record=True, width=PICTURE_WIDTH)
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, caption: str = "") -> Group:
    """Return a table under its title; numbers stand right, with thousands apart, and are red below zero."""
    result = Table(header_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for n, column in enumerate(columns):
        number = bool(rows) and all(isinstance(row[n], int | float | None) for row in rows)
        # folded where the terminal is narrow: a number with its end cut off would read as another number
        result.add_column(column, justify="right" if number else "left", overflow="fold")
    for row in rows:
        result.add_row(*map(_cell, row))
    return Group(Text(title, style="bold"), result, Text(caption + "\n" if caption else "", style="dim"))


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
    grades = list(rows[0]["receipt"]["committed"])
    before = {basis: rows[0][basis]["cumulative_gap"] - rows[0][basis]["net"] for basis in ("start", "receipt")}
    start = table(
        "Months, start basis (300 mm wafer starts at planned yield)",
        ("month", "demand", "started", "net", "cumulative gap", "% of 900,000", "letter of intent"),
        [
            (r["month"], s["demand"], s["started"], s["net"], s["cumulative_gap"], s["share_percent"], s["agreed"])
            for r in rows
            for s in (r["start"],)
        ],
        caption="demand: to be started in the month. A letter of intent is shown, and in no other number.\n"
        f"The gap begins at {before['start']:+,}: what was on hand at first, less what was to be started before.\n"
        "It nets all sites and products: what one has too many of does not help another.",
    )
    receipt = table(
        "Months, receipt basis (at the dock): the same wafers months later, never mixed with the above",
        ("month", "due", *grades, "received", "net", "cumulative gap"),
        [
            (r["month"], s["due"], *s["committed"].values(), s["received"], s["net"], s["cumulative_gap"])
            for r in rows
            for s in (r["receipt"],)
        ],
        caption="planned to immediate: commits due in the month, by the firmness they now have, a wafer in one.\n"
        f"The gap begins at {before['receipt']:+,}: what was on hand at first, less what was due before.\n"
        "Until the first lots arrive, the sites live on that. Lots that yield more than planned ship more.",
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


def shortages_tables(answer: Mapping[str, Any], most: int) -> tuple[Group, Group]:
    """Return who is short already, and who runs short next, on every promise and on firm ones only."""
    already = [row for row in answer["rows"] if row["short_since"] is not None]
    coming = [row for row in answer["rows"] if row["short_since"] is None]
    shown = {"short already": already, "next to run short": coming}
    tables = [
        table(
            f"{what.capitalize()}, as of {answer['today']}: {min(most, len(rows))} of {len(rows)} products at sites",
            (
                "site", "product", "on hand", "short since", "first short day", "short by then", "at worst",
                "if only firm counts",
            ),
            [
                (row["site"], row["product"], row["on_hand"], row["short_since"], row["first_short_day"],
                 row["first_shortage"], row["shortage"], row["by_firmness"]["firm"]["shortage"])
                for row in rows[:most]
            ],
            caption="on hand + in transit + open commits - required and not yet consumed; overdue supply left out"
            if rows is already else "all of them: waferline shortages --limit 200",
        )
        for what, rows in shown.items()
    ]  # fmt: skip
    return tables[0], tables[1]


def alerts_tables(answer: Mapping[str, Any]) -> tuple[Group, Group]:
    """Return how many alerts are open of each code, and those asked for."""
    counts = answer["open"]
    open_ = table(
        f"Alerts, as of {answer['today']}: {sum(counts.values())} are open", tuple(counts), [tuple(counts.values())]
    )
    rows = table(
        f"The most urgent {len(answer['rows'])}",
        ("alert", "of", "day", "detail", "first cause"),
        [
            (
                row["code"],
                " ".join(row["subject"].values()),
                row["day"],
                ", ".join(f"{name.replace('_', ' ')} {_figure(value)}" for name, value in row["detail"].items()),
                next(iter(row["causes"]), ""),
            )
            for row in answer["rows"]
        ],
        caption="what each means, and what to do: docs/alerts.md",
    )
    return open_, rows


def _figure(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def refusals_table(refusals: Sequence[Mapping[str, Any]]) -> Group:
    """Return the events that were not taken, and why."""
    return table(
        f"Refused events: {len(refusals)} (stored, told to their source; the good ones beside them went on)",
        ("source", "sequence", "reason", "where", "what is wrong"),
        [(r["source"], r["sequence"], r["code"], r["path"], r["message"]) for r in refusals],
    )


def counts_table(counts: Mapping[str, int], refused: int) -> Group:
    """Return how many events of each type were recorded."""
    return table(
        f"Events recorded: {sum(counts.values()):,} (and {refused} refused)",
        ("event", "count"),
        sorted(counts.items(), key=lambda item: -item[1]),
    )
