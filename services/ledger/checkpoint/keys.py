"""Signing keys as text: an Ed25519 key with its name."""

import base64
import binascii
import re
from hashlib import sha256
from typing import Literal, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

Fault = Literal["damaged", "other_key", "forged", "other_origin", "inconsistent"]

is_key_name = re.compile(r"[^\s+\x00-\x1f]+").fullmatch
_ED25519 = b"\x01"  # the signature type of C2SP
_PRIVATE = "PRIVATE+KEY+"


class Untrusted(Exception):
    """A note or a key that proves nothing, and its fault.

    `damaged`: it is no note, or holds no checkpoint. `other_key`: the given key has not signed it. `forged`: it names
    the given key, but the signature is of another text. `other_origin`: it is signed, but by the ledger of another
    store, or by no ledger. `inconsistent`: two signed checkpoints contradict each other.
    """

    def __init__(self, fault: Fault, message: str) -> None:
        self.fault: Fault = fault
        super().__init__(message)


class Verifier(NamedTuple):
    """A public key and its name; its text is handed to those that check notes."""

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
        """The public half, which verifies its signatures."""
        return Verifier(self.name, self.private.public_key().public_bytes_raw())

    def secret(self) -> str:
        """Return the private key as text, as its file holds it."""
        encoded = base64.b64encode(_ED25519 + self.private.private_bytes_raw()).decode()
        return f"{_PRIVATE}{self.name}+{self.verifier.id.hex()}+{encoded}"


def parse_signer(text: str, place: str) -> Signer:
    """Return the private key of a text; raise `Untrusted`, naming the place, where it is none."""
    if not text.startswith(_PRIVATE):
        raise Untrusted("damaged", f"{place} holds no private key")
    name, id_, key = _parse_key(text.removeprefix(_PRIVATE), place)
    signer = Signer(name, Ed25519PrivateKey.from_private_bytes(key))
    if signer.verifier.id != id_:
        raise Untrusted("damaged", f"{place}: the key is not {id_.hex()}, as it says")
    return signer


def read_verifier(text: str) -> Verifier:
    """Return the public key of a text (`<name>+<id>+<key>`); raise `Untrusted` where it is none."""
    name, id_, key = _parse_key(text, "the verifier key")
    verifier = Verifier(name, key)
    if verifier.id != id_:
        raise Untrusted("damaged", f"the verifier key is not {id_.hex()}, as it says")
    return verifier


def _parse_key(text: str, place: str) -> tuple[str, bytes, bytes]:
    """Return name, id and the 32 bytes of a key; its base64 may contain a plus, too."""
    name, _, others = text.strip().partition("+")
    id_, _, encoded = others.partition("+")
    key = decode_base64(encoded)
    if (
        not is_key_name(name)
        or not re.fullmatch("[0-9a-f]{8}", id_)
        or key is None
        or key[:1] != _ED25519
        or len(key) != 33
    ):
        raise Untrusted("damaged", f"{place} is not of the form <name>+<id>+<Ed25519 key>")
    return name, bytes.fromhex(id_), key[1:]


def decode_base64(text: str) -> bytes | None:
    """Return the bytes of a text, None unless it is the one text that encodes them."""
    try:
        decoded = base64.b64decode(text.encode(), validate=True)
    except binascii.Error:
        return None
    return decoded if base64.b64encode(decoded).decode() == text else None
