"""Answer of `/movements`: the recorded events of a product at a site that moved or counted stock, or asked for it."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from services.ledger.http.effects import find_effect
from services.ledger.store.as_of import AsOf, PlacedEvent, UnknownAsOf, events_between, find_as_of
from services.ledger.store.reader import StoreReader
from shared.http.answering import CSV_FORMATS
from shared.http.problem import NEVER_KNOWN, Problem
from shared.http.query import Choice, Day, Moment, Query, SomeOf, Text, Whole
from shared.wire.days import DAY_US, day_number, iso_time
from shared.wire.events import NAME_PATTERN
from shared.wire.rows import Row

TYPES = (
    "stock.opened", "stock.transferred", "stock.counted", "wafers.consumed", "shipment.returned", "demand.required"
)  # fmt: skip
LATE = frozenset({"stock.opened", "stock.transferred", "wafers.consumed", "shipment.returned", "shipment.received"})
"""The events whose late ones post a count's correction anew."""

SCANNED_PAGES_MAX = 64  # of the log, about a million events: then the answer is a page, however few its rows
_NAME = Text(NAME_PATTERN, "a name")
_PAGE_MAX = 200


@dataclass(frozen=True, kw_only=True)
class MovementsQuery(Query):
    """The parameters of `/movements`."""

    product: Annotated[str, _NAME, "The product."]
    site: Annotated[str, _NAME, "The site; of a transfer, from or to it."]
    types: Annotated[
        tuple[str, ...],
        SomeOf(TYPES),
        "The types of the events. With `stock.counted` also the movements that came late to a count: they change its "
        "correction.",
    ] = TYPES
    since: Annotated[str, Moment(), "Events recorded after this batch, or after the end of this UTC day."] = "0"
    through: Annotated[
        str | None, Moment(), "Events recorded up to this batch, or by the end of this UTC day; default: all."
    ] = None
    by: Annotated[date | None, Day(), "Events whose time is by the end of this day."] = None
    after: Annotated[int, Whole(0, 10**18 - 1), "Events after this place in the log: `next` of the page before."] = 0
    limit: Annotated[int, Whole(1, _PAGE_MAX), "Events of a page, at most."] = 50
    format: Annotated[str | None, Choice(CSV_FORMATS), "`csv`: only the rows, as with `Accept: text/csv`."] = None


def list_movements(store: StoreReader, query: MovementsQuery) -> dict[str, Any]:
    """Return a page of the events of a query, in the order of the log."""
    since = _find_bound(store, "since", query.since)
    through = _find_bound(store, "through", str(store.head.batch) if query.through is None else query.through)
    counts = _counts(store, query) if "stock.counted" in query.types else []
    rows: list[dict[str, Any]] = []
    pages = events_between(store, since, through, after=query.after, texts=(query.product, query.site))
    for scanned, (last, page) in enumerate(pages, 1):
        for found in page:
            target = _target(store, found.row)
            if _is_shown(target, found.seq, query, counts):
                if len(rows) == query.limit:
                    return {"rows": rows, "next": rows[-1]["seq"]}
                rows.append(_event(store, found, target))
        if scanned == SCANNED_PAGES_MAX:
            return {"rows": rows, "next": last}
    return {"rows": rows, "next": None}


def _find_bound(store: StoreReader, name: str, text: str) -> AsOf:
    try:
        return find_as_of(store, text)
    except UnknownAsOf as why:
        raise Problem(NEVER_KNOWN, str(why), parameter=name) from why


def _target(store: StoreReader, row: Row) -> Row | None:
    """Return the event that an event reverses, None where it is not recorded; the event itself if it reverses none."""
    return store.load_event(row.source, row.others["reversed"]) if row.name == "event.reversed" else row


def _counts(store: StoreReader, query: MovementsQuery) -> list[tuple[int, int]]:
    """Return the day of each count of the product at the site, and its place in the log."""
    state, counts = store.working_state, list[tuple[int, int]]()
    for supplier in state.load_suppliers(query.product, query.site):
        for day, counted in state.load_stock((query.product, query.site, supplier)).counts.items():
            found = (store.find_event(count.source, count.id) for count in counted.values())
            counts += [(day, event[0]) for event in found if event is not None]
    return counts


def _is_shown(row: Row | None, seq: int, query: MovementsQuery, counts: list[tuple[int, int]]) -> bool:
    if row is None or row.product != query.product:
        return False
    day = row.time // DAY_US
    if query.site not in (row.site, row.others.get("to_site")) or (query.by and day > day_number(query.by)):
        return False
    return row.name in query.types or (row.name in LATE and any(day <= on and seq > place for on, place in counts))


def _event(store: StoreReader, found: PlacedEvent, moved: Row | None) -> dict[str, Any]:
    """Return a recorded event with the wafers that it moves, or those of the event that it reverses."""
    row, effect = found.row, find_effect(store, found.row)
    assert moved is not None and effect is not None
    return {
        "source": row.source,
        "id": row.id,
        "type": row.name,
        "time": iso_time(row.time),
        "supplier": moved.supplier,
        "site": moved.site,
        "to_site": moved.others.get("to_site"),
        "wafers": moved.wafers,
        "reverses": None if moved is row else moved.id,
        "effect": effect.effect,
        "batch": found.batch,
        "seq": found.seq,
    }
