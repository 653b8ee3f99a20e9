"""Response models of `/suppliers`, `/sites`, the paths below them, and `/parties`."""

from datetime import date
from typing import Literal

from pydantic import Field

from services.aggregator.http.models.elements import AtPlan, AtPosition, Ratio, YearMonth
from services.aggregator.http.models.remarks import NoteRow
from shared.http.answering import Described
from shared.wire.firmness import Firmness

# ---------------------------------------------------------------- suppliers


class OnTime(Ratio):
    """Commits received on time and in full, of those that were due."""

    days_early: int | None
    """Wafers received more days before the due day do not count; null: however early they are."""
    days_of_grace: int
    """Wafers received so many days after the due day still count."""
    percent_of_grace: int
    """So many percent may be short."""


class OnTimeInFull(Described):
    """On time and in full (OTIF): to the day and wafer, and within the tolerance of the programme."""

    strict: OnTime
    tolerant: OnTime
    """By `on_time` of the programme in force, else 7 days late and 5 % short."""


class Slip(Described):
    """How many days receipts lie behind commits."""

    wafer_days: int
    mean_days: float | None
    greatest_days: int
    open_wafers: int
    """Not yet received, and counted as if received today."""


class Lag(Described):
    """Receipts against the commits of some days before the due day: each commit is one promise, as it stood then."""

    lag_days: int
    committed: int
    otif: OnTimeInFull
    bias: Ratio
    """Wafers received less wafers committed, of those committed."""
    slip: Slip


class ProductRecord(Described, title="Kept"):
    """A supplier's performance on a product."""

    product: str
    wafers_due: int
    """Each commit by the day that stood when it was due."""
    wafers_received: int
    churn: Ratio
    """Wafers by which the supplier itself revised commits, but for those only replaced, of those in force and due."""
    answered: Ratio
    """As `churn`, by revisions in answer to orders and forecasts."""
    otif: OnTimeInFull
    """Against the day that stood when a commit was due."""
    lags: list[Lag]


class Performance(AtPosition):
    """A supplier's performance against its commits."""

    supplier: str
    rows: list[ProductRecord]


class Aged(Described):
    """WIP by the days since its start."""

    from_days: int
    before_days: int | None
    wafers: int


class YieldOfMonth(Ratio):
    """Yield of the lots that finished in a month."""

    month: YearMonth


class SupplierRow(Described):
    """A product of a supplier: null, from `started` on, where it reports no lots; else where it has no commits."""

    supplier: str
    product: str
    day: date
    started: int | None
    finished: int | None
    wip: int | None
    wip_by_age: list[Aged] | None
    scrap: Ratio | None
    """Wafers scrapped, of those started."""
    yield_: Ratio | None = Field(alias="yield")
    """Of the lots that have finished: wafers credited, of those in process at the end. Scrapped ones are left out."""
    yield_by_month: list[YieldOfMonth] | None
    wafers_due: int | None
    """Each commit by the day that stood `lag_days` before it."""
    wafers_received: int | None
    otif: Ratio | None
    """In full by the due day."""
    otif_tolerant: Ratio | None
    """Within the tolerance of the programme."""
    churn: Ratio | None
    bias: Ratio | None
    slip_days: float | None
    slip_greatest: int | None
    open_wafers: int | None


class Suppliers(AtPosition):
    """WIP, yield and performance of each supplier."""

    lag_days: int
    synthetic_sites: list[str]
    """Sites that are declared as synthetic: wafers made and promised for them count in the rows of a supplier, too."""
    rows: list[SupplierRow]
    next: str | None


# ---------------------------------------------------------------- sites


class PhaseRow(Described, title="Phase"):
    """A phase of a site by its latest event."""

    phase: str
    mw: int
    platform: str
    energise_on: date
    """The day of the milestone that it follows and the days after it, once that is reported."""
    follows: str | None
    """A milestone of the site."""
    days_after: int | None
    status: Literal["planned", "paused", "cancelled", "transferred"]
    mw_populated: float | None
    """Of an energised phase, as `mw_populated` of the site; else null."""
    racks: int | None
    racks_populated: int | None
    source: str
    event: str


class WaitsFor(Described):
    """A product that energised megawatts of a site wait for."""

    product: str
    mw: float
    """That would wait for it were all other products there: a rack may wait for several."""
    wafers: int
    """Missing."""


class ShortProduct(Described):
    """A product that runs short at a site."""

    product: str
    short_since: date | None
    first_short_day: date
    first_shortage: int
    """On that day."""
    shortage: int
    """At worst."""


class SiteRow(Described, title="Site"):
    """A site: its declaration, phases, orders due, cover, and first shortage."""

    site: str
    name: str | None
    """Null, as all that describes the site, where it is not declared."""
    country: str | None
    mooring: Literal["onshore", "floating"] | None
    mw: int | None
    pue_percent: int | None
    land_ha: int | None
    waterplane_m2: int | None
    power_source: str | None
    """Empty: not stated."""
    kg_co2_per_mwh: int | None
    evidence: str | None
    confidence: Literal["sourced", "assumed"] | None
    synthetic: bool | None
    """Whether it is no site, but demand that is put there to make a total."""
    source: str | None
    event: str | None
    co2_tonnes_a_year: int | None
    """Of the declared megawatts at full load all year; `co2_tonnes` is of those energised."""
    energy_mwh: int | None
    """Of the energised megawatts, by the hours since each phase's day up to today, at full load; null while `today` is
    null."""
    co2_tonnes: int | None
    """Of that energy."""
    mw_energised: int | None
    """Null, as `mw_to_come`, while `today` is null: not known."""
    mw_to_come: int | None
    mw_populated: float | None
    """Energised megawatts whose racks have all their memory, installed or on hand. Null, as `mw_waiting`, while `today`
    is null, and where no declaration says how many wafers a megawatt takes."""
    mw_waiting: float | None
    """Energised megawatts without all their memory."""
    waits_for: list[WaitsFor]
    """That which most megawatts wait for first."""
    mw_stopped: int
    phases: list[PhaseRow]
    next_due_day: date | Literal["beyond"] | None
    """Null where no order is due from today on. While `today` is null, this and all that follow are not known: null."""
    next_due: int | None
    last_due_day: date | Literal["beyond"] | None
    due: int | None
    on_hand: int | None
    short_since: date | None
    first_short_day: date | None
    """Null where nothing runs short."""
    first_short_product: str | None
    shortage: int | None
    """At worst, of the product that runs short first. It is no sum: one product's surplus covers no other's need."""
    products: int | None
    """Products with any wafers, orders or commits at the site; null before a day is complete."""
    short_products: list[ShortProduct]
    """Those that run short, the earliest first."""
    cover_days: float | None
    """Null where the orders end before the stock, or there are none."""
    first_uncovered_day: date | None
    least_covered_product: str | None
    notes: list[NoteRow]
    """Of planners, on this site."""


class Sites(AtPlan):
    """The sites."""

    firmness: Firmness
    rows: list[SiteRow]
    next: str | None


class RoleRow(Described, title="Role"):
    """A role of a declared party, with figures of its site; these are null of a supplier."""

    role: str
    of: Literal["site", "supplier"]
    name: str
    basis: str
    is_named: bool
    """Whether any event but this declaration names the site or the supplier: if not, its name may be a typo."""
    mw: int | None
    mw_energised: int | None
    mw_waiting: float | None
    mw_at_risk: float | None
    first_short_day: date | None


class PartyRow(Described, title="Party"):
    """A declared party, and sums over the sites at which it has a role: each counts once."""

    party: str
    name: str
    basis: str
    roles: list[RoleRow]
    sites: int
    mw: int
    """Declared."""
    mw_energised: int | None
    """Null, as all other megawatts but those declared and stopped, while `today` is null: not known."""
    mw_to_come: int | None
    mw_stopped: int
    mw_populated: float | None
    """Null, as `mw_waiting` and `mw_at_risk`, where they are not known of a site."""
    mw_waiting: float | None
    """Energised without all their memory."""
    mw_at_risk: float | None
    """Energised or to come, that wait for the wafers which run short at worst: of each site for the product for which
    most of them wait."""
    short_products: int
    """Products that run short at a site, of all sites."""
    first_short_day: date | None
    source: str
    event: str


class Parties(AtPlan):
    """The declared parties."""

    firmness: Firmness
    rows: list[PartyRow]
    next: str | None


class FootprintRow(Described):
    """Sites of one mooring, source of power or country; a field that is not in `by` is absent."""

    mooring: Literal["onshore", "floating"] | None = None
    power_source: str | None = None
    country: str | None = None
    site: str | None = None
    sites: int
    mw: int
    """Declared."""
    mw_planned: int
    """Of the phases energised and to come."""
    mw_energised: int | None
    """Null, as `mw_populated`, `mw_waiting`, `energy_mwh` and `co2_tonnes`, while `today` is null."""
    mw_populated: float | None
    mw_waiting: float | None
    energy_mwh: int | None
    """Of the energised megawatts up to today."""
    co2_tonnes: int | None
    year_mwh: int
    """Of a year at full load once all planned phases are energised."""
    year_co2_tonnes: int
    year_kg_co2_per_mwh: int | None
    """Null where no phase is planned."""
    land_ha: int | None
    """Null where no site states it."""
    waterplane_m2: int | None
    m2_per_mw: int | None
    """Square metres of land and water a declared megawatt, of the sites that state an area."""


class Footprint(AtPlan):
    """Megawatts, energy, CO2, land and water of the declared sites; synthetic ones are left out."""

    by: list[str]
    rows: list[FootprintRow]
    next: None


class Change(Described):
    """A field's values before and after an event."""

    before: str | int | None
    now: str | int | None


class TimelineRow(Described, title="Entry"):
    """An event on a site's time line."""

    day: date
    what: Literal["declared", "planned", "altered", "reported", "energises"]
    phase: str | None
    """Null: the site itself, or a milestone."""
    milestone: str | None
    """Reported; `mw` is of the phases that follow it."""
    mw: int
    changes: dict[str, Change]
    source: str
    event: str


class SiteMonth(Described):
    """A month of a site on the receipt basis."""

    month: YearMonth
    mw: int
    """Energised by the end of the month, by the phases as planned now."""
    mw_populated: float | None
    """Of these, at the end of the month; from today on with the supply due until then. With `product`: as if all others
    were there."""
    mw_waiting: float | None
    waits_for: str | None
    """The product that most of them wait for."""
    due: int
    forecast: int
    committed: int
    received: int
    to_come: int
    """From today on: in transit by eta, and open commits by due day; overdue ones are left out."""
    consumed: int
    on_hand: int | None
    """At the end of the month, or of its last complete day; null in a future month."""


class Timeline(AtPosition):
    """Time line of a site: its events, and each month's demand and supply."""

    site: str
    entries: list[TimelineRow]
    months: list[SiteMonth]
