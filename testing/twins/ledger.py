"""The naive twin of the ledger: the cells of a set of events, by the definitions, too plain to be wrong."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from shared.wire.events import (
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
    ShipmentReceived: Measure.RECEIVED,
    ShipmentLost: Measure.LOST,
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
        if isinstance(data, ShipmentReceived):
            cells[Measure.DAMAGED, day, key(data)] += data.wafers_damaged
        if isinstance(data, LotFinished):
            cells[Measure.YIELD_VARIANCE, day, key(data)] += data.yield_variance
        if isinstance(data, StockTransferred):
            cells[Measure.TRANSFERRED_IN, day, key(data, site=data.to_site)] += data.wafers


def in_force(live: list[Event], kind: type, line: str) -> dict[Any, Event]:
    """The event of the greatest (revision, id) of each line."""
    lines: dict[Any, Event] = {}
    for event in sorted(live, key=lambda e: (getattr(e.data, "revision", 0), e.id)):
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
            if isinstance(other.data, ShipmentDispatched) and (other.source, other.data.commit) == (source, line)
        )
        grade = data.firmness.upper()
        cells[Measure[f"COMMITTED_{grade}"], number(data.due), key(data)] += data.wafers
        cells[Measure[f"OPEN_{grade}"], number(data.due), key(data)] += max(0, data.wafers - dispatched)


def ship(live: list[Event], cells: Counter[Cell]) -> None:
    """The wafers in transit of each shipment, and the diversions that bring all of them to the site of its plan."""
    revised = in_force(live, ShipmentRevised, "shipment")
    sent: dict[Any, list[Event]] = defaultdict(list)
    for event in live:
        if isinstance(event.data, ShipmentDispatched):
            sent[event.source, event.data.product, event.data.shipment].append(event)
    for (owner, product, shipment), dispatches in sent.items():
        first = min(dispatches, key=lambda e: (e.time.date(), e.data.eta, key(e.data)))
        eta, site, supplier = first.data.eta, first.data.site, first.data.supplier
        if (owner, product, shipment) in revised:
            data = revised[owner, product, shipment].data
            eta, site = data.eta, data.site
        transit: Counter[str] = Counter()
        for event in dispatches:
            transit[event.data.site] += event.data.wafers
        for event in live:
            data = event.data
            if isinstance(data, ShipmentReceived | ShipmentLost) and (data.owner, data.product, data.shipment) == (
                owner,
                product,
                shipment,
            ):
                transit[data.site] -= data.wafers + getattr(data, "wafers_damaged", 0)
        remaining = transit.total()
        cells[Measure.TRANSIT_DUE, number(eta), (product, site, supplier)] += max(0, remaining)
        for other in {site, *transit}:
            due = remaining if other == site else 0
            here, day = (product, other, supplier), number(first.time.date())
            cells[Measure.DIVERTED_IN, day, here] += max(0, due - transit[other])
            cells[Measure.DIVERTED_OUT, day, here] += max(0, transit[other] - due)


def adjust(live: list[Event], cells: Counter[Cell]) -> None:
    """Adjust the stock on hand at the end of a counted day to the count, the days in order."""
    plus = (Measure.RECEIVED, Measure.OPENED, Measure.TRANSFERRED_IN, Measure.ADJUSTED)
    minus = (Measure.CONSUMED, Measure.TRANSFERRED_OUT)
    counts = [event for event in live if isinstance(event.data, StockCounted)]
    for day, counted in sorted({(event.time.date(), key(event.data)) for event in counts}):
        same = [event for event in counts if (event.time.date(), key(event.data)) == (day, counted)]
        greatest = max(same, key=lambda e: (e.id, e.source))
        on_hand = sum(
            wafers * ((measure in plus) - (measure in minus))
            for (measure, moved, where), wafers in cells.items()
            if where == counted and moved <= number(day)
        )
        cells[Measure.ADJUSTED, number(day), counted] += greatest.data.counted - on_hand
