"""Rehearsal of events: the postings and refusals that they would come to now; nothing is recorded or published."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import orjson

from services.ledger.http.models import Rehearsal
from services.ledger.store.batches import NewBatch
from services.ledger.store.reader import StoreReader
from services.ledger.store.recording import rehearse_entries
from shared.http.answering import RouteDoc
from shared.http.problem import BUSY, TOO_LONG, UNFIT, UNKNOWN_NAME, Problem
from shared.http.query import Query, Text
from shared.wire.events import NAME_PATTERN
from shared.wire.postings import PostingBatch
from shared.wire.rows import WATERMARKS
from shared.wire.streams import Role

PATH = "/rehearsal"
_EVERYWHERE = WATERMARKS | {"programme.declared"}


@dataclass(frozen=True, kw_only=True)
class RehearsalQuery(Query):
    """The parameter of `POST /rehearsal`."""

    source: Annotated[str, Text(NAME_PATTERN, "a name"), "The source of the events."]


DOC = RouteDoc(
    "The postings of events as if they were recorded now; nothing is recorded.",
    "The same rules drop duplicates, refuse and post. Watermarks and declarations of the programme are not answered.",
    RehearsalQuery,
    Rehearsal,
    problems=(UNKNOWN_NAME, TOO_LONG, UNFIT, BUSY),
    body="CloudEvents of the source, one a line, as `POST /events` of its party takes them once each field is filled.",
)


def rehearse(store: StoreReader, source: str, role: Role, body: bytes, now: int) -> dict[str, Any]:
    """Return the posting batch that the CloudEvents of a body, one a line, would become, and their refusals.

    Raise `Problem` where one moves the last complete day or the horizon, and so the plan of every product-site.
    """
    batch = rehearse_entries(store, source, role, [*_entries(body)], now=now)
    everywhere = sorted(_names(store, batch) & _EVERYWHERE)
    if everywhere:
        detail = f"{everywhere[0]} moves the last complete day or the horizon, and so every balance: leave it out"
        raise Problem(UNFIT, detail)
    postings = PostingBatch.of(
        [(measure, day, key, wafers) for (measure, day, key), wafers in batch.decision.postings()],
        epoch=store.epoch, batch=store.head.batch + 1, previous=store.head.batch, events=len(batch.rows), head="",
        watermarks={}, sources=[],
    )  # fmt: skip
    return {
        "postings": dict(postings),
        "duplicates": batch.duplicates,
        "refused": [
            {"line": each.sequence, "id": each.id, "code": each.code, "path": each.path, "message": each.message}
            for each in batch.refused
        ],
    }


def _entries(body: bytes) -> Iterator[bytes]:
    """Yield the lines as entries; the number of a line takes the place of its event's sequence."""
    for number, line in enumerate(body.splitlines(), 1):
        if not line.strip():
            continue
        try:
            event = orjson.loads(line)
        except ValueError:
            event = None  # the reader refuses it, and says why
        yield orjson.dumps({**event, "sequence": str(number)}) if isinstance(event, dict) else line


def _names(store: StoreReader, batch: NewBatch) -> set[str]:
    """Return the names of the events, and of those that they reverse."""
    undone = (store.load_event(*target) for target in batch.decision.reversals)
    return {row.name for row in batch.rows} | {row.name for row in undone if row is not None}
