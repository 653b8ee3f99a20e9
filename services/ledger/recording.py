"""How entries become a batch: read strictly, told apart from what was said before, posted, written whole."""

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from services.ledger.posting import post_events
from services.ledger.store import Head, Progress, Store
from shared.batch import LAYOUTS, RefusedRow, Row, read_entry
from shared.events import ReasonCode, canonical
from shared.streams import Role

ENTRY_BYTES_MAX = 1 << 20
_KEPT_BYTES = 1 << 16  # of an entry too long to be read
_DAY_US = 86_400_000_000


class Outcome(NamedTuple):
    """What became of some entries."""

    head: Head
    events: int
    postings: int
    duplicates: int
    refused: list[RefusedRow]


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
    (`trust_recorded`). Raises `Fenced` if another ledger was quicker, `sqlite3.Error` where nothing could be written.
    """
    rows: list[Row] = []
    refused: list[RefusedRow] = []
    recorded = now
    for _, body in entries:
        if len(body) > ENTRY_BYTES_MAX:
            why = f"the entry has {len(body)} bytes, more than {ENTRY_BYTES_MAX}"
            refused.append(RefusedRow(source, None, None, "out_of_bounds", "", why, body[:_KEPT_BYTES]))
            continue
        good, bad, said_recorded = read_entry(body, source, role)
        rows += good
        refused += bad
        if trust_recorded and said_recorded is not None:
            recorded = said_recorded
    entry = {stream: entries[-1][0]}
    digests = [row.digest() for row in rows]
    try:
        return _record(store, source, rows, digests, refused, recorded, entry, told, thorough=False)
    except sqlite3.IntegrityError:
        # an old id under a new sequence: the index found what the quick look did not search for
        return _record(store, source, rows, digests, refused, recorded, entry, told, thorough=True)


def _record(
    store: Store,
    source: str,
    rows: list[Row],
    digests: list[bytes],
    refused: list[RefusedRow],
    recorded: int,
    entry: dict[str, str],
    told: int | None,
    *,
    thorough: bool,
) -> Outcome:
    store.begin()
    try:
        fresh, fresh_digests, duplicates, more = _tell_apart(store, source, rows, digests, recorded, thorough)
        decision = post_events(fresh, store.memory)
        head = store.write(
            recorded,
            fresh,
            fresh_digests,
            decision,
            refused + more,
            {source: duplicates} if duplicates else {},
            entry,
            told,
        )
    except BaseException:
        store.rollback()
        raise
    return Outcome(head, len(fresh), len(decision.postings), len(duplicates), refused + more)


def _tell_apart(
    store: Store, source: str, rows: list[Row], digests: list[bytes], recorded: int, thorough: bool
) -> tuple[list[Row], list[bytes], list[int], list[RefusedRow]]:
    """Return what was never said before, its digests, the sequences of the duplicates, and what is refused."""
    progress = store.progress.get(source, Progress(0, frozenset(), None))
    newest = max(progress.ahead, default=progress.through)
    known = store.digests(source, [row.id for row in rows if thorough or row.sequence <= newest])
    fresh: list[Row] = []
    fresh_digests: list[bytes] = []
    duplicates: list[int] = []
    refused: list[RefusedRow] = []
    said: dict[str, bytes] = {}
    for row, digest in zip(rows, digests, strict=True):
        before = known.get(row.id) or said.get(row.id)
        if before == digest:
            duplicates.append(row.sequence)
        elif before is not None:
            refused.append(_refuse(row, "identity_conflict", "id", "was said before with other content"))
        elif LAYOUTS[row.name].data.movement and row.time > recorded + _DAY_US:
            refused.append(_refuse(row, "movement_in_future", "time", "is more than a day after it was recorded"))
        else:
            said[row.id] = digest
            fresh.append(row)
            fresh_digests.append(digest)
    return fresh, fresh_digests, duplicates, refused


def _refuse(row: Row, code: ReasonCode, path: str, message: str) -> RefusedRow:
    return RefusedRow(row.source, row.sequence, row.id, code, path, message, canonical(row.content()))
