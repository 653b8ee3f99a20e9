"""What an event does to the books: which postings follow from it, and what is remembered of its line."""

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, NamedTuple

from shared.batch import Row
from shared.events import EPOCH, FIRMNESS, day_number
from shared.postings import Measure

_DAY_US = 86_400_000_000

Key = tuple[str, str, str]  # product, site, supplier
Cell = tuple[Measure, int, Key]  # what a posting adds to: a measure, on a day, of a key
LineName = tuple[str, str, str]  # owner, kind, id: lines of two parties never clash


class Posting(NamedTuple):
    """Wafers that one event adds to a cell."""

    event: int  # index of the event in the batch
    measure: Measure
    day: int
    key: Key
    wafers: int


@dataclass(slots=True)
class Revisions:
    """What a line has said, by revision: the greatest (revision, id) that is not reversed is in force."""

    said: dict[str, list[Any]] = field(default_factory=dict)  # id -> [revision, day, wafers, key, rest]

    def in_force(self) -> list[Any] | None:
        """Return the entry in force, None if there is none."""
        if not self.said:
            return None
        return self.said[max(self.said, key=lambda id_: (self.said[id_][0], id_))]


@dataclass(slots=True)
class Line:
    """A line of one party: its revisions, the wafers that have moved on it, and what stands posted for it.

    `moved` holds by site what left on a commit or shipment ("dispatched"), or has reached its end ("gone").
    """

    revisions: Revisions = field(default_factory=Revisions)
    dispatches: dict[str, list[Any]] = field(default_factory=dict)  # id -> [wafers, day, site]
    gone: dict[str, int] = field(default_factory=dict)  # site -> received, damaged and lost there
    counts: dict[str, list[int]] = field(default_factory=dict)  # id -> [day, counted]

    def state(self) -> list[Any]:
        """Return what is stored of the line."""
        return [self.revisions.said, self.dispatches, self.gone, self.counts]

    @classmethod
    def of(cls, state: list[Any]) -> "Line":
        """Return the line that was stored as `state`."""
        return cls(Revisions(state[0]), state[1], state[2], state[3])


@dataclass(slots=True)
class Memory:
    """What the books remember. A miss is asked of the store, so that a restart needs no replay."""

    load_line: Callable[[LineName], list[Any] | None] = lambda _: None
    load_stock: Callable[[Key], dict[int, int]] = lambda _: {}
    load_event: Callable[[str, str], Row | None] = lambda _source, _id: None
    reversed: set[tuple[str, str]] = field(default_factory=set)
    lines: dict[LineName, Line] = field(default_factory=dict)
    stock: dict[Key, dict[int, int]] = field(default_factory=dict)  # on hand movements: day -> net wafers

    def line(self, name: LineName) -> Line:
        """Return a line, a new one if nobody has spoken of it yet."""
        line = self.lines.get(name)
        if line is None:
            state = self.load_line(name)
            line = self.lines[name] = Line() if state is None else Line.of(state)
        return line

    def stock_days(self, key: Key) -> dict[int, int]:
        """Return the net on hand movements of a key by day."""
        days = self.stock.get(key)
        if days is None:
            days = self.stock[key] = self.load_stock(key)
        return days


@dataclass(slots=True)
class Decision:
    """What a batch of events does: to be stored, and told, in one transaction."""

    postings: list[Posting] = field(default_factory=list)
    lines: set[LineName] = field(default_factory=set)  # changed, to be stored again
    stock: dict[tuple[Key, int], int] = field(default_factory=dict)  # (key, day) -> wafers to add
    reversals: list[tuple[str, str]] = field(default_factory=list)
    watermarks: dict[str, int] = field(default_factory=dict)


def post_events(rows: Iterable[Row], memory: Memory) -> Decision:
    """Return the postings of some new events, and bring the memory up to date.

    The sums of the postings do not depend on the order of the events, nor on how they are batched:
    a movement adds itself, a line adds the difference between what it now says and what it said before.
    """
    decision = Decision()
    books = _Books(memory, decision)
    in_batch: dict[tuple[str, str], Row] = {}
    for books.index, row in enumerate(rows):
        in_batch[row.source, row.id] = row
        if row.name == "source.advanced":
            assert row.day is not None
            decision.watermarks[row.source] = max(row.day, decision.watermarks.get(row.source, row.day))
        elif row.name == "event.reversed":
            target = (row.source, row.others["reversed"])
            if target in memory.reversed:
                continue
            memory.reversed.add(target)
            decision.reversals.append(target)
            undone = in_batch.get(target) or memory.load_event(*target)
            if undone is not None:
                books.apply(undone, -1)
        elif (row.source, row.id) not in memory.reversed:
            books.apply(row, +1)
    return decision


class _Books:
    """The entries that one event makes; sign +1 as it is said, −1 as it is reversed."""

    def __init__(self, memory: Memory, decision: Decision) -> None:
        self.memory = memory
        self.decision = decision
        self.index = 0

    def apply(self, row: Row, sign: int) -> None:
        movement = _MOVEMENTS.get(row.name)
        if movement is not None:  # most events are lots: these need no line
            self._move(movement, row, sign * row.wafers)  # type: ignore[operator]
        handle = _HANDLERS.get(row.name)
        if handle is not None:
            handle(self, row, sign)

    def _post(self, measure: Measure, day: int, key: Key, wafers: int) -> None:
        if wafers:
            self.decision.postings.append(Posting(self.index, measure, day, key, wafers))

    def _move(self, measure: Measure, row: Row, wafers: int, key: Key | None = None) -> None:
        key = key or _key(row)
        day = row.time // _DAY_US
        self._post(measure, day, key, wafers)
        if measure in _ON_HAND:
            self._stock(key, day, _ON_HAND[measure] * wafers)

    # -- lines: plans, commits, shipments

    def _differ(self, name: LineName, derive: Callable[[LineName, Line], dict[Cell, int]], line: Line,
                change: Callable[[], None]) -> None:  # fmt: skip
        """Change a line, and post what it now comes to less what it came to before."""
        before = derive(name, line)
        change()
        after = derive(name, line)
        for cell in before | after:
            self._post(*cell, after.get(cell, 0) - before.get(cell, 0))
        self.decision.lines.add(name)

    def _revise(self, row: Row, sign: int) -> None:
        kind = f"shipment/{row.product}" if row.name == "shipment.revised" else row.name
        name = (row.source, kind, str(row.line))
        line = self.memory.line(name)
        said = [row.revision, row.day, row.wafers, list(_key(row)), row.others]

        def change() -> None:
            if sign > 0:
                line.revisions.said[row.id] = said
            else:
                line.revisions.said.pop(row.id, None)

        self._differ(name, _DERIVED[row.name], line, change)

    def _dispatch(self, row: Row, sign: int) -> None:
        names: list[tuple[LineName, str]] = [
            ((row.source, f"shipment/{row.product}", str(row.line)), "shipment.revised")
        ]
        commit = row.others["commit"]
        if commit is not None:
            names.append(((row.source, "supply.committed", commit), "supply.committed"))
        for name, kind in names:
            line = self.memory.line(name)

            def change(line: Line = line) -> None:
                if sign > 0:
                    line.dispatches[row.id] = [row.wafers, row.time // _DAY_US, row.day, list(_key(row))]
                else:
                    line.dispatches.pop(row.id, None)

            self._differ(name, _DERIVED[kind], line, change)

    def _end(self, row: Row, sign: int) -> None:
        """Wafers of a shipment have come to their end: received, damaged or lost."""
        damaged = row.others.get("wafers_damaged", 0)
        self._move(Measure.DAMAGED, row, sign * damaged)
        name = (row.others["owner"], f"shipment/{row.product}", str(row.line))
        line = self.memory.line(name)

        def change() -> None:
            site = str(row.site)
            line.gone[site] = line.gone.get(site, 0) + sign * (row.wafers + damaged)

        self._differ(name, _DERIVED["shipment.revised"], line, change)

    # -- lots and stock

    def _vary(self, row: Row, sign: int) -> None:
        self._move(Measure.YIELD_VARIANCE, row, sign * row.others["yield_variance"])

    def _transfer(self, row: Row, sign: int) -> None:
        product, _, supplier = _key(row)
        self._move(Measure.TRANSFERRED_IN, row, sign * row.wafers, (product, row.others["to_site"], supplier))  # type: ignore[operator]

    def _stock(self, key: Key, day: int, wafers: int) -> None:
        """Remember an on hand movement; the next count had it in what it counted."""
        if not wafers:
            return
        days = self.memory.stock_days(key)
        days[day] = days.get(day, 0) + wafers
        self.decision.stock[key, day] = self.decision.stock.get((key, day), 0) + wafers
        counted = sorted(_count_days(self.memory.line(_counts_of(key))))
        position = bisect_left(counted, day)
        if position < len(counted):
            self._post(Measure.ADJUSTED, counted[position], key, -wafers)

    def _count(self, row: Row, sign: int) -> None:
        """A count fixes what is on hand at the end of its day; what the movements do not explain is an adjustment."""
        key = _key(row)
        name = _counts_of(key)
        days = self.memory.stock_days(key)
        line = self.memory.line(name)
        before = _adjustments(line, days)
        if sign > 0:
            line.counts[f"{row.id}/{row.source}"] = [row.time // _DAY_US, row.wafers]  # type: ignore[list-item]
        else:
            line.counts.pop(f"{row.id}/{row.source}", None)
        after = _adjustments(line, days)
        for day in sorted(before | after):
            self._post(Measure.ADJUSTED, day, key, after.get(day, 0) - before.get(day, 0))
        self.decision.lines.add(name)


def _key(row: Row) -> Key:
    return (row.product, row.site, row.supplier)  # type: ignore[return-value]


def _counts_of(key: Key) -> LineName:
    return ("", "stock.counted", "/".join(key))


def _count_days(line: Line) -> dict[int, int]:
    """Return what was counted on each day; of several counts on one day the greatest id wins."""
    return {count[0]: count[1] for count in (line.counts[name] for name in sorted(line.counts))}


def _adjustments(line: Line, days: dict[int, int]) -> dict[int, int]:
    """Return the adjustment of each counted day: counted less what was counted before and has moved since."""
    adjustments: dict[int, int] = {}
    counted_before = 0
    last: int | None = None
    for day, counted in sorted(_count_days(line).items()):
        moved = sum(wafers for d, wafers in days.items() if d <= day and (last is None or d > last))
        adjustments[day] = counted - counted_before - moved
        counted_before, last = counted, day
    return adjustments


# ---------------------------------------------------------------- what a line comes to


def _derive_plan(measure: Measure) -> Callable[[LineName, Line], dict[Cell, int]]:
    def derive(_name: LineName, line: Line) -> dict[Cell, int]:
        said = line.revisions.in_force()
        if said is None:
            return {}
        _, day, wafers, key, others = said
        cells: dict[Cell, int] = {(measure, day, tuple(key)): wafers}
        if "start_by" in others:
            cells[Measure.REQUIRED_START, _parse_day(others["start_by"]), tuple(key)] = wafers
        return cells

    return derive


def _derive_commit(_name: LineName, line: Line) -> dict[Cell, int]:
    """A commit at its grade, and what of it is still open: a dispatched wafer is in transit, never counted twice."""
    said = line.revisions.in_force()
    if said is None:
        return {}
    _, day, wafers, key, others = said
    grade = FIRMNESS.index(others["firmness"])
    dispatched = sum(dispatch[0] for dispatch in line.dispatches.values())
    return {
        (Measure(Measure.COMMITTED_PLANNED + grade), day, tuple(key)): wafers,
        (Measure(Measure.OPEN_PLANNED + grade), day, tuple(key)): max(0, wafers - dispatched),
    }


def _derive_shipment(_name: LineName, line: Line) -> dict[Cell, int]:
    """What of a shipment has not arrived, by its eta and site; and the diversion, where it went to another site."""
    if not line.dispatches:
        return {}
    _, sent_on, eta, key = min(line.dispatches.values(), key=lambda dispatch: (dispatch[1], dispatch[2], dispatch[3]))
    product, sent_to, supplier = key
    said = line.revisions.in_force()
    site = sent_to
    if said is not None:
        _, eta, _, (_, site, _), _ = said
    remaining = sum(dispatch[0] for dispatch in line.dispatches.values()) - sum(line.gone.values())
    cells: dict[Cell, int] = {(Measure.TRANSIT_DUE, eta, (product, site, supplier)): max(0, remaining)}
    elsewhere = {other: wafers for other, wafers in line.gone.items() if other != sent_to}
    if site != sent_to:
        elsewhere[site] = elsewhere.get(site, 0) + remaining
    for other, wafers in elsewhere.items():
        cells[Measure.DIVERTED_IN, sent_on, (product, other, supplier)] = wafers
    cells[Measure.DIVERTED_OUT, sent_on, (product, sent_to, supplier)] = sum(elsewhere.values())
    return cells


def _derive_agreement(_name: LineName, line: Line) -> dict[Cell, int]:
    """A headline rate on the first day of each month that it spans: shown, never counted as supply."""
    said = line.revisions.in_force()
    if said is None:
        return {}
    _, day, wafers, key, others = said
    ends_on = _parse_day(others["ends_on"])
    cells: dict[Cell, int] = {}
    while day <= ends_on:
        first = _first_of_month(day)
        if day == first:
            cells[Measure.AGREED, day, tuple(key)] = wafers
        day = _first_of_month(first + 31)
    return cells


def _parse_day(text: str) -> int:
    return day_number(date.fromisoformat(text))


def _first_of_month(day: int) -> int:
    return day_number((EPOCH + timedelta(days=day)).replace(day=1))


_MOVEMENTS: dict[str, Measure] = {
    "lot.started": Measure.STARTED,
    "lot.scrapped": Measure.SCRAPPED,
    "lot.finished": Measure.FINISHED,
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
_DERIVED: dict[str, Callable[[LineName, Line], dict[Cell, int]]] = {
    "supply.agreed": _derive_agreement,
    "supply.committed": _derive_commit,
    "demand.forecast": _derive_plan(Measure.FORECAST),
    "demand.required": _derive_plan(Measure.REQUIRED),
    "shipment.revised": _derive_shipment,
}
_HANDLERS: dict[str, Callable[[_Books, Row, int], None]] = {
    **dict.fromkeys(_DERIVED, _Books._revise),
    "lot.finished": _Books._vary,
    "shipment.dispatched": _Books._dispatch,
    "shipment.received": _Books._end,
    "shipment.lost": _Books._end,
    "stock.transferred": _Books._transfer,
    "stock.counted": _Books._count,
}
