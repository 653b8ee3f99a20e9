"""The naive twin of the ledger: the cells of a set of events, by the definitions, too plain to be wrong."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from itertools import zip_longest
from typing import Any

from shared.wire.events import (
    UNATTRIBUTED,
    DemandForecast,
    DemandRequired,
    Event,
    EventReversed,
    LotFinished,
    LotScrapped,
    LotStarted,
    ShipmentDispatched,
    ShipmentLost,
    ShipmentReceived,
    ShipmentReturned,
    ShipmentRevised,
    StockCounted,
    StockOpened,
    StockTransferred,
    SupplyAgreed,
    SupplyCommitted,
    WafersConsumed,
)
from shared.wire.postings import Measure
from testing.fold import Cell

EPOCH = date(1970, 1, 1)
MOVED = {
    LotStarted: Measure.STARTED,
    LotScrapped: Measure.SCRAPPED,
    LotFinished: Measure.FINISHED,
    ShipmentDispatched: Measure.DISPATCHED,
    WafersConsumed: Measure.CONSUMED,
    StockOpened: Measure.OPENED,
    StockTransferred: Measure.TRANSFERRED_OUT,
}


def number(day: date) -> int:
    return (day - EPOCH).days


def key(data: Any, **other: str) -> tuple[str, str, str]:
    parts = {"product": data.product, "site": data.site, "supplier": data.supplier} | other
    return (parts["product"], parts["site"], parts["supplier"])


def sum_up(events: Iterable[Event]) -> dict[Cell, int]:
    """The wafers of every cell, zeros left out."""
    distinct = {(event.source, event.id): event for event in events}
    undone = {
        (event.source, event.data.reversed) for event in distinct.values() if isinstance(event.data, EventReversed)
    }
    live = [event for identity, event in distinct.items() if identity not in undone]
    cells: Counter[Cell] = Counter()
    move(live, cells)
    plan(live, cells)
    ship(live, cells)
    adjust(live, cells)
    return {cell: wafers for cell, wafers in cells.items() if wafers}


def move(live: list[Event], cells: Counter[Cell]) -> None:
    for event in live:
        data, day = event.data, number(event.time.date())
        if type(data) in MOVED:
            cells[MOVED[type(data)], day, key(data)] += data.wafers
        if isinstance(data, LotFinished):
            cells[Measure.YIELD_VARIANCE, day, key(data)] += data.yield_variance
        if isinstance(data, StockTransferred):
            cells[Measure.TRANSFERRED_IN, day, key(data, site=data.to_site)] += data.wafers


def in_force(live: list[Event], kind: type, line: str) -> dict[Any, Event]:
    """The event of the greatest (revision, time, id) of each line."""
    lines: dict[Any, Event] = {}
    for event in sorted(live, key=lambda e: (getattr(e.data, "revision", 0), e.time, e.id)):
        if isinstance(event.data, kind):
            product = event.data.product if kind is ShipmentRevised else None
            lines[event.source, product, getattr(event.data, line)] = event
    return lines


def plan(live: list[Event], cells: Counter[Cell]) -> None:
    for event in in_force(live, DemandForecast, "line").values():
        cells[Measure.FORECAST, number(event.data.due), key(event.data)] += event.data.wafers
    for event in in_force(live, DemandRequired, "line").values():
        cells[Measure.REQUIRED, number(event.data.due), key(event.data)] += event.data.wafers
        cells[Measure.REQUIRED_START, number(event.data.start_by), key(event.data)] += event.data.wafers
    consume(live, cells)
    for event in in_force(live, SupplyAgreed, "agreement").values():
        day = event.data.starts_on
        while day <= event.data.ends_on:
            if day.day == 1:
                cells[Measure.AGREED, number(day), key(event.data)] += event.data.wafers_per_month
            day += timedelta(days=1)
    for (source, _, line), event in in_force(live, SupplyCommitted, "line").items():
        data = event.data
        dispatched = sum(
            other.data.wafers
            for other in live
            if isinstance(other.data, ShipmentDispatched)
            and (other.source, other.data.commit) == (source, line)
            and (other.data.product, other.data.supplier) == (data.product, data.supplier)
        )
        grade = data.firmness.upper()
        cells[Measure[f"COMMITTED_{grade}"], number(data.due), key(data)] += data.wafers
        cells[Measure[f"OPEN_{grade}"], number(data.due), key(data)] += max(0, data.wafers - dispatched)


def consume(live: list[Event], cells: Counter[Cell]) -> None:
    """Move each wafer of an order that was consumed for it before it was due to the day of its consumption."""
    orders = in_force(live, DemandRequired, "line")
    left = {name: order.data.wafers for name, order in orders.items()}
    named = [event for event in live if isinstance(event.data, WafersConsumed) and event.data.order is not None]
    for event in sorted(named, key=lambda e: (e.time.date(), key(e.data))):
        name, day = (event.source, None, event.data.order), event.time.date()
        order = orders[name].data if name in orders else None
        for _ in range(event.data.wafers):
            if order is None or (order.product, order.site) != (event.data.product, event.data.site):
                continue
            if not left[name]:
                cells[Measure.REQUIRED_MOVED, number(day), key(event.data)] += 1
                continue
            left[name] -= 1
            if day < order.due:
                cells[Measure.REQUIRED_MOVED, number(day), key(event.data)] += 1
                cells[Measure.REQUIRED_MOVED, number(order.due), key(order)] -= 1


def ship(live: list[Event], cells: Counter[Cell]) -> None:
    """What of each shipment is due, and the diversions by which no part of it is less than nothing in transit."""
    revised = in_force(live, ShipmentRevised, "shipment")
    sent: dict[Any, list[Event]] = defaultdict(list)
    ended: dict[Any, list[Event]] = defaultdict(list)
    returned: dict[Any, list[tuple[ShipmentReturned, int]]] = defaultdict(list)
    for event in live:
        if isinstance(event.data, ShipmentDispatched):
            sent[event.source, event.data.product, event.data.shipment].append(event)
        if isinstance(event.data, ShipmentReceived | ShipmentLost):
            ended[event.data.owner, event.data.product, event.data.shipment].append(event)
        if isinstance(event.data, ShipmentReturned):
            place = (event.data.owner, event.data.product, event.data.shipment)
            returned[place].append((event.data, number(event.time.date())))
    for shipment in {*sent, *ended, *returned}:
        parts = sorted(sent[shipment], key=lambda e: (e.time.date(), e.data.eta, key(e.data)))
        whose = {"supplier": parts[0].data.supplier} if parts else {}
        for data, day in returned[shipment]:
            cells[Measure.RETURNED, day, key(data, **whose)] += data.wafers
        for event in ended[shipment]:
            data, day = event.data, number(event.time.date())
            moved = Measure.LOST if isinstance(data, ShipmentLost) else Measure.RECEIVED
            cells[moved, day, key(data, **whose)] += data.wafers
            cells[Measure.DAMAGED, day, key(data, **whose)] += getattr(data, "wafers_damaged", 0)
        diverted: Counter[tuple[int, tuple[str, str, str]]] = Counter()
        for part, end in wafer_by_wafer(parts, ended[shipment]):
            sent_on, ended_on = (event and number(event.time.date()) for event in (part, end))
            if part:
                goes_to = revised.get(shipment, part).data
                diverted[sent_on, key(part.data)] -= 1
                diverted[sent_on, key(goes_to, **whose)] += 1
            if part and end:
                diverted[max(sent_on, ended_on), key(goes_to, **whose)] -= 1
            if end:
                diverted[ended_on, key(end.data, **whose)] += 1
            else:
                cells[Measure.TRANSIT_DUE, number(goes_to.eta), key(goes_to, **whose)] += 1
        for (day, where), wafers in diverted.items():
            cells[Measure.DIVERTED_IN, day, where] += max(0, wafers)
            cells[Measure.DIVERTED_OUT, day, where] += max(0, -wafers)


def wafer_by_wafer(parts: list[Event], ends: list[Event]) -> list[tuple[Any, Any]]:
    """Each wafer of a shipment, whose parts are in the order of their dispatch: its dispatch and its end, or None."""
    sent = [part for part in parts for _ in range(part.data.wafers)]
    ended = [
        end
        for end in sorted(ends, key=lambda e: e.time.date())
        for _ in range(end.data.wafers + getattr(end.data, "wafers_damaged", 0))
    ]
    return list(zip_longest(sent, ended))


def adjust(live: list[Event], cells: Counter[Cell]) -> None:
    """Adjust the stock on hand at the end of a counted day to the count, the days in order.

    A count without a supplier is of all suppliers together, and comes after those of single ones on the same day.
    """
    plus = (Measure.RECEIVED, Measure.OPENED, Measure.TRANSFERRED_IN, Measure.ADJUSTED)
    minus = (Measure.CONSUMED, Measure.TRANSFERRED_OUT, Measure.RETURNED)
    counts = [event for event in live if isinstance(event.data, StockCounted)]
    days = {(event.time.date(), event.data.supplier == UNATTRIBUTED, key(event.data)) for event in counts}
    for day, whole, counted in sorted(days):
        same = [event for event in counts if (event.time.date(), key(event.data)) == (day, counted)]
        greatest = max(same, key=lambda e: (e.data.revision, e.time, e.id, e.source))
        on_hand = sum(
            wafers * ((measure in plus) - (measure in minus))
            for (measure, moved, where), wafers in cells.items()
            if (where[:2] == counted[:2] if whole else where == counted) and moved <= number(day)
        )
        cells[Measure.ADJUSTED, number(day), counted] += greatest.data.counted - on_hand
