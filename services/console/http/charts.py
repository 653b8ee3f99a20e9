"""The charts: Vega-Lite specifications, drawn here as SVG and PNG, so that a page needs no program to show them.

In a page colours are CSS variables, so that a chart is dark where the page is. What differs by colour differs by
place, dash or label, too: the colours are those of Okabe and Ito, which the colour-blind tell apart.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

import orjson
import vl_convert

from shared.wire.events import FIRMNESS

Spec = dict[str, Any]

PAPER = {
    "received": "#333333", "immediate": "#004d7a", "firm": "#0072b2", "manufacturing": "#56b4e9", "material": "#9ad1f2",
    "planned": "#d5ecfa", "demand": "#d55e00", "headline": "#cc79a7", "gap": "#e69f00", "ink": "#1c1f23",
    "soft": "#5b6570", "line": "#d9dee3", "paper": "#ffffff",
}  # fmt: skip
"""The colours of a picture that leaves the page; the page has its own of the same names."""

SUPPLY = ("received", *reversed(FIRMNESS))
_DEMAND = ("required", "with forecasts", "letter of intent, no supply")
_CAME = ("received", "committed")
_WIDTH, _HALF_WIDTH, _HEIGHT = 1_130, 520, 280


async def draw_svg(spec: Spec) -> str:
    """Return a chart as SVG whose colours are the page's."""
    return await asyncio.to_thread(_svg, orjson.dumps(_coloured(spec, {name: f"var(--{name})" for name in PAPER})))


async def draw_png(spec: Spec) -> bytes:
    """Return a chart as a picture, two pixels a point."""
    text = orjson.dumps(_coloured(spec, PAPER)).decode()
    return await asyncio.to_thread(vl_convert.vegalite_to_png, text, scale=2)


@lru_cache(maxsize=64)
def _svg(spec: bytes) -> str:
    svg: str = vl_convert.vegalite_to_svg(spec.decode())
    return svg


def months_chart(months: Sequence[Mapping[str, Any]], complete_through: str | None) -> Spec:
    """Return supply by firmness stacked against demand, a bar a month; what is past is what was received."""
    demand = []
    is_demanded = any(row["receipt"]["due"] + row["receipt"]["forecast"] for row in months)
    orders_end = max((row["month"] for row in months if row["receipt"]["due"]), default="")
    for row in months:
        month, receipt = row["month"], row["receipt"]
        if month <= orders_end:
            demand.append({"month": month, "wafers": receipt["due"], "of": _DEMAND[0]})
        if is_demanded:  # orders name no supplier: of one alone nothing is required
            demand.append({"month": month, "wafers": receipt["due"] + receipt["forecast"], "of": _DEMAND[1]})
        if row["start"]["agreed"]:
            demand.append({"month": month, "wafers": row["start"]["agreed"], "of": _DEMAND[2]})
    lines = {
        "data": {"values": demand},
        "mark": {"type": "line", "interpolate": "step", "strokeWidth": 2.5},
        "encoding": {
            "x": _month_axis(),
            "y": {"field": "wafers", "type": "quantitative"},
            "stroke": _told_apart(["@demand", "@demand", "@headline"]),
            "strokeDash": _told_apart([[1, 0], [6, 4], [2, 3]]),
        },
    }
    return _chart([_supply_bars(months, complete_through), lines], _today_rule(months, complete_through))


def _supply_bars(months: Sequence[Mapping[str, Any]], complete_through: str | None) -> Spec:
    """Return a stack of bars a month: what was received where the month is over, else what is committed, by grade."""
    supply = []
    for row in months:
        past, receipt = is_past(row["month"], complete_through), row["receipt"]
        parts = {"received": receipt["received"]} if past else receipt["committed"]
        supply += [
            {"month": row["month"], "wafers": wafers, "grade": grade, "order": SUPPLY.index(grade)}
            for grade, wafers in parts.items()
            if wafers
        ]
    shown = [grade for grade in SUPPLY if any(each["grade"] == grade for each in supply)]
    return {
        "data": {"values": supply},
        "mark": {"type": "bar", "width": {"band": 0.86}},
        "encoding": {
            "x": _month_axis(),
            "y": _wafers_axis("wafers a month, at the dock"),
            "color": _colours("grade", shown, "supply"),
            "order": {"field": "order", "type": "quantitative"},
        },
    }


def _told_apart(range_: list[Any]) -> Spec:
    return {
        "field": "of", "type": "nominal", "title": "demand, and what was only announced",
        "scale": {"domain": list(_DEMAND), "range": range_}, "legend": {"labelLimit": 300},
    }  # fmt: skip


def gap_chart(months: Sequence[Mapping[str, Any]], complete_through: str | None) -> Spec:
    """Return the cumulative gap: received less required, and from today on what would come less what is required."""
    values = [{"month": row["month"], "wafers": row["gap"]} for row in months]
    area = {
        "data": {"values": values},
        "mark": {"type": "area", "line": {"color": "@gap", "strokeWidth": 2}, "color": "@gap", "fillOpacity": 0.25},
        "encoding": {"x": _month_axis(), "y": _wafers_axis("cumulative gap, wafers")},
    }
    return _chart([area, _zero()], _today_rule(months, complete_through)[:1], height=140)


def site_chart(months: Sequence[Mapping[str, Any]], complete_through: str | None) -> Spec:
    """Return what comes to a site, received or committed, month by month, against what it requires."""
    came = [
        {"month": row["month"], "wafers": row["received" if past else "committed"], "grade": _CAME[not past]}
        for row in months
        for past in (is_past(row["month"], complete_through),)
    ]
    needed = [{"month": row["month"], "wafers": row["due"] + row["forecast"], "of": _DEMAND[1]} for row in months]
    scale = {"domain": list(_CAME), "range": ["@received", "@manufacturing"]}
    bars = {
        "data": {"values": came},
        "mark": {"type": "bar", "width": {"band": 0.86}},
        "encoding": {
            "x": _month_axis(),
            "y": _wafers_axis("wafers a month, at the dock"),
            "color": {"field": "grade", "type": "nominal", "title": "supply", "scale": scale},
        },
    }
    line = {
        "data": {"values": needed},
        "mark": {"type": "line", "interpolate": "step", "strokeWidth": 2.5, "stroke": "@demand"},
        "encoding": {"x": _month_axis(), "y": {"field": "wafers", "type": "quantitative"}},
    }
    return _chart([bars, line], _today_rule(months, complete_through), height=180)


def kept_chart(months: Sequence[Mapping[str, Any]], complete_through: str | None, most: int) -> Spec:
    """Return what a supplier committed for each month, as it stands, and what came; `most` wafers high."""
    committed = [{"month": row["month"], "wafers": committed_of(row)} for row in months]
    bars = _supply_bars(months, complete_through)
    bars["encoding"]["y"] |= {"scale": {"domain": [0, most]}}
    bars["encoding"]["color"] |= {"title": None, "legend": {"columns": 3}}
    line = {
        "data": {"values": committed},
        "mark": {"type": "line", "interpolate": "step", "strokeWidth": 2.5, "strokeDash": [6, 3]},
        "encoding": {
            "x": _month_axis(),
            "y": {"field": "wafers", "type": "quantitative"},
            "stroke": {"value": "@ink"},
        },
    }
    return _chart([bars, line], _today_rule(months, complete_through), height=200, width=_HALF_WIDTH)


def committed_of(month: Mapping[str, Any]) -> int:
    """Return what is committed for a month, at whatever grade."""
    return sum(month["receipt"]["committed"].values())


def age_chart(ages: Sequence[Mapping[str, Any]], most: int) -> Spec:
    """Return what is in the fabs by the days since it was started; `most` wafers wide."""
    values = [{"age": _age(row), "wafers": row["wafers"], "said": f"{row['wafers']:,}"} for row in ages]
    order = {"field": "age", "type": "ordinal", "sort": None, "title": None, "axis": {"grid": False}}
    wafers = {"field": "wafers", "type": "quantitative", "title": None, "axis": None}
    bars = {
        "data": {"values": values},
        "encoding": {"y": order, "x": wafers | {"scale": {"domain": [0, max(1, most) * 1.15]}}},
        "layer": [
            {"mark": {"type": "bar", "color": "@manufacturing", "height": {"band": 0.8}}},
            {"mark": {"type": "text", "align": "left", "dx": 4, "color": "@ink", "fontSize": 12},
             "encoding": {"text": {"field": "said"}}},
        ],
    }  # fmt: skip
    return _chart([bars], [], height=24 * max(1, len(ages)), width=_HALF_WIDTH)


def _age(row: Mapping[str, Any]) -> str:
    return f"{row['from_days']} to {row['before_days'] - 1}" if row["before_days"] else f"{row['from_days']} and more"


def projected_chart(weeks: Sequence[Mapping[str, Any]]) -> Spec:
    """Return what will be at hand at the end of each week, if what is committed comes; below zero it is lacking."""
    values = [
        {"week": row["from"], "wafers": row["projected"], "is": "lacking" if row["projected"] < 0 else "at hand"}
        for row in weeks
    ]
    bars = {
        "data": {"values": values},
        "mark": {"type": "bar", "width": {"band": 0.86}},
        "encoding": {
            "x": {"field": "week", "type": "ordinal", "title": None,
                  "axis": {"labelAngle": 0, "labelOverlap": "greedy", "labelSeparation": 12, "grid": False}},
            "y": _wafers_axis("wafers at the week's end"),
            "color": {"field": "is", "type": "nominal", "title": None,
                      "scale": {"domain": ["at hand", "lacking"], "range": ["@manufacturing", "@demand"]}},
        },
    }  # fmt: skip
    return _chart([bars, _zero()], [], height=150)


def is_past(month: str, complete_through: str | None) -> bool:
    """Return whether a month, YYYY-MM, is complete: its days are over and all has been said of them."""
    if complete_through is None:
        return False
    day_after = date.fromisoformat(complete_through) + timedelta(days=1)
    return month < day_after.isoformat()[:7]


def _zero() -> Spec:
    return {"data": {"values": [{"wafers": 0}]}, "mark": {"type": "rule", "color": "@ink"},
            "encoding": {"y": {"field": "wafers", "type": "quantitative"}}}  # fmt: skip


def _chart(layers: list[Spec], rule: list[Spec], height: int = _HEIGHT, width: int = _WIDTH) -> Spec:
    return {
        "width": width,
        "height": height,
        "padding": {"left": 14, "right": 8, "top": 4, "bottom": 4},  # a page's letters may be wider than those here
        "background": "@paper",
        "layer": layers + rule,
        "config": {
            "font": "system-ui, sans-serif",
            "view": {"stroke": None},
            "axis": {
                "labelColor": "@soft", "titleColor": "@soft", "gridColor": "@line", "domainColor": "@line",
                "tickColor": "@line", "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal",
            },
            "legend": {
                "labelColor": "@ink", "titleColor": "@soft", "orient": "top", "labelFontSize": 12, "titleFontSize": 12,
                "titleFontWeight": "normal", "symbolStrokeWidth": 2.5, "titleLimit": 400, "columnPadding": 14,
            },
        },
    }  # fmt: skip


def _month_axis() -> Spec:
    return {
        "field": "month", "type": "ordinal", "title": None,
        "axis": {"labelAngle": 0, "labelOverlap": "greedy", "labelSeparation": 12, "grid": False},
    }  # fmt: skip


def _wafers_axis(title: str) -> Spec:
    return {"field": "wafers", "type": "quantitative", "title": title, "axis": {"format": "~s", "tickCount": 5}}


def _colours(field: str, names: Sequence[str], title: str) -> Spec:
    scale = {"domain": list(names), "range": [f"@{name}" for name in names]}
    return {"field": field, "type": "nominal", "title": title, "scale": scale}


def _today_rule(months: Sequence[Mapping[str, Any]], complete_through: str | None) -> list[Spec]:
    """Return the line between what has been and what is to come, where it lies among the months."""
    shown = [row["month"] for row in months]
    if complete_through is None or complete_through[:7] not in shown:
        return []
    is_left = shown.index(complete_through[:7]) * 3 < len(shown)  # where no text has room on that side
    mark = {"data": {"values": [{"month": complete_through[:7], "said": "complete through " + complete_through}]},
            "encoding": {"x": _month_axis(), "text": {"field": "said"}}}  # fmt: skip
    text = {"type": "text", "y": 8, "color": "@ink", "fontSize": 12}
    text |= {"align": "left", "dx": 6} if is_left else {"align": "right", "dx": -6}
    return [mark | {"mark": {"type": "rule", "color": "@ink", "strokeDash": [3, 3]}}, mark | {"mark": text}]


def _coloured(spec: Any, colours: Mapping[str, str]) -> Any:
    """Return a specification with the colours that it names by "@"."""
    if isinstance(spec, dict):
        return {key: _coloured(value, colours) for key, value in spec.items()}
    if isinstance(spec, list):
        return [_coloured(value, colours) for value in spec]
    return colours[spec[1:]] if isinstance(spec, str) and spec[:1] == "@" else spec
