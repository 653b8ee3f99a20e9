"""The compiled loops over rolling windows: they trust their arguments, `rolling.py` and `instants.py` check.

A window of w days that ends on a day holds that day and the w - 1 before it. Everything lies by day first and by key
last: what arrives is almost in the order of its days, so it meets a row that is in the cache, and keys that lie side by
side are worked on eight at a time. A side is 0 for supply and 1 for demand; wafers are signed, a reversal is negative.

All of it is in one file, because numba's cache does not notice when a function of another file has changed.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import int64, njit, types, uint64
from numba.extending import intrinsic, overload
from numpy.typing import NDArray

from services.aggregator.kernels.arrays import Daily, Index, Wafers

SURVEYED = 2048  # events that are looked at several times while they are in the cache
KEYS_IN_L1 = 256  # keys whose windows stay in the first cache
KEYS_IN_L2 = 4096  # keys whose running windows stay in the second cache
KEYS_AT_ONCE = 1024  # keys whose rows of the longest window stay in the cache together
LANES = 8  # values that one instruction writes
BLOCK = 16  # days whose lowest balance is kept
HIGHEST = 2**62  # above every balance
EVER = 2**62  # ticks, before and after every event


def _given(dtype: types.Type) -> types.Type:
    """Return the type of a column that is only read: those of Arrow and of messages cannot be written to."""
    return types.Array(dtype, 1, "C", readonly=True)


_TIMES, _KEYS, _SIDES, _WAFERS = _given(types.int64), _given(types.int32), _given(types.uint8), _given(types.int32)
_COLUMN = _TIMES
_LINE, _TABLE, _CUBE, _SUMS = types.int64[::1], types.int64[:, ::1], types.int64[:, :, ::1], types.int64[:, :, :, ::1]
_SHORT_LINE, _SHORT_CUBE = types.int32[::1], types.int32[:, :, ::1]


# ---------------------------------------------------------------- a whole history


@njit(
    [types.int64(daily, _TIMES, _KEYS, _SIDES, _WAFERS, types.int64, types.int64) for daily in (_SHORT_CUBE, _CUBE)],
    nogil=True,
    cache=True,
)
def sum_days(
    daily: Daily,  # [day, side, key] wafers; output
    time: Index,  # [event] ticks
    key: NDArray[np.int32],  # [event]
    side: NDArray[np.uint8],  # [event]
    wafers: NDArray[np.int32],  # [event] signed
    begin: int,  # ticks, when day 0 begins
    ticks: int,  # of a day
) -> np.int64:
    """Sum the events of each day; return how many were added: all, or those before the first that cannot be.

    That is one out of bounds, which is looked at here, as a look ahead would read everything twice, or one that a
    cell's type cannot hold.
    """
    days, keys = daily.shape[0], uint64(daily.shape[2])
    cells = daily.reshape(-1)
    span, cells_of_day = uint64(days * ticks), uint64(2 * daily.shape[2])
    since, until, latest = int64(1), int64(0), uint64(0)  # the latest day so far, and its first cell
    cleared = 0
    for n in range(uint64(time.size)):
        t = time[n] - begin
        if since <= t and t < until:
            cell = latest
        else:
            if uint64(t) >= span:
                return int64(n)
            day = uint64(t) // uint64(ticks)
            cell = day * cells_of_day
            if t >= until:  # a later day; what comes late does not take its place
                since, until, latest = int64(day) * ticks, (int64(day) + 1) * ticks, cell
                while cleared <= int64(day):
                    daily[cleared] = 0
                    cleared += 1
        of = uint64(key[n])
        within = uint64(side[n]) * keys + of
        if of >= keys or within >= cells_of_day:
            return int64(n)
        summed = cells[cell + within] + wafers[n]  # an int64, whatever a cell is
        cells[cell + within] = summed
        if cells[cell + within] != summed:
            return int64(n)
    while cleared < days:
        daily[cleared] = 0
        cleared += 1
    return int64(time.size)


@intrinsic
def _write_lanes(_: Any, to: types.Array, at: types.Integer, line: types.Array) -> tuple[Any, Any]:
    """Write LANES values of a line to the same place of another, past the cache."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lanes = ir.VectorType(ir.IntType(64), LANES).as_pointer()
        begin, end = (
            builder.bitcast(builder.gep(context.make_array(array)(context, builder, value).data, [arguments[1]]), lanes)
            for array, value in ((signature.args[2], arguments[2]), (signature.args[0], arguments[0]))
        )
        store = builder.store(builder.load(begin, align=8), end, align=8 * LANES)
        store.set_metadata("nontemporal", builder.module.add_metadata([ir.Constant(ir.IntType(32), 1)]))
        return context.get_dummy_value()

    return types.void(to, at, line), generate


def _write(to: Wafers, line: Wafers) -> None:
    """Write a line that nobody reads soon: past the cache, which would read what is written over first."""
    to[:] = line


@overload(_write)
def _write_past_cache(to: Any, line: Any) -> Any:  # noqa: ARG001 - numba goes by their names
    def write(to: Any, line: Any) -> Any:
        unaligned = min(-(to.ctypes.data // 8) % LANES, to.size)
        lanes = unaligned + (to.size - unaligned) // LANES * LANES
        for n in range(unaligned):
            to[n] = line[n]
        for n in range(unaligned, lanes, LANES):
            _write_lanes(to, n, line)  # type: ignore[call-arg, arg-type]
        for n in range(lanes, to.size):
            to[n] = line[n]

    return write


@intrinsic
def _roll_lanes(
    _: Any,
    supply: Any,
    demand: Any,
    supplied: Any,
    demanded: Any,
    supply_gone: Any,
    demand_gone: Any,
    supply_to: Any,
    demand_to: Any,
    net_to: Any,
    at: Any,
) -> tuple[Any, Any]:
    """Move LANES keys' windows on by a day, and write their sums past the cache, to where its lines begin.

    What is read for the next keys is on its way while these are written; one after the other takes 1.5 times as long.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def place(n: int) -> Any:
            data = context.make_array(signature.args[n])(context, builder, arguments[n]).data
            lanes = ir.VectorType(ir.IntType(signature.args[n].dtype.bitwidth), LANES)
            return builder.bitcast(builder.gep(data, [arguments[9]]), lanes.as_pointer())

        def load(n: int) -> Any:
            bits = signature.args[n].dtype.bitwidth
            lanes = builder.load(place(n), align=bits // 8)
            return lanes if bits == 64 else builder.sext(lanes, ir.VectorType(ir.IntType(64), LANES))

        more = builder.add(load(0), builder.sub(load(2), load(4)))
        less = builder.add(load(1), builder.sub(load(3), load(5)))
        builder.store(more, place(0), align=8)
        builder.store(less, place(1), align=8)
        for n, lanes in ((6, more), (7, less), (8, builder.sub(more, less))):
            store = builder.store(lanes, place(n), align=8 * LANES)
            store.set_metadata("nontemporal", builder.module.add_metadata([ir.Constant(ir.IntType(32), 1)]))
        return context.get_dummy_value()

    of = (supply, demand, supplied, demanded, supply_gone, demand_gone, supply_to, demand_to, net_to, at)
    return types.void(*of), generate


@njit([types.void(_SUMS, _TABLE, _LINE, daily, _LINE, _LINE) for daily in (_SHORT_CUBE, _CUBE)], nogil=True, cache=True)
def roll_days(
    sums: Wafers,  # [window, supply or demand or net, day, key] wafers; output
    balance: Wafers,  # [day, key] wafers at the end of the day; output
    first_short: Index,  # [key] the first day whose balance is below zero, -1 for none; output
    daily: Daily,  # [day, side, key] wafers
    windows: Index,  # [window] days
    opening: Wafers,  # [key] wafers before day 0
) -> None:
    """Sum each window on each day, and run the balance.

    It is quickest where each row of the sums begins a line of the cache.
    """
    days, keys = balance.shape
    aligned = keys % LANES == 0 and sums.ctypes.data % (8 * LANES) == 0
    room = min(keys, KEYS_IN_L2)
    now, running = np.empty(room, np.int64), np.empty((windows.size, 3, room), np.int64)
    for since in range(0, keys, room):
        until = min(since + room, keys)
        end, short = now[: until - since], first_short[since:until]
        end[:] = opening[since:until]
        short[:] = -1
        running[:] = 0
        for day in range(days):
            supplied, demanded = daily[day, 0, since:until], daily[day, 1, since:until]
            for window in range(windows.size):
                supply, demand = running[window, 0, : end.size], running[window, 1, : end.size]
                net = running[window, 2, : end.size]
                supply_to, demand_to = sums[window, 0, day, since:until], sums[window, 1, day, since:until]
                net_to = sums[window, 2, day, since:until]
                gone = max(day - windows[window], 0)
                supply_gone, demand_gone = daily[gone, 0, since:until], daily[gone, 1, since:until]
                if day < windows[window]:
                    for key in range(end.size):
                        supply[key] += supplied[key]
                        demand[key] += demanded[key]
                        net[key] = supply[key] - demand[key]
                elif aligned:
                    for key in range(0, end.size, LANES):
                        _roll_lanes(  # type: ignore[call-arg]
                            supply, demand, supplied, demanded, supply_gone, demand_gone,
                            supply_to, demand_to, net_to, key,
                        )  # fmt: skip
                    continue
                else:
                    for key in range(end.size):
                        more = supply[key] + (int64(supplied[key]) - supply_gone[key])
                        less = demand[key] + (int64(demanded[key]) - demand_gone[key])
                        supply[key], demand[key], net[key] = more, less, more - less
                _write(supply_to, supply)
                _write(demand_to, demand)
                _write(net_to, net)
            for key in range(end.size):
                end[key] += int64(supplied[key]) - demanded[key]
                short[key] = day if short[key] < 0 and end[key] < 0 else short[key]
            _write(balance[day, since:until], end)


# ---------------------------------------------------------------- the window at each instant


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
    """Find what comes late, and what shares an instant; each is noted without a branch, the next takes its place."""
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
    """Put what was merged back into the order given, in place.

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

    There is no branch to guess wrong: `gone` is -1 for the tail and 0 for the head, and works as a mask. What the tail
    writes to the head's place is written over when the head moves. Indices are unsigned, which spares numba's look
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
    waits for the one before it: each begins with what the window before it holds.
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
    """Give all events of one key at one instant what the last of them sees."""
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


# ---------------------------------------------------------------- live windows
#
# Row 0 is all that lies before the horizon, rows 1 to H are its days; rows after today's are not filled yet. A row
# counts all up to and on its day, so what a window saw is the distance between two rows, and what comes late is added
# to every row from its day to today's.

# What `state` holds: today's row, the batches added, the wafers of all movements with signs left out and how many they
# may be, the keys in use, the day of row 1, and from WINDOWS on the windows' days, ascending. One array, because to
# hand an array over takes longer than to add a movement.
TODAY, BATCH, SAID, SAID_MAX, KEYS, START, WINDOWS = range(7)
DAY_MAX = 2**31  # either way
WAFERS_MAX = 2**40  # of one movement, either way

_ADD_SUMS = types.int64(_CUBE, _CUBE, _TABLE, _LINE, _LINE, *4 * [_COLUMN], _LINE, _CUBE)
_ADD_WINDOWS = types.int64(
    _CUBE, _TABLE, _TABLE, _TABLE, _LINE, _TABLE, _LINE, _LINE, *4 * [_COLUMN], _LINE, _CUBE, _TABLE
)


@njit(nogil=True)
def _admit(state: Index, room: int, rows: int, day: Index, key: Index, side: Index, wafers: Wafers) -> int:
    """Return the keys in use once a batch is added, after counting its wafers; -1 where a value is out of bounds."""
    if day.size > rows or key.size != day.size or side.size != day.size or wafers.size != day.size:
        return -1
    day_bits, key_max, side_bits, wafers_bits, said = uint64(0), uint64(0), int64(0), uint64(0), 0
    for n in range(day.size):
        day_bits |= uint64(day[n] + DAY_MAX)
    for n in range(key.size):
        key_max = max(key_max, uint64(key[n]))
    for n in range(side.size):
        side_bits |= side[n]
    for n in range(wafers.size):
        wafers_bits |= uint64(wafers[n] + WAFERS_MAX)
        said += abs(wafers[n])
    in_bounds = day_bits < 2 * DAY_MAX and key_max < room and 0 <= side_bits <= 1 and wafers_bits < 2 * WAFERS_MAX
    if not in_bounds or said > state[SAID_MAX] - state[SAID]:
        return -1
    state[SAID] += said
    state[BATCH] += 1
    return max(int(state[KEYS]), int(int64(key_max)) + 1) if key.size else int(state[KEYS])


@njit(nogil=True)
def _open_day(moved: Wafers, before: Wafers, windows: Index, today: int, until: int, keys: int) -> None:
    """Carry the last filled row forward, and gather by key what each window begins after."""
    for row in range(today + 1, until + 1):
        moved[row, :keys] = moved[row - 1, :keys]
    for since in range(0, keys, KEYS_IN_L1):
        for window in range(windows.size):
            begin = moved[max(until - windows[window], 0)]
            for each in range(since, min(since + KEYS_IN_L1, keys)):
                before[uint64(each), window, 0] = begin[uint64(each), 0]
                before[uint64(each), window, 1] = begin[uint64(each), 1]


@njit(_ADD_SUMS, nogil=True, cache=True)
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
    keys = _admit(state, stamp.size, touched.size, day, key, side, wafers)
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
    """Return the first row from `first` to today whose balance is below zero, -1 for none."""
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
def _roll_over(
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
    """Carry the last filled row forward, and take from all rows before the new today what only they decide."""
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
    """Add a late movement to each row from its day to today's, and mend what is known of the rows before today."""
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
        elif past[window, key] == lowest - more:  # the lowest may have been here: it is no longer known
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
    rolled: Wafers,
    standing: Index,
) -> None:
    """Write what `add_windows` tells of the touched keys."""
    now, standing_now = flow[today], balance[today]
    for window in range(windows.size):
        row = max(today - windows[window], 0)
        before, balance_before, lowest = flow[row], balance[row], past[window]
        for n in range(touched.size):
            of = uint64(touched[n])
            supply, net = now[of, 0] - before[of, 0], standing_now[of] - balance_before[of]
            rolled[window, 0, n] = supply
            rolled[window, 1, n] = supply - net
            rolled[window, 2, n] = net
            rolled[window, 3, n] = min(lowest[of], standing_now[of])
            rolled[window, 4, n] = now[of, 1] - before[of, 1]
    cover_days = 100 * windows[1]
    for n in range(touched.size):
        of = uint64(touched[n])
        demand = rolled[1, 1, n]
        standing[0, n] = standing_now[of]
        standing[1, n] = start - 1 + short[of] if short[of] >= 0 else -1
        if demand > 0:
            standing[2, n] = int64(uint64(max(standing_now[of], 0) * cover_days) // uint64(demand))
        else:
            standing[2, n] = -1


@njit(_ADD_WINDOWS, nogil=True, cache=True)
def add_windows(
    flow: Wafers,  # [row, key, supply or unmet] wafers up to and on that day; state
    balance: Wafers,  # [row, key] wafers at the end of the day; state
    low: Wafers,  # [block, key] lowest balance of a block's days before today; state
    past: Wafers,  # [window, key] lowest balance of a window's days before today; state
    short: Index,  # [key] first row in the longest window whose balance is below zero, -1 for none; state
    beyond: Wafers,  # [side, key] wafers after the horizon; state
    stamp: Index,  # [key] the last batch that touched it; state
    state: Index,  # [WINDOWS + window] see TODAY; state
    day: Index,  # [movement]
    key: Index,  # [movement]
    side: Index,  # [movement]
    wafers: Index,  # [movement] signed
    touched: Index,  # [touched] keys; output
    rolled: Wafers,  # [window, supply or demand or net or lowest balance or unmet, touched] wafers; output
    standing: Index,  # [balance, first short day or -1, cover in hundredths of a day or -1; touched]; output
) -> np.int64:
    """Add a batch; return how many keys it touched, -1 and nothing is changed where a value is out of bounds.

    Unmet is what the running maximum of -balance has grown by: demand that had to wait. Cover is how long the balance
    lasts at the demand of the second window.
    """
    keys = _admit(state, stamp.size, touched.size, day, key, side, wafers)
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
            _roll_over(flow, balance, low, past, short, windows, today, row, keys)
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
    _report(flow, balance, past, short, windows, today, start, touched[:found], rolled, standing)
    return int64(found)
