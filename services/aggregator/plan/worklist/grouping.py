"""Lines of the worklist: its items, ranked; those of a kind that floods are grouped, and none is left out."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from fractions import Fraction
from typing import NamedTuple

from services.aggregator.plan.worklist.items import WORK_KINDS, WorkItem, WorkKind

LINES_OF_KIND_MAX = 4  # more items of a kind are grouped; all of a kind at synthetic sites are one line
_WEEK = 7

_Level = Callable[[WorkItem], Hashable]
# the finest grouping that gives few enough lines is taken: the last one always does
_LEVELS: tuple[_Level, ...] = (
    lambda item: (item.product, item.site, item.supplier),
    lambda item: item.supplier or item.product,
    lambda _: None,
)


class WorkLine(NamedTuple):
    """A line of the worklist: one item, or several of one kind."""

    kind: WorkKind
    items: Sequence[WorkItem]  # ranked

    @property
    def wafers(self) -> int:
        """The wafers of all its items."""
        return sum(item.wafers for item in self.items)

    @property
    def megawatts(self) -> Fraction | None:
        """The megawatts that wait, where any of its items has them."""
        return _sum_megawatts(self.items)

    @property
    def days_left(self) -> int | None:
        """The least days that any of its items has left."""
        return min((item.days_left for item in self.items if item.days_left is not None), default=None)

    @property
    def day(self) -> int | None:
        """The first day by which to act."""
        return min((item.day for item in self.items if item.day is not None), default=None)


def rank_work(items: Iterable[WorkItem]) -> list[WorkLine]:
    """Return the lines of all items, at most `LINES_OF_KIND_MAX` of a kind, the first to act on first.

    A line with a day in an earlier week from today comes first, one with a day that has passed counts as of the first
    week, one without a day comes last. In a week most megawatts waiting come first, then most wafers. Lines of
    synthetic sites come after all others.
    """
    found = [*items]
    lines = [line for kind in WORK_KINDS for line in _lines(kind, [item for item in found if item.kind == kind])]
    return sorted(lines, key=_rank_of_line)


def _lines(kind: WorkKind, items: Sequence[WorkItem]) -> list[WorkLine]:
    ranked = sorted(items, key=_rank_of_item)
    apart, others = ([item for item in ranked if item.is_synthetic is is_apart] for is_apart in (True, False))
    grouped: dict[Hashable, list[WorkItem]] = {}
    for level in _LEVELS:
        grouped = {}
        for item in others:
            grouped.setdefault(level(item), []).append(item)
        if len(grouped) <= LINES_OF_KIND_MAX - bool(apart):
            break
    return [WorkLine(kind, group) for group in (*grouped.values(), *([apart] if apart else []))]


def _rank_of_item(item: WorkItem) -> tuple[object, ...]:
    return (
        *rank_by_week(item.days_left, item.megawatts, item.wafers),
        item.product,
        item.site or "",
        item.supplier or "",
    )


def _rank_of_line(line: WorkLine) -> tuple[object, ...]:
    first = line.items[0]
    rank = rank_by_week(line.days_left, line.megawatts, line.wafers)
    return (
        first.is_synthetic,
        *rank,
        WORK_KINDS.index(line.kind),
        first.product,
        first.site or "",
        first.supplier or "",
    )


def rank_by_week(days_left: int | None, megawatts: Fraction | None, wafers: int) -> tuple[int, int, Fraction, int]:
    """Return a sort key: the earlier week from today first, in it most megawatts waiting, then most wafers."""
    no_day, week = (1, 0) if days_left is None else (0, max(0, days_left) // _WEEK)
    return no_day, week, -(megawatts or Fraction(0)), -wafers


def _sum_megawatts(items: Iterable[WorkItem]) -> Fraction | None:
    megawatts = [item.megawatts for item in items if item.megawatts is not None]
    return sum(megawatts, Fraction(0)) if megawatts else None
