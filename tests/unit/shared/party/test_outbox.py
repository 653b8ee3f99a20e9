"""The outbox: nothing said is lost, nothing is said twice."""

import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.party.outbox import Outbox, OutboxEntry
from shared.wire.postings import EventEffect
from shared.wire.refusal import Refusal


def entry(first: int, last: int) -> OutboxEntry:
    return OutboxEntry(first, last, f"{first}-{last}".encode())


@pytest.fixture
def outbox(tmp_path) -> Outbox:
    return Outbox(tmp_path / "samsung.db")


def test_what_was_put_comes_out_in_order_until_it_is_forgotten(outbox):
    outbox.put([entry(1, 10), entry(11, 11)])
    outbox.put([entry(12, 20)])

    assert [said.body for said in outbox.after(0)] == [b"1-10", b"11-11", b"12-20"]
    assert outbox.after(0, limit=1) == [entry(1, 10)]
    assert len(outbox) == 20

    outbox.forget(11)

    assert outbox.after(0) == [entry(12, 20)]
    assert (len(outbox), outbox.last) == (9, 20)


def test_an_entry_recorded_in_part_is_kept_whole(outbox):
    outbox.put([entry(1, 10)])
    outbox.forget(9)

    assert outbox.after(9) == [entry(1, 10)]
    assert outbox.after(10) == []


def test_a_party_that_starts_again_and_says_all_again_is_passed_over(outbox, tmp_path):
    said = [entry(1, 10), entry(11, 20)]
    outbox.put(said)
    outbox.forget(10)
    again = Outbox(tmp_path / "samsung.db")
    again.put([*said, entry(21, 30)])

    assert again.after(0) == [entry(11, 20), entry(21, 30)]
    assert (again.source, again.last) == ("samsung", 30)


@pytest.mark.parametrize("wrong", [entry(12, 13), entry(10, 12), entry(11, 10)])
def test_an_entry_that_leaves_a_hole_or_says_half_again_is_never_stored(outbox, wrong):
    outbox.put([entry(1, 10)])
    if wrong.last > 10:
        with pytest.raises(ValueError, match="do not follow 10"):
            outbox.put([wrong])

    assert (outbox.after(0), outbox.last) == ([entry(1, 10)], 10)


def test_of_some_entries_all_are_stored_or_none(outbox):
    outbox.put([entry(1, 1)], taken=[(b"digest", 1)])
    with pytest.raises(sqlite3.IntegrityError):
        outbox.put([entry(2, 2)], taken=[(b"digest", 2)])

    assert (outbox.after(0), outbox.last, outbox.taken(b"digest")) == ([entry(1, 1)], 1, 1)


def test_a_full_disk_stores_nothing_and_the_outbox_goes_on_when_there_is_room(outbox):
    outbox.put([entry(1, 1)])
    pages = outbox.connection.execute("PRAGMA page_count").fetchone()[0]
    outbox.connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        outbox.put([OutboxEntry(2, 2, b"x" * 100_000)])

    assert (outbox.after(0), outbox.last) == ([entry(1, 1)], 1)

    outbox.connection.execute("PRAGMA max_page_count = 100000")
    outbox.put([OutboxEntry(2, 2, b"x" * 100_000)])

    assert outbox.last == 2


def test_a_digest_is_taken_under_the_sequence_it_got(outbox, tmp_path):
    outbox.put([entry(1, 1)], taken=[(b"digest", 1)])
    outbox.forget(1)

    assert Outbox(tmp_path / "samsung.db").taken(b"digest") == 1
    assert outbox.taken(b"other") is None


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 9), max_size=8), st.integers(0, 80), st.integers(0, 80))
def test_nothing_after_what_is_recorded_is_ever_lost(sizes, recorded, sent):
    outbox = Outbox(":memory:")
    entries, last = [], 0
    for size in sizes:
        entries.append(entry(last + 1, last + size))
        last += size
    outbox.put(entries)
    outbox.forget(recorded)

    assert outbox.after(0) == [e for e in entries if e.last > recorded]
    assert outbox.after(sent) == [e for e in entries if e.last > max(sent, recorded)]


def test_verdicts_are_kept_on_disk_for_those_who_hand_an_event_in_again(outbox, tmp_path):
    refusal = Refusal(2, None, "fraction", "data.wafers", "should be a valid integer, not 12.5")
    nameless = Refusal(None, None, "malformed", "", "is not JSON")
    effect = EventEffect(3, "an id", "none", "its source reverses its id")
    outbox.keep_verdicts([refusal, nameless], [effect])
    outbox.keep_verdicts([refusal], [])  # a restart reads all verdicts again

    again = Outbox(tmp_path / "samsung.db")

    assert (again.refusals([1, 2, 3]), again.effects([1, 2, 3])) == ({2: refusal}, {3: effect})
    assert again.refusals([]) == {}


def test_names_are_kept_with_the_events_that_use_them_first(outbox, tmp_path):
    outbox.put([entry(1, 1)], names=["a", "b"])
    outbox.put([entry(2, 2)], names=["b", "c"])

    assert Outbox(tmp_path / "samsung.db").names == outbox.names == {"a", "b", "c"}
