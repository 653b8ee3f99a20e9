"""Rows of the overviews: sites, the time line of a site, and suppliers."""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple, Unpack

import numpy as np

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.queries import required_by_day, sum_moved, sum_stages
from services.aggregator.fold.series import Grouping, Only
from services.aggregator.fold.sites import PhaseStatement, SiteStatement
from services.aggregator.fold.state import FoldState
from services.aggregator.plan.months import MonthOnReceipt, month_table
from services.aggregator.plan.performance import ProductPerformance, measure_performance
from services.aggregator.plan.populated.energy import HOURS_A_YEAR, energy_mwh
from services.aggregator.plan.populated.footprint import footprint_rows
from services.aggregator.plan.populated.racks import PopulatedSite
from services.aggregator.plan.populated.sites import (
    NOT_ENERGISED,
    SiteMegawatts,
    populate_sites,
    populated_phase_row,
    populated_row,
)
from services.aggregator.plan.projection import SupplyPlan
from services.aggregator.plan.wip import AGES, age_wip, measure_yield, report_stages
from services.aggregator.terms import LAGS, Part
from shared.programme.shares import percent_of
from shared.wire.days import date_of, day_number, iso_day, next_month
from shared.wire.events import UNALLOCATED, UNATTRIBUTED
from shared.wire.firmness import Firmness
from shared.wire.postings import Measure

YIELD_MONTHS = 12
BEYOND = "beyond"  # the day of an order due after the horizon: the curves keep no days there
_SITE_FIELDS = (
    "name", "country", "mooring", "mw", "pue_percent", "land_ha", "waterplane_m2",
    "power_source", "kg_co2_per_mwh", "evidence", "confidence", "synthetic", "source",
)  # fmt: skip

Row = dict[str, Any]
SupplierLabel = tuple[str, str]  # supplier, product


def iso_or_none(day: int | None) -> str | None:
    """Return the date of a day number as YYYY-MM-DD."""
    return None if day is None else iso_day(day)


def ratio(numerator: int, denominator: int) -> Row:
    """Return a ratio with its numbers and its percentage, which is None where the denominator is 0."""
    return {"numerator": numerator, "denominator": denominator, "percent": percent_of(numerator, denominator)}


# ---------------------------------------------------------------- sites


def site_names(state: FoldState) -> list[str]:
    """Return the sites that have wafers on any day, are declared or have a phase, sorted."""
    named = state.curves.names("site") | state.sites.phases().keys() | state.sites.declared().keys()
    return sorted(named - {UNALLOCATED})


def names_by_id(state: FoldState) -> dict[tuple[str, str], str | None]:
    """Return the name that is declared of each product, site, supplier, source and party, by kind and id, sorted.

    A supplier or source has the name of the party that is declared with its id.
    """
    curves, declared = state.curves, state.sites.declared()
    parties = {id_: party.name or None for id_, party in state.declarations.parties.items()}
    sites = {site: declared[site][-1].name for site in site_names(state) if site in declared}
    ids = {
        "party": parties.keys(),
        "product": curves.names("product"),
        "site": site_names(state),
        "source": curves.sources,
        "supplier": curves.names("supplier") - {UNATTRIBUTED},
    }
    name_of = {"site": sites, "product": dict[str, str]()}
    return {(kind, id_): name_of.get(kind, parties).get(id_) for kind in ids for id_ in sorted(ids[kind])}


class SiteFacts(NamedTuple):
    """Facts of the sites at the position of a plan, beside the plan itself; immutable."""

    names: list[str]
    declared: dict[str, list[SiteStatement]]
    phases: dict[str, list[list[PhaseStatement]]]
    orders_due: dict[str, Row]
    populated: dict[str, PopulatedSite | None]  # at the end of yesterday; of the sites with phases


def collect_site_facts(state: FoldState, today: int | None) -> SiteFacts:
    """Return the facts of the sites now, to be kept with the plan while the state goes on."""
    declared, phases = state.sites.declared(), state.sites.phases()
    populated = {} if today is None else populate_sites(state, declared, phases, today - 1)
    return SiteFacts(site_names(state), declared, phases, _orders_due(state.curves, today), populated)


def mooring_of(facts: SiteFacts, site: str) -> str | None:
    """Return the mooring that the last declaration of a site states."""
    declarations = facts.declared.get(site)
    return declarations[-1].mooring if declarations else None


def synthetic_sites(facts: SiteFacts) -> set[str]:
    """Return the sites whose last declaration says that they are synthetic."""
    return {name for name, declarations in facts.declared.items() if declarations[-1].synthetic}


def site_rows(facts: SiteFacts, plan: SupplyPlan, firmness: Firmness, names: Sequence[str]) -> list[Row]:
    """Return a row for each of some sites: its declaration, phases, orders due, cover and first shortage.

    The facts are those of the plan's position.
    """
    _, declared, phases, orders_due, populated = facts
    ranked, products = plan.shortages(firmness).tolist(), Counter(site for _, site in plan.grouping.labels)
    short, covered = _first_of_site(plan, ranked), _first_of_site(plan)
    short_products, on_hand = _short_products(plan, ranked, firmness, set(names)), _on_hand(plan, set(names))
    rows = []
    for site in names:
        declarations, current = declared.get(site), [history[-1] for history in phases.get(site, [])]
        rows.append(
            {
                "site": site,
                **_declaration(declarations[-1] if declarations else None),
                **_energy(declarations[-1] if declarations else None, current, plan.today),
                **_energised(current, plan.today),
                **populated_row(None if plan.today is None else populated.get(site, NOT_ENERGISED)),
                "phases": [_phase(phase, populated.get(site)) for phase in current],
                **orders_due.get(site, _NOT_KNOWN if plan.today is None else _NO_ORDERS_DUE),
                "on_hand": None if plan.today is None else on_hand.get(site, 0),
                **_short(plan, short.get(site), firmness),
                "products": None if plan.today is None else products[site],
                "short_products": short_products.get(site, []),
                **_covered(plan, covered.get(site)),
            }
        )
    return rows


def _declaration(site: SiteStatement | None) -> Row:
    """Return the fields of a site's declaration; all None of a site without one."""
    if site is None:
        return dict.fromkeys((*_SITE_FIELDS, "event", "co2_tonnes_a_year"))
    co2_kg = site.mw * site.kg_co2_per_mwh * HOURS_A_YEAR
    return {name: getattr(site, name) for name in _SITE_FIELDS} | {
        "event": site.id,
        "co2_tonnes_a_year": co2_kg // 1000,  # at full load all year: mw is of the facility, cooling included
    }


def _energy(site: SiteStatement | None, phases: list[PhaseStatement], today: int | None) -> Row:
    """Return the energy of the energised megawatts up to today, and its CO2; None where that is not known."""
    energy = None if today is None else energy_mwh(phases, today)
    co2 = None if site is None or energy is None else energy * site.kg_co2_per_mwh // 1000
    return {"energy_mwh": energy, "co2_tonnes": co2}


def _energised(phases: list[PhaseStatement], today: int | None) -> Row:
    """Return the megawatts energised, to come, and stopped: paused, cancelled or transferred."""
    planned = [phase for phase in phases if phase.status == "planned"]
    on = None if today is None else sum(phase.mw for phase in planned if phase.energise_on < today)
    return {
        "mw_energised": on,
        "mw_to_come": None if on is None else sum(phase.mw for phase in planned) - on,
        "mw_stopped": sum(phase.mw for phase in phases if phase.status != "planned"),
    }


def footprint_of(facts: SiteFacts, plan: SupplyPlan, by: Sequence[str]) -> list[Row]:
    """Return the footprint of the declared sites that are not synthetic, by some fields of their rows."""
    names = [site for site, statements in facts.declared.items() if not statements[-1].synthetic]
    return footprint_rows(site_rows(facts, plan, "planned", names), by)


def _phase(phase: PhaseStatement, site: PopulatedSite | None) -> Row:
    return {
        "phase": phase.phase,
        "mw": phase.mw,
        "platform": phase.platform,
        "energise_on": iso_or_none(phase.energise_on),
        "follows": phase.follows,
        "days_after": phase.days_after if phase.follows is not None else None,
        "status": phase.status,
        **populated_phase_row(None if site is None else site.phases.get((phase.source, phase.phase))),
        "source": phase.source,
        "event": phase.id,
    }


_NO_ORDERS_DUE: Row = {"next_due_day": None, "next_due": 0, "last_due_day": None, "due": 0}
_NOT_KNOWN: Row = dict.fromkeys(_NO_ORDERS_DUE)


def _orders_due(curves: Curves, today: int | None) -> dict[str, Row]:
    """Return for each site the days and wafers of its orders due from today; days after the horizon are BEYOND."""
    if today is None:
        return {}
    grouping = curves.group(("site",))
    first = max(0, today - curves.start + 1)
    orders_due = {}
    for (site,), daily in zip(grouping.labels, required_by_day(curves, grouping), strict=True):
        days = daily[first:].nonzero()[0]
        if days.size:
            orders_due[site] = {
                "next_due_day": _due_day(curves, today + int(days[0])),
                "next_due": int(daily[first + days[0]]),
                "last_due_day": _due_day(curves, today + int(days[-1])),
                "due": int(daily[first:].sum()),
            }
    return orders_due


def _due_day(curves: Curves, day: int) -> str:
    return BEYOND if day >= curves.start + curves.days else iso_day(day)


def _on_hand(plan: SupplyPlan, sites: Collection[str]) -> dict[str, int]:
    """Return the wafers on hand at each of some sites, in one pass over the plan's groups."""
    on_hand: dict[str, int] = {}
    for group, (_, site) in enumerate(plan.grouping.labels):
        if site in sites:
            on_hand[site] = on_hand.get(site, 0) + plan.on_hand(group)
    return on_hand


def _first_of_site(plan: SupplyPlan, ranked: list[int] | None = None) -> dict[str, int]:
    """Return the first group of each site in a ranking, by default the least covered first."""
    first: dict[str, int] = {}
    for group in plan.least_covered().tolist() if ranked is None else ranked:
        first.setdefault(plan.grouping.labels[group][1], group)
    return first


def _short(plan: SupplyPlan, group: int | None, firmness: Firmness) -> Row:
    if group is None:
        return dict.fromkeys(("short_since", "first_short_day", "first_short_product", "shortage"))
    short = plan.short(group, firmness)
    return {
        "short_since": iso_or_none(plan.short_since(group)),
        "first_short_day": iso_or_none(short.first_short_day),
        "first_short_product": plan.grouping.labels[group][0],
        "shortage": short.shortage,
    }


def _short_products(
    plan: SupplyPlan, ranked: list[int], firmness: Firmness, sites: Collection[str]
) -> dict[str, list[Row]]:
    """Return the short products of each of some sites in the order of a ranking, in one pass over it."""
    short_products: dict[str, list[Row]] = {}
    for group in ranked:
        site = plan.grouping.labels[group][1]
        if site in sites:
            short_products.setdefault(site, []).append(_short_product(plan, group, firmness))
    return short_products


def _short_product(plan: SupplyPlan, group: int, firmness: Firmness) -> Row:
    short = plan.short(group, firmness)
    return {
        "product": plan.grouping.labels[group][0],
        "short_since": iso_or_none(plan.short_since(group)),
        "first_short_day": iso_or_none(short.first_short_day),
        "first_shortage": short.first_shortage,
        "shortage": short.shortage,
    }


def _covered(plan: SupplyPlan, group: int | None) -> Row:
    if group is None or plan.today is None:
        return dict.fromkeys(("cover_days", "first_uncovered_day", "least_covered_product"))
    cover = plan.cover(group)
    return {
        "cover_days": None if cover.days is None else round(cover.days + cover.left / max(1, cover.next), 1),
        "first_uncovered_day": None if cover.days is None else iso_or_none(plan.today + cover.days),
        "least_covered_product": plan.grouping.labels[group][0],
    }


# ---------------------------------------------------------------- a site's time line


def timeline_entries(state: FoldState, site: str) -> list[Row]:
    """Return the declarations and phases of a site, and the days on which phases are energised, by day."""
    return [
        {
            "day": iso_or_none(entry.day),
            "what": entry.kind,
            "phase": entry.phase,
            "milestone": entry.milestone,
            "mw": entry.mw,
            "changes": {
                name: {"before": _field(name, before), "now": _field(name, now)}
                for name, (before, now) in entry.changes.items()
            },
            "source": entry.source,
            "event": entry.event,
        }
        for entry in state.sites.timeline(site)
    ]


def _field(name: str, value: Any) -> Any:
    return iso_or_none(value) if name in ("energise_on", "day") else value


def timeline_months(state: FoldState, site: str, product: str | None = None) -> list[Row]:
    """Return the months of a site from the first to the last with any power, demand, movement or stock.

    Receipt basis. On hand is at the month's end, or at the end of its last complete day; None in a future month.
    Megawatts are at the month's end, of the phases as planned now, with the supply that is to come by then.
    """
    curves = state.curves
    only: Only = {"site": site} if product is None else {"site": site, "product": product}
    first, last = _whole_months(curves)
    if first > last:
        return []
    planned = [history[-1] for history in state.sites.phases().get(site, []) if history[-1].status == "planned"]
    megawatts = SiteMegawatts(state, site, product)
    rows, busy = list[Row](), list[int]()
    for month, _, receipt in month_table(curves, first, last, **only):
        begin, end = day_number(month), day_number(next_month(month)) - 1
        row = _site_month(curves, receipt, begin, end, only)
        mw = sum(phase.mw for phase in planned if phase.energise_on <= end)
        if any(row.values()) or any(begin <= phase.energise_on <= end for phase in planned):
            busy.append(len(rows))
        populated = populated_row(megawatts.populate(end))
        waits_for = next((each["product"] for each in populated.pop("waits_for")), None)
        rows.append({"month": f"{month:%Y-%m}", "mw": mw, **populated, "waits_for": waits_for, **row})
    return rows[busy[0] : busy[-1] + 1] if busy else []


def _site_month(curves: Curves, receipt: MonthOnReceipt, begin: int, end: int, only: Only) -> Row:
    grouping, through = curves.group(**only), curves.complete_through
    on_hand = None
    if through is not None and begin <= through:
        on_hand = int(sum_stages(curves, grouping, min(end, through)).on_hand.sum())
    return {
        "due": receipt.due,
        "forecast": receipt.forecast,
        "committed": sum(receipt.committed.values()),
        "received": receipt.received,
        "to_come": sum(receipt.to_come.values()),
        "consumed": int(sum_moved(curves, grouping, end, begin - 1, (Measure.CONSUMED,)).sum()),
        "on_hand": on_hand,
    }


def _whole_months(curves: Curves) -> tuple[date, date]:
    """Return the first and the last month that lie completely in the horizon."""
    begin, end = (date_of(day) for day in (curves.start, curves.start + curves.days))
    first = begin if begin.day == 1 else next_month(begin)
    return first, (end.replace(day=1) - timedelta(days=1)).replace(day=1)


# ---------------------------------------------------------------- suppliers


def supplier_labels(state: FoldState, **only: Unpack[Only]) -> list[SupplierLabel]:
    """Return the supplier and the product of each row of `supplier_rows`, sorted."""
    lines = state.lines
    moved = {(supplier, product) for supplier, product in state.curves.group(_BY_SUPPLIER, **only).labels}
    committed = {(supplier, product) for supplier in lines.suppliers() for product in lines.record(supplier)}
    wanted = [(n, only[part]) for n, part in enumerate(_BY_SUPPLIER) if part in only]
    committed = {label for label in committed if all(label[n] == name for n, name in wanted)}
    return sorted(label for label in moved | committed if label[0] != UNATTRIBUTED)


def supplier_rows(state: FoldState, lag: int, labels: Sequence[SupplierLabel]) -> list[Row]:
    """Return a row for each of some products of suppliers: WIP, yield, and performance against commits.

    Wafers due, OTIF, bias and slip are against the commits of `lag` days before the due day, one of `LAGS`. Rows are
    as of the last complete day; before there is one, of the last day of any movement.
    """
    curves, lines = state.curves, state.lines
    day = curves.last_day if curves.complete_through is None else curves.complete_through
    wip = _wip_rows(curves, _choose_groups(curves.group(_BY_SUPPLIER), labels), day)
    performances = {
        (supplier, product): each
        for supplier in {supplier for supplier, _ in labels}
        for product, each in measure_performance(curves, lines, supplier).items()
    }
    return [
        {"supplier": supplier, "product": product, "day": iso_or_none(day)}
        | wip.get((supplier, product), _NO_WIP)
        | _performance(performances.get((supplier, product)), LAGS.index(lag))
        for supplier, product in labels
    ]


def _choose_groups(whole: Grouping, labels: Sequence[SupplierLabel]) -> Grouping:
    """Return the groups of some labels, without the keys of the others."""
    wanted = set[tuple[str, ...]](labels)
    chosen = [n for n, label in enumerate(whole.labels) if label in wanted]
    number = np.full(len(whole.labels) + 1, -1, dtype=np.int64)  # its last is that of the keys in no group
    number[chosen] = np.arange(len(chosen))
    return Grouping([whole.labels[n] for n in chosen], number[whole.of_key])


_BY_SUPPLIER: tuple[Part, Part] = ("supplier", "product")
_NO_WIP: Row = dict.fromkeys(("started", "finished", "wip", "wip_by_age", "scrap", "yield", "yield_by_month"))


_NO_PERFORMANCE: Row = dict.fromkeys(
    (
        "wafers_due",
        "wafers_received",
        "otif",
        "otif_tolerant",
        "churn",
        "bias",
        "slip_days",
        "slip_greatest",
        "open_wafers",
    )
)


def _wip_rows(curves: Curves, pairs: Grouping, day: int) -> dict[tuple[str, ...], Row]:
    """Return starts, output, WIP and yield by supplier and product; all None where the supplier reports no lots."""
    started, scrapped = sum_moved(curves, pairs, day, measures=(Measure.STARTED, Measure.SCRAPPED))
    stages, aged, total = sum_stages(curves, pairs, day), age_wip(curves, pairs, day), measure_yield(curves, pairs, day)
    wip = report_stages(curves, pairs, day, stages, ("supplier", "product")).wip
    months = [(month, measure_yield(curves, pairs, end, since)) for month, since, end in _months_before(curves, day)]
    return {
        label: {
            "started": int(started[n]),
            "finished": int(total.numerator[n]),
            "wip": wip[n],
            "wip_by_age": [
                {"from_days": age, "before_days": before, "wafers": int(aged[place, n])}
                for place, (age, before) in enumerate(zip(AGES, (*AGES[1:], None), strict=True))
            ],
            "scrap": ratio(int(scrapped[n]), int(started[n])),
            "yield": ratio(int(total.numerator[n]), int(total.denominator[n])),
            "yield_by_month": [
                {"month": month} | ratio(int(each.numerator[n]), int(each.denominator[n])) for month, each in months
            ],
        }
        if wip[n] is not None
        else _NO_WIP
        for n, label in enumerate(pairs.labels)
        if label[0] != UNATTRIBUTED
    }


def _months_before(curves: Curves, day: int) -> list[tuple[str, int, int]]:
    """Return the last months up to that of a day: the month, the day before it, and its last day, or this day."""
    months = []
    last = date_of(day)
    for _ in range(YIELD_MONTHS):
        begin = day_number(last.replace(day=1))
        if begin < curves.start:
            break
        months.append((f"{last:%Y-%m}", begin - 1, day_number(last)))
        last = date_of(begin - 1)
    return months[::-1]


def _performance(each: ProductPerformance | None, lag: int) -> Row:
    """Return the performance at a lag; all None where the supplier neither committed the product nor delivered it."""
    if each is None:
        return _NO_PERFORMANCE
    at = each.lags[lag]
    return {
        "wafers_due": at.committed,
        "wafers_received": each.received,
        "otif": ratio(at.kept[0], at.lines[0]),
        "otif_tolerant": ratio(at.kept[1], at.lines[1]),
        "churn": ratio(each.churned, each.in_force),
        "bias": ratio(at.missing, at.committed),
        "slip_days": round(at.slip_wafer_days / at.committed, 1) if at.committed else None,
        "slip_greatest": at.slip_greatest,
        "open_wafers": at.open_wafers,
    }
