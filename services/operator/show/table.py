"""A table on a terminal or in a picture, and the console that prints it."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

WIDTH = 180  # of output that is no terminal: no number may be cut
PICTURE_WIDTH = 120


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, caption: str = "") -> Group:
    """Return a table under its title; numbers are right-aligned, with thousands apart, and red below zero."""
    result = Table(header_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for n, column in enumerate(columns):
        number = bool(rows) and all(isinstance(row[n], int | float | None) for row in rows)
        # folded where the terminal is narrow: a number that is cut off would read as another number
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


def position_line(data: Path, answer: Mapping[str, Any]) -> Text:
    """Return the last complete day, the position and the head of an answer."""
    through, position = answer["complete_through"], f"position {answer['position']}, head {answer['head'][:16]}"
    line = f"complete through {through}, {position}"
    if through is None:
        line = f"{position}; no day is complete yet: each source ends a day with source.advanced"
    return Text(f"{data}: {line}", style="dim")


def open_console(*, record: bool = False) -> Console:
    """Return the terminal, or a console that is wide enough for every table where there is no terminal."""
    if record:
        return Console(record=True, width=PICTURE_WIDTH)
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)


def save_picture(console: Console, path: Path, title: str) -> None:
    """Write the console's record as an SVG picture that loads nothing from another host."""
    svg = console.export_svg(title=title)
    path.write_text(re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL), encoding="utf-8")
