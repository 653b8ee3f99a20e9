"""A store that was posted by earlier rules: today's ledger restates it, and everything later stands on that."""

import gzip
import sqlite3
from pathlib import Path

import orjson
import pytest

from services.aggregator.fold.curves import Curves
from services.ledger.books.posting import RULES
from services.ledger.store.as_of import batches_as_of, find_as_of
from services.ledger.store.migrating import StrangeStore
from services.ledger.store.reader import StoreReader, open_reader
from services.ledger.store.writer import StoreWriter, open_writer
from services.operator.record.curves import fold as fold_store
from services.operator.record.curves import fold_as_of
from services.operator.record.exports import export
from services.operator.record.proof import verify, verify_chain
from services.operator.record.rebuild import rebuild_export
from shared.wire.postings import PostingBatch, Recorded
from testing.fold import Folded, Horizon, cells_of, fold, record
from testing.played import HORIZON, Played
from tests.unit.ledger.store.earlier_rules.tape import tape

EARLIER = Path(__file__).parent / "earlier_rules" / "ledger.db.gz"
BATCHES = 17


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.db"
    path.write_bytes(gzip.decompress(EARLIER.read_bytes()))
    return path


@pytest.fixture
def fresh() -> Folded:
    """A new store of the same events."""
    return fold(tape(), batches=3)


@pytest.fixture
def restated(path: Path) -> StoreWriter:
    return open_writer(path)


def execute(path: Path, *statements: str) -> None:
    with sqlite3.connect(path) as connection:
        for statement in statements:
            assert connection.execute(statement).rowcount
    connection.close()


def wrong(path: Path) -> str:
    return verify(open_reader(path)).wrong or ""


def test_the_restated_store_is_the_new_store_of_the_same_events(path, restated, fresh):
    assert restated.restated is not None
    assert restated.restated.through == BATCHES
    assert cells_of(restated) == fresh.cells()
    assert restated.watermarks(restated.head.batch) == fresh.store.watermarks(BATCHES)
    assert dict(restated.working_state.lines()) == dict(fresh.store.working_state.lines())
    assert dict(restated.working_state.stocks()) == dict(fresh.store.working_state.stocks())
    assert restated.progress == fresh.store.progress
    assert fold_store(restated).state_hash() == fold_store(fresh.store).state_hash()


def test_nothing_that_was_recorded_changes_and_the_batches_that_restate_are_sealed(path):
    before = open_reader(path, any_rules=True)
    head, postings = before.head, list(before.posting_pages(BATCHES))
    documents = [sealed.document() for sealed in before.sealed_batches()]
    open_writer(path).close()
    store = open_reader(path)
    added = [sealed.document() for sealed in store.sealed_batches(BATCHES)]

    assert store.hash_of(BATCHES) == head.hash
    assert list(store.posting_pages(BATCHES)) == postings
    assert [sealed.document() for sealed in store.sealed_batches(0, BATCHES)] == documents
    assert [document.count(b"\n") for document in added] == [1, 1]  # a header, no event, no refusal
    headers = [orjson.loads(document) for document in added]
    assert [header["source"] for header in headers] == ["stargate-americas", "stargate-emea"]
    last = orjson.loads(documents[-1].splitlines()[0])
    assert {**headers[0], "batch": 0, "previous": ""} == {**last, "batch": 0, "previous": "", "events": 0}
    assert {header["recorded"] for header in headers} == {last["recorded"]}


def test_the_proof_says_which_batches_are_restated_where(path, restated):
    proof = verify(open_reader(path))

    assert (proof.wrong, proof.earlier_rules, proof.restated_in) == (None, BATCHES, (BATCHES + 1, BATCHES + 2))


def test_it_is_restated_once(path, restated):
    restated.close()
    again = open_writer(path)

    assert again.restated is None
    assert again.rules == (RULES, BATCHES + 1)
    assert again.head.batch == BATCHES + 2


def test_it_goes_on_as_a_new_store_does(path, restated, fresh):
    restated.close()
    log = tape()
    texas = [event for event in log if event["source"] == "stargate-americas"]
    more = [
        {**texas[-1], "id": f"00000000-0000-4000-8000-0000000000{n:02}", "sequence": str(len(texas) + n)} | change
        for n, change in enumerate(
            (
                {"time": "2026-10-08T13:00:00Z"},  # before the counts
                {
                    "type": "waferline.event.reversed.v1",
                    "data": {"reversed": texas[2]["id"], "reason": ""},
                },  # the receipt under another supplier
                {"type": "waferline.source.advanced.v1", "data": {"through": "2026-10-10"}},
            ),
            start=1,
        )
    ]
    store = open_writer(path)
    goes_on = Folded(store, Curves(*Horizon()))
    record(goes_on, more, batches=1)
    record(fresh, more, batches=1)

    assert goes_on.refusals == []
    assert cells_of(store) == cells_of(fresh.store)
    assert store.watermarks(store.head.batch) == fresh.store.watermarks(fresh.store.head.batch)
    assert verify(store).wrong is None
    assert verify(fresh.store).wrong is None


def test_a_store_without_differences_has_no_batch_more(tmp_path):
    path = tmp_path / "ledger.db"
    store = fold(tape()[-1:], path=path).store
    store.close()
    execute(path, "UPDATE rules SET version = 1")
    with pytest.raises(StrangeStore, match="posted by rules 1"):
        open_reader(path)
    store = open_writer(path)

    assert (store.restated, store.head.batch, store.rules) == ((1, 0, 0), 1, (RULES, 2))
    proof = verify(store)
    assert (proof.wrong, proof.earlier_rules, proof.restated_in) == (None, 1, ())


def test_an_empty_store_is_of_todays_rules(tmp_path):
    path = tmp_path / "ledger.db"
    open_writer(path).close()
    execute(path, "UPDATE rules SET version = 1")
    store = open_writer(path)

    assert store.rules == (RULES, 1)
    assert verify(store).wrong is None


def test_a_store_of_later_rules_is_refused(tmp_path):
    path = tmp_path / "ledger.db"
    open_writer(path).close()
    execute(path, f"UPDATE rules SET version = {RULES + 1}")  # noqa: S608

    with pytest.raises(StrangeStore, match="start a newer one"):
        open_writer(path)


# ---------------------------------------------------------------- before it is restated


def test_a_reader_sends_to_the_ledger_and_the_chain_is_proved_alone(path):
    with pytest.raises(
        StrangeStore, match="posted by rules 1, and this Waferline posts by rules 2: start the ledger on it"
    ):
        open_reader(path)

    store = open_reader(path, any_rules=True)
    assert store.rules == (1, 1)
    proof = verify_chain(store)
    assert (proof.batches, proof.wrong) == (BATCHES, None)


def test_a_restatement_that_breaks_off_leaves_nothing(path):
    def break_off(batch: int) -> None:
        if batch == BATCHES:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_writer(path, advance=break_off)
    assert open_reader(path, any_rules=True).head.batch == BATCHES
    with pytest.raises(StrangeStore, match="posted by rules 1"):
        open_reader(path)
    open_writer(path).close()
    assert wrong(path) == ""


# ---------------------------------------------------------------- forgery


@pytest.mark.parametrize(
    ("table", "change", "found"),
    [
        ("postings", "wafers = wafers + 1 WHERE seq = 1", "of batch 18 is not what its events say"),
        ("postings", "wafers = 0 WHERE seq = (SELECT first_posting FROM batches WHERE batch = 18)", "posting 0 of"),
        ("batches", "watermark = NULL WHERE batch = 19", "the watermark of batch 19"),
        ("batches", "watermark = 20000 WHERE batch = 18", "the watermark of batch 18"),
        ("rules", "first = 21 WHERE version = 2", "are not restated"),
        ("rules", "first = 20 WHERE version = 2", ""),  # the balances at the end are those of all events, as before
        ("rules", "first = 17 WHERE version = 2", "batch 17 does not restate"),
        ("lines", "state = '[{},{},[],[],[]]'", "the lines are not what the events say"),
    ],
)  # fmt: skip
def test_an_altered_restatement_is_found(path, restated, table, change, found):
    restated.close()
    execute(path, f"UPDATE {table} SET {change}")  # noqa: S608

    assert found in wrong(path)
    assert bool(found) == bool(wrong(path))


def test_a_restatement_that_is_cut_off_is_found(path, restated):
    [(first,)] = restated.database.query("SELECT first_posting FROM batches WHERE batch = ?", (BATCHES + 1,))
    head = restated.hash_of(BATCHES).hex()
    restated.close()
    execute(
        path,
        f"DELETE FROM postings WHERE seq >= {first}",  # noqa: S608
        f"DELETE FROM batches WHERE batch > {BATCHES}",  # noqa: S608
        f"UPDATE head SET batch = {BATCHES}, hash = x'{head}'",  # noqa: S608
    )

    assert "are not restated" in wrong(path)


# ---------------------------------------------------------------- readers of it


@pytest.fixture
def published(restated) -> list[PostingBatch]:
    return [PostingBatch.model_validate_json(each.postings.encode()) for each in restated.published_batches(0, 1000)]


def test_the_aggregator_folds_it_to_the_state_of_a_new_store(published, fresh):
    curves = Curves(*Horizon())
    for batch in published:
        curves.add(batch)

    assert curves.state_hash() == fresh.state_hash
    assert curves.watermarks == fresh.curves.watermarks
    assert "stargate-emea" not in curves.watermarks
    assert curves.position == BATCHES + 2


def test_a_state_of_before_folds_on_behind_it(restated, published, fresh):
    """As an aggregator does that was at the last batch before, by a snapshot or from the ledger's store."""
    curves = fold_store(restated, until=BATCHES)
    before = curves.state_hash()
    for batch in published[BATCHES:]:
        curves.add(batch)

    assert before != curves.state_hash() == fold_store(fresh.store).state_hash()
    assert curves.setback is not None  # the day goes back with the watermark that was reversed
    assert curves.setback == fold_store(restated).setback


def test_a_planner_has_the_answers_of_a_new_store(restated, fresh):
    now, new = Played(restated, HORIZON), Played(fresh.store, HORIZON)

    assert now.state.lines.digest() == new.state.lines.digest()
    for path in ("/balances", "/shortages", "/cover", "/suppliers"):
        assert now.rows(path) == new.rows(path)


def test_a_verdict_on_a_batch_that_restates_says_nothing_new(restated):
    for each in restated.published_batches(BATCHES, 2):
        verdict = Recorded.model_validate_json(each.verdict.encode())
        assert (verdict.recorded, verdict.duplicates, verdict.refusals, verdict.effects) == (0, 0, [], [])
        assert verdict.through == restated.progress[verdict.source].through


def test_as_of_an_earlier_position_the_answer_is_the_one_given_then(path):
    before = open_reader(path, any_rules=True)
    answers = [cells(before, position) for position in (5, BATCHES)]
    hashes = [fold_store(before, until=position).state_hash() for position in (5, BATCHES)]
    store = open_writer(path)

    assert [cells(store, position) for position in (5, BATCHES)] == answers
    assert [fold_as_of(store, str(position)).state_hash() for position in (5, BATCHES)] == hashes
    assert hashes[1] != fold_store(store).state_hash()


def cells(store: StoreReader, position: int) -> list[tuple[object, ...]]:
    return [
        (batch.measures, batch.days, batch.names, batch.products, batch.wafers)
        for batch in batches_as_of(store, find_as_of(store, str(position)))
    ]


@pytest.mark.parametrize("format_", ["hledger", "jsonl", "parquet"])
def test_it_can_be_exported(restated, fresh, tmp_path, format_):
    export(restated, format_, tmp_path / "export")

    if format_ == "parquet":
        curves, state_hash = rebuild_export(tmp_path / "export")
        assert curves.state_hash() == state_hash == fold_store(fresh.store).state_hash()
    if format_ == "jsonl":
        assert (tmp_path / "export").read_bytes().count(b'{"batch":') == BATCHES + 2
