"""Scenario of a play: the inputs of a simulation of a programme, each with its basis, read from YAML and validated."""

from collections.abc import Container, Iterator
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import Field, model_validator

from shared.play.buildings import ScenarioSite
from shared.play.facts import Based, Count, Evidenced, Month, Percent, Permille, ScenarioPart
from shared.play.months import latest, month_number
from shared.play.script import Mistake, ReportedAgreement, ScriptedEvents
from shared.play.variants import Variant
from shared.programme.programme_file import DeclaredEntries, PlatformEntry, ProgrammeFile, read_programme
from shared.programme.wafer_model import facility_at, gb_per_wafer, wafers_per_mw

DEFAULT_PATH = Path(__file__).parents[2] / "scenarios" / "stargate-2026.yaml"
DEFAULT_PROGRAMME = DEFAULT_PATH.with_name("stargate.yaml")


class VariantChoice(ScenarioPart):
    """A variant: with the synthetic pools or without, and the part of the suppliers' capacities that it gets."""

    pools: bool
    text: str
    dram_permille: Based[dict[Month, Permille]]
    tsv_permille: Based[dict[Month, Permille]]
    fab_permille: Based[dict[Month, Permille]]  # of any one fab, at most


class LeadTime(ScenarioPart):
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


class ScenarioFab(ScenarioPart):
    """A fab of a supplier: the products that are made in it, and its ramp, which rises evenly between its months."""

    name: str
    makes: Based[list[str]]
    dram_wafers_per_month: dict[Month, Based[Count]]


class Supplier(ScenarioPart):
    """A supplier: its fabs, its TSV capacity, the day since which each product is qualified, and its real yields."""

    fabs: list[ScenarioFab]
    tsv_wafers_per_month: dict[Month, Based[Count]]
    qualified_on: dict[str, Based[date]]
    probe_percent: dict[str, Based[dict[Month, Percent]]] = Field(default_factory=dict)

    def is_revised_on(self, day: date) -> bool:
        """Return whether some capacity is known from a day on."""
        curves = [self.tsv_wafers_per_month, *(fab.dram_wafers_per_month for fab in self.fabs)]
        return any(fact.known_from == day for curve in curves for fact in curve.values())


class EarlierRack(Evidenced):
    """The memory of a platform's rack as known since a day, before that of the programme file was known."""

    known_from: date
    memory_gb: dict[str, Annotated[int, Field(ge=1)]]


class Datacenter(ScenarioPart):
    """A group of sites that publishes as one source."""

    sites: list[ScenarioSite]


class Pools(ScenarioPart):
    """Shares of the synthetic demand by platform and year, and by region."""

    platform_percent: Based[dict[int, dict[str, Percent]]]
    region_percent: Based[dict[str, Percent]]


class Headline(ScenarioPart):
    """The joint letter of intent."""

    agreement: str
    wafers_per_month: Based[Count]
    signatories: Based[list[str]]
    starts_on: Based[date]
    ends_on: Based[date]


class Behaviour(ScenarioPart):
    """Parameters of the simulated parties; assumed throughout."""

    note: str
    lag_days: Annotated[int, Field(ge=1)]
    forecast_months: Count
    forecast_error_percent: Percent
    order_weeks: Count
    order_parts: Annotated[int, Field(ge=1, le=4)]
    order_wafers_min: Annotated[int, Field(ge=1)]
    pull_weeks: Count
    late_weeks: Count
    start_margin_percent: Percent
    start_margin_wafers: Count
    review_days: Annotated[int, Field(ge=1)]
    review_again_days: Annotated[int, Field(ge=1)]
    reissue_wafers_min: Annotated[int, Field(ge=1)]
    frozen_days: Count
    early_days: Count
    late_days: Count
    probe_spread_percent: Percent
    shipment_lots_max: Annotated[int, Field(ge=1, le=1000)]
    delayed_permille: Count
    lost_permille: Count
    damaged_permille: Count
    missing_permille: Count
    miscounted_permille: Count


class Scenario(ScenarioPart):
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
    safety_days: Based[Count]
    spread_months: Based[Count]
    demand_target_wafers_per_month: Based[dict[Month, Count]]
    earlier_racks: dict[str, list[EarlierRack]]
    sourcing_percent: dict[str, dict[str, Based[dict[Month, dict[str, Percent]]]]]
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
            "party": {source for _, source in self.programme.parties.sources()},
            "site": self.sites,
            "family of a product": {product.family or "" for product in self.programme.products.values()},
        }
        for kind, name in self._names():
            if name not in known[kind]:
                raise ValueError(f"{name!r} is no {kind} of {self.programme.name}")
        return self

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        by_month = [each.value for of in self.sourcing_percent.values() for each in of.values()]
        for whole in (
            *(parts for months in by_month for parts in months.values()),
            self.pools.region_percent.value,
            *self.pools.platform_percent.value.values(),
        ):
            if sum(whole.values()) != 100:
                raise ValueError(f"{whole} is not 100 in all")
        for platform, name in self._needed():
            if name not in self.sourcing_percent.get(platform, {}):
                raise ValueError(f"sourcing_percent does not say who supplies {name} for {platform}")
        return self

    @model_validator(mode="after")
    def _has_each_site_once(self) -> Self:
        named = [site.id for group in self.datacenters.values() for site in group.sites]
        for name in self.sites:
            if named.count(name) > 1:
                raise ValueError(f"{name} is listed {named.count(name)} times: a site is of one group")
        return self

    @model_validator(mode="after")
    def _diverts_within_a_group(self) -> Self:
        for group in self.datacenters.values():
            for site in group.sites:
                to = site.diverted_to()
                if to is not None and to not in {each.id for each in group.sites}:
                    raise ValueError(f"{site.id} diverts to {to}, which is no site of its group")
        return self

    @model_validator(mode="after")
    def _cites_its_references(self) -> Self:
        cited = {
            name for part in _parts_of(self) for kind in ("sources", "anchors") for name in getattr(part, kind, [])
        }
        for name in sorted(cited ^ self.references.keys()):
            raise ValueError(f"{name} is {'cited and not listed' if name in cited else 'listed and not cited'}")
        return self

    @model_validator(mode="after")
    def _has_its_racks_in_order(self) -> Self:
        for platform, earlier in self.earlier_racks.items():
            now = self.programme.platforms[platform].known_from or date.min
            days = [rack.known_from for rack in earlier]
            if days != sorted(set(days)) or not days or not days[0] <= self.starts_on or now <= days[-1]:
                raise ValueError(
                    f"the racks of {platform} are not in the order of their days, or none is known at the start"
                )
        return self

    def _needed(self) -> Iterator[tuple[str, str]]:
        """Yield the platforms of sites and pools, each with the products that it takes."""
        used = {site.platform.value for site in self.sites.values() if site.platform}
        used |= {name for mix in self.pools.platform_percent.value.values() for name in mix}
        for platform in sorted(used):
            yield from ((platform, product) for product in self.wafers_per_mw(platform))

    def _names(self) -> Iterator[tuple[str, str]]:
        """Yield each name of the programme that the scenario uses, with its kind."""
        for source, supplier in self.suppliers.items():
            yield "supplier", source
            yield from (("product", name) for name in (*supplier.qualified_on, *supplier.probe_percent))
            yield from (("product", name) for fab in supplier.fabs for name in fab.makes.value)
        for platform, earlier in self.earlier_racks.items():
            yield "platform", platform
            yield from (("product", name) for rack in earlier for name in rack.memory_gb)
        for platform, of in self.sourcing_percent.items():
            yield "platform", platform
            yield from (("product", name) for name in of)
            yield from (("supplier", name) for each in of.values() for part in each.value.values() for name in part)
        yield from (("group of sites", source) for source in self.datacenters)
        yield from (("platform", site.platform.value) for site in self.sites.values() if site.platform)
        yield from (("platform", name) for mix in self.pools.platform_percent.value.values() for name in mix)
        yield from (("family of a product", family) for family in self.lead_times)
        roles = (role for company in self.programme.companies.values() for role in company.roles)
        yield from (("site", role.name) for role in roles if role.of == "site")
        yield from (("supplier", name) for name in self.headline.signatories.value)
        yield from (("site", name) for name in self.pools.region_percent.value)
        yield from (("party", mistake.source) for mistake in self.mistakes)
        kinds = {"product": "product", "supplier": "supplier", "datacenter": "group of sites"}
        for _, events in self.events:
            yield from ((kinds[field], name) for event in events for field, name in event if field in kinds)

    @property
    def sites(self) -> dict[str, ScenarioSite]:
        """Every site by its id."""
        return {site.id: site for group in self.datacenters.values() for site in group.sites}

    def lead_time(self, product: str) -> LeadTime:
        """Return the lead time of a product."""
        return self.lead_times[self.programme.products[product].family or ""]

    def lead(self, product: str) -> timedelta:
        """Return the time from the start of a product's wafers until they are due: cycle, transit, safety."""
        lead = self.lead_time(product)
        return lead.cycle + lead.transit + timedelta(days=self.safety_days.value)

    def sourcing(self, platform: str, product: str, day: date) -> dict[str, int]:
        """Return the weight of each supplier that is qualified on a day, in its part of a platform's product.

        Without any that is qualified: none. A platform that the scenario does not know is a pool's mix, by its year.
        """
        weights: dict[str, int] = {}
        of_platform = self.sourcing_percent.get(platform)
        if of_platform is None:
            for name, percent in self.pool_mix(day.year).items():
                wafers = int(self.wafers_per_mw(name).get(product, Fraction(0)) * 100)
                for supplier, part in self.sourcing(name, product, day).items() if wafers else ():
                    weights[supplier] = weights.get(supplier, 0) + part * percent * wafers
            return weights
        for supplier, part in latest(of_platform[product].value, day).items():
            qualified = self.suppliers[supplier].qualified_on.get(product)
            if part and qualified is not None and qualified.value <= day:
                weights[supplier] = part
        return weights

    def pool_mix(self, year: int) -> dict[str, int]:
        """Return the percent of each platform in the pools of a year, or of the nearest year that has a mix."""
        mixes = self.pools.platform_percent.value
        return mixes[min(max(year, min(mixes)), max(mixes))]

    def agreed_wafers_per_month(self, agreed: ReportedAgreement) -> int:
        """Return the gigabytes of an agreement in wafers at planned yield, spread over the months of its window."""
        months = month_number(agreed.ends_on) - month_number(agreed.starts_on) + 1
        return int(agreed.gb / self.gb_per_wafer(agreed.product) / months)

    def gb_per_wafer(self, product: str) -> Fraction:
        """Return the good gigabytes that one wafer start of a product is planned to give."""
        return gb_per_wafer(self.programme.wafer_model(product))

    def platform_on(self, platform: str, day: date) -> PlatformEntry:
        """Return a platform as known on a day."""
        now = self.programme.platforms[platform]
        earlier = [rack for rack in self.earlier_racks.get(platform, ()) if rack.known_from <= day]
        if not earlier or now.rack is None or (now.known_from is not None and now.known_from <= day):
            return now
        was = earlier[-1]
        return PlatformEntry(
            rack=now.rack.model_copy(update={"memory_gb": was.memory_gb}), basis=was.note, sources=was.sources,
            known_from=was.known_from, confidence=was.confidence,
        )  # fmt: skip

    def platforms_revised_on(self, day: date) -> list[str]:
        """Return the platforms of which another rack is known from a day on."""
        return [name for name in self.earlier_racks if self.platform_on(name, day).known_from == day]

    def declared_on(self, day: date) -> DeclaredEntries:
        """Return the entries that the planner declares on a day of the play: at its start all, then those revised."""
        entries, is_first = self.programme.entries(), day == self.starts_on
        platforms = list(entries.platforms) if is_first else self.platforms_revised_on(day)
        companies = {
            name: each.known_on(day)
            for name, each in entries.companies.items()
            if is_first or day in {role.known_from for role in each.roles}
        }
        revised = {"platforms": {name: self.platform_on(name, day) for name in platforms}, "companies": companies}
        return entries.model_copy(update=revised) if is_first else DeclaredEntries().model_copy(update=revised)

    def declared_days(self, until: date) -> list[date]:
        """Return the days up to the last one on which the planner declares something."""
        days = {rack.known_from for earlier in self.earlier_racks.values() for rack in earlier}
        days |= {
            role.known_from for each in self.programme.companies.values() for role in each.roles if role.known_from
        }
        days |= {self.programme.platforms[name].known_from or self.starts_on for name in self.earlier_racks}
        return [self.starts_on, *sorted(day for day in days if self.starts_on < day <= until)]

    def wafers_per_mw(
        self, platform: str, pue_percent: int | None = None, known_on: date = date.max
    ) -> dict[str, Fraction]:
        """Return the wafer starts of each product that a megawatt of a platform takes, at a site of some PUE."""
        rack, facility = self.platform_on(platform, known_on).rack, self.programme.facility
        if rack is None or facility is None:
            raise ValueError(f"{self.programme.name} has no rack of {platform}, or no facility: its wafers are unknown")
        if pue_percent is not None:
            facility = facility_at(facility, pue_percent)
        return wafers_per_mw(rack, facility, self.programme.wafer_models)


def _parts_of(part: object) -> Iterator[ScenarioPart]:
    """Yield a part of a scenario and all parts within it."""
    if isinstance(part, ScenarioPart):
        yield part
    inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    for each in (value for _, value in part) if isinstance(part, ScenarioPart) else inner:
        yield from _parts_of(each)


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
