"""Each table of each page: every column sorts it and can be left out, on the page and in its files alike."""

import csv
import re
from html import unescape
from io import StringIO
from urllib.parse import parse_qsl, urlsplit

import pytest

from services.console.http.tables.choice import sort_rows
from testing.played import Played
from tests.unit.console.http.test_tables import PATHS, asked, get, played  # noqa: F401

find_tables = re.compile(r'<table\b[^>]*\bdata-rows="([^"]+)"[^>]*>(.*?)</table>', re.DOTALL).findall
find_heads = re.compile(r'<th\b[^>]*data-field="([^"]+)"[^>]*>(.*?)</th>', re.DOTALL).findall
WITHOUT_COLUMNS = {"days", "weeks of cover", "suppliers", "age by product"}  # days, weeks and products side by side


def heads_of(html: str) -> dict[str, dict[str, str]]:
    """Return the columns of each table, with the address that sorts by it; empty where it does not."""
    found: dict[str, dict[str, str]] = {}
    for name, inside in find_tables(html):
        for field, title in find_heads(inside):
            link = re.search(r'class="sort" href="([^"#]+)', title)
            found.setdefault(name, {})[field] = unescape(link[1]) if link else ""
    return found


def parts_of(html: str, table: str) -> list[list[str]]:
    """Return the rows, as text, of each table of that name."""
    parts = [inside.replace("<thead><tr>", "") for name, inside in find_tables(html) if name == table]
    rows = [re.findall(r"<tr(?! class)[^>]*>(.*?)</tr>", part, re.DOTALL) for part in parts]
    return [[re.sub(r"<[^>]+>", " ", row) for row in part] for part in rows]


def follow(played: Played, address: str, **more: str) -> str:  # noqa: F811
    parts = urlsplit(address)
    return get(played, parts.path, **dict(parse_qsl(parts.query)), **more).text


def records_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(text)))


@pytest.mark.parametrize("path", PATHS)
def test_each_column_of_a_table_sorts_its_rows_on_the_page_and_in_its_file(played, path):  # noqa: F811
    path, query = asked(path)
    page = get(played, path, **query).text
    for table, heads in heads_of(page).items():
        shown = [row for part in parts_of(page, table) for row in part]
        records = records_of(get(played, path, **query, format="csv", table=table).text)
        for field, address in heads.items():
            if address:
                found = records_of(follow(played, address, format="csv", table=table))
                assert_sorted(found, field.partition("~")[0], is_down=f":-{field}" in address)
                if len(shown) == len(records):  # else the page has lines, and the file their items
                    rows = [shown[records.index(record)] for record in found]
                    for part in parts_of(follow(played, address), table):  # sites by the kind of their declaration
                        assert part == [row for row in rows if row in part], field


def assert_sorted(records: list[dict[str, str]], name: str, *, is_down: bool) -> None:
    if name not in (records or [{}])[0]:
        return  # a list, or an empty table

    def value(cell: str) -> object:
        return float(cell) if re.fullmatch(r"-?\d+(\.\d+)?", cell) else cell or None

    typed = [{name: value(row[name]), "synthetic": row.get("synthetic") == "true"} for row in records]
    assert sort_rows(typed, f"-{name}" if is_down else name) == typed


@pytest.mark.parametrize("path", PATHS)
def test_a_column_that_is_left_out_is_neither_on_the_page_nor_in_its_file(played, path):  # noqa: F811
    path, query = asked(path)
    for table, heads in heads_of(get(played, path, **query).text).items():
        fields = list(heads)[1:]
        columns = f"{table}:" + ",".join(fields)
        assert list(heads_of(get(played, path, **query, columns=columns).text)[table]) == fields
        file = get(played, path, **query, columns=columns, format="csv", table=table).text
        header = {name.partition(".")[0] for name in next(csv.reader(StringIO(file)))}
        assert header <= {each.partition(".")[0] for field in fields for each in field.split("~")}
        assert len(header) < len(records_of(get(played, path, **query, format="csv", table=table).text)[0])


@pytest.mark.parametrize("path", PATHS)
def test_each_table_of_a_page_has_columns_to_choose(played, path):  # noqa: F811
    path, query = asked(path)
    page = get(played, path, **query).text

    assert {name for name, _ in find_tables(page)} - WITHOUT_COLUMNS == heads_of(page).keys()
