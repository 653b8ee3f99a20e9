"""Is an event proved by what the ledger answers of it, and by nothing that was altered?"""

from hashlib import sha256
from typing import Any

import pytest

from shared.wire.event_proof import check_event, previous_of
from testing.fold import fold
from tests.replay.test_tape import SAID

STORE = fold(SAID).store
EVENT = SAID[0]
SOURCE, ID = EVENT.source, EVENT.id
VERDICT: dict[str, Any] = {"batch": 1, "event": EVENT.cloud_event()}


def batch(number: int) -> dict[str, Any]:
    [sealed] = STORE.sealed_batches(number - 1, 1)
    return {"head": sealed.batch.hash.hex(), "document": sealed.document().decode()}


def test_an_event_is_proved_by_its_batch_and_by_the_one_behind_it():
    proof = check_event(SOURCE, ID, VERDICT, batch(1), previous_of(batch(2)))

    assert proof.holds
    assert proof.line is not None
    assert batch(1)["document"].splitlines()[proof.line - 1].startswith(f'["{SOURCE}",')


@pytest.mark.parametrize("also_the_head", [False, True])
def test_a_document_that_was_altered_proves_nothing(also_the_head):
    told = batch(1)
    told["document"] = told["document"].replace(ID, ID[::-1])
    if also_the_head:
        told["head"] = sha256(told["document"].encode()).hexdigest()

    proof = check_event(SOURCE, ID, VERDICT, told, previous_of(batch(2)))

    assert not proof.holds
    assert proof.line is None
    assert list(proof.checks.values()) == ([True, False, False] if also_the_head else [False, False, True])


def test_an_event_that_was_altered_is_not_proved():
    said = VERDICT["event"] | {"time": "2031-01-01T00:00:00.000000Z"}

    assert not check_event(SOURCE, ID, VERDICT | {"event": said}, batch(1), previous_of(batch(2))).holds
