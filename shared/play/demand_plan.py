"""Demand plan of a scenario: its phases, and the wafers that each needs started by month."""

from collections.abc import Iterator
from datetime import date
from fractions import Fraction
from typing import NamedTuple

from shared.play.buildings import PlannedPhase
from shared.play.months import add_months, first_of_month, interpolate, last_of_month
from shared.play.scenario import Scenario
from shared.play.variants import Variant
from shared.programme.shares import share_out

ROUNDING_WAFERS = 25  # the demand target between its nodes is stated in whole lots


class Need(NamedTuple):
    """Wafers of one product that a phase needs started within one month."""

    site: str
    phase: str
    product: str
    month: date
    wafers: int


class DemandPlan(NamedTuple):
    """The phases of a variant as planned on a day, and the wafers that they need, by month of start."""

    phases: list[PlannedPhase]
    needs: list[Need]

    def monthly(self) -> dict[date, int]:
        """Return the wafers needed by month of start."""
        totals: dict[date, int] = {}
        for need in self.needs:
            totals[need.month] = totals.get(need.month, 0) + need.wafers
        return totals


def derive_plan(scenario: Scenario, variant: Variant, known_on: date = date.max) -> DemandPlan:
    """Return the plan of a variant as known on a day: the announced sites, and the pools where the variant has them.

    The pools close the gap between the announced sites, as known at the end, and the demand target.
    """
    plan = DemandPlan([], [])
    for site in scenario.sites.values():
        for phase in site.phases_on(known_on):
            plan.phases.append(phase)
            plan.needs.extend(needs_of(scenario, phase, known_on))
    if scenario.variants[variant].pools:
        named = (plan if known_on == date.max else derive_plan(scenario, "announced")).monthly()
        month, last = first_of_month(scenario.starts_on), first_of_month(scenario.ends_on)
        while month <= last:
            target = interpolate(scenario.demand_target_wafers_per_month.value, month) / ROUNDING_WAFERS
            gap = int(target + Fraction(1, 2)) * ROUNDING_WAFERS - named.get(month, 0)
            if gap > 0:
                _plan_pools(scenario, month, gap, plan)
            month = add_months(month, 1)
    return plan


def needs_of(scenario: Scenario, phase: PlannedPhase, known_on: date = date.max) -> Iterator[Need]:
    """Yield the needs of a phase as known on a day; none of one that is withdrawn, or was energised before the play."""
    if phase.status != "planned" or phase.energise_on < scenario.starts_on:
        return
    pue_percent = scenario.sites[phase.site].pue_percent.value
    for product, rate in scenario.wafers_per_mw(phase.platform, pue_percent, known_on).items():
        wafers = int(rate * phase.mw + Fraction(1, 2))
        for month, part in _spread(scenario, product, first_of_month(phase.energise_on), wafers):
            yield Need(phase.site, phase.name, product, month, part)


def _spread(scenario: Scenario, product: str, energise: date, wafers: int) -> Iterator[tuple[date, int]]:
    """Yield the wafers of a phase by month of start, spread evenly around the month that energising needs."""
    months = scenario.spread_months.value
    first = add_months(energise, -scenario.lead_time(product).start_to_energise_months.value - months // 2)
    for n in range(months):
        yield add_months(first, n), wafers * (n + 1) // months - wafers * n // months


def _plan_pools(scenario: Scenario, month: date, wafers: int, plan: DemandPlan) -> None:
    """Add to the plan the pools' needs of a month of start: one phase each, with the mix of the year."""
    rates: dict[str, Fraction] = {}
    for platform, percent in scenario.pool_mix(month.year).items():
        for product, rate in scenario.wafers_per_mw(platform).items():
            rates[product] = rates.get(product, Fraction(0)) + rate * percent / 100
    regions = scenario.pools.region_percent.value
    megawatts = share_out(int(wafers / sum(rates.values())), regions)
    months = max(scenario.lead_time(product).start_to_energise_months.value for product in rates)
    for site in regions:
        energise_on = last_of_month(add_months(month, months))
        name = f"{site}.{month:%Y-%m}"
        plan.phases.append(PlannedPhase(site, name, megawatts[site], f"MIX-{month.year}", energise_on, "planned"))
    for product, product_wafers in share_out(wafers, rates).items():
        for site, part in share_out(product_wafers, regions).items():
            if part:
                plan.needs.append(Need(site, f"{site}.{month:%Y-%m}", product, month, part))


def split_headline(scenario: Scenario, supplier: str) -> dict[str, int]:
    """Return a signatory's part of the joint headline by product, by the mix of the last month and its sourcing."""
    month, signatories = first_of_month(scenario.ends_on), scenario.headline.signatories.value
    if supplier not in signatories:
        return {}
    mix: dict[str, int] = {}
    for need in derive_plan(scenario, "loi_headline").needs:
        if need.month == month:
            mix[need.product] = mix.get(need.product, 0) + need.wafers
    parts = {}
    for product, wafers in share_out(scenario.headline.wafers_per_month.value, mix).items():
        weights = scenario.sourcing(f"MIX-{month.year}", product, month)
        parts[product] = share_out(wafers, {name: weights.get(name, 0) for name in signatories})[supplier]
    return {product: wafers for product, wafers in parts.items() if wafers}
