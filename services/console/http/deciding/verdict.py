"""The verdict on the shortages at sites, and the sites that are not synthetic."""

from collections.abc import Sequence
from typing import NamedTuple

from services.console.http.address import Filters
from services.console.http.months import Numbers

FIRST_LINES = 5  # of the worklist
FIRST_CHANGES = "3"  # since the day before


class ShortageVerdict(NamedTuple):
    """Products short at sites, without synthetic ones: the first of them, those short today, and those later."""

    first: Numbers | None
    now: int
    later: int


def find_verdict(first: Numbers | None, shorts: Sequence[Numbers], today: str | None) -> ShortageVerdict:
    """Return the verdict on the shortages at sites; `first` is the first shortage, at a synthetic site or not."""
    now = sum(each["first_short_day"] == today for each in shorts)
    return ShortageVerdict(first if shorts else None, now, len(shorts) - now)


def real_sites(sites: Sequence[Numbers], filters: Filters) -> list[Numbers]:
    """Return the sites that are not synthetic, with the filters of a page."""
    return [row for row in sites if not row["synthetic"] and filters.site in ("", row["site"])]
