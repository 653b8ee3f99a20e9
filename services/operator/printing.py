"""Printing an answer: tables for a person, JSON or CSV for a script."""

import csv
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import typer
from rich.console import RenderableType

from services.operator.tables import open_console


def print_answer(
    answer: Any, rows: Sequence[Mapping[str, Any]], tables: Iterable[RenderableType], *, json_: bool, csv_: bool
) -> None:
    """Print all of an answer as JSON, its rows as CSV, or the tables that show it, which are made only then."""
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
    """Print rows as RFC 4180 has it, under the names of all their columns; nothing of no rows.

    What is inside an object is named `outer.inner`; a list is no cell, and left out: JSON has it.
    """
    flat = [dict(_flatten(row)) for row in rows]
    columns = dict.fromkeys(name for row in flat for name in row)
    if columns:
        writer = csv.DictWriter(sys.stdout, fieldnames=list(columns))
        writer.writeheader()
        writer.writerows(flat)


def _flatten(row: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{name}.")
        elif not isinstance(value, list | tuple):
            yield prefix + name, json.dumps(value) if isinstance(value, bool) else value
