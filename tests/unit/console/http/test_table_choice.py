"""The choice of columns and order in an address, and the rows and cells that follow it."""

import re
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.console.http.address import Filters
from services.console.http.tables.choice import (
    TableChoice,
    address_of_form,
    choose_columns,
    read_choices,
    sort_rows,
    sort_tables,
    write_choices,
)
from services.console.http.tables.layout import arrange_tables

words = st.from_regex("[a-z_]{1,8}", fullmatch=True)
columns = st.lists(words, max_size=4, unique=True).map(tuple)
orders = st.one_of(st.just(""), words, words.map("-".__add__))
choices = st.builds(TableChoice, columns, orders)
values = st.one_of(st.none(), st.integers(-5, 5), st.sampled_from(["a", "B", ""]))


@given(st.dictionaries(words, choices.filter(any), max_size=3))
def test_an_address_holds_the_choice_of_each_table(by_table):
    assert read_choices(**write_choices(by_table)) == by_table


@given(st.lists(st.fixed_dictionaries({"n": values, "at": st.integers()})), st.booleans())
def test_rows_are_in_order_those_without_a_value_last_and_equal_ones_as_before(rows, is_down):
    found = sort_rows(rows, "-n" if is_down else "n")

    known = [row["n"] for row in found if row["n"] not in (None, "")]
    numbers, texts = ([each for each in known if isinstance(each, kind)] for kind in (int, str))
    in_order = sorted(numbers) + sorted(texts)
    assert known == (sorted(texts, reverse=True) + sorted(numbers, reverse=True) if is_down else in_order)
    assert all(row["n"] in (None, "") for row in found[len(known) :])
    for value in {*known}:
        assert [row for row in found if row["n"] == value] == [row for row in rows if row["n"] == value]


def test_a_grade_counts_by_its_rank_a_list_by_its_length_and_synthetic_sites_stay_apart():
    grades = [{"firmness": each} for each in ("immediate", "planned", "firm")]
    lists = [{"phases": [1, 2]}, {"phases": []}, {"phases": [1]}]
    sites = [{"mw": 9, "synthetic": True}, {"mw": 1, "synthetic": False}, {"mw": 5, "synthetic": False}]

    assert [row["firmness"] for row in sort_rows(grades, "firmness")] == ["planned", "firm", "immediate"]
    assert [len(row["phases"]) for row in sort_rows(lists, "-phases")] == [2, 1, 0]
    assert [row["mw"] for row in sort_rows(sites, "-mw")] == [5, 1, 9]
    assert [row["gap"]["wafers"] for row in sort_rows([{"gap": {"wafers": n}} for n in (2, 1)], "gap.wafers")] == [1, 2]


def test_files_have_the_chosen_columns_and_all_where_none_is_known():
    tables = {"lines": [{"due": "2026-05-01", "site": "A", "gap": {"wafers": 3, "day": None}}]}

    assert choose_columns(tables, read_choices("lines:gap,due", ""))["lines"] == [
        {"gap.wafers": 3, "gap.day": None, "due": "2026-05-01"}
    ]
    assert choose_columns(tables, read_choices("lines:site~due", ""))["lines"] == [{"site": "A", "due": "2026-05-01"}]
    assert choose_columns(tables, read_choices("lines:nothing;orders:due", "")) == tables


def test_a_page_and_its_files_are_sorted_by_the_same_list():
    rows = [{"n": 1}, {"n": 2}]

    sort_tables({"lines": rows}, read_choices("", "lines:-n"))

    assert rows == [{"n": 2}, {"n": 1}]


def test_what_a_form_sends_becomes_the_one_address_of_that_choice():
    sent = [("product", "HBM4-12H"), ("columns", "orders:line"), ("columns", "lines:due"), ("columns", "lines:site")]

    moved = address_of_form("/lines", sent)

    assert moved == "/lines?product=HBM4-12H&columns=orders:line;lines:due,site"
    assert address_of_form("/lines", parse_qsl(urlsplit(moved).query)) is None


PAGE = (
    '<p>before</p><div class="scroll"><table data-rows="t"><thead><tr><th data-field="a">A</th>'
    '<th data-field="b~c" class="n">B</th><th data-field="d" data-unsorted>D</th><th>fixed</th></tr></thead>'
    '<tbody><tr class="part"><th colspan="4">all</th></tr>'
    '<tr><td rowspan="2">a1</td><td class="n">b1</td><td>d1</td><td>f1</td></tr>'
    '<tr><td class="n">b2</td><td>d2</td><td>f2</td></tr>'
    '<tr><td>a3</td><td colspan="2">b3 and d3</td><td>f3</td></tr></tbody></table></div><p>after</p>'
)


def cells(html: str) -> list[list[str]]:
    body = html.partition("<tbody>")[2].partition("</tbody>")[0]
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in body.split("<tr")[1:]]


@pytest.mark.parametrize(
    ("columns", "shown"),
    [
        ("t:a,b~c,d", [["all"], ["a1", "b1", "d1", "f1"], ["b2", "d2", "f2"], ["a3", "b3 and d3", "f3"]]),
        ("t:b~c", [["all"], ["b1", "f1"], ["b2", "f2"], ["b3 and d3", "f3"]]),
        ("t:a", [["all"], ["a1", "f1"], ["f2"], ["a3", "f3"]]),
        ("t:d,a", [["all"], ["a1", "d1", "f1"], ["d2", "f2"], ["a3", "b3 and d3", "f3"]]),
    ],
)
def test_columns_that_are_left_out_take_their_cells_along(columns, shown):
    html = arrange_tables(PAGE, "/", Filters(columns=columns))

    assert cells(html) == shown
    assert html.startswith("<p>before</p>")
    assert html.endswith("<p>after</p>")
    assert f'colspan="{len(columns.split(",")) + 1}"' in html


def test_a_head_sorts_one_way_then_the_other_then_not_and_a_number_begins_with_the_greatest():
    def link(title: str, sort: str) -> str:
        html = arrange_tables(PAGE, "/lines", Filters(product="P", as_of="7", sort=sort, offset="50"))
        [href] = re.findall(rf'<a class="sort" href="([^"]+)">{title}</a>', html)
        return href.replace("&amp;", "&")

    assert link("A", "") == "/lines?product=P&as_of=7&sort=t:a#table-t"
    assert link("A", "t:a") == "/lines?product=P&as_of=7&sort=t:-a#table-t"
    assert link("A", "t:-a") == "/lines?product=P&as_of=7#table-t"
    assert "sort=t:-b~c#" in link("B", "t:a")
    assert "sort=other:x;t:a#" in link("A", "other:x")
    html = arrange_tables(PAGE, "/lines", Filters(sort="t:-a"))
    assert '<th data-field="a" aria-sort="descending">' in html
    assert ">D</a>" not in html


@pytest.mark.parametrize("address", [{"sort": "t:nothing"}, {"columns": "t:nothing"}, {"sort": "t:d"}])
def test_a_column_that_is_not_there_changes_nothing(address):
    html = arrange_tables(PAGE, "/", Filters(**address))

    assert cells(html) == cells(PAGE)
    assert "aria-sort" not in html


def test_the_form_of_columns_keeps_the_rest_of_the_address():
    html = arrange_tables(PAGE, "/lines", Filters(site="<S>", columns="t:a;other:x", sort="t:a", after="9"))

    hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]+)"', html))
    assert hidden == {"site": "&lt;S&gt;", "columns": "other:x", "sort": "t:a"}
    assert re.findall(r'name="columns" value="(t:[^"]+)"( checked)?', html) == [
        ("t:a", " checked"),
        ("t:b~c", ""),
        ("t:d", ""),
    ]
    assert "Columns (1 of 3)" in html
