"""Proof of one event: the event's bytes are a line of a batch document, and the chain continues from its hash."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

import orjson

from shared.wire.events import Event
from shared.wire.rows import Row, canonical_bodies

Answer = Mapping[str, Any]  # JSON object that the ledger answers


class EventProof(NamedTuple):
    """Line of the event in its batch's document, the header being line 1, and the result of each check."""

    line: int | None
    checks: dict[str, bool]

    @property
    def holds(self) -> bool:
        """Whether every check passed."""
        return all(self.checks.values())


def proof_paths(verdict: Answer, head: Answer) -> list[str]:
    """Return the ledger's paths with the answers that prove an event: its batch, and the next one if there is one.

    `verdict` answers `/events/{source}/{id}`; `head` answers `/head`, asked after it.
    """
    batch: int = verdict["batch"]
    return [f"/batches/{number}" for number in (batch, batch + 1) if number <= max(batch, head["position"])]


def check_event(source: str, id_: str, verdict: Answer, head: Answer, batches: Sequence[Answer]) -> EventProof:
    """Return the proof of an event from the ledger's answers to its verdict, the head and `proof_paths`, in order.

    The proof holds if the SHA-256 of the batch's document is the batch's head, the event in canonical form is one of
    the document's lines, and the next batch, or the chain's head where there is none, names that hash.
    """
    batch, *following = batches
    sealing = _previous_head(following[0]) if following else head["head"]
    document: str = batch["document"]
    # not splitlines: a text may hold U+2028, U+2029 or U+0085, which end no line of the document
    line = _line_of(verdict, source, id_, document.removesuffix("\n").split("\n"))
    return EventProof(
        line,
        {
            "the hash of the batch's document is its head": sha256(document.encode()).hexdigest() == batch["head"],
            "the event, written anew, stands in the document": line is not None,
            "what follows the batch names its head": sealing == batch["head"],
        },
    )


def _previous_head(batch: Answer) -> str:
    return str(orjson.loads(batch["document"].partition("\n")[0])["previous"])


def _line_of(verdict: Answer, source: str, id_: str, lines: list[str]) -> int | None:
    """Return the number of the event's line, the header being line 1; None if the document has no such line."""
    if "event" in verdict:
        # the ledger adds `recordedtime`: the sealed body lacks it
        event = {name: value for name, value in verdict["event"].items() if name != "recordedtime"}
        [body] = canonical_bodies([Row.of(Event.read(event))])
        return lines.index(body) + 1 if body in lines else None
    refused = (source, id_, verdict["code"], verdict["path"], verdict["message"])
    for number, line in enumerate(lines[1:], start=2):
        row = orjson.loads(line)
        if (row[0], *row[2:6]) == refused and len(row) == 7:
            return number
    return None
