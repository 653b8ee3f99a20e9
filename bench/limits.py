"""The limits of one core of this machine: the loops that every kernel needs, and nothing else."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from bench.workloads import BATCH, WINDOWS, Events, Ints

_STREAM = 32_000_000  # int64: 256 MB, beyond the caches of a core
_ADDED = 4_000_000  # events
_BATCHES = 400
_LANES = 8  # int64 that one instruction writes


@njit(cache=True)
def _read(column: Ints) -> int:
    total = 0
    for value in column:
        total += value
    return total


@njit(cache=True)
def _write(column: Ints, value: int) -> None:
    for n in range(column.size):
        column[n] = value


@intrinsic  # type: ignore[untyped-decorator]
def _write_lanes(_: Any, column: types.Array, at: types.Integer, value: types.Integer) -> tuple[Any, Any]:  # noqa: ARG001
    """Write a value to `_LANES` places that begin a line of the cache, which is not read before."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector = ir.VectorType(ir.IntType(64), _LANES)
        lanes = ir.Constant(vector, ir.Undefined)
        for lane in range(_LANES):
            lanes = builder.insert_element(lanes, arguments[2], ir.Constant(ir.IntType(32), lane))
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        place = builder.bitcast(builder.gep(data, [arguments[1]]), vector.as_pointer())
        stored = builder.store(lanes, place, align=8 * _LANES)
        stored.set_metadata("nontemporal", builder.module.add_metadata([ir.Constant(ir.IntType(32), 1)]))
        return context.get_dummy_value()

    return types.void(column, at, types.int64), generate


@njit(cache=True)
def _write_past_cache(column: Ints, value: int) -> None:
    for n in range(-(column.ctypes.data // 8) % _LANES, column.size - _LANES + 1, _LANES):
        _write_lanes(column, n, value)


@njit(cache=True)
def _copy(target: Ints, column: Ints) -> None:
    for n in range(column.size):
        target[n] = column[n]


@njit(cache=True)
def _scatter(table: Ints, place: NDArray[np.int32], wafers: NDArray[np.int32]) -> None:
    for n in range(place.size):
        table[np.uint64(place[n])] += wafers[n]


@njit(cache=True)
def _stream(
    sums: Ints,  # [touched, window, supply or demand or net]; output
    now: Ints,  # [side, key] wafers up to now; state
    before: Ints,  # [window, side, key] wafers up to where each window begins
    seen: Ints,  # [key] the last batch that touched it; state
    touched: Ints,  # [touched]; output
    number: int,  # of this batch
    key: Ints,  # [event]
    side: Ints,  # [event]
    wafers: Ints,  # [event]
) -> int:
    """W3 without late events, days that end or anything checked; return how many keys were touched."""
    found = 0
    for n in range(key.size):
        k = np.uint64(key[n])
        now[np.uint64(side[n]), k] += wafers[n]
        if seen[k] != number:
            seen[k] = number
            touched[found] = k
            found += 1
    for w in range(before.shape[0]):
        for n in range(found):
            k = np.uint64(touched[n])
            supply, demand = now[0, k] - before[w, 0, k], now[1, k] - before[w, 1, k]
            sums[n, w, 0], sums[n, w, 1], sums[n, w, 2] = supply, demand, supply - demand
    return found


class Limits:
    """The rates of one core, of memory and of the smallest loops."""

    def __init__(self, events: Events, streamed: int = _STREAM) -> None:
        """Make the arrays, compile the loops."""
        self.events = events.part(0, _ADDED)
        self.column, self.target = np.ones((2, streamed), dtype=np.int64)
        keys, windows = events.keys, len(WINDOWS)
        cell = (self.events.side.astype(np.int32) * keys + self.events.key).astype(np.int32)
        self.scattered = {  # the table, and the place of each event in it
            "sum of a key": (np.zeros(keys, dtype=np.int64), self.events.key),
            "row of a day": (np.zeros(2 * keys, dtype=np.int64), cell),
        }
        self.streamed = (
            np.zeros((BATCH, windows, 3), dtype=np.int64),
            np.zeros((2, keys), dtype=np.int64),
            np.zeros((windows, 2, keys), dtype=np.int64),
            np.zeros(keys, dtype=np.int64),
            np.zeros(BATCH, dtype=np.int64),
        )
        self.columns = tuple(c.astype(np.int64) for c in (self.events.key, self.events.side, self.events.wafers))
        self.run()

    def run(self) -> dict[str, float]:
        """Return bytes a second, additions a second, and the seconds of a batch."""
        column, target = self.column, self.target
        rates = {
            "read": column.nbytes / _take(lambda: _read(column)),
            "write": target.nbytes / _take(lambda: _write(target, 7)),
            "write past the cache": target.nbytes / _take(lambda: _write_past_cache(target, 8)),
            "copy": 2 * column.nbytes / _take(lambda: _copy(target, column)),
        }
        for name, (table, place) in self.scattered.items():
            rates[name] = place.size / _take(lambda t=table, p=place: _scatter(t, p, self.events.wafers))  # type: ignore[misc]
        return rates | {"batch": self._take_batch()}

    def _take_batch(self) -> float:
        taken = []
        for n in range(1, min(_BATCHES, self.events.time.size // BATCH) + 1):
            batch = [column[(n - 1) * BATCH : n * BATCH] for column in self.columns]
            began = time.process_time_ns()
            _stream(*self.streamed, n, *batch)
            taken.append(time.process_time_ns() - began)
        return statistics.median(taken) / 1e9


def _take(work: Callable[[], object]) -> float:
    """Return the seconds that the quicker of two takes."""
    taken = []
    for _ in range(2):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return min(taken)
