"""The rolling net at each event's own instant: the window of exact time, not of whole days."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.aggregator.kernels import instants as kernels
from services.aggregator.kernels.arrays import Index, Wafers

EVENTS_MAX = 2**31 - 1
TIME_MAX = 2**61  # ticks, either way, so that no time less a window can leave int64


class Scratch(NamedTuple):
    """Memory in which events are put in order of time. To allocate it anew takes a sixth of the time."""

    time: Index  # [event] ticks
    key: NDArray[np.int32]  # [event]
    wafers: NDArray[np.int32]  # [event] signed
    late: NDArray[np.int32]  # [event] events that come late
    tied: NDArray[np.int32]  # [event] events at the instant of the one before

    @classmethod
    def of(cls, events: int) -> "Scratch":
        """Return room for some events: address space only, until it is written to."""
        return cls(np.empty(events, dtype=np.int64), *np.empty((4, events), dtype=np.int32))


def net_at_instants(
    time: Index,
    key: NDArray[np.int32],
    wafers: NDArray[np.int32],
    window: int,
    *,
    keys: int,
    out: Wafers | None = None,
    scratch: Scratch | None = None,
) -> Wafers:
    """Return for each event the wafers of its key in (t - window, t], t its time, in the order given: int64 [event].

    Events of one key at one instant are peers, each of which sees all of them, as in SQL's RANGE window. Time and
    window are in the same ticks; wafers are signed. The events may be in any order; it is quickest when most follow
    each other in time. `out` is filled and returned if it is given, and `scratch`, of as many events,
    is used; both save asking for memory. Raise ValueError for a value out of bounds.
    """
    if not 1 <= window <= TIME_MAX:
        raise ValueError(f"window is {window}, not 1 to {TIME_MAX}")
    if time.size > EVENTS_MAX:
        raise ValueError(f"time has {time.size} rows, more than {EVENTS_MAX}")
    for name, column in (("key", key), ("wafers", wafers)):
        if column.shape != time.shape:
            raise ValueError(f"{name} has {column.size} rows, time has {time.size}")
    if out is None:
        out = np.empty(time.size, dtype=np.int64)
    elif out.shape != time.shape:
        raise ValueError(f"out has {out.size} rows, time has {time.size}")
    if not time.size:
        return out
    if scratch is None:
        scratch = Scratch.of(time.size)
    elif scratch.time.size != time.size:
        raise ValueError(f"scratch has {scratch.time.size} rows, time has {time.size}")
    survey = np.empty(3, dtype=np.int64)
    late, tied = scratch.late, scratch.tied
    kernels.survey_instants(survey, late, tied, time, key, keys, TIME_MAX)
    within, late_count, tied_count = survey.tolist()
    if within < time.size:
        _refuse(time, key, keys)
    late, turn = late[:late_count], np.full(late_count + 1, time.size)
    by_time = late[time[late].argsort()]  # those of one instant may lie in any order
    if late_count:
        time_given, key_given, wafers_given = time, key, wafers
        time, key, wafers = scratch.time, scratch.key, scratch.wafers
        time_late = np.append(time_given[by_time], kernels.EVER)
        tied_count = int(
            kernels.merge_late(time, key, wafers, turn, tied, time_given, key_given, wafers_given, by_time, time_late)
        )
    running = np.empty((4, keys), dtype=np.int64)
    kernels.roll_instants(out, running, time, key, wafers, window)
    kernels.share_instants(out, running[0], running[1], key, tied[:tied_count])
    if late_count:
        kernels.put_back(out, np.empty(late_count, dtype=np.int64), turn, late, by_time)
    return out


def _refuse(time: Index, key: NDArray[np.int32], keys: int) -> None:
    """Raise ValueError for the first value that is out of bounds."""
    bounds: tuple[tuple[str, NDArray[Any], int, int], ...] = (
        ("time", time, -TIME_MAX, TIME_MAX),
        ("key", key, 0, keys - 1),
    )
    for name, column, low, high in bounds:
        wrong = (column < low) | (column > high)
        if wrong.any():
            row = int(wrong.argmax())
            raise ValueError(f"{name}[{row}] is {column[row]}, not {low} to {high}")
