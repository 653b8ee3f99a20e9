"""Is a checkpoint what its key signed, and is every other note told from it?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ledger.checkpoint.keys import Signer, Untrusted, Verifier
from services.ledger.checkpoint.notes import NOTE_BYTES_MAX, Checkpoint, read_checkpoint, sign_checkpoint
from testing.checkpoints import CHECKPOINT, NOTE, OTHER, SIGNER, VERIFIER, sign

numbers = st.integers(0, 10**18)
checkpoints = st.builds(
    Checkpoint, numbers, numbers, st.binary(min_size=32, max_size=32), numbers, numbers,
    st.none() | st.binary(min_size=32, max_size=32).map(bytes.hex),
)  # fmt: skip


def fault(text: str, verifier: Verifier = VERIFIER, epoch: int | None = None) -> str:
    with pytest.raises(Untrusted) as why:
        read_checkpoint(text, verifier, epoch=epoch)
    return why.value.fault


def test_a_checkpoint_is_signed_as_it_was_kept() -> None:
    assert sign_checkpoint(CHECKPOINT, SIGNER) == NOTE


@given(checkpoints)
def test_a_checkpoint_is_read_as_it_was_signed(checkpoint: Checkpoint) -> None:
    note = sign_checkpoint(checkpoint, SIGNER)

    assert read_checkpoint(note, VERIFIER, epoch=checkpoint.epoch) == checkpoint


@given(st.integers(0, len(NOTE) - 1), st.characters(codec="utf-8"))
def test_no_other_character_passes_anywhere(position: int, character: str) -> None:
    changed = NOTE[:position] + character + NOTE[position + 1 :]

    if changed != NOTE:
        assert fault(changed) in ("forged", "damaged", "other_key")


@given(st.integers(0, len(NOTE) - 1))
def test_no_piece_of_a_note_passes(length: int) -> None:
    assert fault(NOTE[:length]) in ("forged", "damaged")


def test_a_forged_text_is_named_so() -> None:
    assert fault(NOTE.replace("events 42", "events 43")) == "forged"


def test_a_key_of_the_same_name_is_another() -> None:
    assert fault(sign_checkpoint(CHECKPOINT, OTHER)) == "other_key"
    assert fault(NOTE, OTHER.verifier) == "other_key"


def test_a_key_under_another_name_is_another() -> None:
    renamed = VERIFIER._replace(name="another.example/ledger")

    assert fault(NOTE, renamed) == "other_key"
    assert fault(NOTE.replace("— waferline", "— another")) == "other_key"


def test_the_ledger_of_another_store_is_named_so() -> None:
    assert fault(NOTE, epoch=8) == "other_origin"
    assert fault(sign("example.com/log\n3\n" + "A" * 43 + "=\n")) == "other_origin"


def test_a_witness_may_sign_beside_us_and_nobody_instead_of_us() -> None:
    witness = sign(CHECKPOINT.text(), Signer("witness.example", OTHER.private)).rpartition("\n\n")[2]

    assert read_checkpoint(NOTE + witness, VERIFIER) == CHECKPOINT
    assert fault(CHECKPOINT.text() + "\n" + witness) == "other_key"


def test_a_line_that_a_later_version_adds_is_passed_over() -> None:
    assert read_checkpoint(sign(CHECKPOINT.text() + "witnessed 3\n"), VERIFIER) == CHECKPOINT


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("\n3\n", "\n03\n"), ("\n3\n", "\n-3\n"), ("\n3\n", "\n٣\n"), ("events 42", "events"), ("Hh8=", "Hh9="),
        ("state ab", "state AB"), ("events 42\n", ""), ("events 42\n", "events 42\n\n"),
        ("recorded 17", "recorded " + "9" * 20),
    ],
)  # fmt: skip
def test_what_is_signed_and_no_checkpoint_is_damaged(was: str, now: str) -> None:
    assert fault(sign(CHECKPOINT.text().replace(was, now))) == "damaged"


@pytest.mark.parametrize(
    "text",
    [
        "", "\n", "\n\n", NOTE + "\n", NOTE.replace("\n", "\r\n"), NOTE.replace("— ", "- "), NOTE + "— x\n",
        NOTE + "— x AAAA\n", "\ud800" + NOTE, NOTE.replace("— ", "\0— "), "x" * NOTE_BYTES_MAX + NOTE,
    ],
)  # fmt: skip
def test_what_is_no_note_is_damaged(text: str) -> None:
    assert fault(text) == "damaged"


def test_what_is_no_checkpoint_is_not_signed() -> None:
    with pytest.raises(ValueError, match="is no checkpoint"):
        sign_checkpoint(CHECKPOINT._replace(head=b"short"), SIGNER)
