"""Is each change to a store found, and the place named?"""

import sqlite3
from datetime import date
from pathlib import Path

import pytest

from services.ledger.store import Store
from services.operator.proof import verify
from tests.fold import fold
from tests.simulate import simulate


@pytest.fixture(scope="module")
def events() -> list[object]:
    return [event for _, said in simulate("announced_sites_only", date(2026, 1, 12)) for event in said]


@pytest.fixture
def path(tmp_path: Path, events: list[object]) -> Path:
    """A store of a few days, closed."""
    path = tmp_path / "ledger.db"
    folded = fold(events, path=path)  # type: ignore[arg-type]
    folded.store.connection.close()
    return path


def wrong(path: Path, *changes: str) -> str:
    """What a verification says of a store after some changes."""
    with sqlite3.connect(path) as connection:
        for change in changes:
            assert connection.execute(change).rowcount >= 1, change
    connection.close()
    return verify(Store(path, read_only=True)).wrong or ""


def test_an_untouched_store_is_proved_and_its_state_is_the_replays(path: Path, events: list[object]) -> None:
    proof = verify(Store(path, read_only=True))

    assert proof.wrong is None
    assert proof.events == sum(not isinstance(event, dict) for event in events)


def test_a_changed_event_is_named(path: Path) -> None:
    assert "event 77 (" in wrong(path, "UPDATE events SET rest = NULL, line = 'another' WHERE seq = 77")


def test_a_wafer_more_is_named(path: Path) -> None:
    first = "(SELECT min(seq) FROM events WHERE wafers > 0)"
    assert "is not what its digest says" in wrong(path, f"UPDATE events SET wafers = wafers + 1 WHERE seq = {first}")  # noqa: S608


def test_a_changed_event_with_its_digest_breaks_the_chain(path: Path) -> None:
    store = Store(path)
    [(seq, row, _), *_] = store.rows(3)
    forged = row._replace(line="another").digest().hex()
    store.connection.close()

    forgery = f"UPDATE events SET line = 'another', digest = x'{forged}' WHERE seq = {seq}"  # noqa: S608
    assert wrong(path, forgery) == "the chain breaks at batch 3"


def test_a_deleted_event_is_found(path: Path) -> None:
    assert "batch" in wrong(path, "DELETE FROM events WHERE seq = 40")


def test_a_changed_posting_is_named(path: Path) -> None:
    assert "posting 0 of batch" in wrong(
        path,
        "UPDATE postings SET wafers = wafers + 1 WHERE seq ="
        " (SELECT first_posting FROM batches WHERE postings > 3 LIMIT 1)",
    )


def test_an_added_posting_is_found(path: Path) -> None:
    last = "(SELECT max(batch) FROM batches WHERE postings > 1)"
    assert "posting" in wrong(path, f"UPDATE batches SET postings = postings - 1 WHERE batch = {last}")  # noqa: S608


def test_a_cut_tail_is_found(path: Path) -> None:
    assert "head says" in wrong(path, "DELETE FROM batches WHERE batch = (SELECT max(batch) FROM batches)")


def test_a_missing_batch_is_found(path: Path) -> None:
    assert wrong(path, "DELETE FROM batches WHERE batch = 3")
