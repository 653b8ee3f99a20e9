"""Tapes: one CloudEvent a line, as published, with its recording time; written from a store, played into a stack."""

import gzip
import itertools
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import orjson
from redis import Redis
from redis.exceptions import RedisError

from services.ledger.books.new_events import find_fault
from services.ledger.store.reader import StoreReader
from services.operator.record.store import expect_sealed
from services.operator.stack.errors import StackError
from services.operator.stack.settling import settle
from services.operator.stack.stack import Stack
from shared.party.outbox import Outbox
from shared.wire.batch import BATCH_MAX, ENTRY_BYTES_MAX, EventBatch
from shared.wire.days import microseconds
from shared.wire.events import DAY_MAX, DAY_MIN, EVENTS, PREFIX, VERSION, Event, Refused, named_source
from shared.wire.rows import Row
from shared.wire.streams import DATA, Role, party_stream

LINE_BYTES_MAX = 4 * ENTRY_BYTES_MAX  # an entry that was refused takes up to three times its bytes in ASCII
_PIPELINE_MAX = 50  # entries sent to Redis at once


class TapeEntry(NamedTuple):
    """One stream entry of a tape: its source, recording time (microseconds since 1970), event count and body."""

    source: str
    recorded: int
    events: int
    body: bytes


def write_tape(path: Path, *, compressed: bool) -> IO[bytes]:
    """Open a tape for writing."""
    return cast(IO[bytes], gzip.open(path, "wb") if compressed else path.open("wb"))


def read_tape(path: Path) -> Iterator[bytes]:
    """Yield the lines of a tape, one named .gz decompressed.

    Raise `StackError` where it is damaged, cut, empty or no tape. A few megabytes may decompress to one line of any
    length: a line is never read further than its bound.
    """
    with cast(IO[bytes], gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")) as file:
        for number in itertools.count(1):
            try:
                line = file.readline(LINE_BYTES_MAX + 1)
            except (EOFError, gzip.BadGzipFile, zlib.error) as why:
                raise StackError(f"{path} is cut or damaged at line {number} ({why}): record or copy it again") from why
            if len(line) > LINE_BYTES_MAX:
                raise StackError(f"line {number} of {path} has more than {LINE_BYTES_MAX} bytes: this is no tape")
            if not line and number == 1:
                raise StackError(f"{path} is empty: a tape has one event a line")
            if not line:
                return
            yield line


def record_lines(store: StoreReader, after: int = 0, until: int | None = None) -> Iterator[tuple[int, list[bytes]]]:
    """Yield the number and the lines of each batch after a position: recorded events, then refused ones, as published.

    A refused body that no replay could put on its source's stream is left out: no JSON, or of another source.
    """
    for sealed in expect_sealed(store.sealed_batches(after)):
        header = sealed.batch.header
        if until is not None and header.batch > until:
            return
        lines = [orjson.dumps(Row.read(body).event(header.recorded).cloud_event()) for body in sealed.bodies]
        for refusal in store.refusals(header.batch) if header.refusals else ():
            body = refusal.body.replace(b"\n", b" ").replace(b"\r", b" ")
            if named_source(body) == refusal.source:
                lines.append(body)
        yield header.batch, lines


def entries(
    lines: Iterable[bytes],
    from_: date = DAY_MIN,
    until: date = DAY_MAX,
    note: Callable[[Event], None] = lambda _: None,
) -> Iterator[TapeEntry]:
    """Yield the stream entries that play a tape: events recorded together in one batch, a malformed one by itself.

    `from_` and `until` select by the day of an event's time; a malformed event has none and is always included. `note`
    is called with each of the others. Raise `StackError` at the first line that is no event of any source.
    """
    run: list[Event] = []
    last = 0
    stated = None  # the last recording time on the tape
    for number, line in enumerate(lines, 1):
        event = _read(line, number)
        if isinstance(event, Event) and not from_ <= event.time.date() <= until:
            continue
        if isinstance(event, Event):
            note(event)
        if isinstance(event, Event) and event.recordedtime is not None:
            stated = event.recordedtime
        refused = isinstance(event, Event) and _was_refused(event, stated)
        if run and (refused or not _follows(run, event)):
            yield from _pack(run)
            run = []
        if isinstance(event, Event) and refused:
            alone = event.model_copy(update={"recordedtime": stated or event.time})
            yield TapeEntry(event.source, _recorded(alone), 1, orjson.dumps(alone.cloud_event()))
        elif isinstance(event, Event):
            run.append(event)
            last = _recorded(event)
        elif event is not None:
            yield TapeEntry(event, last, 1, line.strip())
    if run:
        yield from _pack(run)


def _read(line: bytes, number: int) -> Event | str | None:
    """Return the event of a line, only its source if the event is malformed, None for an empty line."""
    if not line.strip():
        return None
    try:
        return Event.read(line)
    except Refused:
        source = named_source(line)
        if not isinstance(source, str):
            raise StackError(f"line {number} of the tape is no event of any source: {line[:80]!r}") from None
        return source


def _was_refused(event: Event, stated: datetime | None) -> bool:
    """Return whether a rule for new events refused an event: a tape states no recording time for it.

    The ledger takes a batch with a recording time as recorded before, and looks at no such rule.
    """
    recorded = microseconds(stated or event.time)
    return event.recordedtime is None and find_fault(Row.of(event), recorded) is not None


def _follows(run: list[Event], event: Event | str | None) -> bool:
    last = run[-1]
    return (
        isinstance(event, Event)
        and event.source == last.source
        and event.sequence == last.sequence + 1
        and event.recordedtime == last.recordedtime
        and len(run) < BATCH_MAX
    )


def _recorded(event: Event) -> int:
    return microseconds(event.recordedtime or event.time)


def _pack(run: list[Event]) -> Iterator[TapeEntry]:
    """Yield a run of events as one entry, or as several where one would be longer than the ledger reads."""
    recorded = _recorded(run[0])
    body = EventBatch.of(run, recorded).encode()
    if len(body) > ENTRY_BYTES_MAX and len(run) > 1:
        half = len(run) // 2
        yield from _pack(run[:half])
        yield from _pack(run[half:])
    else:
        yield TapeEntry(run[0].source, recorded, len(run), body)


def source_roles(lines: Iterable[bytes]) -> tuple[dict[str, Role], int]:
    """Return the role of each source on a tape, and its number of lines; events of every role tell no role."""
    found: dict[str, Role] = {}
    count = 0
    by_type = {PREFIX + name + VERSION: data.published_by for name, data in EVENTS.items()}
    for line in lines:
        count += bool(line.strip())
        try:
            event = orjson.loads(line) if line.strip() else {}
        except ValueError:
            continue  # `entries` reports it
        publishers = by_type.get(str(event.get("type")), frozenset()) if isinstance(event, dict) else frozenset()
        if len(publishers) == 1 and isinstance(event.get("source"), str):
            found.setdefault(event["source"], next(iter(publishers)))
    return found, count


def play(stack: Stack, tape: Iterable[TapeEntry], speed: float | None, advance: Callable[[int], None]) -> None:
    """Play a tape to a running stack at `speed` times its pace, None: unpaced; wait until the stack has settled."""
    role_of = {source: role for role, sources in stack.sources().items() for source in sources}
    began, first_recorded = time.monotonic(), None
    with _redis_errors_reported(stack), Redis.from_url(stack.redis_url) as redis:
        pipeline = redis.pipeline(transaction=False)
        for entry in tape:
            if entry.source not in role_of:
                raise StackError(f"no event on the tape shows whether {entry.source!r} is a supplier or needs wafers")
            if speed is not None:
                first_recorded = entry.recorded if first_recorded is None else first_recorded
                pipeline.execute()
                time.sleep(max(0.0, began + (entry.recorded - first_recorded) / 1e6 / speed - time.monotonic()))
            pipeline.xadd(party_stream(role_of[entry.source], entry.source), {DATA: entry.body})
            advance(entry.events)
            if len(pipeline) >= _PIPELINE_MAX:
                pipeline.execute()
        pipeline.execute()
    settle(stack)


def fill_outboxes(folder: Path, head: Mapping[str, Any], revisions: Mapping[str, Mapping[str, int]]) -> None:
    """Have the outbox of each party begin after the events of its tape, so that the store can be brought up.

    `revisions` are the greatest of each line that these revise, by source.
    """
    for source, facts in head["sources"].items():
        newest = max([facts["through"], *(last for _, last in facts["ahead"])])
        if newest:
            Outbox(folder / f"{source}.db").begin_after(newest, revisions.get(source, {}))


@contextmanager
def _redis_errors_reported(stack: Stack) -> Iterator[None]:
    """Report a Redis that takes no more, as one that has died, or has a full disk."""
    try:
        yield
    except RedisError as why:
        raise StackError(f"Redis takes no more of the tape ({why}); see {stack.files.log('redis')}") from why
