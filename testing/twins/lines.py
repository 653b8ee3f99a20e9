"""The naive twin of the lines: the statements and shipments of a log, too plain to be wrong."""

from collections import Counter, defaultdict
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

from shared.wire.events import (
    DemandForecast,
    DemandRequired,
    Event,
    EventReversed,
    ShipmentDispatched,
    ShipmentLost,
    ShipmentReceived,
    ShipmentRevised,
    SupplyCommitted,
)
from testing.twins.ledger import in_force, wafer_by_wafer


def live(log: list[Event]) -> list[Event]:
    undone = {(event.source, event.data.reversed) for event in log if isinstance(event.data, EventReversed)}
    return [event for event in log if (event.source, event.id) not in undone]


def statements(log: list[Event], kind: type = SupplyCommitted) -> dict[Any, list[Event]]:
    """The statements of each line, the one in force last."""
    of_line: dict[Any, list[Event]] = defaultdict(list)
    for event in sorted(live(log), key=lambda e: (getattr(e.data, "revision", 0), e.time, e.id)):
        if isinstance(event.data, kind):
            of_line[event.source, event.data.line].append(event)
    return of_line


def promise_at(of_line: list[Event], lag: int) -> Any:
    """What a commit promised some days before its due day: of the days that were so near, the first."""
    for due in sorted({event.data.due for event in of_line}):
        by_then = [event.data for event in of_line if event.time.date() <= due - timedelta(days=lag)]
        if by_then and by_then[-1].due == due and by_then[-1].wafers:
            return by_then[-1]
    return None


def churn(log: list[Event]) -> dict[Any, tuple[int, int]]:
    """The wafers by which each commit was altered and not only replaced: by its supplier itself, and in answer."""
    of_lines, ids = statements(log), answers(log)
    found = replaced(of_lines, ids)
    altered = {}
    for line, events in of_lines.items():
        own, answered = -found[line, False], -found[line, True]
        for a, b in pairwise(events):
            now, was = b.data, a.data
            wafers = abs(now.wafers - was.wafers) if was.due == now.due else max(was.wafers, now.wafers)
            if b.id in ids:
                answered += wafers
            else:
                own += wafers
        altered[line] = own, answered
    return altered


def answers(log: list[Event]) -> set[str]:
    """The statements of commits that are the first of their line to follow from an order or a forecast of their key."""
    demand = {
        (event.id, event.data.product, event.data.site)
        for event in live(log)
        if isinstance(event.data, DemandRequired | DemandForecast)
    }
    found = set()
    for events in statements(log).values():
        for n, event in enumerate(events):
            earlier = [each.causationid for each in events[:n]]
            asked = (event.causationid, event.data.product, event.data.site) in demand
            if n and asked and event.causationid not in earlier:
                found.add(event.id)
    return found


def replaced(of_lines: dict[Any, list[Event]], answering: set[str]) -> Counter[Any]:
    """The wafers of each commit that new ones replaced, wafer by wafer: those lowered in answer apart."""
    new, lowered = defaultdict[Any, list[date]](list), []
    for line, events in of_lines.items():
        first = min(event.time.date() for event in events)
        stood = [event.data for event in events if event.time.date() == first][-1]
        new[stood.product, stood.site, stood.supplier, first] += [stood.due] * stood.wafers
        for a, b in pairwise(events):
            now, on = b.data, b.time.date()
            if a.data.due == now.due and on > first:
                place = now.product, now.site, now.supplier, on
                lowered += [(now.due, line, b.id in answering, place)] * (a.data.wafers - now.wafers)
    found: Counter[Any] = Counter()
    for due, line, in_answer, place in sorted(lowered):
        for other in sorted(new[place]):
            if abs((other - due).days) <= 31:
                new[place].remove(other)
                found[line, in_answer] += 1
                break
    return found


def in_order_of_dispatch(log: list[Event]) -> list[Any]:
    sent = [event for event in live(log) if isinstance(event.data, ShipmentDispatched)]
    return sorted(sent, key=lambda e: (e.time.date(), e.data.eta, e.data.site, e.id))


def by_then(data: Any, group: tuple[str, str], through: date) -> bool:
    return bool((data.product, data.site) == group and data.due <= through)


def missing_of(name: Any, log: list[Event], commits: Any, group: tuple[str, str], through: date) -> int:
    """The wafers of a shipment that were due there by a day, less those received or due by it."""
    owner, product, shipment = name[0], name[1].removeprefix("shipment/"), name[2]
    own = [e for e in live(log) if getattr(e.data, "shipment", "") == shipment and e.data.product == product]
    sent = [e for e in in_order_of_dispatch(own) if e.source == owner]
    missing = 0
    for event in sent:
        said_of_line = [
            each
            for each in commits.get((owner, event.data.commit), ())[-1:]
            if (each.data.product, each.data.supplier) == (product, event.data.supplier)
        ]
        promised = said_of_line[-1].data if said_of_line else event.data
        due = getattr(promised, "due", event.data.eta)
        missing += event.data.wafers * ((promised.product, promised.site) == group and due <= through)
    revised = in_force(live(log), ShipmentRevised, "shipment").get((owner, product, shipment))
    ends = [e for e in own if isinstance(e.data, ShipmentReceived | ShipmentLost) and e.data.owner == owner]
    for part, end in wafer_by_wafer(sent, ends):
        plan = part and (revised.data if revised else part.data)
        if part and not end:
            missing -= (product, plan.site) == group and plan.eta <= through
    return missing - sum(
        e.data.wafers
        for e in ends
        if isinstance(e.data, ShipmentReceived) and (product, e.data.site) == group and e.time.date() <= through
    )


def postponed(event: Event, days: int) -> Event:
    if not isinstance(event.data, SupplyCommitted):
        return event
    return event.model_copy(
        update={"data": event.data.model_copy(update={"due": event.data.due + timedelta(days=days)})}
    )
