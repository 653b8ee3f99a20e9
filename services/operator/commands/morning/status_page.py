"""The status as a page: HTML with tables, and one sheet of paper drawn as SVG for PDF; both of the same parts."""

import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

import vl_convert

from services.console.http.charts import Spec, draw_paper, gap_chart, months_chart, projected_chart
from services.console.http.months import months_shown
from services.operator.show.shortages import WORK, work_words
from services.operator.show.table import counted
from shared.wire.firmness import FIRMNESS

_WIDTH, _HEIGHT, _MARGIN = 794, 1123, 40  # A4 at 96 dots an inch
_FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
_SIZE, _SMALL, _ROW = 9.5, 8.5, 13.0
_LETTER = 0.52  # of its size, at the mean
_size_of = re.compile(r'<svg[^>]*? viewBox="0 0 ([\d.]+) ([\d.]+)"').search


class Part(NamedTuple):
    """A table of the page: right are the columns of numbers."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    widths: Sequence[float]  # shares of the page's width
    right: frozenset[int] = frozenset()


def worklist_part(status: Mapping[str, Any]) -> Part:
    """Return the worklist as a table."""
    work = status["worklist"]
    rows = [
        (
            line["kind"].replace("_", " "), work_words(line), f"{line['wafers']:,}",
            "–" if line["mw_waiting"] is None else f"{line['mw_waiting']:,}", line["day"] or "–",
            "–" if line["days_left"] is None else str(line["days_left"]),
        )
        for line in work["rows"]
    ]  # fmt: skip
    rest = f", {work['resting']} snoozed" if work["resting"] else ""
    title = f"Worklist: {counted(len(rows), 'row')} for {counted(work['count'], 'item')}{rest}"
    columns = ("kind", "what", "wafers", "MW waiting", "day", "days left")
    return Part(title, columns, rows, (0.12, 0.42, 0.12, 0.12, 0.12, 0.10), frozenset({2, 3, 5}))


def _meanings(status: Mapping[str, Any]) -> list[str]:
    """Return the action for each kind on the worklist."""
    kinds = {line["kind"] for line in status["worklist"]["rows"]}
    return [words for kind, words in WORK.items() if kind in kinds]


def bridge_part(status: Mapping[str, Any]) -> Part | None:
    """Return the bridge of the first item as a table."""
    bridge = status["bridge"]
    if bridge is None:
        return None
    rows = [("projected then", f"{bridge['projected_then']:,}")]
    rows += [(row["cause"].replace("_", " "), f"{row['wafers']:+,}") for row in bridge["rows"]]
    rows.append(("projected now", f"{bridge['projected_now']:,}"))
    title = f"Why: {bridge['product']} at {bridge['site']}, balance of {bridge['day']}"
    return Part(title, ("", "wafers"), rows, (0.3, 0.15), frozenset({1}))


def charts_of(status: Mapping[str, Any]) -> list[tuple[str, Spec]]:
    """Return the charts with their titles: the months, the gap, and how the first item goes on."""
    shown = months_shown([dict(row) for row in status["months"]], status["complete_through"], FIRMNESS[0])
    found = []
    if shown:
        through = status["complete_through"]
        found.append(("Supply by firmness against demand", months_chart(shown, through)))
        found.append(("Cumulative gap", gap_chart(shown, through)))
    if status["ahead"]:
        of = "{product} at {site}".format(**status["first"])
        found.append((f"Projected balance of {of}, by week", projected_chart(status["ahead"])))
    return found


def _footer(status: Mapping[str, Any]) -> str:
    through = status["complete_through"] or "no day"
    head = f", head {status['head'][:16]}" if status["head"] else ""
    as_of = f", known by {status['as_of']}" if status["as_of"] else ""
    apart = "; synthetic demand is in no chart" * bool(status["months_synthetic"])
    place = f"complete through {through}, position {status['position']}{head}{as_of}"
    return f"{place}; wafers are WSE{apart}; waferline report"


# ---------------------------------------------------------------- HTML

_STYLE = """
@page { size: A4; margin: 12mm }
body { font: 13px/1.4 system-ui, sans-serif; max-width: 60rem; margin: 1rem auto; color: #1c1f23 }
h1 { font-size: 1.3rem } h2 { font-size: 1rem; margin: 1rem 0 .3rem } figure { margin: 0 }
table { border-collapse: collapse; width: 100% } table.narrow { width: auto }
th, td { text-align: left; padding: .1rem 1rem .1rem 0; border-bottom: 1px solid #d9dee3 }
th.n, td.n { text-align: right } svg { width: 100%; height: auto }
footer { color: #5b6570; font-size: .85em; margin-top: 1rem }
@media screen { body { padding: 0 1rem } }
@media print { h2, table, figure { break-inside: avoid } }
"""


def status_html(status: Mapping[str, Any]) -> str:
    """Return the status as an HTML page that loads nothing."""
    charts = "".join(f"<h2>{escape(title)}</h2>"
                     f'<figure role="img" aria-label="{escape(title)}">{_inner(spec, n)}</figure>'
                     for n, (title, spec) in enumerate(charts_of(status)))  # fmt: skip
    meaning = "<br>".join(map(escape, _meanings(status)))
    bridge = bridge_part(status)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Waferline status</title>'
        f"<style>{_STYLE}</style></head><body><h1>{escape(status['verdict'])}</h1>"
        f"{_html_table(worklist_part(status))}<p><small>{meaning}</small></p>"
        f"{_html_table(bridge) if bridge else ''}{charts}<footer>{escape(_footer(status))}</footer></body></html>\n"
    )


def _html_table(part: Part) -> str:
    def row(cells: Sequence[str], tag: str) -> str:
        marks = (' class="n"' if n in part.right else "" for n in range(len(cells)))
        return "".join(f"<{tag}{mark}>{escape(cell)}</{tag}>" for cell, mark in zip(cells, marks, strict=True))

    rows = "".join(f"<tr>{row(cells, 'td')}</tr>" for cells in part.rows)
    narrow = ' class="narrow"' if sum(part.widths) < 1 else ""
    return f"<h2>{escape(part.title)}</h2><table{narrow}><tr>{row(part.columns, 'th')}</tr>{rows}</table>"


# ---------------------------------------------------------------- PDF


def status_pdf(status: Mapping[str, Any]) -> bytes:
    """Return the status as a PDF of one page; it is longer than A4 where its parts are."""
    lines: list[str] = []
    y = _MARGIN + 6.0
    for text in _wrapped(status["verdict"], 15, _WIDTH - 2 * _MARGIN):
        lines.append(_text(_MARGIN, y, text, 15, bold=True))
        y += 20
    for part in (worklist_part(status), bridge_part(status)):
        if part is not None:
            y = _table(lines, part, y + 8)
        if part is not None and part.title.startswith("Worklist"):
            for meaning in _meanings(status):
                y += _SMALL + 3
                lines.append(_text(_MARGIN, y + 2, meaning, _SMALL, colour="#5b6570"))
    for n, (title, spec) in enumerate(charts_of(status)):
        y += _chart(lines, title, spec, n, y + 12) + 12
    bottom = max(_HEIGHT - _MARGIN / 2, y + 24)
    lines.append(_text(_MARGIN, bottom - 8, _footer(status), _SMALL, colour="#5b6570"))
    page = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{bottom:.0f}"'
        f' viewBox="0 0 {_WIDTH} {bottom:.0f}"><rect width="100%" height="100%" fill="#fff"/>{"".join(lines)}</svg>'
    )
    content: bytes = vl_convert.svg_to_pdf(page)
    return content


def _table(lines: list[str], part: Part, y: float) -> float:
    """Draw a table from a height on; return the height below it."""
    y += _ROW
    lines.append(_text(_MARGIN, y, part.title, 11, bold=True))
    whole = _WIDTH - 2 * _MARGIN
    begins = [_MARGIN + whole * sum(part.widths[:n]) for n in range(len(part.widths))]
    for place, cells in enumerate((part.columns, *part.rows)):
        y += _ROW
        for n, cell in enumerate(cells):
            is_right = n in part.right
            x = begins[n] + whole * part.widths[n] - 8 if is_right else begins[n]
            room = int((whole * part.widths[n] - 8) / (_SIZE * _LETTER))
            shown = cell if len(cell) <= room else cell[: room - 1] + "…"
            lines.append(_text(x, y, shown, _SIZE, bold=place == 0, anchor="end" if is_right else "start"))
        end = _MARGIN + whole * sum(part.widths)
        lines.append(f'<path d="M{_MARGIN} {y + 3.5:.1f}H{end:.1f}" stroke="#d9dee3" stroke-width=".6"/>')
    return y


def _chart(lines: list[str], title: str, spec: Spec, number: int, y: float) -> float:
    """Draw a chart with its title from a height on; return its own height."""
    svg, width = _inner(spec, number), _WIDTH - 2 * _MARGIN
    found = _size_of(svg)
    assert found is not None
    height = width * float(found[2]) / float(found[1])
    lines.append(_text(_MARGIN, y + 10, title, 11, bold=True))
    frame = f'<svg x="{_MARGIN}" y="{y + 16:.1f}" width="{width}" height="{height:.1f}"'
    lines.append(re.sub(r'<svg([^>]*?) width="[\d.]+" height="[\d.]+"', rf"{frame}\1", svg, count=1))
    return height + 16


def _inner(spec: Spec, number: int) -> str:
    """Return a chart with ids that no other chart of the page has."""
    svg = re.sub(r"\b(clip|gradient_)(\d+)", rf"chart{number}-\1\2", draw_paper(spec))
    return re.sub(r'(<svg[^>]*?) class="marks"', r"\1", svg, count=1)


def _text(
    x: float, y: float, text: str, size: float, *, bold: bool = False, anchor: str = "start", colour: str = "#1c1f23"
) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-family="{_FONT}" font-size="{size}" fill="{colour}"'
        f' text-anchor="{anchor}"{weight}>{escape(text)}</text>'
    )


def _wrapped(text: str, size: float, width: float) -> Iterator[str]:
    """Yield the lines of a text."""
    line, room = "", int(width / (size * _LETTER))
    for word in text.split():
        if line and len(line) + 1 + len(word) > room:
            yield line
            line = word
        else:
            line = f"{line} {word}".strip()
    yield line
