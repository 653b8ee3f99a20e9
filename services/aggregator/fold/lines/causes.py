"""Causes of a shortage: the events since which less supply or more demand is due by a day than was first stated."""

from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple, TypeVar

from services.aggregator.fold.lines.book import LineBook
from services.aggregator.fold.lines.facts import FORECAST, Group, Statement
from services.aggregator.fold.lines.line import PlanLine, ShipmentLine
from shared.wire.lines import COMMIT, LineName, commit_line

_FATES = ("lost", "damaged", "diverted", "received late", "re-dated", "sent late")
_Fact = TypeVar("_Fact", bound=tuple[Any, ...])


class ShortageCause(NamedTuple):
    """A change of a line by which less supply, or more demand, is due by a day than was first stated."""

    wafers: int
    change: str
    name: LineName
    source: str  # of the event
    event: str


def find_causes(lines: LineBook, product: str, site: str, through: int) -> list[ShortageCause]:
    """Return why less supply or more demand is due by a day than was first stated, the greatest first.

    *By then* is: due on or before the day `through`, of this product, at this site. Reversed events count as never
    published.

    - A commit: its wafers by then in its first statement, less those by then in the one in force, or the wafers
      dispatched of it where they are more. If it still is due by then, it was `lowered`, or `withdrawn` to 0. Else
      the wafers that it has lost beside are `lowered`, and the rest was `re-dated`, or `moved` to another product or
      site.
    - An order, the other way round: `raised`, `brought forward`, or `moved` here. A new one is no cause.
    - A shipment: its dispatches by then as first stated, which is on the due day and at the site of the commit that
      one names, as that is in force, else on its own eta and at its own site; less the wafers received good at the
      site by then, and those under way to it by then. The wafers missing, and no more, are laid to those that were
      `lost`, `damaged`, `diverted` (received or under way elsewhere), `received late`, and to those under
      way and due later: `re-dated` by a revision, or `sent late`; in this order.

    The event is the first since which the line states so: since the day is that one, or the wafers are so many.
    A dispatched wafer has left its commit for its shipment, so the sum of all causes is the wafers missing, or added.
    """
    group = (product, site)
    found: list[ShortageCause] = []
    shipments: set[LineName] = set()
    for name in lines.names_of.get(group, ()):
        plan = lines.plans.get(name)
        if plan is None:
            shipments.add(name)
        elif name[1] != FORECAST:
            found += _plan_causes(plan, group, through)
            shipments.update(plan.sent)
    for name in shipments:
        found += _shipment_causes(lines, lines.shipments[name], group, through)
    return sorted(found, key=lambda cause: (-cause.wafers, *cause[1:]))


def find_lasting_causes(lines: LineBook, product: str, site: str, through: int) -> list[ShortageCause]:
    """Return the causes of `find_causes` without the wafers of a commit that new ones have replaced.

    Nor with wafers that a supplier altered in answer to an order or a forecast, see `LineBook.record`: the demand
    changed first, so the answer is no cause of its shortage.
    """
    lasting = []
    for cause in find_causes(lines, product, site, through):
        plan = lines.plans.get(cause.name)
        wafers = cause.wafers - (_excused(plan, cause) if plan is not None else 0)
        if wafers > 0:
            lasting.append(cause._replace(wafers=wafers))
    return sorted(lasting, key=lambda cause: (-cause.wafers, *cause[1:]))


def _excused(plan: PlanLine, cause: ShortageCause) -> int:
    """Return the wafers of a cause that were only replaced, or altered in answer to demand."""
    if cause.change in ("lowered", "withdrawn"):
        return plan.excused()
    return cause.wafers if cause.event in plan.answers else 0


def _plan_causes(plan: PlanLine, group: Group, through: int) -> Iterator[ShortageCause]:
    if not plan.statements:
        return
    first, now = plan.statements[0], plan.statements[-1]
    now = now._replace(wafers=max(now.wafers, plan.dispatched))
    if plan.name[1] == COMMIT:
        before, after, fewer, later = first, now, "lowered" if now.wafers else "withdrawn", "re-dated"
    else:  # a change that lowers supply raises demand
        before, after, fewer, later = now, first, "raised", "brought forward"
    if before.key[:2] != group or before.due > through:
        return
    changes: list[tuple[int, str, Callable[[Statement], Any]]] = [
        (before.wafers - after.wafers, fewer, attrgetter("wafers"))
    ]
    if after.key[:2] != group:
        changes.append((min(before.wafers, after.wafers), "moved", lambda statement: statement.key[:2]))
    elif after.due > through:
        changes.append((min(before.wafers, after.wafers), later, attrgetter("due")))
    for wafers, change, aspect in changes:
        if wafers > 0:
            yield ShortageCause(wafers, change, plan.name, plan.name[0], _since(plan.statements, aspect).id)


def _shipment_causes(lines: LineBook, shipment: ShipmentLine, group: Group, through: int) -> Iterator[ShortageCause]:
    if not shipment.dispatches:
        return
    arrived, fates = _fates(shipment, group, through)
    missing = -arrived
    for dispatch in shipment.dispatches:
        commit = lines.plans.get(commit_line(shipment.name[0], dispatch.commit or ""))
        released = commit is not None and commit.origin == (dispatch.key[0], dispatch.key[2])
        now = commit.statements[-1] if commit is not None and released else None
        due, key = (dispatch.eta, dispatch.key) if now is None else (now.due, now.key)
        if due <= through and key[:2] == group:
            missing += dispatch.wafers
    for fate in fates:
        wafers = min(missing, fate.wafers)
        if wafers > 0:
            yield fate._replace(wafers=wafers)
            missing -= wafers


def _fates(shipment: ShipmentLine, group: Group, through: int) -> tuple[int, list[ShortageCause]]:
    """Return how many wafers of a shipment arrive at a group by a day, and the fate of the others, as `_FATES` orders.

    Arrived are those received there, and those under way to there by then; as the ledger posts them, past their eta
    too.
    """
    name, product = shipment.name, shipment.dispatches[0].key[0]
    arrived, fates = 0, []
    for end in shipment.ends:
        here = (product, end.site) == group
        fates += [(end.lost, "lost", end.source, end.id), (end.damaged, "damaged", end.source, end.id)]
        if here and end.day <= through:
            arrived += end.received
        else:
            fates.append((end.received, "received late" if here else "diverted", end.source, end.id))
    for dispatch, wafers in shipment.parts_under_way():
        plans = shipment.plans(dispatch)
        eta, site, _ = plans[-1]
        if (product, site) != group:
            fates.append((wafers, "diverted", name[0], _since(plans, itemgetter(1))[2]))
        elif eta <= through:
            arrived += wafers
        else:
            since = _since(plans, itemgetter(0))
            fates.append((wafers, "sent late" if since is plans[0] else "re-dated", name[0], since[2]))
    fates.sort(key=lambda fate: _FATES.index(fate[1]))
    return arrived, [ShortageCause(wafers, change, name, source, event) for wafers, change, source, event in fates]


def _since(facts: Sequence[_Fact], aspect: Callable[[_Fact], Any]) -> _Fact:
    """Return the first fact since which all agree with the last in one aspect."""
    n = len(facts) - 1
    while n and aspect(facts[n - 1]) == aspect(facts[n]):
        n -= 1
    return facts[n]
