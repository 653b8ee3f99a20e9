"""A batch of postings as int64 columns, bounds-checked before a kernel indexes with them; the position it leads to."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from shared.wire.days import day_of, is_ended
from shared.wire.postings import Measure, PostingBatch

WAFERS_MAX = 2**40  # of one posting, either way
DAYS = (-(2**31), 2**31)
PART_ROWS_MAX = 65_536  # their columns fit into the cache, and no sum of them can leave int64
_IS_MEASURE = np.isin(np.arange(64), [*Measure])

Integers = NDArray[Any]  # of one of the whole-number types


class Setback(NamedTuple):
    """A last complete day that no longer holds, because a source's watermark lies before it."""

    through: int  # the day that was complete, since 1970
    position: int  # the last batch after which it was


class FoldPosition(NamedTuple):
    """The position of the log that some postings lead to."""

    epoch: int
    position: int
    head: str
    watermarks: Mapping[str, int]  # source -> its watermark (`watermark_of`)
    sources: Collection[str]  # of all events up to it
    postings: int | None = None  # their number, and
    wafers_total: int | None = None  # their wafers, signs left out; given where a row is the sum of several postings
    setback: Setback | None = None  # where the last complete day went back
    restated: Mapping[str, int | None] = MappingProxyType({})  # source -> its watermark after a reversal, None: none


class Columns(NamedTuple):
    """Some postings: row n is `wafers[n]` of a measure on a day for a key, its parts indices into `names`."""

    names: Sequence[str]
    products: Integers
    sites: Integers
    suppliers: Integers
    measures: Integers
    days: Integers  # since 1970
    wafers: Integers  # signed

    @classmethod
    def of(cls, batch: PostingBatch) -> Self:
        """Return the postings of a batch; raise ValueError naming column and row of a value out of bounds."""
        for name in cls._fields[1:]:
            if len(getattr(batch, name)) != len(batch.wafers):
                raise ValueError(f"{name} has {len(getattr(batch, name))} rows, wafers has {len(batch.wafers)}")
        columns = cls(batch.names, *(_whole(getattr(batch, name)) for name in cls._fields[1:]))
        columns.check()
        return columns

    def parts(self, wafers_max: int = WAFERS_MAX) -> Iterator[Self]:
        """Yield the postings, checked, as int64 and some at once; raise ValueError as `of` does."""
        for name in self._fields[1:]:
            column = getattr(self, name)
            if column.dtype.kind not in "iu" or column.shape != self.wafers.shape[:1]:
                raise ValueError(f"{name} is {column.dtype}{list(column.shape)}, not whole numbers, one for each row")
        for first in range(0, self.wafers.size, PART_ROWS_MAX):
            part = (column[first : first + PART_ROWS_MAX].astype(np.int64) for column in self[1:])
            columns = type(self)(self.names, *part)
            columns.check(first, wafers_max)
            yield columns

    def check(self, first: int = 0, wafers_max: int = WAFERS_MAX) -> None:
        """Raise ValueError naming column and row of a value out of bounds; `first` is the number of the first row."""
        names = len(self.names)
        bounds = (
            (0, names), (0, names), (0, names), (0, _IS_MEASURE.size), DAYS, (-wafers_max, wafers_max + 1)
        )  # fmt: skip
        for name, column, (low, high) in zip(self._fields[1:], self[1:], bounds, strict=True):
            if column.size and not (low <= column.min() and column.max() < high):
                n = int(np.flatnonzero((column < low) | (column >= high))[0])
                raise ValueError(f"{name}[{first + n}] is {column[n]}, not {low} to {high - 1}")
        valid = _IS_MEASURE[self.measures]
        if not valid.all():
            n = int(valid.argmin())
            raise ValueError(f"measures[{first + n}] is {self.measures[n]}, which is no Measure")


def _whole(values: Sequence[int]) -> Integers:
    """Return int64, or the whole numbers as they are where one is greater than that."""
    try:
        return np.array(values, dtype=np.int64)
    except OverflowError:
        return np.array(values, dtype=object)


# ---------------------------------------------------------------- the last complete day


class Completion(NamedTuple):
    """The findings of the watermarks on a position, beside its last complete day."""

    setback: Setback | None
    behind: list[str]  # the sources with watermarks before the day of the setback, sorted
    missing: list[str]  # the sources that have published, or are expected, and have no watermark; sorted


def last_complete_day(watermarks: Mapping[str, int]) -> int | None:
    """Return the least watermark of the sources that have one and have not ended; None while none has one.

    Once all have ended, it is the last day of all.
    """
    going_on = [watermark for watermark in watermarks.values() if not is_ended(watermark)]
    return min(going_on) if going_on else max(map(day_of, watermarks.values()), default=None)


def next_setback(setback: Setback | None, position: int, before: int | None, after: int | None) -> Setback | None:
    """Return the setback after a batch, from that before it, its position, and the last complete day before and after.

    A setback holds until the day is reached again.
    """
    if setback is None and before is not None:
        setback = Setback(before, position)
    return None if setback is None or (after is not None and after >= setback.through) else setback


def find_setback(watermarks: Iterable[tuple[int, str, int]]) -> Setback | None:
    """Return the setback after all batches that have a watermark: the batch, its source and the day, in order."""
    reached, setback = dict[str, int](), None
    for batch, source, day in watermarks:
        before = last_complete_day(reached)
        if day > 0:
            reached[source] = max(day, reached.get(source, day))
        elif day < 0:  # a reversal has set it back
            reached[source] = -day
        else:
            reached.pop(source, None)
        setback = next_setback(setback, batch - 1, before, last_complete_day(reached))
    return setback


def describe_completion(
    watermarks: Mapping[str, int], setback: Setback | None, sources: Iterable[str], expected: Collection[str] = ()
) -> Completion:
    """Return the findings of the watermarks; `sources` have published, `expected` ones may not have."""
    behind = [] if setback is None else sorted(each for each, day in watermarks.items() if day < setback.through)
    return Completion(setback, behind, sorted({*sources, *expected} - watermarks.keys()))
