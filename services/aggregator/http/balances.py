"""Answers of `/balances`, `/months` and `/state`."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from services.aggregator.fold.queries import BalanceRow, sum_lacking, sum_stages, window_balance
from services.aggregator.fold.series import Grouping
from services.aggregator.http.pages import (
    Answer,
    check_horizon,
    check_last_day,
    cut_groups,
    first_after,
    position_of,
    select_keys,
)
from services.aggregator.http.queries import AskAsOf, AskBalances, AskMonths
from services.aggregator.live.view import LiveView
from services.aggregator.plan.months import month_table
from services.aggregator.plan.overviews import iso_or_none
from services.aggregator.plan.wip import report_stages
from services.aggregator.terms import PARTS, Part
from shared.http.problem import UNFIT, Problem
from shared.wire.days import date_of, day_number, day_of, is_ended, iso_day, next_month
from shared.wire.firmness import FIRMNESS

_APART = "synthetic"  # the first name of `after` among the groups of synthetic sites


async def balances(view: LiveView, query: AskBalances) -> Answer:
    """Supply, demand and net in a window of days, and the wafers in each stage at its end.

    A row for each combination of the parts in `by`, sorted; one total row without `by`. The wafers of synthetic sites
    are in rows of their own, after all others.
    """
    curves = view.state.curves
    by, basis, firmness = query.by, query.basis, query.firmness
    if firmness is not None and basis != "receipt":
        detail = "firmness is of commits, which are due at the dock: ask for basis=receipt with it"
        raise Problem(UNFIT, detail, parameter="firmness")
    if query.day is not None:
        day = day_number(query.day)
        check_horizon(curves, "day", day, "day")
    elif curves.complete_through is not None:
        check_last_day(curves)
        day = curves.complete_through
    else:
        day = curves.last_day

    only = select_keys(curves, product=query.product, site=query.site, supplier=query.supplier)
    whole, others = curves.group(by, **only).split(curves.group(("site",)), view.state.sites.synthetic_names())
    first = _first_balance(whole.labels, others, by, query.after)
    page = cut_groups(whole, first, first + query.limit if by else len(whole.labels))
    sums = window_balance(curves, page, day, query.window, basis, firmness)
    fixed = tuple(part for part in PARTS if part in by or part in only)
    lacking = (
        [None] * len(sums) if "supplier" in fixed else sum_lacking(curves, page, day, query.window, basis, firmness)
    )
    stages = sum_stages(curves, page, day)
    reported = report_stages(curves, page, day, stages, fixed)
    rows = [
        {
            **dict(zip(by, each.group, strict=True)),
            "synthetic": first + n >= others,
            **_window(each, lacking[n], is_known=basis == "receipt" or not reported.is_silent(n)),
            "wip": reported.wip[n],
            "finished": reported.finished[n],
            "in_transit": int(stages.in_transit[n]),
            "on_hand": int(stages.on_hand[n]),
            "open_commit": dict(zip(FIRMNESS, stages.open_commit[:, n].tolist(), strict=True)),
            "lots_not_reported_by": reported.lots_not_reported_by[n],
        }
        for n, each in enumerate(sums)
    ]
    return position_of(view) | {
        "day": iso_or_none(day),
        "window_days": query.window,
        "basis": basis,
        "firmness": firmness,
        "by": by,
        "rows": rows,
        "next": "/".join((_APART,) * (first + len(rows) > others) + page.labels[-1])
        if 0 < first + len(rows) < len(whole.labels)
        else None,
    }


def _first_balance(labels: Sequence[tuple[str, ...]], others: int, by: Sequence[Part], after: str | None) -> int:
    """Return the index of the first row after `after`; of the groups of synthetic sites it has one name more."""
    named = () if after is None else tuple(after.split("/"))
    if named[:1] == (_APART,) and len(named) == len(by) + 1:
        return others + bisect_right(labels[others:], named[1:])
    return first_after(labels[:others], after)


def _window(row: BalanceRow, lacking: int | None, *, is_known: bool) -> Answer:
    """Return supply, demand and net of a row; starts are not known where suppliers report no lots at all."""
    if not is_known:
        return {"supply": None, "demand": row.demand, "net": None, "lacking": None}
    return {"supply": row.supply, "demand": row.demand, "net": row.net, "lacking": lacking}


async def months(view: LiveView, query: AskMonths) -> Answer:
    """The programme month by month, on both bases; synthetic sites apart, unless one is asked for."""

    def read() -> Answer:
        curves, target = view.state.curves, view.state.declarations.target_wafers
        begin, end = date_of(curves.start), date_of(curves.start + curves.days)
        first = query.from_ or (begin if begin.day == 1 else next_month(begin))
        last = query.to or (end.replace(day=1) - timedelta(days=1))
        only = select_keys(curves, product=query.product, site=query.site, supplier=query.supplier)
        has_none = first > last and query.from_ is None and query.to is None  # the horizon has no whole month
        apart = view.state.sites.synthetic_names() if query.site is None else ()
        whole, others = curves.group(**only).split(curves.group(("site",)), apart)
        groups = np.arange(len(whole.labels))

        def table(among: Grouping) -> list[Answer]:
            if has_none:
                return []
            try:
                found = month_table(curves, first, last, target, among, **only)
            except ValueError as why:
                raise Problem(UNFIT, f"from and to: {why}, which is {begin} to {end - timedelta(days=1)}") from why
            return [
                {"month": f"{row.month:%Y-%m}", "start": row.start._asdict(), "receipt": row.receipt._asdict()}
                for row in found
            ]

        return position_of(view) | {
            "target_wafers": target,
            "rows": table(whole.pick(groups[:others])),
            "synthetic": table(whole.pick(groups[others:])) if others < groups.size else [],
        }

    return await view.run_paused(read)


def _watermark_day(watermark: int | None) -> str | None:
    return None if watermark is None else iso_day(day_of(watermark))


async def state(view: LiveView, _: AskAsOf) -> Answer:
    """The state from which every number follows: its hash, and the watermark of each source."""

    def read() -> Answer:
        curves = view.state.curves
        return position_of(view) | {
            "epoch": curves.epoch,
            "state_hash": curves.state_hash(),
            "keys": len(curves.keys) - len(curves.empty_keys()),
            "postings": curves.postings,
            "declared": view.state.declarations.digest(),
            "horizon": {"start": iso_or_none(curves.start), "days": curves.days},
            "watermarks": {source: _watermark_day(curves.watermarks.get(source)) for source in sorted(curves.sources)},
            "ended": sorted(source for source, watermark in curves.watermarks.items() if is_ended(watermark)),
        }

    return await view.run_paused(read)
