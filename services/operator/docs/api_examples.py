"""Examples of the HTTP API, answered over the recorded tape, and docs/api.md made of them.

The services serve the examples in their OpenAPI documents, so the files lie in their `http` rooms and come with them
into their images.
"""

import asyncio
import gzip
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import orjson
from starlette.applications import Starlette

from services.aggregator.fold.state import FoldState
from services.aggregator.http.routes import routes as aggregator_routes
from services.aggregator.http.what_if import what_if
from services.aggregator.live.rehearsals import Rehearsals
from services.aggregator.live.view import LiveView
from services.ledger.http.routes import routes as ledger_routes
from services.ledger.store.reader import StoreReader, open_reader
from services.ledger.store.recording import record_entries
from services.ledger.store.writer import open_writer
from services.operator.contracts.examples import example_events
from services.operator.contracts.markdown import pretty_json
from services.operator.docs.api_page import api_page
from services.operator.record.curves import fold
from services.operator.record.tapes import source_roles
from shared.http.answering import DescribedRoute
from shared.http.openapi import describe
from shared.http.peers import ANONYMOUS
from shared.play.numbering import Numbering
from shared.wire.batch import BATCH_MAX, EventBatch
from shared.wire.days import microseconds
from shared.wire.events import PREFIX, VERSION, Event, PartyDeclared, PartyRole, Refused
from shared.wire.streams import party_stream

API_PAGE = Path("docs/api.md")
EXAMPLES = {name: Path("services") / name / "http" / "examples.json" for name in ("aggregator", "ledger")}
_QUERIES = Path("tests/replay/queries.json")  # of each path, about the tape; {source} and {id}: of its first commit

_TAPE = Path("tests/replay/tape.ndjson.gz")
_EPOCH = 7
_RECORDED = microseconds(datetime(2028, 1, 1, tzinfo=UTC))


def example_queries() -> dict[str, dict[str, str]]:
    """Return the example query of each path, by service."""
    queries: dict[str, dict[str, str]] = orjson.loads(_QUERIES.read_bytes())
    return queries


def api_files(root: Path) -> dict[Path, str]:
    """Return the examples of each service and the page of the API, by their place in the project at `root`."""
    tape = gzip.decompress((root / _TAPE).read_bytes()).splitlines()
    lines = [*tape, *_planner_events(tape)]
    with TemporaryDirectory() as folder:
        return _answered(lines, Path(folder) / "ledger.db")


def _planner_events(tape: list[bytes]) -> Iterator[bytes]:
    """Yield remarks and a declared party of a planner, of which the tape has none."""
    planner = Numbering("planner")
    events = example_events()
    for name in ("alert.acknowledged", "note.added"):
        yield orjson.dumps(planner.emit(events[name].time, events[name].data).cloud_event())
    commit = next(event["data"] for event in map(orjson.loads, tape) if "commit" in event["type"])
    roles = [
        PartyRole(role="tenant", of="site", name=commit["site"], basis="a lease"),
        PartyRole(role="customer", of="supplier", name=commit["supplier"]),
    ]
    declared = PartyDeclared(party="cloud-one", name="Cloud One", roles=roles, revision=0)
    yield orjson.dumps(planner.emit(events["party.declared"].time, declared).cloud_event())


def _answered(lines: list[bytes], path: Path) -> dict[Path, str]:
    store = _record(lines, path)
    view = LiveView(FoldState.of(fold(store), store.published_events()))
    services = {
        "aggregator": [
            *aggregator_routes(lambda: view, partial(_past, store)),
            what_if(lambda: view, Rehearsals("", ANONYMOUS), nullcontext),
        ],
        "ledger": ledger_routes(store, partial(open_reader, path)),
    }
    commit = next(event for event in map(orjson.loads, lines) if event["type"] == f"{PREFIX}supply.committed{VERSION}")
    files, documents = {}, {}
    for name, routes in services.items():
        app = Starlette(routes=routes)
        queries = {path: query.format_map(commit) for path, query in example_queries()[name].items()}
        examples = {path: {query: asyncio.run(_answer(app, query))} for path, query in queries.items()}
        described = [route for route in routes if isinstance(route, DescribedRoute)]
        documents[name] = describe(name, described, examples)
        files[EXAMPLES[name]] = pretty_json(examples)
    store.close()
    return files | {API_PAGE: api_page(documents)}


def _record(lines: list[bytes], path: Path) -> StoreReader:
    """Return a new store that holds a tape, a batch for each run of one source."""
    store = open_writer(path, epoch=_EPOCH)
    role_by_source, _ = source_roles(lines)
    for batch, (source, run) in enumerate(_runs(lines), 1):
        entries = [(f"{batch}-{n}", body) for n, body in enumerate(_entries(run))]
        role = role_by_source[source]
        record_entries(store, party_stream(role, source), source, role, entries, now=_RECORDED)
    return store


def _runs(lines: list[bytes]) -> Iterator[tuple[str, list[bytes]]]:
    for source, run in groupby(lines, lambda line: str(orjson.loads(line)["source"])):
        rest = list(run)
        yield from ((source, rest[start : start + BATCH_MAX]) for start in range(0, len(rest), BATCH_MAX))


def _entries(lines: list[bytes]) -> Iterator[bytes]:
    """Yield the stream entries of some lines: a run of valid events as one batch, any other line alone."""
    for is_valid, group in groupby(lines, lambda line: _read(line) is not None):
        run = list(group)
        events = [event for event in map(_read, run) if event is not None]
        yield from [EventBatch.of(events).encode()] if is_valid and len(run) > 1 else run


def _read(line: bytes) -> Event | None:
    try:
        return Event.read(line)
    except Refused:
        return None


async def _past(store: StoreReader, position: str) -> LiveView:
    until = int(position)
    return LiveView(FoldState.of(fold(store, until=until), store.published_events(until)))


async def _answer(app: Starlette, query: str) -> Any:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
        answer = await client.get(query)
        answer.raise_for_status()
        return answer.json()
