"""Is a checkpoint what its key signed, and is every other note told from it?"""

import base64
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from services.ledger.checkpoint.files import (
    append_checkpoint,
    make_key,
    newest_checkpoint,
    read_checkpoints,
    read_signer,
)
from services.ledger.checkpoint.keys import Signer, Untrusted, Verifier, read_verifier
from services.ledger.checkpoint.notes import NOTE_BYTES_MAX, Checkpoint, read_checkpoint, sign_checkpoint

# the first key of RFC 8032, 7.1
SECRET = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
SIGNER = Signer("waferline.example/ledger", Ed25519PrivateKey.from_private_bytes(SECRET))
VERIFIER = SIGNER.verifier
CHECKPOINT = Checkpoint(7, 3, bytes(range(32)), 42, 1_767_614_400_000_000, "ab" * 32)
NOTE = (
    "waferline/ledger/7\n"
    "3\n"
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
    "events 42\n"
    "recorded 1767614400000000\n"
    "state abababababababababababababababababababababababababababababababab\n"
    "\n"
    "— waferline.example/ledger "
    "nBSWXe1HkJLvukkbQ1bMOyXypFRCNn0WWG+2O8Qfu28UNAxCLR7S4I8z1LdXlJnWcM0P9H+qSFoeW/AX9Tm/AG4BKwg=\n"
)
OTHER = Signer(SIGNER.name, Ed25519PrivateKey.from_private_bytes(bytes(32)))
numbers = st.integers(0, 10**18)
checkpoints = st.builds(
    Checkpoint, numbers, numbers, st.binary(min_size=32, max_size=32), numbers, numbers,
    st.none() | st.binary(min_size=32, max_size=32).map(bytes.hex),
)  # fmt: skip


def fault(text: str, verifier: Verifier = VERIFIER, epoch: int | None = None) -> str:
    with pytest.raises(Untrusted) as why:
        read_checkpoint(text, verifier, epoch=epoch)
    return why.value.fault


def sign(text: str, signer: Signer = SIGNER) -> str:
    """Any text as a note, signed."""
    signature = base64.b64encode(signer.verifier.id + signer.private.sign(text.encode())).decode()
    return f"{text}\n— {signer.name} {signature}\n"


# ---------------------------------------------------------------- keys


def test_a_key_of_go_signs_here_what_it_signs_there(tmp_path: Path) -> None:
    """The key and the note that golang.org/x/mod/sumdb/note documents."""
    key = tmp_path / "key"
    key.write_text("PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz\n")
    text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
    signature = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="

    signer = read_signer(key)

    assert str(signer.verifier) == "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    assert sign(text, signer) == f"{text}\n— PeterNeumann {signature}\n"


def test_a_verifier_key_is_as_it_was_kept() -> None:
    text = "waferline.example/ledger+9c14965d+AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea"

    assert VERIFIER.public.hex() == PUBLIC
    assert str(VERIFIER) == text
    assert read_verifier(text + "\n") == VERIFIER


@pytest.mark.parametrize(
    "text",
    [
        "", "a", "a+b", "a+b+c", str(VERIFIER).replace("9c14965d", "9c14965e"), str(VERIFIER).replace("waf", "Waf"),
        str(VERIFIER).replace("AddamA", "BddamA"), str(VERIFIER)[:-4], "+" + str(VERIFIER), str(VERIFIER) + "=",
    ],
)  # fmt: skip
def test_what_is_no_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(Untrusted) as why:
        read_verifier(text)

    assert why.value.fault == "damaged"


def test_a_key_is_for_its_owner_alone_and_its_public_half_beside_it(tmp_path: Path) -> None:
    verifier = make_key(tmp_path / "key", "waferline.example/ledger")

    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert read_verifier((tmp_path / "key.pub").read_text()) == verifier
    assert read_signer(tmp_path / "key").verifier == verifier
    assert read_checkpoint(sign_checkpoint(CHECKPOINT, read_signer(tmp_path / "key")), verifier) == CHECKPOINT


@pytest.mark.parametrize("there", ["key", "key.pub"])
def test_a_key_is_never_written_over(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("kept")

    with pytest.raises(FileExistsError):
        make_key(tmp_path / "key", "a")
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {there: "kept"}


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\n", "a\u2003b"])
def test_a_name_that_a_note_cannot_hold_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="name of a key"):
        make_key(tmp_path / "key", name)


def test_a_public_key_is_no_private_one(tmp_path: Path) -> None:
    make_key(tmp_path / "key", "a")

    with pytest.raises(Untrusted, match="no private key"):
        read_signer(tmp_path / "key.pub")


# ---------------------------------------------------------------- one note


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


# ---------------------------------------------------------------- a file of notes


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
