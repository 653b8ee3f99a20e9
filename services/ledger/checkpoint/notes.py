"""Checkpoints: the chain head at a moment, signed with Ed25519, to be kept outside the store.

A chain finds an edit. It does not find a tail that was computed anew, or cut off: for that a head must be remembered
elsewhere. A checkpoint is such a head, written as a C2SP signed note (https://c2sp.org/signed-note), so that the tools
of transparency logs read it; docs/proof.md describes the format.
"""

import base64
import re
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from services.ledger.checkpoint.keys import Signer, Untrusted, Verifier, decode_base64, is_key_name
from services.ledger.store.reader import StoreReader

ORIGIN = "waferline/ledger/"
NO_STATE = "-"
NOTE_BYTES_MAX = 65_536  # 16 signatures of the longest kind fit; a longer note is none of ours
_DASH = "\u2014 "
_NUMBER = "(?:0|[1-9][0-9]{0,18})"
_parse_text = re.compile(
    f"{ORIGIN}({_NUMBER})\n({_NUMBER})\n([A-Za-z0-9+/]{{43}}=)\n"
    f"events ({_NUMBER})\nrecorded ({_NUMBER})\nstate ([0-9a-f]{{64}}|{NO_STATE})\n"
    "(?:[^\n]+\n)*"  # lines that a later version may add
).fullmatch
_find_control = re.compile(r"[\x00-\x09\x0b-\x1f\ud800-\udfff]").search


class Checkpoint(NamedTuple):
    """The end of a store's chain at a moment, with the events and the state hash up to it."""

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


def checkpoint_of(store: StoreReader, state: str | None = None) -> Checkpoint:
    """Return the checkpoint of a store's head, which is at least one batch."""
    [last] = store.batches(store.head.batch - 1, 1)  # another ledger may have written more
    return Checkpoint(store.epoch, store.head.batch, store.head.hash, store.last_event, last.header.recorded, state)


def sign_checkpoint(checkpoint: Checkpoint, signer: Signer) -> str:
    """Return the signed note of a checkpoint: the same for the same checkpoint and key."""
    text = checkpoint.text()
    if not _parse_text(text):
        raise ValueError(f"{checkpoint} is no checkpoint")
    signature = base64.b64encode(signer.verifier.id + signer.private.sign(text.encode())).decode()
    return f"{text}\n{_DASH}{signer.name} {signature}\n"


def read_checkpoint(text: str, verifier: Verifier, *, epoch: int | None = None) -> Checkpoint:
    """Return the checkpoint of a note signed by a key; raise `Untrusted` where it is not.

    With an epoch it must be of the store of that epoch. Signatures of other keys, as of a witness, are ignored.
    """
    body, gap, signatures = text.rpartition("\n\n")
    if not gap or not signatures.endswith("\n") or len(text) > NOTE_BYTES_MAX or _find_control(text):
        raise Untrusted("damaged", "it is no signed note: a text, an empty line, and a line for each signature")
    body += "\n"
    signed = [_parse_signature(line) for line in signatures[:-1].split("\n")]
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
                "forged", f"the signature of {verifier.name}+{verifier.id.hex()} is of another text than this"
            ) from None
    return _parse_checkpoint(body, epoch)


def _parse_signature(line: str) -> tuple[str, bytes, bytes]:
    name, blank, encoded = line.removeprefix(_DASH).partition(" ")
    signature = decode_base64(encoded)
    if not line.startswith(_DASH) or not is_key_name(name) or not blank or signature is None or len(signature) <= 4:
        raise Untrusted("damaged", f"{line[:100]!r} is no signature line")
    return name, signature[:4], signature[4:]


def _parse_checkpoint(text: str, epoch: int | None) -> Checkpoint:
    origin = text.partition("\n")[0]
    if not origin.startswith(ORIGIN) or (epoch is not None and origin != f"{ORIGIN}{epoch}"):
        expected = "a ledger" if epoch is None else f"{ORIGIN}{epoch}"
        raise Untrusted("other_origin", f"its origin is {origin!r}, not {expected}")
    parts = _parse_text(text)
    head = None if parts is None else decode_base64(parts[3])
    if parts is None or head is None:
        raise Untrusted("damaged", "it is signed, but its lines are not those of a checkpoint")
    return Checkpoint(
        epoch=int(parts[1]),
        batch=int(parts[2]),
        head=head,
        events=int(parts[4]),
        recorded=int(parts[5]),
        state=None if parts[6] == NO_STATE else parts[6],
    )
