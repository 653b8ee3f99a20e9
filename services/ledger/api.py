"""The ledger's HTTP routes: what became of an event, the postings after a position, the head of the chain."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from http import HTTPStatus
from itertools import islice
from typing import Any

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from services.ledger.known import Known, NeverKnown, known_as_of, told_then
from services.ledger.store import Store, StoredRefusal
from shared.access import AUDIT, ScopedRoute
from shared.batch import Row

_PAGE_MAX = 200
_LINES_AT_ONCE = 16
_WHOLE = re.compile(r"[0-9]{1,18}").fullmatch
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch


def routes(store: Store, open_again: Callable[[], Store]) -> list[ScopedRoute]:
    """Return the routes over a store; what takes long is read from the store opened again, to be read."""
    answers = _Answers(store, open_again)
    return [
        ScopedRoute("/events/{source}/{id}", answers.answer_event, scope=AUDIT),
        ScopedRoute("/batches/{batch}", answers.answer_batch, scope=AUDIT),
        ScopedRoute("/related/{id}", answers.answer_related, scope=AUDIT),
        ScopedRoute("/postings", answers.answer_postings, scope=AUDIT),
        ScopedRoute("/known", answers.answer_known, scope=AUDIT),
        ScopedRoute("/head", answers.answer_head, scope=AUDIT),
        ScopedRoute("/refusals", answers.answer_refusals, scope=AUDIT),
        ScopedRoute("/counts", answers.answer_counts, scope=AUDIT),
    ]


class _Answers:
    """What is answered of a store: between two batches, so that what is read is whole."""

    def __init__(self, store: Store, open_again: Callable[[], Store]) -> None:
        self.store, self.open_again = store, open_again

    async def answer_event(self, request: Request) -> Response:
        source, id_ = request.path_params["source"], request.path_params["id"]
        if not _ID(id_):
            return _problem(400, "id is not a UUID in lower case", id_)
        verdict = self.store.verdict(source, id_)
        return JSONResponse(verdict, status_code=404 if verdict["status"] == "unknown" else 200)

    async def answer_postings(self, request: Request) -> Response:
        if "as_of" in request.query_params:
            return self.answer_postings_then(request.query_params["as_of"])
        after, limit = request.query_params.get("after", "0"), request.query_params.get("limit", "100")
        if not (_WHOLE(after) and _WHOLE(limit)):
            return _problem(400, "after and limit are whole numbers from 0", f"{after}, {limit}")
        batches = self.store.told_batches(int(after), max(1, min(int(limit), _PAGE_MAX)))
        return Response(
            b"".join(batch.postings.encode() + b"\n" for batch in batches), media_type="application/x-ndjson"
        )

    def answer_postings_then(self, as_of: str) -> Response:
        known = _known(self.store, as_of)
        if isinstance(known, Response):
            return known
        return StreamingResponse(_in_turn(_lines_then(self.open_again, known)), media_type="application/x-ndjson")

    async def answer_known(self, request: Request) -> Response:
        """Answer with the last batch that was known then, and the day where not all before it were."""
        as_of = request.query_params.get("as_of", "")
        known = _known(self.store, as_of)
        if isinstance(known, Response):
            return known
        head = self.store.hash_of(known.position).hex()
        day = None if known.time is None else as_of
        return _json({"epoch": self.store.epoch, "position": known.position, "head": head, "day": day})

    async def answer_batch(self, request: Request) -> Response:
        """Answer with the document of a batch, as text, and the head that is its SHA-256: docs/proof.md."""
        number = request.path_params["batch"]
        if not _WHOLE(number) or not 1 <= int(number) <= self.store.head.batch:
            return _problem(404, f"batch is 1 to {self.store.head.batch}", number)
        [sealed] = self.store.sealed_batches(int(number) - 1, 1)
        head, text = sealed.batch.hash.hex(), sealed.document().decode()
        return _json({"epoch": self.store.epoch, "batch": int(number), "head": head, "document": text})

    async def answer_related(self, request: Request) -> Response:
        """Answer with the events that have an id, follow from it, or name it as what they belong to."""
        id_ = request.path_params["id"]
        if not _ID(id_):
            return _problem(400, "id is not a UUID in lower case", id_)
        rows: list[Row] = []
        for page in self.store.related(id_):
            rows += page
            if len(rows) >= _PAGE_MAX:
                break
            await asyncio.sleep(0)  # whoever records, or asks, has a turn
        return _json([row.content() for row in rows[:_PAGE_MAX]])

    async def answer_head(self, _: Request) -> Response:
        sources = {
            name: {
                "through": progress.through,
                "ahead": progress.ahead,
                "advanced": progress.advanced,
                "gaps": progress.gaps,
            }
            for name, progress in self.store.progress.items()
        }
        return _json(
            {
                "epoch": self.store.epoch,
                "position": self.store.head.batch,
                "events": self.store.last_event,
                "head": self.store.head.hash.hex(),
                "sources": sources,
            }
        )

    async def answer_refusals(self, _: Request) -> Response:
        return _json([_said_of(refused) for refused in self.store.refused(latest=_PAGE_MAX, bodies=False)])

    async def answer_counts(self, _: Request) -> Response:
        return _json(self.store.tallies)


def _said_of(refused: StoredRefusal) -> dict[str, Any]:
    """Return a refusal without its body, which may be long and is no JSON."""
    fields = refused._asdict()
    del fields["body"]
    return fields


def _json(value: Any) -> Response:
    return Response(orjson.dumps(value), media_type="application/json")


def _known(store: Store, as_of: str) -> Known | Response:
    try:
        return known_as_of(store, as_of)
    except NeverKnown as why:
        return _problem(400, str(why))


def _lines_then(open_again: Callable[[], Store], known: Known) -> Iterator[bytes]:
    """Yield the batches that were known then, some lines at once."""
    with closing(open_again()) as store:
        batches = told_then(store, known)
        while lines := [batch.encode() + b"\n" for batch in islice(batches, _LINES_AT_ONCE)]:
            yield b"".join(lines)


async def _in_turn(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yield pieces that are made in a thread, each while the loop answers others."""
    while piece := await run_in_threadpool(next, pieces, b""):
        yield piece


def _problem(status: int, detail: str, value: str | None = None) -> Response:
    if value is not None:
        detail += f", not {value[:80]!r}"
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return Response(orjson.dumps(body), status_code=status, media_type="application/problem+json")
