"""What an event does to the books: which postings follow from it, and what is remembered of its line."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from operator import itemgetter
from typing import Any, TypeAlias, cast

from shared.wire.days import DAY_US, date_of, day_number
from shared.wire.lines import LineName, line_of, lines_of
from shared.wire.postings import Measure
from shared.wire.rows import Row
from shared.wire.terms import FIRMNESS

Key = tuple[str, str, str]  # product, site, supplier
Cell = tuple[Measure, int, Key]  # what a posting adds to: a measure, on a day, of a key


Said = tuple[int, int, int, Key, str | int | None]  # revision, day, wafers, key, and what else its type is posted by
Sent = tuple[int, int, int, Key]  # wafers, day, eta, key


@dataclass(slots=True)
class Line:
    """A line of one party: what it has said by revision, and the wafers that have moved on it."""

    said: dict[str, Said] = field(default_factory=dict)  # by the id of the event
    dispatched: int = 0  # of a commit
    dispatches: dict[str, Sent] = field(default_factory=dict)  # of a shipment, by the id of the event
    gone: dict[str, int] = field(default_factory=dict)  # of a shipment: site -> received, damaged and lost there
    posted: dict[Cell, int] | None = field(default=None, compare=False)  # what it came to, once that was asked

    def in_force(self) -> Said | None:
        """Return what the greatest (revision, id) that is not reversed says, None if there is none."""
        if not self.said:
            return None
        if len(self.said) == 1:
            return next(iter(self.said.values()))
        return self.said[max(self.said, key=lambda id_: (self.said[id_][0], id_))]

    def state(self) -> list[Any]:
        """Return what is stored of the line."""
        return [self.said, self.dispatched, self.dispatches, self.gone]

    @classmethod
    def read(cls, state: list[Any]) -> "Line":
        """Return the line of which a state was stored."""
        said, dispatched, dispatches, gone = state
        return cls(
            {id_: (*values, tuple(key), term) for id_, (*values, key, term) in said.items()},
            dispatched,
            {id_: (*values, tuple(key)) for id_, (*values, key) in dispatches.items()},
            gone,
        )


Derive: TypeAlias = Callable[[Line], dict[Cell, int]]
"""What a line comes to: the wafers that stand posted for it."""


@dataclass(slots=True)
class Stock:
    """What was moved to and from the hand of one key, and what was counted there."""

    moved: dict[int, int] = field(default_factory=dict)  # day -> net wafers
    counts: dict[int, dict[str, int]] = field(default_factory=dict)  # day -> id of the count -> wafers
    moved_on: list[int] = field(default_factory=list)  # the days of the movements, in order
    counted_on: list[int] = field(default_factory=list)  # the days of the counts, in order

    def move(self, day: int, wafers: int) -> None:
        """Remember a movement."""
        if day not in self.moved:
            insort(self.moved_on, day)
        self.moved[day] = self.moved.get(day, 0) + wafers

    def count(self, day: int, name: str, counted: int) -> None:
        """Remember a count."""
        if day not in self.counts:
            insort(self.counted_on, day)
        self.counts.setdefault(day, {})[name] = counted

    def uncount(self, day: int, name: str) -> None:
        """Forget a count."""
        del self.counts[day][name]
        if not self.counts[day]:
            del self.counts[day]
            self.counted_on.remove(day)

    def next_count(self, day: int) -> int | None:
        """Return the first day from this one on that has a count, None if there is none."""
        position = bisect_left(self.counted_on, day)
        return self.counted_on[position] if position < len(self.counted_on) else None

    def adjustment(self, day: int) -> int:
        """Return what was counted on a day less what was counted before it and has moved since; 0 without a count."""
        if day not in self.counts:
            return 0
        position = bisect_left(self.counted_on, day)
        if position == 0:
            return self._counted(day) - self._moved(None, day)
        before = self.counted_on[position - 1]
        return self._counted(day) - self._counted(before) - self._moved(before, day)

    def _moved(self, after: int | None, through: int) -> int:
        """Return what has moved after a day, or from the first on, through another: history before is not looked at."""
        begin = 0 if after is None else bisect_right(self.moved_on, after)
        return sum(self.moved[day] for day in self.moved_on[begin : bisect_right(self.moved_on, through)])

    def _counted(self, day: int) -> int:
        """Of several counts on one day the greatest id wins."""
        return self.counts[day][max(self.counts[day])]


@dataclass(slots=True)
class Memory:
    """What the books remember. A miss is asked of the store, so that a restart needs no replay."""

    load_lines: Callable[[Sequence[LineName]], dict[LineName, Line]] = lambda _: {}
    load_stock: Callable[[Key], Stock] = lambda _: Stock()
    load_event: Callable[[str, str], Row | None] = lambda _source, _id: None
    reversed: set[tuple[str, str]] = field(default_factory=set)
    lines: dict[LineName, Line] = field(default_factory=dict)
    recalled: dict[LineName, Line] = field(default_factory=dict)  # for the batch at hand
    stocks: dict[Key, Stock] = field(default_factory=dict)

    def line(self, name: LineName) -> Line:
        """Return a line, a new one if nobody has spoken of it yet."""
        line = self.lines.get(name)
        if line is None:
            if name not in self.recalled:
                self.recall((name,))
            line = self.lines[name] = self.recalled.pop(name)
        return line

    def recall(self, names: Sequence[LineName]) -> None:
        """Ask the store at once for all of some lines that are not remembered.

        They are remembered when they are needed: one that nobody changes in the end would stand in no store.
        """
        missing = [name for name in dict.fromkeys(names) if name not in self.lines]
        found = self.load_lines(missing) if missing else {}
        self.recalled.update((name, found.get(name) or Line()) for name in missing)

    def stock(self, key: Key) -> Stock:
        """Return the stock of a key, an empty one if nothing was ever there."""
        stock = self.stocks.get(key)
        if stock is None:
            stock = self.stocks[key] = self.load_stock(key)
        return stock


@dataclass(slots=True)
class Decision:
    """What a batch of events does: to be stored, and told, in one transaction."""

    cells: dict[Cell, int] = field(default_factory=dict)  # wafers that the batch adds to each cell, all in all
    lines: dict[LineName, Line] = field(default_factory=dict)  # changed, to be stored again
    stock: dict[tuple[Key, int], int] = field(default_factory=dict)  # (key, day) -> net wafers, changed likewise
    counts: dict[tuple[Key, int, str], int | None] = field(default_factory=dict)  # None: no longer counted
    reversals: list[tuple[str, str]] = field(default_factory=list)
    watermark: int | None = None  # the last day that the source has said all of

    def postings(self) -> list[tuple[Cell, int]]:
        """Return what is posted: each cell once, those left out to which nothing was added in the end."""
        return [posting for posting in self.cells.items() if posting[1]]


def post_events(rows: Sequence[Row], memory: Memory) -> Decision:
    """Return the postings of some new events of one source, and bring the memory up to date.

    The sums of the postings do not depend on the order of the events, nor on how they are batched:
    a movement adds itself, a line adds the difference between what it now says and what it said before.
    """
    decision = Decision()
    books = _Books(memory, decision)
    memory.recalled.clear()
    memory.recall([name for row in rows if row.name in _LINED for name in lines_of(row)])
    placed: dict[str, int] = {}  # id -> index, made for the first reversal
    for index, row in enumerate(rows):
        if row.name in _LOTS and not memory.reversed:  # most of them: these need no line and touch no stock
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


class _Books:
    """The entries that one event makes; sign +1 as it is said, −1 as it is reversed."""

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

    def _alter(self, name: LineName, derive: Derive, change: Callable[[Line], None]) -> None:
        """Change a line, and post what it now comes to less what it came to before."""
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
        def change(line: Line) -> None:
            if sign > 0:
                line.said[row.id] = (cast(int, row.revision), cast(int, row.day), _wafers(row), _key(row), _term(row))
            else:
                del line.said[row.id]

        self._alter(line_of(row), _DERIVED[row.name], change)

    def _dispatch(self, row: Row, sign: int) -> None:
        def send(line: Line) -> None:
            if sign > 0:
                line.dispatches[row.id] = (_wafers(row), row.time // DAY_US, cast(int, row.day), _key(row))
            else:
                del line.dispatches[row.id]

        def release(line: Line) -> None:
            line.dispatched += sign * _wafers(row)

        shipment, *commits = lines_of(row)
        self._alter(shipment, _derive_shipment, send)
        for commit in commits:
            self._alter(commit, _derive_commit, release)

    def _end(self, row: Row, sign: int) -> None:
        """Wafers of a shipment have come to their end: received, damaged or lost."""
        others = row.others
        damaged = others.get("wafers_damaged", 0)

        def end(line: Line) -> None:
            site = str(row.site)
            line.gone[site] = line.gone.get(site, 0) + sign * (_wafers(row) + damaged)

        self._move(Measure.DAMAGED, row, sign * damaged, _key(row))
        self._alter(line_of(row), _derive_shipment, end)

    # -- stock

    def _transfer(self, row: Row, sign: int) -> None:
        product, _, supplier = _key(row)
        self._move(Measure.TRANSFERRED_IN, row, sign * _wafers(row), (product, row.others["to_site"], supplier))

    def _stock(self, key: Key, day: int, wafers: int) -> None:
        """Remember an on hand movement; the next count had it in what it counted."""
        if not wafers:
            return
        stock = self.memory.stock(key)
        stock.move(day, wafers)
        self.decision.stock[key, day] = stock.moved[day]
        counted = stock.next_count(day)
        if counted is not None:
            self._post(Measure.ADJUSTED, counted, key, -wafers)

    def _count(self, row: Row, sign: int) -> None:
        """A count fixes what is on hand at the end of its day; what the movements do not explain is an adjustment."""
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
        if later is not None:  # it had all before it in what it counted, the adjustment too
            self._post(Measure.ADJUSTED, later, key, -change)


# The columns of a row may be empty, but not those that its type needs: `read_entry` sees to it.


def _key(row: Row) -> Key:
    return (row.product, row.site, row.supplier)  # type: ignore[return-value]


def _wafers(row: Row) -> int:
    return row.wafers  # type: ignore[return-value]


def _term(row: Row) -> str | int | None:
    """Return what a plan is posted by beside its day, wafers and key."""
    if row.name == "supply.committed":
        return cast(str, row.others["firmness"])
    field_ = _DAY_TERMS.get(row.name)
    return None if field_ is None else _parse_day(row.others[field_])


# ---------------------------------------------------------------- what a line comes to


def _derive_plan(measure: Measure) -> Derive:
    def derive(line: Line) -> dict[Cell, int]:
        said = line.in_force()
        if said is None:
            return {}
        _, day, wafers, key, start_by = said
        cells: dict[Cell, int] = {(measure, day, key): wafers}
        if start_by is not None:
            cells[Measure.REQUIRED_START, cast(int, start_by), key] = wafers
        return cells

    return derive


def _derive_commit(line: Line) -> dict[Cell, int]:
    """A commit at its grade, and what of it is still open: a dispatched wafer is in transit, never counted twice."""
    said = line.in_force()
    if said is None:
        return {}
    _, day, wafers, key, firmness = said
    committed, open_ = _GRADES[cast(str, firmness)]
    return {(committed, day, key): wafers, (open_, day, key): max(0, wafers - line.dispatched)}


def _derive_shipment(line: Line) -> dict[Cell, int]:
    """What of a shipment has not arrived, by its eta and site; and what went elsewhere than it was sent to.

    A shipment is under way to one site: what was sent to another, or has come to its end there, was diverted, so that
    all that is in transit is in transit to the site of the plan.
    """
    if not line.dispatches:
        return {}
    _, sent_on, eta, (product, site, supplier) = min(line.dispatches.values(), key=itemgetter(1, 2, 3))
    said = line.in_force()
    if said is not None:
        _, eta, _, (_, site, _), _ = said
    under_way = {site: 0}  # site -> sent there, less what has come to its end there
    for wafers, _, _, (_, sent_to, _) in line.dispatches.values():
        under_way[sent_to] = under_way.get(sent_to, 0) + wafers
    for ended_at, wafers in line.gone.items():
        under_way[ended_at] = under_way.get(ended_at, 0) - wafers
    remaining = sum(under_way.values())
    cells: dict[Cell, int] = {(Measure.TRANSIT_DUE, eta, (product, site, supplier)): max(0, remaining)}
    for other, wafers in under_way.items():
        diverted = (remaining if other == site else 0) - wafers
        measure = Measure.DIVERTED_IN if diverted > 0 else Measure.DIVERTED_OUT
        cells[measure, sent_on, (product, other, supplier)] = abs(diverted)
    return cells


def _derive_agreement(line: Line) -> dict[Cell, int]:
    """A headline rate on the first day of each month that it spans: shown, never counted as supply."""
    said = line.in_force()
    if said is None:
        return {}
    _, day, wafers, key, ends_on = said
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
_HANDLERS: dict[str, Callable[[_Books, Row, int], None]] = {
    **dict.fromkeys(_DERIVED, _Books._revise),
    "shipment.dispatched": _Books._dispatch,
    "shipment.received": _Books._end,
    "shipment.lost": _Books._end,
    "stock.transferred": _Books._transfer,
    "stock.counted": _Books._count,
}
_DAY_TERMS = {"demand.required": "start_by", "supply.agreed": "ends_on"}
_LINED = {*_DERIVED, "shipment.dispatched", "shipment.received", "shipment.lost"}
