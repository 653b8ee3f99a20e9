"""Scenario of a programme: its inputs, each with its basis, read from YAML and validated."""

import re
from collections.abc import Mapping
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from shared.play.months import first_of_month, interpolate, month_number
from shared.play.variants import Variant
from shared.wire.catalog import CATALOG, PLATFORMS, Family, gb_per_wafer

Value = TypeVar("Value")
Status = Literal["paused", "cancelled", "transferred"]

DEFAULT_PATH = Path(__file__).parents[2] / "scenarios" / "stargate-2026.yaml"


def _month(value: object) -> object:
    """Take a month as YYYY-MM: its first day."""
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}", value):
        return date.fromisoformat(value + "-01")
    return value


def _named_in(catalogue: Mapping[str, object]) -> AfterValidator:
    def check(name: str) -> str:
        if name not in catalogue:
            raise ValueError(f"{name!r} is not in the catalogue: {', '.join(catalogue)}")
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
    """A value and its basis: a source, or an assumption."""

    value: Value
    basis: str


class VariantChoice(_Part):
    """A variant: with the synthetic pools, or without."""

    pools: bool
    text: str


class LeadTime(_Part):
    """Lead times of a family of products, from its start in the fab."""

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


class ScenarioFab(_Part):
    """A fab of a supplier; lots start in it from `opens_on`."""

    name: str
    opens_on: date
    basis: str


class Supplier(_Part):
    """A supplier: fabs, capacities by month, its share of the demand, and its real yields."""

    name: str
    fabs: list[ScenarioFab]
    dram_wafers_per_month: dict[Month, Based[Count]]
    tsv_wafers_per_month: dict[Month, Based[Count]]
    programme_percent: Based[Percent]
    share_percent: dict[Product, Based[list[Percent]]]
    probe_percent: dict[Product, Based[dict[Month, Percent]]]


class SitePhase(_Part):
    """A phase of a site: MW energised by the end of a month."""

    energise: Month
    mw: Count


class ScenarioSite(_Part):
    """A site: country, size, platform and evidence."""

    id: str
    name: str
    country: str
    mooring: Literal["onshore", "floating"]
    pool: bool = False
    priority: Based[Annotated[int, Field(ge=1, le=9)]]
    mw: Based[Count]
    confidence: Literal["sourced", "assumed"] = (
        "assumed"  # sourced: announced, whatever the text of a basis begins with
    )
    platform: Based[Platform] | None = None
    land_ha: Based[Count | None] | None = None
    waterplane_m2: Based[Count] | None = None
    pue_percent: Based[Annotated[int, Field(ge=100, le=300)]]
    kg_co2_per_mwh: Based[Count]
    phases: Based[list[SitePhase]] | None = None
    withdrawn_phases: Based[list[SitePhase]] | None = None
    evidence: str


class Datacenter(_Part):
    """A group of sites that publishes as one source."""

    name: str
    sites: list[ScenarioSite]


class Pools(_Part):
    """Shares of the synthetic demand by platform and year, and by region."""

    platform_percent: Based[dict[int, dict[Platform, Percent]]]
    region_percent: Based[dict[str, Percent]]


class Headline(_Part):
    """The joint letter of intent."""

    agreement: str
    wafers_per_month: Based[Count]
    starts_on: Based[date]
    ends_on: Based[date]


class Behaviour(_Part):
    """Parameters of the simulated parties; assumed throughout."""

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
    """A site, or its future phases, is paused, cancelled or transferred; its shipments in transit go elsewhere."""

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
    """New evidence for a site is published."""

    site: str
    evidence: str


class ReportedAgreement(_Scripted):
    """An agreement on gigabytes in a window is reported."""

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
    """The probe yield is low for some weeks."""

    supplier: str
    product: Product
    probe_percent: Percent
    weeks: int


class ScrappedWafers(_Scripted):
    """WIP is lost in one incident."""

    supplier: str
    product: Product
    wafers: int
    cause: str


class RescheduledCommit(_Scripted):
    """Commits that add up to about `wafers` slip by `weeks`."""

    supplier: str
    product: Product
    wafers: int
    weeks: int


class ReturnedWafers(_Scripted):
    """Defective gigabytes on hand are returned; no event but the next stock count shows it."""

    datacenter: str
    supplier: str
    product: Product
    gb: int

    @property
    def wafers(self) -> int:
        """The gigabytes in wafers at planned yield."""
        return int(self.gb / gb_per_wafer(self.product))


class ReceiptInError(_Scripted):
    """A receipt is published with a wrong quantity, and reversed."""

    datacenter: str


class ScriptedEvents(_Part):
    """Events on given days, independent of the seed."""

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
    """From `day` on, the source publishes its first `event` malformed before it publishes it right."""

    source: str
    event: str
    wrong: dict[str, Any]


class Scenario(_Part):
    """A programme: suppliers, data centres, demand, assumptions and scripted events."""

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
    play: Behaviour
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
    def sites(self) -> dict[str, ScenarioSite]:
        """Every site by its id."""
        return {site.id: site for group in self.datacenters.values() for site in group.sites}

    def lead_time(self, product: str) -> LeadTime:
        """Return the lead time of a product."""
        return self.lead_times[CATALOG[product].family]

    def share(self, supplier: str, product: str, month: date) -> Fraction:
        """Return a supplier's share of the demand for a product in a month, interpolated from start to end."""
        first, last = self.suppliers[supplier].share_percent[product].value
        nodes = {first_of_month(self.starts_on): first, first_of_month(self.ends_on): last}
        return interpolate(nodes, month) / 100

    def commit_over_demand(self, month: date) -> Fraction:
        """Return the share of a month's demand that the suppliers together commit."""
        return interpolate(self.commit_over_demand_percent.value, month) / 100


def read_scenario(text: str) -> Scenario:
    """Return the scenario of a YAML text; raise `ValidationError` for an unknown or invalid field."""
    return Scenario.model_validate(yaml.safe_load(text))


def load_scenario(path: Path | None = None) -> Scenario:
    """Return the scenario of a file; the reference programme by default."""
    return read_scenario((path or DEFAULT_PATH).read_text(encoding="utf-8"))
