"""Rolling windows over days: of a whole history at once, and those that end today batch by batch."""

import math
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.aggregator.kernels import history as history_kernels
from services.aggregator.kernels import live_windows as kernels
from services.aggregator.kernels.arrays import Daily, Index, Wafers
from shared.wire.days import day_number

SUPPLY, DEMAND = 0, 1
DAYS_MAX = 40_000
KEYS_MAX = 2**22
ROWS_MAX = 2**22  # of one batch
OPENING_MAX = 2**62
MILLISECONDS = 86_400_000  # of a day


class WindowHistory(NamedTuple):
    """The sums of every window on every day; days count from the history's start."""

    sums: Wafers  # [window, supply or demand or net, day, key] wafers in the window that ends on that day
    balance: Wafers  # [day, key] wafers at the end of the day
    first_short: Index  # [key] the first day with a balance below zero, -1 for none
    daily: Daily  # [day, side, key] wafers on that day, in int32 where they fit


class TouchedWindows(NamedTuple):
    """The windows that end today of the keys that a batch touched: views that the next batch writes over."""

    keys: Index  # [touched]
    windows: Wafers  # [window, supply or demand or net or lowest balance or unmet demand, touched] wafers
    balance: Wafers  # [touched] wafers
    first_short: Index  # [touched] first day in the longest window that is below zero, days since 1970; -1 for none
    cover: Index  # [touched] hundredths of a day that the balance lasts at the second window's demand; -1 without any


def roll_history(
    time: Index,
    key: NDArray[np.int32],
    side: NDArray[np.uint8],
    wafers: NDArray[np.int32],
    *,
    keys: int,
    start: date,
    days: int,
    windows: Sequence[int] = (7, 30, 90),
    opening: int | Wafers = 0,
    ticks: int = MILLISECONDS,
    out: WindowHistory | None = None,
) -> WindowHistory:
    """Return the windows, the balance and the first short day of each key over some days from the start.

    In row n, `wafers[n]` (signed: a reversal is negative) are supplied (side 0) or demanded (1) at `time[n]`,
    in ticks since 1970, `ticks` of them a day. Rows may come in any order; it is quickest when most follow each other
    in time. `opening` is each key's balance before the first day. `out`, an earlier return value of the same shape,
    is written over and saves asking for memory. Raise ValueError for a value out of bounds, such as a day outside.
    """
    _check_horizon(start, days, windows, keys)
    if not 1 <= ticks <= 2**40:
        raise ValueError(f"ticks is {ticks}, not 1 to {2**40}")
    for name, column in (("key", key), ("side", side), ("wafers", wafers)):
        if column.shape != time.shape:
            raise ValueError(f"{name} has {column.size} rows, time has {time.size}")
    opened = np.broadcast_to(np.asarray(opening, dtype=np.int64), keys).copy()
    for n in np.flatnonzero((opened < -OPENING_MAX) | (opened > OPENING_MAX))[:1]:
        raise ValueError(f"opening[{n}] is {opened[n]}, not {-OPENING_MAX} to {OPENING_MAX}")
    if out is None:
        shape = (len(windows), 3, days, keys)
        balance, first_short = (np.empty(shape[at:], dtype=np.int64) for at in (2, 3))
        out = WindowHistory(_aligned(shape), balance, first_short, np.empty((days, 2, keys), dtype=np.int32))
    elif out.sums.shape != (len(windows), 3, days, keys):
        raise ValueError(f"out has the shape {out.sums.shape}, not {(len(windows), 3, days, keys)}")
    begin = day_number(start) * ticks
    added = int(history_kernels.sum_days(out.daily, time, key, side, wafers, begin, ticks))
    if added < time.size:
        _refuse_event(time, key, side, keys, begin, days * ticks, added)
        out = out._replace(daily=np.empty((days, 2, keys), dtype=np.int64))  # in bounds, but the sum does not fit int32
        return roll_history(
            time,
            key,
            side,
            wafers,
            keys=keys,
            start=start,
            days=days,
            windows=windows,
            opening=opening,
            ticks=ticks,
            out=out,
        )
    span = np.array(windows, dtype=np.int64)
    history_kernels.roll_days(out.sums, out.balance, out.first_short, out.daily, span, opened)
    return out


def _check_horizon(start: date, days: int, windows: Sequence[int], keys: int) -> None:
    if start < date(1970, 1, 1):
        raise ValueError(f"start is {start}, before 1970")
    if not 1 <= days <= DAYS_MAX:
        raise ValueError(f"days is {days}, not 1 to {DAYS_MAX}")
    if not 1 <= keys <= KEYS_MAX:
        raise ValueError(f"keys is {keys}, not 1 to {KEYS_MAX}")
    for n, window in enumerate(windows):
        if not 1 <= window <= DAYS_MAX:
            raise ValueError(f"windows[{n}] is {window}, not 1 to {DAYS_MAX}")


def _refuse_event(
    time: Index, key: NDArray[np.int32], side: NDArray[np.uint8], keys: int, begin: int, span: int, n: int
) -> None:
    """Raise ValueError for the first value of row n that is out of bounds, if there is one."""
    bounds = (("time", time[n], begin, begin + span - 1), ("key", key[n], 0, keys - 1), ("side", side[n], 0, 1))
    for name, value, low, high in bounds:
        if not low <= value <= high:
            raise ValueError(f"{name}[{n}] is {value}, not {low} to {high}")


class LiveWindows:
    """The windows that end today, kept up to date batch by batch: sums, lowest balance, unmet demand, cover.

    Today is the greatest day seen inside the horizon. A movement may come however late and in any order: a late one
    is added to every day since its own. Movements before the horizon are in the balance and in no window; those beyond
    it are kept apart in `beyond`, and never move today. Unmet demand is the growth of the running maximum of -balance,
    by the end of each day, in the window: wafers that had to wait for the first time. All is a function of the
    movements added, not of their order or their batches.

    Memory: a key takes 24 × (H + 1) + 8 × (⌈H / 16⌉ + W + 4) bytes for H days and W windows; room for keys grows by
    doubling, from `keys`. Rows after today, and keys not in use, cost address space only.
    """

    def __init__(self, start: date, days: int, windows: Sequence[int] = (1, 7, 30, 90, 365), *, keys: int = 64) -> None:
        _check_horizon(start, days, windows, keys)
        if len(windows) < 2 or list(windows) != sorted(set(windows)):
            raise ValueError(f"windows are {list(windows)}, not two or more that grow")
        self.start, self.days, self.windows = day_number(start), days, tuple(windows)
        # so that neither a balance nor the product that its cover is divided from can leave int64
        self.wafers_total_max = (2**63 - 1) // (100 * windows[1])
        self.beyond: Wafers = np.zeros((2, 0), dtype=np.int64)  # [side, key] wafers after the horizon
        self._state: Index = np.zeros(kernels.WINDOWS + len(windows), dtype=np.int64)
        self._state[kernels.TODAY], self._state[kernels.START] = 1, self.start
        self._state[kernels.TOTAL_MAX], self._state[kernels.WINDOWS :] = self.wafers_total_max, windows
        self._stamp: Index = np.zeros(0, dtype=np.int64)
        self._touched: Index = np.zeros(0, dtype=np.int64)
        self._make_room(keys)
        self._make_buffers(512)

    @property
    def today(self) -> int:
        """The greatest day seen inside the horizon, days since 1970; its first before there is one."""
        return self.start - 1 + int(self._state[kernels.TODAY])

    @property
    def keys(self) -> int:
        """How many keys are in use: one more than the greatest seen."""
        return int(self._state[kernels.KEYS])

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays that grow with the keys."""
        arrays = (self._flow, self._balance, self._low, self._past, self._short, self.beyond, self._stamp)
        return sum(each.nbytes for each in arrays)

    def add(self, day: Index, key: Index, side: Index, wafers: Wafers) -> TouchedWindows:
        """Return the windows of the keys that a batch touches, each once, in the order of their first row.

        Row n moves `wafers[n]` (signed: a reversal is negative) of `key[n]` to hand (side 0) or from it (1) on
        `day[n]`, days since 1970. Raise ValueError, and add nothing, for a value out of bounds.
        """
        found = kernels.add_windows(
            self._flow, self._balance, self._low, self._past, self._short, self.beyond, self._stamp, self._state,
            day, key, side, wafers, self._touched, self._figures, self._outlook,
        )  # fmt: skip
        if found < 0:
            self._refuse_or_make_room(day, key, side, wafers)
            return self.add(day, key, side, wafers)
        balance, first_short, cover = self._outlook[:, :found]
        return TouchedWindows(self._touched[:found], self._figures[:, :, :found], balance, first_short, cover)

    def _refuse_or_make_room(self, day: Index, key: Index, side: Index, wafers: Wafers) -> None:
        """Raise ValueError for the first value that is out of bounds; otherwise make the room that was missing."""
        bounds = (
            ("day", day, -kernels.DAY_MAX, kernels.DAY_MAX - 1),
            ("key", key, 0, KEYS_MAX - 1),
            ("side", side, 0, 1),
            ("wafers", wafers, -kernels.WAFERS_MAX, kernels.WAFERS_MAX - 1),
        )
        if day.size > ROWS_MAX:
            raise ValueError(f"day has {day.size} rows, more than {ROWS_MAX}")
        for name, column, low, high in bounds:
            if column.shape != day.shape:
                raise ValueError(f"{name} has {column.size} rows, day has {day.size}")
            for n in np.flatnonzero((column < low) | (column > high))[:1]:
                raise ValueError(f"{name}[{n}] is {column[n]}, not {low} to {high}")
        total = int(self._state[kernels.TOTAL]) + int(np.abs(wafers).sum())
        if total > self.wafers_total_max:
            rows, most = wafers.size, self.wafers_total_max
            raise ValueError(f"wafers[0..{rows - 1}] bring the sum of all movements to {total}, beyond {most}")
        if day.size > self._touched.size:
            self._make_buffers(1 << (day.size - 1).bit_length())
        if key.max() >= self._stamp.size:
            self._make_room(1 << int(key.max()).bit_length())

    def _make_room(self, keys: int) -> None:
        rows, blocks = self.days + 1, -(-self.days // kernels.BLOCK)
        flow, balance, low = (
            np.zeros(shape, dtype=np.int64) for shape in ((rows, keys, 2), (rows, keys), (blocks, keys))
        )
        past = np.zeros((len(self.windows), keys), dtype=np.int64)
        short = np.full(keys, -1, dtype=np.int64)
        if old := self._stamp.size:
            filled = int(self._state[kernels.TODAY]) + 1
            flow[:filled, :old], balance[:filled, :old] = self._flow[:filled], self._balance[:filled]
            low[:, :old], past[:, :old], short[:old] = self._low, self._past, self._short
        self._flow: Wafers = flow  # [row, key, supply or unmet] wafers up to and on that day
        self._balance: Wafers = balance  # [row, key] wafers at the end of the day
        self._low: Wafers = low  # [block, key] lowest balance of a block's days before today
        self._past: Wafers = past  # [window, key] lowest balance of a window's days before today
        self._short: Index = short  # [key] first short row in the longest window, -1 for none
        self.beyond, self._stamp = _widened(self.beyond, keys), _widened(self._stamp, keys)

    def _make_buffers(self, rows: int) -> None:
        self._touched = np.empty(rows, dtype=np.int64)
        self._figures: Wafers = np.empty((len(self.windows), 5, rows), dtype=np.int64)
        self._outlook: Index = np.empty((3, rows), dtype=np.int64)


def _aligned(shape: tuple[int, ...]) -> Wafers:
    """Return an array, not filled, that begins where a line of the cache does."""
    size = math.prod(shape)
    room = np.empty(size + history_kernels.LANES, dtype=np.int64)
    first = -(room.ctypes.data // 8) % history_kernels.LANES
    return room[first : first + size].reshape(shape)


def _widened(old: Wafers, keys: int) -> Wafers:
    """Return an array with room for more keys along its last axis, zero where there were none."""
    wide = np.zeros((*old.shape[:-1], keys), dtype=np.int64)
    wide[..., : old.shape[-1]] = old
    return wide
