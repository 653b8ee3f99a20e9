"""The ledger's routes: a clear answer to each question, and to each that is none."""

from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import httpx
import orjson
import pytest
from starlette.applications import Starlette

from services.ledger.http.routes import routes
from services.ledger.store.reader import open_reader
from services.ledger.store.recording import record_entries
from shared.play.numbering import Numbering
from shared.wire.batch import EventBatch
from shared.wire.days import microseconds
from shared.wire.events import StockOpened
from shared.wire.postings import PostingBatch
from testing.fold import EPOCH, fresh_store

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
UNSAID = "00000000-0000-7000-8000-000000000000"
numbering = Numbering("americas")
LOG = [
    numbering.emit(NOON, StockOpened(wafers=n, product="HBM4-12H", site="abilene", supplier="samsung"))
    for n in (1, 2, 3)
]
CAUSED = LOG[2].cloud_event() | {"id": UNSAID[:-1] + "1", "sequence": "4", "causationid": LOG[0].id}
BELONGING = LOG[2].cloud_event() | {"id": UNSAID[:-1] + "2", "sequence": "5", "correlationid": LOG[0].id}
WRONG = LOG[1].cloud_event() | {"type": "waferline.stock.opened.v9"}


def ask_about(folder: Path, *bodies: bytes) -> httpx.AsyncClient:
    path = folder / "ledger.db"
    store = fresh_store(path)
    for n, body in enumerate(bodies):
        record_entries(store, "demand", "americas", "datacenter", [(f"{n}-0", body)], now=microseconds(NOON))
    transport = httpx.ASGITransport(Starlette(routes=routes(store, lambda: open_reader(path))))
    return httpx.AsyncClient(transport=transport, base_url="http://ledger")


@pytest.fixture
def client(tmp_path: Path) -> httpx.AsyncClient:
    return ask_about(tmp_path, EventBatch.of(LOG[:1]).encode(), orjson.dumps(WRONG), EventBatch.of(LOG[2:]).encode())


async def test_a_recorded_event_is_told_with_its_batch(client):
    answer = await client.get(f"/events/americas/{LOG[0].id}")

    assert answer.status_code == 200
    assert answer.json()["status"] == "recorded"
    assert answer.json()["batch"] == 1
    assert answer.json()["event"]["data"] == LOG[0].cloud_event()["data"]


async def test_a_refused_event_is_told_with_code_and_path(client):
    answer = await client.get(f"/events/americas/{LOG[1].id}")

    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["code"]) == ("refused", "unknown_version")
    assert answer.json()["path"] == "type"


async def test_what_follows_from_an_event_or_belongs_to_it_is_found(tmp_path):
    client = ask_about(tmp_path, EventBatch.of(LOG).encode(), *map(orjson.dumps, (CAUSED, BELONGING)))

    ids = [event["id"] for event in (await client.get(f"/related/{LOG[0].id}")).json()]
    none = await client.get(f"/related/{UNSAID}")

    assert ids == [LOG[0].id, CAUSED["id"], BELONGING["id"]]
    assert none.json() == []
    assert (await client.get("/related/%25")).status_code == 400


async def test_the_document_of_a_batch_is_what_its_head_seals(client):
    batches = [(await client.get(f"/batches/{number}")).json() for number in (1, 2, 3)]

    for n, batch in enumerate(batches):
        header, *lines = batch["document"].splitlines()
        assert sha256(batch["document"].encode()).hexdigest() == batch["head"]
        assert orjson.loads(header)["previous"] == (batches[n - 1]["head"] if n else "00" * 32)
        assert (batch["epoch"], batch["batch"]) == (EPOCH, n + 1)
        assert orjson.loads(lines[0])[2] == LOG[n].id


@pytest.mark.parametrize("batch", ["0", "4"])
async def test_a_batch_that_is_not_there_is_told_so(client, batch):
    answer = await client.get(f"/batches/{batch}")

    assert answer.status_code == 404
    assert "batch is 1 to 3, not" in answer.json()["detail"]


@pytest.mark.parametrize("path", [f"americas/{UNSAID}", f"emea/{LOG[0].id}", f"nobody/{UNSAID}"])
async def test_an_event_that_nobody_said_is_not_found(client, path):
    answer = await client.get(f"/events/{path}")

    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-event")
    assert f"the ledger knows no {path}: is it still in its source's outbox" in answer.json()["detail"]


@pytest.mark.parametrize(
    "query",
    [
        "/events/americas/1", f"/events/americas/{LOG[0].id.upper()}", f"/events/americas/{LOG[0].id}x",
        f"/events/americas/{LOG[0].id}%0A", "/postings?after=-1", "/postings?after=x", "/postings?after=²",
        "/postings?limit=1.5", "/postings?after=9999999999999999999", "/postings?limit=",
        "/postings?limit=0", "/postings?limit=201", "/postings?as_of=soon", "/known", "/head?all=true",
        "/batches/-1", "/batches/one", "/batches/" + "9" * 30, "/postings?limit=" + "9" * 5000,
    ],
)  # fmt: skip
async def test_a_question_that_is_none_is_answered_with_problem_details(client, query):
    answer = await client.get(query)

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 400
    assert answer.json()["type"] == "/problems/bad-parameter"
    assert len(answer.json()["detail"]) < 200


async def test_postings_are_told_one_batch_a_line_after_a_position(client):
    async def batches(query: str) -> list[int]:
        answer = await client.get(f"/postings{query}")
        assert answer.headers["content-type"] == "application/x-ndjson"
        return [PostingBatch.model_validate_json(line).batch for line in answer.content.splitlines()]

    assert await batches("") == [1, 2, 3]
    assert await batches("?after=1") == [2, 3]
    assert await batches("?after=1&limit=1") == [2]
    assert await batches("?after=3") == await batches("?after=999") == []
    assert await batches("?as_of=2") == [1, 2]
    assert await batches("?as_of=2026-01-05") == [1, 2, 3]


async def test_what_was_known_is_told_and_what_never_was_is_named(client):
    known = (await client.get("/known?as_of=2026-01-05")).json()
    before = await client.get("/known?as_of=2026-01-04")
    beyond = await client.get("/postings?as_of=4")

    assert (known["epoch"], known["position"], known["day"]) == (EPOCH, 3, None)
    assert known["head"] == (await client.get("/head")).json()["head"]
    assert (before.status_code, before.json()["type"]) == (404, "/problems/never-known")
    assert before.json()["detail"].endswith("the first day is 2026-01-05")
    assert (beyond.status_code, beyond.json()["detail"]) == (404, "there is no batch 4 yet: the last one is 3")


async def test_the_head_says_how_far_the_ledger_and_each_source_have_come(client):
    head = (await client.get("/head")).json()

    assert (head["epoch"], head["position"], head["events"], len(head["head"])) == (EPOCH, 3, 2, 64)
    assert head["sources"] == {"americas": {"through": 3, "ahead": [], "advanced": None, "gaps": []}}


async def test_refusals_are_told_without_their_bodies(client):
    (refusal,) = (await client.get("/refusals")).json()

    assert refusal.keys() == {"batch", "source", "sequence", "id", "code", "path", "message"}
    assert (refusal["batch"], refusal["sequence"], refusal["code"]) == (2, 2, "unknown_version")


async def test_counts_are_told_by_name(client):
    assert (await client.get("/counts")).json() == {"stock.opened": 2}
