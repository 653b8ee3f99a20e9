"""Charts: Vega-Lite specifications, drawn on the server as SVG and PNG, so that a page needs no script to show them.

In a page colours are CSS variables, so that a chart is dark where the page is. A difference in colour is a difference
in place, dash or label, too; the colours are those of Okabe and Ito, which the colour-blind can distinguish.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson
import vl_convert

from services.console.http.months import committed_of
from shared.wire.firmness import FIRMNESS

Spec = dict[str, Any]

PAPER = {
    "received": "#333333", "in_transit": "#009e73", "immediate": "#004d7a", "firm": "#0072b2",
    "manufacturing": "#56b4e9", "material": "#9ad1f2",
    "planned": "#d5ecfa", "demand": "#d55e00", "headline": "#cc79a7", "gap": "#e69f00", "ink": "#1c1f23",
    "soft": "#5b6570", "line": "#d9dee3", "paper": "#ffffff",
}  # fmt: skip
"""Colours of a downloaded picture; the page's style sheet has variables of the same names."""

SUPPLY = ("received", "in transit", *reversed(FIRMNESS))
_DEMAND = ("required", "with forecasts", "letter of intent, no supply")
_RECEIPTS = ("received", "to come")
_POPULATED = {"populated": "populated", "waiting": "waiting for memory"}
_WIDTH, _HALF_WIDTH, _HEIGHT = 1_130, 520, 280


async def draw_svg(spec: Spec) -> str:
    """Return a chart as SVG in the page's colours."""
    return await asyncio.to_thread(_svg, orjson.dumps(_coloured(spec, {name: f"var(--{name})" for name in PAPER})))


async def draw_png(spec: Spec) -> bytes:
    """Return a chart as PNG, two pixels a point."""
    text = orjson.dumps(_coloured(spec, PAPER)).decode()
    return await asyncio.to_thread(vl_convert.vegalite_to_png, text, scale=2)


def draw_paper(spec: Spec) -> str:
    """Return a chart as SVG in the colours of paper."""
    return _svg(orjson.dumps(_coloured(spec, PAPER)))


@lru_cache(maxsize=64)
def _svg(spec: bytes) -> str:
    svg: str = vl_convert.vegalite_to_svg(spec.decode())
    return svg


def months_chart(months: Sequence[Mapping[str, Any]], complete_through: str | None) -> Spec:
    """Return receipts and supply to come by firmness against demand, a stacked bar a month."""
    demand = []
    is_demanded = any(row["receipt"]["due"] + row["receipt"]["forecast"] for row in months)
    orders_end = max((row["month"] for row in months if row["receipt"]["due"]), default="")
    for row in months:
        month, receipt = row["month"], row["receipt"]
        if month <= orders_end:
            demand.append({"month": month, "wafers": receipt["due"], "of": _DEMAND[0]})
        if is_demanded:  # orders name no supplier, so one supplier alone has no demand
            demand.append({"month": month, "wafers": receipt["due"] + receipt["forecast"], "of": _DEMAND[1]})
        if row["start"]["agreed"]:
            demand.append({"month": month, "wafers": row["start"]["agreed"], "of": _DEMAND[2]})
    lines = {
        "data": {"values": demand},
        "mark": {"type": "line", "interpolate": "step", "strokeWidth": 2.5},
        "encoding": {
            "x": _month_axis(),
            "y": {"field": "wafers", "type": "quantitative"},
            "stroke": _demand_channel(["@demand", "@demand", "@headline"]),
            "strokeDash": _demand_channel([[1, 0], [6, 4], [2, 3]]),
        },
    }
    return _chart([_supply_bars(months), lines], _today_rule(months, complete_through))


def _supply_bars(months: Sequence[Mapping[str, Any]]) -> Spec:
    """Return a stacked bar a month: its receipts, and from today on also wafers in transit and open commits."""
    supply = []
    for row in months:
        parts = {"received": row["receipt"]["received"], **row["receipt"]["to_come"]}
        supply += [
            {"month": row["month"], "wafers": wafers, "grade": grade, "order": SUPPLY.index(grade)}
            for grade, wafers in ((name.replace("_", " "), wafers) for name, wafers in parts.items())
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


def _demand_channel(range_: list[Any]) -> Spec:
    return {
        "field": "of", "type": "nominal", "title": "demand, and letters of intent",
        "scale": {"domain": list(_DEMAND), "range": range_}, "legend": {"labelLimit": 300},
    }  # fmt: skip


def gap_chart(months: Sequence[Mapping[str, Any]], complete_through: str | None) -> Spec:
    """Return the cumulative gap: supply less orders due, from today on less forecasts, too."""
    values = [{"month": row["month"], "wafers": row["gap"]} for row in months]
    area = {
        "data": {"values": values},
        "mark": {"type": "area", "line": {"color": "@gap", "strokeWidth": 2}, "color": "@gap", "fillOpacity": 0.25},
        "encoding": {"x": _month_axis(), "y": _wafers_axis("cumulative gap, wafers")},
    }
    return _chart([area, _zero()], _today_rule(months, complete_through)[:1], height=140)


def site_chart(months: Sequence[Mapping[str, Any]], complete_through: str | None) -> Spec:
    """Return receipts of a site, and supply to come, against its requirements, month by month."""
    receipts = [
        {"month": row["month"], "wafers": row[grade.replace(" ", "_")], "grade": grade, "order": order}
        for row in months
        for order, grade in enumerate(_RECEIPTS)
    ]
    needed = [{"month": row["month"], "wafers": row["due"] + row["forecast"], "of": _DEMAND[1]} for row in months]
    scale = {"domain": list(_RECEIPTS), "range": ["@received", "@manufacturing"]}
    bars = {
        "data": {"values": receipts},
        "mark": {"type": "bar", "width": {"band": 0.86}},
        "encoding": {
            "x": _month_axis(),
            "y": _wafers_axis("wafers a month, at the dock"),
            "color": {"field": "grade", "type": "nominal", "title": "supply", "scale": scale},
            "order": {"field": "order", "type": "quantitative"},
        },
    }
    line = {
        "data": {"values": needed},
        "mark": {"type": "line", "interpolate": "step", "strokeWidth": 2.5, "stroke": "@demand"},
        "encoding": {"x": _month_axis(), "y": {"field": "wafers", "type": "quantitative"}},
    }
    return _chart([bars, line], _today_rule(months, complete_through), height=180)


def megawatts_chart(months: Sequence[Mapping[str, Any]], complete_through: str | None) -> Spec:
    """Return the megawatts on of a site, those populated and those waiting for memory, at the end of each month."""
    parts = [
        {"month": row["month"], "mw": row[f"mw_{part}"], "part": title, "order": order}
        for row in months
        if row["mw_populated"] is not None
        for order, (part, title) in enumerate(_POPULATED.items())
    ]
    bars = {
        "data": {"values": parts},
        "mark": {"type": "bar", "width": {"band": 0.86}},
        "encoding": {
            "x": _month_axis(),
            "y": {"field": "mw", "type": "quantitative", "title": "MW on, at the month's end"},
            "color": {
                "field": "part", "type": "nominal", "title": "MW on",
                "scale": {"domain": [*_POPULATED.values()], "range": ["@firm", "@gap"]},
            },
            "order": {"field": "order", "type": "quantitative"},
        },
    }  # fmt: skip
    return _chart([bars], _today_rule(months, complete_through), height=140)


def performance_chart(months: Sequence[Mapping[str, Any]], complete_through: str | None, highest: int) -> Spec:
    """Return a supplier's commits and receipts by month; the axis is `highest` wafers high."""
    committed = [{"month": row["month"], "wafers": committed_of(row)} for row in months]
    bars = _supply_bars(months)
    bars["encoding"]["y"] |= {"scale": {"domain": [0, highest]}}
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


def age_chart(ages: Sequence[Mapping[str, Any]], widest: int) -> Spec:
    """Return WIP by the days since its start; the axis is `widest` wafers wide."""
    values = [{"age": _age(row), "wafers": row["wafers"], "label": f"{row['wafers']:,}"} for row in ages]
    order = {"field": "age", "type": "ordinal", "sort": None, "title": None, "axis": {"grid": False}}
    wafers = {"field": "wafers", "type": "quantitative", "title": None, "axis": None}
    bars = {
        "data": {"values": values},
        "encoding": {"y": order, "x": wafers | {"scale": {"domain": [0, max(1, widest) * 1.15]}}},
        "layer": [
            {"mark": {"type": "bar", "color": "@manufacturing", "height": {"band": 0.8}}},
            {"mark": {"type": "text", "align": "left", "dx": 4, "color": "@ink", "fontSize": 12},
             "encoding": {"text": {"field": "label"}}},
        ],
    }  # fmt: skip
    return _chart([bars], [], height=24 * max(1, len(ages)), width=_HALF_WIDTH)


def _age(row: Mapping[str, Any]) -> str:
    return f"{row['from_days']} to {row['before_days'] - 1}" if row["before_days"] else f"{row['from_days']} and more"


def projected_chart(weeks: Sequence[Mapping[str, Any]]) -> Spec:
    """Return the projected balance at the end of each week, if all commits come; below zero is a shortage."""
    values = [
        {"week": row["from"], "wafers": row["projected"], "sign": "short" if row["projected"] < 0 else "on hand"}
        for row in weeks
    ]
    bars = {
        "data": {"values": values},
        "mark": {"type": "bar", "width": {"band": 0.86}},
        "encoding": {
            "x": {"field": "week", "type": "ordinal", "title": None,
                  "axis": {"labelAngle": 0, "labelOverlap": "greedy", "labelSeparation": 12, "grid": False}},
            "y": _wafers_axis("wafers at the week's end"),
            "color": {"field": "sign", "type": "nominal", "title": None,
                      "scale": {"domain": ["on hand", "short"], "range": ["@manufacturing", "@demand"]}},
        },
    }  # fmt: skip
    return _chart([bars, _zero()], [], height=150)


def bridge_chart(bridge: Mapping[str, Any]) -> Spec:
    """Return the waterfall from the balance projected then to that projected now, a bar a cause."""
    level = bridge["projected_then"]
    values = [{"step": "projected then", "from": 0, "to": level, "sign": "projected"}]
    for row in bridge["rows"]:
        sign = "less" if row["wafers"] < 0 else "more"
        step = row["cause"].replace("_", " ")
        values.append({"step": step, "from": level, "to": level + row["wafers"], "sign": sign})
        level += row["wafers"]
    values.append({"step": "projected now", "from": 0, "to": level, "sign": "projected"})
    bars = {
        "data": {"values": values},
        "mark": {"type": "bar", "width": {"band": 0.7}},
        "encoding": {
            "x": {"field": "step", "type": "ordinal", "title": None, "sort": None,
                  "axis": {"labelAngle": -20, "labelOverlap": False, "grid": False}},
            "y": _wafers_axis("wafers") | {"field": "from"},
            "y2": {"field": "to"},
            "color": {"field": "sign", "type": "nominal", "title": None,
                      "scale": {"domain": ["projected", "more", "less"], "range": ["@received", "@manufacturing",
                                                                                 "@demand"]}},
        },
    }  # fmt: skip
    return _chart([bars, _zero()], [], height=200)


def _zero() -> Spec:
    return {"data": {"values": [{"wafers": 0}]}, "mark": {"type": "rule", "color": "@ink"},
            "encoding": {"y": {"field": "wafers", "type": "quantitative"}}}  # fmt: skip


def _chart(layers: list[Spec], rule: list[Spec], height: int = _HEIGHT, width: int = _WIDTH) -> Spec:
    return {
        "width": width,
        "height": height,
        "padding": {"left": 14, "right": 8, "top": 4, "bottom": 4},  # the page's letters may be wider than the server's
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
    scale = {"domain": list(names), "range": [f"@{name.replace(' ', '_')}" for name in names]}
    return {"field": field, "type": "nominal", "title": title, "scale": scale}


def _today_rule(months: Sequence[Mapping[str, Any]], complete_through: str | None) -> list[Spec]:
    """Return the line at the last complete day, if its month is among those shown."""
    shown = [row["month"] for row in months]
    if complete_through is None or complete_through[:7] not in shown:
        return []
    is_left = shown.index(complete_through[:7]) * 3 < len(shown)  # a text has no room on that side
    mark = {"data": {"values": [{"month": complete_through[:7], "label": "complete through " + complete_through}]},
            "encoding": {"x": _month_axis(), "text": {"field": "label"}}}  # fmt: skip
    text = {"type": "text", "y": 8, "color": "@ink", "fontSize": 12}
    text |= {"align": "left", "dx": 6} if is_left else {"align": "right", "dx": -6}
    return [mark | {"mark": {"type": "rule", "color": "@ink", "strokeDash": [3, 3]}}, mark | {"mark": text}]


def _coloured(spec: Any, colours: Mapping[str, str]) -> Any:
    """Return a specification with a colour in place of each name that begins with "@"."""
    if isinstance(spec, dict):
        return {key: _coloured(value, colours) for key, value in spec.items()}
    if isinstance(spec, list):
        return [_coloured(value, colours) for value in spec]
    return colours[spec[1:]] if isinstance(spec, str) and spec[:1] == "@" else spec
