"""Events of stock behind a bar of a bridge."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from services.operator.ask.client import ask

_EVENTS_MAX = 200


def ask_movements(folder: Path, product: str, site: str, query: Mapping[str, str]) -> dict[str, Any]:
    """Return the first events that the ledger lists for a bar, and `next`: null where they are all."""
    query = {"product": product, "site": site, **query}
    found: dict[str, Any] = {"rows": [], "next": 0}
    while found["next"] is not None and len(found["rows"]) < _EVENTS_MAX:
        limit = _EVENTS_MAX - len(found["rows"])
        page = ask(folder, "ledger", "/movements", after=found["next"], limit=limit, **query)
        found = {"rows": found["rows"] + page["rows"], "next": page["next"]}
    return found
