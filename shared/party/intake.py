"""The intake of a party: events that people and partners hand in, numbered and put into the outbox."""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, NamedTuple

from shared.party.outbox import Outbox, Said
from shared.wire.events import Refused, parse_strictly
from shared.wire.refusal import Refusal

INTAKE_BYTES_MAX = 1 << 20  # of a body handed in, and of one entry: the ledger reads no longer one
_SHOWN_MAX = 200  # characters


class Handed(NamedTuple):
    """One event handed in: the line it stood on, the sequence it got, or why the door did not take it."""

    line: int
    id: str | None
    sequence: int | None
    duplicate: bool
    refused: Refused | None

    def answer(self, through: int, refusals: Mapping[int, Refusal]) -> dict[str, Any]:
        """Return what became of it, given how far the ledger has come."""
        answer: dict[str, Any] = {"line": self.line, "id": self.id, "sequence": self.sequence}
        why: Refused | Refusal | None = self.refused
        if self.sequence is not None:
            why = refusals.get(self.sequence)
            if why is None and through < self.sequence:
                return answer | {"status": "pending"}
        if why is None:
            return answer | {"status": "duplicate" if self.duplicate else "recorded"}
        return answer | {"status": "refused", "code": why.code, "path": why.path, "message": why.message}


def hand_in(body: bytes, outbox: Outbox) -> list[Handed]:
    """Put the CloudEvents in `body`, one a line, into the outbox; return what became of each line.

    The door gives the sequence, so an event handed in has none of its own, or loses it. It refuses only what the ledger
    could not name by that sequence, and would be sent for ever; whatever else is wrong, the ledger says, and keeps.
    """
    handed: list[Handed] = []
    entries: list[Said] = []
    taken: dict[bytes, int] = {}
    for line, text in enumerate(body.splitlines(), start=1):
        if not text.strip():
            continue
        sequence = outbox.last + len(entries) + 1
        id_ = None
        try:
            event = parse_strictly(text)
            id_ = _shown_id(event)
            digest, entry = _number(event, outbox.source, sequence)
        except Refused as why:
            handed.append(Handed(line, id_, None, False, why))
            continue
        before = taken.get(digest) or outbox.taken(digest)
        if before is None:
            taken[digest] = sequence
            entries.append(Said(sequence, sequence, entry))
        handed.append(Handed(line, id_, before or sequence, before is not None, None))
    outbox.put(entries, taken=[*taken.items()])
    return handed


def _shown_id(event: dict[str, Any]) -> str | None:
    """Return the id as an answer may hold it: no JSON says a lone surrogate."""
    id_ = event.get("id")
    return id_ if isinstance(id_, str) and id_.isprintable() and len(id_) <= _SHOWN_MAX else None


def _number(event: dict[str, Any], source: str, sequence: int) -> tuple[bytes, bytes]:
    """Return the digest of an event as it was handed in, and the entry that says it; raise `Refused` if none can."""
    if event.get("source") != source:
        raise Refused("foreign_source", "source", f"is not {source!r}, who takes this")
    for column in ("ids", "types"):
        if column in event:
            raise Refused("malformed", column, "is no field of a CloudEvent: the ledger would take this for columns")
    content = {name: value for name, value in event.items() if name not in ("sequence", "recordedtime")}
    entry = json.dumps(content | {"sequence": str(sequence)}).encode()
    if len(entry) > INTAKE_BYTES_MAX:
        raise Refused(
            "out_of_bounds", "", f"takes {len(entry)} bytes once written in ASCII, more than {INTAKE_BYTES_MAX}"
        )
    return sha256(json.dumps(content, sort_keys=True).encode()).digest(), entry
