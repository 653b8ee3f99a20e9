"""What was known at a position or at the end of a day: which batches, and how they would have been told by then."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from services.ledger.books.posting import Memory, post_events
from services.ledger.store.store import Store, told_of
from shared.wire.days import DAY_US, date_of, day_number
from shared.wire.events import DAY_MAX, DAY_MIN
from shared.wire.postings import PostingBatch
from shared.wire.rows import Row

_TOLD_AT_ONCE = 50

_is_position = re.compile(r"[0-9]{1,18}").fullmatch
_is_day = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch


class NeverKnown(ValueError):
    """There is no such position, or nothing was known on such a day; the message says what there is."""


class Known(NamedTuple):
    """The batches up to a position, all of them; or, with a time, those recorded by then."""

    position: int  # the last of them
    time: int | None = None  # microseconds since 1970


def known_as_of(store: Store, text: str) -> Known:
    """Return what was known after a batch (1234), or at the end of a day (2026-12-31), UTC; raise `NeverKnown`."""
    if _is_position(text):
        if int(text) > store.head.batch:
            advice = " (a day is written 2026-12-31)" if len(text) == len("20261231") else ""
            raise NeverKnown(f"there is no batch {text} yet: the last one is {store.head.batch}{advice}")
        return Known(int(text))
    try:
        day = date.fromisoformat(text) if _is_day(text) else None
    except ValueError:
        day = None
    if day is None or not DAY_MIN <= day <= DAY_MAX:
        raise NeverKnown(f"{text[:80]!r} is neither a position (1234) nor a day (2026-12-31)")
    time = (day_number(day) + 1) * DAY_US - 1
    position = store.last_recorded_by(time)
    if position == 0:
        first = store.first_recorded()
        begun = "nothing is recorded yet" if first is None else f"the first day is {date_of(first // DAY_US)}"
        raise NeverKnown(f"nothing had been recorded by the end of {text}: {begun}")
    return Known(position, None if store.position_at(time) == position else time)


def told_then(store: Store, known: Known) -> Iterator[PostingBatch]:
    """Yield the batches that were known, each as it was told, or would have been.

    Where a simulation or a tape says when, the time need not grow from batch to batch: then the events that were
    recorded by that time are posted again, and the others have no part in it, whoever came first.
    """
    if known.time is not None:
        yield from _posted_again(store, known.time)
        return
    after = 0
    while after < known.position:
        told = store.told_batches(after, min(_TOLD_AT_ONCE, known.position - after))
        for batch in told:
            yield batch.postings
        after = told[-1].postings.batch


def _posted_again(store: Store, time: int) -> Iterator[PostingBatch]:
    firsts, ends = list[int](), list[int]()  # the places in the log of each batch that was known

    def load_event(source: str, id_: str) -> Row | None:
        found = store.find_event(source, id_)
        if found is None:
            return None
        place = bisect_right(firsts, found[0]) - 1
        return found[1] if place >= 0 and found[0] < ends[place] else None

    memory, previous = Memory(load_event=load_event), 0
    for sealed in store.sealed_batches():
        batch, header = sealed.batch, sealed.batch.header
        if header.recorded > time:
            continue
        decision = post_events([Row.read(body) for body in sealed.bodies], memory)
        firsts.append(batch.first_event)
        ends.append(batch.first_event + header.events)
        yield PostingBatch.of(
            [(measure, day, key, wafers) for (measure, day, key), wafers in decision.postings()],
            epoch=store.epoch,
            batch=header.batch,
            previous=previous,
            events=header.events,
            head=batch.hash.hex(),
            watermarks={} if batch.watermark is None else {header.source: batch.watermark},
            sources=[header.source] if header.events else [],
            said=told_of(sealed.bodies),
        )
        previous = header.batch
