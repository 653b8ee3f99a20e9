"""The posting rules: the postings that follow from each event, and the changes it makes to lines and stock."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar, cast

from services.ledger.books.effects import HOLDS, REVERSED, Effect, reversal_effect, statement_effect
from services.ledger.books.line_postings import DERIVED, derive_commit, derive_order, derive_shipment, parse_day
from services.ledger.books.lines import Cell, Derive, Key, LineState
from services.ledger.books.memory import Count, Memory, count_name
from shared.wire.days import DAY_US
from shared.wire.events import UNATTRIBUTED
from shared.wire.lines import LineName, line_of, lines_of
from shared.wire.postings import POSTING_WAFERS_MAX, Measure
from shared.wire.rows import WATERMARKS, Row, watermark_of

RULES = 2
"""The version of these rules. A change of what any event is posted as raises it, and older stores are restated."""

_Place = TypeVar("_Place")


@dataclass(slots=True)
class Decision:
    """The effects of a batch of events, stored in one transaction with the events."""

    cells: dict[Cell, int] = field(default_factory=dict)  # net wafers that the batch adds to each cell
    lines: dict[LineName, LineState] = field(default_factory=dict)  # changed
    stock: dict[tuple[Key, int], int] = field(default_factory=dict)  # changed: (key, day) -> net wafers
    counts: dict[tuple[Key, int, str], int | None] = field(default_factory=dict)  # changed; None: reversed
    reversals: list[tuple[str, str]] = field(default_factory=list)
    watermark: int | None = None  # of the source (`Progress.advance`): raised, or below 1 where one was reversed
    effects: list[tuple[Row, Effect]] = field(default_factory=list)  # of the events of the batch that do not hold

    def postings(self) -> list[tuple[Cell, int]]:
        """Return the postings: each cell once, cells with a net of zero left out.

        A cell of more than `POSTING_WAFERS_MAX`, as a few counts may come to, is posted in parts.
        """
        wafers = self.cells.values()
        if wafers and (max(wafers) > POSTING_WAFERS_MAX or min(wafers) < -POSTING_WAFERS_MAX):
            return [(cell, part) for cell, net in self.cells.items() for part in _parts(net)]
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
    advanced: dict[str, int] = {}  # id -> watermark
    withdrawn = False  # whether a watermark is reversed
    for index, row in enumerate(rows):
        if row.name in _LOTS and not memory.reversed:  # most events: they need no line and touch no stock
            books.move_lot(row, +1)
        elif row.name in WATERMARKS:
            if (row.source, row.id) not in memory.reversed:
                advanced[row.id] = watermark_of(row)
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
                withdrawn = withdrawn or undone.name in WATERMARKS
                books.apply(undone, -1)
            if undone is None or undone.name == "event.reversed":
                decision.effects.append((row, reversal_effect(undone)))
        elif not memory.reversed or (row.source, row.id) not in memory.reversed:
            books.apply(row, +1)
        else:
            decision.effects.append((row, REVERSED))
    decision.effects += books.superseded()
    if advanced or withdrawn:
        decision.watermark = _advance(rows[0].source, advanced, memory, withdrawn=withdrawn)
    return decision


def _advance(source: str, advanced: dict[str, int], memory: Memory, *, withdrawn: bool) -> int:
    """Add a batch's watermarks to the memory; return the number for `Progress.advance`."""
    if withdrawn:
        memory.greatest_watermark(source)  # loads those before the batch
    memory.advance(source, advanced)
    return -memory.greatest_watermark(source) if withdrawn else max(advanced.values())


class _Postings:
    """The postings of events, added to a decision: sign +1 for an event, −1 for its reversal."""

    def __init__(self, memory: Memory, decision: Decision) -> None:
        self.memory = memory
        self.decision = decision
        self.cells = decision.cells
        self._contested: list[tuple[Row, Callable[[], str | None]]] = []  # with the id of the statement in force

    def superseded(self) -> Iterator[tuple[Row, Effect]]:
        """Yield the statements and counts that others of their line or day supersede."""
        for row, in_force in self._contested:
            if (row.source, row.id) not in self.memory.reversed:
                effect = statement_effect(row.id, in_force())
                if effect != HOLDS:
                    yield row, effect

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
            self._post(movement, row.time // DAY_US, _key(row), sign * _wafers(row))
        handle = _HANDLERS.get(row.name)
        if handle is not None:
            handle(self, row, sign)

    def _post(self, measure: Measure, day: int, key: Key, wafers: int) -> None:
        """Add wafers to a cell, and those that come to hand or go from it to the stock."""
        cell = (measure, day, key)
        self.cells[cell] = self.cells.get(cell, 0) + wafers
        on_hand = _ON_HAND.get(measure)
        if on_hand is not None:
            self._stock(key, day, on_hand * wafers)

    # -- lines: plans, commits, shipments

    def _alter(self, name: LineName, derive: Derive, change: Callable[[LineState], None]) -> LineState:
        """Change a line, and post the difference between its new postings and its old ones; return the line."""
        line = self.memory.line(name)
        before = derive(line) if line.posted is None else line.posted
        change(line)
        after = line.posted = derive(line)
        for cell, wafers in after.items():
            if wafers != before.get(cell, 0):
                self._post(*cell, wafers - before.get(cell, 0))
        for cell, wafers in before.items():
            if cell not in after:
                self._post(*cell, -wafers)
        self.decision.lines[name] = line
        return line

    def _revise(self, row: Row, sign: int) -> None:
        def change(line: LineState) -> None:
            if sign > 0:
                line.statements[row.id] = (
                    cast(int, row.revision),
                    cast(int, row.day),
                    _wafers(row),
                    _key(row),
                    _term(row),
                    row.time,
                )
            else:
                del line.statements[row.id]

        line = self._alter(line_of(row), DERIVED[row.name], change)
        if sign > 0 and len(line.statements) > 1:
            self._contested.append((row, line.in_force_id))

    def _dispatch(self, row: Row, sign: int) -> None:
        def send(line: LineState) -> None:
            if sign > 0:
                line.dispatches[row.id] = (_wafers(row), row.time // DAY_US, cast(int, row.day), _key(row))
            else:
                del line.dispatches[row.id]

        def release(line: LineState) -> None:
            _add(line.released, (str(row.product), str(row.supplier)), sign * _wafers(row))

        shipment, *commits = lines_of(row)
        self._alter(shipment, derive_shipment, send)
        for commit in commits:
            self._alter(commit, derive_commit, release)

    def _move_shipped(self, row: Row, sign: int) -> None:
        """Post wafers of a shipment as received, damaged, lost or returned: once dispatched, under its supplier."""
        day, key = row.time // DAY_US, _key(row)
        moved = {(_SHIPPED[row.name], day, key): _wafers(row), (Measure.DAMAGED, day, key): _damaged(row)}

        def move(line: LineState) -> None:
            for cell, wafers in moved.items():
                _add(line.moved, cell, sign * wafers)

        self._alter(line_of(row), derive_shipment, move)

    def _consume(self, row: Row, sign: int) -> None:
        """Count consumption that names an order on the order's line."""

        def consume(line: LineState) -> None:
            _add(line.consumed, (row.time // DAY_US, _key(row)), sign * _wafers(row))

        for order in lines_of(row):
            self._alter(order, derive_order, consume)

    # -- stock

    def _transfer(self, row: Row, sign: int) -> None:
        product, _, supplier = _key(row)
        into = (product, row.others["to_site"], supplier)
        self._post(Measure.TRANSFERRED_IN, row.time // DAY_US, into, sign * _wafers(row))

    def _stock(self, key: Key, day: int, wafers: int) -> None:
        """Move stock on hand; the next counts include the movement already, so their adjustments are reduced.

        They are the next count of the key, and the next one of the whole shelf, which includes that one's adjustment.
        """
        if not wafers:
            return
        stock = self.memory.stock(key)
        stock.move(day, wafers)
        self.decision.stock[key, day] = stock.moved[day]
        counted = stock.next_count(day)
        if counted is not None:
            self._post(Measure.ADJUSTED, counted, key, -wafers)
        if key[2] != UNATTRIBUTED:
            self._change_shelf(key, day, wafers)
            self._change_shelf(key, counted, -wafers)

    def _change_shelf(self, key: Key, day: int | None, wafers: int) -> None:
        """Reduce the adjustment of the next count of the whole shelf by wafers that came to hand, or were adjusted."""
        whole = self.memory.whole_counts(key)
        counted = whole.next_count(day) if day is not None and whole.counts else None
        if counted is not None:
            self._post(Measure.ADJUSTED, counted, (key[0], key[1], UNATTRIBUTED), -wafers)

    def _count(self, row: Row, sign: int) -> None:
        """Fix the stock on hand at the end of a day; the wafers that no movement explains are an adjustment.

        Without a supplier it is the stock of the whole shelf, of all suppliers of the product at the site.
        """
        key, day = _key(row), row.time // DAY_US
        name = count_name(row)
        stock = self.memory.stock(key)
        counted = self.memory.shelf(*key[:2]) if key[2] == UNATTRIBUTED else stock
        before = counted.adjustment(day)
        if sign > 0:
            stock.count(day, name, Count.of(row, _wafers(row)))
            if len(stock.counts[day]) > 1:
                self._contested.append((row, lambda: stock.in_force(day).id))
        else:
            stock.uncount(day, name)
        self.decision.counts[key, day, name] = _wafers(row) if sign > 0 else None
        change = counted.adjustment(day) - before
        later = stock.next_count(day + 1)
        self._post(Measure.ADJUSTED, day, key, change)
        if later is not None:  # the later count includes this adjustment
            self._post(Measure.ADJUSTED, later, key, -change)
        if key[2] != UNATTRIBUTED and change:
            self._change_shelf(key, day, change)
            self._change_shelf(key, later, -change)


# The columns that an event's type needs are never empty: `read_entry` has checked them.


def _key(row: Row) -> Key:
    return (row.product, row.site, row.supplier)  # type: ignore[return-value]


def _wafers(row: Row) -> int:
    return row.wafers  # type: ignore[return-value]


def _damaged(row: Row) -> int:
    return cast(int, row.others.get("wafers_damaged", 0))


def _add(sums: dict[_Place, int], place: _Place, wafers: int) -> None:
    """Add to a sum, which is not kept at 0."""
    total = sums.pop(place, 0) + wafers
    if total:
        sums[place] = total


def _parts(wafers: int) -> Iterator[int]:
    """Yield wafers in parts that one posting may hold."""
    while wafers:
        part = max(-POSTING_WAFERS_MAX, min(wafers, POSTING_WAFERS_MAX))
        yield part
        wafers -= part


def _term(row: Row) -> str | int | None:
    """Return the term by which a plan is posted beside its day, wafers and key."""
    if row.name == "supply.committed":
        return cast(str, row.others["firmness"])
    field_ = _DAY_TERMS.get(row.name)
    return None if field_ is None else parse_day(row.others[field_])


_LOTS: dict[str, Measure] = {
    "lot.started": Measure.STARTED,
    "lot.scrapped": Measure.SCRAPPED,
    "lot.finished": Measure.FINISHED,
}
_MOVEMENTS: dict[str, Measure] = {
    "shipment.dispatched": Measure.DISPATCHED,
    "wafers.consumed": Measure.CONSUMED,
    "stock.opened": Measure.OPENED,
    "stock.transferred": Measure.TRANSFERRED_OUT,
}
_SHIPPED: dict[str, Measure] = {
    "shipment.received": Measure.RECEIVED,
    "shipment.lost": Measure.LOST,
    "shipment.returned": Measure.RETURNED,
}
_ON_HAND: dict[Measure, int] = {
    Measure.RECEIVED: +1,
    Measure.OPENED: +1,
    Measure.TRANSFERRED_IN: +1,
    Measure.TRANSFERRED_OUT: -1,
    Measure.CONSUMED: -1,
    Measure.RETURNED: -1,
}
_HANDLERS: dict[str, Callable[[_Postings, Row, int], None]] = {
    **dict.fromkeys(DERIVED, _Postings._revise),
    "shipment.dispatched": _Postings._dispatch,
    **dict.fromkeys(_SHIPPED, _Postings._move_shipped),
    "wafers.consumed": _Postings._consume,
    "stock.transferred": _Postings._transfer,
    "stock.counted": _Postings._count,
}
_DAY_TERMS = {"demand.required": "start_by", "supply.agreed": "ends_on"}
_LINED = {*DERIVED, *_SHIPPED, "shipment.dispatched", "wafers.consumed"}
