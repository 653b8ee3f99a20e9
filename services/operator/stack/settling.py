"""Settling: the state of a stack that has recorded, folded and planned every stream entry."""

import time
from typing import Any

import httpx

from services.operator.stack.calls import call
from services.operator.stack.errors import StackError
from services.operator.stack.remote import RemoteStack
from services.operator.stack.stack import Stack

DETAILS_HINT = "more is told with a token of scope read, audit or metrics: name its file in WAFERLINE_TOKEN_FILE"
_SETTLED_WITHIN_S = 600.0


def settle(stack: Stack | RemoteStack) -> None:
    """Wait until every stream entry is recorded, folded and planned; raise `StackError` if that takes too long."""
    deadline = time.monotonic() + _SETTLED_WITHIN_S
    while time.monotonic() < deadline:
        ledger, aggregator = (_read_health(stack, name) for name in ("ledger", "aggregator"))
        if "position" not in ledger:
            raise StackError(f"the stack does not report its position: {DETAILS_HINT}")
        if "streams" not in ledger:
            raise StackError(f"Redis does not answer the ledger ({ledger['redis']}); see {stack.folder}/logs")
        behind = [stream for stream, lag in ledger["streams"].items() if lag["behind"]]
        if not behind and aggregator["planned"] == ledger["position"]:
            return
        time.sleep(0.1)
    raise StackError(f"the stack did not settle within {_SETTLED_WITHIN_S:.0f} s; see {stack.folder}/logs")


def _read_health(stack: Stack | RemoteStack, name: str) -> dict[str, Any]:
    try:
        health: dict[str, Any] = call(stack.url(name) + "/health", within_s=60).json()
    except httpx.TransportError as failure:
        if isinstance(stack, Stack) and stack.processes[name].poll() is not None:
            raise stack.stopped(name) from failure
        raise StackError(f"{name} does not answer ({failure}); see its log") from failure
    return health
