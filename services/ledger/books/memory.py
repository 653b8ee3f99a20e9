"""The memory of the books: lines, stock and reversals, each loaded from the store when an event first needs it."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from services.ledger.books.lines import Key, LineState
from shared.wire.lines import LineName
from shared.wire.rows import Row


@dataclass(slots=True)
class Stock:
    """The on-hand movements of one key, and its counts."""

    moved: dict[int, int] = field(default_factory=dict)  # day -> net wafers
    counts: dict[int, dict[str, int]] = field(default_factory=dict)  # day -> id of the count -> wafers
    moved_on: list[int] = field(default_factory=list)  # the days of the movements, in order
    counted_on: list[int] = field(default_factory=list)  # the days of the counts, in order

    def move(self, day: int, wafers: int) -> None:
        """Add a movement."""
        if day not in self.moved:
            insort(self.moved_on, day)
        self.moved[day] = self.moved.get(day, 0) + wafers

    def count(self, day: int, name: str, counted: int) -> None:
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
        position = bisect_left(self.counted_on, day)
        if position == 0:
            return self._counted(day) - self._moved(None, day)
        before = self.counted_on[position - 1]
        return self._counted(day) - self._counted(before) - self._moved(before, day)

    def _moved(self, after: int | None, through: int) -> int:
        """Return the net movements after a day (None: from the first), through another; earlier days are not read."""
        begin = 0 if after is None else bisect_right(self.moved_on, after)
        return sum(self.moved[day] for day in self.moved_on[begin : bisect_right(self.moved_on, through)])

    def _counted(self, day: int) -> int:
        """Return the count of a day; of several, the one with the greatest id."""
        return self.counts[day][max(self.counts[day])]


@dataclass(slots=True)
class Memory:
    """The lines and stocks in use. A missing one is loaded from the store, so that a restart needs no replay."""

    load_lines: Callable[[Sequence[LineName]], dict[LineName, LineState]] = lambda _: {}
    load_stock: Callable[[Key], Stock] = lambda _: Stock()
    load_event: Callable[[str, str], Row | None] = lambda _source, _id: None
    reversed: set[tuple[str, str]] = field(default_factory=set)  # source and id of reversed events
    lines: dict[LineName, LineState] = field(default_factory=dict)
    preloaded: dict[LineName, LineState] = field(default_factory=dict)  # for the current batch
    stocks: dict[Key, Stock] = field(default_factory=dict)

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
        return stock
