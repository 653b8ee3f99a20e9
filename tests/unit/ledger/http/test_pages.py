"""A page of postings has a bound on its bytes, too."""

from datetime import UTC, datetime
from pathlib import Path

import httpx
import orjson
from starlette.applications import Starlette

from services.ledger.http.routes import PAGE_BYTES_MAX, routes
from services.ledger.store.reader import open_reader
from services.ledger.store.recording import record_entries
from shared.play.numbering import Numbering
from shared.wire.batch import EventBatch
from shared.wire.days import microseconds
from shared.wire.events import StockOpened
from testing.fold import fresh_store

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
BATCHES, EVENTS = 50, 1000


async def test_a_page_of_long_batches_ends_early_and_the_next_one_goes_on(tmp_path: Path) -> None:
    path, numbering = tmp_path / "ledger.db", Numbering("americas")
    store = fresh_store(path)
    for n in range(BATCHES):
        log = [
            numbering.emit(
                NOON, StockOpened(wafers=1, product="HBM4-12H", site=f"{'s' * 50}{n}-{i}", supplier="samsung")
            )
            for i in range(EVENTS)
        ]
        record_entries(store, "demand", "americas", "datacenter", [(f"{n}-0", EventBatch.of(log).encode())],
                       now=microseconds(NOON))  # fmt: skip
    app = Starlette(routes=routes(store, lambda: open_reader(path)))
    pages: list[bytes] = []
    found: list[int] = []
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ledger") as client:
        while len(found) < BATCHES:
            answer = await client.get("/postings", params={"after": len(found), "limit": 200})
            pages.append(answer.content)
            found += [orjson.loads(line)["batch"] for line in answer.content.split(b"\n")[:-1]]

    longest = max(len(line) for page in pages for line in page.split(b"\n"))
    assert found == list(range(1, BATCHES + 1))
    assert len(pages) > 1, "the batches are too short for this test"
    assert max(map(len, pages)) < PAGE_BYTES_MAX + longest + 1
