"""As-of queries: the batches recorded by a position or by the end of a day, as the ledger would have published them."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import date
from typing import NamedTuple

from services.ledger.books.memory import Memory
from services.ledger.books.posting import post_events
from services.ledger.store.batches import select_published
from services.ledger.store.reader import StoreReader, published_sources, published_watermarks
from shared.wire.days import DAY_US, date_of, day_number
from shared.wire.events import DAY_MAX, DAY_MIN
from shared.wire.postings import PostingBatch
from shared.wire.rows import Row

PAGE_EVENTS = 16_384  # of the log, read by one query
_PAGE_BATCHES = 50

_is_position = re.compile(r"[0-9]{1,18}").fullmatch
_is_day = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch


class UnknownAsOf(ValueError):
    """There is no such position, or nothing was recorded by such a day; the message names the first or last one."""


class AsOf(NamedTuple):
    """The batches up to a position: all of them or, with a time, those recorded by then."""

    position: int  # the last of them
    time: int | None = None  # microseconds since 1970

    def has(self, batch: int, recorded: int) -> bool:
        """Return whether a batch is one of them, by its number and the time of its recording."""
        return batch <= self.position and (self.time is None or recorded <= self.time)


class DayOfLog(NamedTuple):
    """The batches that were recorded on a day, UTC: their number, the first and the last of them, and their events."""

    day: int  # since 1970
    batches: int
    first: int
    last: int
    events: int
    refusals: int


class BatchOfDay(NamedTuple):
    """A batch among those of a day."""

    batch: int
    source: str
    recorded: int  # microseconds since 1970
    events: int
    refusals: int


class PlacedEvent(NamedTuple):
    """A recorded event, its place in the log, and its batch."""

    seq: int
    batch: int
    row: Row


def find_as_of(store: StoreReader, text: str) -> AsOf:
    """Return the batches as of a position (1234), or the end of a day (2026-12-31), UTC; raise `UnknownAsOf`."""
    if _is_position(text):
        if int(text) > store.head.batch:
            advice = " (a day is written 2026-12-31)" if len(text) == len("20261231") else ""
            raise UnknownAsOf(f"there is no batch {text} yet: the last one is {store.head.batch}{advice}")
        return AsOf(int(text))
    try:
        day = date.fromisoformat(text) if _is_day(text) else None
    except ValueError:
        day = None
    if day is None or not DAY_MIN <= day <= DAY_MAX:
        raise UnknownAsOf(f"{text[:80]!r} is neither a position (1234) nor a day (2026-12-31)")
    time = (day_number(day) + 1) * DAY_US - 1
    query = store.database.query
    [(position,)] = query("SELECT coalesce(max(batch), 0) FROM batches WHERE recorded <= ?", (time,))
    if position == 0:
        [(first,)] = query("SELECT min(recorded) FROM batches")
        begun = "nothing is recorded yet" if first is None else f"the first day is {date_of(first // DAY_US)}"
        raise UnknownAsOf(f"nothing had been recorded by the end of {text}: {begun}")
    [(later,)] = query("SELECT min(batch) FROM batches WHERE recorded > ?", (time,))
    before_later = store.head.batch if later is None else later - 1
    return AsOf(position, None if before_later == position else time)


def recorded_days(store: StoreReader) -> Iterator[DayOfLog]:
    """Yield each day on which something was recorded, in order."""
    found = store.database.query(
        "SELECT recorded / ? AS day, count(*), min(batch), max(batch), sum(events), sum(refusals) FROM batches"
        " WHERE batch <= ? GROUP BY day ORDER BY day",
        (DAY_US, store.head.batch),
    )
    for numbers in found:
        yield DayOfLog(*map(int, numbers))  # PostgreSQL adds up to decimals


def batches_of_day(store: StoreReader, day: int, after: int, limit: int) -> Iterator[BatchOfDay]:
    """Yield up to `limit` batches after a position that were recorded on a day, in order."""
    found = store.database.query(
        "SELECT batch, source, recorded, events, refusals FROM batches"
        " WHERE recorded BETWEEN ? AND ? AND batch > ? AND batch <= ? ORDER BY batch LIMIT ?",
        (day * DAY_US, (day + 1) * DAY_US - 1, after, store.head.batch, limit),
    )
    for batch, source, recorded, events, refusals in found:
        yield BatchOfDay(batch, store.names.texts[source], recorded, events, refusals)


def batches_as_of(store: StoreReader, as_of: AsOf) -> Iterator[PostingBatch]:
    """Yield the batches as of then, each as the ledger published it, or would have.

    In a simulation or a replayed tape the recorded time may decrease from batch to batch. Then the events recorded by
    the time are posted again without all others, in the order of the log. These batches have no head: no position of
    the log is that day.
    """
    if as_of.time is not None:
        yield from _post_again(store, as_of.time)
        return
    after = 0
    while after < as_of.position:
        page = store.published_batches(after, min(_PAGE_BATCHES, as_of.position - after))
        for batch in page:
            yield batch.postings
        after = page[-1].postings.batch


def events_between(
    store: StoreReader, since: AsOf, through: AsOf, *, after: int, texts: Sequence[str]
) -> Iterator[tuple[int, list[PlacedEvent]]]:
    """Yield the events recorded as of `through` and not as of `since` that hold some texts, and all reversals.

    They lie behind a place in the log. A page is a stretch of the log, and comes with the last place of it. No index
    helps, so that a page takes some milliseconds.
    """
    query, time = store.database.query, since.time if since.time is not None else 1 << 62
    [(first,)] = query("SELECT min(first_event) FROM batches WHERE batch > ? OR recorded > ?", (since.position, time))
    [(end,)] = query("SELECT max(first_event + events) FROM batches WHERE batch <= ?", (through.position,))
    if first is None or end is None:
        return
    held = " AND ".join("body LIKE ?" for _ in texts)
    for begin in range(max(first, after + 1), end, PAGE_EVENTS):
        last = min(begin + PAGE_EVENTS, end) - 1
        found = query(
            f"SELECT seq, body FROM events WHERE seq BETWEEN ? AND ? AND (body LIKE ? OR {held}) ORDER BY seq",  # noqa: S608
            (begin, last, '%"event.reversed"%', *(f"%{text}%" for text in texts)),
        )
        yield last, list(_placed(store, found, since, through))


def declaration_events(store: StoreReader, as_of: AsOf) -> Iterator[list[str]]:
    """Yield the events of the planners as of then, batch by batch: declarations, and reversals of them."""
    query, time = store.database.query, 1 << 62 if as_of.time is None else as_of.time
    batches = query(
        "SELECT first_event, events FROM batches WHERE batch <= ? AND recorded <= ? AND events > 0"  # noqa: S608
        f" AND stream IN ({store.names.plan_streams()}) ORDER BY batch",
        (as_of.position, time),
    )
    for first, events in batches:
        found = query("SELECT body FROM events WHERE seq BETWEEN ? AND ? ORDER BY seq", (first, first + events - 1))
        yield [body for (body,) in found]


def _placed(store: StoreReader, found: Sequence[tuple[int, str]], since: AsOf, through: AsOf) -> Iterator[PlacedEvent]:
    batch, recorded, end = 0, 0, 0
    for seq, body in found:
        if seq >= end:
            [(batch, recorded, end)] = store.database.query(
                "SELECT batch, recorded, first_event + events FROM batches WHERE first_event <= ?"
                " ORDER BY first_event DESC, batch DESC LIMIT 1",
                (seq,),
            )
        if through.has(batch, recorded) and not since.has(batch, recorded):
            yield PlacedEvent(seq, batch, Row.read(body))


def _post_again(store: StoreReader, time: int) -> Iterator[PostingBatch]:
    firsts, ends = list[int](), list[int]()  # the places in the log of each batch recorded by the time

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
            head="",
            **published_watermarks(header.source, decision.watermark),
            sources=published_sources(header),
            said=select_published(sealed.bodies),
        )
        previous = header.batch
