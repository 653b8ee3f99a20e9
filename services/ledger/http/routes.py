"""The ledger's HTTP routes: what became of an event, the postings after a position, the head of the chain."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Annotated, Any, NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from services.ledger.http import models as answers
from services.ledger.store.as_of import Known, NeverKnown, known_as_of, told_then
from services.ledger.store.store import Store, StoredRefusal
from shared.http.access import AUDIT, ScopedRoute
from shared.http.answering import CSV_FORMATS, NDJSON, View, serve
from shared.http.problem import NEVER_KNOWN, UNKNOWN_BATCH, UNKNOWN_EVENT, Problem
from shared.http.query import Choice, Moment, Query, Text, Whole
from shared.wire.rows import Row

_PAGE_MAX = 200
_POSITION_MAX = 10**18 - 1
_LINES_AT_ONCE = 16
_UUID = Text("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "a UUID in lower case")

Format = Annotated[str | None, Choice(CSV_FORMATS), "`csv`: the rows, as `Accept: text/csv` asks for them, too."]


class Books(NamedTuple):
    """A store, and the way to open it again, to be read beside whoever records."""

    store: Store
    open_again: Callable[[], Store]


def routes(store: Store, open_again: Callable[[], Store]) -> list[ScopedRoute]:
    """Return the routes over a store. An answer is made between two batches, so that what is read is whole."""
    books = Books(store, open_again)

    async def find(_: Query) -> Books:
        return books

    def stand(_: Books) -> tuple[int, int]:
        return store.epoch, store.head.batch

    return [serve(view, find, stand, scope=AUDIT) for view in views()]


def views() -> list[View[Books]]:
    """Return what there is to be asked."""
    return [
        View("/events/{source}/{id}", _event, AskEvent, answers.Verdict, (UNKNOWN_EVENT,)),
        View("/batches/{batch}", _batch, AskBatch, answers.SealedBatch, (UNKNOWN_BATCH,)),
        View("/related/{id}", _related, AskRelated, answers.Events),
        View("/postings", _postings, AskPostings, None, (NEVER_KNOWN,), NDJSON),
        View("/known", _known, AskKnown, answers.Known, (NEVER_KNOWN,)),
        View("/head", _head, Query, answers.Head),
        View("/refusals", _refusals, AskRefusals, answers.Refusals),
        View("/counts", _counts, Query, answers.Counts),
    ]


# ---------------------------------------------------------------- what is asked


@dataclass(frozen=True, kw_only=True)
class AskEvent(Query):
    """The parameters of `/events/{source}/{id}`."""

    source: Annotated[str, Text(), "Who said it."]
    id: Annotated[str, _UUID, "Its id."]


@dataclass(frozen=True, kw_only=True)
class AskBatch(Query):
    """The parameters of `/batches/{batch}`."""

    batch: Annotated[int, Whole(0, _POSITION_MAX), "Its number, from 1."]


@dataclass(frozen=True, kw_only=True)
class AskRelated(Query):
    """The parameters of `/related/{id}`."""

    id: Annotated[str, _UUID, "The id of an event."]
    format: Format = None


@dataclass(frozen=True, kw_only=True)
class AskPostings(Query):
    """The parameters of `/postings`."""

    after: Annotated[int, Whole(0, _POSITION_MAX), "Batches behind this one."] = 0
    limit: Annotated[int, Whole(1, _PAGE_MAX), "Batches of a page, at most."] = 100
    as_of: Annotated[
        str | None,
        Moment(),
        "All batches that were known after this one, or at the end of this UTC day, in place of a page.",
    ] = None


@dataclass(frozen=True, kw_only=True)
class AskKnown(Query):
    """The parameters of `/known`."""

    as_of: Annotated[str, Moment(), "After this batch, or at the end of this UTC day."]


@dataclass(frozen=True, kw_only=True)
class AskRefusals(Query):
    """The parameters of `/refusals`."""

    format: Format = None


# ---------------------------------------------------------------- what is answered


async def _event(books: Books, query: AskEvent) -> dict[str, Any]:
    """What became of an event.

    It was recorded, in a batch, and is told as it was said; or it was refused, and it is told why.
    """
    verdict = books.store.verdict(query.source, query.id)
    if verdict["status"] == "unknown":
        detail = f"the ledger knows no {query.source[:80]}/{query.id}: {UNKNOWN_EVENT.remedy}"
        raise Problem(UNKNOWN_EVENT, detail, parameter="id")
    return verdict


async def _batch(books: Books, query: AskBatch) -> dict[str, Any]:
    """The document of a batch, as text, and the head that is its SHA-256 (docs/proof.md)."""
    store, number = books.store, query.batch
    if not 1 <= number <= store.head.batch:
        raise Problem(UNKNOWN_BATCH, f"batch is 1 to {store.head.batch}, not {number}", parameter="batch")
    [sealed] = store.sealed_batches(number - 1, 1)
    head, text = sealed.batch.hash.hex(), sealed.document().decode()
    return {"epoch": store.epoch, "batch": number, "head": head, "document": text}


async def _related(books: Books, query: AskRelated) -> list[dict[str, Any]]:
    """The events that have an id, follow from it, or name it as what they belong to; the first 200."""
    rows: list[Row] = []
    for page in books.store.related(query.id):
        rows += page
        if len(rows) >= _PAGE_MAX:
            break
        await asyncio.sleep(0)  # whoever records, or asks, has a turn
    return [row.content() for row in rows[:_PAGE_MAX]]


async def _postings(books: Books, query: AskPostings) -> Response:
    """The postings behind a position, a batch a line, each as it is told on the stream (docs/events.md)."""
    if query.as_of is not None:
        known = _find_known(books.store, query.as_of)
        return StreamingResponse(_in_turn(_lines_then(books, known)), media_type=NDJSON)
    batches = books.store.told_batches(query.after, query.limit)
    return Response(b"".join(batch.postings.encode() + b"\n" for batch in batches), media_type=NDJSON)


async def _known(books: Books, query: AskKnown) -> dict[str, Any]:
    """The last batch that was known at a position or on a day."""
    store, known = books.store, _find_known(books.store, query.as_of)
    day = None if known.time is None else query.as_of
    head = store.hash_of(known.position).hex()
    return {"epoch": store.epoch, "position": known.position, "head": head, "day": day}


async def _head(books: Books, _: Query) -> dict[str, Any]:
    """How far the ledger has come, and each source."""
    store = books.store
    sources = {
        name: {
            "through": progress.through,
            "ahead": progress.ahead,
            "advanced": progress.advanced,
            "gaps": progress.gaps,
        }
        for name, progress in store.progress.items()
    }
    return {
        "epoch": store.epoch,
        "position": store.head.batch,
        "events": store.last_event,
        "head": store.head.hash.hex(),
        "sources": sources,
    }


async def _refusals(books: Books, _: AskRefusals) -> list[dict[str, Any]]:
    """The latest events that were refused, and why: the last 200."""
    return [_said_of(refused) for refused in books.store.refusals(latest=_PAGE_MAX, bodies=False)]


async def _counts(books: Books, _: Query) -> dict[str, int]:
    """How many events were recorded of each type."""
    return books.store.tallies


def _find_known(store: Store, as_of: str) -> Known:
    try:
        return known_as_of(store, as_of)
    except NeverKnown as why:
        raise Problem(NEVER_KNOWN, str(why), parameter="as_of") from why


def _lines_then(books: Books, known: Known) -> Iterator[bytes]:
    """Yield the batches that were known then, some lines at once."""
    with closing(books.open_again()) as store:
        batches = told_then(store, known)
        while lines := [batch.encode() + b"\n" for batch in islice(batches, _LINES_AT_ONCE)]:
            yield b"".join(lines)


async def _in_turn(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yield pieces that are made in a thread, each while the loop answers others."""
    while piece := await run_in_threadpool(next, pieces, b""):
        yield piece


def _said_of(refused: StoredRefusal) -> dict[str, Any]:
    """Return a refusal without its body, which may be long and is no JSON."""
    fields = asdict(refused)
    del fields["body"]
    return {"batch": fields.pop("batch"), "source": fields.pop("source"), **fields}
