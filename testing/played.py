"""A log played through the ledger and the aggregator in one process, to be asked over HTTP as a planner would."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from starlette.applications import Starlette

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.state import FoldState
from services.aggregator.http.routes import routes as aggregator_routes
from services.aggregator.live.view import LiveView
from services.ledger.http.routes import routes as ledger_routes
from services.ledger.store.as_of import UnknownAsOf, batches_as_of, find_as_of
from services.ledger.store.reader import StoreReader, open_reader
from services.ledger.store.recording import record_entries
from services.ledger.store.sqlite import SqliteDatabase
from shared.http.problem import NEVER_KNOWN, Problem
from shared.wire.days import microseconds
from shared.wire.postings import PostingBatch
from shared.wire.streams import party_stream
from testing.fold import Horizon, fresh_store, roles

CloudEvent = dict[str, Any]
Answer = dict[str, Any]

HORIZON = Horizon(date(2026, 1, 1), 1096)
ADVANCED = "waferline.source.advanced.v1"


class Played:
    """What the ledger recorded of some CloudEvents, folded by the aggregator."""

    def __init__(self, store: StoreReader, horizon: Horizon) -> None:
        self.store, self.horizon = store, horizon
        self.state = FoldState(Curves(*horizon))
        for batch in store.published_batches(0, 1_000_000):
            self.state.add(PostingBatch.model_validate_json(batch.postings.encode()))

    @property
    def state_hash(self) -> str:
        return self.state.curves.state_hash()

    @cached_property
    def view(self) -> LiveView:
        return LiveView(self.state)

    def get(self, path: str, **query: Any) -> httpx.Response:
        """Ask one route of the aggregator."""
        return self.get_all([(path, query)])[0]

    def ask(self, path: str, **query: Any) -> Answer:
        """Return the answer of one route of the aggregator."""
        response = self.get(path, **query)
        assert response.status_code == 200, response.text
        return response.json()

    def rows(self, path: str, **query: Any) -> list[Answer]:
        """Return the rows of all pages of one view."""
        answer = self.ask(path, **query)
        rows: list[Answer] = answer["rows"]
        while answer["next"] is not None:
            turn = "offset" if isinstance(answer["next"], int) else "after"
            answer = self.ask(path, **query, **{turn: answer["next"]})
            rows += answer["rows"]
        return rows

    def row(self, path: str, **query: Any) -> Answer:
        """Return the one row that a view has."""
        rows = self.rows(path, **query)
        assert len(rows) == 1, f"{path} has {len(rows)} rows"
        return rows[0]

    def get_all(self, questions: Iterable[tuple[str, dict[str, Any]]]) -> list[httpx.Response]:
        """Ask several routes of the aggregator, one after the other."""
        return self._ask_app(self.app, list(questions))

    @property
    def app(self) -> Starlette:
        """Return the aggregator's routes."""
        return Starlette(routes=aggregator_routes(lambda: self.view, self._view_then))

    @property
    def ledger_app(self) -> Starlette:
        """Return the ledger's routes; of a store in memory, which a second reader cannot open, they search a copy."""
        database = self.store.database
        content = database.connection.serialize() if isinstance(database, SqliteDatabase) else b""
        return Starlette(routes=ledger_routes(self.store, partial(_read_copy, content)))

    def verdict(self, event: CloudEvent) -> Answer:
        """Return what the ledger says became of an event."""
        return self.ask_ledger(f"/events/{event['source']}/{event['id']}")

    def ask_ledger(self, path: str, **query: Any) -> Answer:
        """Return the answer of one route of the ledger."""
        (response,) = self._ask_app(self.ledger_app, [(path, query)])
        return response.json()

    def _ask_app(self, app: Starlette, asked: Sequence[tuple[str, dict[str, Any]]]) -> list[httpx.Response]:
        async def get() -> list[httpx.Response]:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://waferline") as client:
                return [await client.get(path, params=query or None) for path, query in asked]

        return asyncio.run(get())

    async def _view_then(self, as_of: str) -> LiveView:
        then = FoldState(Curves(*self.horizon))
        try:
            position = find_as_of(self.store, as_of)
        except UnknownAsOf as why:
            raise Problem(NEVER_KNOWN, str(why), parameter="as_of") from why
        for batch in batches_as_of(self.store, position):
            then.add(batch)
        return LiveView(then)


def _read_copy(content: bytes) -> StoreReader:
    copy = SqliteDatabase(":memory:")
    copy.connection.deserialize(content)
    return StoreReader(copy)


def play(
    events: Sequence[CloudEvent],
    *,
    on: date | None = None,
    horizon: Horizon = HORIZON,
    batches: int = 1000,
    trust_recorded: bool = False,
    path: Path | str = ":memory:",
) -> Played:
    """Record events in the order given at the end of a day, and fold what the ledger tells of them.

    Each event has its sequence (`numbered`); without a day they are recorded long after all of them.
    """
    now = microseconds(datetime.combine(on or date(2100, 1, 1), time(23, 59, 59, 999_999), tzinfo=UTC))
    store = fresh_store(path)
    role = roles(events)
    run: list[CloudEvent] = []
    for event in (*events, None):
        if run and (event is None or event["source"] != run[0]["source"] or len(run) == batches):
            source = run[0]["source"]
            number = store.head.batch + 1
            entries = [(f"{number}-{n}", json.dumps(each).encode()) for n, each in enumerate(run)]
            stream = party_stream(role[source], source)
            record_entries(store, stream, source, role[source], entries, now=now, trust_recorded=trust_recorded)
            run = []
        if event is not None:
            run.append(event)
    return Played(store, horizon)


def numbered(events: Iterable[CloudEvent]) -> list[CloudEvent]:
    """Give each event the next sequence of its source."""
    last: dict[str, int] = {}
    found = []
    for event in events:
        last[event["source"]] = last.get(event["source"], 0) + 1
        found.append(event | {"sequence": str(last[event["source"]])})
    return found


def completed(events: Sequence[CloudEvent], through: date) -> list[CloudEvent]:
    """Return the events, and after them a watermark of each source that has none."""
    silent = {event["source"] for event in events} - {e["source"] for e in events if e["type"] == ADVANCED}
    return [*events, *(advanced(source, through) for source in sorted(silent))]


def advanced(source: str, through: date) -> CloudEvent:
    """Return the watermark of a source."""
    last = datetime.combine(through, time(23, 59, 59), tzinfo=UTC)
    return {
        "specversion": "1.0",
        "id": str(UUID(bytes=random.Random(f"{source} {through}").randbytes(16), version=4)),  # noqa: S311
        "source": source,
        "type": ADVANCED,
        "time": last.isoformat().replace("+00:00", "Z"),
        "data": {"through": through.isoformat()},
    }


def shuffled(events: Sequence[CloudEvent], seed: int) -> list[CloudEvent]:
    """Return the events in another order, some of them twice."""
    dice = random.Random(seed)  # noqa: S311
    again = [*events, *dice.choices(events, k=1 + len(events) // 4)]
    return dice.sample(again, len(again))


def questions(*, day: date, suppliers: Iterable[str]) -> list[tuple[str, dict[str, Any]]]:
    """Return what a planner asks of each view; all that is answered from the log alone."""
    month = f"{day:%Y-%m}"
    return [
        ("/balances", {"by": "product,site,supplier", "basis": "receipt", "window": 90}),
        ("/balances", {"by": "product,site,supplier", "day": (day - timedelta(days=20)).isoformat()}),
        ("/balances", {"by": "site", "basis": "receipt", "firmness": "firm", "window": 365}),
        ("/shortages", {}),
        ("/shortages", {"firmness": "firm", "past_due": "true"}),
        ("/shortages", {"why": "true"}),
        ("/cover", {}),
        ("/cover", {"fill_rate": "true"}),
        ("/atp", {}),
        ("/atp", {"at": "sites", "bucket": "day", "buckets": "20", "firmness": "firm"}),
        ("/sites", {}),
        ("/suppliers", {"lag": 0}),
        ("/alerts", {}),
        ("/months", {"from": month, "to": month}),
        ("/state", {}),
        *((f"/suppliers/{supplier}/performance", {}) for supplier in suppliers),
    ]


def answers(played: Played, asked: Sequence[tuple[str, dict[str, Any]]]) -> list[Any]:
    """Return the answers without what depends on the order in which the log was recorded."""
    return [_lasting(response.json()) for response in played.get_all(asked)]


_OF_THE_ORDER = {"position", "head", "epoch", "postings", "went_back"}


def _lasting(answer: Answer) -> Answer:
    return {name: value for name, value in answer.items() if name not in _OF_THE_ORDER}


@asynccontextmanager
async def ask_ledger(place: str) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of the ledger's routes on a store."""
    store = open_reader(place)
    app = Starlette(routes=ledger_routes(store, lambda: open_reader(place)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ledger") as client:
        yield client
    store.close()
