"""Scenario of a play: the inputs of a simulation of a programme, each with its basis, read from YAML and validated."""

import re
from collections.abc import Container, Iterator
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from shared.play.months import first_of_month, interpolate, month_number
from shared.play.variants import Variant
from shared.programme.programme_file import ProgrammeFile, read_programme
from shared.programme.wafer_model import gb_per_wafer, wafers_per_mw

Value = TypeVar("Value")
Status = Literal["paused", "cancelled", "transferred"]

DEFAULT_PATH = Path(__file__).parents[2] / "scenarios" / "stargate-2026.yaml"
DEFAULT_PROGRAMME = DEFAULT_PATH.with_name("stargate.yaml")


def _month(value: object) -> object:
    """Take a month as YYYY-MM: its first day."""
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}", value):
        return date.fromisoformat(value + "-01")
    return value


Month = Annotated[date, BeforeValidator(_month)]
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

    fabs: list[ScenarioFab]
    dram_wafers_per_month: dict[Month, Based[Count]]
    tsv_wafers_per_month: dict[Month, Based[Count]]
    programme_percent: Based[Percent]
    share_percent: dict[str, Based[list[Percent]]]
    probe_percent: dict[str, Based[dict[Month, Percent]]]


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
    platform: Based[str] | None = None
    land_ha: Based[Count | None] | None = None
    waterplane_m2: Based[Count] | None = None
    pue_percent: Based[Annotated[int, Field(ge=100, le=300)]]
    kg_co2_per_mwh: Based[Count]
    phases: Based[list[SitePhase]] | None = None
    withdrawn_phases: Based[list[SitePhase]] | None = None
    evidence: str


class Datacenter(_Part):
    """A group of sites that publishes as one source."""

    sites: list[ScenarioSite]


class Pools(_Part):
    """Shares of the synthetic demand by platform and year, and by region."""

    platform_percent: Based[dict[int, dict[str, Percent]]]
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
    product: str
    gb: int
    starts_on: date
    ends_on: date


class YieldExcursion(_Scripted):
    """The probe yield is low for some weeks."""

    supplier: str
    product: str
    probe_percent: Percent
    weeks: int


class ScrappedWafers(_Scripted):
    """WIP is lost in one incident."""

    supplier: str
    product: str
    wafers: int
    cause: str


class RescheduledCommit(_Scripted):
    """Commits that add up to about `wafers` slip by `weeks`."""

    supplier: str
    product: str
    wafers: int
    weeks: int


class ReturnedWafers(_Scripted):
    """Defective gigabytes on hand are returned; no event but the next stock count shows it."""

    datacenter: str
    supplier: str
    product: str
    gb: int


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
    """A play of a programme: suppliers, data centres, demand, assumptions and scripted events."""

    name: str
    programme: ProgrammeFile
    version: str
    written: date
    warning: str
    starts_on: date
    ends_on: date
    variants: dict[Variant, VariantChoice]
    references: dict[str, dict[str, str]]
    lead_times: dict[str, LeadTime]
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
    def _names_the_programme(self) -> Self:
        known: dict[str, Container[str]] = {
            "product": self.programme.products,
            "platform": self.programme.platforms,
            "supplier": self.programme.parties.suppliers,
            "group of sites": self.programme.parties.datacenters,
            "family of a product": {product.family or "" for product in self.programme.products.values()},
        }
        for kind, name in self._names():
            if name not in known[kind]:
                raise ValueError(f"{name!r} is no {kind} of {self.programme.name}")
        return self

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        for product in {p for s in self.suppliers.values() for p in s.share_percent}:
            lacking = [name for name, supplier in self.suppliers.items() if product not in supplier.share_percent]
            if lacking:
                raise ValueError(f"{lacking[0]} has no share_percent of {product}, of which others have one")
            for shares in zip(*(s.share_percent[product].value for s in self.suppliers.values()), strict=True):
                if sum(shares) != 100:
                    raise ValueError(f"the suppliers' shares of {product} are {shares}, not 100 in all")
        for whole in (self.pools.region_percent.value, *self.pools.platform_percent.value.values()):
            if sum(whole.values()) != 100:
                raise ValueError(f"{whole} is not 100 in all")
        return self

    def _names(self) -> Iterator[tuple[str, str]]:
        """Yield each name of the programme that the scenario uses, with its kind."""
        for source, supplier in self.suppliers.items():
            yield "supplier", source
            yield from (("product", name) for name in (*supplier.share_percent, *supplier.probe_percent))
        yield from (("group of sites", source) for source in self.datacenters)
        yield from (("platform", site.platform.value) for site in self.sites.values() if site.platform)
        yield from (("platform", name) for mix in self.pools.platform_percent.value.values() for name in mix)
        yield from (("family of a product", family) for family in self.lead_times)
        for _, events in self.events:
            yield from (("product", event.product) for event in events if hasattr(event, "product"))

    @property
    def sites(self) -> dict[str, ScenarioSite]:
        """Every site by its id."""
        return {site.id: site for group in self.datacenters.values() for site in group.sites}

    def lead_time(self, product: str) -> LeadTime:
        """Return the lead time of a product."""
        return self.lead_times[self.programme.products[product].family or ""]

    def share(self, supplier: str, product: str, month: date) -> Fraction:
        """Return a supplier's share of the demand for a product in a month, interpolated from start to end."""
        first, last = self.suppliers[supplier].share_percent[product].value
        nodes = {first_of_month(self.starts_on): first, first_of_month(self.ends_on): last}
        return interpolate(nodes, month) / 100

    def commit_over_demand(self, month: date) -> Fraction:
        """Return the share of a month's demand that the suppliers together commit."""
        return interpolate(self.commit_over_demand_percent.value, month) / 100

    def agreed_wafers_per_month(self, agreed: ReportedAgreement) -> int:
        """Return the gigabytes of an agreement in wafers at planned yield, spread over the months of its window."""
        months = month_number(agreed.ends_on) - month_number(agreed.starts_on) + 1
        return int(agreed.gb / self.gb_per_wafer(agreed.product) / months)

    def gb_per_wafer(self, product: str) -> Fraction:
        """Return the good gigabytes that one wafer start of a product is planned to give."""
        return gb_per_wafer(self.programme.wafer_model(product))

    def wafers_per_mw(self, platform: str) -> dict[str, Fraction]:
        """Return the wafer starts of each product that a megawatt of a platform takes."""
        rack, facility = self.programme.platforms[platform].rack, self.programme.facility
        if rack is None or facility is None:
            raise ValueError(f"{self.programme.name} has no rack of {platform}, or no facility: its wafers are unknown")
        return wafers_per_mw(rack, facility, self.programme.wafer_models)


def load_scenario(path: Path | None = None) -> Scenario:
    """Return the scenario of a file, with the programme file beside it that it names; the reference play by default.

    Raises `ValidationError` for an unknown or invalid field.
    """
    path = path or DEFAULT_PATH
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    programme = load_programme(path.parent / str(raw.get("programme")))
    return Scenario.model_validate(raw | {"programme": programme})


def load_programme(path: Path | None = None) -> ProgrammeFile:
    """Return the programme of a file, the reference by default; raise `ProgrammeFileError` with each fault."""
    path = path or DEFAULT_PROGRAMME
    return read_programme(path.read_text(encoding="utf-8"), str(path))
