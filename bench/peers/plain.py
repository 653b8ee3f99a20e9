"""The workloads with Python alone, in dicts, lists and loops: no library to install."""

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from itertools import accumulate

import numpy as np

from bench.workloads import (
    DAY_MS,
    DEMAND,
    INSTANT_MS,
    OPENING,
    START_MS,
    SUPPLY,
    WINDOWS,
    Events,
    History,
    Ints,
    Touched,
    daily_sums,
)

Row = tuple[int, int, int, int]  # time or day, key, side, wafers
Rows = dict[int, list[int]]  # by key


def listed(events: Events) -> list[Row]:
    """Return the events as tuples of Python's integers."""
    return list(zip(*(column.tolist() for column in events[:4]), strict=True))


def listed_by_day(events: Events) -> list[Row]:
    """Return the events as tuples of Python's integers, with the day instead of the time."""
    columns = (events.day, events.key, events.side, events.wafers)
    return list(zip(*(column.tolist() for column in columns), strict=True))


class Rolled:
    """W1: a dict of days, then running totals of each key."""

    def __init__(self, events: Events) -> None:
        """Make the tuples."""
        self.keys, self.days = events.keys, events.days
        self.events = listed(events)

    def run(self) -> list[tuple[list[list[int]], int]]:
        """Return each key's columns, the balance last, and its first short day."""
        daily: defaultdict[tuple[int, int], list[int]] = defaultdict(lambda: [0] * self.days)
        for time, key, side, wafers in self.events:
            daily[key, side][(time - START_MS) // DAY_MS] += wafers
        return [self._roll(daily[key, SUPPLY], daily[key, DEMAND]) for key in range(self.keys)]

    @staticmethod
    def _roll(supplied: list[int], demanded: list[int]) -> tuple[list[list[int]], int]:
        supply, demand = list(accumulate(supplied)), list(accumulate(demanded))
        columns = []
        for window in WINDOWS:
            s, d = (
                total[:window] + [now - then for now, then in zip(total[window:], total, strict=False)]
                for total in (supply, demand)
            )
            columns += [s, d, [a - b for a, b in zip(s, d, strict=True)]]
        balance = [OPENING + s - d for s, d in zip(supply, demand, strict=True)]
        return [*columns, balance], next((day for day, wafers in enumerate(balance) if wafers < 0), -1)

    def answer(self, result: list[tuple[list[list[int]], int]]) -> History:
        """Say it by key."""
        columns, first_short = zip(*result, strict=True)
        *sums, balance = np.array(columns, dtype=np.int64).transpose(1, 0, 2)
        return History(False, sums[0::3], sums[1::3], sums[2::3], balance, np.array(first_short))


class Instants:
    """W2: sorted by time, a deque and a sum for each key."""

    def __init__(self, events: Events) -> None:
        """Make the tuples: time, place in the order of arrival, key, net."""
        columns = (events.time, range(events.time.size), events.key, events.signed)
        self.events = list(zip(*(c if isinstance(c, range) else c.tolist() for c in columns), strict=True))

    def run(self) -> list[int]:
        """Return the net at each event."""
        inside: defaultdict[int, deque[tuple[int, int, int]]] = defaultdict(deque)
        sums: defaultdict[int, int] = defaultdict(int)
        nets = [0] * len(self.events)
        for time, place, key, net in sorted(self.events):
            window = inside[key]
            total = sums[key] + net
            while window and window[0][0] <= time - INSTANT_MS:
                total -= window.popleft()[1]
            sums[key] = nets[place] = total
            window.append((time, net, place))
            for earlier in reversed(window):
                if earlier[0] != time:
                    break
                nets[earlier[2]] = total
        return nets

    @staticmethod
    def answer(result: list[int]) -> Ints:
        """Make an array of it."""
        return np.array(result, dtype=np.int64)


class Sums:
    """The running sums of each key in lists, and the wafers of each day in a dict of dicts."""

    def __init__(self, history: Events, windows: Sequence[int]) -> None:
        """Take the history."""
        self.windows, self.today = windows, int(history.day.max(initial=0))
        daily = daily_sums(history)[:, :, : self.today + 1]
        since = [max(0, self.today + 1 - window) for window in windows]
        sums = [daily[side, :, first:].sum(axis=1) for first in since for side in (SUPPLY, DEMAND)]
        self.sums: list[list[int]] = np.column_stack(sums).tolist()
        self.daily: defaultdict[int, dict[tuple[int, int], int]] = defaultdict(dict)
        for day in range(min(since), self.today + 1):
            for side in (SUPPLY, DEMAND):
                moved = np.flatnonzero(daily[side, :, day])
                cells = zip(moved.tolist(), daily[side, moved, day].tolist(), strict=True)
                self.daily[day].update(((key, side), wafers) for key, wafers in cells)

    def _add_to(self, key: int, side: int, day: int, wafers: int) -> None:
        sums = self.sums[key]
        for n, window in enumerate(self.windows):
            if day > self.today - window:
                sums[2 * n + side] += wafers

    def add(self, batch: Iterable[Row]) -> None:
        """Add events."""
        everywhere = [tuple(range(side, 2 * len(self.windows), 2)) for side in (SUPPLY, DEMAND)]
        for day, key, side, wafers in batch:
            if day > self.today:
                self.end_days(day)
            daily, cell = self.daily[day], (key, side)
            daily[cell] = daily.get(cell, 0) + wafers
            if day == self.today:
                sums = self.sums[key]
                for n in everywhere[side]:
                    sums[n] += wafers
            else:
                self._add_to(key, side, day, wafers)

    def end_days(self, newest: int) -> None:
        """Subtract the wafers that leave the windows."""
        for n, window in enumerate(self.windows):
            for day in range(self.today - window + 1, newest - window + 1):
                for (key, side), wafers in self.daily.get(day, {}).items():
                    self.sums[key][2 * n + side] -= wafers
        for day in range(self.today - max(self.windows) + 1, newest - max(self.windows) + 1):
            self.daily.pop(day, None)
        self.today = newest

    def row(self, key: int) -> list[int]:
        """Return a key's row."""
        sums = self.sums[key]
        row = []
        for n in range(0, len(sums), 2):
            row += [sums[n], sums[n + 1], sums[n] - sums[n + 1]]
        return row


class Streamed:
    """W3, sums alone, by lists and dicts."""

    def __init__(self, history: Events, windows: Sequence[int]) -> None:
        """Take the history."""
        self.sums = Sums(history, windows)

    @staticmethod
    def prepare(batch: Events) -> list[Row]:
        """Make the tuples."""
        return listed_by_day(batch)

    def add(self, batch: list[Row]) -> Rows:
        """Return the rows of the batch's keys."""
        self.sums.add(batch)
        return {key: self.sums.row(key) for key in {row[1] for row in batch}}

    @staticmethod
    def answer(result: Rows) -> Touched:
        """Make arrays of it."""
        return Touched(np.array(list(result)), np.array(list(result.values()), dtype=np.int64))
