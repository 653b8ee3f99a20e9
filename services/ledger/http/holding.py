"""Answer of `/holding`: the recorded events of a source and a type that hold, in the order of the log."""

from dataclasses import dataclass
from typing import Annotated, Any

from services.ledger.books.effects import HOLDS
from services.ledger.http.effects import find_effect
from services.ledger.store.as_of import events_between, find_as_of
from services.ledger.store.reader import StoreReader
from shared.http.query import Choice, Query, Text, Whole
from shared.wire.events import EVENTS, NAME_PATTERN

SCANNED_PAGES_MAX = 64  # of the log, about a million events: then the answer is a page, however few its rows
_PAGE_MAX = 500


@dataclass(frozen=True, kw_only=True)
class HoldingQuery(Query):
    """The parameters of `/holding`."""

    source: Annotated[str, Text(NAME_PATTERN, "a name"), "The source of the events."]
    type: Annotated[str, Choice(tuple(EVENTS)), "Their type, without prefix and version."]
    after: Annotated[int, Whole(0, 10**18 - 1), "Events after this place in the log: `next` of the page before."] = 0
    limit: Annotated[int, Whole(1, _PAGE_MAX), "Events of a page, at most."] = 100


def list_holding(store: StoreReader, query: HoldingQuery) -> dict[str, Any]:
    """Return a page of the events of a query, in the order of the log."""
    rows: list[dict[str, Any]] = []
    last_shown = query.after
    begin, end = find_as_of(store, "0"), find_as_of(store, str(store.head.batch))
    pages = events_between(store, begin, end, after=query.after, texts=(query.source, query.type))
    for scanned, (last, page) in enumerate(pages, 1):
        for found in page:
            row = found.row
            if row.source == query.source and row.name == query.type and find_effect(store, row) in (HOLDS, None):
                if len(rows) == query.limit:
                    return {"rows": rows, "next": last_shown}
                rows.append(row.content())
                last_shown = found.seq
        if scanned == SCANNED_PAGES_MAX:
            return {"rows": rows, "next": last}
    return {"rows": rows, "next": None}
