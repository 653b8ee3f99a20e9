"""Wafers that were only replaced: those that a supplier took off some commits on a day, and put into new ones."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from itertools import pairwise
from typing import TypeAlias

from services.aggregator.fold.lines.facts import Statement
from services.aggregator.terms import REPLACED_DAYS
from shared.wire.lines import LineName

Place: TypeAlias = tuple[str, str, str, int]  # product, site, supplier, and the day on which it was stated
StatedWafers: TypeAlias = tuple[Place, int, int, bool]
"""Due day, wafers: of a new commit, or below zero taken off one; and whether this answers a change of demand."""


def stated_wafers(statements: Sequence[Statement], answers: Set[str]) -> Iterator[StatedWafers]:
    """Yield the wafers of a commit as it was at the end of its first day, and those that were taken off it later.

    `answers` are the events that answer demand. A commit that is moved is not lowered: it is altered as a whole.
    """
    first = min((statement.stated_on for statement in statements), default=0)
    for new in [statement for statement in statements if statement.stated_on == first][-1:]:
        if new.wafers:
            yield (*new.key, first), new.due, new.wafers, False
    for before, now in pairwise(statements):
        if now.wafers < before.wafers and now.due == before.due and now.stated_on > first:
            yield (*now.key, now.stated_on), now.due, now.wafers - before.wafers, now.id in answers


def replaced_wafers(stated: Mapping[LineName, Sequence[tuple[int, int, bool]]]) -> dict[tuple[LineName, bool], int]:
    """Return the wafers that new commits replace, by lowered commit and whether it answers, of those at one place.

    The lowered commits, by due day and name, take those of the new ones in the order of their due days, of which each
    is at most `REPLACED_DAYS` days before or after: with windows of one length, none could replace more.
    """
    fallen = sorted(
        (due, name, answers, -wafers) for name, each in stated.items() for due, wafers, answers in each if wafers < 0
    )
    made = sorted((due, wafers) for each in stated.values() for due, wafers, _ in each if wafers > 0) if fallen else []
    found: defaultdict[tuple[LineName, bool], int] = defaultdict(int)
    n, left = 0, made[0][1] if made else 0
    for due, name, answers, wafers in fallen:
        lowered = wafers
        while n < len(made) and made[n][0] <= due + REPLACED_DAYS:
            taken = min(lowered, left) if made[n][0] >= due - REPLACED_DAYS else 0
            if taken:
                found[name, answers] += taken
                lowered, left = lowered - taken, left - taken
            if not lowered:
                break
            n += 1
            left = made[n][1] if n < len(made) else 0
    return dict(found)
