"""Sparklines and bars: numbers as characters on a terminal."""

from collections.abc import Sequence

_HEIGHTS = "▁▂▃▄▅▆▇█"
SHADES = "·░▒▓█"  # from the least certain to the most; distinct without colours, too


def sparkline(values: Sequence[float | None], *, from_zero: bool = True) -> str:
    """Return a character for each value, from the lowest and 0 to the highest; a blank for none."""
    numbers = [value for value in values if value is not None]
    ends = [0, *numbers] if from_zero or not numbers else numbers
    low, high = min(ends), max(ends)
    steps = len(_HEIGHTS) - 1
    return "".join(
        " " if value is None else _HEIGHTS[round(steps * (value - low) / (high - low)) if high > low else 0]
        for value in values
    )


def stacked_bar(parts: Sequence[int], mark: int, longest: int, width: int) -> str:
    """Return parts side by side, each in its shade, and a mark at another number; `longest` fills the width.

    The ends of a part are rounded, not its length: so the bar is as long as the sum of its parts.
    """
    cells, reached = [" "] * (width + 1), 0
    for shade, part in zip(SHADES, parts, strict=True):
        begin, reached = reached, reached + max(part, 0)
        first, last = (_scale(at, longest, width) for at in (begin, reached))
        cells[first:last] = shade * (last - first)
    cells[_scale(mark, longest, width)] = "┃"
    return "".join(cells)


def _scale(value: int, longest: int, width: int) -> int:
    return min(max(round(width * value / longest), 0), width) if longest > 0 else 0
