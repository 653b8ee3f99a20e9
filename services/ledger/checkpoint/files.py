"""The files of keys and of checkpoints, written so that a crash loses nothing that was reported as written."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.ledger.checkpoint.keys import Signer, Untrusted, Verifier, is_key_name, parse_signer
from services.ledger.checkpoint.notes import NOTE_BYTES_MAX, ORIGIN, Checkpoint, read_checkpoint

_find_signatures = re.compile(rb"\n\n(?:\xe2\x80\x94 [^\n]*\n)+").finditer  # where a note of a file ends


class CheckpointFile(NamedTuple):
    """The checkpoints of a file, in order, and whether a crash has cut short one more at its end."""

    checkpoints: list[Checkpoint]
    torn: bool


def make_key(path: Path, name: str) -> Verifier:
    """Make a key: the private half at `path`, for its owner only, and the public half beside it, as `.pub`.

    Never overwrites a key: raises `FileExistsError`.
    """
    if not is_key_name(name):
        raise ValueError(f"the name of a key has neither blanks nor a plus: {name!r}")
    public = path.with_name(path.name + ".pub")
    if public.exists():
        raise FileExistsError(f"{public} is there already")
    signer = Signer(name, Ed25519PrivateKey.generate())
    _write_new(path, f"{signer.secret()}\n", 0o600)
    _write_new(public, f"{signer.verifier}\n", 0o644)
    return signer.verifier


def read_signer(path: Path) -> Signer:
    """Return the private key of a file; raise `Untrusted` where it holds none."""
    return parse_signer(path.read_text(encoding="utf-8"), str(path))


def append_checkpoint(file: Path, note: str) -> None:
    """Append a note to a file, and return when it is on disk.

    A last note that a crash has cut short is removed first: it was never reported as written. Raises `Untrusted` where
    the file ends in anything else, as it is no file of checkpoints.
    """
    new = not file.exists()
    with file.open("x+b" if new else "r+b") as opened:
        begin, data = _read_tail(opened)
        opened.seek(begin + _end_of_notes(data, file))
        opened.truncate()
        opened.write(note.encode())
        opened.flush()
        os.fsync(opened.fileno())
    if new:
        _sync_folder(file)


def read_checkpoints(file: Path, verifier: Verifier, *, epoch: int | None = None) -> CheckpointFile:
    """Return all checkpoints of a file in order; raise `Untrusted` where the key did not sign one of them.

    A last note without the end of its signature is torn by a crash, not forged: it is left out, and reported. Of one
    store, no checkpoint may lie before the previous one, nor have another head at the same batch.
    """
    data = file.read_bytes()
    end = _end_of_notes(data, file)
    checkpoints: list[Checkpoint] = []
    newest: dict[int, Checkpoint] = {}  # of each epoch
    for number, note in enumerate(_split_notes(data), 1):
        try:
            checkpoint = read_checkpoint(_decode(note), verifier, epoch=epoch)
            _expect_order(newest.get(checkpoint.epoch, checkpoint), checkpoint)
        except Untrusted as why:
            raise Untrusted(why.fault, f"note {number} of {file}: {why}") from None
        newest[checkpoint.epoch] = checkpoint
        checkpoints.append(checkpoint)
    return CheckpointFile(checkpoints, torn=end < len(data))


def newest_checkpoint(file: Path, verifier: Verifier, *, epoch: int | None = None) -> Checkpoint | None:
    """Return the last whole checkpoint of a file without reading all of it, None where there is none.

    Raises `Untrusted` where the key did not sign it.
    """
    with file.open("rb") as opened:
        _, data = _read_tail(opened)
    if not _end_of_notes(data, file):
        return None
    note = list(_split_notes(data))[-1]
    try:
        return read_checkpoint(_decode(note), verifier, epoch=epoch)
    except Untrusted as why:
        raise Untrusted(why.fault, f"the last note of {file}: {why}") from None


def _expect_order(before: Checkpoint, after: Checkpoint) -> None:
    """Raise `Untrusted` where of two checkpoints of one store the later one cannot follow."""
    same = before.batch == after.batch
    states = {before.state, after.state} - {None}
    if after.batch < before.batch or (same and (before[:5] != after[:5] or len(states) > 1)):
        raise Untrusted("inconsistent", f"what it says of batch {after.batch} contradicts the note before it")


def _read_tail(file: BinaryIO) -> tuple[int, bytes]:
    """Return the offset and bytes of a file's end: room for a last note, a torn one, and the end of the one before."""
    begin = max(0, file.seek(0, os.SEEK_END) - 3 * NOTE_BYTES_MAX)
    file.seek(begin)
    return begin, file.read()


def _split_notes(data: bytes) -> Iterator[bytes]:
    begin = 0
    for signed in _find_signatures(data):
        yield data[begin : signed.end()]
        begin = signed.end()


def _end_of_notes(data: bytes, file: Path) -> int:
    """Return the end of the last whole note; raise `Untrusted` where the rest cannot be the beginning of one."""
    end = max((signed.end() for signed in _find_signatures(data)), default=0)
    begun = data[end : end + len(ORIGIN)].rstrip(b"\0")  # a power cut may leave the length without the bytes
    if not ORIGIN.encode().startswith(begun) or len(data) - end > NOTE_BYTES_MAX:
        raise Untrusted("damaged", f"{file} does not end in a checkpoint, nor in the beginning of one")
    return end


def _decode(note: bytes) -> str:
    try:
        return note.decode()
    except UnicodeDecodeError:
        raise Untrusted("damaged", "it is no UTF-8") from None


def _write_new(path: Path, text: str, mode: int) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    _sync_folder(path)


def _sync_folder(path: Path) -> None:
    """Write the folder of a new file to disk: without its entry there, a crash loses the file."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
