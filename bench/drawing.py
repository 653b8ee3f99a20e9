"""Plots as SVG, without a library; the figures are readable in the text of the file."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

COLOURS = ("#b03060", "#2060a0", "#408040", "#a06010")


class Line(NamedTuple):
    """A name, and its value at each point."""

    name: str
    points: Mapping[Any, float]


def draw_ratios(groups: Mapping[str, Sequence[Line]]) -> str:
    """Return a row for each line, its points on a logarithmic axis; a colour for each number of keys."""
    width, left, right, row = 720, 210, 40, 20
    keys = sorted({key for lines in groups.values() for line in lines for key in line.points})
    values = [value for lines in groups.values() for line in lines for value in line.points.values()]
    low = min(0, math.floor(math.log10(min(values, default=1))))
    high = max(1, math.ceil(math.log10(max(values, default=10))))

    def x(value: float) -> float:
        return round(left + (math.log10(value) - low) / (high - low) * (width - left - right), 1)

    drawn, y = [], 40
    for title, lines in groups.items():
        y += 22
        drawn.append(f'<text x="8" y="{y}" font-weight="bold">{escape(title)}</text>')
        for line in lines:
            y += row
            drawn.append(f'<text x="{left - 12}" y="{y}" text-anchor="end">{escape(line.name)}</text>')
            for key, value in line.points.items():
                colour = COLOURS[keys.index(key) % len(COLOURS)]
                drawn.append(f'<circle cx="{x(value)}" cy="{y - 4}" r="4" fill="{colour}"/>')
        y += 8
    marks = [
        f'<line x1="{x(10.0**n)}" x2="{x(10.0**n)}" y1="44" y2="{y}" stroke="{"#888" if n == 0 else "#ddd"}"/>'
        f'<text x="{x(10.0**n)}" y="{y + 18}" text-anchor="middle">{10.0**n:,.6g}×</text>'
        for n in range(low, high + 1)
    ]
    legend = [
        f'<circle cx="{left + 120 * n}" cy="20" r="4" fill="{COLOURS[n % len(COLOURS)]}"/>'
        f'<text x="{left + 10 + 120 * n}" y="24">{key:,} keys</text>'
        for n, key in enumerate(keys)
    ]
    return _framed(width, y + 32, [*marks, *drawn, *legend, '<text x="8" y="24">time of ours = 1</text>'])


class Panel(NamedTuple):
    """A curve for each name over something that grows."""

    title: str
    lines: Sequence[Line]


def draw_growth(panels: Sequence[Panel]) -> str:
    """Return the panels beside each other, two in a row, all with the same lines; both axes are logarithmic."""
    wide, high, left, top, bottom, head = 360, 220, 52, 28, 36, 28
    drawn = [
        f'<text x="{left + 160 * n}" y="18" style="fill: {COLOURS[n % len(COLOURS)]}">{escape(line.name)}</text>'
        for n, line in enumerate(panels[0].lines)
    ]
    for number, panel in enumerate(panels):
        dx, dy = wide * (number % 2), head + high * (number // 2)
        xs = sorted({x for line in panel.lines for x in line.points})
        ys = [value for line in panel.lines for value in line.points.values()]
        first, last = math.log10(max(min(xs), 0.5)), math.log10(max(xs))
        low, most = math.floor(math.log10(min(ys))), math.ceil(math.log10(max(ys)))
        most = max(most, low + 1)

        def x(value: float, dx: int = dx, first: float = first, last: float = last) -> float:
            share = (math.log10(max(value, 0.5)) - first) / ((last - first) or 1)
            return round(dx + left + share * (wide - left - 24), 1)

        def y(value: float, dy: int = dy, low: int = low, most: int = most) -> float:
            share = (math.log10(value) - low) / (most - low)
            return round(dy + high - bottom - share * (high - top - bottom), 1)

        drawn.append(f'<text x="{dx + 8}" y="{dy + 18}" font-weight="bold">{escape(panel.title)}</text>')
        for n in range(low, most + 1):
            at = y(10.0**n)
            drawn.append(
                f'<line x1="{dx + left}" x2="{dx + wide - 24}" y1="{at}" y2="{at}" stroke="#ddd"/>'
                f'<text x="{dx + left - 6}" y="{at + 4}" text-anchor="end">{10.0**n:,.6g}</text>'
            )
        drawn += [f'<text x="{x(v)}" y="{dy + high - 16}" text-anchor="middle">{_short(v)}</text>' for v in xs]
        for n, line in enumerate(panel.lines):
            colour = COLOURS[n % len(COLOURS)]
            points = " ".join(f"{x(at)},{y(value)}" for at, value in sorted(line.points.items()))
            drawn.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
    return _framed(2 * wide, head + high * ((len(panels) + 1) // 2), drawn)


def _short(value: float) -> str:
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def _framed(width: int, height: int, drawn: Sequence[str]) -> str:
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">',
            "<style>text { font: 12px sans-serif; fill: #444 }</style>",
            f'<rect width="{width}" height="{height}" fill="#fff"/>',
            *drawn,
            "</svg>\n",
        ]
    )
