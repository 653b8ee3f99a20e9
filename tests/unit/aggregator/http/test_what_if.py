"""The first short days that a sheet would give are those that it gives once it is imported."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.documents.profile import Profile
from shared.documents.saying import line_in_force, say
from shared.documents.sheets import read_sheet
from shared.party.documents.balance_changes import balance_changes
from testing.lines import KEY, Story
from testing.played import Played, advanced, numbered, play

KINDS = {
    "commits": ("commit", "samsung", "firmness", "planned"),
    "orders": ("order", "americas", "start_by", "2026-01-01"),
}
PLAN = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 28), st.integers(0, 60)), unique_by=lambda row: row[0])
GROUP = {"product": KEY["product"], "site": KEY["site"]}


def log_of(commits, orders, dispatched):
    story = Story()
    for line, day, wafers in commits:
        story.commit(1, wafers, day, line=line)
    for line, day, wafers in orders:
        story.order(1, wafers, day, line=line)
    if dispatched and commits and commits[0][2]:
        line, day, wafers = commits[0]
        story.send(2, min(dispatched, wafers), day, commit=line)
    return [event.cloud_event() for event in story.log]


def played(events, today) -> Played:
    marks = [advanced(source, date(2026, 4, today - 1)) for source in ("samsung", "americas")]
    return play(numbered([*events, *marks]), batches=20)


@settings(max_examples=40, deadline=None)
@given(PLAN, PLAN, st.sampled_from(sorted(KINDS)), PLAN, st.integers(0, 60), st.integers(4, 20))
@example([("a", 10, 50)], [("a", 12, 60)], "commits", [("a", 20, 40)], 30, 5)
def test_the_day_is_the_one_after_the_import(commits, orders, kind, sheet, dispatched, today):
    log = log_of(commits, orders, dispatched)
    before = played(log, today)
    line_kind, source, column, value = KINDS[kind]
    text = f"line,product,site,supplier,due,wafers,{column}\n" + "".join(
        f"{line},HBM4-12H,abilene,samsung,2026-04-{day:02},{wafers},{value}\n" for line, day, wafers in sheet
    )
    standing = [line_in_force(row) for row in before.ask_ledger("/lines", source=source, kind=line_kind)["rows"]]
    document = read_sheet("a sheet", text.encode(), Profile(), kind).document
    said = say(document, standing, source, Profile(), {"HBM4-12H": None}, datetime(2026, 4, 3, tzinfo=UTC))
    assert said.problems == ()

    after = played([*log, *(each.event for each in said.events)], today)
    for change in balance_changes(kind, said.events) or [GROUP]:
        answer = before.ask("/what-if", **change)

        for when, then in (("now", before), ("then", after)):
            rows = then.ask("/shortages", **GROUP)["rows"] if then.state.curves.keys else []
            short = rows[0] if rows else {"first_short_day": None, "first_shortage": 0, "shortage": 0}
            assert answer[when] == {name: short[name] for name in answer[when]}


@pytest.mark.parametrize(
    "changes", ["2026-04-31:5", "2026-04-30", "2026-04-30:1.5", "2026-04-30:5,", "x", "2026-04-30:5;"]
)
def test_a_change_in_another_form_is_refused(changes):
    answer = played([], 5).get("/what-if", supply=changes, **GROUP)

    assert answer.status_code == 400
    assert "DAY:WAFERS" in answer.json()["detail"] or "YYYY-MM-DD" in answer.json()["detail"]


def test_before_a_day_is_complete_nothing_is_projected():
    answer = play([]).ask("/what-if", supply="2026-04-30:-5", **GROUP)

    assert (answer["today"], answer["now"], answer["now"]["first_short_day"]) == (None, answer["then"], None)
