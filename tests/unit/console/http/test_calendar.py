"""The calendar: the days of the log by their events, and the positions of one of them."""

import re
from collections import Counter
from datetime import date, timedelta
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.console.http.days.month import DEGREES, beside, day_shown, degree_of, months_of, weeks_of
from testing.played import play
from tests.unit.console.http.test_tables import get, played  # noqa: F401

days_of_a_log = st.dictionaries(
    st.dates(date(2026, 1, 1), date(2027, 6, 30)), st.integers(0, 1_000), min_size=1, max_size=40
).map(
    lambda events: [
        {"day": day.isoformat(), "events": events[day], "batches": 1, "first": n, "last": n}
        for n, day in enumerate(sorted(events), 1)
    ]
)  # fmt: skip


@given(days_of_a_log, st.dates(date(2025, 12, 1), date(2027, 8, 1)))
def test_a_month_has_each_of_its_days_once_with_its_events(rows, day):
    weeks = weeks_of(day.isoformat()[:7], rows, day.isoformat())
    days = [each for week in weeks for each in week]
    events = {row["day"]: row["events"] for row in rows}

    assert [date.fromisoformat(week[0].day).weekday() for week in weeks] == [0] * len(weeks)
    first = date.fromisoformat(days[0].day)
    assert [each.day for each in days] == [(first + timedelta(n)).isoformat() for n in range(len(days))]
    assert [each.number for each in days if each.is_of_month] == list(
        range(1, len([d for d in days if d.is_of_month]) + 1)
    )
    assert all(each.is_of_month == (each.day[:7] == day.isoformat()[:7]) for each in days)
    assert all(each.events == events.get(each.day, 0) for each in days)
    assert [each.day for each in days if each.is_chosen] == [day.isoformat()]
    assert all(each.is_known == (rows[0]["day"] <= each.day <= rows[-1]["day"]) for each in days)


@given(days_of_a_log)
def test_the_months_with_events_are_in_order_and_hold_all_of_them(rows):
    months = months_of(rows)

    assert [each.month for each in months] == sorted({row["day"][:7] for row in rows if row["events"]})
    assert sum(each.events for each in months) == sum(row["events"] for row in rows)


@given(st.dates(date(1971, 1, 1), date(2100, 1, 1)))
def test_the_month_before_a_month_is_followed_by_it(day):
    month = day.isoformat()[:7]

    assert beside(beside(month, -1), 1) == month == beside(beside(month, 1), -1)
    assert beside(month, -1) < month < beside(month, 1)


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_a_degree_less_is_at_most_half_as_many_events(one, other):
    events, busiest = min(one, other), max(one, other)
    degree = degree_of(events, busiest)

    assert (degree == 0) == (events == 0)
    assert degree <= DEGREES
    assert degree != DEGREES or 2 * events > busiest
    assert degree_of(events // 2, busiest) <= degree


def test_positions_are_those_of_the_day_chosen_else_of_the_state_shown_else_of_the_last_day():
    rows = [{"day": f"2026-01-0{n}", "first": n, "last": n + 1, "events": 3 - n} for n in (1, 2, 3)]

    assert day_shown(rows, "2026-01-02", "2026-01-01") == "2026-01-02"
    assert day_shown(rows, "", "2026-01-01") == "2026-01-01"
    assert day_shown(rows, "", "3") == "2026-01-02"
    assert day_shown(rows, "", "9") == day_shown(rows, "", "") == "2026-01-02"  # the last one with events
    assert day_shown([], "", "") == ""


def test_the_calendar_leads_back_to_its_page_at_each_day_and_position_of_the_log(played):  # noqa: F811
    html = get(played, "/calendar", page="/lines", state="all", sort="lines:-wafers", product="P").text
    rows = Counter[str]()
    for number, recorded, events in played.store.database.query("SELECT batch, recorded, events FROM batches"):
        rows[(date(1970, 1, 1) + timedelta(days=recorded // 86_400_000_000)).isoformat()] += events
        last = number

    links = [unescape(href) for href in re.findall(r'href="(/lines\?[^"]*)"', html.partition("<main")[2])]
    queries = [parse_qs(urlsplit(link).query) for link in links]
    chosen = {query["as_of"][0] for query in queries if "as_of" in query}
    assert all(query["sort"] == ["lines:-wafers"] and query["state"] == ["all"] for query in queries)
    assert str(last) in chosen
    assert {day for day in rows if day[:7] == max(rows)[:7]} <= chosen
    assert f"{rows[max(rows)]:,} event" in html


@pytest.mark.parametrize(
    "query",
    [{"as_of": "soon"}, {"on": "soon"}, {"month": "2026-13"}, {"page": "//elsewhere.example"}, {"on": "1999-01-01"}],
)
def test_a_calendar_that_is_asked_wrongly_still_shows_the_log(played, query):  # noqa: F811
    answer = get(played, "/calendar", **query)

    assert answer.status_code == 200
    assert 'class="day" data-day="' in answer.text
    assert 'href="//' not in answer.text


def test_the_calendar_of_an_empty_log_has_no_month_before_and_none_later():
    answer = get(play([]), "/calendar", month="2026-05")

    assert answer.status_code == 200
    assert "month=2026-04" not in answer.text
    assert "month=2026-06" not in answer.text
