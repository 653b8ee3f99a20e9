"""The ledger's HTTP routes: verdicts, batches, postings after a position, the chain head, refusals."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, closing, nullcontext
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Annotated, Any, NamedTuple

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from services.ledger.http import models
from services.ledger.http.days import DayQuery, DaysQuery, list_day, list_days
from services.ledger.http.effects import find_effect
from services.ledger.http.holding import HoldingQuery, list_holding
from services.ledger.http.lines import LinesQuery, list_lines
from services.ledger.http.movements import MovementsQuery, list_movements
from services.ledger.http.rehearsal import DOC as REHEARSAL_DOC
from services.ledger.http.rehearsal import PATH as REHEARSAL
from services.ledger.http.rehearsal import RehearsalQuery, rehearse
from services.ledger.store.as_of import AsOf, UnknownAsOf, batches_as_of, find_as_of
from services.ledger.store.batches import StoredRefusal
from services.ledger.store.reader import StoreReader
from shared.http.access import AUDIT, READ, ScopedRoute
from shared.http.answering import CSV_FORMATS, JSON, NDJSON, DescribedRoute, View, serve
from shared.http.problem import BUSY, NEVER_KNOWN, UNFIT, UNKNOWN_BATCH, UNKNOWN_EVENT, UNKNOWN_NAME, Problem
from shared.http.query import Choice, Moment, Query, Text, Whole
from shared.wire.days import day_of
from shared.wire.rows import Row
from shared.wire.streams import Role

PAGE_BYTES_MAX = 4 << 20
_PAGE_MAX = 200
_POSITION_MAX = 10**18 - 1
_CHUNK_LINES = 16
_UUID = Text("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "a UUID in lower case")

Format = Annotated[str | None, Choice(CSV_FORMATS), "`csv`: the rows as CSV, as with `Accept: text/csv`."]


class LedgerLog(NamedTuple):
    """The ledger's store, and a function that opens it once more, to be read in a thread while the ledger records."""

    store: StoreReader
    open_reader: Callable[[], StoreReader]
    take_turn: Callable[[], AbstractContextManager[None]]  # held while it is read


def routes(
    store: StoreReader,
    open_reader: Callable[[], StoreReader],
    take_turn: Callable[[], AbstractContextManager[None]] = nullcontext,
    roles: Mapping[str, Role] = {},
) -> list[ScopedRoute]:
    """Return the routes over a store. Each reads between two batches, and so sees whole batches only.

    `roles` has the role of each source that the ledger records.
    """
    log = LedgerLog(store, open_reader, take_turn)

    @asynccontextmanager
    async def find(_: Query) -> AsyncIterator[LedgerLog]:
        yield log

    def version_of(_: LedgerLog) -> tuple[int, int]:
        return store.epoch, store.head.batch

    lines = View("/lines", _lines, LinesQuery, models.Lines, (UNFIT,))
    days = View("/days", _days, DaysQuery, models.DaysOfLog, (BUSY,))
    day = View("/days/{day}", _day, DayQuery, models.BatchesOfDay, (BUSY,))
    holding = View("/holding", _holding, HoldingQuery, models.HoldingEvents, (BUSY,))
    return [
        *(serve(view, find, version_of, scope=AUDIT) for view in views()),
        serve(lines, find, version_of, scope=READ, publishers_of="source"),
        serve(days, find, version_of, scope=READ),
        serve(day, find, version_of, scope=READ),
        serve(holding, find, version_of, scope=AUDIT, publishers_of="source"),
        DescribedRoute(REHEARSAL, _rehearsal(log, roles), scope=AUDIT, doc=REHEARSAL_DOC),
    ]


def views() -> list[View[LedgerLog]]:
    """Return the views for auditors, each with its path, parameters and response model."""
    return [
        View("/events/{source}/{id}", _event, EventQuery, models.Verdict, (UNKNOWN_EVENT,)),
        View("/batches/{batch}", _batch, BatchQuery, models.SealedBatch, (UNKNOWN_BATCH,)),
        View("/related/{id}", _related, RelatedQuery, models.Events),
        View("/movements", _movements, MovementsQuery, models.Movements, (NEVER_KNOWN, BUSY)),
        View("/postings", _postings, PostingsQuery, None, (NEVER_KNOWN, BUSY), NDJSON),
        View("/known", _known, KnownQuery, models.AsOfPosition, (NEVER_KNOWN,)),
        View("/head", _head, Query, models.Head),
        View("/refusals", _refusals, RefusalsQuery, models.Refusals),
        View("/counts", _counts, Query, models.Counts),
    ]


def _rehearsal(log: LedgerLog, roles: Mapping[str, Role]) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint that rehearses the CloudEvents of a body."""

    async def answer(request: Request) -> Response:
        source = RehearsalQuery.read(request.query_params.multi_items()).source
        if source not in roles:
            detail = f"source is {source!r}; there are {', '.join(sorted(roles))}"
            raise Problem(UNKNOWN_NAME, detail, parameter="source")
        body = await request.body()  # shared/http bounds it

        def read() -> bytes:  # it searches the log: in a thread, recording and other requests go on
            with log.take_turn(), closing(log.open_reader()) as store:
                return orjson.dumps(rehearse(store, source, roles[source], body, time.time_ns() // 1000))

        return Response(await run_in_threadpool(read), media_type=JSON)

    return answer


# ---------------------------------------------------------------- parameters


@dataclass(frozen=True, kw_only=True)
class EventQuery(Query):
    """The parameters of `/events/{source}/{id}`."""

    source: Annotated[str, Text(), "The source of the event."]
    id: Annotated[str, _UUID, "Its id."]


@dataclass(frozen=True, kw_only=True)
class BatchQuery(Query):
    """The parameters of `/batches/{batch}`."""

    batch: Annotated[int, Whole(0, _POSITION_MAX), "Its number, from 1."]


@dataclass(frozen=True, kw_only=True)
class RelatedQuery(Query):
    """The parameters of `/related/{id}`."""

    id: Annotated[str, _UUID, "The id of an event."]
    format: Format = None


@dataclass(frozen=True, kw_only=True)
class PostingsQuery(Query):
    """The parameters of `/postings`."""

    after: Annotated[int, Whole(0, _POSITION_MAX), "Batches behind this one."] = 0
    limit: Annotated[int, Whole(1, _PAGE_MAX), "Batches of a page, at most."] = 100
    as_of: Annotated[
        str | None,
        Moment(),
        "All batches up to this one, or those recorded by the end of this UTC day, in place of a page.",
    ] = None


@dataclass(frozen=True, kw_only=True)
class KnownQuery(Query):
    """The parameters of `/known`."""

    as_of: Annotated[str, Moment(), "Up to this batch, or by the end of this UTC day."]


@dataclass(frozen=True, kw_only=True)
class RefusalsQuery(Query):
    """The parameters of `/refusals`."""

    format: Format = None


# ---------------------------------------------------------------- views


async def _event(log: LedgerLog, query: EventQuery) -> dict[str, Any]:
    """The verdict on an event.

    A recorded event is returned with its batch, as its source published it, and with its effect now: it holds, another
    one supersedes it, or it has none; a refused one with the reason.
    """
    verdict = log.store.verdict(query.source, query.id)
    if verdict["status"] == "unknown":
        detail = f"the ledger knows no {query.source[:80]}/{query.id}: {UNKNOWN_EVENT.remedy}"
        raise Problem(UNKNOWN_EVENT, detail, parameter="id")
    row = log.store.load_event(query.source, query.id)
    found = None if row is None else find_effect(log.store, row)
    if found is not None:
        verdict["effect"] = found.effect
        if found.why:
            verdict["why"] = found.why
    return verdict


async def _batch(log: LedgerLog, query: BatchQuery) -> dict[str, Any]:
    """The document of a batch, as text, and the head that is its SHA-256 (docs/proof.md)."""
    store, number = log.store, query.batch
    if not 1 <= number <= store.head.batch:
        raise Problem(UNKNOWN_BATCH, f"batch is 1 to {store.head.batch}, not {number}", parameter="batch")
    [sealed] = store.sealed_batches(number - 1, 1)
    head, text = sealed.batch.hash.hex(), sealed.document().decode()
    return {"epoch": store.epoch, "batch": number, "head": head, "document": text}


async def _related(log: LedgerLog, query: RelatedQuery) -> list[dict[str, Any]]:
    """The events that have an id, or name it as their cause or correlation; the first 200."""
    rows: list[Row] = []
    for page in log.store.related(query.id):
        rows += page
        if len(rows) >= _PAGE_MAX:
            break
        await asyncio.sleep(0)  # recording and other requests have their turn
    return [row.content() for row in rows[:_PAGE_MAX]]


async def _movements(log: LedgerLog, query: MovementsQuery) -> dict[str, Any]:
    """The recorded events of a product at a site that moved stock, counted it or asked for it, and their reversals.

    They are in the order of the log. A page may have few rows, or none, where many other events lie between: go on
    while `next` is not null.
    """
    return await _in_reader(log, lambda store: list_movements(store, query))


async def _lines(log: LedgerLog, query: LinesQuery) -> dict[str, Any]:
    """The lines of a source with their terms in force: agreements, commits, forecasts, orders and shipments.

    The scope is `read`; a token with `publish:<source>` may read the lines of its own source, too.
    """
    return list_lines(log.store, query)


async def _days(log: LedgerLog, _: DaysQuery) -> dict[str, Any]:
    """The UTC days on which batches were recorded, with the number of their events: the positions that `as_of` takes.

    In a simulation the days overlap in the log: between the first and the last batch of one lie batches of others.
    """
    return await _in_reader(log, list_days)


async def _day(log: LedgerLog, query: DayQuery) -> dict[str, Any]:
    """The batches that were recorded on a UTC day, each with its source and the number of its events."""
    return await _in_reader(log, lambda store: list_day(store, query))


async def _in_reader(log: LedgerLog, read: Callable[[StoreReader], dict[str, Any]]) -> dict[str, Any]:
    """Return an answer that a thread reads from the store, while recording and other requests go on."""

    def answer() -> dict[str, Any]:
        with log.take_turn(), closing(log.open_reader()) as store:
            return read(store)

    return await run_in_threadpool(answer)


async def _holding(log: LedgerLog, query: HoldingQuery) -> dict[str, Any]:
    """The recorded events of a source and a type that hold, in the order of the log: none reversed or superseded.

    Of a site, phase or declaration all revisions are listed. A page may have few rows, or none: go on while `next` is
    not null. A token with `publish:<source>` may read the events of its own source, too.
    """
    return await _in_reader(log, lambda store: list_holding(store, query))


async def _postings(log: LedgerLog, query: PostingsQuery) -> Response:
    """The postings after a position, a batch a line, as the ledger publishes them on the stream (docs/events.md).

    A page ends with the batch that makes it 4 MiB long, also below the limit.
    """
    if query.as_of is not None:
        as_of = _find_as_of(log.store, query.as_of)
        chunks = _encode_as_of(log, as_of)
        first = await run_in_threadpool(next, chunks, b"")  # where no turn is free, the answer is a problem
        return StreamingResponse(_in_threads(first, chunks), media_type=NDJSON)
    return Response(b"".join(encode_page(log.store, query.after, query.limit)), media_type=NDJSON)


async def _known(log: LedgerLog, query: KnownQuery) -> dict[str, Any]:
    """The position of the log after a batch, or at the end of a day."""
    store, as_of = log.store, _find_as_of(log.store, query.as_of)
    day = None if as_of.time is None else query.as_of
    head = store.hash_of(as_of.position).hex() if day is None else ""
    return {"epoch": store.epoch, "position": as_of.position, "head": head, "day": day}


async def _head(log: LedgerLog, _: Query) -> dict[str, Any]:
    """The progress of the ledger and of each source."""
    store = log.store
    sources = {
        name: {
            "through": progress.through,
            "ahead": progress.ahead,
            "advanced": None if progress.advanced is None else day_of(progress.advanced),
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


async def _refusals(log: LedgerLog, _: RefusalsQuery) -> list[dict[str, Any]]:
    """The latest refused events, each with the reason: the last 200."""
    return [_refusal_row(refused) for refused in log.store.refusals(latest=_PAGE_MAX, bodies=False)]


async def _counts(log: LedgerLog, _: Query) -> dict[str, int]:
    """The number of recorded events by type."""
    return log.store.tallies


def _find_as_of(store: StoreReader, text: str) -> AsOf:
    try:
        return find_as_of(store, text)
    except UnknownAsOf as why:
        raise Problem(NEVER_KNOWN, str(why), parameter="as_of") from why


def encode_page(store: StoreReader, after: int, limit: int) -> Iterator[bytes]:
    """Yield the batches of a page: a number of them at most, and one at least where there is one."""
    size = 0
    while limit > 0 and size < PAGE_BYTES_MAX:
        batches = store.published_batches(after, min(limit, _CHUNK_LINES))
        for batch in batches:
            line = batch.postings.encode() + b"\n"
            yield line
            size, after, limit = size + len(line), batch.postings.batch, limit - 1
            if size >= PAGE_BYTES_MAX:
                return
        if not batches:
            return


def _encode_as_of(log: LedgerLog, as_of: AsOf) -> Iterator[bytes]:
    """Yield the batches as of then, a chunk of lines at a time."""
    with log.take_turn(), closing(log.open_reader()) as store:
        batches = batches_as_of(store, as_of)
        while lines := [batch.encode() + b"\n" for batch in islice(batches, _CHUNK_LINES)]:
            yield b"".join(lines)


async def _in_threads(chunk: bytes, chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yield a chunk, then those that a thread makes, each while the event loop serves other requests."""
    while chunk:
        yield chunk
        chunk = await run_in_threadpool(next, chunks, b"")


def _refusal_row(refused: StoredRefusal) -> dict[str, Any]:
    """Return a refusal without its body, which may be long and need not be JSON."""
    fields = asdict(refused)
    del fields["body"]
    return {"batch": fields.pop("batch"), "source": fields.pop("source"), **fields}
