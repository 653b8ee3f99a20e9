"""Recording: entries of a party's stream become one batch of events, refusals and postings, in one transaction."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from operator import attrgetter
from typing import NamedTuple

import orjson

from services.ledger.books.new_events import find_fault, may_break_rules
from services.ledger.books.posting import Decision, post_events
from services.ledger.books.progress import Progress
from services.ledger.store.batches import ChainHead, NewBatch
from services.ledger.store.reader import StoreReader, new_memory
from services.ledger.store.writer import Fenced, StoreWriter
from shared.wire.batch import ENTRY_BYTES_MAX
from shared.wire.days import DAY_US, iso_time
from shared.wire.entry_reader import read_entry
from shared.wire.events import ReasonCode, Refused, canonical
from shared.wire.refusal import RefusedEvent
from shared.wire.rows import LAYOUTS, Row, canonical_bodies
from shared.wire.streams import Role, party_stream

TRANSACTION_BYTES_MAX = 1 << 19  # of entries: some 4,000 events
_ID, _TIME = attrgetter("id"), attrgetter("time")
_KEPT_BYTES = 1 << 16  # of an entry too long to be read
_recorded_time = re.compile(rb'"recorded":([0-9]{1,18})|"recordedtime":"([0-9-]{10})').search  # exact enough to cut by


class Outcome(NamedTuple):
    """The result of recording some entries."""

    head: ChainHead
    events: int
    postings: int
    duplicates: int
    refused: list[RefusedEvent]


def split_entries(entries: Sequence[tuple[str, bytes]], *, by_day: bool = False) -> Iterator[list[tuple[str, bytes]]]:
    """Yield the entries of each transaction: a backlog in one would keep other sources waiting, and fill the memory.

    With `by_day`, where senders state the recorded time, a transaction holds entries of one day: a query as of a day
    includes or excludes whole batches.
    """
    portion: list[tuple[str, bytes]] = []
    size, day = 0, b""
    for entry in entries:
        before, day = day, _day_recorded(entry[1]) if by_day else b""
        if portion and (day != before or size + len(entry[1]) > TRANSACTION_BYTES_MAX):
            yield portion
            portion, size = [], 0
        portion.append(entry)
        size += len(entry[1])
    yield portion


def _day_recorded(body: bytes) -> bytes:
    """Return the day on which an entry was recorded, in its sender's notation; empty where the sender states none."""
    found = _recorded_time(body)
    return b"" if found is None else found[2] or b"%d" % (int(found[1]) // DAY_US)


def record_entries(
    store: StoreWriter,
    stream: str,
    source: str,
    role: Role,
    entries: Sequence[tuple[str, bytes]],
    *,
    now: int,
    sent: int | None = None,
    trust_recorded: bool = False,
) -> Outcome:
    """Record some entries of a party's stream as the next batch, offset included, in one transaction.

    `now` is the recorded time, microseconds since 1970; with `trust_recorded` an entry's own recorded time takes its
    place, as in a replay or a simulation. `sent` is the time of the first entry. Raises `Fenced` if another ledger
    wrote first, and the database's error if the batch cannot be written.
    """
    read = _read(entries, source, role, now, trust_recorded=trust_recorded)
    batch = NewBatch(
        source=source,
        stream=stream,
        entry=entries[-1][0],
        recorded=read.latest,
        sent=sent,
        rows=read.rows,
        bodies=canonical_bodies(read.rows),
        refused=read.refused,
        duplicates=0,
        decision=Decision(),
    )
    head = store.head
    try:
        return _record(store, batch, read, thorough=False)
    except store.database.clash:
        if store.head != head:  # the memory was loaded again, and these entries no longer follow on it
            raise Fenced(f"batch {head.batch + 1} was taken by another ledger") from None
        # an old id under a new sequence: the index found the duplicate that the quick search passed over
        return _record(store, batch, read, thorough=True)


def rehearse_entries(store: StoreReader, source: str, role: Role, entries: Sequence[bytes], *, now: int) -> NewBatch:
    """Return the batch that some entries of a source would become by the same rules; nothing is written or numbered.

    Several transactions that record them come to the same postings.
    """
    read = _read([("", body) for body in entries], source, role, now, trust_recorded=False)
    bodies = canonical_bodies(read.rows)
    batch = NewBatch(source, party_stream(role, source), "", now, None, read.rows, bodies, read.refused, 0, Decision())
    batch = _drop_duplicates(store, batch, read, thorough=True)
    return batch._replace(decision=post_events(batch.rows, new_memory(store)))


@dataclass(slots=True)
class _ReadEntries:
    """The rows and refusals of some entries, and their recorded times."""

    rows: list[Row]
    recorded: list[int]  # of each row: it must not depend on the other entries of the batch
    faults: dict[int, Refused]  # index of a row -> the rule for new events that it breaks
    refused: list[RefusedEvent]
    latest: int  # the recorded time of the batch


def _read(
    entries: Sequence[tuple[str, bytes]], source: str, role: Role, now: int, *, trust_recorded: bool
) -> _ReadEntries:
    rows: list[Row] = []
    recorded: list[int] = []
    faults: dict[int, Refused] = {}
    times: list[int] = []
    refused: list[RefusedEvent] = []
    for _, body in entries:
        if len(body) > ENTRY_BYTES_MAX:
            why = f"the entry has {len(body)} bytes, more than {ENTRY_BYTES_MAX}"
            refused.append(RefusedEvent(None, None, "out_of_bounds", "", why, source, body[:_KEPT_BYTES]))
            continue
        good, bad, own_time = read_entry(body, source, role)
        rows += good
        refused += bad
        at = now
        if trust_recorded and own_time is not None:
            at = own_time
            times.append(at)
        recorded += repeat(at, len(good))
        # a tape states when its events were recorded: a rule made since then refuses none of them
        if may_break_rules(body) and not (trust_recorded and _is_recorded_batch(body)):
            found = ((n, find_fault(row, at)) for n, row in enumerate(good, len(rows) - len(good)))
            faults.update((n, fault) for n, fault in found if fault is not None)
    return _ReadEntries(rows, recorded, faults, refused, max(recorded + times, default=now))


def _is_recorded_batch(body: bytes) -> bool:
    """Return whether an entry is a batch that states its recorded time, as our senders write it."""
    found = _recorded_time(body)
    return found is not None and found[1] is not None


def _record(store: StoreWriter, batch: NewBatch, read: _ReadEntries, *, thorough: bool) -> Outcome:
    """Record the new events of a batch that is read, and not yet decided."""
    try:
        store.begin()
        batch = _drop_duplicates(store, batch, read, thorough=thorough)
        batch = batch._replace(decision=post_events(batch.rows, store.memory))
        head = store.write(batch)
    except BaseException:
        store.rollback()
        raise
    return Outcome(head, len(batch.rows), len(batch.decision.postings()), batch.duplicates, [*batch.refused])


def _drop_duplicates(store: StoreReader, batch: NewBatch, read: _ReadEntries, *, thorough: bool) -> NewBatch:
    """Return the batch with its new rows only: exact duplicates are counted, changed content is refused."""
    recorded, faults = read.recorded, read.faults
    source = batch.source
    newest = store.progress.get(source, Progress()).newest
    again = [row.id for row in batch.rows if thorough or row.sequence <= newest]
    again += [batch.rows[n].id for n in faults]  # refused, it would not meet the index of the ids
    if not again and not batch.refused and _are_new(batch.rows, recorded):
        return batch
    bodies_by_id = store.working_state.recorded_bodies(source, again)
    refused_before = {_content(body) for body in store.working_state.refused_bodies(source, again)}
    rows: list[Row] = []
    bodies: list[str] = []
    refused: list[RefusedEvent] = [*batch.refused]
    duplicates = 0
    for n, (row, body, at) in enumerate(zip(batch.rows, batch.bodies, recorded, strict=True)):
        before = bodies_by_id.get(row.id)
        if before == body:
            duplicates += 1
        elif before is not None:
            refused.append(_refuse(row, "identity_conflict", "id", "was said before with other content"))
        elif refused_before and canonical(row.content()) in refused_before:
            duplicates += 1  # also where the fault has passed, as of a day then in the future: one event, one verdict
        elif row.time > at + DAY_US and LAYOUTS[row.name].data.movement:
            refused.append(_refuse(row, "movement_in_future", "time", "is more than a day after it was recorded", at))
        elif n in faults:
            refused.append(_refuse(row, faults[n].code, faults[n].path, faults[n].message))
        else:
            bodies_by_id[row.id] = body
            rows.append(row)
            bodies.append(body)
    new = _drop_refused_before(store, source, refused)
    duplicates += len(refused) - len(new)
    return batch._replace(rows=rows, bodies=bodies, refused=new, duplicates=duplicates)


def _drop_refused_before(store: StoreReader, source: str, refused: list[RefusedEvent]) -> list[RefusedEvent]:
    """Return those of some refusals that are neither stored nor repeated here; without an id none is a repetition."""
    if not refused:
        return refused
    bodies = store.working_state.refused_bodies(source, {r.id for r in refused if r.id is not None})
    new = []
    for r in refused:
        if r.body not in bodies:
            new.append(r)
        if r.id is not None:
            bodies.add(r.body)
    return new


def _content(body: bytes) -> bytes:
    """Return a refused body without its recorded time; the body itself where it is no JSON object."""
    try:
        content = orjson.loads(body)
    except ValueError:
        return body
    if not isinstance(content, dict):
        return body
    return canonical({name: value for name, value in content.items() if name != "recordedtime"})


def _are_new(rows: Sequence[Row], recorded: list[int]) -> bool:
    """Return whether no two rows share an id, and none lies in the future: nearly always."""
    if not rows:
        return True
    return len({*map(_ID, rows)}) == len(rows) and max(map(_TIME, rows)) <= min(recorded) + DAY_US


def _refuse(row: Row, code: ReasonCode, path: str, message: str, recorded: int | None = None) -> RefusedEvent:
    """Return the refusal of a row; where the recorded time is the reason, the body states it, for a replay."""
    body = row.content()
    if recorded is not None:
        body["recordedtime"] = iso_time(recorded)
    return RefusedEvent(row.sequence, row.id, code, path, message, row.source, canonical(body))
