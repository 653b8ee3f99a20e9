"""Printing an answer: tables for a person, JSON or CSV for a script."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import typer
from rich.console import RenderableType

from services.operator.show.table import escape_controls, open_console
from shared.http.tabular import write_csv


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


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    typer.echo(json.dumps(value, indent=1))


def print_csv(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows as CSV in the form of the HTTP API; nothing for no rows."""
    if rows:
        text = write_csv(rows)
        sys.stdout.write(escape_controls(text.replace("\r\n", "\n")) if sys.stdout.isatty() else text)
