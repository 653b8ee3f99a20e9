"""A scenario: the inputs of a programme, each with its basis, and the plan that follows from them."""

import re
from collections.abc import Mapping
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NamedTuple, Self, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from shared.wire.catalog import CATALOG, PLATFORMS, Family, gb_per_wafer, share_out, wafers_per_mw

Value = TypeVar("Value")
Variant = Literal["announced_sites_only", "loi_headline"]
Status = Literal["paused", "cancelled", "transferred"]

DEFAULT_PATH = Path(__file__).parents[2] / "scenarios" / "stargate-2026.yaml"
ROUNDING_WAFERS = 25  # the demand target between its nodes is stated in whole lots


def _month(value: object) -> object:
    """Take a month as YYYY-MM: its first day."""
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}", value):
        return date.fromisoformat(value + "-01")
    return value


def _named_in(known: Mapping[str, object]) -> AfterValidator:
    def check(name: str) -> str:
        if name not in known:
            raise ValueError(f"{name!r} is not in the catalogue: {', '.join(known)}")
        return name

    return AfterValidator(check)


Month = Annotated[date, BeforeValidator(_month)]
Product = Annotated[str, _named_in(CATALOG)]
Platform = Annotated[str, _named_in(PLATFORMS)]
Percent = Annotated[int, Field(ge=0, le=200)]
Count = Annotated[int, Field(ge=0)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Based(_Part, Generic[Value]):
    """A value and what it rests on."""

    value: Value
    basis: str


class VariantChoice(_Part):
    """Whether the synthetic pools take part."""

    pools: bool
    text: str


class LeadTime(_Part):
    """How long a family of products takes from its start in the fab."""

    start_to_packaged_weeks: Based[Count]
    transit_weeks: Based[Count]
    start_to_energise_months: Based[Count]

    @property
    def cycle(self) -> timedelta:
        """The time from the start of a lot until it can be shipped."""
        return timedelta(weeks=self.start_to_packaged_weeks.value)

    @property
    def transit(self) -> timedelta:
        """The time from the fab's dock to the site's."""
        return timedelta(weeks=self.transit_weeks.value)


class Fab(_Part):
    """A fab of a supplier, and from when lots start in it."""

    name: str
    opens_on: date
    basis: str


class Supplier(_Part):
    """A supplier: fabs, capacities from a month on, its share of the demand, and its real yields."""

    name: str
    fabs: list[Fab]
    dram_wafers_per_month: dict[Month, Based[Count]]
    tsv_wafers_per_month: dict[Month, Based[Count]]
    programme_percent: Based[Percent]
    share_percent: dict[Product, Based[list[Percent]]]
    probe_percent: dict[Product, Based[dict[Month, Percent]]]


class SitePhase(_Part):
    """So many MW energised by the end of a month."""

    energise: Month
    mw: Count


class Site(_Part):
    """A site: where, how large, with which platform, on what evidence."""

    id: str
    name: str
    country: str
    mooring: Literal["onshore", "floating"]
    pool: bool = False
    priority: Based[Annotated[int, Field(ge=1, le=9)]]
    mw: Based[Count]
    platform: Based[Platform] | None = None
    land_ha: Based[Count | None] | None = None
    waterplane_m2: Based[Count] | None = None
    pue_percent: Based[Annotated[int, Field(ge=100, le=300)]]
    kg_co2_per_mwh: Based[Count]
    phases: Based[list[SitePhase]] | None = None
    withdrawn_phases: Based[list[SitePhase]] | None = None
    evidence: str


class Datacenter(_Part):
    """A group of sites that speaks with one voice."""

    name: str
    sites: list[Site]


class Pools(_Part):
    """How the synthetic demand divides among platforms, by year, and among regions."""

    platform_percent: Based[dict[int, dict[Platform, Percent]]]
    region_percent: Based[dict[str, Percent]]


class Headline(_Part):
    """The joint letter of intent."""

    agreement: str
    wafers_per_month: Based[Count]
    starts_on: Based[date]
    ends_on: Based[date]


class Play(_Part):
    """How the simulated parties behave; assumed throughout."""

    basis: str
    lag_days: Annotated[int, Field(ge=1)]
    forecast_months: Count
    forecast_error_percent: Percent
    order_weeks: Count
    order_parts: Annotated[int, Field(ge=1, le=4)]
    order_wafers_min: Annotated[int, Field(ge=1)]
    start_days: Annotated[int, Field(ge=1)]
    early_days: Count
    late_days: Count
    probe_spread_percent: Percent
    shipment_lots_max: Annotated[int, Field(ge=1, le=1000)]
    delayed_permille: Count
    lost_permille: Count
    damaged_permille: Count
    missing_permille: Count
    miscounted_permille: Count


class _Scripted(_Part):
    day: date
    basis: str


class Withdrawal(_Scripted):
    """A site, or its phases yet to come, is paused, cancelled or transferred; what is under way goes elsewhere."""

    site: str
    status: Status
    divert_to: str | None
    reason: str


class SlippedPhase(_Scripted):
    """A phase is energised later."""

    site: str
    phase: int
    weeks: int


class RedeclaredSite(_Scripted):
    """There is new evidence for a site."""

    site: str
    evidence: str


class ReportedAgreement(_Scripted):
    """An agreement on gigabytes in a window became known."""

    supplier: str
    agreement: str
    instrument: Literal["LOI", "MOU", "LTA"]
    product: Product
    gb: int
    starts_on: date
    ends_on: date

    @property
    def wafers_per_month(self) -> int:
        """The gigabytes in wafers at planned yield, spread over the months of the window."""
        months = month_number(self.ends_on) - month_number(self.starts_on) + 1
        return int(self.gb / gb_per_wafer(self.product) / months)


class YieldExcursion(_Scripted):
    """The yield at probe is bad for some weeks."""

    supplier: str
    product: Product
    probe_percent: Percent
    weeks: int


class ScrappedWafers(_Scripted):
    """Wafers in process are lost in one stroke."""

    supplier: str
    product: Product
    wafers: int
    cause: str


class RescheduledCommit(_Scripted):
    """Commits of about so many wafers slip."""

    supplier: str
    product: Product
    wafers: int
    weeks: int


class ReturnedWafers(_Scripted):
    """Gigabytes on hand turn out bad and go back: there is no event for it but the count that misses them."""

    datacenter: str
    supplier: str
    product: Product
    gb: int

    @property
    def wafers(self) -> int:
        """The gigabytes in wafers at planned yield."""
        return int(self.gb / gb_per_wafer(self.product))


class ReceiptInError(_Scripted):
    """A receipt is said wrong, and reversed."""

    datacenter: str


class ScriptedEvents(_Part):
    """What happens on a given day, whatever the seed."""

    withdrawals: list[Withdrawal] = []
    slipped_phases: list[SlippedPhase] = []
    redeclared_sites: list[RedeclaredSite] = []
    reported_agreements: list[ReportedAgreement] = []
    yield_excursions: list[YieldExcursion] = []
    scrapped_wafers: list[ScrappedWafers] = []
    rescheduled_commits: list[RescheduledCommit] = []
    returned_wafers: list[ReturnedWafers] = []
    receipts_in_error: list[ReceiptInError] = []


class Mistake(_Scripted):
    """From its day on, the first event of this name is said wrong before it is said right."""

    source: str
    event: str
    wrong: dict[str, Any]


class Scenario(_Part):
    """A programme: who supplies, who builds, what is known, what is assumed, and what happens."""

    name: str
    version: str
    written: date
    warning: str
    starts_on: date
    ends_on: date
    variants: dict[Variant, VariantChoice]
    references: dict[str, dict[str, str]]
    lead_times: dict[Family, LeadTime]
    spread_months: Based[Count]
    demand_target_wafers_per_month: Based[dict[Month, Count]]
    commit_over_demand_percent: Based[dict[Month, Percent]]
    allotment_percent_by_priority: Based[dict[int, Percent]]
    pools: Pools
    headline: Headline
    suppliers: dict[str, Supplier]
    datacenters: dict[str, Datacenter]
    play: Play
    events: ScriptedEvents
    mistakes: list[Mistake]

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        for product in {p for s in self.suppliers.values() for p in s.share_percent}:
            for shares in zip(*(s.share_percent[product].value for s in self.suppliers.values()), strict=True):
                if sum(shares) != 100:
                    raise ValueError(f"the suppliers' shares of {product} are {shares}, not 100 in all")
        for whole in (self.pools.region_percent.value, *self.pools.platform_percent.value.values()):
            if sum(whole.values()) != 100:
                raise ValueError(f"{whole} is not 100 in all")
        return self

    @property
    def sites(self) -> dict[str, Site]:
        """Every site by its id."""
        return {site.id: site for group in self.datacenters.values() for site in group.sites}

    def lead_time(self, product: str) -> LeadTime:
        """Return how long a product takes."""
        return self.lead_times[CATALOG[product].family]

    def share(self, supplier: str, product: str, month: date) -> Fraction:
        """Return a supplier's share of the demand for a product in a month: it moves evenly from start to end."""
        first, last = self.suppliers[supplier].share_percent[product].value
        nodes = {first_of_month(self.starts_on): first, first_of_month(self.ends_on): last}
        return interpolate(nodes, month) / 100

    def commit_over_demand(self, month: date) -> Fraction:
        """Return what the suppliers together commit of the demand of a month."""
        return interpolate(self.commit_over_demand_percent.value, month) / 100


def read_scenario(text: str) -> Scenario:
    """Return the scenario that a YAML text states; raise `ValidationError` for anything it does not know."""
    return Scenario.model_validate(yaml.safe_load(text))


def load_scenario(path: Path | None = None) -> Scenario:
    """Return the scenario of a file; the reference programme if none is named."""
    return read_scenario((path or DEFAULT_PATH).read_text(encoding="utf-8"))


# ---------------------------------------------------------------- months


def month_number(day: date) -> int:
    """Return months since year 0, to count with."""
    return day.year * 12 + day.month - 1


def add_months(day: date, months: int) -> date:
    """Return the first day of the month so many months after that of `day`."""
    year, month = divmod(month_number(day) + months, 12)
    return date(year, month + 1, 1)


def first_of_month(day: date) -> date:
    """Return the first day of the month of `day`."""
    return day.replace(day=1)


def last_of_month(day: date) -> date:
    """Return the last day of the month of `day`."""
    return add_months(day, 1) - timedelta(days=1)


def interpolate(nodes: Mapping[date, int], month: date) -> Fraction:
    """Return the value between two nodes in proportion to the months, and that of the nearest node outside."""
    months = sorted(nodes)
    at = month_number(month)
    before = max((m for m in months if month_number(m) <= at), default=months[0])
    after = min((m for m in months if month_number(m) >= at), default=months[-1])
    span = month_number(after) - month_number(before)
    if span <= 0:
        return Fraction(nodes[before])
    return nodes[before] + Fraction((nodes[after] - nodes[before]) * (at - month_number(before)), span)


def latest(nodes: Mapping[date, Value], day: date) -> Value:
    """Return the value of the last node that is not after a day."""
    return nodes[max(month for month in nodes if month <= day)]


# ---------------------------------------------------------------- the derived plan


class PlannedPhase(NamedTuple):
    """A phase as the plan knows it; a withdrawn one is planned until its event."""

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


class Plan(NamedTuple):
    """The phases of a variant, and what they need on the start basis."""

    phases: list[PlannedPhase]
    needs: list[Need]

    def monthly(self) -> dict[date, int]:
        """Return the wafers needed by month of start, without what is going to be withdrawn."""
        totals: dict[date, int] = {}
        for need in self.needs:
            if not need.withdrawn:
                totals[need.month] = totals.get(need.month, 0) + need.wafers
        return totals


def derive_plan(scenario: Scenario, variant: Variant) -> Plan:
    """Return who needs what when: the announced sites, and the pools where the variant has them."""
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


def _plan_sites(scenario: Scenario) -> Plan:
    """Return the plan of the announced sites, phases numbered in the order of the file."""
    plan = Plan([], [])
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
            for product, rate in wafers_per_mw(platform).items():
                wafers = int(rate * phase.mw + Fraction(1, 2))
                for month, part in _spread(scenario, product, phase.energise, wafers):
                    plan.needs.append(Need(site.id, name, product, month, part, withdrawn))
    return plan


def _spread(scenario: Scenario, product: str, energise: date, wafers: int) -> list[tuple[date, int]]:
    """Return the starts of a phase by month: evenly around the month that the lead time points to."""
    months = scenario.spread_months.value
    first = add_months(energise, -scenario.lead_time(product).start_to_energise_months.value - months // 2)
    return [(add_months(first, n), wafers * (n + 1) // months - wafers * n // months) for n in range(months)]


def _plan_pools(scenario: Scenario, month: date, wafers: int, plan: Plan) -> None:
    """Add to the plan what the pools need started in a month: one phase each, with the mix of the year."""
    mix = scenario.pools.platform_percent.value[month.year]
    rates: dict[str, Fraction] = {}
    for platform, percent in mix.items():
        for product, rate in wafers_per_mw(platform).items():
            rates[product] = rates.get(product, Fraction(0)) + rate * percent / 100
    regions = scenario.pools.region_percent.value
    megawatts = share_out(int(wafers / sum(rates.values())), regions)
    months = scenario.lead_times["HBM"].start_to_energise_months.value
    for site in regions:
        energise_on = last_of_month(add_months(month, months))
        name = f"{site}.{month:%Y-%m}"
        plan.phases.append(PlannedPhase(site, name, megawatts[site], f"MIX-{month.year}", energise_on, withdrawn=False))
    for product, product_wafers in share_out(wafers, rates).items():
        for site, part in share_out(product_wafers, regions).items():
            if part:
                plan.needs.append(Need(site, f"{site}.{month:%Y-%m}", product, month, part, withdrawn=False))


def split_headline(scenario: Scenario, supplier: str) -> dict[str, int]:
    """Return a supplier's part of the joint headline by product: the mix and the shares of the last month."""
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
