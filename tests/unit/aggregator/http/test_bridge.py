"""Is the bridge answered over HTTP as it is built, from the position or day chosen, or that of the order?"""

from datetime import date

import pytest

from shared.wire.events import StockCounted, StockOpened
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
         "reason": "a tool is down"}
    ]  # fmt: skip
    assert answer["rows"][2]["entries"] == [
        {"wafers": -25, "kind": "adjusted", "source": "samsung", "line": None, "event": None, "reason": None}
    ]


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
