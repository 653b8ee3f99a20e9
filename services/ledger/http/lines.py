"""Answer of `/lines`: the lines of a source with their terms in force, of the ledger's working state."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from services.ledger.books.line_summary import KINDS, STATES, LineSummary, summarize_line
from services.ledger.store.reader import StoreReader
from shared.http.answering import CSV_FORMATS
from shared.http.problem import UNFIT, Problem
from shared.http.query import Choice, Query, Text, Whole
from shared.wire.days import iso_day, iso_time
from shared.wire.events import NAME_PATTERN

_PAGE_MAX = 500
_SCANNED_MAX = 10 * _PAGE_MAX  # lines that are read for one page, however few it shows


@dataclass(frozen=True, kw_only=True)
class LinesQuery(Query):
    """The parameters of `/lines`."""

    source: Annotated[str | None, Text(NAME_PATTERN, "a name"), "Of this source; default: of all."] = None
    kind: Annotated[str | None, Choice(tuple(KINDS)), "Of this kind; default: of all."] = None
    state: Annotated[str | None, Choice(STATES), "In this state; default: in any."] = None
    after: Annotated[
        str,
        Text(f"({NAME_PATTERN}/[a-z.]+(/{NAME_PATTERN})?/{NAME_PATTERN})?", "the `next` of a page"),
        "Lines after this one: `next` of the page before.",
    ] = ""
    limit: Annotated[int, Whole(1, _PAGE_MAX), "Lines of a page, at most."] = 100
    format: Annotated[str | None, Choice(CSV_FORMATS), "`csv`: only the rows, as with `Accept: text/csv`."] = None


def list_lines(store: StoreReader, query: LinesQuery) -> dict[str, Any]:
    """Return a page of the lines of a query, in the order of source, kind and name."""
    found: list[tuple[str, LineSummary]] = []
    last = ""
    for scanned, (place, summary) in enumerate(_summaries(store, query)):
        is_shown = summary is not None and query.state in (None, summary.state)
        if scanned == _SCANNED_MAX or (is_shown and len(found) == query.limit):
            return {"rows": _rows(store, found), "next": last}
        if summary is not None and is_shown:
            found.append((place.partition("/")[0], summary))
        last = place
    return {"rows": _rows(store, found), "next": None}


def _summaries(store: StoreReader, query: LinesQuery) -> Iterator[tuple[str, LineSummary | None]]:
    """Yield each line behind the query's place, with its own place."""
    source, _, place = query.after.partition("/")
    kind, _, line = place.rpartition("/")
    if query.source is not None and source not in ("", query.source):
        raise Problem(UNFIT, f"after is a line of {source}, not of {query.source}", parameter="after")
    for each in sorted(store.progress):  # a line has terms of its own source only
        if each < source or query.source not in (None, each):
            continue
        after = (kind, line) if each == source else ("", "")
        stored_kind = None if query.kind is None else KINDS[query.kind]
        for name, state in store.working_state.lines_of(each, stored_kind, after, page_lines=query.limit):
            yield "/".join(name), summarize_line(name, state)


def _rows(store: StoreReader, found: list[tuple[str, LineSummary]]) -> list[dict[str, Any]]:
    events = store.working_state.find_events((source, summary.event) for source, summary in found)
    rows = []
    for source, each in found:
        event = events[source, each.event]
        product, site, supplier = each.key
        start_by = event.others.get("start_by")
        rows.append(
            {
                "source": source,
                "kind": each.kind,
                "line": each.line,
                "product": product,
                "site": site,
                "supplier": supplier,
                "day": iso_day(each.day),
                "wafers": each.wafers,
                "open_wafers": each.open_wafers,
                "revision": each.revision,
                "state": each.state,
                "firmness": event.others.get("firmness"),
                "start_by": start_by,
                "priority": event.others.get("priority"),
                "id": each.event,
                "time": iso_time(event.time),
            }
        )
    return rows
