"""Pages of answers: rows selected by name, cut at `after` or `offset`, with the position they are of."""

from bisect import bisect_right
from collections.abc import Collection, Sequence
from typing import Any, cast

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.series import Grouping, Only
from services.aggregator.plan.overviews import Row, iso_or_none
from services.aggregator.plan.projection import SupplyPlan
from services.aggregator.terms import PARTS, Part
from shared.http.problem import UNKNOWN_NAME, Problem

_NAMED_MAX = 30  # names in an error

Answer = dict[str, Any]


def position_of(curves: Curves) -> Answer:
    """Return the position of an answer from the curves."""
    return {
        "complete_through": iso_or_none(curves.complete_through),
        "position": curves.position,
        "head": curves.head,
    }


def plan_position_of(plan: SupplyPlan) -> Answer:
    """Return the position of an answer from the plan."""
    return {
        "complete_through": iso_or_none(plan.complete_through),
        "position": plan.position,
        "head": plan.head,
        "today": iso_or_none(plan.today),
    }


def select_keys(curves: Curves, **names: str | None) -> Only:
    """Return the parts of the key that a query fixes; raise `Problem` for an unknown name."""
    only = {part: name for part, name in names.items() if name is not None}
    for part, name in only.items():
        check_name(part, name, {key[PARTS.index(cast(Part, part))] for key in curves.keys})
    return cast(Only, only)


def check_name(part: str, name: str, names: Collection[str]) -> None:
    """Raise `Problem` for a name that no event has; before the first event every name passes."""
    if names and name not in names:
        detail = f"{part} is {name[:80]!r}; there are {', '.join(sorted(names)[:_NAMED_MAX])}"
        raise Problem(UNKNOWN_NAME, detail, parameter=part)


def first_after(labels: Sequence[tuple[str, ...]], after: str | None) -> int:
    """Return the index of the first of some sorted labels on the page after `after`."""
    return 0 if after is None else bisect_right(labels, tuple(after.split("/")))


def cut_groups(whole: Grouping, first: int, end: int) -> Grouping:
    """Return consecutive groups of a grouping, without the keys of the others."""
    of_key = whole.of_key - first
    of_key[(whole.of_key < first) | (whole.of_key >= end)] = -1
    return Grouping(whole.labels[first:end], of_key)


def cut_rows(rows: list[Row], by: Sequence[str], after: str | None, limit: int) -> Answer:
    """Return the page of some sorted rows after `after`, and the `after` of the next page."""
    rest = rows[first_after([tuple(row[part] for part in by) for row in rows], after) :]
    page = rest[:limit]
    return {"rows": page, "next": "/".join(page[-1][part] for part in by) if len(rest) > limit else None}
