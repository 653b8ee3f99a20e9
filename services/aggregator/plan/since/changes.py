"""Lines that were altered between two states, and phases that were planned otherwise."""

from collections.abc import Collection
from typing import NamedTuple

from services.aggregator.fold.lines.book import LineBook
from services.aggregator.fold.lines.facts import Group
from services.aggregator.fold.lines.line import PlanLine, ShipmentLine
from services.aggregator.fold.sites import PhaseStatement, SiteBook
from shared.wire.lines import LineName


class PhaseChange(NamedTuple):
    """A phase that is planned anew, or otherwise than before."""

    before: PhaseStatement | None  # None: it is new
    now: PhaseStatement


def altered_lines(then: LineBook, now: LineBook, groups: Collection[Group], source: str | None) -> set[LineName]:
    """Return the lines of some product-sites of which something is stated now that was not, or no longer; of a source.

    These are statements, consumption, dispatches, revisions, receipts and losses.
    """
    names = {
        name
        for group in groups
        for book in (then, now)
        for name in book.names_of.get(group, ())
        if source in (None, name[0])
    }
    return {name for name in names if _facts(then, name) != _facts(now, name)}


def _facts(lines: LineBook, name: LineName) -> tuple[object, ...]:
    line: PlanLine | ShipmentLine | None = lines.plans.get(name) or lines.shipments.get(name)
    if isinstance(line, PlanLine):
        return *line.statements, *line.consumed
    return () if line is None else (*line.dispatches, *line.revisions, *line.ends)


def changed_phases(then: SiteBook, now: SiteBook, site: str | None) -> list[PhaseChange]:
    """Return the phases whose last statement is another one, and says something else; by day of energising."""
    before = {
        (history[-1].source, history[-1].phase): history[-1]
        for phases in then.phases().values()
        for history in phases
    }  # fmt: skip
    found = []
    for at, phases in now.phases().items():
        for history in phases if site in (None, at) else ():
            was, is_ = before.get((history[-1].source, history[-1].phase)), history[-1]
            if was is None or was[4:] != is_[4:]:  # the first four are of the event
                found.append(PhaseChange(was, is_))
    return sorted(found, key=lambda each: (each.now.energise_on, each.now.site, each.now.phase))
