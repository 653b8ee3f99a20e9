"""Ground of a bridge: the wafers that each line brings or takes by a day, in one state."""

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.lines.altered import lines_near
from services.aggregator.fold.lines.book import LineBook
from services.aggregator.fold.lines.facts import End, Group
from services.aggregator.fold.lines.line import RANKS, LineDue, PlanLine, ShipmentLine
from services.aggregator.fold.queries import sum_moved
from services.aggregator.fold.series import ON_HAND_SIGNS, SLOTS
from services.aggregator.fold.state import FoldState
from services.aggregator.plan.projection import project_day
from shared.wire.firmness import Firmness
from shared.wire.lines import COMMIT, ORDER, LineName, commit_line
from shared.wire.postings import MOVEMENTS, STAGES, Measure

STOCK = tuple(
    each
    for each in MOVEMENTS
    if ON_HAND_SIGNS[SLOTS[each]] and each != Measure.RECEIVED and STAGES[each][1] != "installed"
)
"""Movements of stock that belong to no line: opened, transferred, counted, and what else comes to hand or goes."""


class PlanTerm(NamedTuple):
    """A commit or an order in one state."""

    wafers: int  # that it brings or takes by the day
    stated: int  # due on any day, at any site, or dispatched
    here: bool  # of the product, at the site
    in_time: bool  # due by the day
    due: int
    graded: bool  # of the firmness or above; an order always
    party: str  # supplier of a commit, source of an order
    event: str


class ShipmentTerm(NamedTuple):
    """Wafers of a shipment that arrive by the day, against those that its commits and its dispatches let expect."""

    wafers: int  # signed
    event: str | None
    source: str | None = None  # of the event, where it is not the line's: a site states receipts and losses


class Ground(NamedTuple):
    """The parts of the projected balance of a product-site on a day, in one state; they sum to `balance`."""

    balance: int
    commits: dict[LineName, PlanTerm]
    orders: dict[LineName, PlanTerm]
    shipments: dict[tuple[str, LineName], ShipmentTerm]  # by cause and shipment
    overdue: dict[tuple[str, LineName], ShipmentTerm]  # by cause and line: left out, as it was due before today
    stock: dict[tuple[Measure, str], int]  # by movement and supplier
    scrapped: dict[str, int]  # by supplier: scrapped, and lost in yield

    @property
    def consumed_beyond(self) -> int:
        """The wafers consumed beyond those that were due: the balance is lower by them than all else sums to."""
        supplied = sum(term.wafers for term in self.commits.values())
        required = sum(term.wafers for term in self.orders.values())
        shipped = sum(term.wafers for term in (*self.shipments.values(), *self.overdue.values()))
        return supplied + shipped + sum(self.stock.values()) - required - self.balance


def survey(
    state: FoldState, group: Group, day: int, firmness: Firmness, only: Iterable[LineName] | None = None
) -> Ground:
    """Return the ground of the projected balance of a product-site on a day, today or later, inside the horizon.

    With `only` it has no other lines, so that the terms sum to the balance less those of the others.
    A state without a today is projected from the horizon's start: nothing has become overdue.
    """
    curves, lines = state.curves, state.lines
    product, site = group
    today = max(curves.start, curves.start if curves.today is None else curves.today)
    supplies = lines.supplies_of(product, site, firmness)
    due, coming = defaultdict[LineName, int](int), defaultdict[LineName, int](int)
    for supply in supplies:
        coming[supply.name] += supply.wafers
        if supply.day <= day:
            due[supply.name] += supply.wafers
    names = lines_near(lines, group) if only is None else [n for n in only if n in lines.plans or n in lines.shipments]
    commits, orders = dict[LineName, PlanTerm](), dict[LineName, PlanTerm]()
    shipments = dict[tuple[str, LineName], ShipmentTerm]()
    for name in names:
        if name in lines.shipments:
            terms = _shipment_terms(lines, lines.shipments[name], group, day, due[name], coming[name])
            for cause, term in terms:
                if term.wafers:
                    before = shipments.get((cause, name))
                    shipments[cause, name] = term._replace(wafers=term.wafers + (before.wafers if before else 0))
        elif name[1] == COMMIT and lines.plans[name].statements:
            commits[name] = _commit_term(lines.plans[name], group, day, due[name], firmness)
    for name in names:
        if name[1] == ORDER and lines.plans[name].statements:
            orders[name] = _order_term(lines.plans[name], group, day)
    return Ground(
        project_day(curves, group, today, day, firmness),
        commits,
        orders,
        shipments,
        _overdue_terms(lines, supplies, today, day),
        *_movements(curves, group, day),
    )


def _counts(plan: PlanLine, group: Group, day: int) -> tuple[bool, bool]:
    now = plan.statements[-1]
    return now.key[:2] == group, now.due <= day


def _commit_term(commit: PlanLine, group: Group, day: int, open_: int, firmness: Firmness) -> PlanTerm:
    now = commit.statements[-1]
    here, in_time = _counts(commit, group, day)
    graded = now.firmness is not None and RANKS[now.firmness] <= RANKS[firmness]
    wafers = commit.dispatched + open_ if here and in_time else 0
    return PlanTerm(wafers, max(now.wafers, commit.dispatched), here, in_time, now.due, graded, now.key[2], now.id)


def _order_term(order: PlanLine, group: Group, day: int) -> PlanTerm:
    now = order.statements[-1]
    here, in_time = _counts(order, group, day)
    return PlanTerm(
        now.wafers if here and in_time else 0, now.wafers, here, in_time, now.due, True, order.name[0], now.id
    )


def _shipment_terms(
    lines: LineBook, shipment: ShipmentLine, group: Group, day: int, due: int, coming: int
) -> Iterable[tuple[str, ShipmentTerm]]:
    """Yield by cause the wafers by which a shipment's arrivals by the day differ from those that its commits promise.

    `due` of its wafers are under way here and due by the day, `coming` on any day. Fewer wafers than expected were
    lost, damaged or diverted, as many as the events state and are missing; the others come after the day. More were
    received beyond those sent, diverted here, or come earlier than their commit.
    """
    here = [end for end in shipment.ends if (shipment.product, end.site) == group]
    arriving = due + sum(end.received for end in here if end.day <= day)
    sent_for = {
        commit.name: commit
        for commit in (
            lines.plans.get(commit_line(shipment.name[0], each.commit)) for each in shipment.dispatches if each.commit
        )
        if commit is not None and commit.statements and shipment.name in commit.sent
    }
    expected = 0
    for commit in sent_for.values():
        if all(_counts(commit, group, day)):
            expected += commit.sent[shipment.name]
    for dispatch in shipment.dispatches:
        promised = dispatch.commit is not None and commit_line(shipment.name[0], dispatch.commit) in sent_for
        if not promised and dispatch.key[:2] == group and dispatch.eta <= day:
            yield "sent_unpromised", ShipmentTerm(dispatch.wafers, dispatch.id)
            expected += dispatch.wafers
    less = expected - arriving
    ends = shipment.ends
    elsewhere = sum(end.received for end in ends if end not in here) + max(0, shipment.under_way() - coming)
    stated = shipment.revisions or shipment.dispatches
    last = (stated[-1].id, None) if stated else _last(ends)
    for cause, wafers, event in (
        ("lost", sum(end.lost for end in ends), _last(end for end in ends if end.lost)),
        ("damaged", sum(end.damaged for end in ends), _last(end for end in ends if end.damaged)),
        ("diverted", elsewhere, last),
    ):
        taken = max(0, min(less, wafers))
        less -= taken
        yield cause, ShipmentTerm(-taken, *event)
    over = max(0, min(-less, shipment.ended() - shipment.sent()))
    yield "over_received", ShipmentTerm(over, *_last(here))
    yield "slipped", ShipmentTerm(-(less + over), *last)


def _last(ends: Iterable[End]) -> tuple[str | None, str | None]:
    """Return the last event of some ends, and its source."""
    return max(((end.id, end.source) for end in ends), default=(None, None))


def _overdue_terms(
    lines: LineBook, supplies: Iterable[LineDue], today: int, day: int
) -> dict[tuple[str, LineName], ShipmentTerm]:
    terms = dict[tuple[str, LineName], ShipmentTerm]()
    for supply in supplies:
        if supply.day < today and supply.day <= day:
            shipment = lines.shipments.get(supply.name)
            cause = "short_received" if shipment is not None and shipment.ends else "overdue"
            before = terms.get((cause, supply.name))
            terms[cause, supply.name] = ShipmentTerm((before.wafers if before else 0) - supply.wafers, supply.event)
    return terms


def _movements(curves: Curves, group: Group, day: int) -> tuple[dict[tuple[Measure, str], int], dict[str, int]]:
    grouping = curves.group(("supplier",), product=group[0], site=group[1])
    moved = sum_moved(curves, grouping, day)
    stock, scrapped = dict[tuple[Measure, str], int](), dict[str, int]()
    for n, (supplier,) in enumerate(grouping.labels):
        for measure in STOCK:
            wafers = int(moved[SLOTS[measure], n]) * int(ON_HAND_SIGNS[SLOTS[measure]])
            if wafers:
                stock[measure, supplier] = wafers
        scrapped[supplier] = int(moved[SLOTS[Measure.SCRAPPED], n] + moved[SLOTS[Measure.YIELD_VARIANCE], n])
    return stock, scrapped
