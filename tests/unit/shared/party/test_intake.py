"""The intake: whatever is handed in, the ledger names it, or the door does."""

import json
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.http.problem import TOO_LONG, Problem, problem
from shared.party.intake import IntakeLine, count_lines, number_lines, read_lines, take_events
from shared.party.outbox import Outbox, OutboxEntry
from shared.play.numbering import Numbering
from shared.wire.batch import ENTRY_BYTES_MAX
from shared.wire.entry_reader import read_entry
from shared.wire.events import Refused, StockOpened, SupplyCommitted
from shared.wire.postings import EventEffect
from shared.wire.refusal import Refusal

EVENT_ID = "00000000-0000-7000-8000-%012d"
KEY = {"product": "HBM4-12H", "site": "abilene", "supplier": "samsung"}


@pytest.fixture
def outbox(tmp_path) -> Outbox:
    return Outbox(tmp_path / "samsung.db")


def commit(wafers: int = 100, **attributes: Any) -> dict[str, Any]:
    """A commit as a partner hands it in: without a sequence."""
    said = SupplyCommitted(line="c1", due=date(2026, 3, 1), firmness="firm", wafers=wafers, revision=0, **KEY)
    event = Numbering("samsung").emit(datetime(2026, 1, 1, tzinfo=UTC), said).cloud_event()
    del event["sequence"]
    return event | attributes


def lines(*events: Any) -> bytes:
    return b"\n".join(orjson.dumps(event) for event in events)


def numbered(handed: list[IntakeLine]) -> list[tuple[int | None, bool]]:
    return [(each.sequence, each.duplicate) for each in handed]


def judge(outbox: Outbox) -> list[int]:
    """The sequences that a ledger could name after reading all of the outbox."""
    named = []
    for entry in outbox.after(0, 1000):
        good, bad, _ = read_entry(entry.body, "samsung", "supplier")
        named += [row.sequence for row in [*good, *bad] if row.sequence is not None]
    return named


def test_the_door_numbers_events_in_the_order_of_their_lines(outbox):
    other = commit(id="00000000-0000-7000-8000-000000000001")
    handed = take_events(lines(commit(), other) + b"\n\n", outbox)

    assert numbered(handed) == [(1, False), (2, False)]
    assert judge(outbox) == [1, 2]
    assert [orjson.loads(entry.body)["id"] for entry in outbox.after(0)] == [commit()["id"], other["id"]]


def test_a_sequence_that_was_handed_in_is_not_believed(outbox):
    take_events(lines(commit(sequence="77", recordedtime="2026-01-01T00:00:00Z")), outbox)

    (entry,) = outbox.after(0)
    assert orjson.loads(entry.body)["sequence"] == "1"
    assert "recordedtime" not in orjson.loads(entry.body)


def test_an_event_handed_in_again_keeps_its_number(outbox, tmp_path):
    take_events(lines(commit()), outbox)
    (again,) = take_events(lines(commit(sequence="9")), Outbox(tmp_path / "samsung.db"))
    twice = take_events(lines(commit(7, time="2026-01-02T00:00:00Z"), commit(7, time="2026-01-02T00:00:00Z")), outbox)

    assert numbered([again, *twice]) == [(1, True), (2, False), (2, True)]
    assert len(outbox) == 2
    assert again.answer(1, {})["status"] == "duplicate"


def test_an_event_that_the_ledger_has_lost_is_sent_again_under_its_number(outbox):
    """As where an older copy of its store was put back: the outbox has dropped what it recorded since."""
    body = lines(commit(), commit(id="00000000-0000-7000-8000-000000000001"))
    take_events(body, outbox)
    outbox.forget(2)

    handed, lost = number_lines([*read_lines(body, "samsung")], outbox, 10**9, judged=1)
    assert (numbered(handed), lost) == ([(1, True), (2, True)], 1)
    assert [entry.first for entry in outbox.after(0)] == [2]
    assert [line.answer(1, {})["status"] for line in handed] == ["duplicate", "pending"]
    assert number_lines([*read_lines(body, "samsung")], outbox, 10**9, judged=1)[1] == 0


@pytest.mark.parametrize(
    "written",
    [
        {"time": "2026-01-01T01:00:00.0000009+01:00"},
        {"datacontenttype": "application/json", "subject": None, "correlationid": None},
        {"subject": "c1", "partitionkey": "HBM4-12H"},
        {"data": commit()["data"] | {"reason": ""}},
    ],
)
def test_an_event_sent_again_but_written_otherwise_is_a_duplicate(outbox, written):
    taken = take_events(lines(commit(), dict(reversed((commit() | written).items()))), outbox)

    assert numbered(taken) == [(1, False), (1, True)]
    assert len(outbox) == 1


def test_an_event_that_an_earlier_version_took_is_known_by_its_spelling(outbox):
    spelled = sha256(json.dumps(commit(), sort_keys=True).encode()).digest()
    outbox.put([OutboxEntry(1, 1, json.dumps(commit(sequence="1")).encode())], taken=[(spelled, 1)])

    assert numbered(take_events(lines(commit()), outbox)) == [(1, True)]


def test_another_event_of_the_same_id_is_for_the_ledger_to_refuse_and_the_first_stays_known(outbox):
    first, other = take_events(lines(commit(100), commit(200)), outbox)
    again = take_events(lines(commit(100), commit(200)), outbox)

    assert numbered([first, other]) == [(1, False), (2, False)]
    assert numbered(again) == [(1, True), (2, True)]
    conflict = Refusal(sequence=2, id=other.id, code="identity_conflict", path="id", message="was said before")
    assert again[1].answer(2, {2: conflict}) == {
        "line": 2, "id": other.id, "sequence": 2, "status": "refused", "code": "identity_conflict", "path": "id",
        "message": "was said before",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("line", "code", "path"),
    [
        (b"{", "malformed", ""),
        (b"[1]", "malformed", ""),
        (b"\xff", "malformed", ""),
        (b'{"source":"samsung","id":"a","id":"b"}', "duplicate_key", "id"),
        (orjson.dumps(commit(source="skhynix")), "foreign_source", "source"),
        (b'{"id":"a"}', "foreign_source", "source"),
        (orjson.dumps(commit(ids=["a"])), "malformed", "ids"),
        (orjson.dumps(commit(types=["a"])), "malformed", "types"),
        (orjson.dumps(commit(note="é" * 300_000)), "out_of_bounds", ""),
    ],
)
def test_what_the_ledger_could_not_name_is_refused_at_the_door(outbox, line, code, path):
    refused, good = take_events(line + b"\n" + lines(commit()), outbox)

    assert refused.refused is not None
    assert (refused.sequence, refused.refused.code, refused.refused.path) == (None, code, path)
    assert refused.answer(0, {})["status"] == "refused"
    assert (good.line, good.sequence) == (2, 1)
    assert judge(outbox) == [1]


def test_no_entry_is_longer_than_the_ledger_reads(outbox):
    take_events(lines(commit(note="x" * (ENTRY_BYTES_MAX - 1000))), outbox)

    assert all(len(entry.body) <= ENTRY_BYTES_MAX for entry in outbox.after(0))
    assert judge(outbox) == [1]


def test_an_answer_says_what_became_of_a_line():
    handed = IntakeLine(3, "an id", 5, duplicate=False, refused=None)

    assert handed.answer(4, {}) == {"line": 3, "id": "an id", "sequence": 5, "status": "pending"}
    assert handed.answer(5, {})["status"] == "recorded"
    assert handed._replace(duplicate=True).answer(4, {})["status"] == "pending"


def test_an_answer_says_why_a_recorded_event_does_not_hold():
    handed = IntakeLine(3, "an id", 5, duplicate=False, refused=None)
    effect = EventEffect(5, "an id", "none", "its source reverses its id")

    assert handed.answer(5, {}, {5: effect}) == {
        "line": 3, "id": "an id", "sequence": 5, "status": "recorded",
        "effect": "none", "why": "its source reverses its id",
    }  # fmt: skip
    assert handed.answer(4, {}, {5: effect})["status"] == "pending"


def test_a_problem_is_told_as_rfc_9457_says():
    answer = problem(TOO_LONG, "too long")

    assert (answer.status_code, answer.media_type) == (413, "application/problem+json")
    assert orjson.loads(answer.body) == {
        "type": "/problems/too-long", "title": TOO_LONG.title, "status": 413, "detail": "too long",
    }  # fmt: skip


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
attributes = st.sampled_from([*commit(), "sequence", "recordedtime", "ids", "types", "sources", "note", "\ud800"])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.dictionaries(attributes, json_values, max_size=3), max_size=4), st.booleans())
def test_whatever_is_handed_in_nothing_is_sent_for_ever(changes, stray):
    """Each line is refused at the door, or named by the ledger under its number; and an answer can be told."""
    outbox = Outbox(":memory:")
    outbox.source = "samsung"
    body = "\n".join(json.dumps(commit() | change) for change in changes) + ("\n\ud800" if stray else "")
    handed = take_events(body.encode("utf-8", "surrogatepass"), outbox)
    answers = [each.answer(0, {}) for each in handed]

    assert judge(outbox) == [*range(1, outbox.last + 1)]
    assert all(each.refused or each.sequence in range(1, outbox.last + 1) for each in handed)
    assert json.dumps(answers, ensure_ascii=False).encode()


def test_a_datacenter_hands_in_what_only_it_may_say(tmp_path):
    opened = Numbering("americas").emit(datetime(2026, 1, 1, tzinfo=UTC), StockOpened(wafers=5, **KEY)).cloud_event()
    outbox = Outbox(tmp_path / "americas.db")
    take_events(lines(opened), outbox)

    assert read_entry(outbox.after(0)[0].body, "americas", "datacenter")[1] == []


def test_beyond_the_names_nothing_of_a_body_is_taken_and_known_names_are(outbox):
    at = [commit(data=commit()["data"] | {"site": f"s{n}"}, id=EVENT_ID % n) for n in range(4)]

    take_events(lines(*at[:2]), outbox, names_max=2)
    with pytest.raises(Problem, match=r"brings one more than the 2 of WAFERLINE_NAMES_MAX: HBM4-12H s2 samsung"):
        take_events(lines(at[1] | {"id": EVENT_ID % 7}, at[2]), outbox, names_max=2)
    (again,) = take_events(lines(at[1] | {"id": EVENT_ID % 8}), outbox, names_max=2)

    assert (outbox.last, again.sequence) == (3, 3)


def test_a_wrong_event_uses_no_name(outbox):
    take_events(lines(commit(data=commit()["data"] | {"wafers": -1})), outbox, names_max=0)

    assert outbox.names == set()


@pytest.mark.parametrize(
    ("body", "count"), [(b"a", 1), (b"a\n", 1), (b"a\nb", 2), (b"a\r\nb\r\n", 2), (b"\n\n", 2), (b"a\rb\r", 2)]
)
def test_lines_are_counted_as_they_are_split(body: bytes, count: int):
    assert count_lines(body) == count == len(body.splitlines())


# ---------------------------------------------------------------- products that nobody has declared


def refuse_others(product: str) -> Refused | None:
    return None if product == "HBM4-12H" else Refused("unknown_product", "data.product", f"{product!r} is not declared")


def test_the_door_refuses_a_product_that_is_not_declared_and_takes_the_others(outbox):
    other = commit(partitionkey="HBM4-12", data=commit()["data"] | {"product": "HBM4-12"})
    read = [*read_lines(lines(commit(), other), "samsung")]
    (good, refused), _ = number_lines(read, outbox, 10, refuse_others)

    assert (good.sequence, good.refused) == (1, None)
    assert (refused.sequence, refused.refused.code, refused.refused.path) == (None, "unknown_product", "data.product")


def test_an_event_taken_before_its_product_was_withdrawn_is_a_duplicate(outbox):
    body = lines(commit(partitionkey="OLD", data=commit()["data"] | {"product": "OLD"}))
    take_events(body, outbox)
    (again,), _ = number_lines([*read_lines(body, "samsung")], outbox, 10, refuse_others)

    assert (again.sequence, again.duplicate, again.refused) == (1, True, None)


def test_no_revision_is_made_for_a_line_that_an_earlier_version_may_have_revised(tmp_path):
    older = Outbox(tmp_path / "samsung.db")
    take_events(lines(commit()), older)
    older.connection.execute("DROP TABLE revisions")
    older.connection.close()
    outbox = Outbox(tmp_path / "samsung.db")
    unrevised = {name: value for name, value in commit(50)["data"].items() if name != "revision"}

    (refused,) = take_events(lines(commit(50, id="019b7a0e-0000-7000-8000-000000000001", data=unrevised)), outbox)
    (stated,) = take_events(
        lines(commit(50, id="019b7a0e-0000-7000-8000-000000000002", data=unrevised | {"revision": 7})), outbox
    )
    (made,) = take_events(lines(commit(60, id="019b7a0e-0000-7000-8000-000000000003", data=unrevised)), outbox)

    assert (refused.sequence, refused.refused.path) == (None, "data.revision")
    assert (stated.sequence, made.sequence) == (2, 3)
    assert outbox.revision("supply.committed c1") == 8
