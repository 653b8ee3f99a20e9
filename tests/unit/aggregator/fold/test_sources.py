"""The book of sources against its naive twin: in any order, in any batches, with repetitions, and from its state."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.fold.state import LateEvent, SourceBook
from services.ledger.store.batches import published_bodies
from shared.play.numbering import Numbering
from shared.wire.days import day_number
from shared.wire.events import Event, EventReversed, LotStarted, SourceAdvanced, SourceEnded, StockOpened
from shared.wire.rows import Row, canonical_bodies, read_rows

FIRST = datetime(2026, 4, 1, 12, tzinfo=UTC)
KEY = {"product": "HBM4-12H", "site": "abilene", "supplier": "samsung"}
KINDS = st.sampled_from(["lot", "stock", "advanced", "advanced", "ended", "reversed"])


@st.composite
def logs(draw: st.DrawFn) -> list[Event]:
    """Events of one source in the order of their sequences; times go back and forth."""
    numbering, log = Numbering("samsung"), list[Event]()
    for kind, day in draw(st.lists(st.tuples(KINDS, st.integers(0, 5)), max_size=12)):
        time = FIRST + timedelta(days=day)
        if kind == "reversed" and log:
            said = EventReversed(reversed=draw(st.sampled_from(log)).id, reason="")
        elif kind == "advanced":
            said = SourceAdvanced(through=time.date())
        elif kind == "ended":
            said = SourceEnded(through=time.date(), successor=None)
        elif kind == "stock":
            said = StockOpened(**KEY, wafers=1)
        else:
            said = LotStarted(**KEY, lot="L", wafers=1, fab="P4", due_out=date(2026, 4, 1))
        log.append(numbering.emit(time, said))
    return log


def naive_late_days(log: list[Event]) -> set[date]:
    """The days that have an event after the watermark in force had completed them."""
    undone = {event.data.reversed for event in log if isinstance(event.data, EventReversed)}
    watermarks = [event for event in log if isinstance(event.data, SourceAdvanced | SourceEnded)]
    held = [event for event in watermarks if event.id not in undone]
    if not held:
        return set()
    in_force = max(held, key=lambda each: (each.data.type == "source.ended", each.data.through, each.sequence))
    return {
        event.time.date()
        for event in log
        if event not in watermarks and event.sequence > in_force.sequence and event.time.date() <= in_force.data.through
    }


@given(logs(), st.randoms(use_true_random=False), st.integers(1, 5))
def test_what_is_published_of_any_batches_tells_which_days_are_late(log, dice, size):
    again = log + dice.sample(log, len(log) // 2)
    dice.shuffle(again)
    book = SourceBook()
    for first in range(0, len(again), size):
        rows = [Row.of(event) for event in again[first : first + size]]
        book.add(read_rows(published_bodies(rows, canonical_bodies(rows))))

    _, late = book.late_events().get("samsung", (0, []))

    assert [each.day for each in late] == sorted(map(day_number, naive_late_days(log)))
    assert SourceBook.read(book.state()).late_events() == book.late_events()


def test_of_a_late_day_the_last_published_event_is_named():
    numbering = Numbering("samsung")
    log = [
        numbering.emit(FIRST, SourceAdvanced(through=FIRST.date())),
        numbering.emit(FIRST, StockOpened(**KEY, wafers=1)),
        numbering.emit(FIRST, StockOpened(**KEY, wafers=2)),
    ]
    book = SourceBook()
    book.add(Row.of(event) for event in log)

    day = day_number(FIRST.date())
    assert book.late_events() == {"samsung": (day, [LateEvent(day, 3, log[-1].id)])}
