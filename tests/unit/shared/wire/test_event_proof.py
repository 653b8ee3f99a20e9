"""The proof of an event holds for the ledger's own answers, and for no altered one."""

from hashlib import sha256
from typing import Any

import pytest

from shared.wire.event_proof import check_event, proof_paths
from shared.wire.rows import Row, canonical_bodies
from testing.fold import fold
from tests.replay.test_tape import SAID

STORE = fold(SAID).store
EVENT = SAID[0]
SOURCE, ID = EVENT.source, EVENT.id
VERDICT: dict[str, Any] = {"batch": 1, "event": EVENT.cloud_event()}
HEAD: dict[str, Any] = {"position": STORE.head.batch, "head": STORE.head.hash.hex()}


def batch(number: int) -> dict[str, Any]:
    [sealed] = STORE.sealed_batches(number - 1, 1)
    return {"head": sealed.batch.hash.hex(), "document": sealed.document().decode()}


def test_an_event_is_proved_by_its_batch_and_by_the_one_behind_it():
    proof = check_event(SOURCE, ID, VERDICT, HEAD, [batch(1), batch(2)])

    assert proof.holds
    assert proof.line is not None
    assert batch(1)["document"].split("\n")[proof.line - 1].startswith(f'["{SOURCE}",')


@pytest.mark.parametrize("break_", ["\u2028", "\u2029", "\x85", "\x1c", "\v"])
def test_an_event_whose_text_breaks_a_line_elsewhere_is_proved(break_):
    body = Row.of(EVENT)._replace(rest=f'{{"fab":"P{break_}4"}}')
    event = {"status": "recorded", "batch": 1, "event": EVENT.cloud_event()}
    header, _ = batch(1)["document"].split("\n", 1)
    [text] = canonical_bodies(
        [
            body,
        ]
    )
    [mine] = canonical_bodies([Row.of(EVENT)])
    document = f"{header}\n{text}\n{mine}\n"
    head = sha256(document.encode()).hexdigest()

    proof = check_event(SOURCE, ID, event, {"position": 1, "head": head}, [{"head": head, "document": document}])

    assert (proof.line, proof.holds) == (3, True)


@pytest.mark.parametrize("also_the_head", [False, True])
def test_a_document_that_was_altered_proves_nothing(also_the_head):
    altered = batch(1)
    altered["document"] = altered["document"].replace(ID, ID[::-1])
    if also_the_head:
        altered["head"] = sha256(altered["document"].encode()).hexdigest()

    proof = check_event(SOURCE, ID, VERDICT, HEAD, [altered, batch(2)])

    assert not proof.holds
    assert proof.line is None
    assert list(proof.checks.values()) == ([True, False, False] if also_the_head else [False, False, True])


def test_an_event_that_was_altered_is_not_proved():
    altered = VERDICT["event"] | {"time": "2031-01-01T00:00:00.000000Z"}

    assert not check_event(SOURCE, ID, VERDICT | {"event": altered}, HEAD, [batch(1), batch(2)]).holds


def test_the_last_event_is_proved_by_its_batch_and_by_the_head():
    [sealed] = STORE.sealed_batches(STORE.head.batch - 1, 1)
    last = Row.read(sealed.bodies[-1]).event()
    verdict = {"batch": STORE.head.batch, "event": last.cloud_event()}

    assert proof_paths(verdict, HEAD) == [f"/batches/{STORE.head.batch}"]
    assert proof_paths(VERDICT, HEAD) == ["/batches/1", "/batches/2"]
    assert check_event(last.source, last.id, verdict, HEAD, [batch(STORE.head.batch)]).holds
    assert not check_event(last.source, last.id, verdict, HEAD | {"head": "0" * 64}, [batch(STORE.head.batch)]).holds
