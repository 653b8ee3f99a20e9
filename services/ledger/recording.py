"""How entries become a batch: read strictly, told apart from what was said before, posted, written whole."""

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from services.ledger.posting import post_events
from services.ledger.store import Head, Progress, Store
from shared.batch import ENTRY_BYTES_MAX, LAYOUTS, RefusedRow, Row, read_entry
from shared.events import ReasonCode, canonical, write_time
from shared.streams import Role

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
    recorded: list[int] = []  # of each row: it must not depend on which entries share a batch
    times: list[int] = []
    refused: list[RefusedRow] = []
    for _, body in entries:
        if len(body) > ENTRY_BYTES_MAX:
            why = f"the entry has {len(body)} bytes, more than {ENTRY_BYTES_MAX}"
            refused.append(RefusedRow(source, None, None, "out_of_bounds", "", why, body[:_KEPT_BYTES]))
            continue
        good, bad, said_recorded = read_entry(body, source, role)
        rows += good
        refused += bad
        trusted = said_recorded if trust_recorded and said_recorded is not None else None
        recorded += [now if trusted is None else trusted] * len(good)
        times += [] if trusted is None else [trusted]
    said = _Said(rows, [row.digest() for row in rows], recorded, refused)
    offsets = {stream: entries[-1][0]}
    at = max(recorded + times, default=now)
    try:
        return _record(store, source, said, at, offsets, told, thorough=False)
    except sqlite3.IntegrityError:
        # an old id under a new sequence: the index found what the quick look did not search for
        return _record(store, source, said, at, offsets, told, thorough=True)


class _Said(NamedTuple):
    """What stood in some entries: the good rows, the digest of each and when it was recorded, and what is refused."""

    rows: list[Row]
    digests: list[bytes]
    recorded: list[int]
    refused: list[RefusedRow]


def _record(
    store: Store, source: str, said: _Said, recorded: int, offsets: dict[str, str], told: int | None, *, thorough: bool
) -> Outcome:
    try:
        store.begin()
        fresh, digests, duplicates, refused = _tell_apart(store, source, said, thorough=thorough)
        decision = post_events(fresh, store.memory)
        head = store.write(
            recorded, fresh, digests, decision, refused, {source: duplicates} if duplicates else {}, offsets, told
        )
    except BaseException:
        store.rollback()
        raise
    return Outcome(head, len(fresh), len(decision.postings), len(duplicates), refused)


def _tell_apart(
    store: Store, source: str, said: _Said, *, thorough: bool
) -> tuple[list[Row], list[bytes], list[int], list[RefusedRow]]:
    """Return what was never said before, its digests, the sequences of the duplicates, and what is refused."""
    newest = store.progress.get(source, Progress()).newest
    known = store.digests(source, [row.id for row in said.rows if thorough or row.sequence <= newest])
    fresh: list[Row] = []
    digests: list[bytes] = []
    duplicates: list[int] = []
    refused = said.refused.copy()
    for row, digest, recorded in zip(said.rows, said.digests, said.recorded, strict=True):
        before = known.get(row.id)
        if before == digest:
            duplicates.append(row.sequence)
        elif before is not None:
            refused.append(_refuse(row, "identity_conflict", "id", "was said before with other content"))
        elif row.time > recorded + _DAY_US and LAYOUTS[row.name].data.movement:
            refused.append(
                _refuse(row, "movement_in_future", "time", "is more than a day after it was recorded", recorded)
            )
        else:
            known[row.id] = digest
            fresh.append(row)
            digests.append(digest)
    return fresh, digests, duplicates, refused


def _refuse(row: Row, code: ReasonCode, path: str, message: str, recorded: int | None = None) -> RefusedRow:
    """Return the refusal of a row; where the time it was recorded is the reason, the body names it, for a replay."""
    body = row.content()
    if recorded is not None:
        body["recordedtime"] = write_time(recorded)
    return RefusedRow(row.source, row.sequence, row.id, code, path, message, canonical(body))
