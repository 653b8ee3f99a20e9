"""How far the log is complete: the last complete day, whether it went back, and the sources that have no watermark."""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple


class Setback(NamedTuple):
    """A last complete day that no longer holds, because a source's watermark lies before it."""

    through: int  # the day that was complete, since 1970
    position: int  # the last batch after which it was


class Completion(NamedTuple):
    """What the watermarks say of a position, beside its last complete day."""

    setback: Setback | None
    behind: list[str]  # the sources whose watermarks lie before the day of the setback, sorted
    missing: list[str]  # the sources that have published, or are expected, and have no watermark; sorted


def last_complete_day(watermarks: Mapping[str, int]) -> int | None:
    """Return the least watermark of the sources that have one; None while none has."""
    return min(watermarks.values(), default=None)


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
        reached[source] = max(day, reached.get(source, day))
        setback = next_setback(setback, batch - 1, before, last_complete_day(reached))
    return setback


def describe_completion(
    watermarks: Mapping[str, int], setback: Setback | None, sources: Iterable[str], expected: Collection[str] = ()
) -> Completion:
    """Return what the watermarks say; `sources` have published, `expected` ones may not have."""
    behind = [] if setback is None else sorted(each for each, day in watermarks.items() if day < setback.through)
    return Completion(setback, behind, sorted({*sources, *expected} - watermarks.keys()))
