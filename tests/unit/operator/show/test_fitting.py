"""A table fits its terminal, and no number, date or name in it is broken."""

from io import StringIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from services.operator.show.table import plain, table

DATES = st.dates().map(str)
NAMES = st.sampled_from(
    ["TX-SHACKELFORD", "HBM4-12H", "not within the horizon", "2 of 53", "stargate-americas/0197-44"]
)
CELLS = st.one_of(st.none(), st.integers(-(10**7), 10**7), st.booleans(), DATES, NAMES)
COLUMNS = st.lists(st.sampled_from(["site", "first short day", "wafers", "days of cover", "at worst", "%"]), min_size=1)


def printed(shown, width: int) -> list[str]:
    console = Console(file=StringIO(), width=width)
    console.print(shown)
    return console.file.getvalue().splitlines()


def as_cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else plain(value)


@settings(deadline=None)  # the first table of a process loads what draws it
@given(COLUMNS, st.integers(0, 6), st.integers(30, 200), st.data())
def test_no_word_is_broken_and_no_line_is_too_long(columns, count, width, data):
    names = [f"{name} {n}" for n, name in enumerate(columns)]
    rows = [[data.draw(CELLS) for _ in names] for _ in range(count)]
    lines = printed(table("T", names, rows), width)

    text = "\n".join(lines)
    [*_, below] = text.partition("too wide to show here: ")
    left_out = [name for name in names if name in " ".join(below.split())]
    assert all(cell_len(line) <= width for line in lines)
    for row in rows:
        for name, value in zip(names, row, strict=True):
            if name not in left_out:
                assert all(word in text.split() for word in as_cell(value).split())


@pytest.mark.parametrize(("width", "dates"), [(24, 1), (25, 2)])
def test_a_column_without_name_and_cells_takes_no_room_of_a_date(width, dates):
    rows = [["2026-06-30", "", "2026-06-30"]] * 4
    lines = printed(table("T", ("first", "", "last"), rows), width)

    assert [line.split() for line in lines if "2026" in line] == [["2026-06-30"] * dates] * 4


@pytest.mark.parametrize("width", [30, 80, 180])
def test_a_column_that_is_left_out_is_named(width):
    names = ["site", *(f"wafers-{n}" for n in range(9))]
    text = " ".join(" ".join(printed(table("T", names, [["TX-MILAM", *range(9)]] * 4), width)).split())

    assert all(name in text for name in names)
    assert ("too wide to show here" in text) == (width < 100)


def test_the_spared_columns_are_left_out_first():
    shown = table("T", ("site", "country", "wafers"), [["TX-SHACKELFORD", "US", 1]] * 4, spared=("country",))
    text = "\n".join(printed(shown, 22))

    assert "wafers" in text
    assert "too wide to show here:" in text
    assert "country" in text.partition("too wide")[2]


def test_few_rows_stand_with_their_columns_below_each_other():
    names = [f"column-{n}" for n in range(12)]
    lines = printed(table("T", names, [range(1000, 1012), range(2000, 2012)]), 80)

    assert [line.split() for line in lines if "column-11" in line] == [["column-11", "1,011", "2,011"]]


@pytest.mark.parametrize(("value", "words"), [(None, "–"), (True, "yes"), (["a", None], "a, –"), (12, "12")])
def test_a_value_is_printed_as_people_write_it(value, words):
    assert plain(value) == words
