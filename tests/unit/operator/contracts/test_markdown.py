"""Markdown of the generated pages: wrapped at 120 columns, and still the same paragraphs."""

from hypothesis import given
from hypothesis import strategies as st

from services.operator.contracts.markdown import json_block, prose, table

MARKS = ("-", "+", "*", "#", ">", "|", "1.", "2)")  # at the start of a line they open a list, a heading, a quote
words = st.text(alphabet="abc`,:", min_size=1, max_size=40)


@given(st.lists(words, max_size=80))
def test_prose_is_wrapped_at_120_columns_word_by_word(parts: list[str]) -> None:
    lines = prose(" ".join(parts)).splitlines()

    assert " ".join(lines).split() == parts
    assert all(len(line) <= 120 for line in lines)


@given(st.lists(words | st.sampled_from(MARKS), max_size=80))
def test_no_line_of_prose_opens_a_block(parts: list[str]) -> None:
    lines = prose(" ".join(["The", *parts, "end"])).splitlines()

    assert " ".join(lines).split() == ["The", *parts, "end"]
    assert not [line for line in lines if line.split()[0] in MARKS]


def test_paragraphs_stay_apart_and_an_item_is_indented() -> None:
    assert prose("One\ntwo.\n\nThree.") == "One two.\n\nThree."
    assert prose("- " + "word " * 30, indent="  ").splitlines()[1].startswith("  word")


def test_a_table_has_a_header_and_its_rows() -> None:
    assert table(("a", "b"), [("1", "2")]) == "| a | b |\n|---|---|\n| 1 | 2 |"


def test_a_long_example_shows_its_first_lines() -> None:
    assert json_block([1, 2, 3], lines_max=2) == "```json\n[\n  1,\n...\n```"
