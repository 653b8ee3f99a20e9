"""Pages of answers: rows selected by name, cut at `after` or `offset`, with the position they are of."""

from bisect import bisect_right
from collections.abc import Collection, Sequence
from typing import Any, TypeVar, cast

from services.aggregator.fold.columns import Completion
from services.aggregator.fold.curves import Curves
from services.aggregator.fold.series import Grouping, Only
from services.aggregator.live.view import LiveView, ReadPast
from services.aggregator.plan.overviews import iso_or_none
from services.aggregator.plan.projection import SupplyPlan
from services.aggregator.terms import Part
from shared.http.problem import NEVER_KNOWN, UNFIT, UNKNOWN_NAME, Problem
from shared.programme.party_scope import PartyScope
from shared.wire.days import date_of

_NAMED_MAX = 30  # names in an error

Answer = dict[str, Any]
Label = TypeVar("Label", bound=tuple[str, ...])


def position_of(view: LiveView) -> Answer:
    """Return the position of an answer from the curves."""
    curves = view.state.curves
    return _position(view, curves.complete_through, curves.position, curves.head, view.completion_now())


def plan_position_of(view: LiveView, plan: SupplyPlan) -> Answer:
    """Return the position of an answer from the view's plan, or from one made of its state."""
    completion = view.completion if plan is view.plan else view.completion_now()
    position = _position(view, plan.complete_through, plan.position, plan.head, completion)
    return position | {"today": iso_or_none(plan.today)}


def _position(view: LiveView, through: int | None, position: int, head: str, completion: Completion) -> Answer:
    setback, recorded_by = completion.setback, view.recorded_by
    return {
        "complete_through": iso_or_none(through),
        "position": position,
        "head": head,
        "recorded_by": None if recorded_by is None else recorded_by._asdict(),
        "went_back": None
        if setback is None
        else {"from": iso_or_none(setback.through), "position": setback.position, "sources": completion.behind},
        "missing_sources": completion.missing,
    }


async def read_moment(read_past: ReadPast, moment: str, parameter: str) -> LiveView:
    """Return the view as of a position or a day; raise `Problem` that names the parameter where there is none."""
    try:
        return await read_past(moment)
    except Problem as why:
        if why.kind is NEVER_KNOWN:
            raise Problem(NEVER_KNOWN, str(why), parameter=parameter) from why
        raise


def check_horizon(curves: Curves, name: str, day: int | None, parameter: str | None = None) -> None:
    """Raise `Problem` for a day outside the horizon, which names the day and the horizon; None passes."""
    first, last = curves.start, curves.start + curves.days - 1
    if day is not None and not first <= day <= last:
        horizon = f"{date_of(first)} to {date_of(last)}"
        raise Problem(UNFIT, f"{name} is {date_of(day)}, outside the horizon, which is {horizon}", parameter=parameter)


def check_today(curves: Curves) -> None:
    """Raise `Problem` where today lies outside the horizon: nothing is known of its plan."""
    check_horizon(curves, "today", curves.today)


def check_last_day(curves: Curves) -> None:
    """Raise `Problem` where the last complete day lies outside the horizon, except on the day before its first."""
    if curves.complete_through != curves.start - 1:
        check_horizon(curves, "the last complete day", curves.complete_through)


def select_keys(curves: Curves, **names: str | None) -> Only:
    """Return the parts of the key that a query fixes; raise `Problem` for an unknown name."""
    only = {part: name for part, name in names.items() if name is not None}
    for part, name in only.items():
        check_name(part, name, curves.names(cast(Part, part)))
    return cast(Only, only)


def scope_of(view: LiveView, party: str | None) -> PartyScope | None:
    """Return the scope of a declared party, None without one; raise `Problem` for a name that is not declared."""
    if party is None:
        return None
    declared = view.state.declarations.parties
    if party not in declared:
        detail = f"party is {party[:80]!r}; declared are {', '.join(declared) or 'none'}"
        raise Problem(UNKNOWN_NAME, detail, parameter="party")
    return PartyScope.of(declared[party])


def check_name(part: str, name: str, names: Collection[str]) -> None:
    """Raise `Problem` for a name that no event has; before the first event every name passes."""
    if names and name not in names:
        detail = f"{part} is {name[:80]!r}; there are {', '.join(sorted(names)[:_NAMED_MAX])}"
        raise Problem(UNKNOWN_NAME, detail, parameter=part)


def first_after(labels: Sequence[tuple[str, ...]], after: str | None, apart: Collection[str] = ()) -> int:
    """Return the index of the first of some sorted labels on the page after `after`; sites `apart` come last."""

    def rank(label: tuple[str, ...]) -> tuple[bool, tuple[str, ...]]:
        return label[-1:] != () and label[-1] in apart, label

    return 0 if after is None else bisect_right(labels, rank(tuple(after.split("/"))), key=rank)


def cut_groups(whole: Grouping, first: int, end: int) -> Grouping:
    """Return consecutive groups of a grouping, without the keys of the others."""
    of_key = whole.of_key - first
    of_key[(whole.of_key < first) | (whole.of_key >= end)] = -1
    return Grouping(whole.labels[first:end], of_key)


def cut_labels(
    labels: Sequence[Label], after: str | None, limit: int, apart: Collection[str] = ()
) -> tuple[Sequence[Label], str | None]:
    """Return the page of some sorted labels after `after`, sites `apart` last, and the `after` of the next page.

    The rows are made of the labels of a page alone: those of all would take as long as there are names.
    """
    first = first_after(labels, after, apart)
    page = labels[first : first + limit]
    return page, "/".join(page[-1]) if first + limit < len(labels) else None
