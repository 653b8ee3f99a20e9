"""Lines that were altered between two books, and the lines with wafers that depend on them."""

from collections.abc import Iterable

from services.aggregator.fold.lines.book import LineBook
from services.aggregator.fold.lines.facts import Group
from services.aggregator.fold.lines.line import PlanLine
from shared.wire.lines import LineName, commit_line


def altered_lines(then: LineBook, now: LineBook, groups: Iterable[Group]) -> set[LineName]:
    """Return the lines of some product-sites of which something is stated now that was not, or no longer.

    These are statements, consumption, dispatches, revisions, receipts and losses.
    """
    names = {name for group in groups for book in (then, now) for name in lines_near(book, group)}
    return {name for name in names if _facts(then, name) != _facts(now, name)}


def touched_lines(then: LineBook, now: LineBook, group: Group) -> set[LineName]:
    """Return the altered lines of a product-site, the commits of the shipments among them, and the reverse.

    All other lines bring and take the same wafers in both books, on the same days.
    """
    altered = altered_lines(then, now, [group])
    touched = set(altered)
    for book in (then, now):
        for name in altered:
            if name in book.plans:
                touched.update(book.plans[name].sent)
            elif name in book.shipments:
                commits = {dispatch.commit for dispatch in book.shipments[name].dispatches if dispatch.commit}
                touched.update(commit_line(name[0], commit) for commit in commits)
    return touched


def lines_near(lines: LineBook, group: Group) -> dict[LineName, None]:
    """Return the lines that ever named a product-site, and all shipments of the commits among them, in order."""
    names = dict.fromkeys(lines.names_of.get(group, ()))
    return names | dict.fromkeys(
        shipment for name in names if name in lines.plans for shipment in lines.plans[name].sent
    )


def _facts(lines: LineBook, name: LineName) -> tuple[object, ...]:
    line = lines.plans.get(name) or lines.shipments.get(name)
    if isinstance(line, PlanLine):
        return *line.statements, *line.consumed
    return () if line is None else (*line.dispatches, *line.revisions, *line.ends)
