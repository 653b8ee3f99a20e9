"""The commands on lines and watermarks over a small made-up store."""

import csv
import json

import pytest

from testing.lines import Story
from tests.unit.operator.commands.test_planner import ask, story

__all__ = ["story"]


def test_the_overdue_lines_are_those_before_today(tmp_path, story: Story):
    found = json.loads(ask(tmp_path, story, "lines", "--overdue", "--kind", "commit", "--json").stdout)

    assert found["today"] == "2026-04-06"
    assert [(row["line"], row["open_wafers"], row["days_overdue"]) for row in found["rows"]] == [("n", 7, 2)]
    assert found["rows"][0]["reason"] == "the furnace is down"


@pytest.mark.parametrize(("due", "lines"), [("this_week", ["c"]), ("next_week", [])])
def test_a_week_begins_on_monday(tmp_path, story, due, lines):
    found = json.loads(ask(tmp_path, story, "lines", "--kind", "commit", "--due", due, "--json").stdout)

    assert [row["line"] for row in found["rows"]] == lines  # 2026-04-06 is a Monday, and c is due on the Friday


def test_csv_has_a_row_for_each_line_and_a_page_goes_on_after_the_last(tmp_path, story):
    rows = list(csv.DictReader(ask(tmp_path, story, "lines", "--all", "--csv").stdout.splitlines()))

    assert {row["kind"] for row in rows} == {"commit", "order"}
    assert [row["due"] for row in rows] == sorted(row["due"] for row in rows)


def test_the_source_that_holds_up_the_day_is_named(tmp_path, story):
    said = ask(tmp_path, story, "watermarks").stdout

    assert "2026-04-05" in said
    assert "holds up the day" in said
    assert "None" not in said
