"""A rehearsal against the recording of the same events, and the store that it leaves as it was."""

from collections.abc import Sequence
from pathlib import Path

import httpx
import orjson
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from starlette.applications import Starlette

from services.aggregator.plan.projection import make_plan
from services.aggregator.plan.what_if.overlay import find_changes
from services.ledger.http.rehearsal import rehearse
from services.ledger.http.routes import routes
from services.ledger.store.reader import open_reader
from shared.http.problem import Problem
from shared.wire.days import day_number
from shared.wire.events import Event, SourceAdvanced
from shared.wire.postings import PostingBatch
from shared.wire.rows import WATERMARKS
from testing.fold import NOW, catch_up, fold, record, roles
from tests.unit.ledger.books.test_posting import HORIZON, START, logs, thorough

any_log = logs(themes=("plans", "plans", "shipments", "stock", "stock", "lots"))


def body_of(events: Sequence[Event], **others: str) -> bytes:
    """The lines of events that have no sequence yet."""
    lines = []
    for event in events:
        content = event.cloud_event() | others
        del content["sequence"]
        lines.append(orjson.dumps(content))
    return b"\n".join(lines)


@thorough
@given(any_log, st.integers(0, 25), st.integers(0, 9), st.integers(1, 4))
def test_what_is_rehearsed_is_what_recording_comes_to(log, cut, today, size):
    tail = [event for event in log[cut:] if event.source == log[cut].source] if log[cut:] else []
    assume(tail and not any(event.data.type in WATERMARKS for event in log))
    source, role = tail[0].source, roles(log)[tail[0].source]
    folded = fold(log[:cut], horizon=HORIZON)
    folded.curves.watermarks = {"samsung": day_number(START) + today - 1}
    before = (folded.store.head, folded.cells(), folded.store.row_counts(), len(folded.store.memory.lines))

    again = body_of(tail[:2])  # an event that comes twice counts once
    answer = rehearse(folded.store, source, role, body_of(tail) + b"\n" + again, NOW)

    assert (folded.store.head, folded.cells(), folded.store.row_counts(), len(folded.store.memory.lines)) == before
    batch = PostingBatch.model_validate_json(orjson.dumps(answer["postings"]))
    changes = list(find_changes(folded.curves, batch))
    record(folded, tail, batches=size)
    stored = folded.store.head.batch
    catch_up(folded)
    assert stored > before[0].batch
    assert sum(outcome.events for outcome in folded.outcomes[-(stored - before[0].batch) :]) == batch.events
    plan = make_plan(folded.curves)
    after = {label: plan.short(group, "planned") for group, label in enumerate(plan.grouping.labels)}
    for product, site, _, is_ in changes:
        assert is_ == after.get((product, site), is_._replace(first_short_day=None, first_shortage=0, shortage=0))


@pytest.fixture
def client(tmp_path: Path) -> httpx.AsyncClient:
    path = tmp_path / "ledger.db"
    store = fold([], path=path).store
    made = routes(store, lambda: open_reader(path), roles={"samsung": "supplier"})
    transport = httpx.ASGITransport(Starlette(routes=made))
    return httpx.AsyncClient(transport=transport, base_url="http://ledger")


COMMIT = {
    "specversion": "1.0", "id": "00000000-0000-7000-8000-000000000001", "source": "samsung",
    "type": "waferline.supply.committed.v1", "time": "2026-01-05T00:00:00Z",
    "data": {"product": "HBM4-12H", "site": "abilene", "supplier": "samsung", "line": "c", "due": "2026-03-01",
             "firmness": "firm", "wafers": 7, "revision": 0},
}  # fmt: skip


async def test_a_body_is_rehearsed_and_each_refusal_names_its_line(client):
    foreign = COMMIT | {"id": COMMIT["id"][:-1] + "2", "data": COMMIT["data"] | {"supplier": "skhynix"}}
    lines = [orjson.dumps(COMMIT), b"", orjson.dumps(foreign), b"no event"]

    answer = await client.post("/rehearsal", params={"source": "samsung"}, content=b"\n".join(lines))

    assert answer.status_code == 200
    postings = answer.json()["postings"]
    assert (postings["previous"], postings["events"], sum(postings["wafers"])) == (0, 1, 14)
    assert [(each["line"], each["code"]) for each in answer.json()["refused"]] == [
        (3, "foreign_source"), (None, "malformed")
    ]  # fmt: skip


async def test_an_unknown_source_has_no_rehearsal(client):
    with pytest.raises(Problem, match="source is 'samsong'; there are samsung"):  # the service answers it
        await client.post("/rehearsal", params={"source": "samsong"}, content=b"{}")


def test_a_watermark_moves_the_plan_of_everything_and_is_not_rehearsed():
    log = [Event(id=COMMIT["id"], source="samsung", sequence=1, time=f"{START}T00:00:00Z",
                 data=SourceAdvanced(through=START))]  # fmt: skip

    with pytest.raises(Problem, match=r"source\.advanced moves the last complete day"):
        rehearse(fold([]).store, "samsung", "supplier", body_of(log), NOW)
