"""The file of checkpoints: whole notes are read in order, a torn one is left out, any other end is refused."""

from pathlib import Path

import pytest

from services.ledger.checkpoint.files import (
    append_checkpoint,
    newest_checkpoint,
    read_checkpoints,
)
from services.ledger.checkpoint.keys import Untrusted
from services.ledger.checkpoint.notes import NOTE_BYTES_MAX, sign_checkpoint
from testing.checkpoints import CHECKPOINT, NOTE, OTHER, SIGNER, VERIFIER


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Three checkpoints, one after another."""
    file = tmp_path / "checkpoints"
    for batch in (3, 4, 9):
        append_checkpoint(file, sign_checkpoint(CHECKPOINT._replace(batch=batch), SIGNER))
    return file


def batches(file: Path) -> list[int]:
    return [checkpoint.batch for checkpoint in read_checkpoints(file, VERIFIER).checkpoints]


def fault_of(file: Path) -> str:
    with pytest.raises(Untrusted) as why:
        read_checkpoints(file, VERIFIER)
    return why.value.fault


def test_notes_stand_one_after_another(file: Path) -> None:
    assert file.read_text().startswith(NOTE)
    assert batches(file) == [3, 4, 9]
    assert not read_checkpoints(file, VERIFIER).torn
    assert newest_checkpoint(file, VERIFIER) == CHECKPOINT._replace(batch=9)


def test_a_torn_last_note_is_left_out_and_told_and_written_over(file: Path) -> None:
    whole = file.read_bytes()
    before = len(whole) - len(NOTE.encode())

    for length in range(before, len(whole)):
        file.write_bytes(whole[:length])
        kept = read_checkpoints(file, VERIFIER)
        assert ([c.batch for c in kept.checkpoints], kept.torn) == ([3, 4], length > before)
        assert newest_checkpoint(file, VERIFIER) == kept.checkpoints[-1]
    append_checkpoint(file, sign_checkpoint(CHECKPOINT._replace(batch=9), SIGNER))
    assert file.read_bytes() == whole


def test_bytes_that_a_power_cut_left_empty_are_torn(file: Path) -> None:
    whole = file.read_bytes()

    for torn in (bytes(300), NOTE.encode()[:9] + bytes(300), NOTE.encode()[:40] + bytes(300)):
        file.write_bytes(whole + torn)
        assert read_checkpoints(file, VERIFIER).torn
        assert batches(file) == [3, 4, 9]


def test_a_forged_last_note_is_not_torn(file: Path) -> None:
    forged = file.read_text().removesuffix(NOTE) + sign_checkpoint(CHECKPOINT._replace(batch=9), OTHER)
    file.write_text(forged)
    assert fault_of(file) == "other_key"

    file.write_text(NOTE + NOTE.replace("\n3\n", "\n5\n"))
    assert fault_of(file) == "forged"
    with pytest.raises(Untrusted, match="the last note of"):
        newest_checkpoint(file, VERIFIER)


def test_a_note_cut_in_the_middle_of_a_file_is_found(file: Path) -> None:
    text = file.read_text()
    first = len(NOTE)

    for length in range(1, first):
        file.write_text(text[:length] + text[first:])
        assert fault_of(file) in ("forged", "damaged", "other_key", "other_origin")


def test_the_note_is_named(file: Path) -> None:
    file.write_text(file.read_text().replace("\n4\n", "\n5\n"))

    with pytest.raises(
        Untrusted, match=r"note 2 of .*: the signature of waferline.example/ledger\+9c14965d is of another text"
    ):
        read_checkpoints(file, VERIFIER)


def test_two_that_contradict_each_other_are_found(tmp_path: Path) -> None:
    file = tmp_path / "checkpoints"
    backwards = CHECKPOINT._replace(batch=2)
    otherwise = CHECKPOINT._replace(head=bytes(32))

    for second in (backwards, otherwise):
        file.write_text(NOTE + sign_checkpoint(second, SIGNER))
        assert fault_of(file) == "inconsistent"
    unfolded = sign_checkpoint(CHECKPOINT._replace(state=None), SIGNER)
    file.write_text(NOTE + unfolded + sign_checkpoint(backwards._replace(epoch=8), SIGNER))
    assert batches(file) == [3, 3, 2]


def test_a_file_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "diary"
    file.write_text("Dear diary\n")

    with pytest.raises(Untrusted, match="does not end in a checkpoint"):
        append_checkpoint(file, NOTE)
    assert fault_of(file) == "damaged"
    assert file.read_text() == "Dear diary\n"


def test_a_file_without_a_note_has_no_newest(tmp_path: Path) -> None:
    file = tmp_path / "checkpoints"
    file.touch()

    assert newest_checkpoint(file, VERIFIER) is None
    assert read_checkpoints(file, VERIFIER) == ([], False)


def test_the_end_of_a_long_file_is_enough(tmp_path: Path) -> None:
    file = tmp_path / "checkpoints"
    notes = [sign_checkpoint(CHECKPOINT._replace(batch=batch), SIGNER) for batch in range(1, 1001)]
    file.write_text("".join(notes))
    append_checkpoint(file, sign_checkpoint(CHECKPOINT._replace(batch=1001), SIGNER))

    assert file.stat().st_size > 3 * NOTE_BYTES_MAX
    assert newest_checkpoint(file, VERIFIER) == CHECKPOINT._replace(batch=1001)
    assert batches(file) == list(range(1, 1002))
