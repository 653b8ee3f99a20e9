"""One event with its proof, as `waferline event` prints it."""

from pathlib import Path
from typing import Any

from services.operator.ask.client import ask
from services.operator.record.checkpoints import kept_checkpoints
from services.operator.stack.location import is_described
from shared.http.peers import path_of
from shared.wire.event_proof import check_event, proof_paths


def prove_event(folder: Path, source: str, id_: str) -> dict[str, Any]:
    """Return an event as published, its batch, and its proof; raise `StackError` if the ledger has no such event.

    The proof reaches to the next batch, or to the head where there is none; `waferline verify` checks the whole chain.
    """
    verdict = ask(folder, "ledger", path_of("events", source, id_))
    head = ask(folder, "ledger", "/head")
    batches = [ask(folder, "ledger", path) for path in proof_paths(verdict, head)]
    proof = check_event(source, id_, verdict, head, batches)
    signed = None if is_described(folder) else _signed_after(folder, verdict["batch"])
    return {
        **{name: verdict[name] for name in ("status", "code", "path", "message", "event") if name in verdict},
        "source": source,
        "id": id_,
        "batch": verdict["batch"],
        "head": batches[0]["head"],
        "document_line": proof.line,
        "document": batches[0]["document"],
        "checks": proof.checks,
        "signed_at": signed,
        "proved": proof.holds,
    }


def _signed_after(folder: Path, batch: int) -> int | None:
    """Return the batch of the stack's first checkpoint at or after a batch, None if there is none."""
    return min((each.batch for each in kept_checkpoints(folder, None, None) if each.batch >= batch), default=None)
