"""Compiled loops over the window at each event's instant; `fold/instants.py` checks their arguments, they trust them.

Each kernel is in one file with the functions that it calls: numba's cache does not notice a change in another file.
"""

import numpy as np
from numba import int64, njit, types, uint64
from numpy.typing import NDArray

from services.aggregator.kernels.arrays import Index, Wafers

SURVEYED = 2048  # events that are looked at several times while they are in the cache
EVER = 2**62  # ticks, before and after every event


def _given(dtype: types.Type) -> types.Type:
    """Return the type of a column that is only read: those of Arrow and of messages cannot be written to."""
    return types.Array(dtype, 1, "C", readonly=True)


_TIMES, _KEYS, _WAFERS = _given(types.int64), _given(types.int32), _given(types.int32)
_LINE, _TABLE, _SHORT_LINE = types.int64[::1], types.int64[:, ::1], types.int32[::1]


@njit(types.void(_LINE, _SHORT_LINE, _SHORT_LINE, _TIMES, _KEYS, types.int64, types.int64), nogil=True, cache=True)
def survey_instants(
    survey: Index,  # [events in bounds, late, tied]; output: fewer in bounds than there are where one is not
    late: NDArray[np.int32],  # [late] events that are earlier than one before them; output, room for all
    tied: NDArray[np.int32],  # [tied] events at the instant of the one before, if none is late; output, room for all
    time: Index,  # [event] ticks
    key: NDArray[np.int32],  # [event]
    keys: int,
    time_max: int,  # ticks, either way
) -> None:
    """Find late events and events that share an instant; each is noted without a branch, the next takes its place."""
    survey[:] = 0
    late_count, tied_count, latest = uint64(0), uint64(0), -EVER
    for first in range(0, time.size, SURVEYED):
        times, key_of = time[first : first + SURVEYED], key[first : first + SURVEYED]
        key_min, key_max, time_min = key_of[0], key_of[0], times[0]
        for n in range(times.size):
            key_min, key_max = min(key_min, key_of[n]), max(key_max, key_of[n])
        for n in range(times.size):
            time_min = min(time_min, times[n])
        for n in range(times.size):
            late[late_count] = tied[tied_count] = first + n
            late_count += uint64(times[n] < latest)
            tied_count += uint64(times[n] == latest)
            latest = max(latest, times[n])
        if key_min < 0 or key_max >= keys or time_min < -time_max or latest > time_max:
            return
        survey[0], survey[1], survey[2] = first + times.size, int64(late_count), int64(tied_count)


@njit(
    types.int64(_LINE, _SHORT_LINE, _SHORT_LINE, _LINE, _SHORT_LINE, _TIMES, _KEYS, _WAFERS, _SHORT_LINE, _LINE),
    nogil=True,
    cache=True,
)
def merge_late(
    time: Index,  # [event in order of time] ticks; output
    key: NDArray[np.int32],  # [event in order of time]; output
    wafers: NDArray[np.int32],  # [event in order of time] signed; output
    turn: Index,  # [late] when it is its turn in the order of time; output
    tied: NDArray[np.int32],  # [tied] events at the instant of the one before, in order of time; output, room for all
    time_given: Index,  # [event] ticks
    key_given: NDArray[np.int32],  # [event]
    wafers_given: NDArray[np.int32],  # [event] signed
    late: NDArray[np.int32],  # [late] which events, in order of time
    time_late: Index,  # [late, and one that never comes] ticks
) -> np.int64:
    """Merge the late events into the others, which were given in order of time; return how many are tied."""
    to, at, tied_count = uint64(0), uint64(0), uint64(0)
    before = latest = -EVER
    for n in range(uint64(time_given.size)):
        moment = time_given[n]
        if moment < latest:
            continue
        while time_late[at] < moment:
            event = uint64(late[at])
            time[to], key[to], wafers[to] = time_late[at], key_given[event], wafers_given[event]
            turn[at], tied[tied_count] = to, to
            tied_count += uint64(before == time_late[at])
            before = time_late[at]
            to, at = to + uint64(1), at + uint64(1)
        time[to], key[to], wafers[to] = moment, key_given[n], wafers_given[n]
        tied[tied_count] = to
        tied_count += uint64(before == moment)
        before = latest = moment
        to += uint64(1)
    return int64(tied_count)


@njit(types.void(_LINE, _LINE, _LINE, _SHORT_LINE, _SHORT_LINE), nogil=True, cache=True)
def put_back(
    net: Wafers,  # [event in order of time, then in the order given] wafers; state
    net_late: Wafers,  # [late] scratch
    turn: Index,  # [late, and one that never comes] when it is its turn in the order of time
    late: NDArray[np.int32],  # [late] which events, in the order given
    late_by_time: NDArray[np.int32],  # [late] the same in order of time
) -> None:
    """Put merged events back into the order given, in place.

    A late event's turn comes before its place in the order given, so all others only ever move to the front.
    """
    for n in range(net_late.size):
        net_late[n] = net[turn[n]]
    since, to, at = 0, 0, 0
    for hole in range(late.size + 1):
        end = late[hole] if hole < late.size else net.size
        while to < end:
            if since == turn[at]:
                since, at = since + 1, at + 1
                continue
            count = min(end - to, turn[at] - since)
            if since > to:
                for n in range(count):
                    net[uint64(to + n)] = net[uint64(since + n)]
            since, to = since + count, to + count
        to = end + 1
    for n in range(net_late.size):
        net[late_by_time[n]] = net_late[n]


@njit(nogil=True)
def _step(
    net: Wafers,
    running: Wafers,
    time: Index,
    key: NDArray[np.int32],
    wafers: NDArray[np.int32],
    window: int,
    head: int,
    tail: int,
) -> tuple[int, int]:
    """Take the tail's event out of the window if the head's no longer sees it, else the head's in; return both after.

    There is no branch to guess wrong: `gone` is -1 for the tail and 0 for the head, and works as a mask. The tail's
    write to the head's place is written over when the head moves. Indices are unsigned, which spares numba's look
    at whether they count from the end.
    """
    gone = (time[uint64(tail)] - (time[uint64(head)] - window) - 1) >> 63
    event = uint64(head ^ ((head ^ tail) & gone))
    of = uint64(key[event])
    now = ((int64(wafers[event]) ^ gone) - gone) + running[of]
    running[of] = now
    net[uint64(head)] = now
    return head + 1 + gone, tail - gone


@njit(types.void(_LINE, _TABLE, _TIMES, _KEYS, _WAFERS, types.int64), nogil=True, cache=True)
def roll_instants(
    net: Wafers,  # [event in order of time] wafers of its key in the window that ends with it; output
    running: Wafers,  # [4, key] scratch
    time: Index,  # [event in order of time] ticks
    key: NDArray[np.int32],  # [event in order of time]
    wafers: NDArray[np.int32],  # [event in order of time] signed
    window: int,  # ticks
) -> None:
    """Sum the window (t - window, t] of each event's key, those before it in order of time counted and itself.

    One head and one tail go through all keys' events together. Four quarters are worked on in turn, because a step
    waits for the one before it: each begins with the window that ends before it.
    """
    count = time.size
    running[:] = 0
    quarters = np.empty(5, np.int64)
    tails = np.empty(4, np.int64)
    for n in range(5):
        quarters[n] = count * n // 4
    for n in range(4):
        if quarters[n] < count:
            tails[n] = np.searchsorted(time, time[quarters[n]] - window, side="right")
            for event in range(tails[n], quarters[n]):
                running[n, key[event]] += wafers[event]
    sum_a, sum_b, sum_c, sum_d = running[0], running[1], running[2], running[3]
    a, b, c, d = quarters[0], quarters[1], quarters[2], quarters[3]
    tail_a, tail_b, tail_c, tail_d = tails[0], tails[1], tails[2], tails[3]
    end_a, end_b, end_c, end_d = quarters[1], quarters[2], quarters[3], quarters[4]
    while a < end_a and b < end_b and c < end_c and d < end_d:
        a, tail_a = _step(net, sum_a, time, key, wafers, window, a, tail_a)
        b, tail_b = _step(net, sum_b, time, key, wafers, window, b, tail_b)
        c, tail_c = _step(net, sum_c, time, key, wafers, window, c, tail_c)
        d, tail_d = _step(net, sum_d, time, key, wafers, window, d, tail_d)
    while a < end_a:
        a, tail_a = _step(net, sum_a, time, key, wafers, window, a, tail_a)
    while b < end_b:
        b, tail_b = _step(net, sum_b, time, key, wafers, window, b, tail_b)
    while c < end_c:
        c, tail_c = _step(net, sum_c, time, key, wafers, window, c, tail_c)
    while d < end_d:
        d, tail_d = _step(net, sum_d, time, key, wafers, window, d, tail_d)


@njit(types.void(_LINE, _LINE, _LINE, _KEYS, _SHORT_LINE), nogil=True, cache=True)
def share_instants(
    net: Wafers,  # [event in order of time] wafers; state
    seen: Index,  # [key] scratch
    last: Wafers,  # [key] scratch
    key: NDArray[np.int32],  # [event in order of time]
    tied: NDArray[np.int32],  # [tied] events at the instant of the one before, in order of time
) -> None:
    """Give all events of one key at one instant the net of the last of them."""
    seen[:] = -1
    n = 0
    while n < tied.size:
        first = end = tied[n] - 1
        while n < tied.size and tied[n] == end + 1:
            end, n = end + 1, n + 1
        for event in range(end, first - 1, -1):
            if seen[key[event]] == first:
                net[event] = last[key[event]]
            else:
                seen[key[event]], last[key[event]] = first, net[event]
