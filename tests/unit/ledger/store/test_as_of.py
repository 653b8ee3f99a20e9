"""Two times of one fact: the day it held, and when we knew; a correction never changes what was known before."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from services.aggregator.fold.curves import Curves
from services.operator.record.curves import fold, fold_as_of, line_events_as_of
from services.operator.stack.errors import StackError
from shared.play.numbering import Numbering
from shared.programme.declarations import NOTHING_DECLARED
from shared.wire.days import microseconds
from shared.wire.events import Event, EventReversed, ShipmentReceived, StockCounted, StockOpened, SupplyCommitted
from testing.fold import Folded, fresh_store, record
from testing.lines import fold_lines, supplies

KEY: dict[str, Any] = {"product": "HBM4-12H", "site": "abilene", "supplier": "samsung"}
FIRST = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def corrected() -> Folded:
    """Opened with 100 on 2 March; on the 3rd 40 more were received; on the 5th it is known that the 40 are not so and
    that 90 were there at the end of the 2nd; on the 7th that the count of 90 was none."""
    numbering = Numbering("americas")
    opened = numbering.emit(FIRST, StockOpened(wafers=100, **KEY))
    received = numbering.emit(
        FIRST + DAY, ShipmentReceived(shipment="s", owner="samsung", wafers=40, wafers_damaged=0, **KEY)
    )
    counted = numbering.emit(FIRST, StockCounted(counted=90, **KEY))
    said: list[tuple[int, list[Event]]] = [
        (0, [opened]),
        (1, [received]),
        (3, [numbering.emit(FIRST + 3 * DAY, EventReversed(reversed=received.id, reason="another site's")), counted]),
        (5, [numbering.emit(FIRST + 5 * DAY, EventReversed(reversed=counted.id, reason="the wrong shelf"))]),
    ]
    folded = Folded(fresh_store(), fold(fresh_store()))
    for days, events in said:
        record(folded, events, now=microseconds(FIRST + days * DAY))
    return folded


def on_hand(corrected: Folded, known: str, held: date) -> int:
    """What stood on hand at the end of a day, as it was known at another."""
    corrected.curves = fold_as_of(corrected.store, known)
    return corrected.stages(held)["on_hand"]


@pytest.mark.parametrize(
    ("known", "on_the_2nd", "on_the_4th"),
    [
        ("2026-03-02", 100, 100),
        ("2026-03-03", 100, 140),
        ("2026-03-04", 100, 140),
        ("2026-03-05", 90, 90),
        ("2026-03-06", 90, 90),
        ("2026-03-07", 100, 100),
        ("2027-01-01", 100, 100),
        ("0", 0, 0),
        ("2", 100, 140),
        ("3", 90, 90),
    ],
)
def test_a_balance_is_told_as_it_was_known(corrected: Folded, known: str, on_the_2nd: int, on_the_4th: int) -> None:
    assert on_hand(corrected, known, date(2026, 3, 2)) == on_the_2nd
    assert on_hand(corrected, known, date(2026, 3, 4)) == on_the_4th


@pytest.mark.parametrize(
    ("known", "due"),
    [("0", []), ("2026-03-02", [100]), ("2026-03-03", [80]), ("1", [100]), ("2", [80]), ("3", [])],
)
def test_a_commit_is_told_as_it_was_known(known: str, due: list[int]) -> None:
    numbering, folded = Numbering("samsung"), Folded(fresh_store(), fold(fresh_store()))
    promised = SupplyCommitted(line="c", due=date(2026, 5, 1), firmness="firm", wafers=100, revision=0, **KEY)
    said = [
        numbering.emit(FIRST, promised.model_copy(update={"wafers": 100 - 20 * n, "revision": n})) for n in range(2)
    ]
    said += [numbering.emit(FIRST, EventReversed(reversed=event.id, reason="")) for event in said]
    for days, events in enumerate([said[:1], said[1:2], said[2:]]):
        record(folded, events, now=microseconds(FIRST + days * DAY))

    assert supplies(fold_lines(line_events_as_of(folded.store, known))).wafers.tolist() == due


def test_the_lines_of_a_simulated_day_are_those_recorded_by_then() -> None:
    """Where senders say when they recorded, a later batch may be of an earlier day."""
    numbering, folded = Numbering("samsung"), Folded(fresh_store(), fold(fresh_store()))
    for n in range(2):
        commit = SupplyCommitted(line=f"c{n}", due=date(2026, 5, 1), firmness="firm", wafers=n + 1, revision=0, **KEY)
        record(folded, [numbering.emit(FIRST, commit)], now=microseconds(FIRST + (1 - n) * DAY))

    assert supplies(fold_lines(line_events_as_of(folded.store, "2026-03-02"))).wafers.tolist() == [2]


def test_the_state_hash_of_a_position_is_what_it_was_there() -> None:
    numbering, folded = Numbering("samsung"), Folded(fresh_store(), fold(fresh_store()))
    hashes = [folded.state_hash]
    for revision in range(3):
        commit = SupplyCommitted(
            line="c", due=date(2026, 4, 1), wafers=10 * revision, firmness="firm", revision=revision, **KEY
        )
        record(folded, [numbering.emit(FIRST, commit)])
        hashes.append(fold(folded.store).state_hash())

    assert [fold(folded.store, until=position).state_hash() for position in range(4)] == hashes
    assert len(set(hashes)) == 4


def test_a_position_that_is_not_there_is_refused(corrected: Folded) -> None:
    assert fold_as_of(corrected.store, "4").position == 4
    with pytest.raises(StackError, match="no batch 5 yet: the last one is 4"):
        fold_as_of(corrected.store, "5")
    with pytest.raises(StackError, match=r"the last one is 4 \(a day is written 2026-12-31\)"):
        fold_as_of(corrected.store, "20260305")
    for text in ("yesterday", "-1", "1.5", "", "\N{FULLWIDTH DIGIT TWO}", "2026-W10-1", "2026-02-30", "9" * 5000):
        with pytest.raises(StackError, match="neither a position"):
            fold_as_of(corrected.store, text)


def test_a_day_before_the_first_is_refused(corrected: Folded) -> None:
    with pytest.raises(StackError, match="by the end of 2026-03-01: the first day is 2026-03-02"):
        fold_as_of(corrected.store, "2026-03-01")
    with pytest.raises(StackError, match="nothing is recorded yet"):
        fold_as_of(fresh_store(), "2026-03-01")


def test_what_was_recorded_by_a_day_is_known_whatever_came_before_it_in_the_log() -> None:
    """In a simulation one party is days ahead of another: the order of arrival must not say what was known."""
    numbering, other = Numbering("americas"), Numbering("emea")
    opened = numbering.emit(FIRST, StockOpened(wafers=100, **KEY))
    commit = [other.emit(FIRST, StockCounted(counted=wafers, **(KEY | {"site": "narvik"}))) for wafers in (10, 20)]
    undone = numbering.emit(FIRST + DAY, EventReversed(reversed=opened.id, reason=""))
    said = [(3, commit[1]), (0, opened), (2, undone), (1, commit[0])]  # days on which each was recorded
    known = {}
    for order in (said, said[::-1], [said[1], said[3], said[2], said[0]]):
        folded = Folded(fresh_store(), fold(fresh_store()))
        for days, event in order:
            record(folded, [event], now=microseconds(FIRST + days * DAY))
        for days in range(4):
            curves = fold_as_of(folded.store, (FIRST + days * DAY).date().isoformat())
            known.setdefault(days, set()).add(curves.state_hash())

    assert [len(hashes) for hashes in known.values()] == [1, 1, 1, 1]
    assert len({hash_ for hashes in known.values() for hash_ in hashes}) == 4


def test_a_store_folded_at_once_is_what_its_batches_come_to(corrected):
    curves = Curves(catalogue=NOTHING_DECLARED)
    for stored in corrected.store.published_batches(0, 100):
        curves.add(stored.postings)

        at_once = fold(corrected.store, until=curves.position)

        assert at_once.state_hash() == curves.state_hash()
        for facts in ("epoch", "position", "head", "postings", "watermarks", "sources"):
            assert getattr(at_once, facts) == getattr(curves, facts)
    assert curves.position == corrected.store.head.batch
