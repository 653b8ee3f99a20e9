"""The proof of a store finds each change, and names its place."""

import shutil
import sqlite3
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from services.ledger.checkpoint.notes import Checkpoint
from services.ledger.store.reader import open_reader
from services.ledger.store.writer import open_writer
from services.operator.record.checkpoints import find_contradiction, kept_checkpoints
from services.operator.record.proof import verify, verify_chain
from services.operator.record.store import open_store as open_stack_store
from services.operator.stack.errors import StackError
from shared.play.numbering import Numbering
from shared.wire.events import Event, EventReversed, StockCounted, event_id
from shared.wire.postings import Measure
from testing.fold import fold
from testing.forging import seal_again
from testing.simulate import simulate


@pytest.fixture(scope="module")
def events() -> list[Event]:
    events = [event for _, said in simulate("announced", date(2026, 1, 12)) for event in said]
    consumed = next(event for event in events if isinstance(event, Event) and event.data.type == "stock.opened")
    counted = StockCounted(
        counted=9, **{part: getattr(consumed.data, part) for part in ("product", "site", "supplier")}
    )
    last = max(event.sequence for event in events if isinstance(event, Event) and event.source == consumed.source)
    again = {"id": event_id(consumed.time, consumed.source, "count"), "sequence": last + 1, "data": counted}
    return [*events, consumed.model_copy(update=again)]


@pytest.fixture(scope="module")
def kept(events: list[Event], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of a few days, closed."""
    path = tmp_path_factory.mktemp("kept") / "ledger.db"
    refused = events[-1].cloud_event() | {"type": "waferline.lot.melted.v1", "sequence": "9999"}
    fold([*events, refused], path=path).store.close()
    return path


@pytest.fixture
def path(kept: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copy(kept, tmp_path))


def wrong(path: Path, *changes: str, chain_only: bool = False) -> str:
    """What a verification says of a store after some changes."""
    with sqlite3.connect(path) as connection:
        for change in changes:
            assert connection.execute(change).rowcount >= 1, change
    connection.close()
    prove = verify_chain if chain_only else verify
    return prove(open_reader(path)).wrong or ""


def test_an_untouched_store_is_proved_and_its_state_is_the_replays(path: Path, events: list[Event]) -> None:
    store = open_reader(path)
    proof = verify(store)

    assert proof.wrong is None
    assert proof.events == len(events)
    assert verify_chain(store) == proof._replace(state_hash=None)


WAFER_MORE = (
    "UPDATE events SET body = replace(body, ',25,', ',24,')"
    " WHERE seq = (SELECT min(seq) FROM events WHERE body LIKE '%,25,%')"
)


@pytest.mark.parametrize("chain_only", [False, True])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (WAFER_MORE, "the chain breaks at batch"),
        ("DELETE FROM events WHERE seq = 40", "the chain breaks at batch"),
        (
            "UPDATE events SET body = (SELECT body FROM events e WHERE e.seq = 83 - events.seq) WHERE seq IN (41, 42)",
            "the chain breaks at batch",
        ),
        ("UPDATE batches SET recorded = recorded + 1 WHERE batch = 3", "the chain breaks at batch 3"),
        ("UPDATE batches SET source = 1 + (source = 1) WHERE batch = 3", "the chain breaks at batch 3"),
        ("UPDATE batches SET entry = '1-1' WHERE batch = 5", "the chain breaks at batch 5"),
        ("UPDATE refusals SET message = 'is all right' WHERE seq = 1", "the chain breaks at batch"),
        ("UPDATE refusals SET body = x'00' WHERE seq = 1", "the chain breaks at batch"),
        ("UPDATE store SET epoch = 8", "the chain breaks at batch 1"),
        ("UPDATE names SET name = name || 'x' WHERE id = 1", "the chain breaks at batch 1"),
        ("DELETE FROM batches WHERE batch = 3", "batch 3 is missing"),
        ("DELETE FROM batches WHERE batch = (SELECT max(batch) FROM batches)", "head says"),
        ("UPDATE head SET hash = x'00'", "head says"),
        ("UPDATE head SET batch = batch - 1", "head says"),
        ("INSERT INTO events SELECT seq + 9999, source, x'00', body FROM events WHERE seq = 1", "the store holds"),
    ],
)
def test_a_change_of_what_was_recorded_is_found_and_its_batch_named(
    path: Path, change: str, said: str, chain_only: bool
) -> None:
    assert said in wrong(path, change, chain_only=chain_only)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE postings SET wafers = wafers + 1 WHERE seq = 200", "is not what its events say"),
        ("DELETE FROM postings WHERE seq = 200", "is not what its events say"),
        ("UPDATE keys SET supplier = site WHERE id = 1", "is not what its events say"),
        ("INSERT INTO postings SELECT seq + 9999, measure, day, key, wafers FROM postings WHERE seq = 1", "holds"),
        ("UPDATE batches SET watermark = watermark + 1 WHERE watermark IS NOT NULL", "the watermark of batch"),
        ("UPDATE batches SET through = through + 1 WHERE batch = 4", "batch 4 says"),
        ("UPDATE events SET id = x'00' WHERE seq = 77", "under their own source and id"),
        ("UPDATE lines SET state = replace(state, ':', ': ') || ' '", ""),
        ("UPDATE lines SET state = '[{},{},[],[],[]]'", "the lines are not"),
        ("DELETE FROM lines", "the lines are not"),
        ("UPDATE stock SET wafers = wafers + 1", "the stocks are not"),
        ("UPDATE counts SET wafers = wafers + 1", "the stocks are not"),
        ("UPDATE sources SET advanced = advanced + 1", "the progress of the sources are not"),
        ("UPDATE heard SET last = last + 1", "the progress of the sources are not"),
        ("UPDATE offsets SET entry = '9-9'", "the offsets are not"),
        ("UPDATE tallies SET events = events + 1", "the tallies are not"),
    ],
)
def test_a_change_of_what_follows_from_the_events_is_found_by_posting_them_again(
    path: Path, change: str, said: str
) -> None:
    found = wrong(path, change)
    assert said in found
    assert bool(said) == bool(found)
    assert verify_chain(open_reader(path)).wrong is None or "store holds" in found


def test_a_posting_that_is_not_what_its_events_say_is_told_with_what_they_say(path: Path) -> None:
    [(batch, measure, day, *key, wafers)] = open_writer(path).database.query(
        "SELECT batch, measure, day, product, site, supplier, wafers FROM posted LIMIT 1"
    )

    cell = f"{Measure(measure).name} on day {day} of {'/'.join(key)}"
    told = f"posting 0 of batch {batch} is not what its events say: it is {wafers + 1} {cell}, they say {wafers} {cell}"
    assert wrong(path, "UPDATE postings SET wafers = wafers + 1 WHERE seq = 1") == told


@pytest.mark.parametrize("chain_only", [True, False])
def test_a_store_that_cannot_be_read_is_not_proved(path: Path, chain_only: bool) -> None:
    connection = sqlite3.connect(path)
    connection.executescript("DROP VIEW said; DROP VIEW posted; DROP TABLE refusals")
    connection.close()

    assert wrong(path, chain_only=chain_only).startswith("the store cannot be read behind batch ")


def test_checkpoints_or_a_key_that_were_named_must_be_there(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.touch()

    assert kept_checkpoints(tmp_path, None, None) == []
    with pytest.raises(StackError, match="name another with --checkpoints"):
        kept_checkpoints(tmp_path, None, there)
    with pytest.raises(StackError, match="name another with --key"):
        kept_checkpoints(tmp_path, there, None)


def test_a_forged_reversal_is_found(path: Path) -> None:
    assert "the reversals are not" in wrong(
        path, "INSERT INTO reversals VALUES (1, x'00000000000000000000000000000000')"
    )


def test_a_tail_that_was_sealed_again_is_found_by_posting_or_by_a_checkpoint_alone(path: Path) -> None:
    store = open_writer(path)
    signed = store.head
    store.close()
    assert wrong(path, WAFER_MORE, chain_only=True)
    seal_again(path, 1)

    assert wrong(path, chain_only=True) == ""
    assert verify(open_reader(path)).wrong
    forged = open_reader(path)
    assert find_contradiction(forged, Checkpoint(forged.epoch, signed.batch, signed.hash, 0, 0)) is not None


def test_a_cut_tail_with_its_head_is_found_by_a_checkpoint(path: Path) -> None:
    store = open_writer(path)
    signed, cut = store.head, store.head.batch - 2
    store.close()
    assert (
        wrong(
            path,
            f"DELETE FROM events WHERE seq >= (SELECT first_event FROM batches WHERE batch = {cut + 1})",  # noqa: S608
            "DELETE FROM refusals",
            f"DELETE FROM batches WHERE batch > {cut}",  # noqa: S608
            f"UPDATE head SET batch = {cut}, hash = (SELECT hash FROM batches WHERE batch = {cut})",  # noqa: S608
            chain_only=True,
        )
        == ""
    )

    shorter = open_reader(path)
    assert find_contradiction(shorter, Checkpoint(shorter.epoch, cut, shorter.head.hash, 0, 0)) is None
    assert "ends at batch" in str(
        find_contradiction(shorter, Checkpoint(shorter.epoch, signed.batch, signed.hash, 0, 0))
    )
    assert "epoch" in str(find_contradiction(shorter, Checkpoint(shorter.epoch + 1, cut, shorter.head.hash, 0, 0)))


def test_a_count_that_was_taken_back_is_no_change_to_the_store():
    numbering, time = Numbering("abilene"), datetime(2026, 3, 1, tzinfo=UTC)
    counted = numbering.emit(time, StockCounted(counted=9, product="HBM4-12H", site="abilene", supplier="samsung"))
    undone = numbering.emit(time, EventReversed(reversed=counted.id, reason="said in error"))

    assert verify(fold([counted, undone]).store).wrong is None


def test_what_another_python_could_print_is_proved_here(path: Path) -> None:
    later = "\U0001fae8"  # Python 3.12 stores it as it is, 3.11 escapes it
    with sqlite3.connect(path) as connection:
        assert connection.execute("UPDATE refusals SET path = ?", (f"data.{later}",)).rowcount == 1
    connection.close()
    seal_again(path, 1)
    store = open_reader(path)

    assert later in store.refusals()[0].path
    assert verify(store).wrong is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE batches SET first_event = 1 WHERE batch = 5", "the chain breaks at batch 5"),
        ("UPDATE batches SET first_event = first_event + 9 WHERE batch = 5", "the chain breaks at batch 5"),
        ("UPDATE batches SET first_posting = 1 WHERE batch = 5", "of batch 5 is not"),
    ],
)
def test_a_batch_that_points_elsewhere_is_named_and_not_those_read_with_it(path: Path, change: str, said: str) -> None:
    later = [f"DELETE FROM {table} WHERE seq >= (SELECT first_{what} FROM batches WHERE batch = 6)"  # noqa: S608
             for table, what in (("events", "event"), ("postings", "posting"))]  # fmt: skip

    assert said in wrong(path, *later, "DELETE FROM batches WHERE batch > 5", change)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE batches SET source = 9999 WHERE batch = 3",
        "UPDATE batches SET through = -5 WHERE batch = 3",
        "UPDATE events SET source = 9999 WHERE seq = 40",
        "UPDATE postings SET key = 9999 WHERE seq = 40",
        "UPDATE lines SET state = '{'",
        "UPDATE stock SET key = key + 9999",
        "DELETE FROM keys WHERE id = 1",
    ],
)
def test_what_cannot_be_read_is_not_proved(path: Path, change: str) -> None:
    assert "cannot be read" in wrong(path, change)


@pytest.mark.parametrize("change", ["DELETE FROM head", "DELETE FROM names", "DELETE FROM sources"])
def test_a_store_that_cannot_be_opened_is_told_in_a_line(path: Path, change: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(change)
    connection.close()

    with pytest.raises(StackError, match="was changed"):
        open_stack_store(path.parent)


@pytest.mark.parametrize("password", ["se@cret", "se/cret", "se%cret", "se?cret", "secret"])
def test_an_error_of_a_store_elsewhere_names_no_piece_of_its_password(tmp_path: Path, password: str) -> None:
    with pytest.raises(StackError) as told:
        open_stack_store(tmp_path, f"postgresql://me:{password}@127.0.0.1:1/db")

    assert "cret" not in str(told.value)
    assert ("%40" in str(told.value)) != password.isalpha()
