"""The progress of a source: the sequences recorded or refused so far, and the watermark."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import itemgetter

Run = tuple[int, int]  # first and last of consecutive sequences

_first, _last = itemgetter(0), itemgetter(1)


@dataclass(slots=True)
class Progress:
    """The runs of sequences of a source that are recorded or refused, and its watermark.

    Runs, and not one number: a sequence that never arrives leaves a hole for ever, and the log beyond it grows.
    """

    runs: list[Run] = field(default_factory=list)  # in order, none touching the next
    advanced: int | None = None  # the watermark (`watermark_of`)

    @property
    def through(self) -> int:
        """The last sequence before the first hole; 0 where sequence 1 is missing."""
        return self.runs[0][1] if self.runs and self.runs[0][0] == 1 else 0

    @property
    def newest(self) -> int:
        """The greatest sequence, 0 before the first."""
        return self.runs[-1][1] if self.runs else 0

    @property
    def ahead(self) -> list[Run]:
        """The runs beyond the first hole."""
        return self.runs[1:] if self.through else self.runs

    @property
    def gaps(self) -> list[Run]:
        """The runs that are missing below the newest sequence."""
        ends = [0, *map(_last, self.runs)]
        return [(end + 1, first - 1) for end, (first, _) in zip(ends, self.runs, strict=False) if first > end + 1]

    def add_run(self, first: int, last: int) -> tuple[list[int], Run]:
        """Add a run; return the first sequences of the runs it merges with, and the merged run."""
        start = bisect_left(self.runs, first - 1, key=_last)
        end = bisect_right(self.runs, last + 1, key=_first)
        touched = self.runs[start:end]
        run = (min([first, *map(_first, touched)]), max([last, *map(_last, touched)]))
        self.runs[start:end] = [run]
        return [replaced for replaced, _ in touched], run

    def advance(self, watermark: int | None) -> None:
        """Raise the watermark, unless it is there already; a number below 1 sets it to its opposite, 0 to none."""
        if watermark is None:
            return
        if watermark > 0:
            self.advanced = max(watermark, self.advanced or watermark)
        else:
            self.advanced = -watermark or None


def runs_of(numbers: Iterable[int]) -> list[Run]:
    """Return the runs that some numbers make, in order."""
    ordered = sorted(set(numbers))
    if ordered and ordered[-1] - ordered[0] + 1 == len(ordered):  # nearly always
        return [(ordered[0], ordered[-1])]
    runs: list[Run] = []
    for number in ordered:
        if runs and number == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs
