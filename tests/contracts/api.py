"""The kept description of the HTTP API: examples that were really answered over the tape, and the page of all routes.

`python -m tests.contracts.api` writes them anew; a diff is a change of what others ask us for.
"""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
from starlette.applications import Starlette

from services.aggregator.fold.state import FoldState
from services.aggregator.http.routes import routes as aggregator_routes
from services.aggregator.live.view import Reading
from services.ledger.http.routes import routes as ledger_routes
from services.operator.record.at_rest import fold as fold_store
from shared.http.answering import DescribedRoute
from shared.http.api_page import api_page
from shared.http.openapi import describe
from shared.wire.events import Event, SupplyCommitted, microseconds
from testing.fold import fold
from testing.servers.served import no_past
from tests.replay.test_tape import SAID

RECORDED = microseconds(datetime(2028, 1, 1, tzinfo=UTC))
PAGE = Path("docs/api.md")
KEPT = {name: Path("services") / name / "http" / "examples.json" for name in ("aggregator", "ledger")}
ASKED = {
    "aggregator": {
        "/balances": "/balances?by=site,supplier&window=90&limit=2",
        "/shortages": "/shortages?limit=1",
        "/cover": "/cover?fill_rate=true&limit=1",
        "/atp": "/atp?buckets=2&limit=2",
        "/suppliers/{supplier}/performance": "/suppliers/samsung/performance?product=HBM4-12H",
        "/sites": "/sites?mooring=floating&limit=1",
        "/sites/{site}/timeline": "/sites/GB-STARGATE/timeline?product=HBM4-12H",
        "/suppliers": "/suppliers?limit=1",
        "/alerts": "/alerts?limit=1",
        "/months": "/months?from=2026-06&to=2026-07",
        "/state": "/state",
    },
    "ledger": {
        "/events/{source}/{id}": "",
        "/batches/{batch}": "/batches/1",
        "/related/{id}": "",
        "/known": "/known?as_of=1",
        "/head": "/head",
        "/refusals": "/refusals",
        "/counts": "/counts",
    },
}


def api_files() -> dict[Path, str]:
    """Return the text of every kept file by its place in the project."""
    store = fold(SAID, now=RECORDED).store
    reading = Reading(FoldState.of(fold_store(store), store.said()))
    routes = {
        "aggregator": aggregator_routes(lambda: reading, no_past),
        "ledger": ledger_routes(store, lambda: store),
    }
    said = next(event for event in SAID if isinstance(event, Event) and isinstance(event.data, SupplyCommitted))
    ASKED["ledger"]["/events/{source}/{id}"] = f"/events/{said.source}/{said.id}"
    ASKED["ledger"]["/related/{id}"] = f"/related/{said.id}"
    files, documents = {}, {}
    for name, place in KEPT.items():
        app = Starlette(routes=routes[name])
        examples = {path: {asked: asyncio.run(_answer(app, asked))} for path, asked in ASKED[name].items()}
        described = [route for route in routes[name] if isinstance(route, DescribedRoute)]
        documents[name] = describe(name, described, examples)
        files[place] = orjson.dumps(examples, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
    return files | {PAGE: api_page(documents)}


async def _answer(app: Starlette, asked: str) -> Any:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
        answer = await client.get(asked)
        answer.raise_for_status()
        return answer.json()


def main() -> None:
    """Write what has changed."""
    for place, text in api_files().items():
        if not place.exists() or place.read_text() != text:
            place.write_text(text)
            print(place)  # noqa: T201 (a command's answer)


if __name__ == "__main__":
    main()
