"""The intake of a party: events that people and partners hand in, numbered and put into the outbox."""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, NamedTuple

import orjson
from starlette.responses import Response

from shared.events import Refused, parse_strictly
from shared.outbox import Outbox, Said
from shared.postings import Refusal

INTAKE_BYTES_MAX = 1 << 20


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
        if self.refused is not None:
            why: Refusal | Refused = self.refused
        elif self.sequence is not None and self.sequence in refusals:
            why = refusals[self.sequence]
        elif through < (self.sequence or 0):
            return answer | {"status": "pending"}
        else:
            return answer | {"status": "duplicate" if self.duplicate else "recorded"}
        return answer | {"status": "refused", "code": why.code, "path": why.path, "message": why.message}


def hand_in(body: bytes, outbox: Outbox) -> list[Handed]:
    """Put the CloudEvents in `body`, one a line, into the outbox; return what became of each line.

    The door gives the sequence, so an event handed in has none of its own, or loses it. It refuses only what is no
    JSON object, or names a key twice; whatever else is wrong with an event, the ledger says, and keeps.
    """
    handed: list[Handed] = []
    entries: list[Said] = []
    taken: dict[str, tuple[int, bytes]] = {}
    for line, text in enumerate(body.splitlines(), start=1):
        if not text.strip():
            continue
        try:
            event = parse_strictly(text)
        except Refused as why:
            handed.append(Handed(line, None, None, False, why))
            continue
        event.pop("sequence", None)
        event.pop("recordedtime", None)
        id_ = event["id"] if isinstance(event.get("id"), str) else None
        digest = sha256(json.dumps(event, sort_keys=True).encode()).digest()
        before = id_ and (taken.get(id_) or outbox.taken(id_))
        if before and before[1] == digest:
            handed.append(Handed(line, id_, before[0], True, None))
            continue
        sequence = outbox.last + len(entries) + 1
        event["sequence"] = str(sequence)
        entries.append(Said(sequence, sequence, json.dumps(event).encode()))
        if id_ is not None:
            taken[id_] = (sequence, digest)
        handed.append(Handed(line, id_, sequence, False, None))
    outbox.put(entries, taken=[(id_, *got) for id_, got in taken.items()])
    return handed


def problem(status: int, detail: str) -> Response:
    """Return an error as RFC 9457 problem details."""
    body = {"type": "about:blank", "status": status, "detail": detail}
    return Response(orjson.dumps(body), status_code=status, media_type="application/problem+json")
