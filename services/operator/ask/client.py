"""Queries to a stack: over HTTP if it runs, else answered from its store; the answers are the same."""

from pathlib import Path
from typing import Any

import httpx

from services.operator.stack.calls import call
from services.operator.stack.errors import StackError
from services.operator.stack.location import is_described, service_url, stack_facts


def ask(folder: Path, service: str, path: str, **query: str | int | None) -> Any:
    """Return the JSON answer of a service of a stack; raise `StackError` with its reason if it refuses.

    With `as_of` a batch (1234) or a day (2026-12-31), the aggregator answers as of then.
    """
    params = {name.rstrip("_"): str(value) for name, value in query.items() if value is not None}
    facts = stack_facts(folder)
    if facts is not None:
        try:
            response = call(service_url(facts, service) + path, params=params)
        except httpx.TransportError as failure:
            where = "where it runs" if is_described(folder) else f"{folder}/logs/{service}.log"
            late = isinstance(failure, httpx.TimeoutException)
            reason = f"{failure}, after the seconds of WAFERLINE_ANSWER_WAIT_S" if late else str(failure)
            raise StackError(f"{service} does not answer ({reason}); see its log, {where}") from failure
    else:
        from services.operator.ask.offline import answer_offline  # noqa: PLC0415 (loads the ledger and the aggregator)

        response = answer_offline(folder, service, path, params)
    problem = response.headers["content-type"] == "application/problem+json"
    if response.status_code >= httpx.codes.BAD_REQUEST and problem:
        raise StackError(response.json()["detail"])
    return response.json()


def ask_all(folder: Path, path: str, **query: str | int | None) -> dict[str, Any]:
    """Return the aggregator's answer to a query, its last page with the rows of all pages; see `ask`."""
    answer: dict[str, Any] = ask(folder, "aggregator", path, **query)
    rows = list(answer["rows"])
    while answer.get("next") is not None:
        turned = "offset" if isinstance(answer["next"], int) else "after"
        answer = ask(folder, "aggregator", path, **query, **{turned: answer["next"]})
        rows += answer["rows"]
    return answer | {"rows": rows}
