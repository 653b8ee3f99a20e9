"""The watermark of a source: the greatest that is not reversed, in any order, through every restart."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ledger.store.as_of import batches_as_of, find_as_of
from services.operator.record.curves import fold as fold_store
from services.operator.record.exports import export
from services.operator.record.proof import verify
from services.operator.record.rebuild import rebuild_export
from shared.wire.days import ENDED
from shared.wire.events import Event, EventData, SourceAdvanced, SourceEnded, StockOpened
from testing.fold import fold
from testing.twins.ledger import number
from tests.unit.ledger.books.test_posting import KEY, Voices


@pytest.fixture
def voices() -> Voices:
    return Voices()


def through(day: int) -> int:
    return number(date(2026, 4, day))


def advanced(voices: Voices, day: int) -> Event:
    return voices.say("americas", 3, SourceAdvanced(through=date(2026, 4, day)))


def ended(voices: Voices, day: int, successor: str | None = None) -> Event:
    return voices.say("americas", 3, SourceEnded(through=date(2026, 4, day), successor=successor))


@pytest.mark.parametrize("batches", [1, 2, 3, 1000])
def test_the_greatest_watermark_that_is_not_reversed_holds(voices, tmp_path, batches):
    first, second, third = (advanced(voices, day) for day in (2, 4, 9))
    log = [voices.open(1, 5), third, first, voices.undo(third), second, voices.undo(second)]
    folded = fold(log, batches=batches, path=tmp_path / "ledger.db", reopen=True)
    store = folded.store

    assert folded.curves.watermarks == store.watermarks(store.head.batch) == {"americas": through(2)}
    assert store.progress["americas"].advanced == through(2)
    assert fold_store(store).watermarks == {"americas": through(2)}
    assert verify(store).wrong is None


@given(st.permutations(range(9)), st.integers(1, 9))
@settings(max_examples=40, deadline=None)
def test_neither_order_nor_batches_alter_a_watermark(order, batches):
    voices = Voices()
    marks = [advanced(voices, day) for day in (2, 9, 4, 7)]
    end = ended(voices, 5)
    log = [*marks, end, voices.undo(marks[1]), voices.undo(end), voices.undo(marks[3]), voices.open(1, 5)]
    folded = fold([log[n] for n in order], batches=batches)

    assert folded.curves.watermarks == {"americas": through(4)}
    assert verify(folded.store).wrong is None


def test_a_watermark_reversed_before_it_came_never_holds(voices):
    first, typo = advanced(voices, 2), advanced(voices, 9)
    folded = fold([first, voices.undo(typo), typo], batches=1)

    assert folded.curves.watermarks == {"americas": through(2)}


def test_none_is_left_where_the_only_watermark_is_reversed(voices):
    only = advanced(voices, 2)
    folded = fold([voices.open(1, 5), only, voices.undo(only)], batches=1)

    assert (folded.curves.complete_through, folded.curves.watermarks) == (None, {})
    assert folded.store.progress["americas"].advanced is None
    assert verify(folded.store).wrong is None


def test_as_of_a_position_the_watermark_of_then_holds(voices):
    first, typo = advanced(voices, 2), advanced(voices, 9)
    store = fold([first, typo, voices.undo(typo)], batches=1).store

    then = [store.watermarks(position)["americas"] for position in (1, 2, 3)]
    assert then == [through(day) for day in (2, 9, 2)]
    assert [batch.restated for batch in batches_as_of(store, find_as_of(store, "3"))] == [
        {},
        {},
        {"americas": through(2)},
    ]


def test_an_older_watermark_takes_nothing_back(voices):
    folded = fold([advanced(voices, 2), advanced(voices, 1)], batches=1)

    assert folded.curves.watermarks == {"americas": through(2)}
    assert folded.store.progress["americas"].advanced == through(2)


def test_a_source_that_has_ended_advances_no_more(voices):
    folded = fold([advanced(voices, 3), ended(voices, 2, successor="emea")], batches=1)

    assert folded.curves.watermarks == {"americas": through(2) + ENDED}
    assert folded.curves.complete_through == through(2)


@pytest.mark.parametrize("batches", [1, 1000])
def test_a_source_that_has_ended_holds_no_other_back(voices, batches):
    log: list[tuple[str, EventData]] = [
        ("americas", StockOpened(wafers=5, **KEY)), ("americas", SourceEnded(through=date(2026, 4, 2), successor=None)),
        ("emea", SourceAdvanced(through=date(2026, 4, 8))), ("samsung", SourceAdvanced(through=date(2026, 4, 7))),
    ]  # fmt: skip
    folded = fold([voices.say(source, 1, data) for source, data in log], batches=batches)

    assert folded.curves.complete_through == through(7)


def test_an_export_holds_the_end_of_a_source(voices, tmp_path):
    store = fold([voices.open(1, 5), ended(voices, 2)]).store
    export(store, "parquet", tmp_path / "parquet")
    curves, state_hash = rebuild_export(tmp_path / "parquet")

    assert curves.watermarks == {"americas": through(2) + ENDED}
    assert curves.state_hash() == state_hash
