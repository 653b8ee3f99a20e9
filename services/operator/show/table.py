"""A table on a terminal or in a picture, and the console that prints it."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

WIDTH = 180  # of output that is no terminal: no number may be cut
PICTURE_WIDTH = 160  # the shortages fill it, with no cell broken
_WORDS = ("not reported", "not known", "not known yet")  # stand in a column of numbers


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, caption: str = "") -> Group:
    """Return a table under its title; numbers are right-aligned, with thousands apart, and red below zero."""
    result = Table(header_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for n, column in enumerate(columns):
        number = bool(rows) and all(isinstance(row[n], int | float | None) or row[n] in _WORDS for row in rows)
        # folded where the terminal is narrow: a number that is cut off would read as another number
        result.add_column(column, justify="right" if number else "left", overflow="fold")
    for row in rows:
        result.add_row(*map(_cell, row))
    below = escape_controls(caption) + "\n" if caption else ""
    return Group(Text(escape_controls(title), style="bold"), result, Text(below, style="dim"))


def escape_controls(text: str) -> str:
    """Return a text for a terminal: each character that is not printable, line feeds apart, as JSON escapes it.

    A stored text may hold C1 controls, by which it would steer the terminal, and marks of direction.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


def _cell(value: Any) -> Text:
    if value is None:
        return Text("–", style="dim")
    if isinstance(value, bool):
        return Text("yes" if value else "no", style="" if value else "bold red")
    if isinstance(value, int):
        return Text(f"{value:,}", style="red" if value < 0 else "dim" if value == 0 else "")
    if isinstance(value, float):
        return Text(f"{value:,.1f}")
    return Text(escape_controls(str(value)))


def position_line(data: Path, answer: Mapping[str, Any]) -> Text:
    """Return the last complete day, the position and the head of an answer."""
    through, position = answer["complete_through"], f"position {answer['position']}, head {answer['head'][:16]}"
    if answer["recorded_by"] is not None:
        day, batches = answer["recorded_by"]["day"], answer["recorded_by"]["batches"]
        position = f"{batches} batches recorded by {day}, up to position {answer['position']}: no position is that day"
    lines = [f"complete through {through}, {position}"]
    if through is None:
        lines = [f"{position}; no day is complete yet: each source ends a day with source.advanced"]
    if answer["went_back"] is not None:
        back = answer["went_back"]
        behind = f"{', '.join(back['sources'])} not so far" if back["sources"] else "a watermark was reversed"
        before = f"the last plan before: --as-of {back['position']}"
        lines.append(f"the last complete day went back from {back['from']}: {behind}; {before}")
    if answer["missing_sources"]:
        lines.append(f"no day is completed by {', '.join(answer['missing_sources'])}: what is to come is not known")
    return Text(f"{data}: " + "\n".join(lines), style="dim")


def today_is(answer: Mapping[str, Any]) -> str:
    """Return the day on which an answer's plan begins, in words."""
    return "not known before a day is complete" if answer["today"] is None else f"today is {answer['today']}"


def window_words(answer: Mapping[str, Any]) -> str:
    """Return the window of an answer in words: of a day that is not complete, not all is known."""
    day, through = answer["day"], answer["complete_through"]
    return f"{answer['window_days']} days to {day}" + (", not complete" if through is None or day > through else "")


def known_at(as_of: str) -> str:
    """Return in words how much an answer knows: the batches up to one, or those recorded by the end of a day."""
    if as_of == "0":
        return "the empty log"
    return f"known at batch {int(as_of):,}" if as_of.isdigit() else f"known by the end of {as_of}"


def open_console(*, record: bool = False) -> Console:
    """Return the terminal, or a console that is wide enough for every table where there is no terminal."""
    if record:
        return Console(record=True, width=PICTURE_WIDTH)
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)


def not_reported_line(suppliers: Sequence[str]) -> str:
    """Return the suppliers without lots in words; nothing for none."""
    return f"no lots are reported by {', '.join(suppliers)}: WIP, finished and starts leave them out" * bool(suppliers)


def save_picture(console: Console, path: Path, title: str) -> None:
    """Write the console's record as an SVG picture that loads nothing from another host."""
    svg = console.export_svg(title=title)
    path.write_text(re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL), encoding="utf-8")
