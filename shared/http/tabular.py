"""Rows as CSV (RFC 4180): one header, nested names with dots, no cell that a spreadsheet would run as a formula."""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from io import StringIO
from typing import Any, NamedTuple

import orjson

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_FORMULA_STARTS = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")  # the last four are fullwidth
_guard_inside = {
    # a spreadsheet of another locale splits at another delimiter, and at line ends inside its quotes
    own: re.compile(rf"""([{other}\t\r\n][ "']*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])""").sub
    for own, other in ((",", ";"), (";", ","))
}
_DECIMAL_COMMA = frozenset(
    ("bg", "ca", "cs", "da", "de", "el", "es", "et", "eu", "fi", "fr", "gl", "hr", "hu", "id", "is", "it", "lt", "lv",
     "nb", "nl", "nn", "no", "pl", "pt", "ro", "ru", "sk", "sl", "sr", "sv", "tr", "uk", "vi")
)  # fmt: skip
_DECIMAL_POINT = frozenset(("ar", "en", "fa", "ga", "he", "hi", "ja", "ko", "ms", "mt", "sw", "th", "zh"))
_POINT_WITH_COMMA = frozenset(f"es_{each}" for each in ("DO", "GT", "HN", "MX", "NI", "PA", "PE", "PR", "SV", "US"))
_POINT_WITH_SEMICOLON = frozenset(("de_CH", "de_LI", "it_CH"))


class UnknownLocale(ValueError):
    """A locale with no known delimiter."""


class CsvStyle(NamedTuple):
    """The form of CSV: by default that of RFC 4180, else that of a spreadsheet of some locale."""

    delimiter: str = ","
    decimal: str = "."
    mark: str = ""  # the byte order mark, by which a spreadsheet knows UTF-8


_PLAIN = CsvStyle()
CSV_STYLE: ContextVar[CsvStyle | None] = ContextVar("CSV_STYLE", default=None)
"""The form of CSV that the running command was asked for."""


def csv_style(locale: str) -> CsvStyle:
    """Return the CSV that a spreadsheet of a locale (de, de_DE, de-DE.UTF-8) opens as columns, with a byte order mark.

    Raises `UnknownLocale` for a language that is not known.
    """
    name = locale.partition(".")[0].replace("-", "_")
    language, _, territory = name.partition("_")
    language, name = language.lower(), f"{language.lower()}_{territory.upper()}"
    if name in _POINT_WITH_COMMA or language in _DECIMAL_POINT:
        return CsvStyle(",", ".", "\ufeff")
    if name in _POINT_WITH_SEMICOLON:
        return CsvStyle(";", ".", "\ufeff")
    if language in _DECIMAL_COMMA:
        return CsvStyle(";", ",", "\ufeff")
    known = ", ".join(sorted(_DECIMAL_COMMA | _DECIMAL_POINT))
    raise UnknownLocale(f"no delimiter is known for the locale {locale!r}; the languages known are {known}")


def write_csv(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = (), style: CsvStyle = _PLAIN) -> str:
    """Return rows as CSV, a header first; `columns` is the header where there is no row.

    A mapping becomes a column for each of its names, `cover.days`; a list is one cell, in JSON; None is an empty
    cell. A text that a spreadsheet would take for a formula gets an apostrophe before it, and so does a part of one
    that a spreadsheet of another locale would take for a cell.
    """
    chosen, flat = flatten_rows(rows, columns)
    text = StringIO()
    writer = csv.writer(text, delimiter=style.delimiter, lineterminator="\r\n")
    writer.writerow(_cell(name, style) for name in chosen)
    writer.writerows([_cell(value, style) for value in row] for row in flat)
    return style.mark + text.getvalue()


def flatten_rows(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> tuple[list[str], list[list[Any]]]:
    """Return the columns of some rows, nested names with dots, and the values of each row in their order."""
    flat = [dict(_flatten(row)) for row in rows]
    header = dict.fromkeys(name for row in flat for name in row) or dict.fromkeys(columns)
    nested = {name[:at] for name in header for at, letter in enumerate(name) if letter == "."}
    chosen = [name for name in header if name not in nested]  # one row has None where another has a mapping
    return chosen, [[row.get(name) for name in chosen] for row in flat]


def _flatten(row: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if isinstance(value, Mapping) and value:
            yield from _flatten(value, f"{before}{name}.")
        else:
            yield before + name, value


def _cell(value: Any, style: CsvStyle) -> str:
    if isinstance(value, str):
        value = _guard_inside[style.delimiter](r"\1'", value)
        return f"'{value}" if value.startswith(_FORMULA_STARTS) else value
    if value is None or value == {}:
        return ""
    if isinstance(value, float):
        return str(value).replace(".", style.decimal)
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if is_number else orjson.dumps(value).decode()
