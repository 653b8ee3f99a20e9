"""Answers of `/suppliers` and a supplier's performance, `/sites` and a site's time line, `/parties`, `/footprint`."""

from functools import partial

from services.aggregator.fold.lines.book import LineBook
from services.aggregator.http.pages import (
    Answer,
    check_last_day,
    check_name,
    check_today,
    cut_labels,
    plan_position_of,
    position_of,
    scope_of,
    select_keys,
)
from services.aggregator.http.queries import (
    AskFootprint,
    AskParties,
    AskPerformance,
    AskSites,
    AskSuppliers,
    AskTimeline,
)
from services.aggregator.http.remarks import note_rows
from services.aggregator.live.view import LiveView
from services.aggregator.plan.overviews import (
    Row,
    footprint_of,
    mooring_of,
    ratio,
    site_names,
    site_rows,
    supplier_labels,
    supplier_rows,
    synthetic_sites,
    timeline_entries,
    timeline_months,
)
from services.aggregator.plan.parties.overview import party_rows
from services.aggregator.plan.performance import LagPerformance, measure_performance


async def performance(view: LiveView, query: AskPerformance) -> Answer:
    """A supplier's performance against its commits by product: bias, slip, churn, and OTIF."""
    curves, lines = view.state.curves, view.state.lines
    check_last_day(curves)
    supplier, product = query.supplier, query.product
    # a commit made and reversed in one batch makes no posting: the lines have its names, the curves do not
    check_name("supplier", supplier, {*lines.suppliers(), *curves.names("supplier")})
    if product is not None:
        check_name("product", product, {*lines.record(supplier), *curves.names("product")})
    rows = [
        {
            "product": name,
            "wafers_due": each.lags[0].committed,
            "wafers_received": each.received,
            "churn": ratio(each.churned, each.in_force),
            "answered": ratio(each.answered, each.in_force),
            "otif": _on_time(each.lags[0], lines),
            "lags": [
                {
                    "lag_days": at.lag,
                    "committed": at.committed,
                    "otif": _on_time(at, lines),
                    "bias": ratio(at.missing, at.committed),
                    "slip": {
                        "wafer_days": at.slip_wafer_days,
                        "mean_days": round(at.slip_wafer_days / at.committed, 1) if at.committed else None,
                        "greatest_days": at.slip_greatest,
                        "open_wafers": at.open_wafers,
                    },
                }
                for at in each.lags
            ],
        }
        for name, each in measure_performance(curves, lines, supplier, product).items()
    ]
    return position_of(view) | {"supplier": supplier, "rows": rows}


def _on_time(at: LagPerformance, lines: LineBook) -> Row:
    """Return the commits kept at each tolerance, of those that were promised so many days before."""
    return {
        grace: {
            "days_early": tolerance.days_early,
            "days_of_grace": tolerance.days_late,
            "percent_of_grace": tolerance.percent_short,
            **ratio(kept, due),
        }
        for grace, tolerance, kept, due in zip(("strict", "tolerant"), lines.tolerances, at.kept, at.lines, strict=True)
    }


async def suppliers(view: LiveView, query: AskSuppliers) -> Answer:
    """Each product of each supplier: WIP and its age, yield, and performance against commits."""

    def read() -> Answer:
        check_last_day(view.state.curves)
        only = select_keys(view.state.curves, product=query.product, supplier=query.supplier)
        labels, following = cut_labels(supplier_labels(view.state, **only), query.after, query.limit)
        rows = supplier_rows(view.state, query.lag, labels)
        synthetic = sorted(view.state.sites.synthetic_names() & view.state.curves.names("site"))
        answer: Answer = {"lag_days": query.lag, "synthetic_sites": synthetic, "rows": rows, "next": following}
        return position_of(view) | answer

    return await view.run_paused(read)


async def sites(view: LiveView, query: AskSites) -> Answer:
    """Each site: its declaration, phases, orders due, cover, and first shortage; synthetic ones last."""
    check_today(view.state.curves)
    plan, facts = await view.read_sites()
    if query.site is not None:
        check_name("site", query.site, facts.names)
    names, apart = [query.site] if query.site in facts.names else facts.names, synthetic_sites(facts)
    scope = scope_of(view, query.party)
    chosen = [
        (name,)
        for name in names
        if query.mooring in (None, mooring_of(facts, name)) and (scope is None or name in scope.sites)
    ]
    chosen.sort(key=lambda label: label[0] in apart)
    page, following = cut_labels(chosen, query.after, query.limit, apart)
    make_rows = partial(site_rows, facts, plan, query.firmness, [name for (name,) in page])
    remarks = view.remarks
    rows = [  # facts and plan are immutable: no lock
        row | {"notes": note_rows(remarks.about(f"site/{row['site']}"))} for row in await view.run_in_thread(make_rows)
    ]
    return plan_position_of(view, plan) | {"firmness": query.firmness, "rows": rows, "next": following}


async def parties(view: LiveView, query: AskParties) -> Answer:
    """The declared parties with their roles, and the megawatts of their sites: those with the most at risk first."""
    check_today(view.state.curves)
    scope_of(view, query.party)

    def read() -> Answer:
        plan = view.plan_now()
        rows = party_rows(view.state, plan, query.firmness)
        chosen = [row for row in rows if query.party in (None, row["party"])]
        return plan_position_of(view, plan) | {"firmness": query.firmness, "rows": chosen, "next": None}

    return await view.run_paused(read)


async def footprint(view: LiveView, query: AskFootprint) -> Answer:
    """Megawatts, energy, CO2, land and water of the sites, onshore and floating side by side."""
    check_today(view.state.curves)
    plan, facts = await view.read_sites()
    rows = await view.run_in_thread(partial(footprint_of, facts, plan, query.by))
    return plan_position_of(view, plan) | {"by": query.by, "rows": rows, "next": None}


async def timeline(view: LiveView, query: AskTimeline) -> Answer:
    """Declarations and phases of a site by day, and its demand and supply month by month."""
    site = query.site

    def read() -> Answer:
        state = view.state
        check_name("site", site, site_names(state))
        if query.product is not None:
            check_name("product", query.product, state.curves.names("product"))
        months = timeline_months(state, site, query.product)
        return {"site": site, **position_of(view), "entries": timeline_entries(state, site), "months": months}

    return await view.run_paused(read)
