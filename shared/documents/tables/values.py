"""Days, weeks, months and numbers as planners write them: read exactly, or refused with the reason; never guessed."""

import re
from calendar import monthrange
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Literal, NamedTuple, TypeAlias

from shared.documents.problems import ProblemCode

DateOrder = Literal["DMY", "MDY", "ISO"]
_DAY_LETTERS = 40
_SPACES = re.compile("[\u00a0\u2000-\u200a\u202f\u205f\u3000]")  # that no line breaks, and that a keyboard types unseen
DIGITS_MAX = 30
"""Digits of a number: more is no quantity, and Python reads thousands of them slowly."""


class CellFault(NamedTuple):
    """A cell without a value that could be read."""

    code: ProblemCode
    reason: str


Cell: TypeAlias = "str | int | Decimal | bool | date | timedelta | CellFault | None"
"""The value of a cell: `datetime` is a `date`, too."""


class Misread(Exception):
    """A value cannot be read; has the problem's code and the reason."""

    def __init__(self, code: ProblemCode, reason: str) -> None:
        self.code: ProblemCode = code
        self.reason = reason
        super().__init__(reason)


class Bucket(NamedTuple):
    """A day, or the days of a week or a month."""

    first: date
    last: date
    order: DateOrder | None = None  # of day and month, where the value itself was the only evidence


def shown(value: object) -> str:
    """Return a value for a message: short, and on one line."""
    text = str(value)
    text = text if text.isprintable() else ascii(text)[1:-1]
    return repr(text if len(text) <= 40 else text[:37] + "...")


# ---------------------------------------------------------------- days

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january januar", "feb february februar", "mar march märz mär mrz", "apr april", "may mai",
            "jun june juni", "jul july juli", "aug august", "sep sept september", "oct october okt oktober",
            "nov november", "dec december dez dezember",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip

_is_iso_day = re.compile(r"(?a)(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ]00:00(?::00(?:\.0+)?)?)?").fullmatch
_is_week = re.compile(
    r"(?ai)(?:(\d{4})[-/ ]?(?:kw|cw|wk|w|week)[-/ ]?(\d{1,2})|(?:kw|cw|wk|w|week)[-/ ]?(\d{1,2})[-/ ](\d{4}))"
).fullmatch
_is_month = re.compile(r"(?a)(?:(\d{4})[-/.](\d{1,2})|(\d{1,2})[-/.](\d{4}))").fullmatch
_is_named_month = re.compile(r"([^\W\d]+)\.?[-/ ]+(\d{4})|(\d{4})[-/ ]+([^\W\d]+)\.?").fullmatch
_is_named_day = re.compile(
    r"(\d{1,2})\.?[-/ ]+([^\W\d]+)\.?,?[-/ ]+(\d{4})|([^\W\d]+)\.?[-/ ]+(\d{1,2}),?[-/ ]+(\d{4})"
).fullmatch
_is_numbers = re.compile(r"(?a)(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d{2})").fullmatch
_is_part_of_a_day = re.compile(
    r"(?ai)(?:kw|cw|wk|w|week)[-/ ]?\d{1,2}|(?:fy|cy)?[-/ ]?\d{4}|\d{1,2}[./]\d{1,2}\.?"
    r"|(?:q[1-4]|h[12])(?:[-/ ]?(?:\d{2}){1,2})?|(?:\d{2}){1,2}[-/ ]?(?:q[1-4]|h[12])"
).fullmatch
_is_short_month = re.compile(r"([^\W\d]+)\.?(?:[-/ ']*\d{1,2})?|\d{1,2}\.?[-/ ]*([^\W\d]+)\.?").fullmatch


def read_bucket(value: Cell, dates: DateOrder | None) -> Bucket:
    """Return the day, week or month of a cell; raise `Misread` if it is none, or if day and month are ambiguous."""
    bucket = find_bucket(value, dates)
    if bucket is None:
        raise Misread("bad_day", f"{shown(value)} is no day, week or month: write YYYY-MM-DD")
    return bucket


def find_bucket(value: Cell, dates: DateOrder | None) -> Bucket | None:
    """Return the day, week or month of a cell, None if it speaks of none.

    Raises `Misread` where it speaks of one that cannot be told: day and month are ambiguous, the year is missing, the
    calendar has no such day, or a number lacks the format of a date.
    """
    if isinstance(value, CellFault):
        raise Misread(value.code, value.reason)
    if isinstance(value, datetime):
        value = value.date()
    if isinstance(value, date):
        return Bucket(value, value)
    if isinstance(value, bool):
        return None
    if not isinstance(value, str):
        raise Misread("bad_day", f"{shown(value)} is a number: give the cell the format of a date")
    text = " ".join(value.split())
    if len(text) > _DAY_LETTERS or not text.isprintable():
        return None
    try:
        bucket = _text_bucket(text, dates)
    except (ValueError, OverflowError):
        raise Misread("bad_day", f"{shown(text)} is no day of the calendar") from None
    if bucket is None and _lacks_year(text):
        raise Misread("ambiguous_day", f"{shown(text)} names no whole day, week or month: write it with four digits of"
                      " the year, as 2026-07-15, 2026-W29 or 2026-07")  # fmt: skip
    return bucket


def _lacks_year(text: str) -> bool:
    """Whether a text is a month or a week without its year, or a quarter, a half or a year."""
    if _is_part_of_a_day(text):
        return True
    found = _is_short_month(text)
    return found is not None and (found[1] or found[2]).casefold() in _MONTHS


def _text_bucket(text: str, dates: DateOrder | None) -> Bucket | None:
    if found := _is_iso_day(text):
        return _day(*map(int, found.groups()))
    if found := _is_week(text):
        year, week, week_2, year_2 = found.groups()
        monday = date.fromisocalendar(int(year or year_2), int(week or week_2), 1)
        return Bucket(monday, monday + timedelta(days=6))
    if found := _is_month(text):
        year, month, month_2, year_2 = found.groups()
        return _month(int(year or year_2), int(month or month_2))
    if found := _is_named_month(text):
        name, year, year_2, name_2 = found.groups()
        number = _MONTHS.get((name or name_2).casefold())
        return _month(int(year or year_2), number) if number else None
    if found := _is_named_day(text):
        day, name, year, name_2, day_2, year_2 = found.groups()
        number = _MONTHS.get((name or name_2).casefold())
        return _day(int(year or year_2), number, int(day or day_2)) if number else None
    if found := _is_numbers(text):
        return _numeric_day(int(found[1]), int(found[3]), found[4], text, dates)
    return None


def _numeric_day(first: int, second: int, year: str, text: str, dates: DateOrder | None) -> Bucket:
    """Return the day of two numbers and a year; without `dates` only where one of them can be no month."""
    if dates == "ISO":
        raise Misread("bad_day", f"{shown(text)} is not written YYYY-MM-DD, as the profile says")
    if len(year) == 2 and dates is None:
        raise Misread("ambiguous_day", f"{shown(text)} has a year of two digits: set `dates` in the profile")
    whole_year = int(year) if len(year) == 4 else int(year) + (2000 if int(year) < 70 else 1900)
    order = dates
    if order is None:
        if first <= 12 and second <= 12 and first != second:
            raise Misread(
                "ambiguous_day", f"{shown(text)} is a day of month {first} or of month {second}: set `dates` in the"
                " profile to DMY or MDY, or write YYYY-MM-DD",
            )  # fmt: skip
        order = "MDY" if second > 12 else "DMY" if first > 12 else None
    day, month = (second, first) if order == "MDY" else (first, second)
    return _day(whole_year, month, day)._replace(order=None if dates else order)


def _day(year: int, month: int, day: int) -> Bucket:
    the_day = date(year, month, day)
    return Bucket(the_day, the_day)


def _month(year: int, month: int) -> Bucket:
    first = date(year, month, 1)
    return Bucket(first, first.replace(day=monthrange(year, month)[1]))


# ---------------------------------------------------------------- numbers

_BLANKS = str.maketrans("", "", " \u00a0\u202f\u2009'\u2019")
_is_plain = re.compile(r"(?a)[+-]?\d+").fullmatch
_is_grouped = {
    mark: re.compile(rf"(?a)[+-]?(?:\d+|\d{{1,3}}(?:{re.escape(other)}\d{{3}})+)(?:{re.escape(mark)}\d+)?").fullmatch
    for mark, other in ((".", ","), (",", "."))
}
_is_blank_grouped = re.compile(r"(?a)[+-]?\d{1,3}(?:[ \u00a0\u202f\u2009'\u2019]\d{3})+(?:[.,]\d+)?").fullmatch


def read_number(value: Cell, decimal: str | None) -> Decimal:
    """Return the number of a cell, exactly as written; raise `Misread` if it is none.

    `decimal` is the mark of the profile. Without it a text such as `1.200` is refused, as it could be either number.
    """
    if isinstance(value, CellFault):
        raise Misread(value.code, value.reason)
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise Misread("bad_number", f"{shown(value)} is no number")
    if isinstance(value, int | Decimal):
        number = Decimal(value)
        if not number.is_finite() or abs(number.adjusted()) > DIGITS_MAX:
            raise Misread("out_of_bounds", f"{shown(value)} is beyond every bound")
        return number
    text = value.strip()
    if len(text) > DIGITS_MAX:
        raise Misread("bad_number", f"{shown(text)} is no number of at most {DIGITS_MAX} digits")
    if _is_blank_grouped(text):
        text = text.translate(_BLANKS)
    if _is_plain(text):
        return Decimal(text)
    readings = {
        mark: Decimal(_dotted(text, mark)) for mark in ([decimal] if decimal else ".,") if _is_grouped[mark](text)
    }
    if len(set(readings.values())) > 1:
        raise Misread("bad_number", f"{shown(text)} could be two numbers: set `decimal` in the profile to '.' or ','")
    if not readings:
        raise Misread("bad_number", f"{shown(text)} is no number")
    return next(iter(readings.values()))


def _dotted(text: str, mark: str) -> str:
    return text.replace("," if mark == "." else ".", "").replace(mark, ".")


def read_whole(value: Cell, decimal: str | None) -> int:
    """Return the whole number of a cell; raise `Misread` if it is none."""
    number = read_number(value, decimal)
    if number != number.to_integral_value():
        raise Misread("fraction", f"{shown(value)} is no whole number")
    return int(number)


def read_text(value: Cell) -> str:
    """Return the text of a cell, without blanks at its ends; a number as it is written; raise `Misread` otherwise."""
    if isinstance(value, CellFault):
        raise Misread(value.code, value.reason)
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise Misread("bad_text", f"{shown(value)} is no text")
    if isinstance(value, Decimal):
        if not value.is_finite() or abs(value.adjusted()) > DIGITS_MAX:
            raise Misread("bad_text", f"{shown(value)} is no text")
        return format(value, "f")
    text = str(value).strip()
    return text if text.isprintable() else _SPACES.sub(" ", text)
