"""One event with its proof, as the command tells it."""

from pathlib import Path
from typing import Any

from services.operator.ask.asking import ask
from services.operator.record.proof import kept_checkpoints
from services.operator.stack.finding import is_described
from shared.wire.event_proof import check_event, previous_of


def prove_event(folder: Path, source: str, id_: str) -> dict[str, Any]:
    """Return an event as it was said, its batch, and whether that holds it; raise `StackError` for one never judged.

    What follows its batch is the next one, or the head where there is none; the rest is for `verify` to look at.
    """
    verdict = ask(folder, "ledger", f"/events/{source}/{id_}")
    number = verdict["batch"]
    batch, end = ask(folder, "ledger", f"/batches/{number}"), ask(folder, "ledger", "/head")
    if end["position"] > number:
        sealed_by = previous_of(ask(folder, "ledger", f"/batches/{number + 1}"))
    else:
        sealed_by = end["head"]
    proof = check_event(source, id_, verdict, batch, sealed_by)
    signed = None if is_described(folder) else _signed_after(folder, number)
    return {
        **{name: verdict[name] for name in ("status", "code", "path", "message", "event") if name in verdict},
        "source": source,
        "id": id_,
        "batch": number,
        "head": batch["head"],
        "document_line": proof.line,
        "document": batch["document"],
        "checks": proof.checks,
        "signed_at": signed,
        "proved": proof.holds,
    }


def _signed_after(folder: Path, number: int) -> int | None:
    """Return the batch of the first checkpoint of the stack's folder that covers a batch, None where none does."""
    return min((each.batch for each in kept_checkpoints(folder, None, None) if each.batch >= number), default=None)
