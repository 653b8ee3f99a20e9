"""The chain: the document that says a whole batch, and the hash that seals it to the batch before."""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import NamedTuple

import orjson

GENESIS = bytes(32)


class Header(NamedTuple):
    """What is said of a batch as a whole; docs/proof.md says each field."""

    batch: int
    epoch: int  # of the store
    source: str  # whose events these are
    stream: str  # where they were read
    entry: str  # the last entry read there
    recorded: int  # microseconds since 1970
    events: int
    duplicates: int
    refusals: int
    previous: bytes  # the head before


class SealedRefusal(NamedTuple):
    """What the chain holds of a refused event: its body by hash, as it may be long, and hold what no JSON can."""

    source: str
    sequence: int | None
    id: str | None
    code: str
    path: str
    message: str
    body_sha256: str


def document(header: Header, bodies: Iterable[str], refusals: Sequence[SealedRefusal]) -> bytes:
    """Return the lines of canonical JSON that say a batch: its header, its events, its refusals."""
    fields = header._asdict() | {"previous": header.previous.hex()}
    lines = [
        orjson.dumps(fields, option=orjson.OPT_SORT_KEYS).decode(),
        *bodies,
        *(orjson.dumps(tuple(refusal)).decode() for refusal in refusals),
        "",
    ]
    return "\n".join(lines).encode()


def seal(document: bytes) -> bytes:
    """Return the head of the chain after a batch: the SHA-256 of its document, 32 bytes."""
    return sha256(document).digest()
