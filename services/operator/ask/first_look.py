"""First look at events that are not stated yet: their doubtful values, and their effect on the shortages."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import orjson

from services.operator.ask.client import ask, ask_all
from services.operator.stack.calls import call
from services.operator.stack.errors import StackError
from services.operator.stack.location import running_stack, service_url
from shared.process.credentials import CredentialsError
from shared.programme.doubtful_values import DeclaredBounds, DoubtfulValue, find_doubtful_values
from shared.wire.events import PREFIX, VERSION

_WITHIN_S = 60.0


def find_doubts(
    data: Path, events: Iterable[tuple[str, Mapping[str, Any]]]
) -> tuple[list[tuple[int, DoubtfulValue]], str]:
    """Return the doubtful values of some events, by type and data, each with the event's index.

    The second part is the reason why nothing could be checked, empty where it was: the aggregator knows the sites and
    the horizon, and answers to a token that may read.
    """
    try:
        declared = DeclaredBounds.of(ask_all(data, "/sites")["rows"], ask(data, "aggregator", "/state"))
    except (StackError, CredentialsError) as why:
        return [], str(why)
    return list(find_doubtful_values(events, declared)), ""


def read_contents(events: Iterable[bytes]) -> list[tuple[str, Mapping[str, Any]]]:
    """Return type and data of each line of CloudEvents; both are empty of any other line: the party refuses it."""
    contents: list[tuple[str, Mapping[str, Any]]] = []
    for line in events:
        try:
            event = orjson.loads(line)
        except ValueError:
            event = None
        data = event.get("data") if isinstance(event, dict) else None
        name = "" if not isinstance(event, dict) else str(event.get("type")).removeprefix(PREFIX).removesuffix(VERSION)
        contents.append((name, data if isinstance(data, dict) else {}))
    return contents


def ask_effect(data: Path, cloud_events: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the effect of some events of one source on the first short days and the wafers short; state none.

    Where the aggregator does not answer, `unknown` has the reason.
    """
    if not cloud_events:
        return {"rows": [], "refused": []}
    body = b"\n".join(map(orjson.dumps, cloud_events))
    try:
        url = service_url(running_stack(data), "aggregator")
        params = {"source": str(cloud_events[0]["source"])}
        answer = call(f"{url}/what-if", method="POST", params=params, content=body, within_s=_WITHIN_S)
        found: dict[str, Any] = orjson.loads(answer.content)
    except (StackError, CredentialsError, httpx.TransportError, ValueError) as why:
        return {"unknown": str(why) or type(why).__name__}
    return found if answer.status_code == httpx.codes.OK else {"unknown": str(found.get("detail", answer.status_code))}
