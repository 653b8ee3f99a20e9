"""All postings loaded at once come to the same state as folded batch by batch, and what is wrong is named."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.aggregator.fold import columns as loading
from services.aggregator.fold.columns import Columns, FoldPosition
from services.aggregator.fold.curves import WAFERS_SUM_MAX
from shared.wire.postings import Measure
from testing.fold import rolling
from testing.twins.curves import PARTS, batch_of
from tests.unit.aggregator.fold.test_curves import DAYS, KEY, START, empty, fold, logs, watermarks

quick = settings(max_examples=60, deadline=None)
POSITION = FoldPosition(7, 1, "head-1", {}, ["samsung"])


def columns(log, dtype=np.int64):
    """Some postings with a dictionary of their own."""
    names = sorted({name for key, *_ in log for name in key}, reverse=True)
    parts = ([names.index(key[part]) for key, *_ in log] for part in range(3))
    numbers = [[each[n] for each in log] for n in (1, 2, 3)]
    return Columns(names, *(np.array(column, dtype=dtype) for column in (*parts, *numbers)))


def load(pages, position=POSITION):
    curves = empty()
    curves.load(pages, position)
    return curves


@given(logs, watermarks, st.integers(1, 40), st.sampled_from([np.int32, np.int64]))
@quick
def test_postings_loaded_at_once_are_those_folded_in_batches(log, marks, size, dtype):
    folded, newest = fold(log, marks), {}
    for source, day in marks:
        newest[source] = max(day, newest.get(source, day))
    pages = [columns(log[at : at + size], dtype) for at in range(0, len(log), size)]

    loaded = load(pages, FoldPosition(7, folded.position, folded.head, newest, ["samsung"]))

    assert loaded.state_hash() == folded.state_hash()
    for facts in ("epoch", "position", "head", "postings", "watermarks", "sources", "last_day"):
        assert getattr(loaded, facts) == getattr(folded, facts)
    assert rolling(loaded, START + 30, 30, "receipt", PARTS) == rolling(folded, START + 30, 30, "receipt", PARTS)


@given(logs, logs)
@quick
def test_what_was_loaded_goes_on_folding(before, after):
    curves = load([columns(before)] if before else [])

    curves.add(batch_of(2, after, {}, ["samsung"]))

    assert curves.state_hash() == fold(before + after).state_hash()


def test_a_long_page_is_taken_in_parts(monkeypatch):
    monkeypatch.setattr(loading, "PART_ROWS_MAX", 700)
    log = [
        ((f"P{n % 7}", f"S{n}", "samsung"), [Measure.STARTED, Measure.FORECAST][n % 2], START + n % DAYS, n)
        for n in range(9_000)
    ]

    assert load([columns(log)]).state_hash() == fold(log).state_hash()


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("products", [0, 4], r"products\[1\] is 4, not 0 to 3"),
        ("measures", [0, 31], r"measures\[1\] is 31, which is no Measure"),
        ("days", [2**40, 0], r"days\[0\] is 1099511627776"),
        ("wafers", [1, 2**41], r"wafers\[1\] is 2199023255552"),
        ("sites", [0.0, 1.0], r"sites is float64\[2\], not whole numbers"),
        ("suppliers", [0, 1, 2], r"suppliers is int64\[3\], not whole numbers, one for each row"),
    ],
)
def test_a_broken_column_is_named(column, values, message):
    rows = ([0, 0], [1, 3], [2, 2], [Measure.STARTED, Measure.FORECAST], [START, START], [5, 7])
    good = Columns(["HBM4-12H", "abilene", "samsung", "narvik"], *map(np.array, rows))

    with pytest.raises(ValueError, match=message):
        load([good._replace(**{column: np.array(values)})])


def test_the_row_that_is_named_is_that_of_the_page(monkeypatch):
    monkeypatch.setattr(loading, "PART_ROWS_MAX", 2)
    page = columns([(KEY, Measure.STARTED, START, 5)] * 5)
    page.wafers[4] = 2**41

    with pytest.raises(ValueError, match=r"wafers\[4\] is"):
        load([page])


def test_sums_are_stopped_before_they_could_leave_int64():
    page = columns([(KEY, Measure.STARTED, START, 2**40)])
    rows = WAFERS_SUM_MAX // 2**40
    long = Columns(page.names, *(column.repeat(rows) for column in page[1:]))

    with pytest.raises(ValueError, match="bring the sum of all postings to"):
        load([long, page])


def test_nothing_is_loaded_into_a_state():
    with pytest.raises(ValueError, match="there is a state already, of position 1"):
        fold([(KEY, Measure.STARTED, START, 5)]).load([], POSITION)


def test_a_state_of_nothing_can_be_loaded():
    assert load([]).state_hash() == fold([]).state_hash()
