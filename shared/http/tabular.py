"""Rows as CSV (RFC 4180): one header, nested names with dots, no cell that a spreadsheet would run as a formula."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from typing import Any

import orjson

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def write_csv(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> str:
    """Return rows as CSV, a header first; `columns` is the header where there is no row.

    A mapping becomes a column for each of its names, `cover.days`; a list is one cell, in JSON; None is an empty
    cell. A text that a spreadsheet would take for a formula gets an apostrophe before it.
    """
    flat = [dict(_flatten(row)) for row in rows]
    header = dict.fromkeys(name for row in flat for name in row) or dict.fromkeys(columns)
    nested = {name[:at] for name in header for at, letter in enumerate(name) if letter == "."}
    chosen = [name for name in header if name not in nested]  # one row has None where another has a mapping
    text = StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(map(_cell, chosen))
    writer.writerows([_cell(row.get(name)) for name in chosen] for row in flat)
    return text.getvalue()


def _flatten(row: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if isinstance(value, Mapping) and value:
            yield from _flatten(value, f"{before}{name}.")
        else:
            yield before + name, value


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA_STARTS) else value
    if value is None or value == {}:
        return ""
    return (
        str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else orjson.dumps(value).decode()
    )
