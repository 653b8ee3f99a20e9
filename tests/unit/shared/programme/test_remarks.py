"""Remarks in force: the greatest revision that is neither reversed nor withdrawn, whatever order they came in."""

from datetime import UTC, date, datetime

from hypothesis import given
from hypothesis import strategies as st

from shared.play.numbering import Numbering
from shared.programme.remarks import Remarks, note_name, remark_event
from shared.wire.alerts import AlertName
from shared.wire.days import day_number
from shared.wire.events import PREFIX, VERSION, AlertAcknowledged, Event, EventReversed, NoteAdded
from shared.wire.rows import Row

TIME = datetime(2026, 9, 1, 8, tzinfo=UTC)
ALERT = AlertName("short_within", ("A", "north"), day_number(date(2026, 9, 20)))
LATER = ALERT._replace(day=ALERT.day + 30)
planner = Numbering("planner")


def acknowledged(revision: int = 0, alert: AlertName = ALERT, **fields) -> Event:
    return planner.emit(TIME, AlertAcknowledged(alert=alert.text, revision=revision, **fields))


def noted(revision: int = 0, note: str = "n1", about: str = "site/north", text: str = "x", **fields) -> Event:
    return planner.emit(TIME, NoteAdded(note=note, about=about, text=text, revision=revision, **fields))


def fold(*events: Event) -> Remarks:
    remarks = Remarks()
    remarks.add([Row.of(event) for event in events])
    return remarks


def test_the_last_revision_of_an_acknowledgement_holds_until_it_is_withdrawn():
    first, second = acknowledged(assignee="Kim"), acknowledged(1, assignee="Park", note="asked")
    withdrawn = acknowledged(2, withdrawn=True)

    said, _ = fold(second, first).in_force().of_alert(ALERT)

    assert said is not None
    assert (said.assignee, said.note, said.revision, said.event) == ("Park", "asked", 1, second.id)
    assert fold(withdrawn, first, second).in_force().acknowledged == {}


def test_a_reversed_remark_leaves_the_one_before_it_in_force():
    first, second = noted(text="first"), noted(1, text="second")
    undone = planner.emit(TIME, EventReversed(reversed=second.id, reason="typo"))

    assert [note.text for note in fold(undone, second, first).in_force().about("site/north")] == ["first"]


def test_the_next_alert_of_the_subject_is_not_acknowledged_and_knows_of_the_one_before():
    now, before = fold(acknowledged(assignee="Kim")).in_force().of_alert(LATER)

    assert now is None
    assert before is not None
    assert (before.assignee, before.alert) == ("Kim", ALERT.text)


def test_an_alert_rests_while_the_states_today_lies_before_the_day():
    said, _ = fold(acknowledged(snoozed_until=date(2026, 9, 10))).in_force().of_alert(ALERT)
    until = day_number(date(2026, 9, 10))

    assert said is not None
    assert [said.is_snoozed(day) for day in (until - 1, until, None)] == [True, False, False]


def test_two_notes_of_one_text_have_two_names():
    first, second = (note_name("site/north", "x", TIME.replace(second=second)) for second in (0, 1))

    assert first != second
    data = {"note": first, "about": "site/north", "text": "x"}
    assert remark_event("hub", "note.added", data, TIME) == {
        "specversion": "1.0", "source": "hub", "type": PREFIX + NoteAdded.type + VERSION, "time": TIME.isoformat(),
        "data": data,
    }  # fmt: skip


def test_two_planners_may_give_two_notes_the_same_name():
    other = Numbering("other").emit(TIME, NoteAdded(note="n1", about="site/north", text="theirs", revision=0))

    assert {note.text for note in fold(noted(text="ours"), other).in_force().about("site/north")} == {"ours", "theirs"}


EVENTS = [
    acknowledged(assignee="Kim"), acknowledged(1, assignee="Park"), acknowledged(alert=LATER), noted(),
    noted(1, text="y"), noted(note="n2", about=f"alert/{ALERT.text}"), noted(2, withdrawn=True),
]  # fmt: skip
UNDONE = [planner.emit(TIME, EventReversed(reversed=event.id, reason="")) for event in EVENTS[1:6:2]]


@given(st.lists(st.sampled_from(EVENTS + UNDONE), max_size=20), st.randoms(use_true_random=False))
def test_neither_order_nor_repetition_matters_and_the_state_is_read_back(events, dice):
    one = fold(*events)
    other = fold(*dice.sample(events, len(events)))
    other.add([Row.of(event) for event in events])

    assert other.in_force() == one.in_force()
    assert other.state() == one.state()
    assert Remarks.read(one.state()).in_force() == one.in_force()
