"""The memory of the books: lines, stock and reversals, each loaded from the store when an event first needs it."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from services.ledger.books.lines import Key, LineState
from shared.wire.events import UNATTRIBUTED
from shared.wire.lines import LineName
from shared.wire.rows import Row


class Count(NamedTuple):
    """The wafers that one event counted; of the counts of a day the greatest (revision, time, id) is in force."""

    revision: int
    time: int
    id: str
    source: str
    wafers: int

    @classmethod
    def of(cls, row: Row, wafers: int) -> "Count":
        """Return the count that an event states, with the wafers that the books keep of it."""
        return cls(row.others["revision"], row.time, row.id, row.source, wafers)


def count_name(row: Row) -> str:
    """Return the name under which the books and the store keep a count."""
    return f"{row.id}/{row.source}"


@dataclass(slots=True)
class Stock:
    """The on-hand movements of one key, and its counts."""

    moved: dict[int, int] = field(default_factory=dict)  # day -> net wafers
    counts: dict[int, dict[str, Count]] = field(default_factory=dict)  # day -> name of the count -> count
    moved_on: list[int] = field(default_factory=list)  # the days of the movements, in order
    counted_on: list[int] = field(default_factory=list)  # the days of the counts, in order

    def move(self, day: int, wafers: int) -> None:
        """Add a movement."""
        if day not in self.moved:
            insort(self.moved_on, day)
        self.moved[day] = self.moved.get(day, 0) + wafers

    def count(self, day: int, name: str, counted: Count) -> None:
        """Add a count."""
        if day not in self.counts:
            insort(self.counted_on, day)
        self.counts.setdefault(day, {})[name] = counted

    def uncount(self, day: int, name: str) -> None:
        """Remove a count."""
        del self.counts[day][name]
        if not self.counts[day]:
            del self.counts[day]
            self.counted_on.remove(day)

    def next_count(self, day: int) -> int | None:
        """Return the first day from `day` on that has a count, None if there is none."""
        position = bisect_left(self.counted_on, day)
        return self.counted_on[position] if position < len(self.counted_on) else None

    def adjustment(self, day: int) -> int:
        """Return a day's count less the count before it and the movements since; 0 without a count."""
        if day not in self.counts:
            return 0
        before = self.count_before(day)
        return self.counted(day) - (0 if before is None else self.counted(before)) - self.moved_between(before, day)

    def count_before(self, day: int) -> int | None:
        """Return the last day before `day` that has a count, None if there is none."""
        position = bisect_left(self.counted_on, day)
        return self.counted_on[position - 1] if position else None

    def on_hand(self, day: int) -> int:
        """Return the wafers on hand at the end of a day: the last count, and the movements since."""
        counted_on = day if day in self.counts else self.count_before(day)
        if counted_on is None:
            return self.moved_between(None, day)
        return self.counted(counted_on) + self.moved_between(counted_on, day)

    def moved_between(self, after: int | None, through: int) -> int:
        """Return the net movements after a day (None: from the first), through another; earlier days are not read."""
        begin = 0 if after is None else bisect_right(self.moved_on, after)
        return sum(self.moved[day] for day in self.moved_on[begin : bisect_right(self.moved_on, through)])

    def in_force(self, day: int) -> Count:
        """Return the count that holds on a day that has some."""
        return max(self.counts[day].values())

    def counted(self, day: int) -> int:
        """Return the wafers of the count that holds on a day that has some."""
        return self.in_force(day).wafers


@dataclass(slots=True)
class Shelf:
    """The stocks of all suppliers of one product at one site, which a count without a supplier counts together."""

    whole: Stock = field(default_factory=Stock)  # of the supplier `unattributed`; its counts are of the whole shelf
    stocks: dict[str, Stock] = field(default_factory=dict)  # of each other supplier
    complete: bool = False  # all stocks that the store has are here

    def adjustment(self, day: int) -> int:
        """Return a day's count of the whole shelf less the wafers on hand without it; 0 without such a count.

        The counts of the single suppliers come first, also those of the same day.
        """
        if day not in self.whole.counts:
            return 0
        before = self.whole.count_before(day)
        change = self.whole.moved_between(before, day)
        for stock in self.stocks.values():
            change += stock.on_hand(day) - (0 if before is None else stock.on_hand(before))
        return self.whole.counted(day) - (0 if before is None else self.whole.counted(before)) - change


@dataclass(slots=True)
class Memory:
    """The lines and stocks in use. A missing one is loaded from the store, so that a restart needs no replay."""

    load_lines: Callable[[Sequence[LineName]], dict[LineName, LineState]] = lambda _: {}
    load_stock: Callable[[Key], Stock] = lambda _: Stock()
    load_event: Callable[[str, str], Row | None] = lambda _source, _id: None
    load_watermarks: Callable[[str], dict[str, int]] | None = None  # None: all are in memory from the first on
    reversed: set[tuple[str, str]] = field(default_factory=set)  # source and id of reversed events
    lines: dict[LineName, LineState] = field(default_factory=dict)
    preloaded: dict[LineName, LineState] = field(default_factory=dict)  # for the current batch
    stocks: dict[Key, Stock] = field(default_factory=dict)
    load_suppliers: Callable[[str, str], Iterable[str]] = lambda _product, _site: ()  # those that have a stock there
    shelves: dict[tuple[str, str], Shelf] = field(default_factory=dict)  # of the stocks in use
    watermarks: dict[str, dict[str, int]] = field(default_factory=dict)  # source -> id of the event -> watermark

    def advance(self, source: str, advanced: dict[str, int]) -> None:
        """Add the watermarks of a batch, by the id of the event; those of a source not loaded are in the store."""
        if self.load_watermarks is None or source in self.watermarks:
            self.watermarks.setdefault(source, {}).update(advanced)

    def greatest_watermark(self, source: str) -> int:
        """Return the greatest watermark of a source that is not reversed, 0 if there is none."""
        if source not in self.watermarks:
            self.watermarks[source] = {} if self.load_watermarks is None else self.load_watermarks(source)
        held = (day for id_, day in self.watermarks[source].items() if (source, id_) not in self.reversed)
        return max(held, default=0)

    def line(self, name: LineName) -> LineState:
        """Return a line, a new one if no event has named it yet."""
        line = self.lines.get(name)
        if line is None:
            if name not in self.preloaded:
                self.preload((name,))
            line = self.lines[name] = self.preloaded.pop(name)
        return line

    def preload(self, names: Sequence[LineName]) -> None:
        """Load all missing lines from the store in one query.

        They join `lines` only when an event uses them: a line that no event changes is never stored.
        """
        missing = [name for name in dict.fromkeys(names) if name not in self.lines]
        found = self.load_lines(missing) if missing else {}
        self.preloaded.update((name, found.get(name) or LineState()) for name in missing)

    def stock(self, key: Key) -> Stock:
        """Return the stock of a key, an empty one if nothing ever moved there."""
        stock = self.stocks.get(key)
        if stock is None:
            stock = self.stocks[key] = self.load_stock(key)
            product, site, supplier = key
            shelf = self._shelf(product, site)
            if supplier == UNATTRIBUTED:
                shelf.whole = stock
            else:
                shelf.stocks[supplier] = stock
        return stock

    def whole_counts(self, key: Key) -> Stock:
        """Return the stock that a key belongs to, with counts of the whole shelf."""
        return self.stock((key[0], key[1], UNATTRIBUTED))

    def shelf(self, product: str, site: str) -> Shelf:
        """Return the stocks of all suppliers of a product at a site."""
        shelf = self._shelf(product, site)
        if not shelf.complete:
            for supplier in self.load_suppliers(product, site):
                self.stock((product, site, supplier))
            shelf.complete = True
        return shelf

    def _shelf(self, product: str, site: str) -> Shelf:
        shelf = self.shelves.get((product, site))
        if shelf is None:
            shelf = self.shelves[product, site] = Shelf()
        return shelf
