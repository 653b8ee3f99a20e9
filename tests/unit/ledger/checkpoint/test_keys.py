"""Keys as text and as files: one form, for their owner alone, never overwritten."""

import stat
from pathlib import Path

import pytest

from services.ledger.checkpoint.files import (
    make_key,
    read_signer,
)
from services.ledger.checkpoint.keys import Untrusted, read_verifier
from services.ledger.checkpoint.notes import read_checkpoint, sign_checkpoint
from testing.checkpoints import CHECKPOINT, PUBLIC, VERIFIER, sign


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
