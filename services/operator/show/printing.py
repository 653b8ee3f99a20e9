"""Printing an answer: tables for a person, JSON or CSV for a script; and the progress bar of a long command."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console, RenderableType
from rich.text import Text

from services.operator.show.table import FittedTable, escape_controls, open_console
from shared.http.tabular import CSV_STYLE, CsvStyle, write_csv

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from shared.http.workbook import ViewSheet


def print_answer(
    answer: Any, rows: Sequence[Mapping[str, Any]], tables: Iterable[RenderableType], *, json_: bool, csv_: bool
) -> None:
    """Print an answer as JSON, its rows as CSV, or its tables, which are built only then."""
    if json_ and csv_:
        raise typer.BadParameter("choose one of them", param_hint="--json, --csv")
    if json_:
        print_json(answer)
    elif csv_:
        print_csv(rows)
    else:
        console = open_console()
        for each in tables:
            console.print(each)


def table_sheets(tables: Iterable[RenderableType]) -> "list[ViewSheet]":
    """Return tables as the sheets of a workbook, and their titles, captions and the texts between them as the last."""
    from shared.http.workbook import ViewSheet  # noqa: PLC0415 (the library loads slowly)

    sheets, about = [], []
    for each in tables:
        if isinstance(each, FittedTable):
            sheets.append(ViewSheet(each.title, each.columns, each.rows))
            about += [(each.title, line) for line in each.caption.rstrip("\n").split("\n")]
        elif isinstance(each, Text):
            about += [("", line) for line in each.plain.split("\n") if line]
    return [*sheets, ViewSheet("About", ("sheet", "notes"), about)]


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    typer.echo(json.dumps(value, indent=1))


def print_csv(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows as CSV in the form of the HTTP API, or of the locale asked for; nothing for no rows.

    A file or a pipe gets UTF-8, also with another encoding of the terminal: no name is lost.
    """
    if not rows:
        return
    text = write_csv(rows, style=CSV_STYLE.get() or CsvStyle())
    if sys.stdout.isatty():
        sys.stdout.write(escape_controls(text.replace("\r\n", "\n")))
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode())
        sys.stdout.buffer.flush()


@contextmanager
def progress_bar(console: Console, description: str, total: float) -> Iterator["tuple[Progress, TaskID]"]:
    """Show a progress bar; yield it with its task."""
    from rich.progress import (  # noqa: PLC0415 (tables need none)
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    progress = Progress(
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TextColumn("left:"),
        TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal,
    )  # fmt: skip
    with progress:
        yield progress, progress.add_task(description, total=total)
