"""Sites as a page shows them: announced, assumed, undeclared and synthetic ones apart, and their shortages."""

from collections.abc import Sequence

from services.console.http.address import Filters
from services.console.http.months import Numbers

SYNTHETIC = "Synthetic"
_KINDS = {"sourced": "Announced", "assumed": "Assumed", None: "Not declared", "synthetic": SYNTHETIC}


def sites_by_kind(rows: Sequence[Numbers]) -> dict[str, list[Numbers]]:
    """Return the sites by the confidence that their declaration states; a site without one is announced by nobody."""
    return {kind: [row for row in rows if _kind_of(row) == each] for each, kind in _KINDS.items()}


def _kind_of(row: Numbers) -> str | None:
    kind: str | None = "synthetic" if row["synthetic"] else row["confidence"]
    return kind


def shorts_by_kind(rows: Sequence[Numbers], filters: Filters) -> dict[str, list[Numbers]]:
    """Return the products that run short at sites, with the filters of a page, by kind of site; the earliest first."""
    return {
        kind: sorted(
            (
                {"site": site["site"]} | short
                for site in sites
                if filters.site in ("", site["site"])
                for short in site["short_products"]
                if filters.product in ("", short["product"])
            ),
            key=lambda short: (short["short_since"] or short["first_short_day"], -short["shortage"]),
        )
        for kind, sites in sites_by_kind(rows).items()
    }
