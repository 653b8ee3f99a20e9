"""Shortages of a page by grade of firmness, without those of synthetic sites."""

from collections.abc import Sequence

from services.console.http.address import Filters
from services.console.http.months import Numbers
from shared.wire.firmness import FIRMNESS


def real_rows(rows: Sequence[Numbers], filters: Filters) -> list[Numbers]:
    """Return the rows of a view without those of synthetic sites, unless a page is of one of these."""
    return [row for row in rows if filters.site or not row["synthetic"]]


def first_real(rows: Sequence[Numbers], filters: Filters) -> Numbers | None:
    """Return the first of these rows."""
    return next(iter(real_rows(rows, filters)), None)


def grade_rows(answers: Sequence[Numbers], filters: Filters) -> list[Numbers]:
    """Return the first shortage at each grade of firmness, a row a grade.

    Product and site, the wafers short now and since when are the same at every grade: where the next rows have the
    same, they are shown once. `span` is the number of rows that they are for, 0 for a row that shows none.
    """
    rows: list[Numbers] = []
    begin: Numbers | None = None  # the row that shows the cells that are the same
    for grade, answer in zip(FIRMNESS, answers, strict=True):
        first = first_real(answer["rows"], filters)
        is_short = first is not None and first["short_since"] and first["first_short_day"] == answer["today"]
        count = answer["count"] - (0 if filters.site else answer["synthetic_count"])
        row = {"grade": grade, "answer": answer, "count": count, "first": first, "is_short": is_short, "span": 1}
        if first and is_short and begin and _name_of(begin["first"]) == _name_of(first):
            begin["span"] += 1
            row["span"] = 0
        else:
            begin = row if is_short else None
        rows.append(row)
    return rows


def _name_of(shortage: Numbers) -> tuple[str, str]:
    return shortage["product"], shortage["site"]
