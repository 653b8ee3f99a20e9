"""The hash chain: the document of a batch, and the hash that seals it to the batch before."""

from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple

import orjson

from shared.wire.refusal import RefusedEvent

GENESIS = bytes(32)


class BatchHeader(NamedTuple):
    """The header of a batch; docs/proof.md describes each field."""

    batch: int
    epoch: int  # of the store
    source: str  # of the events
    stream: str  # of the source
    entry: str  # the last one read
    recorded: int  # microseconds since 1970
    events: int
    duplicates: int
    refusals: int
    previous: bytes  # the chain head before this batch


def document(header: BatchHeader, bodies: Iterable[str], refusals: Iterable[RefusedEvent]) -> bytes:
    """Return a batch as lines of canonical JSON: its header, its events, its refusals."""
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
    """Return the chain head after a batch: the SHA-256 of its document, 32 bytes."""
    return sha256(document).digest()
