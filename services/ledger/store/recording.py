"""How entries become a batch: read strictly, told apart from what was said before, posted, written whole."""

from collections.abc import Sequence
from itertools import repeat
from typing import NamedTuple

import orjson

from services.ledger.books.posting import Decision, post_events
from services.ledger.store.store import Batch, Fenced, Head, Progress, Store
from shared.wire.batch import ENTRY_BYTES_MAX
from shared.wire.days import DAY_US, iso_time
from shared.wire.entry_reader import read_entry
from shared.wire.events import ReasonCode, canonical
from shared.wire.refusal import RefusedEvent
from shared.wire.rows import LAYOUTS, Row, canonical_bodies
from shared.wire.streams import Role

_KEPT_BYTES = 1 << 16  # of an entry too long to be read


class Outcome(NamedTuple):
    """What became of some entries."""

    head: Head
    events: int
    postings: int
    duplicates: int
    refused: list[RefusedEvent]


def record_entries(
    store: Store,
    stream: str,
    source: str,
    role: Role,
    entries: Sequence[tuple[str, bytes]],
    *,
    now: int,
    told: int | None = None,
    trust_recorded: bool = False,
) -> Outcome:
    """Record some entries of a party's stream as the next batch, offsets and all, in one transaction.

    `now` is when they are recorded, microseconds since 1970; a replay and a simulation say it themselves
    (`trust_recorded`). Raises `Fenced` if another ledger was quicker, the database's error if nothing could be written.
    """
    said = _read(entries, source, role, now, trust_recorded=trust_recorded)
    batch = Batch(
        source,
        stream,
        entries[-1][0],
        said.at,
        told,
        said.rows,
        canonical_bodies(said.rows),
        said.refused,
        0,
        Decision(),
    )
    head = store.head
    try:
        return _record(store, batch, said.recorded, thorough=False)
    except store.database.clash:
        if store.head != head:  # what is remembered was read anew, and is no longer what these entries follow
            raise Fenced(f"batch {head.batch + 1} was taken by another ledger") from None
        # an old id under a new sequence: the index found what the quick look did not search for
        return _record(store, batch, said.recorded, thorough=True)


class _Said(NamedTuple):
    """What stood in some entries: the good rows and when each was recorded, what is refused, and when all was."""

    rows: list[Row]
    recorded: list[int]
    refused: list[RefusedEvent]
    at: int


def _read(entries: Sequence[tuple[str, bytes]], source: str, role: Role, now: int, *, trust_recorded: bool) -> _Said:
    rows: list[Row] = []
    recorded: list[int] = []  # of each row: it must not depend on which entries share a batch
    times: list[int] = []
    refused: list[RefusedEvent] = []
    for _, body in entries:
        if len(body) > ENTRY_BYTES_MAX:
            why = f"the entry has {len(body)} bytes, more than {ENTRY_BYTES_MAX}"
            refused.append(RefusedEvent(None, None, "out_of_bounds", "", why, source, body[:_KEPT_BYTES]))
            continue
        good, bad, said_recorded = read_entry(body, source, role)
        rows += good
        refused += bad
        at = now
        if trust_recorded and said_recorded is not None:
            at = said_recorded
            times.append(at)
        recorded += repeat(at, len(good))
    return _Said(rows, recorded, refused, max(recorded + times, default=now))


def _record(store: Store, batch: Batch, recorded: list[int], *, thorough: bool) -> Outcome:
    """Record what is new of a batch; all of it is read, nothing is decided."""
    try:
        store.begin()
        batch = _tell_apart(store, batch, recorded, thorough=thorough)
        batch = batch._replace(decision=post_events(batch.rows, store.memory))
        head = store.write(batch)
    except BaseException:
        store.rollback()
        raise
    return Outcome(head, len(batch.rows), len(batch.decision.postings()), batch.duplicates, [*batch.refused])


def _tell_apart(store: Store, batch: Batch, recorded: list[int], *, thorough: bool) -> Batch:
    """Return the batch with what was never said before; what was, and is the same, is counted, else refused."""
    source = batch.source
    newest = store.progress.get(source, Progress()).newest
    again = [row.id for row in batch.rows if thorough or row.sequence <= newest]
    if not again and not batch.refused and _are_new(batch.rows, recorded):
        return batch
    known = store.bodies(source, again)
    turned_down = {_content(body) for body in store.refused_bodies(source, again)}
    rows: list[Row] = []
    bodies: list[str] = []
    refused: list[RefusedEvent] = []
    duplicates = 0
    for row, body, at in zip(batch.rows, batch.bodies, recorded, strict=True):
        before = known.get(row.id)
        if before == body:
            duplicates += 1
        elif before is not None:
            refused.append(_refuse(row, "identity_conflict", "id", "was said before with other content"))
        elif turned_down and canonical(row.content()) in turned_down:
            duplicates += (
                1  # also where what was wrong then, a day yet to come, is right by now: one event, one verdict
            )
        elif row.time > at + DAY_US and LAYOUTS[row.name].data.movement:
            refused.append(_refuse(row, "movement_in_future", "time", "is more than a day after it was recorded", at))
        else:
            known[row.id] = body
            rows.append(row)
            bodies.append(body)
    refused = [*batch.refused, *refused]
    if refused:
        heard = store.refused_bodies(source, {r.id for r in refused if r.id is not None})
        new = []
        for r in refused:
            if r.body not in heard:
                new.append(r)
            if r.id is not None:  # twice in this batch is once, as in two; what has no id is never the same again
                heard.add(r.body)
        duplicates += len(refused) - len(new)
        refused = new
    return batch._replace(rows=rows, bodies=bodies, refused=refused, duplicates=duplicates)


def _content(body: bytes) -> bytes:
    """Return what a refused body says, without when it was recorded; the body itself where it is no JSON object."""
    try:
        content = orjson.loads(body)
    except ValueError:
        return body
    return (
        canonical({name: value for name, value in content.items() if name != "recordedtime"})
        if isinstance(content, dict)
        else body
    )


def _are_new(rows: Sequence[Row], recorded: list[int]) -> bool:
    """Return whether none of some rows says what another does, nor what is yet to come: nearly always."""
    if not rows:
        return True
    return len({row.id for row in rows}) == len(rows) and max(row.time for row in rows) <= min(recorded) + DAY_US


def _refuse(row: Row, code: ReasonCode, path: str, message: str, recorded: int | None = None) -> RefusedEvent:
    """Return the refusal of a row; where the time it was recorded is the reason, the body names it, for a replay."""
    body = row.content()
    if recorded is not None:
        body["recordedtime"] = iso_time(recorded)
    return RefusedEvent(row.sequence, row.id, code, path, message, row.source, canonical(body))
