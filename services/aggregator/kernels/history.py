"""Compiled loops over the windows of a whole history; `fold/windows.py` checks their arguments, they trust them.

A window of w days that ends on a day holds that day and the w - 1 before it. Everything lies by day first and by key
last: events arrive almost in the order of their days, so they meet a row that is in the cache, and keys that lie side
by side are worked on eight at a time. A side is 0 for supply and 1 for demand; wafers are signed, a reversal is
negative.

Each kernel is in one file with the functions that it calls: numba's cache does not notice a change in another file.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import int64, njit, types, uint64
from numba.extending import intrinsic, overload
from numpy.typing import NDArray

from services.aggregator.kernels.arrays import Daily, Index, Wafers

KEYS_IN_L2 = 4096  # so many keys' running windows stay in the second cache
LANES = 8  # values that one instruction writes


def _given(dtype: types.Type) -> types.Type:
    """Return the type of a column that is only read: those of Arrow and of messages cannot be written to."""
    return types.Array(dtype, 1, "C", readonly=True)


_TIMES, _KEYS, _SIDES, _WAFERS = _given(types.int64), _given(types.int32), _given(types.uint8), _given(types.int32)
_LINE, _TABLE, _CUBE, _SUMS = types.int64[::1], types.int64[:, ::1], types.int64[:, :, ::1], types.int64[:, :, :, ::1]
_SHORT_CUBE = types.int32[:, :, ::1]


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

    That is one out of bounds, checked here because a check ahead would read everything twice, or one whose sum a
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
            if t >= until:  # a later day; a late event does not take its place
                since, until, latest = int64(day) * ticks, (int64(day) + 1) * ticks, cell
                while cleared <= int64(day):
                    daily[cleared] = 0
                    cleared += 1
        of = uint64(key[n])
        within = uint64(side[n]) * keys + of
        if of >= keys or within >= cells_of_day:
            return int64(n)
        summed = cells[cell + within] + wafers[n]  # an int64, also where a cell is an int32
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
    """Write a line that is not read soon: past the cache, which would first read the bytes that are written over."""
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

    The next keys' values are fetched while these are written; one after the other takes 1.5 times as long.
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
    first_short: Index,  # [key] the first day with a balance below zero, -1 for none; output
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
