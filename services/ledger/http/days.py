"""Answers of `/days`: the days on which something was recorded, and the batches of one of them."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from services.ledger.store.as_of import batches_of_day, recorded_days
from services.ledger.store.reader import StoreReader
from shared.http.answering import CSV_FORMATS
from shared.http.query import Choice, Day, Query, Whole
from shared.wire.days import day_number, iso_day, iso_time

_PAGE_MAX = 200


@dataclass(frozen=True, kw_only=True)
class DaysQuery(Query):
    """The parameters of `/days`."""

    format: Annotated[str | None, Choice(CSV_FORMATS), "`csv`: only the rows, as with `Accept: text/csv`."] = None


@dataclass(frozen=True, kw_only=True)
class DayQuery(Query):
    """The parameters of `/days/{day}`."""

    day: Annotated[date, Day(), "The UTC day."]
    after: Annotated[int, Whole(0, 10**18 - 1), "Batches after this one: `next` of the page before."] = 0
    limit: Annotated[int, Whole(1, _PAGE_MAX), "Batches of a page, at most."] = _PAGE_MAX
    format: Annotated[str | None, Choice(CSV_FORMATS), "`csv`: only the rows, as with `Accept: text/csv`."] = None


def list_days(store: StoreReader) -> dict[str, Any]:
    """Return all days with their batches and events."""
    return {
        "position": store.head.batch,
        "rows": [each._asdict() | {"day": iso_day(each.day)} for each in recorded_days(store)],
    }


def list_day(store: StoreReader, query: DayQuery) -> dict[str, Any]:
    """Return a page of the batches of a day."""
    found = list(batches_of_day(store, day_number(query.day), query.after, query.limit + 1))
    page = found[: query.limit]
    rows = [each._asdict() | {"recorded": iso_time(each.recorded)} for each in page]
    return {"rows": rows, "next": page[-1].batch if len(found) > len(page) else None}
