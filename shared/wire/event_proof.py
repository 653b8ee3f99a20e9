"""The proof of one event: that it stands, byte for byte, in a batch whose hash the chain goes on from."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, NamedTuple

import orjson

from shared.wire.batch import Row, canonical_bodies
from shared.wire.events import Event

Answer = Mapping[str, Any]


class EventProof(NamedTuple):
    """On which line of its batch's document an event stands, the header being the first, and what was checked."""

    line: int | None
    checks: dict[str, bool]

    @property
    def holds(self) -> bool:
        """Whether all of it is as it has to be."""
        return all(self.checks.values())


def check_event(source: str, id_: str, verdict: Answer, batch: Answer, sealed_by: str) -> EventProof:
    """Return what the ledger's answers of an event and of its batch prove; `sealed_by` is the head named behind it.

    Proved is: the SHA-256 of the batch's document is the head after it, the event, written anew, is one of its lines,
    and what follows names that very hash.
    """
    document: str = batch["document"]
    line = _line_of(verdict, source, id_, document.splitlines())
    return EventProof(
        line,
        {
            "the hash of the batch's document is its head": sha256(document.encode()).hexdigest() == batch["head"],
            "the event, written anew, stands in the document": line is not None,
            "what follows the batch names its head": sealed_by == batch["head"],
        },
    )


def previous_of(batch: Answer) -> str:
    """Return the head that a batch goes on from, as its document says."""
    return str(orjson.loads(batch["document"].partition("\n")[0])["previous"])


def _line_of(verdict: Answer, source: str, id_: str, lines: list[str]) -> int | None:
    """Return on which line of the document an event stands, the header being the first; None where on none."""
    if "event" in verdict:
        said = {name: value for name, value in verdict["event"].items() if name != "recordedtime"}  # the ledger's word
        [body] = canonical_bodies([Row.of(Event.read(said))])
        return lines.index(body) + 1 if body in lines else None
    refused = (source, id_, verdict["code"], verdict["path"], verdict["message"])
    for number, line in enumerate(lines[1:], start=2):
        said = orjson.loads(line)
        if (said[0], *said[2:6]) == refused and len(said) == 7:
            return number
    return None
