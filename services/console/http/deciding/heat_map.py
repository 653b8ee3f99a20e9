"""The heat map: weeks of cover of each site at the end of each week, synthetic sites apart."""

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from services.console.http.months import Numbers

_BELOW = (("low", 1), ("some", 4))  # weeks of cover


class HeatCell(NamedTuple):
    """A week of a site."""

    level: str  # short, low (below 1 week), some (below 4), enough, or all
    cover: float | None  # in weeks; None: all later orders
    short: int
    product: str


class HeatRow(NamedTuple):
    """The weeks of a site."""

    site: str
    synthetic: bool
    cells: Sequence[HeatCell]

    @property
    def first_short(self) -> HeatCell | None:
        """The first week in which the site runs short."""
        return next((cell for cell in self.cells if cell.short), None)


class HeatMap(NamedTuple):
    """Weeks of cover of sites, synthetic ones apart and last."""

    weeks: Sequence[str]  # their first days
    parts: Sequence[tuple[str, Sequence[HeatRow]]]
    more: int  # sites that are not shown


def heat_map(cover: Numbers) -> HeatMap:
    """Return the heat map of an answer of `/cover/weeks`."""
    rows = [
        HeatRow(site, weeks[0]["synthetic"], [_cell(week) for week in weeks])
        for site, weeks in ((site, list(held)) for site, held in groupby(cover["rows"], key=itemgetter("site")))
    ]
    parts = [
        ("Sites", [row for row in rows if not row.synthetic]),
        ("Synthetic demand, at no site", [row for row in rows if row.synthetic]),
    ]
    weeks = list(dict.fromkeys(row["from"] for row in cover["rows"]))
    return HeatMap(weeks, [part for part in parts if part[1]], cover["count"] - len(rows))


def _cell(week: Numbers) -> HeatCell:
    cover = week["cover_weeks"]
    level = "all" if cover is None else next((name for name, below in _BELOW if cover < below), "enough")
    return HeatCell("short" if week["short"] else level, cover, week["short"], week["product"])
