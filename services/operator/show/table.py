"""A table on a terminal or in a picture, and the console that prints it."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

WIDTH = 180  # of output that is no terminal: no number may be cut
PICTURE_WIDTH = 160  # the shortages fill it, with no cell broken
_WORDS = ("not reported", "not known", "not known yet")  # stand in a column of numbers
_UNFOLDED = 10  # a cell of so many characters is not folded: "2 of 53", "not known"
_STACKED_ROWS_MAX = 3
_WIDE_GAP, _WIDE_EDGES, _NARROW_GAP = 3, 2, 2


@dataclass(frozen=True)
class FittedTable:
    """A table that fits the width of its terminal, and never breaks a number, a date or a name.

    One without rows is its title. Where the whole table is too wide, cells fold between words; then a table of few rows
    stands with its columns below each other; then the columns that do not fit are left out and named: the spared ones
    first, then those on the right.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    caption: str = ""
    spared: Sequence[str] = ()  # the columns that are left out before the others

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(escape_controls(self.title), style="bold")
        left_out = []
        columns = [_FittedColumn.of(name, [row[n] for row in self.rows]) for n, name in enumerate(self.columns)]
        stacked = self._stacked()
        if not self.rows:
            pass  # the title says so
        elif _fits(columns, options.max_width):
            yield _draw(columns, options.max_width)
        elif len(self.rows) in range(1, _STACKED_ROWS_MAX + 1) and _fits(stacked, options.max_width):
            yield _draw(stacked, options.max_width, header=False)
        else:
            chosen = _choose(columns, self.spared, options.max_width)
            left_out = [column.name for column in columns if column not in chosen]
            yield _draw(chosen, options.max_width)
        below = escape_controls(self.caption) + "\n" if self.caption else ""
        if left_out:
            below = f"too wide to show here: {', '.join(left_out)}; a wider terminal or --json shows them\n{below}"
        yield Text(below, style="dim")

    def _stacked(self) -> list["_FittedColumn"]:
        """Return the columns of the table turned on its side: the names, then a column for each row."""
        values = [_FittedColumn.of("", row, "left") for row in self.rows]
        return [_FittedColumn.of("", [escape_controls(name) for name in self.columns], "left"), *values]


@dataclass(frozen=True, eq=False)
class _FittedColumn:
    """A column with its cells as text, the widths at which they, or they and the name, need no fold, and the least."""

    name: str
    cells: Sequence[Text]
    justify: Literal["left", "right"]
    widest_cell: int
    widest: int
    least: int  # that breaks no word

    @classmethod
    def of(cls, name: str, values: Sequence[Any], justify: Literal["left", "right"] | None = None) -> "_FittedColumn":
        cells = [_cell(value) for value in values]
        is_number = bool(values) and all(isinstance(each, int | float | None) or each in _WORDS for each in values)
        widths = [cell_len(line) for cell in cells for line in cell.plain.split("\n")]
        words = [cell_len(word) for cell in cells for word in _unbroken(cell.plain)]
        head = [cell_len(word) for word in name.split()]
        return cls(
            name, cells, justify or ("right" if is_number else "left"), max([0, *widths]),
            max([1, cell_len(name), *widths]), max([1, *words, *head]),
        )  # fmt: skip


def _unbroken(text: str) -> list[str]:
    """Return the parts of a cell that are not folded."""
    return [text] if len(text) <= _UNFOLDED and "\n" not in text else text.split()


def _fits(columns: Sequence[_FittedColumn], width: int) -> bool:
    return sum(column.least for column in columns) + _NARROW_GAP * (len(columns) - 1) <= width


def _choose(columns: Sequence[_FittedColumn], spared: Sequence[str], width: int) -> list[_FittedColumn]:
    """Return the first column, and the others that fit beside it: the spared ones last, else from the left."""
    chosen = [*columns[:1]]
    for column in sorted(columns[1:], key=lambda column: column.name in spared):
        if _fits([*chosen, column], width):
            chosen.append(column)
    return sorted(chosen, key=columns.index)


def _draw(columns: Sequence[_FittedColumn], width: int, *, header: bool = True) -> Table:
    """Return the columns as a table of a width; a word is broken only where one alone is wider than that."""
    spare = width - sum(column.widest for column in columns) - _WIDE_GAP * (len(columns) - 1) - _WIDE_EDGES
    widths = [column.widest for column in columns]
    if spare < 0:
        widths = _share(columns, width - _NARROW_GAP * (len(columns) - 1))
    drawn = Table(
        header_style="bold", box=box.SIMPLE_HEAD, pad_edge=False, show_header=header, show_edge=spare >= 0,
        padding=(0, 1) if spare >= 0 else (0, 1, 0, 0),
    )  # fmt: skip
    for column, each in zip(columns, widths, strict=True):
        drawn.add_column(column.name, justify=column.justify, overflow="fold", width=max(each, 1))
    for row in zip(*(column.cells for column in columns), strict=True):
        drawn.add_row(*row)
    return drawn


def _share(columns: Sequence[_FittedColumn], width: int) -> list[int]:
    """Return the width of each column: the least, and the rest where cells fold the most, then where names fold."""
    widths = [min(column.least, width) for column in columns]
    spare = width - sum(widths)
    while spare > 0:
        folds = [column.widest_cell / max(each, 1) for column, each in zip(columns, widths, strict=True)]
        if max(folds) <= 1:
            break
        widths[folds.index(max(folds))] += 1
        spare -= 1
    for n in sorted(range(len(columns)), key=lambda n: columns[n].widest - widths[n]):
        more = max(0, min(spare, columns[n].widest - widths[n]))
        widths[n] += more
        spare -= more
    return widths


def table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, caption: str = "", spared: Sequence[str] = ()
) -> FittedTable:
    """Return a table under its title; numbers are right-aligned, with thousands apart, and red below zero."""
    return FittedTable(title, columns, rows, caption, spared)


def escape_controls(text: str) -> str:
    """Return a text for a terminal: each character that is not printable, line feeds apart, as JSON escapes it.

    A stored text may hold C1 controls, by which it would steer the terminal, and marks of direction.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


def plain(value: Any) -> str:
    """Return a value inside a sentence or a cell of text: a dash for none, yes and no, a list with commas."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(plain, value)) if isinstance(value, list) else str(value)


SYNTHETIC = "Synthetic demand, at no site. "
"""The words before the title of a table of synthetic sites."""


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


def counted(count: int, thing: str) -> str:
    """Return a number of things in words: 1 event, 2 events."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def position_line(data: Path, answer: Mapping[str, Any]) -> Text:
    """Return the last complete day, the position and the head of an answer."""
    through, position = answer["complete_through"], f"position {answer['position']}, head {answer['head'][:16]}"
    if answer["recorded_by"] is not None:
        day, batches = answer["recorded_by"]["day"], answer["recorded_by"]["batches"]
        position = f"{batches} batches recorded by {day}, up to position {answer['position']}: no position is that day"
    lines = [f"complete through {through}, {position}"]
    if through is None:
        lines = [f"{position}; no day is complete yet: a source ends one with source.advanced (waferline advance)"]
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
    """Return the terminal, or a console that is wide enough for every table where there is none, and no COLUMNS."""
    if record:
        return Console(record=True, width=PICTURE_WIDTH)
    console = Console()
    return console if console.is_terminal or os.environ.get("COLUMNS") else Console(width=WIDTH)


def not_reported_line(suppliers: Sequence[str]) -> str:
    """Return the suppliers without lots in words; nothing for none."""
    return f"no lots are reported by {', '.join(suppliers)}: WIP, finished and starts leave them out" * bool(suppliers)


def save_picture(console: Console, path: Path, title: str) -> None:
    """Write the console's record as an SVG picture that loads nothing from another host."""
    svg = console.export_svg(title=title)
    path.write_text(re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL), encoding="utf-8")
