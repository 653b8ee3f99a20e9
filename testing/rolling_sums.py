"""Supply, demand and net of the windows that end today, and no more: a second design for tests and benchmarks.

It checks the sums of `LiveWindows`, and is the kernel that the benchmarks compare with libraries that sum windows.
"""

from typing import NamedTuple

import numpy as np
from numba import int64, njit, types, uint64

from services.aggregator.fold.windows import LiveWindows
from services.aggregator.kernels.arrays import Index, Wafers
from services.aggregator.kernels.live_windows import BATCH, KEYS, START, TODAY, WINDOWS, admit_batch

KEYS_IN_L1 = 256  # so many keys' windows stay in the first cache
_COLUMN = types.Array(types.int64, 1, "C", readonly=True)
_LINE, _TABLE, _CUBE = types.int64[::1], types.int64[:, ::1], types.int64[:, :, ::1]
_ADD_SUMS = types.int64(_CUBE, _CUBE, _TABLE, _LINE, _LINE, *4 * [_COLUMN], _LINE, _CUBE)


class TouchedSums(NamedTuple):
    """The windows that end today of the keys that a batch touched: views that the next batch writes over."""

    keys: Index  # [touched]
    windows: Wafers  # [touched, window, supply or demand or net] wafers


@njit(nogil=True)
def _open_day(moved: Wafers, before: Wafers, windows: Index, today: int, until: int, keys: int) -> None:
    """Carry the last filled row forward, and gather by key the row that each window begins after."""
    for row in range(today + 1, until + 1):
        moved[row, :keys] = moved[row - 1, :keys]
    for since in range(0, keys, KEYS_IN_L1):
        for window in range(windows.size):
            begin = moved[max(until - windows[window], 0)]
            for each in range(since, min(since + KEYS_IN_L1, keys)):
                before[uint64(each), window, 0] = begin[uint64(each), 0]
                before[uint64(each), window, 1] = begin[uint64(each), 1]


@njit(_ADD_SUMS, nogil=True)
def add_sums(
    moved: Wafers,  # [row, key, side] wafers up to and on that day; state
    before: Wafers,  # [key, window, side] wafers up to the day before the window; state
    beyond: Wafers,  # [side, key] wafers after the horizon; state
    stamp: Index,  # [key] the last batch that touched it; state
    state: Index,  # [WINDOWS + window] see TODAY; state
    day: Index,  # [movement]
    key: Index,  # [movement]
    side: Index,  # [movement]
    wafers: Index,  # [movement] signed
    touched: Index,  # [touched] keys; output
    sums: Wafers,  # [touched, window, supply or demand or net] wafers; output
) -> np.int64:
    """Add a batch; return how many keys it touched, -1 and nothing is changed where a value is out of bounds."""
    keys = admit_batch(state, stamp.size, touched.size, day, key, side, wafers)
    if keys < 0:
        return int64(-1)
    state[KEYS] = keys
    windows, start = state[WINDOWS:], state[START]
    today, batch, horizon, found = state[TODAY], state[BATCH], moved.shape[0] - 1, uint64(0)
    for n in range(day.size):
        of = uint64(key[n])
        touched[found] = key[n]  # the next one takes this place if it was touched before: no branch to guess wrong
        found += uint64(stamp[of] != batch)
        stamp[of] = batch
    now = moved[today]
    for n in range(day.size):
        of, way = uint64(key[n]), uint64(side[n])
        row = max(day[n] - start + 1, 0)
        if row == today:
            now[of, way] += wafers[n]
        elif row > horizon:
            beyond[way, of] += wafers[n]
        elif row > today:
            _open_day(moved, before, windows, today, row, keys)
            today, now = row, moved[row]
            now[of, way] += wafers[n]
        else:
            for later in range(row, today + 1):
                moved[uint64(later), of, way] += wafers[n]
            for window in range(windows.size):
                if row <= today - windows[window] or row == 0:
                    before[of, window, way] += wafers[n]
    state[TODAY] = today
    for n in range(found):
        of = uint64(touched[n])
        supplied, demanded = now[of, 0], now[of, 1]
        for window in range(windows.size):
            supply, demand = supplied - before[of, window, 0], demanded - before[of, window, 1]
            sums[n, window, 0], sums[n, window, 1], sums[n, window, 2] = supply, demand, supply - demand
    return int64(found)


class RollingSums(LiveWindows):
    """Supply, demand and net of the windows that end today, kept up to date batch by batch.

    Today, lateness and the horizon's edges are as with `LiveWindows`, but movements before the horizon are in no
    window. Memory: a key takes 16 × (H + 1 + W) + 24 bytes for H days and W windows.
    """

    def add(self, day: Index, key: Index, side: Index, wafers: Wafers) -> TouchedSums:  # type: ignore[override]
        """The windows of the keys that a batch touches, each once, in the order of their first row."""
        found = add_sums(
            self._moved, self._before, self.beyond, self._stamp, self._state,
            day, key, side, wafers, self._touched, self._sums,
        )  # fmt: skip
        if found < 0:
            self._refuse_or_make_room(day, key, side, wafers)
            return self.add(day, key, side, wafers)
        return TouchedSums(self._touched[:found], self._sums[:found])

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays that grow with the keys."""
        return sum(each.nbytes for each in (self._moved, self._before, self.beyond, self._stamp))

    def _make_room(self, keys: int) -> None:
        moved = np.zeros((self.days + 1, keys, 2), dtype=np.int64)
        before = np.zeros((keys, len(self.windows), 2), dtype=np.int64)
        stamp, beyond = np.zeros(keys, dtype=np.int64), np.zeros((2, keys), dtype=np.int64)
        if old := self._stamp.size:
            filled = int(self._state[TODAY]) + 1
            moved[:filled, :old], before[:old] = self._moved[:filled], self._before
            stamp[:old], beyond[:, :old] = self._stamp, self.beyond
        self._moved: Wafers = moved  # [row, key, side] wafers up to and on that day
        self._before: Wafers = before  # [key, window, side] wafers up to the day before the window
        self._stamp, self.beyond = stamp, beyond

    def _make_buffers(self, rows: int) -> None:
        self._sums: Wafers = np.empty((rows, len(self.windows), 3), dtype=np.int64)
        self._touched = np.empty(rows, dtype=np.int64)
