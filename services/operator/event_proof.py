"""The proof of one event: that it stands, byte for byte, in a batch whose hash the chain goes on from."""

from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from services.operator.asking import ask
from services.operator.proof import kept_checkpoints
from services.operator.stack import is_described
from shared.batch import Row, canonical_bodies
from shared.events import Event


def prove_event(folder: Path, source: str, id_: str) -> dict[str, Any]:
    """Return an event as it was said, its batch, and whether that holds it; raise `StackError` for one never judged.

    Proved is: the SHA-256 of the batch's document is the head after it, the event, written anew, is one of its lines,
    and the next batch, or the head where there is none, names that very hash. What follows is for `verify` to look at.
    """
    verdict = ask(folder, "ledger", f"/events/{source}/{id_}")
    number = verdict["batch"]
    batch, end = ask(folder, "ledger", f"/batches/{number}"), ask(folder, "ledger", "/head")
    lines = batch["document"].splitlines()
    line = _line_of(verdict, source, id_, lines)
    if end["position"] > number:
        following = ask(folder, "ledger", f"/batches/{number + 1}")
        sealed_by = orjson.loads(following["document"].partition("\n")[0])["previous"]
    else:
        sealed_by = end["head"]
    checks = {
        "the hash of the batch's document is its head": sha256(batch["document"].encode()).hexdigest() == batch["head"],
        "the event, written anew, stands in the document": line is not None,
        "what follows the batch names its head": sealed_by == batch["head"],
    }
    signed = None if is_described(folder) else _signed_after(folder, number)
    return {
        **{name: verdict[name] for name in ("status", "code", "path", "message", "event") if name in verdict},
        "source": source,
        "id": id_,
        "batch": number,
        "head": batch["head"],
        "document_line": line,
        "document": batch["document"],
        "checks": checks,
        "signed_at": signed,
        "proved": all(checks.values()),
    }


def _line_of(verdict: dict[str, Any], source: str, id_: str, lines: list[str]) -> int | None:
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


def _signed_after(folder: Path, number: int) -> int | None:
    """Return the batch of the first checkpoint of the stack's folder that covers a batch, None where none does."""
    return min((each.batch for each in kept_checkpoints(folder, None, None) if each.batch >= number), default=None)
