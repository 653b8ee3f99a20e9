"""Tapes: one CloudEvent a line, as it was said and when it was recorded; from a store, and into a fresh one."""

import gzip
import json
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import IO, NamedTuple, cast

import orjson
from redis import Redis

from services.ledger.store.store import Store
from services.operator.record.proof import expect_sealed
from services.operator.stack.calling import call
from services.operator.stack.finding import StackError
from services.operator.stack.stack import Elsewhere, Stack
from shared.wire.batch import BATCH_MAX, EventBatch, Row
from shared.wire.days import microseconds
from shared.wire.events import DAY_MAX, DAY_MIN, EVENTS, PREFIX, VERSION, Event, Refused, parse_strictly
from shared.wire.streams import DATA, Role, party_stream

MORE_IS_TOLD = "more is told to whoever has a token with read, audit or metrics, named in WAFERLINE_TOKEN_FILE"
_SENT_AT_ONCE = 50
_SETTLED_WITHIN_S = 600.0


class Entry(NamedTuple):
    """One entry of a replay: whose it is, when it was recorded (microseconds since 1970), and its body."""

    source: str
    recorded: int
    events: int
    body: bytes


def open_tape(path: Path, mode: str) -> IO[bytes]:
    """Return a tape opened for reading or writing; one named .gz is compressed."""
    return cast(IO[bytes], gzip.open(path, mode) if path.suffix == ".gz" else path.open(mode))


def record(store: Store, after: int = 0, until: int | None = None) -> Iterator[tuple[int, list[bytes]]]:
    """Yield each batch after a position with its lines: what was recorded, then what was refused, as it was said.

    Left out is a refused body that no replay could put on its source's stream again: no JSON, or of another source.
    """
    for sealed in expect_sealed(store.sealed_batches(after)):
        header = sealed.batch.header
        if until is not None and header.batch > until:
            return
        lines = [orjson.dumps(Row.read(body).event(header.recorded).cloud_event()) for body in sealed.bodies]
        for refusal in store.refusals(header.batch) if header.refusals else ():
            body = refusal.body.replace(b"\n", b" ").replace(b"\r", b" ")
            if _source_of(body) == refusal.source:
                lines.append(body)
        yield header.batch, lines


def entries(lines: Iterable[bytes], from_: date = DAY_MIN, until: date = DAY_MAX) -> Iterator[Entry]:
    """Yield the entries that say a tape again: what was recorded together in one batch, what is wrong alone.

    `from_` and `until` choose by the day of an event's time; what cannot be read has none and goes in.
    """
    run: list[Event] = []
    last = 0
    for line in lines:
        event = _read(line)
        if isinstance(event, Event) and not from_ <= event.time.date() <= until:
            continue
        if run and not _follows(run, event):
            yield _entry(run)
            run = []
        if isinstance(event, Event):
            run.append(event)
            last = _recorded(event)
        elif event is not None:
            yield Entry(event, last, 1, line.strip())
    if run:
        yield _entry(run)


def _read(line: bytes) -> Event | str | None:
    """Return the event of a line, the source alone where the event is wrong, None for an empty line."""
    if not line.strip():
        return None
    try:
        return Event.read(line)
    except Refused:
        source = _source_of(line)
        if not isinstance(source, str):
            raise StackError(f"a line of the tape is no event of anybody: {line[:80]!r}") from None
        return source


def _source_of(body: bytes) -> object:
    """Return the source that a JSON object names, also where it names a key twice; None where it is none."""
    try:
        return parse_strictly(body).get("source")
    except Refused as why:
        return json.loads(body).get("source") if why.code == "duplicate_key" else None


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


def _entry(run: list[Event]) -> Entry:
    recorded = _recorded(run[0])
    return Entry(run[0].source, recorded, len(run), EventBatch.of(run, recorded).encode())


def roles(lines: Iterable[bytes]) -> tuple[dict[str, Role], int]:
    """Return who speaks on a tape and as what, and how many lines it has; what everyone may say tells nothing."""
    found: dict[str, Role] = {}
    count = 0
    by_type = {PREFIX + name + VERSION: data.said_by for name, data in EVENTS.items()}
    for line in lines:
        count += bool(line.strip())
        try:
            event = orjson.loads(line) if line.strip() else {}
        except ValueError:
            continue  # it is named when its turn comes
        said_by = by_type.get(str(event.get("type")), frozenset()) if isinstance(event, dict) else frozenset()
        if len(said_by) == 1 and isinstance(event.get("source"), str):
            found.setdefault(event["source"], next(iter(said_by)))
    return found, count


def play(stack: Stack, tape: Iterable[Entry], speed: float | None, advance: Callable[[int], None]) -> None:
    """Say a tape to a running stack, at its own pace times `speed` or as fast as it goes; wait until it is folded."""
    role: dict[str, Role] = dict.fromkeys(stack.suppliers, "supplier")
    role |= dict.fromkeys(stack.datacenters, "datacenter")
    began, first = time.monotonic(), None
    with Redis.from_url(stack.redis_url) as redis:
        pipeline = redis.pipeline(transaction=False)
        for entry in tape:
            if entry.source not in role:
                raise StackError(f"nothing on the tape tells whether its source {entry.source!r} supplies or needs")
            if speed is not None:
                first = entry.recorded if first is None else first
                pipeline.execute()
                time.sleep(max(0.0, began + (entry.recorded - first) / 1e6 / speed - time.monotonic()))
            pipeline.xadd(party_stream(role[entry.source], entry.source), {DATA: entry.body})
            advance(entry.events)
            if len(pipeline) >= _SENT_AT_ONCE:
                pipeline.execute()
        pipeline.execute()
    settle(stack)


def settle(stack: Stack | Elsewhere) -> None:
    """Wait until everything on the streams is recorded, folded and planned with."""
    deadline = time.monotonic() + _SETTLED_WITHIN_S
    while time.monotonic() < deadline:
        ledger, aggregator = (call(stack.url(name) + "/health").json() for name in ("ledger", "aggregator"))
        if "position" not in ledger:
            raise StackError(f"the stack does not tell how far it is: {MORE_IS_TOLD}")
        behind = [stream for stream, lag in ledger["streams"].items() if lag["behind"]]
        if not behind and aggregator["planned"] == ledger["position"]:
            return
        time.sleep(0.1)
    raise StackError(f"the stack did not settle within {_SETTLED_WITHIN_S:.0f} s; see {stack.folder}/logs")
