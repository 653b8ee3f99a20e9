"""The chain: the document that says a whole batch, and the hash that seals it to the batch before."""

from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple

import orjson

from shared.wire.refusal import RefusedEvent

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


def document(header: Header, bodies: Iterable[str], refusals: Iterable[RefusedEvent]) -> bytes:
    """Return the lines of canonical JSON that say a batch: its header, its events, its refusals."""
    fields = header._asdict() | {"previous": header.previous.hex()}
    lines = [
        orjson.dumps(fields, option=orjson.OPT_SORT_KEYS).decode(),
        *bodies,
        *map(_refusal_line, refusals),
        "",
    ]
    return "\n".join(lines).encode()


def _refusal_line(refused: RefusedEvent) -> str:
    """Return the line of a refusal: the body by its hash, as it may be long and need not be JSON."""
    body = sha256(refused.body).hexdigest()
    fields = (refused.source, refused.sequence, refused.id, refused.code, refused.path, refused.message, body)
    return orjson.dumps(fields).decode()


def seal(document: bytes) -> bytes:
    """Return the head of the chain after a batch: the SHA-256 of its document, 32 bytes."""
    return sha256(document).digest()
