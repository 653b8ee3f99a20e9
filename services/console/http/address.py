"""Filters of a page, held in its address, so that the address can be sent to a colleague."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Self
from urllib.parse import urlencode

from shared.wire.firmness import FIRMNESS

LEGIBLE = ":,;/"
"""Characters of a query that an address shows as they are (RFC 3986 allows them there)."""

_OF_ONE_PAGE = (
    "kind", "due", "state", "offset", "day", "since", "types", "through", "by", "after", "about", "columns", "sort",
    "page", "month", "on", "q",
)  # fmt: skip
_PLACES = ("offset", "after")  # of a row, from which a page shows the next ones
_KEPT_BY_FORM = ("kind", "due", "state", "about", "columns", "sort")
_has_days_form = re.compile(r"[12]\d{3}-\d\d-\d\d").fullmatch


def is_day(text: str) -> bool:
    """Return whether a text is a day of the calendar, YYYY-MM-DD."""
    try:
        return bool(_has_days_form(text) and date.fromisoformat(text))
    except ValueError:
        return False


@dataclass(frozen=True)
class Filters:
    """The filters of a page; an empty one is not set."""

    product: str = ""
    site: str = ""
    supplier: str = ""
    party: str = ""  # a declared one: a page is of its sites and suppliers
    firmness: str = ""
    as_of: str = ""  # a day of knowledge, or a batch of the ledger; none: now
    kind: str = ""  # of lines, with `due` and `state` as in the aggregator's query
    due: str = ""
    state: str = ""
    offset: str = ""
    day: str = ""  # of the bridge; none: the first short day
    since: str = ""  # position or day that the bridge begins with; none: when the orders were placed
    types: str = ""  # of movements, with `through`, `by` and `after` as in the ledger's query
    through: str = ""
    by: str = ""
    after: str = ""
    about: str = ""  # of remarks, as in the aggregator's query
    q: str = ""  # words of the search
    columns: str = ""  # of each table, with `sort` as in http/tables/choice.py
    sort: str = ""
    page: str = ""  # that the calendar chooses a day for, with the month that it shows, and the day of the positions
    month: str = ""
    on: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Self:
        """Return the filters of an address; other parameters are left out."""
        return cls(**{name: query[name].strip() for name in cls.__dataclass_fields__ if name in query})

    def params(self, *names: str) -> dict[str, str]:
        """Return `as_of` and those of the named filters that are set, as parameters of a query."""
        return {name: value for name, value in asdict(self).items() if value and name in {*names, "as_of"}}

    def link(self, path: str, **changes: str) -> str:
        """Return the address of a page with these filters, some of them changed; those of one page start anew."""
        kept = asdict(self) | dict.fromkeys(_OF_ONE_PAGE, "") | changes
        query = urlencode({name: value for name, value in kept.items() if value}, safe=LEGIBLE)
        return f"{path}?{query}" if query else path

    def day_beside(self, complete_through: str, days: int) -> str:
        """Return the day some days before or after that of the address, else after the last complete day."""
        shown = self.as_of if is_day(self.as_of) else complete_through
        return (date.fromisoformat(shown) + timedelta(days=days)).isoformat()

    def download(self, path: str, **format_: str) -> str:
        """Return the address of the same page in another format, or turned to its next rows."""
        return self.link(path, **self.of_this_page | format_)

    def anew(self, path: str, **changes: str) -> str:
        """Return the address of the same page from its first row on, some filters changed."""
        return self.download(path, **dict.fromkeys(_PLACES, "") | changes)

    @property
    def of_this_page(self) -> dict[str, str]:
        """The filters that a link to another page leaves out."""
        return {name: getattr(self, name) for name in _OF_ONE_PAGE}

    @property
    def kept_by_form(self) -> dict[str, str]:
        """The filters of this page that stay while the form of the others is sent."""
        return {name: getattr(self, name) for name in _KEPT_BY_FORM if getattr(self, name)}

    def order_of(self, table: str) -> str:
        """Return the column that orders a table of the page; empty where none is chosen."""
        return next((part.partition(":")[2] for part in self.sort.split(";") if part.partition(":")[0] == table), "")

    @property
    def grade(self) -> str:
        """The least firmness at which commits count."""
        return self.firmness or FIRMNESS[0]

    @property
    def is_filtered(self) -> bool:
        """Whether a product, site, supplier or party is set."""
        return bool(self.product or self.site or self.supplier or self.party)
