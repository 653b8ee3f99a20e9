"""Tables of a rendered page in the chosen form: links that sort, columns left out, and the form that chooses them.

A template takes part by the heads of its columns: `data-field` names the field of the rows that a column shows, so that
the files of the page follow the same choice. `data-unsorted` is a column of a page without all rows at once.
"""

import re
from typing import NamedTuple

from markupsafe import Markup, escape

from services.console.http.address import Filters
from services.console.http.tables.choice import TableChoice, read_choices, write_choices

_find_tables = re.compile(r'(<table\b[^>]*\bdata-rows="([^"]+)"[^>]*>)(.*?)(</table>(?:</div>)?)', re.DOTALL)
_find_rows = re.compile(r"(<tr\b[^>]*>)(.*?)(</tr>)", re.DOTALL)
_find_cells = re.compile(r"<(t[hd])\b([^>]*)>(.*?)</\1>", re.DOTALL)
_find_spans = re.compile(r'(col|row)span="(\d+)"')
_find_id = re.compile(r'\sid="([^"]+)"')
_field_of = re.compile(r'\bdata-field="([^"]+)"').search
_drop_tags = re.compile(r"<[^>]+>").sub
_NAMED = {"site", "supplier", "source"}  # shown by their declared names
_not_in_ids = re.compile(r"[^a-z0-9]+").sub


class PageColumn(NamedTuple):
    """A column as its head states it."""

    field: str  # empty: it can be neither left out nor sorted by
    title: str
    is_sorted: bool  # can be
    is_number: bool


def arrange_tables(html: str, path: str, filters: Filters) -> str:
    """Return a page with the columns of each table that its address chooses, each with the form to choose others."""
    choices = read_choices(filters.columns, filters.sort)
    placed = set[str]()

    def arrange(found: re.Match[str]) -> str:
        begin, name, inside, end = found.groups()
        head, rest = inside.partition("</thead>")[::2]
        columns = _columns(head)
        if not any(column.field for column in columns):
            return found[0]
        choice = _choice_among(columns, choices.get(name, TableChoice()))
        given_id = _find_id.search(begin)
        anchor = given_id[1] if given_id else f"table-{_not_in_ids('-', name.lower())}"
        is_first = name not in placed
        placed.add(name)
        if given_id is None and is_first:
            begin = begin.replace("<table", f'<table id="{anchor}"', 1)
        table = _TableOfPage(name, path, filters, anchor)
        inside = f"{_sorting(head, columns, table, choice)}</thead>{rest}"
        left_out = {n for n, each in enumerate(columns) if each.field and each.field not in choice.columns}
        if choice.columns and left_out:
            inside = _without(inside, left_out, len(columns))
        return begin + inside + end + (_form(columns, table, choice) if is_first else "")

    return _find_tables.sub(arrange, html)


class _TableOfPage(NamedTuple):
    """A table of a page, and the addresses of that page with another choice for it."""

    name: str
    path: str
    filters: Filters
    anchor: str

    def address(self, choice: TableChoice) -> str:
        choices = read_choices(self.filters.columns, self.filters.sort) | {self.name: choice}
        return self.filters.anew(self.path, **write_choices(choices)) + f"#{self.anchor}"

    def hidden(self) -> dict[str, str]:
        """Return the fields of a form that keep all of the address but the columns of this table."""
        choices = read_choices(self.filters.columns, self.filters.sort)
        own = choices.get(self.name, TableChoice())._replace(columns=())
        kept = vars(self.filters) | {"offset": "", "after": ""} | write_choices(choices | {self.name: own})
        return {name: value for name, value in kept.items() if value}


def _columns(head: str) -> list[PageColumn]:
    cells = [(cell[2], cell[3]) for cell in _find_cells.finditer(head)]
    return [
        PageColumn(
            field[1] if (field := _field_of(attributes)) else "",
            _drop_tags("", title),
            is_sorted="data-unsorted" not in attributes,
            is_number='class="n"' in attributes,
        )
        for attributes, title in cells
    ]


def _choice_among(columns: list[PageColumn], choice: TableChoice) -> TableChoice:
    """Return the part of a choice that names columns of the table."""
    fields = {column.field for column in columns if column.field}
    by = choice.sort.removeprefix("-")
    is_known = any(column.field == by and column.is_sorted for column in columns)
    return TableChoice(tuple(name for name in choice.columns if name in fields), choice.sort if is_known else "")


def _sorting(head: str, columns: list[PageColumn], table: _TableOfPage, choice: TableChoice) -> str:
    """Return the head with a link in each cell that its column sorts by: one way, the other way, not at all."""
    following = iter(columns)

    def link(found: re.Match[str]) -> str:
        column, (tag, attributes, title) = next(following), found.groups()
        if not column.field or not column.is_sorted:
            return found[0]
        ways = [f"-{column.field}", column.field] if column.is_number else [column.field, f"-{column.field}"]
        at = ways.index(choice.sort) if choice.sort in ways else -1
        order = f' aria-sort="{_order_of(choice.sort)}"' if at >= 0 else ""
        address = escape(table.address(choice._replace(sort=ways[at + 1] if at < 1 else "")))
        hint = ' title="by the id"' if column.field in _NAMED else ""
        return f'<{tag}{attributes}{order}><a class="sort" href="{address}"{hint}>{title}</a></{tag}>'

    return _find_cells.sub(link, head)


def _order_of(sort: str) -> str:
    return "descending" if sort.startswith("-") else "ascending"


def _without(inside: str, left_out: set[int], width: int) -> str:
    """Return the rows of a table without some of its columns; a cell over several columns or rows keeps its place."""
    covered = [0] * width  # rows below that a cell of each column reaches into

    def shorten(row: re.Match[str]) -> str:
        at = 0

        def cut(found: re.Match[str]) -> str:
            nonlocal at
            tag, attributes, content = found.groups()
            at = _skip(covered, at)
            spans = {kind: int(count) for kind, count in _find_spans.findall(attributes)}
            places = range(at, min(at + spans.get("col", 1), width))
            at += len(places)
            for place in places:
                covered[place] = spans.get("row", 1) - 1
            kept = len(places) - len(left_out.intersection(places))
            if "col" in spans:
                attributes = _find_spans.sub(
                    lambda span: f'colspan="{kept}"' if span[1] == "col" else span[0], attributes
                )
            return f"<{tag}{attributes}>{content}</{tag}>" if kept else ""

        cells = _find_cells.sub(cut, row[2])
        _skip(covered, at)
        return row[1] + cells + row[3]

    return _find_rows.sub(shorten, inside)


def _skip(covered: list[int], at: int) -> int:
    """Return the next place of a row that no cell of a row above reaches into."""
    while at < len(covered) and covered[at]:
        covered[at] -= 1
        at += 1
    return at


def _form(columns: list[PageColumn], table: _TableOfPage, choice: TableChoice) -> str:
    """Return the form that chooses the columns of a table, with its own file."""
    chosen = [column for column in columns if column.field]
    shown = [column for column in chosen if not choice.columns or column.field in choice.columns]
    hidden = Markup("").join(
        Markup('<input type="hidden" name="{}" value="{}">').format(name, value)
        for name, value in table.hidden().items()
    )
    boxes = Markup(" ").join(
        Markup('<label><input type="checkbox" name="columns" value="{}:{}"{}> {}</label>').format(
            table.name, column.field, Markup(" checked") if column in shown else "", Markup(column.title)  # noqa: S704
        )
        for column in chosen
    )  # fmt: skip
    anew = [
        (choice.columns, choice._replace(columns=()), "all columns"),
        (choice.sort, choice._replace(sort=""), "unsorted"),
    ]
    links = Markup("").join(
        Markup(' <a href="{}">{}</a>').format(table.address(other), words) for is_set, other, words in anew if is_set
    )
    file = table.filters.download(table.path, format="csv", table=table.name)
    form = Markup(
        '<details class="columns"><summary>Columns{}</summary><form action="{}#{}" method="get">{}'
        "<fieldset><legend>Columns of {}</legend>{}</fieldset> <button>Show</button>{}"
        ' <a href="{}" download>CSV of this table</a></form></details>'
    ).format(
        f" ({len(shown)} of {len(chosen)})" if len(shown) < len(chosen) else "",
        table.path, table.anchor, hidden, table.name, boxes, links, file,
    )  # fmt: skip
    return str(form)  # markup would escape the text that it is joined to
