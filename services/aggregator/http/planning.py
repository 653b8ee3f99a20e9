"""Answers of `/shortages`, `/cover` and `/atp`."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import cast

import numpy as np

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.queries import sum_stages
from services.aggregator.fold.series import Only
from services.aggregator.http.pages import (
    Answer,
    check_today,
    cut_groups,
    first_after,
    plan_position_of,
    position_of,
    scope_of,
    select_keys,
)
from services.aggregator.http.queries import (
    BUCKETS,
    DETAILED_MAX,
    PAGE_MAX,
    AskCover,
    AskPromise,
    AskShortages,
    AskWeeks,
)
from services.aggregator.http.remarks import group_remarks
from services.aggregator.kernels.arrays import Index
from services.aggregator.live.view import LiveView
from services.aggregator.plan.fill_rate import order_fill_rate
from services.aggregator.plan.netting import zone_of
from services.aggregator.plan.overviews import iso_or_none, ratio
from services.aggregator.plan.projection import Course, ShortageFigures, SupplyPlan, make_plan
from services.aggregator.plan.schedule import (
    Promisable,
    made_wafers,
    promise_stock,
    promise_supply,
    schedule,
    weeks_of_cover,
)
from services.aggregator.plan.shortage import ShortageExplanation, explain_shortage
from services.aggregator.plan.wip import report_stages
from services.aggregator.terms import PARTS, Part
from shared.http.problem import UNFIT, Problem
from shared.wire.events import UNALLOCATED
from shared.wire.firmness import FIRMNESS, Firmness
from shared.wire.lines import LineName

# the columns of a schedule that make a bucket's row
_BUCKET_COLUMNS = ("orders", "forecast", "net_forecast", "receipts", "projected", "atp", "atp_cumulative")


async def shortages(view: LiveView, query: AskShortages) -> Answer:
    """Products that run short at a site, when, and by how many wafers: the earliest first, at synthetic sites last.

    With `order=act_by` those for which wafers can still be started come first, the soonest first. With `why=true` also
    the orders without supply, the supply pegged to them, overdue supply, and the events that caused the shortage.
    """
    make = partial(_shortages, view, query)
    # the orders and commits of a product at a site may be very many: no other answer waits for them
    return await view.run_paused(make) if query.why else make()


def _shortages(view: LiveView, query: AskShortages) -> Answer:
    state = view.state
    firmness, past_due = query.firmness, query.past_due
    rank = view.plan.shortages_to_act_on if query.order == "act_by" else view.plan.shortages
    ranked = rank(firmness, past_due=past_due)
    plan, groups, turn = _plan_page(view, query, ranked, detailed=query.why)
    rows, synthetic = [], state.sites.synthetic_names()
    for group in groups:
        product, site = plan.grouping.labels[group]
        at = {grade: _short(plan, group, grade, past_due=past_due) for grade in FIRMNESS}
        row = {
            "product": product,
            "site": site,
            "synthetic": site in synthetic,
            "on_hand": plan.on_hand(group),
            "short_now": plan.short_now(group),
            "short_since": iso_or_none(plan.short_since(group)),
            **at[firmness],
            "lead_days": plan.lead_days.get(product),
            "by_firmness": {
                grade: short | {"past_due_supply": plan.past_due(group, grade)} for grade, short in at.items()
            },
            "forecast_gap": _forecast_gap(plan, group, firmness, past_due=past_due),
            **group_remarks(view, "short_within", (product, site), plan.today),
        }
        first = plan.short(group, firmness, past_due=past_due).first_short_day
        if query.why and first is not None:
            explanation = explain_shortage(
                state.curves, state.lines, (product, site), firmness, first, past_due=past_due
            )
            row["why"] = _why(explanation)
        rows.append(row)
    answer: Answer = {"firmness": firmness, "past_due": past_due, "rows": rows}
    if not query.why:  # the plan has all groups
        answer["forecast_gaps"] = [
            dict(zip(("product", "site"), plan.grouping.labels[group], strict=True))
            | {"synthetic": plan.grouping.labels[group][1] in synthetic}
            | _forecast_gap(plan, group, firmness, past_due=past_due)
            for group in _chosen_groups(view, plan, query, plan.forecast_gaps(firmness, past_due=past_due))
            if plan.short(group, firmness, past_due=past_due).first_short_day is None
        ]
    return plan_position_of(view, plan) | answer | turn


def _forecast_gap(plan: SupplyPlan, group: int, firmness: Firmness, *, past_due: bool) -> Answer:
    gap = plan.forecast_gap(group, firmness, past_due=past_due)
    return {"first_day": iso_or_none(gap.first_day), "wafers": gap.wafers}


def _short(plan: SupplyPlan, group: int, grade: Firmness, *, past_due: bool) -> Answer:
    short = plan.short(group, grade, past_due=past_due)
    course = plan.course_of(group, grade, past_due=past_due)
    return {
        "first_short_day": iso_or_none(short.first_short_day),
        "first_shortage": short.first_shortage,
        "shortage": short.shortage,
        "worst_day": iso_or_none(course.worst_day),
        "short_until": iso_or_none(course.short_until),
        "act_by": iso_or_none(course.act_by),
        "act_for": iso_or_none(course.act_for),
        "act_wafers": course.act_wafers,
        "startable": _startable(plan, group, short, course),
    }


def _startable(plan: SupplyPlan, group: int, short: ShortageFigures, course: Course) -> str | None:
    """Return how much of a shortage wafers can still be started for; None if nothing is short, or it is not known."""
    if short.first_short_day is None or plan.grouping.labels[group][0] not in plan.lead_days:
        return None
    if course.act_for is None:
        return "too_late"
    return "in_full" if course.act_for == short.first_short_day else "in_part"


def _why(explanation: ShortageExplanation) -> Answer:
    return {
        "orders": [
            {
                **_line_event(order.line, order.event),
                "due": iso_or_none(order.due),
                "wafers": order.wafers,
                "short": order.short,
                "pegs": [
                    {
                        **({"kind": "on_hand"} if peg.line is None else _line_event(peg.line, peg.event)),
                        "day": iso_or_none(peg.day),
                        "wafers": peg.wafers,
                        "days_late": peg.days_late,
                    }
                    for peg in order.pegs
                ],
            }
            for order in explanation.orders
        ],
        "orders_count": explanation.orders_count,
        "overdue": [
            {
                **_line_event(supply.line, supply.event),
                "supplier": supply.supplier,
                "day": iso_or_none(supply.due),
                "wafers": supply.wafers,
                "days_overdue": supply.days,
                "reason": supply.reason,
            }
            for supply in explanation.overdue
        ],
        "causes": [
            {
                **_line_event(cause.name, cause.event),
                "said_by": cause.source,
                "what": cause.change,
                "wafers": cause.wafers,
            }
            for cause in explanation.causes
        ],
        "causes_count": explanation.causes_count,
        "reasons": [reason._asdict() for reason in explanation.reasons],
        "overdrawn": explanation.overdrawn,
    }


def _line_event(name: LineName, event: str | None) -> Answer:
    """Return a line and its event, which the ledger serves at `/events/{source}/{id}`."""
    source, kind, line = name
    return {"kind": kind.partition("/")[0], "source": source, "line": line, "event": event}


async def cover(view: LiveView, query: AskCover) -> Answer:
    """Days that the wafers on hand cover demand at each site, the least covered first, at synthetic sites last."""
    ranked = view.plan.least_covered()
    is_site = np.array([site != UNALLOCATED for _, site in view.plan.grouping.labels], dtype=np.bool_)
    plan, groups, turn = _plan_page(view, query, ranked[is_site[ranked]], detailed=query.fill_rate)
    fill = order_fill_rate(view.state.curves, plan.grouping) if query.fill_rate else None
    rows, synthetic = [], view.state.sites.synthetic_names()
    for group in groups:
        product, site = plan.grouping.labels[group]
        cover = plan.cover(group)
        assert plan.today is not None
        row = {
            "product": product,
            "site": site,
            "synthetic": site in synthetic,
            "on_hand": plan.on_hand(group),
            "backorder": plan.backorder(group),
            "cover": cover._asdict(),
            "cover_days": None if cover.days is None else round(cover.days + cover.left / max(1, cover.next), 1),
            "covered_until": iso_or_none(plan.today + cover.days - 1) if cover.days else None,
            "first_uncovered_day": None if cover.days is None else iso_or_none(plan.today + cover.days),
            **group_remarks(view, "cover_below", (product, site), plan.today),
        }
        if fill is not None:
            row["fill_rate"] = ratio(int(fill.numerator[group]), int(fill.denominator[group]))
        rows.append(row)
    return plan_position_of(view, plan) | {"rows": rows, **turn}


async def cover_weeks(view: LiveView, query: AskWeeks) -> Answer:
    """Weeks of cover of each site in each week from today, of its least covered product.

    The balance projected for a week's end pays for the orders of so many later weeks, without further receipts; a week
    with a day that is short has none. The sites that run short first come first, synthetic sites last. A product's
    surplus covers no other's need.
    """

    def read() -> Answer:
        curves, today = view.state.curves, view.state.curves.today
        check_today(curves)
        only = select_keys(curves, product=query.product)
        select_keys(curves, site=query.site)
        scope = scope_of(view, query.party)
        synthetic = view.state.sites.synthetic_names()
        ranked = _ranked_sites(view.plan_now(), query.firmness, query.product)
        ranked = [site for site in ranked if query.site in (None, site)]
        if scope is not None:
            ranked = [site for site in ranked if site in scope.sites]
        ranked.sort(key=lambda site: site in synthetic)
        page = ranked[query.offset : query.offset + query.limit]
        end = query.offset + len(page)
        return position_of(view) | {
            "today": iso_or_none(today),
            "firmness": query.firmness,
            "rows": [
                {"site": site, "synthetic": site in synthetic} | week
                for site in page
                for week in (() if today is None else _weeks_of_site(curves, only | {"site": site}, today, query))
            ],
            "count": len(ranked),
            "next": end if end < len(ranked) else None,
        }

    return await view.run_paused(read)


def _ranked_sites(plan: SupplyPlan, firmness: Firmness, product: str | None) -> list[str]:
    """Return the sites of a plan that have a product, or any: those that run short first, then the least covered."""
    ranked = [*plan.shortages(firmness).tolist(), *plan.least_covered().tolist()]
    labels = (plan.grouping.labels[group] for group in ranked)
    return [*dict.fromkeys(site for each, site in labels if site != UNALLOCATED and product in (None, each))]


def _weeks_of_site(curves: Curves, only: Only, today: int, query: AskWeeks) -> Iterator[Answer]:
    """Yield the weeks of a site, each with the product that is covered least."""
    grouping = curves.group(("product", "site"), **only)
    if not grouping.labels:
        return
    cover = weeks_of_cover(curves, grouping, today, query.weeks, query.firmness)
    pays_for_all = np.iinfo(np.int64).max
    for week, (short, tenths) in enumerate(zip(cover.short.T, cover.tenths.T, strict=True)):
        least = int(np.lexsort((np.where(tenths < 0, pays_for_all, tenths), -short))[0])
        yield {
            "from": iso_or_none(today + week * BUCKETS["week"]),
            "cover_weeks": None if tenths[least] < 0 else int(tenths[least]) / 10,
            "product": grouping.labels[least][0],
            "short": int(short.sum()),
            "products_short": int((short > 0).sum()),
        }


async def atp(view: LiveView, query: AskPromise) -> Answer:
    """Available to promise where supply can be promised: at suppliers and in synthetic pools, by day or by week.

    At a site it is the master schedule: its orders, and the wafers promised to it.
    """
    check_today(view.state.curves)
    at = query.at or ("supply" if query.site is None else "sites")
    if at == "sites" and query.supplier is not None:
        raise Problem(
            UNFIT, "supplier is given, and orders at sites name none: ask with at=supply", parameter="supplier"
        )

    def read() -> Answer:
        rows, following = (_site_promises if at == "sites" else _supply_promises)(view, query)
        return position_of(view) | {
            "today": iso_or_none(view.state.curves.today),
            "firmness": query.firmness,
            "bucket": query.bucket,
            "at": at,
            "rows": rows,
            "next": following,
        }

    return await view.run_paused(read)


def _site_promises(view: LiveView, query: AskPromise) -> tuple[list[Answer], str | None]:
    """Return the rows of a page of the master schedule, synthetic sites last, and the next page."""
    curves, today, apart = view.state.curves, view.state.curves.today, view.state.sites.synthetic_names()
    bucket_days, buckets = BUCKETS[query.bucket], query.buckets
    rows: list[Answer] = []
    whole, _ = curves.group(("product", "site"), **select_keys(curves, product=query.product, site=query.site)).split(
        curves.group(("site",)), apart
    )
    first = first_after(whole.labels, query.after, apart)
    page = cut_groups(whole, first, first + max(1, query.limit // buckets))
    if today is not None:
        frozen = -(-query.frozen_days // bucket_days)
        table = schedule(
            curves, page, today, bucket_days, buckets, query.firmness,
            early_days=query.early_days, late_days=query.late_days, frozen=frozen,
        )  # fmt: skip
        columns = [getattr(table, name).tolist() for name in _BUCKET_COLUMNS]
        for n, (product, site) in enumerate(page.labels):
            for bucket, cells in enumerate(zip(*(column[n] for column in columns), strict=True)):
                day = today + bucket * bucket_days
                rows.append(
                    {
                        "product": product,
                        "site": site,
                        "synthetic": site in apart,
                        "from": iso_or_none(day),
                        "zone": zone_of(day, today, query.frozen_days, query.tradeoff_days),
                        **dict(zip(_BUCKET_COLUMNS, cells, strict=True)),
                    }
                )
    return rows, "/".join(page.labels[-1]) if rows and first + len(page.labels) < len(whole.labels) else None


def _supply_promises(view: LiveView, query: AskPromise) -> tuple[list[Answer], str | None]:
    """Return the rows of a page of the promises that suppliers, and then synthetic pools, can make; and the next page.

    A product of which a supplier reports no lots, or no order states the lead time, has no rows: it is not known.
    """
    curves, today, apart = view.state.curves, view.state.curves.today, view.state.sites.synthetic_names()
    if today is None:
        return [], None
    only = select_keys(curves, product=query.product, site=query.site, supplier=query.supplier)
    leads = view.state.lines.lead_days()
    made, others = curves.group(("supplier", "product"), **only).split(curves.group(("site",)), apart)
    reported = report_stages(curves, made, today - 1, sum_stages(curves, made, today - 1), ("product", "supplier"))
    reporting = [n for n, (_, product) in enumerate(made.labels) if reported.wip[n] is not None and leads.get(product)]
    place = {label: n for n, label in enumerate(made.labels[:others])}
    # a lot may be started and finished for another site than its wafers are dispatched to
    pairs = [(place[label], n) for n, label in enumerate(made.labels) if n >= others and label in place]
    exist = made_wafers(curves, made, today).netted(pairs)
    held, sites = curves.group(("site", "product"), **only), () if query.supplier else apart
    on_hand = sum_stages(curves, held, today - 1).on_hand
    pools = [n for n, (site, _) in enumerate(held.labels) if site in sites and on_hand[n] > 0]
    places = [*((n >= others, "supplier", made, n) for n in reporting), *((True, "site", held, n) for n in pools)]
    names = ["/".join((part, *grouping.labels[n])) + "/synthetic" * is_apart for is_apart, part, grouping, n in places]
    if query.after is not None and query.after not in names:
        raise Problem(
            UNFIT, f"after is {query.after[:80]!r}: no row of that name is left; begin anew", parameter="after"
        )
    first = 0 if query.after is None else names.index(query.after) + 1
    end = first + max(1, query.limit // query.buckets)
    rows: list[Answer] = []
    for is_apart, part, grouping, n in places[first:end]:
        name, product = grouping.labels[n]
        one, bucket_days = grouping.pick(np.array([n])), BUCKETS[query.bucket]
        if part == "supplier":
            columns = promise_supply(curves, one, exist.pick(n), today, leads[product], bucket_days, query.firmness)
        else:
            columns = promise_stock(schedule(curves, one, today, bucket_days, query.buckets, query.firmness))
        rows += (
            {
                "product": product, "supplier": None, "site": None, part: name, "synthetic": is_apart,
                "from": iso_or_none(today + bucket * bucket_days), **dict(zip(Promisable._fields, cells, strict=True)),
            }
            for bucket, cells in enumerate(zip(*(column[: query.buckets].tolist() for column in columns), strict=True))
        )  # fmt: skip
    return rows, names[end - 1] if end < len(places) else None


def _plan_page(
    view: LiveView, query: AskShortages | AskCover, ranked: Index, *, detailed: bool
) -> tuple[SupplyPlan, Sequence[int], Answer]:
    """Return a plan, its groups on the queried page, and the count and next page.

    Details come from the state, so a page with details is planned anew: all of an answer is of one position.
    """
    check_today(view.state.curves)
    plan = view.plan
    groups = _chosen_groups(view, plan, query, ranked)
    most = DETAILED_MAX if detailed else PAGE_MAX
    offset, limit = query.offset, query.limit or most
    if limit > most:
        detail = f"limit is {limit}, not 1 to {most}: the details of a row take long to compute"
        raise Problem(UNFIT, detail, parameter="limit")
    page: Sequence[int] = groups[offset : offset + limit]
    turn = _turn(view, plan, groups, offset + limit)
    if detailed:
        labels, lead_days = [plan.grouping.labels[group] for group in page], view.state.lines.lead_days()
        plan = make_plan(view.state.curves, labels=labels, lead_days=lead_days)
        page = range(len(plan.grouping.labels))
        if plan.today is None:  # since the plan, the only watermark was reversed
            turn = {"count": 0, "synthetic_count": 0, "next": None}
    return plan, page, turn


def _turn(view: LiveView, plan: SupplyPlan, groups: Sequence[int], end: int) -> Answer:
    """Return the count of some groups, of these the ones at synthetic sites, and the next page."""
    synthetic = view.state.sites.synthetic_names()
    return {
        "count": len(groups),
        "synthetic_count": sum(plan.grouping.labels[group][1] in synthetic for group in groups) if synthetic else 0,
        "next": end if end < len(groups) else None,
    }


def _chosen_groups(view: LiveView, plan: SupplyPlan, query: AskShortages | AskCover, ranked: Index) -> list[int]:
    """Return the ranked groups of the queried product, site and party, those of synthetic sites after all others."""
    scope = scope_of(view, query.party)
    only = select_keys(view.state.curves, product=query.product, site=query.site)
    wanted = [(PARTS.index(cast(Part, part)), value) for part, value in only.items()]
    labels = plan.grouping.labels
    chosen = [group for group in ranked.tolist() if all(labels[group][n] == value for n, value in wanted)]
    if scope is not None:
        chosen = [group for group in chosen if labels[group][1] in scope.sites]
    synthetic = view.state.sites.synthetic_names()
    return sorted(chosen, key=lambda group: labels[group][1] in synthetic) if synthetic else chosen
