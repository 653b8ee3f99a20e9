"""A table that grows in place: rows in use stay where they are, and rows that were never written take no memory."""

import mmap

import numpy as np

from services.aggregator.kernels.curves import Wafers

_BYTES = 8  # of a number


class GrowingTable:
    """The rows of one table of int64, zeros at first.

    A copy of two gigabytes holds the fold and all who ask for seconds; the system moves the same pages in milliseconds.
    """

    def __init__(self, rows: int, width: int) -> None:
        self._width = width
        self._memory = _take(rows * width * _BYTES)

    def table(self) -> Wafers:
        """Return all rows, `[row, place]`; nobody may hold what it returned when the room grows."""
        return np.frombuffer(self._memory, dtype=np.int64).reshape(-1, self._width)

    def grow(self, rows: int) -> None:
        """Make room for so many rows, zeros where they are new."""
        size = rows * self._width * _BYTES
        try:
            self._memory.resize(size)
        except (BufferError, SystemError):  # somebody holds the table, or the system is none that moves pages: copy
            before, self._memory = self._memory, _take(size)
            self._memory[: len(before)] = memoryview(before)


def _take(size: int) -> mmap.mmap:
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):  # on Linux: a sum over many rows would spend its time on finding small pages
        memory.madvise(mmap.MADV_HUGEPAGE)
    return memory
