"""The workloads of the kernel benchmark and their answers, in int64 numpy, too plain to be wrong.

- W1 replays a history: for each key and day supply, demand and net of the last 7, 30 and 90 days, the balance, and for
  each key its first short day.
- W2 returns at each event the net of its key over the 30 days up to that instant, events at the same instant included.
- W3 goes on from two years of history in batches of 500 events; after each it returns all windows of the keys in it.

This module needs numpy alone: it is loaded into the environment of every peer.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

DAY_MS = 86_400_000
DAYS = 1_096
START_MS = 1_672_531_200_000  # 2023-01-01 in UTC
OPENING = 60  # wafers of each key before the first day
LATE = 0.02  # of the events
LATE_DAYS = 10  # at most
SUPPLY, DEMAND = 0, 1
WINDOWS = (7, 30, 90)  # days, of W1, and of W3 for sums alone
ALL_WINDOWS = (1, 7, 30, 90, 365)  # days, of W3 in full
INSTANT_MS = 30 * DAY_MS  # the window of W2
BATCH = 500  # events, of W3
HISTORY_SHARE = 0.6  # of the events are W3's history: the longest window is full, and there are days to come


class Events(NamedTuple):
    """Movements in the order of arrival: the same columns for every contender."""

    time: Ints  # [event] ms since 1970
    key: NDArray[np.int32]  # [event]
    side: NDArray[np.uint8]  # [event] 0 supply, 1 demand
    wafers: NDArray[np.int32]  # [event] 1 to 25
    keys: int
    days: int = DAYS

    def part(self, first: int, last: int) -> "Events":
        """Return the events from `first` to before `last`; nothing is copied."""
        columns = (column[first:last] for column in self[:4])
        return Events(*columns, keys=self.keys, days=self.days)

    @property
    def day(self) -> Ints:
        """The day of each event, from 0."""
        return (self.time - START_MS) // DAY_MS

    @property
    def signed(self) -> NDArray[np.int32]:
        """The wafers of each event, demand below zero."""
        return np.where(self.side == SUPPLY, self.wafers, -self.wafers)

    @property
    def bytes_each(self) -> int:
        """The bytes of the columns an event takes."""
        return sum(column.itemsize for column in self[:4])


def make_events(
    events: int,
    keys: int,
    days: int = DAYS,
    late: float = LATE,
    late_days: int = LATE_DAYS,
    first_day: int = 0,
    seed: int = 7,
) -> Events:
    """Return events that arrive evenly from a day on; some happened up to `late_days` before they arrived."""
    random = np.random.default_rng(seed)
    arrived = np.sort(random.integers(first_day * DAY_MS, days * DAY_MS, events, dtype=np.int64))
    is_late = random.random(events) < late
    delay = np.where(is_late, random.integers(1, late_days * DAY_MS + 1, events, dtype=np.int64), 0)
    key = random.integers(0, keys, events, dtype=np.int32)
    wafers = random.integers(1, 26, events, dtype=np.int32)
    side = (random.random(events) >= 0.5).astype(np.uint8)
    return Events(np.maximum(arrived - delay, 0) + START_MS, key, side, wafers, keys, days)


def save_events(folder: Path, events: Events) -> None:
    """Put the columns where other processes find them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in Events._fields[:4]:
        np.save(folder / f"{name}.npy", getattr(events, name))
    np.save(folder / "size.npy", np.array([events.keys, events.days]))


def load_events(folder: Path) -> Events:
    """Return the events that were put there, in memory of this process."""
    keys, days = np.load(folder / "size.npy").tolist()
    return Events(*(np.load(folder / f"{name}.npy") for name in Events._fields[:4]), keys=keys, days=days)


# ---------------------------------------------------------------- W1


class History(NamedTuple):
    """The answer of W1. Its arrays lie by day, `[day, key]`, or by key, `[key, day]`: whichever a contender likes."""

    by_day: bool
    supply: Sequence[NDArray[Any]]  # [window] of arrays, wafers over the window that ends with that day
    demand: Sequence[NDArray[Any]]
    net: Sequence[NDArray[Any]]
    balance: NDArray[Any]  # at the end of that day
    first_short: NDArray[Any]  # [key] the first day whose balance is below zero, -1 for none


def daily_sums(events: Events) -> Ints:
    """Return the wafers of each side on each day, `[side, key, day]`."""
    daily = np.zeros(2 * events.keys * events.days, dtype=np.int64)
    cell = (events.side.astype(np.int64) * events.keys + events.key) * events.days + events.day
    np.add.at(daily, cell, events.wafers.astype(np.int64))
    return daily.reshape(2, events.keys, events.days)


def windows_of(daily: Ints, window: int) -> Ints:
    """Return the sums over the `window` days that end with each day; the last axis is the day."""
    total = daily.cumsum(axis=-1)
    sums = total.copy()
    sums[..., window:] -= total[..., :-window]
    return sums


def history_of(events: Events) -> History:
    """Return W1's answer, by key."""
    daily = daily_sums(events)
    supply, demand = zip(*(windows_of(daily, window) for window in WINDOWS), strict=True)
    balance = OPENING + (daily[SUPPLY] - daily[DEMAND]).cumsum(axis=1)
    is_short = balance < 0
    first_short = np.where(is_short.any(axis=1), is_short.argmax(axis=1), -1)
    net = tuple(s - d for s, d in zip(supply, demand, strict=True))
    return History(False, supply, demand, net, balance, first_short)


def save_history(folder: Path, history: History) -> None:
    """Put the answer where other processes find it, by key and by day, so that each is compared with its own kind."""
    for name, arrays in _named(history):
        np.save(folder / f"{name}-by-key.npy", arrays)
        np.save(folder / f"{name}-by-day.npy", np.ascontiguousarray(arrays.T))


def wrong_history(folder: Path, history: History, keys: int) -> str | None:
    """Return the first difference from the stored answer of the first keys, None if every value is right."""
    lies = "by-day" if history.by_day else "by-key"
    for name, array in _named(history):
        expected = np.load(folder / f"{name}-{lies}.npy", mmap_mode="r")
        expected = expected[..., :keys] if history.by_day else expected[:keys]
        if (wrong := differs(name, array, expected)) is not None:
            return wrong
    return None


def differs(name: str, array: NDArray[Any], expected: NDArray[Any]) -> str | None:
    """Return where an array is not the one expected, None when it is."""
    if array.shape != expected.shape:
        return f"{name} has the shape {array.shape}, not {expected.shape}"
    if np.array_equal(array, expected):
        return None
    unequal = array != expected
    first = np.unravel_index(int(unequal.argmax()), array.shape)
    place = ", ".join(map(str, first))
    return f"{name}[{place}] is {array[first]}, not {expected[first]}; {int(unequal.sum()):,} values differ"


def _named(history: History) -> Iterator[tuple[str, NDArray[Any]]]:
    for n, window in enumerate(WINDOWS):
        for name in ("supply", "demand", "net"):
            yield f"{name}-{window}", getattr(history, name)[n]
    yield "balance", history.balance
    yield "first-short", history.first_short


# ---------------------------------------------------------------- W2


def net_at_each(events: Events) -> Ints:
    """Return W2's answer: for each event the net wafers of its key in the window that ends at its instant."""
    net = np.empty(events.time.size, dtype=np.int64)
    order = np.lexsort((events.time, events.key))
    time, signed = events.time[order], events.signed[order]
    edges = np.searchsorted(events.key[order], np.arange(events.keys + 1))
    for first, last in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        its = time[first:last]
        total = np.concatenate(([0], signed[first:last].cumsum(dtype=np.int64)))
        until = np.searchsorted(its, its, side="right")
        since = np.searchsorted(its, its - INSTANT_MS, side="right")
        net[order[first:last]] = total[until] - total[since]
    return net


# ---------------------------------------------------------------- W3


class Touched(NamedTuple):
    """The answer of W3 to one batch: a row for each key in it, in any order."""

    keys: NDArray[Any]  # [row]
    rows: NDArray[Any]  # [row, column] the columns of `columns_of`


def columns_of(windows: Sequence[int], full: bool) -> list[str]:
    """Return the names of the columns of W3's rows."""
    each = ("supply", "demand", "net", "least balance", "unmet") if full else ("supply", "demand", "net")
    rest = ("balance", "first short day", "cover") if full else ()
    return [f"{name} {window}" for window in windows for name in each] + list(rest)


class Stream:
    """W3's answers: every event is added to the sums of its day, and a query sums everything anew."""

    def __init__(self, history: Events) -> None:
        """Take the history."""
        self.daily = daily_sums(history)
        self.today = int(history.day.max(initial=0))

    def add(self, batch: Events) -> None:
        """Take a batch."""
        np.add.at(self.daily, (batch.side, batch.key, batch.day), batch.wafers.astype(np.int64))
        self.today = max(self.today, int(batch.day.max(initial=0)))

    def rows(self, keys: NDArray[Any], windows: Sequence[int], full: bool) -> Ints:
        """Return the row of each of some keys, of sums alone or in full, `[key, column]`."""
        supply, demand = self.daily[:, keys, : self.today + 1]
        balance = OPENING + (supply - demand).cumsum(axis=1)
        unmet = np.maximum.accumulate(np.maximum(-balance, 0), axis=1)  # wafers that had to wait for the first time
        columns = []
        for window in windows:
            since = max(0, self.today + 1 - window)
            supplied, demanded = supply[:, since:].sum(axis=1), demand[:, since:].sum(axis=1)
            columns += [supplied, demanded, supplied - demanded]
            if full:
                before = unmet[:, since - 1] if since else 0
                columns += [balance[:, since:].min(axis=1), unmet[:, -1] - before]
        if full:
            since = max(0, self.today + 1 - windows[-1])
            is_short = balance[:, since:] < 0
            first_short = np.where(is_short.any(axis=1), since + is_short.argmax(axis=1), -1)
            rate = columns[5 + 1]  # the second window's demand
            lasting = np.maximum(balance[:, -1], 0) * 100 * windows[1] // np.maximum(rate, 1)
            columns += [balance[:, -1], first_short, np.where(rate > 0, lasting, -1)]
        return np.column_stack(columns)


def wrong_rows(touched: Touched, batch: Events, rows: Ints) -> str | None:
    """Return the first difference from the rows of the batch's keys, sorted by key; None if every value is right."""
    order = np.argsort(touched.keys, kind="stable")
    return differs("keys", np.asarray(touched.keys)[order], np.unique(batch.key)) or differs(
        "rows", np.asarray(touched.rows)[order], rows
    )
