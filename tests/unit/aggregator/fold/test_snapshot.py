"""A snapshot brings the same state back, and is refused where anything is not right."""

from datetime import date

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.aggregator.fold import snapshot
from services.aggregator.fold.curves import Curves
from services.aggregator.fold.queries import balance_batch, sum_stages
from services.aggregator.fold.snapshot import Unusable, decode, encode, seal
from services.aggregator.fold.state import FoldState, SourceBook
from services.aggregator.plan.months import month_table
from services.aggregator.plan.projection import make_plan
from shared.wire.events import Event
from shared.wire.postings import LINE_EVENTS, Measure
from shared.wire.rows import Row, canonical_bodies
from testing.fold import rolling
from testing.lines import fold_lines
from testing.twins.curves import PARTS, batch_of
from tests.replay.test_tape import SAID
from tests.unit.aggregator.fold.test_curves import DAYS, FIRST_DAY, KEY, OTHER, START, fold, logs, watermarks

quick = settings(max_examples=60, deadline=None)
LOG = [
    (OTHER, Measure.STARTED, START + 3, 25), (KEY, Measure.RECEIVED, START + 9, -7), (KEY, Measure.FORECAST, START, 5),
    (KEY, Measure.OPENED, START - 2, 9), (OTHER, Measure.CONSUMED, START + DAYS + 3, 2),
    (KEY, Measure.LOST, START + 20, 0),
]  # fmt: skip


def whole(curves, lines=None):
    pieces = encode(FoldState(curves, lines))
    return b"".join([*pieces, seal(pieces)])


def resealed(content, **changes):
    """The snapshot with another header, sealed as if it had been written so."""
    begin = len(snapshot.MAGIC) + 8
    length = int.from_bytes(content[begin - 8 : begin], "little")
    text = orjson.dumps(orjson.loads(content[begin : begin + length]) | changes)
    head = content[: begin - 8] + len(text).to_bytes(8, "little") + text
    body = content[begin + length + -(begin + length) % 8 : -32]
    pieces = [head + bytes(-len(head) % 8), body]
    return b"".join([*pieces, seal(pieces)])


def restore(content):
    return decode(content, START, DAYS, "catalogue-1").curves


# ---------------------------------------------------------------- the same state


@given(logs, watermarks, logs, st.sampled_from([1, 7, 2**20]))
@quick
def test_a_restored_state_is_the_one_that_was_kept_and_goes_on(log, marks, later, at_once):
    curves = fold(log, marks)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(snapshot, "PAGE_CELLS_MAX", at_once)
        restored = restore(whole(curves))

    assert restored.state_hash() == curves.state_hash()
    for each in (0, 1):
        for facts in (
            "keys",
            "epoch",
            "position",
            "head",
            "postings",
            "watermarks",
            "sources",
            "last_day",
            "wafers_total",
        ):
            assert getattr(restored, facts) == getattr(curves, facts)
        grouping = curves.group(PARTS)
        for mine, theirs in zip(sum_stages(restored, grouping), sum_stages(curves, grouping), strict=True):
            assert (mine == theirs).all()
        assert balance_batch(restored, np.arange(len(curves.keys))) == balance_batch(
            curves, np.arange(len(curves.keys))
        )
        assert rolling(restored, START + 30, 30, "receipt", PARTS) == rolling(curves, START + 30, 30, "receipt", PARTS)
        assert (make_plan(restored, START + 9).figures == make_plan(curves, START + 9).figures).all()
        assert month_table(restored, FIRST_DAY, FIRST_DAY) == month_table(curves, FIRST_DAY, FIRST_DAY)
        if each == 0:
            batch = batch_of(curves.position + 1, later, {}, ["skhynix"])
            assert restored.add(batch).tolist() == curves.add(batch).tolist()
            assert restored.state_hash() == curves.state_hash()


def test_a_cell_may_hold_more_than_one_posting_may():
    curves = fold([(KEY, Measure.STARTED, START, 2**40)] * 5)

    assert restore(whole(curves)).state_hash() == curves.state_hash()


def test_the_lines_come_back_with_the_curves():
    rows = [Row.of(event) for event in SAID if isinstance(event, Event) and event.data.type in LINE_EVENTS]
    lines = fold_lines([canonical_bodies(rows)])

    restored = decode(whole(fold(LOG), lines), START, DAYS, "catalogue-1").lines

    assert lines.suppliers()
    assert restored.digest() == lines.digest()


def test_the_sequences_of_the_sources_come_back():
    state = FoldState(fold(LOG))
    state.sources.add(Row.of(event) for event in SAID if isinstance(event, Event))
    pieces = encode(state)

    restored = decode(b"".join([*pieces, seal(pieces)]), START, DAYS, "catalogue-1").sources

    assert restored.state() == state.sources.state() != SourceBook().state()


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize("at", [0, 20, 200, -400, -40, -1])
def test_a_byte_that_was_changed_is_found(at):
    content = bytearray(whole(fold(LOG)))
    content[at] ^= 1

    with pytest.raises(Unusable) as why:
        restore(bytes(content))
    assert why.value.code == "damaged"


@pytest.mark.parametrize("length", [0, 5, 24, 500, -1])
def test_a_torn_file_is_refused(length):
    with pytest.raises(Unusable) as why:
        restore(whole(fold(LOG))[:length])
    assert why.value.code == "damaged"


@pytest.mark.parametrize(
    ("curves", "code"),
    [
        (Curves(FIRST_DAY, DAYS, "catalogue-2"), "foreign_catalogue"),
        (Curves(FIRST_DAY, DAYS + 1, "catalogue-1"), "foreign_horizon"),
        (Curves(date(2025, 1, 2), DAYS, "catalogue-1"), "foreign_horizon"),
    ],
)
def test_a_state_of_other_settings_is_refused(curves, code):
    curves.add(batch_of(1, LOG))

    with pytest.raises(Unusable) as why:
        restore(whole(curves))
    assert why.value.code == code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"format": 1, "horizon": None}, "foreign_format"),
        ({"state": "00"}, "damaged"),
        ({"sources": ["micron"]}, "damaged"),
        ({"names": ["HBM4-12H"]}, "damaged"),
        ({"sections": [8]}, "damaged"),
        ({"sections": [2**40] * 6}, "damaged"),
        ({"last_day": "2025"}, "damaged"),
        ({"sites": [[], [["too short"]], []]}, "damaged"),
        ({"sequences": [[["samsung", [[1]]]], [], []]}, "damaged"),
    ],
)
def test_what_was_sealed_and_does_not_fit_together_is_refused(changes, code):
    content = whole(fold(LOG))
    assert restore(resealed(content)).position == 1

    with pytest.raises(Unusable) as why:
        restore(resealed(content, **changes))
    assert why.value.code == code
