"""Checkpoints: how far the chain had come at a moment, signed with Ed25519, to be kept outside the store.

A chain finds an edit. It does not find that its whole tail was computed anew, or cut off: for that somebody must
remember a head elsewhere. A checkpoint is such a head, written as a C2SP signed note (https://c2sp.org/signed-note),
so that the tools of transparency logs read it; docs/proof.md says what it looks like.
"""

import base64
import binascii
import os
import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from services.ledger.store.store import Store

ORIGIN = "waferline/ledger/"
NO_STATE = "-"
NOTE_BYTES_MAX = 65_536  # 16 signatures of the longest kind fit; what is longer is none of ours
_ED25519 = b"\x01"  # the signature type of C2SP
_DASH = "\u2014 "
_PRIVATE = "PRIVATE+KEY+"
_NUMBER = "(?:0|[1-9][0-9]{0,18})"
_TEXT = re.compile(
    f"{ORIGIN}({_NUMBER})\n({_NUMBER})\n([A-Za-z0-9+/]{{43}}=)\n"
    f"events ({_NUMBER})\nrecorded ({_NUMBER})\nstate ([0-9a-f]{{64}}|{NO_STATE})\n"
    "(?:[^\n]+\n)*"  # lines that a later version may add
).fullmatch
_SIGNED = re.compile(rb"\n\n(?:\xe2\x80\x94 [^\n]*\n)+")  # where a note of a file ends
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\ud800-\udfff]").search
_NAME = re.compile(r"[^\s+\x00-\x1f]+").fullmatch

Fault = Literal["damaged", "other_key", "forged", "other_origin", "inconsistent"]


class Untrusted(Exception):
    """A note, or a key, that proves nothing, and why.

    `damaged`: it is no note, or holds no checkpoint. `other_key`: the key that was asked for has not signed it.
    `forged`: the key is said to have signed it, but its signature is of another text. `other_origin`: it is signed, but
    by the ledger of another store, or is no ledger's. `inconsistent`: two that are signed contradict each other.
    """

    def __init__(self, fault: Fault, message: str) -> None:
        self.fault: Fault = fault
        super().__init__(message)


class Checkpoint(NamedTuple):
    """The end of a store's chain at a moment, and what it held by then."""

    epoch: int
    batch: int
    head: bytes  # 32
    events: int
    recorded: int  # of the batch, microseconds since 1970
    state: str | None = None  # the state hash of its balances, hex, where they were folded

    def text(self) -> str:
        """Return the text that is signed."""
        head, state = base64.b64encode(self.head).decode(), self.state or NO_STATE
        return (
            f"{ORIGIN}{self.epoch}\n{self.batch}\n{head}\n"
            f"events {self.events}\nrecorded {self.recorded}\nstate {state}\n"
        )


class Verifier(NamedTuple):
    """A public key and its name; as text it is what one hands to whoever is to check a note."""

    name: str
    public: bytes  # 32

    @property
    def id(self) -> bytes:
        """The first bytes of a hash of the key: it tells apart the keys of one name."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(_ED25519 + self.public).decode()}"


class Signer(NamedTuple):
    """A private key and its name."""

    name: str
    private: Ed25519PrivateKey

    @property
    def verifier(self) -> Verifier:
        """What its signatures are checked with."""
        return Verifier(self.name, self.private.public_key().public_bytes_raw())


class Kept(NamedTuple):
    """The checkpoints of a file, in order, and whether a last one was cut short when it was written."""

    checkpoints: list[Checkpoint]
    torn: bool


# ---------------------------------------------------------------- keys


def make_key(path: Path, name: str) -> Verifier:
    """Make a key: the private half at `path`, for its owner only, and what to verify with beside it, as `.pub`.

    A key that is there is never written over: raises `FileExistsError`.
    """
    if not _NAME(name):
        raise ValueError(f"the name of a key has neither blanks nor a plus: {name!r}")
    public = path.with_name(path.name + ".pub")
    if public.exists():
        raise FileExistsError(f"{public} is there already")
    private = Ed25519PrivateKey.generate()
    verifier = Signer(name, private).verifier
    secret = base64.b64encode(_ED25519 + private.private_bytes_raw()).decode()
    _write_new(path, f"{_PRIVATE}{name}+{verifier.id.hex()}+{secret}\n", 0o600)
    _write_new(public, f"{verifier}\n", 0o644)
    return verifier


def read_signer(path: Path) -> Signer:
    """Return the private key of a file; raise `Untrusted` where it holds none."""
    text = path.read_text(encoding="utf-8")
    if not text.startswith(_PRIVATE):
        raise Untrusted("damaged", f"{path} holds no private key")
    name, id_, key = _read_key(text.removeprefix(_PRIVATE), str(path))
    signer = Signer(name, Ed25519PrivateKey.from_private_bytes(key))
    if signer.verifier.id != id_:
        raise Untrusted("damaged", f"{path}: the key is not {id_.hex()}, as it says")
    return signer


def read_verifier(text: str) -> Verifier:
    """Return the public key that a text (`<name>+<id>+<key>`) says; raise `Untrusted` where it says none."""
    name, id_, key = _read_key(text, "the verifier key")
    verifier = Verifier(name, key)
    if verifier.id != id_:
        raise Untrusted("damaged", f"the verifier key is not {id_.hex()}, as it says")
    return verifier


def _read_key(text: str, where: str) -> tuple[str, bytes, bytes]:
    """Return name, id and the 32 bytes of a key; its base64 may hold a plus, too."""
    name, _, others = text.strip().partition("+")
    id_, _, encoded = others.partition("+")
    key = _decode(encoded)
    if not _NAME(name) or not re.fullmatch("[0-9a-f]{8}", id_) or key is None or key[:1] != _ED25519 or len(key) != 33:
        raise Untrusted("damaged", f"{where} is not of the form <name>+<id>+<Ed25519 key>")
    return name, bytes.fromhex(id_), key[1:]


def _decode(text: str) -> bytes | None:
    try:
        decoded = base64.b64decode(text.encode(), validate=True)
    except binascii.Error:
        return None
    return decoded if base64.b64encode(decoded).decode() == text else None  # one text for one signature


# ---------------------------------------------------------------- one note


def checkpoint_of(store: Store, state: str | None = None) -> Checkpoint:
    """Return the checkpoint of what a store holds now, at least one batch."""
    [last] = store.batches(store.head.batch - 1, 1)  # another ledger may have written more
    return Checkpoint(store.epoch, store.head.batch, store.head.hash, store.last_event, last.header.recorded, state)


def sign_checkpoint(checkpoint: Checkpoint, signer: Signer) -> str:
    """Return the signed note of a checkpoint: the same for the same checkpoint and key."""
    text = checkpoint.text()
    if not _TEXT(text):
        raise ValueError(f"{checkpoint} is no checkpoint")
    signature = base64.b64encode(signer.verifier.id + signer.private.sign(text.encode())).decode()
    return f"{text}\n{_DASH}{signer.name} {signature}\n"


def read_checkpoint(text: str, verifier: Verifier, *, epoch: int | None = None) -> Checkpoint:
    """Return the checkpoint that a note says, signed by this key; raise `Untrusted` where it is not.

    With an epoch it must be of the store of that epoch. Signatures of other keys are passed over, as of a witness.
    """
    body, gap, signatures = text.rpartition("\n\n")
    if not gap or not signatures.endswith("\n") or len(text) > NOTE_BYTES_MAX or _CONTROL(text):
        raise Untrusted("damaged", "it is no signed note: a text, an empty line, and a line for each signature")
    body += "\n"
    signed = [_read_signature(line) for line in signatures[:-1].split("\n")]
    ours = [signature for name, id_, signature in signed if (name, id_) == (verifier.name, verifier.id)]
    if not ours:
        found = ", ".join(f"{name}+{id_.hex()}" for name, id_, _ in signed)
        raise Untrusted("other_key", f"it is signed by {found}, not by {verifier.name}+{verifier.id.hex()}")
    public = Ed25519PublicKey.from_public_bytes(verifier.public)
    for signature in ours:
        try:
            public.verify(signature, body.encode())
        except InvalidSignature:
            raise Untrusted(
                "forged", f"what {verifier.name}+{verifier.id.hex()} signed is another text than this"
            ) from None
    return _read_text(body, epoch)


def _read_signature(line: str) -> tuple[str, bytes, bytes]:
    name, blank, encoded = line.removeprefix(_DASH).partition(" ")
    signature = _decode(encoded)
    if not line.startswith(_DASH) or not _NAME(name) or not blank or signature is None or len(signature) <= 4:
        raise Untrusted("damaged", f"{line[:100]!r} is no signature line")
    return name, signature[:4], signature[4:]


def _read_text(text: str, epoch: int | None) -> Checkpoint:
    origin = text.partition("\n")[0]
    if not origin.startswith(ORIGIN) or (epoch is not None and origin != f"{ORIGIN}{epoch}"):
        asked = "a ledger" if epoch is None else f"{ORIGIN}{epoch}"
        raise Untrusted("other_origin", f"its origin is {origin!r}, not {asked}")
    read = _TEXT(text)
    head = None if read is None else _decode(read[3])
    if read is None or head is None:
        raise Untrusted("damaged", "it is signed, but its lines are not those of a checkpoint")
    return Checkpoint(
        epoch=int(read[1]),
        batch=int(read[2]),
        head=head,
        events=int(read[4]),
        recorded=int(read[5]),
        state=None if read[6] == NO_STATE else read[6],
    )


# ---------------------------------------------------------------- a file of notes


def append_checkpoint(file: Path, note: str) -> None:
    """Write a note to the end of a file, and return when it is on disk.

    What a crash has left of a last note is taken away first: nobody was ever told of that one. Raises `Untrusted` where
    the file ends in anything else, as it is no file of checkpoints.
    """
    new = not file.exists()
    with file.open("x+b" if new else "r+b") as opened:
        begin, data = _read_tail(opened)
        opened.seek(begin + _whole(data, file))
        opened.truncate()
        opened.write(note.encode())
        opened.flush()
        os.fsync(opened.fileno())
    if new:
        _sync_folder(file)


def read_checkpoints(file: Path, verifier: Verifier, *, epoch: int | None = None) -> Kept:
    """Return all checkpoints of a file in order; raise `Untrusted` where one is not what this key signed.

    A last note without its signature's end is torn, not forged: a crash leaves that. It is left out, and told.
    Of one store no checkpoint may lie before the one above it, nor have another head at the same batch.
    """
    data = file.read_bytes()
    whole = _whole(data, file)
    checkpoints: list[Checkpoint] = []
    newest: dict[int, Checkpoint] = {}  # of each epoch
    for number, note in enumerate(_notes(data), 1):
        try:
            checkpoint = read_checkpoint(_decoded(note), verifier, epoch=epoch)
            _compare(newest.get(checkpoint.epoch, checkpoint), checkpoint)
        except Untrusted as why:
            raise Untrusted(why.fault, f"note {number} of {file}: {why}") from None
        newest[checkpoint.epoch] = checkpoint
        checkpoints.append(checkpoint)
    return Kept(checkpoints, torn=whole < len(data))


def _compare(before: Checkpoint, after: Checkpoint) -> None:
    """Raise `Untrusted` where of two checkpoints of one store the later one cannot follow."""
    same = before.batch == after.batch
    states = {before.state, after.state} - {None}
    if after.batch < before.batch or (same and (before[:5] != after[:5] or len(states) > 1)):
        raise Untrusted("inconsistent", f"what it says of batch {after.batch} contradicts the note before it")


def newest_checkpoint(file: Path, verifier: Verifier, *, epoch: int | None = None) -> Checkpoint | None:
    """Return the last whole checkpoint of a file without reading all of it, None where there is none.

    Raises `Untrusted` where it is not what this key signed.
    """
    with file.open("rb") as opened:
        _, data = _read_tail(opened)
    if not _whole(data, file):
        return None
    note = list(_notes(data))[-1]
    try:
        return read_checkpoint(_decoded(note), verifier, epoch=epoch)
    except Untrusted as why:
        raise Untrusted(why.fault, f"the last note of {file}: {why}") from None


def _read_tail(file: BinaryIO) -> tuple[int, bytes]:
    """Return the end of a file, long enough for a last note, a torn one, and the end of the one before; and where."""
    begin = max(0, file.seek(0, os.SEEK_END) - 3 * NOTE_BYTES_MAX)
    file.seek(begin)
    return begin, file.read()


def _notes(data: bytes) -> Iterator[bytes]:
    begin = 0
    for signed in _SIGNED.finditer(data):
        yield data[begin : signed.end()]
        begin = signed.end()


def _whole(data: bytes, file: Path) -> int:
    """Return where the last whole note ends; raise `Untrusted` where what follows cannot be the beginning of one."""
    end = max((signed.end() for signed in _SIGNED.finditer(data)), default=0)
    begun = data[end : end + len(ORIGIN)].rstrip(b"\0")  # a power cut may leave the length without the bytes
    if not ORIGIN.encode().startswith(begun) or len(data) - end > NOTE_BYTES_MAX:
        raise Untrusted("damaged", f"{file} does not end in a checkpoint, nor in the beginning of one")
    return end


def _decoded(note: bytes) -> str:
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
    """A new file is lost with its folder's entry, however well it was written itself."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
