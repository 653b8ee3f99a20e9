"""CSV for the spreadsheet of a locale."""

import pytest

from shared.http.tabular import UnknownLocale, csv_style, write_csv

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


def test_a_language_that_is_not_known_is_refused():
    with pytest.raises(UnknownLocale, match="'tlh'"):
        csv_style("tlh")
