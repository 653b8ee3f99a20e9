"""The posting rules: the postings that follow from each event, and the changes it makes to lines and stock."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from operator import itemgetter
from typing import TypeVar, cast

from services.ledger.books.effects import HOLDS, REVERSED, Effect, reversal_effect, statement_effect
from services.ledger.books.lines import ENDS, Cell, Derive, Key, LineState
from services.ledger.books.memory import Count, Memory, count_name
from shared.wire.catalog import FIRMNESS
from shared.wire.days import DAY_US, date_of, day_number
from shared.wire.events import UNATTRIBUTED
from shared.wire.lines import LineName, line_of, lines_of
from shared.wire.postings import POSTING_WAFERS_MAX, Measure
from shared.wire.rows import WATERMARKS, Row, watermark_of

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
        line.timed = True  # from here on the times order it; `before` is what its old order came to
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

        line = self._alter(line_of(row), _DERIVED[row.name], change)
        if sign > 0 and len(line.statements) > 1:
            self._contested.append((row, line.in_force_id))

    def _dispatch(self, row: Row, sign: int) -> None:
        def send(line: LineState) -> None:
            if sign > 0:
                line.dispatches[row.id] = (_wafers(row), row.time // DAY_US, cast(int, row.day), _key(row))
            else:
                del line.dispatches[row.id]

        origin = (str(row.product), str(row.supplier))

        def release(line: LineState) -> None:
            if not _add(line.released, origin, sign * _wafers(row)):
                line.dispatched += sign * _wafers(row)

        shipment, *commits = lines_of(row)
        self._alter(shipment, _derive_shipment, send)
        for commit in commits:
            self._alter(commit, _derive_commit, release)

    def _move_shipped(self, row: Row, sign: int) -> None:
        """Post wafers of a shipment as received, damaged, lost or returned: once dispatched, under its supplier."""
        day, key = row.time // DAY_US, _key(row)
        moved = {(_SHIPPED[row.name], day, key): _wafers(row), (Measure.DAMAGED, day, key): _damaged(row)}
        published: list[tuple[Cell, int]] = []  # by an event of before the suppliers were kept: posted as it says

        def move(line: LineState) -> None:
            for cell, wafers in moved.items():
                if not _add(line.moved, cell, sign * wafers):
                    published.append((cell, sign * wafers))
                    line.ended[key[1]] += sign * wafers

        self._alter(line_of(row), _derive_shipment, move)
        for cell, wafers in published:
            self._post(*cell, wafers)

    def _consume(self, row: Row, sign: int) -> None:
        """Count consumption that names an order on the order's line."""

        def consume(line: LineState) -> None:
            place = (row.time // DAY_US, _key(row))
            wafers = line.consumed.pop(place, 0) + sign * _wafers(row)
            if wafers:
                line.consumed[place] = wafers

        for order in lines_of(row):
            self._alter(order, _derive_order, consume)

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


def _add(sums: dict[_Place, int], place: _Place, wafers: int) -> bool:
    """Add to a sum, which is not kept at 0; return False, and leave it, if it would fall below."""
    total = sums.get(place, 0) + wafers
    if total > 0:
        sums[place] = total
    elif total == 0:
        sums.pop(place, None)
    return total >= 0


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
    return None if field_ is None else _parse_day(row.others[field_])


# ---------------------------------------------------------------- the postings of a line


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


def _derive_order(line: LineState) -> dict[Cell, int]:
    """Return an order, and the part of it that is required earlier: wafers consumed for it before it is due.

    Consumption serves the order in force of its own product and site, up to the order's wafers; more of it is required
    on its own day too, so that it serves no other order. Consumption for any other product or site names no order.
    """
    cells = _derive_required(line)
    terms = line.in_force()
    _, due, left, ordered, _ = terms or (0, 0, 0, ("", "", ""), None)
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


def _derive_commit(line: LineState) -> dict[Cell, int]:
    """Return a commit at its grade, and its open part: a dispatched wafer is in transit, and never counted twice.

    A wafer of another product or supplier than it promises leaves it open.
    """
    terms = line.in_force()
    if terms is None:
        return {}
    _, day, wafers, key, firmness, _ = terms
    committed, open_ = _GRADES[cast(str, firmness)]
    dispatched = line.dispatched + line.released.get((key[0], key[2]), 0)
    return {(committed, day, key): wafers, (open_, day, key): max(0, wafers - dispatched)}


def _derive_shipment(line: LineState) -> dict[Cell, int]:
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
    supplier = parts[0][3][2] if parts else None
    cells: dict[Cell, int] = {}
    ended: dict[tuple[int, Key], int] = {}
    for (measure, day, (product, site, named)), wafers in line.moved.items():
        key = (product, site, supplier or named)
        cells[measure, day, key] = cells.get((measure, day, key), 0) + wafers
        if measure in ENDS:
            ended[day, key] = ended.get((day, key), 0) + wafers
    if parts:
        _, sent_on, _, (product, _, supplier) = parts[0]
        for site, wafers in line.ended.items():  # recorded before the days were kept
            place = (sent_on, (product, site, supplier))
            ended[place] = ended.get(place, 0) + wafers
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
        here = (product, site, cast(str, supplier))
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
_derive_required = _derive_plan(Measure.REQUIRED)
_DERIVED: dict[str, Derive] = {
    "supply.agreed": _derive_agreement,
    "supply.committed": _derive_commit,
    "demand.forecast": _derive_plan(Measure.FORECAST),
    "demand.required": _derive_order,
    "shipment.revised": _derive_shipment,
}
_HANDLERS: dict[str, Callable[[_Postings, Row, int], None]] = {
    **dict.fromkeys(_DERIVED, _Postings._revise),
    "shipment.dispatched": _Postings._dispatch,
    **dict.fromkeys(_SHIPPED, _Postings._move_shipped),
    "wafers.consumed": _Postings._consume,
    "stock.transferred": _Postings._transfer,
    "stock.counted": _Postings._count,
}
STATEMENTS = frozenset(_DERIVED)
"""The events that state the terms of a line: its greatest (revision, time, id) holds."""

_DAY_TERMS = {"demand.required": "start_by", "supply.agreed": "ends_on"}
_LINED = {*_DERIVED, *_SHIPPED, "shipment.dispatched", "wafers.consumed"}
