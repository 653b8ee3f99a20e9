"""The ledger's HTTP routes: what became of an event, the postings after a position, the head of the chain."""

import asyncio
import re
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.ledger.store import Store, StoredRefusal
from shared.access import AUDIT, ScopedRoute
from shared.batch import Row

_PAGE_MAX = 200
_WHOLE = re.compile(r"[0-9]{1,18}").fullmatch
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch


def routes(store: Store) -> list[ScopedRoute]:
    """Return the routes over a store; a handler runs between two batches, so what it reads is whole."""

    async def answer_event(request: Request) -> Response:
        source, id_ = request.path_params["source"], request.path_params["id"]
        if not _ID(id_):
            return _problem(400, "id is not a UUID in lower case", id_)
        verdict = store.verdict(source, id_)
        return JSONResponse(verdict, status_code=404 if verdict["status"] == "unknown" else 200)

    async def answer_postings(request: Request) -> Response:
        after, limit = request.query_params.get("after", "0"), request.query_params.get("limit", "100")
        if not (_WHOLE(after) and _WHOLE(limit)):
            return _problem(400, "after and limit are whole numbers from 0", f"{after}, {limit}")
        batches = store.told_batches(int(after), max(1, min(int(limit), _PAGE_MAX)))
        return Response(
            b"".join(batch.postings.encode() + b"\n" for batch in batches), media_type="application/x-ndjson"
        )

    async def answer_related(request: Request) -> Response:
        """Answer with the events that have an id, follow from it, or name it as what they belong to."""
        id_ = request.path_params["id"]
        if not _ID(id_):
            return _problem(400, "id is not a UUID in lower case", id_)
        rows: list[Row] = []
        for page in store.related(id_):
            rows += page
            if len(rows) >= _PAGE_MAX:
                break
            await asyncio.sleep(0)  # whoever records, or asks, has a turn
        return _json([row.content() for row in rows[:_PAGE_MAX]])

    async def answer_head(_: Request) -> Response:
        sources = {
            name: {
                "through": progress.through,
                "ahead": progress.ahead,
                "advanced": progress.advanced,
                "gaps": progress.gaps,
            }
            for name, progress in store.progress.items()
        }
        return _json(
            {
                "epoch": store.epoch,
                "position": store.head.batch,
                "events": store.last_event,
                "head": store.head.hash.hex(),
                "sources": sources,
            }
        )

    async def answer_refusals(_: Request) -> Response:
        return _json([_said_of(refused) for refused in store.refused(latest=_PAGE_MAX, bodies=False)])

    async def answer_counts(_: Request) -> Response:
        return _json(store.tallies)

    return [
        ScopedRoute("/events/{source}/{id}", answer_event, scope=AUDIT),
        ScopedRoute("/related/{id}", answer_related, scope=AUDIT),
        ScopedRoute("/postings", answer_postings, scope=AUDIT),
        ScopedRoute("/head", answer_head, scope=AUDIT),
        ScopedRoute("/refusals", answer_refusals, scope=AUDIT),
        ScopedRoute("/counts", answer_counts, scope=AUDIT),
    ]


def _said_of(refused: StoredRefusal) -> dict[str, Any]:
    """Return a refusal without its body, which may be long and is no JSON."""
    fields = refused._asdict()
    del fields["body"]
    return fields


def _json(value: Any) -> Response:
    return Response(orjson.dumps(value), media_type="application/json")


def _problem(status: int, detail: str, value: str) -> Response:
    body = {"type": "about:blank", "title": "Bad request", "status": status, "detail": f"{detail}, not {value[:80]!r}"}
    return Response(orjson.dumps(body), status_code=status, media_type="application/problem+json")
