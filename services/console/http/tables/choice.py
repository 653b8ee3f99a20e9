"""The choice of a visitor for the tables of a page, as the address holds it: columns, and the order of the rows.

`columns=lines:due,site;orders:line` names the columns of two tables, `sort=lines:-wafers` the order of one: by wafers,
the greatest first. A column has the name of its field in the rows; `next_due_day~next_due` shows two of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple
from urllib.parse import urlencode

from services.console.http.address import LEGIBLE
from shared.http.tabular import flatten_rows
from shared.wire.firmness import FIRMNESS

BETWEEN_FIELDS = "~"
_PARAMETERS = ("columns", "sort")

Rows = Sequence[Mapping[str, Any]]


class TableChoice(NamedTuple):
    """The columns of a table, none: all; and the column that orders its rows, after `-` the greatest first."""

    columns: tuple[str, ...] = ()
    sort: str = ""


def read_choices(columns: str, sort: str) -> dict[str, TableChoice]:
    """Return the choice of each table that an address names."""
    shown = {table: tuple(filter(None, text.split(","))) for table, text in _parts(columns)}
    order = dict(_parts(sort))
    return {table: TableChoice(shown.get(table, ()), order.get(table, "")) for table in shown | order}


def write_choices(choices: Mapping[str, TableChoice]) -> dict[str, str]:
    """Return the parameters of an address for the choices of all tables."""
    columns = {table: ",".join(choice.columns) for table, choice in choices.items()}
    return {"columns": _join(columns), "sort": _join({table: choice.sort for table, choice in choices.items()})}


def address_of_form(path: str, query: Iterable[tuple[str, str]]) -> str | None:
    """Return the address of the columns that a form sends, a parameter for each; None where the query is none of it."""
    given = [(name, value) for name, value in query if value]
    names = [name for name, _ in given]
    if all(names.count(name) < 2 for name in _PARAMETERS):
        return None
    chosen: dict[str, dict[str, list[str]]] = {name: {} for name in _PARAMETERS}
    for name, value in given:
        for table, text in _parts(value) if name in chosen else ():
            chosen[name].setdefault(table, []).append(text)
    kept = {name: value for name, value in given if name not in chosen}
    joined = {name: _join({table: ",".join(texts) for table, texts in each.items()}) for name, each in chosen.items()}
    return f"{path}?{urlencode(kept | {name: text for name, text in joined.items() if text}, safe=LEGIBLE)}"


def sort_rows(rows: Rows, sort: str) -> list[Mapping[str, Any]]:
    """Return rows in an order; those without a value come last, those with the same one in the order as before.

    A list counts by its length, a grade of firmness by its rank, all else as it is. Rows of synthetic sites stay apart,
    behind all others.
    """
    field = sort.removeprefix("-").partition(BETWEEN_FIELDS)[0]
    valued: list[tuple[Any, Mapping[str, Any]]] = [(_value_of(row, field), row) for row in rows]
    with_value = sorted(
        (pair for pair in valued if pair[0] is not None), key=itemgetter(0), reverse=sort.startswith("-")
    )
    found = [row for _, row in with_value] + [row for value, row in valued if value is None]
    return sorted(found, key=lambda row: row.get("synthetic") is True)


def sort_tables(tables: Mapping[str, Rows], choices: Mapping[str, TableChoice]) -> None:
    """Sort the rows of each table by its choice, in place: the template of the page has the same lists."""
    for name, choice in choices.items():
        rows = tables.get(name)
        if choice.sort and isinstance(rows, list):
            rows[:] = sort_rows(rows, choice.sort)


def choose_columns(tables: Mapping[str, Rows], choices: Mapping[str, TableChoice]) -> dict[str, Rows]:
    """Return the rows of each table with its chosen columns alone; with all where none of them is known."""
    return {name: _with_columns(rows, choices.get(name, TableChoice()).columns) for name, rows in tables.items()}


def _with_columns(rows: Rows, columns: Sequence[str]) -> Rows:
    header, values = flatten_rows(rows) if columns else ([], [])
    fields = [field for column in columns for field in column.split(BETWEEN_FIELDS)]
    found = [n for field in fields for n, name in enumerate(header) if name == field or name.startswith(field + ".")]
    places = list(dict.fromkeys(found))
    return [{header[n]: row[n] for n in places} for row in values] if places else rows


def _value_of(row: Mapping[str, Any], field: str) -> tuple[int, Any] | None:
    """Return a value of a row that orders it; a number comes before a text."""
    value: Any = row
    for name in field.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    if value in FIRMNESS:
        value = FIRMNESS.index(value)
    if isinstance(value, list | tuple | Mapping):
        value = len(value)
    if value is None or value == "":
        return None
    return (0, value) if isinstance(value, int | float) else (1, str(value))


def _parts(text: str) -> list[tuple[str, str]]:
    pairs = (part.partition(":") for part in text.split(";"))
    return [(table.strip(), chosen.strip()) for table, _, chosen in pairs if chosen.strip()]


def _join(by_table: Mapping[str, str]) -> str:
    return ";".join(f"{table}:{text}" for table, text in by_table.items() if text)
