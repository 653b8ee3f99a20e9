"""The posting rules: the postings that follow from each event, and the changes it makes to lines and stock."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from operator import itemgetter
from typing import cast

from services.ledger.books.lines import Cell, Derive, Key, LineState
from services.ledger.books.memory import Memory
from shared.wire.catalog import FIRMNESS
from shared.wire.days import DAY_US, date_of, day_number
from shared.wire.lines import LineName, line_of, lines_of
from shared.wire.postings import Measure
from shared.wire.rows import Row


@dataclass(slots=True)
class Decision:
    """The effects of a batch of events, stored in one transaction with the events."""

    cells: dict[Cell, int] = field(default_factory=dict)  # net wafers that the batch adds to each cell
    lines: dict[LineName, LineState] = field(default_factory=dict)  # changed
    stock: dict[tuple[Key, int], int] = field(default_factory=dict)  # changed: (key, day) -> net wafers
    counts: dict[tuple[Key, int, str], int | None] = field(default_factory=dict)  # changed; None: reversed
    reversals: list[tuple[str, str]] = field(default_factory=list)
    watermark: int | None = None  # the last day that the source declares complete

    def postings(self) -> list[tuple[Cell, int]]:
        """Return the postings: each cell once, cells with a net of zero left out."""
        return [posting for posting in self.cells.items() if posting[1]]


def post_events(rows: Sequence[Row], memory: Memory) -> Decision:
    """Return the effects of new events of one source, and update the memory.

    The sums of the postings depend neither on the order of the events nor on their batches: a movement adds itself, a
    line adds the difference between its new postings and its old ones.
    """
    decision = Decision()
    books = _Postings(memory, decision)
    memory.preloaded.clear()
    memory.preload([name for row in rows if row.name in _LINED for name in lines_of(row)])
    placed: dict[str, int] = {}  # id -> index, made for the first reversal
    for index, row in enumerate(rows):
        if row.name in _LOTS and not memory.reversed:  # most events: they need no line and touch no stock
            books.move_lot(row, +1)
        elif row.name == "source.advanced":
            through = cast(int, row.day)
            decision.watermark = max(through, decision.watermark or through)
        elif row.name == "event.reversed":
            target = (row.source, row.others["reversed"])
            if target in memory.reversed:
                continue
            memory.reversed.add(target)
            decision.reversals.append(target)
            placed = placed or {row.id: n for n, row in enumerate(rows)}
            place = placed.get(target[1], len(rows))
            undone = rows[place] if place < index else memory.load_event(*target)
            if undone is not None:
                books.apply(undone, -1)
        elif not memory.reversed or (row.source, row.id) not in memory.reversed:
            books.apply(row, +1)
    return decision


class _Postings:
    """The postings of events, added to a decision: sign +1 for an event, −1 for its reversal."""

    def __init__(self, memory: Memory, decision: Decision) -> None:
        self.memory = memory
        self.decision = decision
        self.cells = decision.cells

    def move_lot(self, row: Row, sign: int) -> None:
        _, _, _, name, time, _, _, wafers, _, product, site, supplier, _, _, _ = row
        day, key = time // DAY_US, (product, site, supplier)
        cells, cell = self.cells, (_LOTS[name], day, key)
        cells[cell] = cells.get(cell, 0) + sign * wafers  # type: ignore[index, arg-type, operator]
        if name == "lot.finished":
            cell = (Measure.YIELD_VARIANCE, day, key)
            cells[cell] = cells.get(cell, 0) + sign * row.others["yield_variance"]  # type: ignore[index, arg-type]

    def apply(self, row: Row, sign: int) -> None:
        if row.name in _LOTS:
            self.move_lot(row, sign)
            return
        movement = _MOVEMENTS.get(row.name)
        if movement is not None:
            self._move(movement, row, sign * _wafers(row), _key(row))
        handle = _HANDLERS.get(row.name)
        if handle is not None:
            handle(self, row, sign)

    def _post(self, measure: Measure, day: int, key: Key, wafers: int) -> None:
        cell = (measure, day, key)
        self.cells[cell] = self.cells.get(cell, 0) + wafers

    def _move(self, measure: Measure, row: Row, wafers: int, key: Key) -> None:
        day = row.time // DAY_US
        self._post(measure, day, key, wafers)
        on_hand = _ON_HAND.get(measure)
        if on_hand is not None:
            self._stock(key, day, on_hand * wafers)

    # -- lines: plans, commits, shipments

    def _alter(self, name: LineName, derive: Derive, change: Callable[[LineState], None]) -> None:
        """Change a line, and post the difference between its new postings and its old ones."""
        line = self.memory.line(name)
        before = derive(line) if line.posted is None else line.posted
        change(line)
        after = line.posted = derive(line)
        for cell, wafers in after.items():
            self._post(*cell, wafers - before.get(cell, 0))
        for cell, wafers in before.items():
            if cell not in after:
                self._post(*cell, -wafers)
        self.decision.lines[name] = line

    def _revise(self, row: Row, sign: int) -> None:
        def change(line: LineState) -> None:
            if sign > 0:
                line.statements[row.id] = (
                    cast(int, row.revision),
                    cast(int, row.day),
                    _wafers(row),
                    _key(row),
                    _term(row),
                )
            else:
                del line.statements[row.id]

        self._alter(line_of(row), _DERIVED[row.name], change)

    def _dispatch(self, row: Row, sign: int) -> None:
        def send(line: LineState) -> None:
            if sign > 0:
                line.dispatches[row.id] = (_wafers(row), row.time // DAY_US, cast(int, row.day), _key(row))
            else:
                del line.dispatches[row.id]

        def release(line: LineState) -> None:
            line.dispatched += sign * _wafers(row)

        shipment, *commits = lines_of(row)
        self._alter(shipment, _derive_shipment, send)
        for commit in commits:
            self._alter(commit, _derive_commit, release)

    def _end(self, row: Row, sign: int) -> None:
        """Post wafers of a shipment as received, damaged or lost."""
        others = row.others
        damaged = others.get("wafers_damaged", 0)

        def end(line: LineState) -> None:
            site = str(row.site)
            line.ended[site] = line.ended.get(site, 0) + sign * (_wafers(row) + damaged)

        self._move(Measure.DAMAGED, row, sign * damaged, _key(row))
        self._alter(line_of(row), _derive_shipment, end)

    # -- stock

    def _transfer(self, row: Row, sign: int) -> None:
        product, _, supplier = _key(row)
        self._move(Measure.TRANSFERRED_IN, row, sign * _wafers(row), (product, row.others["to_site"], supplier))

    def _stock(self, key: Key, day: int, wafers: int) -> None:
        """Move stock on hand; the next count includes the movement already, so its adjustment is reduced."""
        if not wafers:
            return
        stock = self.memory.stock(key)
        stock.move(day, wafers)
        self.decision.stock[key, day] = stock.moved[day]
        counted = stock.next_count(day)
        if counted is not None:
            self._post(Measure.ADJUSTED, counted, key, -wafers)

    def _count(self, row: Row, sign: int) -> None:
        """Fix the stock on hand at the end of a day; the wafers that no movement explains are an adjustment."""
        key, day = _key(row), row.time // DAY_US
        name = f"{row.id}/{row.source}"  # ids are of one length: this sorts by id, then by source
        stock = self.memory.stock(key)
        before = stock.adjustment(day)
        if sign > 0:
            stock.count(day, name, _wafers(row))
        else:
            stock.uncount(day, name)
        self.decision.counts[key, day, name] = _wafers(row) if sign > 0 else None
        change = stock.adjustment(day) - before
        self._post(Measure.ADJUSTED, day, key, change)
        later = stock.next_count(day + 1)
        if later is not None:  # the later count includes this adjustment
            self._post(Measure.ADJUSTED, later, key, -change)


# The columns that an event's type needs are never empty: `read_entry` has checked them.


def _key(row: Row) -> Key:
    return (row.product, row.site, row.supplier)  # type: ignore[return-value]


def _wafers(row: Row) -> int:
    return row.wafers  # type: ignore[return-value]


def _term(row: Row) -> str | int | None:
    """Return the term by which a plan is posted beside its day, wafers and key."""
    if row.name == "supply.committed":
        return cast(str, row.others["firmness"])
    field_ = _DAY_TERMS.get(row.name)
    return None if field_ is None else _parse_day(row.others[field_])


# ---------------------------------------------------------------- the postings of a line


def _derive_plan(measure: Measure) -> Derive:
    def derive(line: LineState) -> dict[Cell, int]:
        terms = line.in_force()
        if terms is None:
            return {}
        _, day, wafers, key, start_by = terms
        cells: dict[Cell, int] = {(measure, day, key): wafers}
        if start_by is not None:
            cells[Measure.REQUIRED_START, cast(int, start_by), key] = wafers
        return cells

    return derive


def _derive_commit(line: LineState) -> dict[Cell, int]:
    """Return a commit at its grade, and its open part: a dispatched wafer is in transit, and never counted twice."""
    terms = line.in_force()
    if terms is None:
        return {}
    _, day, wafers, key, firmness = terms
    committed, open_ = _GRADES[cast(str, firmness)]
    return {(committed, day, key): wafers, (open_, day, key): max(0, wafers - line.dispatched)}


def _derive_shipment(line: LineState) -> dict[Cell, int]:
    """Return the wafers of a shipment in transit, by eta and site, and its diversions.

    A shipment has one destination. Wafers dispatched to another site, or received there, are diversions, so that all
    its wafers in transit are in transit to the site of its plan.
    """
    if not line.dispatches:
        return {}
    _, sent_on, eta, (product, site, supplier) = min(line.dispatches.values(), key=itemgetter(1, 2, 3))
    terms = line.in_force()
    if terms is not None:
        _, eta, _, (_, site, _), _ = terms
    under_way = {site: 0}  # site -> dispatched there less ended there
    for wafers, _, _, (_, sent_to, _) in line.dispatches.values():
        under_way[sent_to] = under_way.get(sent_to, 0) + wafers
    for ended_at, wafers in line.ended.items():
        under_way[ended_at] = under_way.get(ended_at, 0) - wafers
    remaining = sum(under_way.values())
    cells: dict[Cell, int] = {(Measure.TRANSIT_DUE, eta, (product, site, supplier)): max(0, remaining)}
    for other, wafers in under_way.items():
        diverted = (remaining if other == site else 0) - wafers
        measure = Measure.DIVERTED_IN if diverted > 0 else Measure.DIVERTED_OUT
        cells[measure, sent_on, (product, other, supplier)] = abs(diverted)
    return cells


def _derive_agreement(line: LineState) -> dict[Cell, int]:
    """Return an agreed monthly rate on the first day of each month that it spans: shown, never counted as supply."""
    terms = line.in_force()
    if terms is None:
        return {}
    _, day, wafers, key, ends_on = terms
    cells: dict[Cell, int] = {}
    while day <= cast(int, ends_on):
        first = _first_of_month(day)
        if day == first:
            cells[Measure.AGREED, day, key] = wafers
        day = _first_of_month(first + 31)
    return cells


def _parse_day(text: str) -> int:
    return day_number(date.fromisoformat(text))


def _first_of_month(day: int) -> int:
    return day_number((date_of(day)).replace(day=1))


_GRADES: dict[str, tuple[Measure, Measure]] = {
    firmness: (Measure(Measure.COMMITTED_PLANNED + grade), Measure(Measure.OPEN_PLANNED + grade))
    for grade, firmness in enumerate(FIRMNESS)
}
_LOTS: dict[str, Measure] = {
    "lot.started": Measure.STARTED,
    "lot.scrapped": Measure.SCRAPPED,
    "lot.finished": Measure.FINISHED,
}
_MOVEMENTS: dict[str, Measure] = {
    "shipment.dispatched": Measure.DISPATCHED,
    "shipment.received": Measure.RECEIVED,
    "shipment.lost": Measure.LOST,
    "wafers.consumed": Measure.CONSUMED,
    "stock.opened": Measure.OPENED,
    "stock.transferred": Measure.TRANSFERRED_OUT,
}
_ON_HAND: dict[Measure, int] = {
    Measure.RECEIVED: +1,
    Measure.OPENED: +1,
    Measure.TRANSFERRED_IN: +1,
    Measure.TRANSFERRED_OUT: -1,
    Measure.CONSUMED: -1,
}
_DERIVED: dict[str, Derive] = {
    "supply.agreed": _derive_agreement,
    "supply.committed": _derive_commit,
    "demand.forecast": _derive_plan(Measure.FORECAST),
    "demand.required": _derive_plan(Measure.REQUIRED),
    "shipment.revised": _derive_shipment,
}
_HANDLERS: dict[str, Callable[[_Postings, Row, int], None]] = {
    **dict.fromkeys(_DERIVED, _Postings._revise),
    "shipment.dispatched": _Postings._dispatch,
    "shipment.received": _Postings._end,
    "shipment.lost": _Postings._end,
    "stock.transferred": _Postings._transfer,
    "stock.counted": _Postings._count,
}
_DAY_TERMS = {"demand.required": "start_by", "supply.agreed": "ends_on"}
_LINED = {*_DERIVED, "shipment.dispatched", "shipment.received", "shipment.lost"}
