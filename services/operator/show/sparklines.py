"""Sparklines and bars: numbers as characters, for whoever looks at a terminal."""

from collections.abc import Sequence

_HEIGHTS = "▁▂▃▄▅▆▇█"
SHADES = "·░▒▓█"  # from the least certain to the most: told apart without colours, too


def sparkline(values: Sequence[float | None], *, from_zero: bool = True) -> str:
    """Return a character a value, from the least of them and 0 to the greatest; a blank where there is none."""
    known = [value for value in values if value is not None]
    ends = [0, *known] if from_zero or not known else known
    low, high = min(ends), max(ends)
    steps = len(_HEIGHTS) - 1
    return "".join(
        " " if value is None else _HEIGHTS[round(steps * (value - low) / (high - low)) if high > low else 0]
        for value in values
    )


def stacked_bar(parts: Sequence[int], mark: int, most: int, width: int) -> str:
    """Return parts beside each other, each in its shade, and a mark where another number lies; `most` fills the width.

    Where a part begins and ends is rounded, not its length: so the bar is as long as the sum of its parts.
    """
    cells, reached = [" "] * (width + 1), 0
    for shade, part in zip(SHADES, parts, strict=True):
        begin, reached = reached, reached + max(part, 0)
        first, last = (_scale(at, most, width) for at in (begin, reached))
        cells[first:last] = shade * (last - first)
    cells[_scale(mark, most, width)] = "┃"
    return "".join(cells)


def _scale(value: int, most: int, width: int) -> int:
    return min(max(round(width * value / most), 0), width) if most > 0 else 0
