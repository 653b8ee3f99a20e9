"""Two times of one fact: the day it held, and when we knew; a correction never changes what was known before."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from services.operator.asking import fold, position_of
from services.operator.stack import StackError
from shared.events import (
    Event,
    EventReversed,
    ShipmentReceived,
    StockCounted,
    StockOpened,
    SupplyCommitted,
    day_number,
    microseconds,
)
from shared.voice import Voice
from tests.fold import Folded, fresh_store, record

KEY: dict[str, Any] = {"product": "HBM4-12H", "site": "abilene", "supplier": "samsung"}
FIRST = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def corrected() -> Folded:
    """Opened with 100 on 2 March; on the 3rd 40 more were received; on the 5th it is known that the 40 are not so and
    that 90 were there at the end of the 2nd; on the 7th that the count of 90 was none."""
    voice = Voice("americas")
    opened = voice.say(FIRST, StockOpened(wafers=100, **KEY))
    received = voice.say(
        FIRST + DAY, ShipmentReceived(shipment="s", owner="samsung", wafers=40, wafers_damaged=0, **KEY)
    )
    counted = voice.say(FIRST, StockCounted(counted=90, **KEY))
    said: list[tuple[int, list[Event]]] = [
        (0, [opened]),
        (1, [received]),
        (3, [voice.say(FIRST + 3 * DAY, EventReversed(reversed=received.id, reason="another site's")), counted]),
        (5, [voice.say(FIRST + 5 * DAY, EventReversed(reversed=counted.id, reason="the wrong shelf"))]),
    ]
    folded = Folded(fresh_store(), fold(fresh_store()))
    for days, events in said:
        record(folded, events, now=microseconds(FIRST + days * DAY))
    return folded


def on_hand(corrected: Folded, known: str, held: date) -> int:
    """What stood on hand at the end of a day, as it was known at another."""
    corrected.curves = fold(corrected.store, until=position_of(corrected.store, known))
    return corrected.stages(held)["on_hand"]


@pytest.mark.parametrize(
    ("known", "on_the_2nd", "on_the_4th"),
    [
        ("2026-03-01", 0, 0),
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


def test_the_state_hash_of_a_position_is_what_it_was_there() -> None:
    voice, folded = Voice("samsung"), Folded(fresh_store(), fold(fresh_store()))
    hashes = [folded.state_hash]
    for revision in range(3):
        commit = SupplyCommitted(
            line="c", due=date(2026, 4, 1), wafers=10 * revision, firmness="firm", revision=revision, **KEY
        )
        record(folded, [voice.say(FIRST, commit)])
        hashes.append(fold(folded.store).state_hash())

    assert [fold(folded.store, until=position).state_hash() for position in range(4)] == hashes
    assert len(set(hashes)) == 4


def test_a_position_that_is_not_there_is_refused(corrected: Folded) -> None:
    assert position_of(corrected.store, "4") == 4
    with pytest.raises(StackError, match="no batch 5 yet: the last one is 4"):
        position_of(corrected.store, "5")
    with pytest.raises(StackError, match=r"the last one is 4 \(a day is written 2026-12-31\)"):
        position_of(corrected.store, "20260305")
    for text in ("yesterday", "-1", "1.5", "", "\N{FULLWIDTH DIGIT TWO}"):
        with pytest.raises(StackError, match="neither a position"):
            position_of(corrected.store, text)


def test_what_is_known_at_a_time_is_what_stood_before_the_first_batch_after_it(corrected: Folded) -> None:
    end = (day_number(FIRST.date()) + 1) * 86_400_000_000

    assert [corrected.store.position_at(time) for time in (0, end - 1, end, microseconds(FIRST + DAY))] == [0, 1, 1, 2]
