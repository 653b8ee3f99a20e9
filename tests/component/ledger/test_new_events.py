"""The rules for new events: they refuse no event that was recorded before them, nor its tape."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
import pytest

from services.ledger.store.recording import Outcome, record_entries
from services.operator.record import tapes
from services.operator.record.proof import verify
from shared.play.numbering import Numbering
from shared.wire.batch import EventBatch
from shared.wire.days import microseconds
from shared.wire.event_proof import check_event
from shared.wire.events import Event, EventReversed, SourceAdvanced
from testing.fold import fresh_store

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
NOW = microseconds(NOON)
CONTROLS = ["\x85", "\x9b", "\u061c", "\u200e", "\u2028", "\u2029", "\u202e", "\u2066"]


def published(reason: str = "", through: date | None = None, n: int = 0) -> Event:
    data = EventReversed(reversed="00000000-0000-4000-8000-000000000000", reason=reason)
    event = Numbering("samsung").emit(
        NOON + timedelta(seconds=n), data if through is None else SourceAdvanced(through=through)
    )
    return event.model_copy(update={"sequence": n + 1})


def record(store, *bodies: bytes, now: int = NOW, trusted: bool = False) -> Outcome:
    entries = [(f"{store.head.batch + 1}-{n}", body) for n, body in enumerate(bodies)]
    return record_entries(store, "supply", "samsung", "supplier", entries, now=now, trust_recorded=trusted)


def one(event: Event) -> bytes:
    return orjson.dumps(event.cloud_event())


def before_the_rules(*events: Event) -> Any:
    """Return a store in which an earlier version has recorded some events."""
    store = fresh_store()
    record(store, EventBatch.of(events, NOW).encode(), trusted=True)
    return store


def replayed(store) -> Any:
    """Return a store into which the tape of another one was replayed, long after."""
    lines = [line for _, batch in tapes.record_lines(store) for line in batch]
    again = fresh_store()
    for entry in tapes.entries(lines):
        record(again, entry.body, now=NOW + 10**15, trusted=True)
    return again


def outcome_of(store) -> tuple[list[str], list[tuple[Any, ...]]]:
    bodies = [body for sealed in store.sealed_batches() for body in sealed.bodies]
    return bodies, [(r.id, r.code, r.path, r.message, r.body) for r in store.refusals()]


@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize("written", [one, lambda event: EventBatch.of([event]).encode()])
def test_a_text_of_a_new_event_holds_no_control(control, written):
    (refused,) = record(fresh_store(), written(published(f"a{control}b"))).refused

    assert (refused.code, refused.path, refused.sequence) == ("malformed", "data.reason", 1)
    assert refused.message == f"holds the control character U+{ord(control):04X}"


def test_any_other_text_is_recorded_as_it_is():
    assert record(fresh_store(), one(published("São Paulo, 서울, 👩‍🔬: \xa0"))).events == 1


@pytest.mark.parametrize("control", CONTROLS)
def test_a_text_recorded_before_the_rule_is_read_verified_proved_and_replayed(control):
    event = published(f"a{control}b")
    store = before_the_rules(event)
    verdict = store.verdict("samsung", event.id)
    [sealed] = store.sealed_batches()
    batch = {"head": sealed.batch.hash.hex(), "document": sealed.document().decode()}
    head = {"position": 1, "head": batch["head"]}

    assert verify(store).wrong is None
    assert verdict["event"]["data"]["reason"] == f"a{control}b"
    assert check_event("samsung", event.id, verdict, head, [batch]).holds
    assert outcome_of(replayed(store)) == outcome_of(store)


def test_an_event_recorded_before_a_rule_is_a_duplicate_when_it_is_sent_again():
    event, far = published("a\x9bb"), published(through=date(2036, 11, 1), n=1)
    store = before_the_rules(event, far)

    assert record(store, one(event), one(far))[1:] == (0, 0, 2, [])
    (conflict,) = record(store, one(event.model_copy(update={"sequence": 9}))).refused
    assert conflict.code == "identity_conflict"


@pytest.mark.parametrize(
    ("days", "code"), [(0, None), (1, None), (2, "watermark_in_future"), (3653, "watermark_in_future")]
)
def test_a_watermark_beyond_the_day_after_its_recording_is_refused(days, code):
    outcome = record(fresh_store(), one(published(through=NOON.date() + timedelta(days))))

    assert [(r.code, r.path) for r in outcome.refused] == ([] if code is None else [(code, "data.through")])
    assert outcome.events == (code is None)


def test_a_far_watermark_recorded_before_the_rule_is_verified_and_replayed():
    store = before_the_rules(published(through=date(2036, 11, 1)))

    assert verify(store).wrong is None
    assert outcome_of(replayed(store)) == outcome_of(store)


def test_a_refused_event_is_refused_in_each_replay():
    store = fresh_store()
    record(store, one(published("fine")))
    record(store, one(published("a\u2028b", n=1)), one(published(through=date(2036, 11, 1), n=2)))
    again = replayed(store)

    assert [row[1] for row in outcome_of(store)[1]] == ["malformed", "watermark_in_future"]
    assert outcome_of(again) == outcome_of(store)
    assert outcome_of(replayed(again)) == outcome_of(store)


def test_a_refused_watermark_stays_refused_once_its_day_has_come():
    store, far = fresh_store(), one(published(through=date(2026, 11, 9)))
    record(store, far)

    assert record(store, far, now=NOW + 10**15)[1:] == (0, 0, 1, [])
