"""Changes since an earlier moment over HTTP: ranked, summed, filtered, and refused where there is no such moment."""

import csv
from datetime import UTC, date, datetime
from io import StringIO

import pytest

from shared.play.numbering import Numbering
from shared.wire.events import AlertAcknowledged, NoteAdded, PhasePlanned
from testing.cloud_events import Party
from testing.lines import KEY, Story
from testing.played import Played, advanced, numbered, play


@pytest.fixture
def played() -> Played:
    """A commit of 300 is moved behind its orders, a smaller one elsewhere is raised, and more is said beside."""
    story = Story()
    story.order(1, 320, 12)
    story.commit(1, 320, 12)
    story.order(1, 40, 12, line="n", site="narvik")
    story.commit(1, 10, 12, line="n", site="narvik")
    story.commit(1, 5, 20, line="early", site="narvik")
    planner, center, day = Numbering("planner"), Numbering("emea"), datetime(2026, 4, 2, tzinfo=UTC)
    phase = {"site": "narvik", "phase": "narvik.1", "mw": 10, "platform": "gb300", "status": "planned"}
    first = [each.cloud_event() for each in story.log]
    first.append(center.emit(day, PhasePlanned(energise_on=date(2026, 6, 1), revision=0, **phase)).cloud_event())
    marks = ("samsung", "americas", "emea", "planner")
    first += [advanced(source, date(2026, 4, 3)) for source in marks]
    count = len(story.log)
    story.commit(4, 320, 26, 1, reason="a tool is down")
    story.commit(4, 25, 12, 1, line="n", site="narvik")
    story.commit(4, 5, 19, 1, line="early", site="narvik")
    later = [each.cloud_event() for each in story.log[count:]]
    later.append(center.emit(day, PhasePlanned(energise_on=date(2026, 7, 1), revision=1, **phase)).cloud_event())
    said = [AlertAcknowledged(alert="short_within/HBM4-12H/abilene/2026-04-12", assignee="Kim", revision=0),
            NoteAdded(note="n", about="site/narvik", text="a hall is late", revision=0)]  # fmt: skip
    later += [planner.emit(day, each).cloud_event() for each in said]
    later += [advanced(source, date(2026, 4, 4)) for source in marks]
    return play(numbered([*first, *later]), batches=1)


def then(played: Played) -> str:
    """The position before the first event of the second part."""
    return next(str(n) for n in range(1, 99) if played.ask("/state", as_of=n)["complete_through"] == "2026-04-03")


def test_the_changes_are_ranked_by_the_wafers_by_which_they_move_shortages(played):
    answer = played.ask("/since", **{"from": then(played)})

    rows = [(row["source"], row["site"], row["more_short"]) for row in answer["rows"]]
    assert rows == [("samsung", "abilene", 320), ("samsung", "narvik", -15)]
    assert (answer["short_then"], answer["short_now"]) == (30, 335)
    [change] = answer["rows"][0]["changes"]
    event = change.pop("event")
    assert played.ask_ledger(f"/events/samsung/{event}")["event"]["data"]["due"] == "2026-04-26"
    assert change == {
        "cause": "slipped", "wafers": -320, "lines": 1, "line": "c", "kind": "supply.committed",
        "event_source": "samsung", "due_then": "2026-04-12", "due_now": "2026-04-26", "reason": "a tool is down",
    }  # fmt: skip
    assert (answer["rows"][0]["first_short_then"], answer["rows"][0]["first_short_now"]) == (None, "2026-04-12")
    assert answer["without_effect"] == {"lines": 1, "of_lines": 3}


def test_alerts_remarks_and_phases_since_then_stand_beside(played):
    answer = played.ask("/since", **{"from": then(played)})

    assert "short_within/HBM4-12H/abilene/2026-04-12" in [alert["name"] for alert in answer["alerts_raised"]]
    assert not {alert["name"] for alert in answer["alerts_raised"]} & {a["name"] for a in answer["alerts_cleared"]}
    assert [each["assignee"] for each in answer["acknowledged"]] == ["Kim"]
    assert [note["about"] for note in answer["notes"]] == ["site/narvik"]
    [phase] = answer["phases"]
    assert (phase["energise_on_then"], phase["energise_on_now"]) == ("2026-06-01", "2026-07-01")


def test_between_two_positions_the_later_one_is_as_of_then(played):
    now = played.ask("/state")["position"]
    back = played.ask("/since", **{"from": 0, "to": then(played)})

    assert (back["position"], back["short_now"]) == (int(then(played)), 30)
    still = played.ask("/since", **{"from": now})
    assert (still["rows"], still["short_then"], still["short_now"]) == ([], 335, 335)
    whole = [played.ask("/since", **{"from": 0})[f"short_{each}"] for each in ("then", "now")]
    assert whole == [0, 335]


def test_a_product_a_site_or_a_supplier_alone_is_asked_for(played):
    asked = {"from": then(played), "product": KEY["product"]}
    rows = played.rows("/since", **asked, limit=1)

    assert [row["site"] for row in rows] == ["abilene", "narvik"]
    assert [row["site"] for row in played.rows("/since", **asked, site="narvik")] == ["narvik"]
    assert played.rows("/since", **asked, supplier="micron") == []
    found = csv.DictReader(StringIO(played.get("/since", **asked, format="csv").text))
    assert [row["more_short"] for row in found] == ["320", "-15"]


def test_without_a_moment_it_is_the_day_before_the_last_complete_one_or_the_empty_log(played):
    assert played.ask("/since")["since"]["as_of"] == "0"  # all of it was recorded later
    assert played.ask("/since", to="0")["rows"] == []


@pytest.mark.parametrize(
    ("query", "status", "parameter", "words"),
    [
        ({"from": "999"}, 404, "from", "there is no batch 999 yet"),
        ({"to": "999"}, 404, "to", "there is no batch 999 yet"),
        ({"from": "2025-12-31"}, 404, "from", "the first day is"),
        ({"from": "yesterday"}, 400, "from", "a position (1234) or a day (2026-12-31)"),
        ({"from": "3", "to": "2"}, 422, "from", "it has to be the earlier one"),
        ({"site": "nowhere"}, 404, "site", "there are abilene, narvik"),
    ],
)
def test_a_moment_or_a_name_that_is_none_is_refused_with_its_parameter(played, query, status, parameter, words):
    answer = played.get("/since", **query)

    assert (answer.status_code, answer.json()["parameter"]) == (status, parameter)
    assert words in answer.json()["detail"]


def test_alerts_are_those_of_the_names_asked_for_with_wafers_at_worst_and_those_of_synthetic_sites_last():
    sites, samsung, hynix = Party("stargate-americas"), Party("samsung"), Party("skhynix", supplier="skhynix")
    first = [sites.declare("2026-03-01", site="A-POOL", synthetic=True), sites.declare("2026-03-01")]
    first += [party.advance("2026-09-29") for party in (sites, samsung, hynix)]
    later = [
        sites.order("2026-09-30", f"o-{site}-{due}", wafers, f"2026-10-{due}", start_by="2026-09-01", site=site)
        for site in ("A-POOL", "TX-ABILENE")
        for due, wafers in ((10, 100), (15, 20))
    ]
    later += [samsung.commit("2026-09-30", "c", 40, "2026-08-20"), hynix.commit("2026-09-30", "d", 4, "2026-12-20")]
    later += [party.advance("2026-09-30") for party in (sites, samsung, hynix)]
    played = play(numbered([*first, *later]), batches=1)
    since = {"from": str(len(first))}

    def raised(code: str, **only: str) -> list[tuple[str | None, bool, int | None]]:
        rows = played.ask("/since", **since, **only)["alerts_raised"]
        return [
            (each["subject"].get("site"), each["synthetic"], each["wafers"]) for each in rows if each["code"] == code
        ]

    assert raised("short_within") == [("TX-ABILENE", False, 120), ("A-POOL", True, 120)]
    assert raised("short_within", site="A-POOL") == [("A-POOL", True, 120)]
    kinds = [each["synthetic"] for each in played.ask("/since", **since)["alerts_raised"]]
    assert kinds == sorted(kinds)
    assert [len(raised("slip_beyond", supplier=name)) for name in ("samsung", "skhynix")] == [1, 0]
