"""The postings that each kind of line comes to, derived from its state: plans, orders, commits, shipments."""

from datetime import date
from operator import itemgetter
from typing import cast

from services.ledger.books.lines import ENDS, Cell, Derive, Key, LineState
from shared.wire.days import date_of, day_number
from shared.wire.firmness import FIRMNESS
from shared.wire.postings import Measure


def _derive_plan(measure: Measure) -> Derive:
    def derive(line: LineState) -> dict[Cell, int]:
        terms = line.in_force()
        if terms is None:
            return {}
        _, day, wafers, key, start_by, _ = terms
        cells: dict[Cell, int] = {(measure, day, key): wafers}
        if start_by is not None:
            cells[Measure.REQUIRED_START, cast(int, start_by), key] = wafers
        return cells

    return derive


def derive_order(line: LineState) -> dict[Cell, int]:
    """Return an order, and the part of it that is required earlier: wafers consumed for it before it is due.

    Consumption serves the order in force of its own product and site, up to the order's wafers; more of it is required
    on its own day too, so that it serves no other order. Consumption for any other product or site names no order.
    """
    cells = _derive_required(line)
    terms = line.in_force()
    _, due, left, ordered, *_ = terms or (0, 0, 0, ("", "", ""))
    for (day, key), wafers in sorted(line.consumed.items()):
        if key[:2] != ordered[:2]:
            continue
        served = min(left, wafers)
        left -= served
        early = served if day < due else 0
        for cell, moved in (
            ((Measure.REQUIRED_MOVED, due, ordered), -early),
            ((Measure.REQUIRED_MOVED, day, key), early + wafers - served),
        ):
            if moved:
                cells[cell] = cells.get(cell, 0) + moved
    return cells


def derive_commit(line: LineState) -> dict[Cell, int]:
    """Return a commit at its grade, and its open part: a dispatched wafer is in transit, and never counted twice.

    A wafer of another product or supplier than it promises leaves it open.
    """
    terms = line.in_force()
    if terms is None:
        return {}
    _, day, wafers, key, firmness, _ = terms
    committed, open_ = _GRADES[cast(str, firmness)]
    dispatched = line.released.get((key[0], key[2]), 0)
    return {(committed, day, key): wafers, (open_, day, key): max(0, wafers - dispatched)}


def derive_shipment(line: LineState) -> dict[Cell, int]:
    """Return the arrivals, losses and returns of a shipment, its wafers in transit by eta and site, and diversions.

    A shipment has one supplier, that of its least dispatch by day, eta and key. Wafers received, damaged, lost or
    returned are posted at their own site under that supplier; until it is dispatched, as their event says. Each part,
    that is each dispatch, goes to its own site by its own eta, or to those of the shipment's revision. Wafers that go
    elsewhere than they were dispatched to, or under another supplier, are diverted on the day of their dispatch; those
    that come to an end elsewhere, on that day. Wafers that come to an end end the parts in their order. Those that were
    never dispatched, or later, are diverted into transit too: so no part of a shipment is ever less than nothing in
    transit.
    """
    parts = sorted(line.dispatches.values(), key=itemgetter(1, 2, 3))
    supplier = parts[0][3][2] if parts else ""
    cells: dict[Cell, int] = {}
    ended: dict[tuple[int, Key], int] = {}
    for (measure, day, (product, site, named)), wafers in line.moved.items():
        key = (product, site, supplier or named)
        cells[measure, day, key] = cells.get((measure, day, key), 0) + wafers
        if measure in ENDS:
            ended[day, key] = ended.get((day, key), 0) + wafers
    diverted: dict[tuple[int, Key], int] = {}

    def divert(day: int, key: Key, wafers: int) -> None:
        diverted[day, key] = diverted.get((day, key), 0) + wafers

    ends = sorted(ended.items())
    for (day, key), wafers in ends:
        divert(day, key, wafers)
    revised = line.in_force()
    unmatched = [[day, wafers] for (day, _), wafers in reversed(ends)]  # the next one last
    for wafers, sent_on, own_eta, sent_to in parts:
        product, own_site, _ = sent_to
        eta, site = (own_eta, own_site) if revised is None else (revised[1], revised[3][1])
        here = (product, site, supplier)
        divert(sent_on, sent_to, -wafers)
        divert(sent_on, here, wafers)
        under_way = wafers
        while under_way and unmatched:
            end = unmatched[-1]
            matched = min(under_way, end[1])
            divert(max(sent_on, end[0]), here, -matched)
            under_way -= matched
            end[1] -= matched
            if not end[1]:
                unmatched.pop()
        if under_way:
            due = (Measure.TRANSIT_DUE, eta, here)
            cells[due] = cells.get(due, 0) + under_way
    for (day, key), wafers in diverted.items():
        if wafers:
            cells[Measure.DIVERTED_IN if wafers > 0 else Measure.DIVERTED_OUT, day, key] = abs(wafers)
    return cells


def _derive_agreement(line: LineState) -> dict[Cell, int]:
    """Return an agreed monthly rate on the first day of each month that it spans: shown, never counted as supply."""
    terms = line.in_force()
    if terms is None:
        return {}
    _, day, wafers, key, ends_on, _ = terms
    cells: dict[Cell, int] = {}
    while day <= cast(int, ends_on):
        first = _first_of_month(day)
        if day == first:
            cells[Measure.AGREED, day, key] = wafers
        day = _first_of_month(first + 31)
    return cells


def parse_day(text: str) -> int:
    """Return a day, YYYY-MM-DD, as days since 1970."""
    return day_number(date.fromisoformat(text))


def _first_of_month(day: int) -> int:
    return day_number((date_of(day)).replace(day=1))


_GRADES: dict[str, tuple[Measure, Measure]] = {
    firmness: (Measure(Measure.COMMITTED_PLANNED + grade), Measure(Measure.OPEN_PLANNED + grade))
    for grade, firmness in enumerate(FIRMNESS)
}
_derive_required = _derive_plan(Measure.REQUIRED)
DERIVED: dict[str, Derive] = {
    "supply.agreed": _derive_agreement,
    "supply.committed": derive_commit,
    "demand.forecast": _derive_plan(Measure.FORECAST),
    "demand.required": derive_order,
    "shipment.revised": derive_shipment,
}
STATEMENTS = frozenset(DERIVED)
"""The events that state the terms of a line: its greatest (revision, time, id) holds."""
