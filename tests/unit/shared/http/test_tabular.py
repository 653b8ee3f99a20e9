"""CSV for the spreadsheet of a locale."""

import csv
import re
from io import StringIO

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.http.tabular import CsvStyle, UnknownLocale, csv_style, write_csv

ROWS = [{"site": "São Paulo", "cover": 1.5, "wafers": 1200}]


@pytest.mark.parametrize(
    ("locale", "line"),
    [
        ("de_DE", "São Paulo;1,5;1200"), ("fr", "São Paulo;1,5;1200"), ("de-CH", "São Paulo;1.5;1200"),
        ("en_US.UTF-8", "São Paulo,1.5,1200"), ("es_MX", "São Paulo,1.5,1200"), ("ko_KR", "São Paulo,1.5,1200"),
    ],
)  # fmt: skip
def test_a_locale_has_its_delimiter_and_decimal_mark(locale, line):
    [header, row, end] = write_csv(ROWS, style=csv_style(locale)).split("\r\n")

    assert header.startswith("\ufeff")
    assert (row, end) == (line, "")


def test_without_a_locale_it_is_csv_of_rfc_4180():
    assert write_csv(ROWS) == "site,cover,wafers\r\nSão Paulo,1.5,1200\r\n"


FORMULAS = "=+-@\uff1d\uff0b\uff0d\uff20"


@given(st.text(st.sampled_from("ab=+-@;,|\t\r\n\"' \uff1d"), max_size=12), st.sampled_from(["", "de_DE"]))
@example(text="x;=cmd|' /c calc'!A0;", locale="")
@example(text="x,=cmd|' /c calc'!A0,", locale="de_DE")
@example(text="x\n=1+1", locale="")
def test_no_cell_is_a_formula_whatever_the_locale_of_the_spreadsheet(text, locale):
    """Quotes of another delimiter do not hold a text together."""
    style = csv_style(locale) if locale else CsvStyle()
    _, written = write_csv([{"reason": text}], style=style).split("\r\n", 1)

    [own] = next(csv.reader(StringIO(written, newline=""), delimiter=style.delimiter), [""]) or [""]
    assert own[:1] not in tuple(FORMULAS)
    other = ";" if style.delimiter == "," else ","
    for part in re.split(rf"[{other}\t\r\n]", written)[1:]:
        assert part.lstrip(' "')[:1] not in tuple(FORMULAS)


def test_a_language_that_is_not_known_is_refused():
    with pytest.raises(UnknownLocale, match="'tlh'"):
        csv_style("tlh")
