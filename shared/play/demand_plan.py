"""Demand plan of a scenario: its phases, and the wafers that each needs started by month."""

from datetime import date
from fractions import Fraction
from typing import NamedTuple

from shared.play.months import add_months, first_of_month, interpolate, last_of_month
from shared.play.scenario import Scenario
from shared.play.variants import Variant
from shared.programme.shares import share_out

ROUNDING_WAFERS = 25  # the demand target between its nodes is stated in whole lots


class PlannedPhase(NamedTuple):
    """A phase of the plan; one that is going to be withdrawn is planned until the event that withdraws it."""

    site: str
    name: str
    mw: int
    platform: str
    energise_on: date
    withdrawn: bool


class Need(NamedTuple):
    """Wafers of one product that a phase needs started within one month."""

    site: str
    phase: str
    product: str
    month: date
    wafers: int
    withdrawn: bool


class DemandPlan(NamedTuple):
    """The phases of a variant, and the wafers that they need, by month of start."""

    phases: list[PlannedPhase]
    needs: list[Need]

    def monthly(self) -> dict[date, int]:
        """Return the wafers needed by month of start, without the phases that are going to be withdrawn."""
        totals: dict[date, int] = {}
        for need in self.needs:
            if not need.withdrawn:
                totals[need.month] = totals.get(need.month, 0) + need.wafers
        return totals


def derive_plan(scenario: Scenario, variant: Variant) -> DemandPlan:
    """Return the plan of a variant: the announced sites, and the pools where the variant has them."""
    plan = _plan_sites(scenario)
    if scenario.variants[variant].pools:
        named = plan.monthly()
        month, last = first_of_month(scenario.starts_on), first_of_month(scenario.ends_on)
        while month <= last:
            target = interpolate(scenario.demand_target_wafers_per_month.value, month) / ROUNDING_WAFERS
            gap = int(target + Fraction(1, 2)) * ROUNDING_WAFERS - named.get(month, 0)
            if gap > 0:
                _plan_pools(scenario, month, gap, plan)
            month = add_months(month, 1)
    return plan


def _plan_sites(scenario: Scenario) -> DemandPlan:
    """Return the plan of the announced sites, phases numbered in the order of the file."""
    plan = DemandPlan([], [])
    for site in scenario.sites.values():
        planned = [(phase, False) for phase in (site.phases.value if site.phases else [])]
        planned += [(phase, True) for phase in (site.withdrawn_phases.value if site.withdrawn_phases else [])]
        for number, (phase, withdrawn) in enumerate(planned, 1):
            if site.platform is None:
                raise ValueError(f"{site.id} has phases but no platform")
            name = f"{site.id}.{number}"
            platform = site.platform.value
            plan.phases.append(
                PlannedPhase(site.id, name, phase.mw, platform, last_of_month(phase.energise), withdrawn)
            )
            for product, rate in scenario.wafers_per_mw(platform).items():
                wafers = int(rate * phase.mw + Fraction(1, 2))
                for month, part in _spread(scenario, product, phase.energise, wafers):
                    plan.needs.append(Need(site.id, name, product, month, part, withdrawn))
    return plan


def _spread(scenario: Scenario, product: str, energise: date, wafers: int) -> list[tuple[date, int]]:
    """Return the wafers of a phase by month of start, spread evenly around the month that energising needs."""
    months = scenario.spread_months.value
    first = add_months(energise, -scenario.lead_time(product).start_to_energise_months.value - months // 2)
    return [(add_months(first, n), wafers * (n + 1) // months - wafers * n // months) for n in range(months)]


def _plan_pools(scenario: Scenario, month: date, wafers: int, plan: DemandPlan) -> None:
    """Add to the plan the pools' needs of a month of start: one phase each, with the mix of the year."""
    mix = scenario.pools.platform_percent.value[month.year]
    rates: dict[str, Fraction] = {}
    for platform, percent in mix.items():
        for product, rate in scenario.wafers_per_mw(platform).items():
            rates[product] = rates.get(product, Fraction(0)) + rate * percent / 100
    regions = scenario.pools.region_percent.value
    megawatts = share_out(int(wafers / sum(rates.values())), regions)
    months = max(scenario.lead_time(product).start_to_energise_months.value for product in rates)
    for site in regions:
        energise_on = last_of_month(add_months(month, months))
        name = f"{site}.{month:%Y-%m}"
        plan.phases.append(PlannedPhase(site, name, megawatts[site], f"MIX-{month.year}", energise_on, withdrawn=False))
    for product, product_wafers in share_out(wafers, rates).items():
        for site, part in share_out(product_wafers, regions).items():
            if part:
                plan.needs.append(Need(site, f"{site}.{month:%Y-%m}", product, month, part, withdrawn=False))


def split_headline(scenario: Scenario, supplier: str) -> dict[str, int]:
    """Return a supplier's part of the joint headline by product, by the mix and the shares of the last month."""
    month = first_of_month(scenario.ends_on)
    mix: dict[str, int] = {}
    for need in derive_plan(scenario, "loi_headline").needs:
        if need.month == month:
            mix[need.product] = mix.get(need.product, 0) + need.wafers
    parts = {}
    for product, wafers in share_out(scenario.headline.wafers_per_month.value, mix).items():
        shares = {name: scenario.share(name, product, month) for name in scenario.suppliers}
        parts[product] = share_out(wafers, shares)[supplier]
    return parts
