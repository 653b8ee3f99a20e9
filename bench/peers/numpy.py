"""The workloads with numpy, without a loop in Python over events, keys or days."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

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
)

_AT_ONCE = 1 << 15  # events


class Buffers:
    """The arrays that a history is written into, made once: a new page costs more than the sums in it."""

    def __init__(self, shape: tuple[int, int], dtype: type = np.int64) -> None:
        """Make them; the round that warms touches each page."""
        self.sums = np.zeros((len(WINDOWS), 3, *shape), dtype=dtype)
        self.balance = np.zeros(shape, dtype=dtype)


class Bins:
    """Sums events into days by `bincount`: a cell for each day, side and key, in either order."""

    def __init__(self, events: Events, by_day: bool) -> None:
        """Make the columns that are written over."""
        self.events, self.by_day = events, by_day
        self.wafers = events.wafers.astype(np.float64)  # as bincount wants them; the sums stay below 2^53
        self.cell = np.zeros_like(events.time)

    def sum(self) -> NDArray[np.float64]:
        """Return the wafers of each day, `[day, side, key]` or `[side, key, day]`."""
        events, cells = self.events, 2 * self.events.keys * self.events.days
        for first in range(0, events.time.size, _AT_ONCE):  # intermediate results stay in the cache
            part = slice(first, first + _AT_ONCE)
            cell = self.cell[part]
            if self.by_day:
                np.subtract(events.time[part], START_MS, out=cell)
                np.floor_divide(cell, DAY_MS, out=cell)
                for column, times in ((events.side, 2), (events.key, events.keys)):
                    np.multiply(cell, times, out=cell)
                    np.add(cell, column[part], out=cell)
            else:
                np.multiply(events.side[part], np.int64(events.keys), out=cell)
                np.add(cell, events.key[part], out=cell)
                np.multiply(cell, events.days, out=cell)
                np.add(cell, (events.time[part] - START_MS) // DAY_MS, out=cell)
        sums = np.bincount(self.cell, weights=self.wafers, minlength=cells)
        return sums.reshape((events.days, 2, events.keys) if self.by_day else (2, events.keys, events.days))


class Binned:
    """W1: `bincount` into days, then windows as distances between cumulative rows."""

    def __init__(self, events: Events) -> None:
        """Make the arrays that are written over."""
        self.bins = Bins(events, by_day=True)
        self.daily = np.zeros((events.days, 2, events.keys), dtype=np.int64)
        self.buffers = Buffers((events.days, events.keys))

    def run(self) -> History:
        """Return the history, by day."""
        np.copyto(self.daily, self.bins.sum(), casting="unsafe")
        return roll_by_day(self.daily, self.buffers)

    @staticmethod
    def answer(result: History) -> History:
        """Return it as it is."""
        return result


def roll_by_day(daily: Ints, buffers: Buffers) -> History:
    """Return the history of daily wafers `[day, side, key]`, by day; they are written over."""
    total = np.cumsum(daily, axis=0, out=daily)
    for window, (supply, demand, net) in zip(WINDOWS, buffers.sums, strict=True):
        for side, sums in enumerate((supply, demand)):
            sums[:window] = total[:window, side]
            np.subtract(total[window:, side], total[:-window, side], out=sums[window:])
        np.subtract(supply, demand, out=net)
    balance = np.subtract(total[:, SUPPLY], total[:, DEMAND], out=buffers.balance)
    balance += OPENING
    return history_by_day(buffers)


def history_by_day(buffers: Buffers) -> History:
    """Return the history that lies in the buffers, `[day, key]`, and the first short days."""
    is_short = buffers.balance < 0
    first_short = np.where(is_short.any(axis=0), is_short.argmax(axis=0), -1)
    supply, demand, net = zip(*buffers.sums, strict=True)
    return History(True, supply, demand, net, buffers.balance, first_short)


def roll_by_key(
    daily: NDArray[np.float64], move_sum: Callable[[NDArray[np.float64], int], NDArray[np.float64]]
) -> History:
    """Return the history of daily wafers `[side, key, day]`, by key."""
    supply, demand = zip(*(move_sum(daily, window) for window in WINDOWS), strict=True)
    balance = (daily[SUPPLY] - daily[DEMAND]).cumsum(axis=1)
    balance += OPENING
    is_short = balance < 0
    first_short = np.where(is_short.any(axis=1), is_short.argmax(axis=1), -1)
    net = [s - d for s, d in zip(supply, demand, strict=True)]
    return History(False, supply, demand, net, balance, first_short)


class Searched:
    """W2: sorted by key and time, each window found by binary search, its net a distance between cumulative sums."""

    def __init__(self, events: Events) -> None:
        """Take the events."""
        self.events, self.signed = events, events.signed

    def run(self) -> Ints:
        """Return the net at each event."""
        events = self.events
        span = events.days * DAY_MS + INSTANT_MS + 1  # no window reaches back into the key before
        place = events.key * np.int64(span) + (events.time - START_MS + INSTANT_MS)
        order = np.argsort(place, kind="stable")
        place = place[order]
        total = np.zeros(place.size + 1, dtype=np.int64)
        np.cumsum(self.signed[order], out=total[1:])
        net = np.empty_like(place)
        until = np.searchsorted(place, place, side="right")
        since = np.searchsorted(place, place - INSTANT_MS, side="right")
        net[order] = total[until] - total[since]
        return net

    @staticmethod
    def answer(result: Ints) -> Ints:
        """Return it as it is."""
        return result


class Streamed:
    """W3, sums alone: cumulative rows by day, as ours has them; a batch is added by `bincount` and read by index."""

    def __init__(self, history: Events, windows: Sequence[int]) -> None:
        """Take the history."""
        self.windows, self.keys = windows, history.keys
        self.total = Bins(history, by_day=True).sum().astype(np.int64).cumsum(axis=0)
        self.today = int(history.day.max(initial=0))

    @staticmethod
    def prepare(batch: Events) -> tuple[Ints, Ints, Ints, Ints]:
        """Make columns of int64, with the day instead of the time."""
        return batch.day, batch.key.astype(np.int64), batch.side.astype(np.int64), batch.wafers.astype(np.int64)

    def add(self, batch: tuple[Ints, Ints, Ints, Ints]) -> Touched:
        """Return the rows of the batch's keys."""
        day, key, side, wafers = batch
        newest = int(day.max())
        if newest > self.today:
            self.total[self.today + 1 : newest + 1] = self.total[self.today]
            self.today = newest
        for n in np.flatnonzero(day < self.today).tolist():
            self.total[day[n] : self.today, side[n], key[n]] += wafers[n]
        np.add.at(self.total[self.today].reshape(-1), side * self.keys + key, wafers)
        keys = np.unique(key)
        now = self.total[self.today][:, keys]
        rows = np.empty((keys.size, 3 * len(self.windows)), dtype=np.int64)
        for n, window in enumerate(self.windows):
            sums = now - self.total[self.today - window][:, keys] if window <= self.today else now
            rows[:, 3 * n], rows[:, 3 * n + 1] = sums
            np.subtract(sums[SUPPLY], sums[DEMAND], out=rows[:, 3 * n + 2])
        return Touched(keys, rows)

    @staticmethod
    def answer(result: Touched) -> Touched:
        """Return it as it is."""
        return result
