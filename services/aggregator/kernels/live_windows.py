"""Compiled loops over the windows that end today; `fold/windows.py` checks their arguments, they trust them.

A window of w days that ends on a day holds that day and the w - 1 before it. Everything lies by day first and by key
last: events arrive almost in the order of their days, so they meet a row that is in the cache, and keys that lie side
by side are worked on eight at a time. A side is 0 for supply and 1 for demand; wafers are signed, a reversal is
negative.

Row 0 is all days before the horizon, rows 1 to H are its days; rows after today's are not filled yet. A row counts all
days up to its own, so the sum of a window is the distance between two rows, and a late movement is added to every row
from its day to today's.

Each kernel is in one file with the functions that it calls: numba's cache does not notice a change in another file.
"""

import numpy as np
from numba import int64, njit, types, uint64

from services.aggregator.kernels.arrays import Index, Wafers

KEYS_AT_ONCE = 1024  # so many keys' rows of the longest window stay in the cache together
BLOCK = 16  # days to a kept lowest balance
HIGHEST = 2**62  # above every balance

# The places in `state`: today's row, the batches added, the wafers of all movements with signs left out and how many
# they may be, the keys in use, the day of row 1, and from WINDOWS on the windows' days, ascending. One array, because
# to hand an array over takes longer than to add a movement.
TODAY, BATCH, TOTAL, TOTAL_MAX, KEYS, START, WINDOWS = range(7)
DAY_MAX = 2**31  # either way
WAFERS_MAX = 2**40  # of one movement, either way

_COLUMN = types.Array(types.int64, 1, "C", readonly=True)  # those of Arrow and of messages cannot be written to
_LINE, _TABLE, _CUBE = types.int64[::1], types.int64[:, ::1], types.int64[:, :, ::1]
_ADD_WINDOWS = types.int64(
    _CUBE, _TABLE, _TABLE, _TABLE, _LINE, _TABLE, _LINE, _LINE, *4 * [_COLUMN], _LINE, _CUBE, _TABLE
)


@njit(nogil=True)
def admit_batch(state: Index, room: int, rows: int, day: Index, key: Index, side: Index, wafers: Wafers) -> int:
    """Return the keys in use once a batch is added, after counting its wafers; -1 where a value is out of bounds."""
    if day.size > rows or key.size != day.size or side.size != day.size or wafers.size != day.size:
        return -1
    day_bits, key_max, side_bits, wafers_bits, total = uint64(0), uint64(0), int64(0), uint64(0), 0
    for n in range(day.size):
        day_bits |= uint64(day[n] + DAY_MAX)
    for n in range(key.size):
        key_max = max(key_max, uint64(key[n]))
    for n in range(side.size):
        side_bits |= side[n]
    for n in range(wafers.size):
        wafers_bits |= uint64(wafers[n] + WAFERS_MAX)
        total += abs(wafers[n])
    in_bounds = day_bits < 2 * DAY_MAX and key_max < room and 0 <= side_bits <= 1 and wafers_bits < 2 * WAFERS_MAX
    if not in_bounds or total > state[TOTAL_MAX] - state[TOTAL]:
        return -1
    state[TOTAL] += total
    state[BATCH] += 1
    return max(int(state[KEYS]), int(int64(key_max)) + 1) if key.size else int(state[KEYS])


@njit(nogil=True)
def _lowest(balance: Wafers, low: Wafers, first: int, last: int, key: int) -> int:
    """Return the lowest balance of a key in the rows from the first to the last, whole blocks by their lowest."""
    lowest, row = HIGHEST, first
    while row <= last:
        if (row - 1) % BLOCK == 0 and row + BLOCK - 1 <= last:
            lowest = min(lowest, low[(row - 1) // BLOCK, key])
            row += BLOCK
        else:
            lowest = min(lowest, balance[row, key])
            row += 1
    return lowest


@njit(nogil=True)
def _first_short(balance: Wafers, low: Wafers, first: int, today: int, key: int) -> int:
    """Return the first row from `first` to today with a balance below zero, -1 for none."""
    row = first
    while row <= today:
        if balance[row, key] < 0:
            return row
        if (row - 1) % BLOCK == 0 and row + BLOCK - 1 < today and low[(row - 1) // BLOCK, key] >= 0:
            row += BLOCK
        else:
            row += 1
    return -1


@njit(nogil=True)
def _lower(lowest: Wafers, other: Wafers) -> None:
    """Take the lower of two rows of balances into the first."""
    for key in range(lowest.size):
        lowest[key] = min(lowest[key], other[key])


@njit(nogil=True)
def _carry_forward(
    flow: Wafers,
    balance: Wafers,
    low: Wafers,
    past: Wafers,
    short: Index,
    windows: Index,
    today: int,
    until: int,
    keys: int,
) -> None:
    """Carry the last filled row forward; update the lowest balances and first short rows of the days before `until`."""
    for row in range(today + 1, until + 1):
        flow[row, :keys] = flow[row - 1, :keys]
        balance[row, :keys] = balance[row - 1, :keys]
        if row > 1:
            block = (row - 2) // BLOCK
            if (row - 2) % BLOCK == 0:
                low[block, :keys] = balance[row - 1, :keys]
            else:
                _lower(low[block, :keys], balance[row - 1, :keys])
    for since in range(0, keys, KEYS_AT_ONCE):
        to = min(since + KEYS_AT_ONCE, keys)
        row = until - 1
        for window in range(windows.size):
            lowest = past[window, since:to]
            if window == 0:
                lowest[:] = HIGHEST
            else:
                lowest[:] = past[window - 1, since:to]
            first = max(until - windows[window] + 1, 1)
            while row >= first:
                if row % BLOCK == 0 and row - BLOCK + 1 >= first:
                    _lower(lowest, low[row // BLOCK - 1, since:to])
                    row -= BLOCK
                else:
                    _lower(lowest, balance[row, since:to])
                    row -= 1
    first = max(until - windows[windows.size - 1] + 1, 1)
    for key in range(keys):
        if 0 <= short[key] < first:
            short[key] = _first_short(balance, low, first, until, key)


@njit(nogil=True)
def _repair(
    flow: Wafers,
    balance: Wafers,
    low: Wafers,
    past: Wafers,
    short: Index,
    windows: Index,
    today: int,
    row: int,
    key: int,
    supply: int,
    more: int,
) -> None:
    """Add a late movement to each row from its day to today's; repair the lowest balances and first short row."""
    longest = max(today - windows[windows.size - 1] + 1, 1)
    unmet = flow[row - 1, key, 1] if row > 0 else 0
    lowest, below = HIGHEST, -1
    for later in range(row, today + 1):
        now = balance[later, key] + more
        balance[later, key] = now
        flow[later, key, 0] += supply
        unmet = max(unmet, -now)
        flow[later, key, 1] = unmet
        if later < today:
            lowest = min(lowest, now)
        if now < 0 and below < 0 and later >= longest:
            below = later
    if not 0 <= short[key] < row:  # a first short day before the late one stays
        short[key] = below
    first = max(row, 1)
    block = (first - 1) // BLOCK
    if first < today:
        low[block, key] = HIGHEST
        for each in range(block * BLOCK + 1, min((block + 1) * BLOCK, today - 1) + 1):
            low[block, key] = min(low[block, key], balance[each, key])
    for whole in range(block + 1, (today - 2) // BLOCK + 1):
        low[whole, key] += more
    for window in range(windows.size):
        begin = max(today - windows[window] + 1, 1)
        if begin >= today:
            continue  # it has no day before today
        if begin >= row:
            past[window, key] += more
        elif more <= 0:
            past[window, key] = min(past[window, key], lowest)
        elif past[window, key] == lowest - more:  # the lowest may have been here: look for it again
            past[window, key] = _lowest(balance, low, begin, today - 1, key)


@njit(nogil=True)
def _report(
    flow: Wafers,
    balance: Wafers,
    past: Wafers,
    short: Index,
    windows: Index,
    today: int,
    start: int,
    touched: Index,
    figures: Wafers,
    outlook: Index,
) -> None:
    """Write the figures and the outlook of the touched keys."""
    now, balance_now = flow[today], balance[today]
    for window in range(windows.size):
        row = max(today - windows[window], 0)
        before, balance_before, lowest = flow[row], balance[row], past[window]
        for n in range(touched.size):
            of = uint64(touched[n])
            supply, net = now[of, 0] - before[of, 0], balance_now[of] - balance_before[of]
            figures[window, 0, n] = supply
            figures[window, 1, n] = supply - net
            figures[window, 2, n] = net
            figures[window, 3, n] = min(lowest[of], balance_now[of])
            figures[window, 4, n] = now[of, 1] - before[of, 1]
    cover_days = 100 * windows[1]
    for n in range(touched.size):
        of = uint64(touched[n])
        demand = figures[1, 1, n]
        outlook[0, n] = balance_now[of]
        outlook[1, n] = start - 1 + short[of] if short[of] >= 0 else -1
        if demand > 0:
            outlook[2, n] = int64(uint64(max(balance_now[of], 0) * cover_days) // uint64(demand))
        else:
            outlook[2, n] = -1


@njit(_ADD_WINDOWS, nogil=True, cache=True)
def add_windows(
    flow: Wafers,  # [row, key, supply or unmet] wafers up to and on that day; state
    balance: Wafers,  # [row, key] wafers at the end of the day; state
    low: Wafers,  # [block, key] lowest balance of a block's days before today; state
    past: Wafers,  # [window, key] lowest balance of a window's days before today; state
    short: Index,  # [key] first row in the longest window with a balance below zero, -1 for none; state
    beyond: Wafers,  # [side, key] wafers after the horizon; state
    stamp: Index,  # [key] the last batch that touched it; state
    state: Index,  # [WINDOWS + window] see TODAY; state
    day: Index,  # [movement]
    key: Index,  # [movement]
    side: Index,  # [movement]
    wafers: Index,  # [movement] signed
    touched: Index,  # [touched] keys; output
    figures: Wafers,  # [window, supply or demand or net or lowest balance or unmet, touched] wafers; output
    outlook: Index,  # [balance, first short day or -1, cover in hundredths of a day or -1; touched]; output
) -> np.int64:
    """Add a batch; return how many keys it touched, -1 and nothing is changed where a value is out of bounds.

    Unmet is the growth of the running maximum of -balance: demand that had to wait. Cover is how long the balance
    lasts at the demand of the second window.
    """
    keys = admit_batch(state, stamp.size, touched.size, day, key, side, wafers)
    if keys < 0:
        return int64(-1)
    windows, start = state[WINDOWS:], state[START]
    today, batch, horizon, found = state[TODAY], state[BATCH], balance.shape[0] - 1, 0
    for new in range(state[KEYS], keys):
        for window in range(windows.size):
            past[window, new] = 0 if min(windows[window], today) > 1 else HIGHEST
    state[KEYS] = keys
    for n in range(day.size):
        of, many = uint64(key[n]), wafers[n]
        supply = many * (1 - side[n])
        more = many - 2 * many * side[n]
        row = max(day[n] - start + 1, 0)
        if stamp[of] != batch:
            stamp[of], touched[found] = batch, int64(of)
            found += 1
        if row > horizon:
            beyond[uint64(side[n]), of] += many
            continue
        if row > today:
            _carry_forward(flow, balance, low, past, short, windows, today, row, keys)
            today = row
        if row < today:
            _repair(flow, balance, low, past, short, windows, today, row, of, supply, more)
            continue
        now = balance[row, of] + more
        balance[row, of] = now
        flow[row, of, 0] += supply
        flow[row, of, 1] = max(flow[row - 1, of, 1], -now)
        if short[of] < 0 and now < 0:
            short[of] = row
        elif short[of] == row and now >= 0:
            short[of] = -1
    state[TODAY] = today
    _report(flow, balance, past, short, windows, today, start, touched[:found], figures, outlook)
    return int64(found)
