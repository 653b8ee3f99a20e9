"""Rows of all pages of an answer, which a page sorts: to sort one page of them alone would mislead."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from services.console.http.tables.choice import sort_rows
from services.console.live.upstream import NoAnswer

Ask = Callable[[str, Mapping[str, str]], Awaitable[Any]]
_TRIES = 5
SORTED_ROWS_MAX = 5_000


async def ask_in_order(
    ask: Ask, path: str, query: Mapping[str, str], order: str, *, turned: str = "offset"
) -> dict[str, Any]:
    """Return an answer with the page of its rows that a query asks for; in an order that was chosen, with all rows.

    `turned` is the parameter that turns to the next page. Pages of different positions may repeat a row or lack one:
    they are asked for anew. Raise `NoAnswer` where they differ again and again, or the rows are too many.
    """
    if not order:
        answer: dict[str, Any] = await ask(path, query)
        return answer
    for _ in range(_TRIES):
        answer = page = await ask(path, {**query, turned: "", "limit": ""})
        while page["next"] is not None and page["position"] == answer["position"]:
            if len(answer["rows"]) >= SORTED_ROWS_MAX:
                raise NoAnswer(
                    400, f"More than {SORTED_ROWS_MAX:,} rows are not sorted here: choose a product or a site."
                )
            page = await ask(path, {**query, turned: str(page["next"]), "limit": ""})
            answer["rows"] += page["rows"]
        if page["position"] == answer["position"]:
            return answer | {"rows": sort_rows(answer["rows"], order), "next": None}
    raise NoAnswer(503, "The numbers move while they are read for sorting. This page tries again by itself.")
