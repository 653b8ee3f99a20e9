"""Tables that grow: rows in use stay where they are, and rows that were never written take no memory."""

import mmap

import numpy as np

from services.aggregator.kernels.arrays import Index, Wafers

_INT64_BYTES = 8


class GrowingTable:
    """A table of int64, zeros at first, that grows in place.

    To copy two gigabytes would hold up the fold and all queries for seconds; the system moves the same pages in
    milliseconds.
    """

    def __init__(self, rows: int, width: int) -> None:
        self._width = width
        self._memory = _reserve(rows * width * _INT64_BYTES)

    def rows(self) -> Wafers:
        """Return all rows, `[row, place]`; drop every earlier return value before the table grows."""
        return np.frombuffer(self._memory, dtype=np.int64).reshape(-1, self._width)

    def grow(self, rows: int) -> None:
        """Grow to a number of rows; the new ones are zeros."""
        size = rows * self._width * _INT64_BYTES
        try:
            self._memory.resize(size)
        except (BufferError, SystemError):  # an array still uses the memory, or the system cannot move pages: copy
            before, self._memory = self._memory, _reserve(size)
            self._memory[: len(before)] = memoryview(before)


def with_room(array: Index, count: int, empty: int = 0) -> Index:
    """Return an array with room for `count` along its first axis: itself, or one at least twice as long."""
    room = array.shape[0]
    if count <= room:
        return array
    longer = np.zeros((grown_room(room, count), *array.shape[1:]), dtype=np.int64)
    longer[:room] = array
    if empty != 0:  # zeros that are not written take no memory
        longer[room:] = empty
    return longer


def grown_room(room: int, count: int) -> int:
    """Return the room that follows one that `count` rows do not fit into."""
    # a multiple of 8 that is no power of two: rows that far apart would share the same few lines of the cache
    return max(2 * room, count) + 8 & ~7


def _reserve(size: int) -> mmap.mmap:
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):  # on Linux: a sum over many rows would spend its time on finding small pages
        memory.madvise(mmap.MADV_HUGEPAGE)
    return memory
