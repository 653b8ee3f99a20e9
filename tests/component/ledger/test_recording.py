"""Recording: what is new, what was said before, what is refused, and who is told; on SQLite and on PostgreSQL."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
import pytest

from services.ledger.store.recording import ENTRY_BYTES_MAX, Outcome, record_entries
from services.ledger.store.writer import StoreWriter
from services.operator.record.proof import verify
from shared.play.numbering import Numbering
from shared.wire.batch import EventBatch
from shared.wire.days import microseconds
from shared.wire.events import Event, EventReversed, StockCounted, StockOpened, SupplyCommitted
from testing.fold import Folded, fresh_store
from testing.twins.ledger import sum_up

KEY = {"product": "HBM4-12H", "site": "abilene", "supplier": "samsung"}
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def numbering() -> Numbering:
    return Numbering("americas")


def opened(numbering: Numbering, wafers: int = 10, time: datetime = NOON) -> Event:
    return numbering.emit(time, StockOpened(wafers=wafers, **KEY))


def record(store: StoreWriter, *bodies: bytes, now: datetime = NOON, **options: Any) -> Outcome:
    entries = [(f"{store.head.batch + 1}-{n}", body) for n, body in enumerate(bodies)]
    return record_entries(store, "demand", "americas", "datacenter", entries, now=microseconds(now), **options)


def one(event: Event | dict[str, Any]) -> bytes:
    return orjson.dumps(event.cloud_event() if isinstance(event, Event) else event)


def told(store: StoreWriter) -> list[dict[str, Any]]:
    return [stored.verdict.model_dump() for stored in store.published_batches(0, 99)]


def verdicts(folded: Folded) -> list[tuple[int, int, int, int]]:
    return [(each.through, each.recorded, each.duplicates, len(each.refusals)) for each in folded.verdicts]


# ---------------------------------------------------------------- said before


def test_a_duplicate_is_counted_and_dropped_within_a_batch_and_after_it(fold_here, numbering):
    log = [opened(numbering), opened(numbering)]
    folded = fold_here([*log, log[0], log[1], log[1]], batches=[3, 2])

    assert verdicts(folded) == [(2, 2, 1, 0), (2, 0, 2, 0)]
    assert folded.stages()["on_hand"] == 20
    assert folded.store.last_event == 2


@pytest.mark.parametrize("batches", [1, 9])
def test_an_id_said_again_with_other_content_is_refused_and_kept(fold_here, numbering, batches):
    first = opened(numbering)
    other = opened(numbering, wafers=99).model_copy(update={"id": first.id})
    folded = fold_here([first, other], batches=batches)

    (refusal,) = folded.refusals
    assert (refusal.code, refusal.path, refusal.sequence, refusal.id) == ("identity_conflict", "id", 2, first.id)
    assert orjson.loads(folded.store.refusals()[0].body) == other.cloud_event()
    assert folded.stages()["on_hand"] == 10
    assert folded.verdicts[-1].through == 2


@pytest.mark.parametrize("batches", [1, 9])
def test_an_event_under_a_fresh_sequence_is_a_conflict_for_its_content_says_the_sequence(fold_here, numbering, batches):
    """Its id is unknown to the quick look, which searches only for sequences heard before: the index finds it."""
    first = opened(numbering)
    again = first.model_copy(update={"sequence": 2})
    folded = fold_here([first, again, opened(numbering).model_copy(update={"sequence": 3})], batches=batches)

    assert [refusal.code for refusal in folded.refusals] == ["identity_conflict"]
    assert folded.stages()["on_hand"] == 20
    assert folded.store.progress["americas"].through == 3


def test_what_was_said_long_ago_is_a_duplicate_for_a_ledger_that_starts_anew(fold_here, numbering):
    log = [opened(numbering, wafers=1) for _ in range(1500)]
    folded = fold_here([*log, *log[::-1], *log[700:]], batches=1000, reopen=True)

    assert (folded.duplicates, folded.refusals, folded.store.last_event) == (2300, [], 1500)
    assert folded.stages()["on_hand"] == 1500


def test_the_same_id_from_two_sources_is_two_events(fold_here, numbering):
    first = opened(numbering)
    folded = fold_here([first, first.model_copy(update={"source": "emea"})])

    assert folded.refusals == []
    assert folded.stages()["on_hand"] == 20


# ---------------------------------------------------------------- refused


def test_a_movement_more_than_a_day_after_it_was_recorded_is_refused(store, numbering):
    log = [opened(numbering, time=NOON + DAY), opened(numbering, time=NOON + DAY + timedelta(microseconds=1))]
    outcome = record(store, EventBatch.of(log).encode())

    assert [(row.code, row.path, row.sequence) for row in outcome.refused] == [("movement_in_future", "time", 2)]
    assert outcome.events == 1
    assert orjson.loads(outcome.refused[0].body) == log[1].cloud_event() | {
        "recordedtime": "2026-01-05T12:00:00.000000Z"
    }


def test_a_count_is_of_the_past_but_a_plan_may_be_said_for_any_day(store, numbering):
    count = numbering.emit(NOON + 2 * DAY, StockCounted(counted=3, **KEY))
    supplier = Numbering("samsung")
    commit = supplier.emit(
        NOON + 2 * DAY,
        SupplyCommitted(line="c", due=date(2099, 1, 1), firmness="firm", wafers=1, revision=0, **KEY),
    )

    assert [row.code for row in record(store, one(count)).refused] == ["movement_in_future"]
    outcome = record_entries(store, "supply", "samsung", "supplier", [("1-0", one(commit))], now=microseconds(NOON))
    assert (outcome.events, outcome.refused) == (1, [])


@pytest.mark.parametrize("together", [True, False])
def test_whether_a_movement_is_in_the_future_does_not_depend_on_its_batch(store, numbering, together):
    """In a simulation the sender says when it was recorded: each entry for itself."""
    early = EventBatch.of([opened(numbering, time=NOON + 5 * DAY)], recorded=microseconds(NOON)).encode()
    late = EventBatch.of([opened(numbering)], recorded=microseconds(NOON + 9 * DAY)).encode()
    batches = [[early, late]] if together else [[early], [late]]
    outcomes = [record(store, *batch, trust_recorded=True) for batch in batches]

    assert [row.sequence for outcome in outcomes for row in outcome.refused] == [1]
    assert [batch.header.recorded for batch in store.batches()][-1] == microseconds(NOON + 9 * DAY)


def test_the_senders_word_on_when_it_recorded_is_taken_only_if_trusted(store, numbering):
    entry = EventBatch.of([opened(numbering, time=NOON + 5 * DAY)], recorded=microseconds(NOON + 5 * DAY)).encode()

    assert [row.code for row in record(store, entry).refused] == ["movement_in_future"]
    assert record(fresh_store(), entry, trust_recorded=True).events == 1


def test_a_movement_that_was_refused_as_yet_to_come_stays_refused_once_it_has_come(store, numbering):
    """The outbox sends again, and its party has been told: one event, one verdict."""
    event = one(opened(numbering, time=NOON + 3 * DAY))
    first = record(store, event)
    later = [record(store, event, now=NOON + days * DAY) for days in (1, 4)]

    assert [row.code for row in first.refused] == ["movement_in_future"]
    assert [(outcome.events, outcome.duplicates, outcome.refused) for outcome in later] == [(0, 1, []), (0, 1, [])]


def test_a_refused_movement_that_is_replayed_is_refused_again(store, numbering):
    record(store, one(opened(numbering, time=NOON + 5 * DAY)))
    replayed = fresh_store()

    (refusal,) = store.refusals()
    assert [row.code for row in record(replayed, refusal.body, now=NOON + 99 * DAY, trust_recorded=True).refused] == [
        "movement_in_future"
    ]


def test_a_row_that_is_wrong_is_refused_alone_and_told_to_its_source(store, numbering):
    log = [opened(numbering) for _ in range(3)]
    batch = orjson.loads(EventBatch.of(log).encode())
    batch["wafers"][1] = -4
    outcome = record(store, orjson.dumps(batch))

    assert outcome.events == 2
    assert told(store) == [
        {
            "batch": 1, "source": "americas", "through": 3, "recorded": 2, "duplicates": 0,
            "refusals": [{"sequence": 2, "id": log[1].id, "code": "out_of_bounds", "path": "data.wafers",
                          "message": outcome.refused[0].message}],
            "effects": [],
        }
    ]  # fmt: skip
    assert b"-4" in store.refusals(1)[0].body


def test_what_was_refused_and_is_said_again_is_a_duplicate(store, numbering):
    wrong = [one(opened(numbering).cloud_event() | {"time": f"day {n}"}) for n in range(60)]
    record(store, *wrong[:40])
    again = record(store, *wrong)

    assert (again.duplicates, len(again.refused), len(store.refusals())) == (40, 20, 60)
    assert record(store, *wrong).duplicates == 60


def test_counts_are_told_and_taken_back_in_one_batch_and_in_several(fold_here, numbering):
    counts = [numbering.emit(NOON + n % 3 * DAY, StockCounted(counted=n, **KEY)) for n in range(40)]
    undone = [numbering.emit(NOON, EventReversed(reversed=count.id, reason="")) for count in counts[::3]]
    for batches in (1000, 17):
        folded = fold_here([*counts, *undone], batches=batches)

        assert verify(folded.store).wrong is None
        assert folded.cells() == sum_up([*counts, *undone])
        ((_, stock),) = folded.store.working_state.stocks()
        assert sum(len(names) for names in stock.counts.values()) == 26


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[]", b'{"ids":[]}', b"null", b"7"])
def test_an_entry_that_is_nothing_is_refused_whole_and_the_next_one_recorded(store, numbering, body):
    outcome = record(store, body, one(opened(numbering)))

    assert (outcome.events, [row.body for row in outcome.refused]) == (1, [body])
    assert store.offsets() == {"demand": "1-1"}
    assert store.progress["americas"].through == 1


def test_of_an_entry_too_long_to_be_read_only_its_beginning_is_kept(store, numbering):
    body = one(opened(numbering).cloud_event() | {"note": "x" * ENTRY_BYTES_MAX})
    outcome = record(store, body)

    (refusal,) = store.refusals()
    assert refusal.code == outcome.refused[0].code == "out_of_bounds"
    assert refusal.body == body[: 1 << 16]
    assert store.offsets() == {"demand": "1-0"}


def test_nobody_speaks_on_anothers_stream(store, numbering):
    strange = opened(numbering).model_copy(update={"source": "emea"})
    outcome = record(store, one(strange), EventBatch.of([strange]).encode())

    assert {row.code for row in outcome.refused} == {"foreign_source"}
    assert (outcome.events, store.last_event) == (0, 0)


def test_every_event_is_recorded_refused_or_a_duplicate(store, numbering):
    log = [opened(numbering) for _ in range(4)]
    wrong = log[2].cloud_event() | {"time": "yesterday"}
    outcome = record(store, one(log[0]), one(log[0]), one(log[1]), one(wrong), b"?", one(log[3]))

    assert (outcome.events, outcome.duplicates, len(outcome.refused)) == (3, 1, 2)
    assert (told(store)[0]["through"], len(told(store)[0]["refusals"])) == (4, 2)


@pytest.mark.parametrize("batches", [1, 9])
def test_what_is_refused_twice_is_refused_once_in_whatever_batches_it_comes(fold_here, numbering, batches):
    wrong = opened(numbering).cloud_event()
    wrong["data"]["wafers"] = 0
    folded = fold_here([wrong, wrong, wrong], batches=batches)

    assert len(folded.refusals) == 1
    assert folded.duplicates == 2
