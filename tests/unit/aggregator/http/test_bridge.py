"""Is the bridge answered over HTTP as it is built, from the position or day chosen, or that of the order?"""

from datetime import UTC, date, datetime

import pytest
from rich.text import Text

from services.operator.show.bridge import bridge_tables
from shared.play.numbering import Numbering
from shared.wire.events import AlertAcknowledged, NoteAdded, StockCounted, StockOpened, StockTransferred, WafersConsumed
from testing.lines import KEY, Story
from testing.played import Played, advanced, numbered, play


@pytest.fixture
def story() -> Story:
    """390 committed for 380 required; a count takes 25 from the 30 on hand."""
    story = Story()
    story.order(1, 380, 12)
    story.commit(1, 390, 10)
    story.say(2, StockOpened(wafers=30, **KEY))
    story.commit(2, 350, 10, 1, reason="a tool is down")
    story.say(3, StockCounted(counted=5, **KEY))
    return story


def played(story: Story) -> Played:
    events = [*(event.cloud_event() for event in story.log)]
    events += [advanced(source, date(2026, 4, 3)) for source in ("samsung", "americas")]
    return play(numbered(events), batches=1)


def test_the_rows_sum_and_lead_to_their_events(story):
    answer = played(story).ask("/bridge", product="HBM4-12H", site="abilene", since="2")

    assert (answer["projected_then"], answer["projected_now"], answer["day"]) == (10, -25, "2026-04-12")
    assert answer["since"]["position"] == 2
    assert [(row["cause"], row["wafers"]) for row in answer["rows"]] == [
        ("commits_lowered", -40), ("opened", 30), ("counted", -25)
    ]  # fmt: skip
    assert answer["rows"][0]["entries"] == [
        {"wafers": -40, "kind": "supply.committed", "source": "samsung", "line": "c", "event": story.log[3].id,
         "event_source": "samsung", "reason": "a tool is down"}
    ]  # fmt: skip
    assert answer["rows"][2]["entries"] == [
        {
            "wafers": -25,
            "kind": "adjusted",
            "source": "samsung",
            "line": None,
            "event": None,
            "event_source": None,
            "reason": None,
        }
    ]


def test_a_bridge_has_the_acknowledgement_of_its_shortage_and_the_notes_on_its_site(story):
    planner = Numbering("planner")
    said = [AlertAcknowledged(alert="short_within/HBM4-12H/abilene/2026-04-12", assignee="Kim", revision=0),
            NoteAdded(note="n", about="site/abilene", text="a hall is late", revision=0)]  # fmt: skip
    events = [*(event.cloud_event() for event in story.log)]
    events += [planner.emit(datetime(2026, 4, 3, tzinfo=UTC), each).cloud_event() for each in said]
    events += [advanced(source, date(2026, 4, 3)) for source in ("samsung", "americas", "planner")]

    answer = play(numbered(events)).ask("/bridge", product="HBM4-12H", site="abilene", since="0")

    assert (answer["acknowledged"]["assignee"], answer["acknowledged_before"]) == ("Kim", None)
    assert [note["text"] for note in answer["notes"]] == ["a hall is late"]
    shown = [each.plain for each in bridge_tables(answer) if isinstance(each, Text)]
    assert shown == ["Remarks: Kim; a hall is late\n"]


def test_a_bar_of_movements_leads_to_the_ledgers_list_of_their_events(story):
    story.say(3, StockTransferred(wafers=2, to_site="narvik", **KEY))
    folded = played(story)
    answer = folded.ask("/bridge", product="HBM4-12H", site="abilene", since="2")
    bars = {row["cause"]: row["movements"] for row in answer["rows"]}

    assert bars["commits_lowered"] is None
    assert bars["opened"] == {
        "types": "stock.opened", "since": "2", "through": str(answer["position"]), "by": "2026-04-12"
    }  # fmt: skip
    # the transfer is of the day of the count, and came after it
    for cause, places in (("opened", [2]), ("counted", [4, 5]), ("transferred", [5])):
        found = folded.ask_ledger("/movements", product="HBM4-12H", site="abilene", **bars[cause])
        assert [row["id"] for row in found["rows"]] == [story.log[n].id for n in places]
    narvik = folded.ask("/bridge", product="HBM4-12H", site="narvik", since="2", day="2026-04-12")
    [bar] = narvik["rows"]
    found = folded.ask_ledger("/movements", product="HBM4-12H", site="narvik", **bar["movements"])
    assert (bar["wafers"], [row["id"] for row in found["rows"]]) == (2, [story.log[5].id])


def test_the_bar_of_consumption_beyond_what_was_due_leads_to_the_consumption_and_the_orders(story):
    story.say(3, WafersConsumed(wafers=5, phase="abilene.1", **KEY))
    folded = played(story)
    answer = folded.ask("/bridge", product="HBM4-12H", site="abilene", since="2")
    [query] = [row["movements"] for row in answer["rows"] if row["cause"] == "consumed_beyond"]

    found = folded.ask_ledger("/movements", product="HBM4-12H", site="abilene", **query)

    assert [row["id"] for row in found["rows"]] == [story.log[0].id, story.log[5].id]


def test_without_a_position_it_begins_when_the_order_was_placed_or_with_the_empty_log(story):
    answer = played(story).ask("/bridge", product="HBM4-12H", site="abilene")

    assert (answer["since"]["as_of"], answer["projected_then"], answer["projected_now"]) == ("0", 0, -25)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"day": "2026-04-03"}, 422), ({"day": "2040-01-01"}, 422), ({"since": "999"}, 404), ({"site": "nowhere"}, 404),
        ({"day": "2026-04-04"}, 200), ({"as_of": "0"}, 200), ({"as_of": "1"}, 200),
    ],
)  # fmt: skip
def test_what_has_no_answer_is_refused(story, query, status):
    folded = played(story)

    assert folded.get("/bridge", **{"product": "HBM4-12H", "site": "abilene"} | query).status_code == status
