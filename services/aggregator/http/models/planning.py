"""Response models of `/shortages`, `/cover`, `/atp` and `/alerts`."""

from datetime import date
from typing import Literal

from pydantic import Field

from services.aggregator.http.models.elements import AtPlan, AtPosition, LineEvent, Ratio
from services.aggregator.http.models.remarks import AcknowledgementRow, NoteRow
from shared.http.answering import Described, optional_field
from shared.wire.alerts import AlertCode
from shared.wire.firmness import Firmness

# ---------------------------------------------------------------- /shortages


class Shortfall(Described):
    """When a product runs short at a site, and until when wafers can be started for it."""

    first_short_day: date | None
    """Null where nothing runs short."""
    first_shortage: int
    """Wafers short on that day."""
    shortage: int
    """Wafers short on the worst day."""
    worst_day: date | None
    """The first day on which so many are short."""
    short_until: date | None
    """The day from which on nothing is short any more; null if not within the horizon."""
    act_by: date | None
    """The last day to start wafers for `act_for`; null if it is too late, or if the lead time is not known."""
    act_for: date | None
    """The first short day that wafers started today or later can meet."""
    act_wafers: int
    """Wafers short on that day."""
    startable: Literal["in_full", "in_part", "too_late"] | None
    """Whether wafers can still be started for all of the shortage, for its later part, or not; null: not known."""


class ShortAtFirmness(Shortfall, title="Short"):
    """When a product runs short at a site, with supply of one grade of firmness or above."""

    past_due_supply: int
    """Open commits and wafers in transit that were due before today."""


class ShortByFirmness(Described):
    """When a product runs short at each grade of firmness."""

    planned: ShortAtFirmness
    material: ShortAtFirmness
    manufacturing: ShortAtFirmness
    firm: ShortAtFirmness
    immediate: ShortAtFirmness


class Peg(Described):
    """Wafers of a supply that are pegged to an order."""

    kind: str
    """`on_hand`, or the line of the supply with its source and event."""
    source: str = optional_field()
    line: str = optional_field()
    event: str | None = optional_field()
    day: date | None
    """Day of receipt; null if they were received by yesterday."""
    wafers: int
    days_late: int


class ShortOrder(LineEvent):
    """An order that is short, or is covered late."""

    due: date
    wafers: int
    short: int
    """Wafers to which no supply is pegged."""
    pegs: list[Peg]


class OverdueRow(LineEvent, title="OverdueSupply"):
    """Supply that was due before today: left out of the projection until its source states another day."""

    supplier: str
    day: date
    """When it was due."""
    wafers: int
    days_overdue: int
    """Late by so many days, if received today."""
    reason: str | None
    """The reason that the supplier gives with the commit, in its words; null if it gives none."""


class CauseRow(LineEvent, title="Cause"):
    """An event that lowered supply or raised demand."""

    said_by: str
    """The source of the event."""
    what: str
    """The change, in a word."""
    wafers: int


class ReasonRow(Described, title="StatedReason"):
    """A reason that a supplier states with commits due by the first short day, in its words."""

    supplier: str
    reason: str
    commits: int
    wafers: int
    """Those committed on them: of a commit that was cut, what is left."""


class Why(Described):
    """Explanation of a shortage; long lists hold the first twenty, and their count."""

    orders: list[ShortOrder]
    orders_count: int
    overdue: list[OverdueRow]
    causes: list[CauseRow]
    """The greatest first."""
    causes_count: int
    reasons: list[ReasonRow]
    """The most commits first."""
    overdrawn: int
    """Wafers taken from stock beyond all that were ever brought to hand."""


class ForecastGap(Described):
    """Forecast of a product at a site that neither orders have consumed nor supply covers."""

    first_day: date | None
    """The first day on which some of it is not covered."""
    wafers: int
    """Wafers not covered on the worst day."""


class ForecastGapRow(ForecastGap):
    """A product with such a forecast at a site."""

    product: str
    site: str
    synthetic: bool
    """Whether the site is declared as synthetic: such rows come last."""


class Remarked(Described):
    """The remarks of planners on an alert, and on its product and site."""

    acknowledged: AcknowledgementRow | None
    """Of the alert of just this name; null: nobody has acknowledged it."""
    acknowledged_before: AcknowledgementRow | None
    """The last one of another alert of the same code and subject: of another day."""
    notes: list[NoteRow]
    """On the alert, the product and the site, the oldest first."""


class Shortage(Shortfall, Remarked):
    """A product that runs short at a site; acknowledged is its alert `short_within`."""

    product: str
    site: str
    synthetic: bool
    """Whether the site is declared as synthetic: such rows come last."""
    on_hand: int
    short_now: int
    """Wafers owed and not on hand at the end of the last complete day."""
    short_since: date | None
    """The day since which the balance on hand has been below zero."""
    lead_days: int | None
    """Days from the start of a wafer to its receipt, as the orders of the product state it."""
    by_firmness: ShortByFirmness
    forecast_gap: ForecastGap
    """Beside the shortage, which is of orders alone."""
    why: Why = optional_field()


class Shortages(AtPlan):
    """Products that run short, in the order queried."""

    firmness: Firmness
    past_due: bool
    rows: list[Shortage]
    """Empty while `today` is null: this is then not known, and not nothing."""
    forecast_gaps: list[ForecastGapRow] = optional_field()
    """The forecast gaps of products that do not run short, the earliest first; left out with `why`."""
    count: int
    """Rows of all pages."""
    synthetic_count: int
    """Of these, rows of synthetic sites."""
    next: int | None
    """The `offset` of the next page; null on the last."""


# ---------------------------------------------------------------- /cover


class CoverDays(Described):
    """How long the wafers on hand cover demand."""

    days: int | None
    """Whole days from today; null if the known demand ends first."""
    left: int
    """Wafers left after those days."""
    next: int
    """Wafers required on the day after them."""


class CoverRow(Remarked):
    """Cover of a product at a site; acknowledged is its alert `cover_below`."""

    product: str
    site: str
    synthetic: bool
    """Whether the site is declared as synthetic: such rows come last."""
    on_hand: int
    backorder: int
    """Wafers that were due before today and have not been consumed."""
    cover: CoverDays
    cover_days: float | None
    """The same, to a tenth of a day."""
    covered_until: date | None
    """The last day that is covered; null if today is not, or if all known demand is."""
    first_uncovered_day: date | None
    """Null if all known demand is covered."""
    fill_rate: Ratio = optional_field()
    """Wafers of orders that were received by their due day, of all that were due."""


class CoverPage(AtPlan):
    """Cover of each product at each site, the least covered first."""

    rows: list[CoverRow]
    """Empty while `today` is null: this is then not known, and not nothing."""
    count: int
    synthetic_count: int
    """Of these, rows of synthetic sites."""
    next: int | None


class WeekOfCover(Described):
    """Cover of a site in a week."""

    site: str
    synthetic: bool
    """Whether the site is declared as synthetic: such rows come last."""
    from_: date = Field(alias="from")
    """The first day of the week, which may end with the horizon."""
    cover_weeks: float | None
    """Later weeks whose orders the balance at the week's end pays for, to a tenth, rounded down; null: all of them."""
    product: str
    """The product with the least cover: of those short, the one with the most wafers short."""
    short: int
    """Wafers short in the week, of all products, each on its worst day."""
    products_short: int


class CoverWeeks(AtPlan):
    """Weeks of cover of the sites, the first to run short first."""

    firmness: Firmness
    rows: list[WeekOfCover]
    """Empty while `today` is null: this is then not known, and not nothing."""
    count: int
    """Sites of all pages."""
    next: int | None
    """The `offset` of the next page; null on the last."""


# ---------------------------------------------------------------- /atp


class Promise(Described):
    """A bucket, a day or a week, of the wafers of a product that a supplier, or a synthetic pool, can still promise."""

    product: str
    supplier: str | None
    """Null of a pool."""
    site: str | None
    """A pool; null of a supplier."""
    synthetic: bool
    """Whether it is of a synthetic pool, or made for one: such rows come last, and no other row counts their wafers."""
    from_: date = Field(alias="from")
    """The buckets of a supplier end with the lead time of the product: for later days wafers can still be started."""
    supply: int
    """Wafers that come in the bucket; in the first also those finished, or on hand less the backorder."""
    promised: int
    """Open commits by due day, overdue ones in the first bucket; of a pool its orders."""
    atp: int
    """Available to promise from the bucket's own supply."""
    atp_cumulative: int
    """Up to the bucket's end in all, without taking from later promises."""


class SitePromise(Described, title="SitePromise"):
    """A bucket of the master schedule of a product at a site: a day or a week."""

    product: str
    site: str
    synthetic: bool
    """Whether the site is declared as synthetic: such rows come last."""
    from_: date = Field(alias="from")
    zone: Literal["frozen", "tradeoff", "free"]
    orders: int
    forecast: int
    net_forecast: int
    """Forecast that no order has consumed."""
    receipts: int
    """Wafers promised to the site: in transit by eta, and open commits by due day."""
    projected: int
    """The projected balance at the end of the bucket."""
    atp: int
    """Wafers of the bucket's own receipts that no order of the site takes: it can give them to others."""
    atp_cumulative: int


class Promises(AtPosition):
    """Available to promise (ATP)."""

    today: date | None
    firmness: Firmness
    bucket: Literal["day", "week"]
    at: Literal["supply", "sites"]
    """Whether the rows are of suppliers and pools, or of sites."""
    rows: list[Promise | SitePromise]
    """Empty while `today` is null: this is then not known, and not nothing. A supplier's product of which no lots are
    reported, or no order states the lead time, has no rows."""
    next: str | None


# ---------------------------------------------------------------- /alerts


class Thresholds(Described, title="Limits"):
    """Thresholds above which an alert is raised (docs/alerts.md)."""

    short_days: int
    cover_days: int
    slip_days: int
    silent_days: int
    firmness: Firmness
    sources: list[str]


class AlertFigures(Described):
    """The figures that rank an alert, or several: sums, and the least days left."""

    wafers: int | None
    """At worst for `short_within`; null where the alert is not about wafers."""
    mw_waiting: float | None
    """Megawatts that wait for these wafers at the sites named, to one decimal; null where that is not known, and of an
    alert that puts other numbers in doubt."""
    days_left: int | None
    """From today to the day of the alert; below 0 where it has passed."""


class AlertGroupRow(AlertFigures, title="AlertGroup"):
    """Alerts of one code: at most four groups of each, and four of synthetic sites; no alert is left out."""

    code: AlertCode
    subject: dict[str, str]
    """The names that all of them have in common."""
    synthetic: bool
    count: int
    first: str
    """The name of the first one."""


class AlertRow(Remarked, AlertFigures):
    """A condition that needs a planner's attention."""

    name: str
    """Its code, its subject, and the day that its definition fixes: the same for every fold of the same events."""
    code: AlertCode
    subject: dict[str, str]
    day: date | None
    detail: dict[str, int | str | None]
    causes: list[str]
    """Events as `source/id`, the most important first."""


class Alerts(AtPlan):
    """Open alerts, those to act on first."""

    limits: Thresholds
    open: dict[AlertCode, int]
    """The number of open alerts of each code that concern the product, site and supplier of the query, without those of
    synthetic sites."""
    open_synthetic: dict[AlertCode, int]
    """The same of synthetic sites."""
    groups: list[AlertGroupRow]
    """All alerts of the query, on every page."""
    rows: list[AlertRow]
    """While `today` is null only silent sources, undeclared names and days beyond the horizon are looked for: whether
    other alerts are open is then not known."""
    next: int | None
