"""Numbers as characters: as high, as long, as they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.operator.show.sparklines import SHADES, sparkline, stacked_bar

HEIGHTS = "▁▂▃▄▅▆▇█"
numbers = st.lists(st.none() | st.integers(-(10**12), 10**12), max_size=40)


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ([], ""),
        ([0, 0], "▁▁"),
        ([5, 5], "██"),
        ([0, 1, 2, 3, 4, 5, 6, 7], HEIGHTS),
        ([-7, 0, None, 7], "▁▅ █"),
        ([50.0, None, 100.0], "▅ █"),
    ],
)
def test_a_line_is_as_high_as_its_numbers_from_nothing(values, line):
    assert sparkline(values) == line


def test_where_nothing_is_far_away_a_line_begins_at_the_least():
    assert sparkline([98, 99, 100], from_zero=False) == "▁▅█"


@given(numbers)
def test_a_greater_number_is_never_lower(values):
    line = sparkline(values)
    heights = [(value, HEIGHTS.index(each)) for value, each in zip(values, line, strict=True) if value is not None]

    assert len(line) == len(values)
    assert [height for _, height in sorted(heights)] == sorted(height for _, height in heights)


@given(st.lists(st.integers(0, 10**9), min_size=5, max_size=5), st.integers(0, 10**9), st.integers(1, 80))
def test_a_bar_is_as_long_as_the_sum_of_its_parts(parts, mark, width):
    most = max(1, sum(parts), mark)
    bar = stacked_bar(parts, mark, most, width)

    ends = [round(width * sum(parts[:n]) / most) for n in range(6)]
    for n, shade in enumerate(SHADES):
        assert ends[n + 1] - ends[n] - bar.count(shade) in (0, 1)  # the mark stands on one of them
    assert bar.index("┃") == round(width * mark / most)
    assert len(bar) == width + 1
