"""What the aggregator answers, described: the page of the API and the tests read it, an answer is never made of it.

Wafers are WSE and whole; a day is a date, at the end of which something stands. What is left out unless it is asked for
is not required.
"""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from shared.http.answering import Described, unasked
from shared.wire.alerts import AlertCode
from shared.wire.events import Firmness

Month = Annotated[str, Field(pattern="^[0-9]{4}-[0-9]{2}$")]


class Standing(Described):
    """What an answer is of."""

    complete_through: date | None
    """The last day that every source has completed; none before each has."""
    position: int
    """The last batch of the ledger that the answer counts in."""
    head: str
    """The chain head of that batch, which proves it; none before the first."""


class Planned(Standing):
    """What an answer out of the plan is of."""

    today: date | None
    """The day after the last complete one: what is before it has been, the rest is planned."""


class Ratio(Described):
    """A ratio with what it is made of."""

    numerator: int
    denominator: int
    percent: float | None
    """To a tenth; none of nothing."""


class ByFirmness(Described):
    """Wafers by how firm they are committed."""

    planned: int
    material: int
    manufacturing: int
    firm: int
    immediate: int


class Event(Described):
    """A line, and the event that says so: `/events/{source}/{event}` of the ledger has it."""

    kind: str
    source: str
    line: str
    event: str | None


# ---------------------------------------------------------------- /balances


class Balance(Described):
    """What came and went in the window, and what stands in each stage at its end."""

    product: str = unasked()
    site: str = unasked()
    supplier: str = unasked()
    supply: int
    demand: int
    net: int
    """Supply less demand."""
    wip: int
    finished: int
    in_transit: int
    on_hand: int
    open_commit: ByFirmness
    """What is committed and not yet dispatched, as it stands now."""


class Balances(Standing):
    """The rolling balance."""

    day: date
    """The last day of the window."""
    window_days: int
    basis: Literal["start", "receipt"]
    firmness: Firmness | None
    by: list[Literal["product", "site", "supplier"]]
    rows: list[Balance]
    next: str | None
    """What to ask `after` for the next page; none on the last."""


# ---------------------------------------------------------------- /shortages, /cover, /atp


class Short(Described):
    """When a product runs short at a site, with supply of one grade of firmness or above."""

    first_short_day: date | None
    first_shortage: int
    """Wafers short on that day."""
    shortage: int
    """Wafers short on the worst day."""
    past_due_supply: int
    """Open commits and transit that were due before today."""


class ShortByFirmness(Described):
    """When it runs short at each grade of firmness."""

    planned: Short
    material: Short
    manufacturing: Short
    firm: Short
    immediate: Short


class Peg(Described):
    """Wafers of a supply that are meant for an order."""

    kind: str
    """`on_hand`, or the line of the supply with its source and event."""
    source: str = unasked()
    line: str = unasked()
    event: str | None = unasked()
    day: date | None
    """When they come, or came; none if they came by yesterday."""
    wafers: int
    days_late: int


class ShortOrder(Event):
    """An order that is not covered, or is covered late."""

    due: date
    wafers: int
    short: int
    """Wafers that no supply is meant for."""
    pegs: list[Peg]


class OverdueSupply(Event):
    """Supply that was to come before today."""

    day: date
    wafers: int


class Cause(Event):
    """An event that changed what is short."""

    said_by: str
    what: str
    wafers: int


class Why(Described):
    """What is behind a shortage; of long lists the first twenty, and how many there are."""

    orders: list[ShortOrder]
    orders_count: int
    overdue: list[OverdueSupply]
    causes: list[Cause]
    """The greatest first."""
    causes_count: int
    overdrawn: int
    """Wafers gone from hand beyond all that ever came to it."""


class Shortage(Described):
    """A product that runs short at a site."""

    product: str
    site: str
    on_hand: int
    short_since: date | None
    """Since when there has been less than nothing on hand."""
    first_short_day: date | None
    first_shortage: int
    shortage: int
    by_firmness: ShortByFirmness
    why: Why = unasked()


class Shortages(Planned):
    """What runs short, the first one first."""

    firmness: Firmness
    past_due: bool
    rows: list[Shortage]
    count: int
    """Rows of all pages."""
    next: int | None
    """The `offset` of the next page; none on the last."""


class CoverDays(Described):
    """For how long what is on hand pays what is required."""

    days: int | None
    """Whole days from today; none if the demand that is known ends first."""
    left: int
    """Wafers, after those days."""
    next: int
    """Wafers that the day after them requires."""


class CoverRow(Described):
    """For how long a product lasts at a site."""

    product: str
    site: str
    on_hand: int
    backorder: int
    """Wafers that were due before today and have not come."""
    cover: CoverDays
    cover_days: float | None
    """The same, to a tenth of a day."""
    first_uncovered_day: date | None
    fill_rate: Ratio = unasked()
    """Wafers of orders that came by their day, of all that were due."""


class CoverPage(Planned):
    """How long each product lasts at each site, the least covered first."""

    rows: list[CoverRow]
    count: int
    next: int | None


class Promise(Described):
    """A day or a week of a product at a site."""

    product: str
    site: str
    from_: date = Field(alias="from")
    zone: Literal["frozen", "tradeoff", "free"]
    orders: int
    forecast: int
    net_forecast: int
    """What of the forecast is not ordered yet."""
    receipts: int
    projected: int
    """The projected balance at its end."""
    atp: int
    """What can still be promised of what comes in it."""
    atp_cumulative: int


class Promises(Standing):
    """What can still be promised."""

    today: date | None
    firmness: Firmness
    bucket: Literal["day", "week"]
    rows: list[Promise]
    next: str | None


# ---------------------------------------------------------------- suppliers


class OnTime(Ratio):
    """Commits that came on time and in full, of those that were due."""

    days_of_grace: int
    percent_of_grace: int


class OnTimeInFull(Described):
    """On time and in full, to the day and wafer, and with some grace."""

    strict: OnTime
    tolerant: OnTime


class Slip(Described):
    """How much later than committed it came."""

    wafer_days: int
    mean_days: float | None
    greatest_days: int
    open_wafers: int
    """Not yet come, and counted as if they came today."""


class Lag(Described):
    """Commit against actual, by what had been committed some days before it was due."""

    lag_days: int
    committed: int
    bias: Ratio
    """What did not come, of what was committed."""
    slip: Slip


class Kept(Described):
    """How a supplier keeps its word on a product."""

    product: str
    wafers_due: int
    wafers_received: int
    churn: Ratio
    """Wafers that were committed otherwise after all, of those that were due."""
    otif: OnTimeInFull
    lags: list[Lag]


class Performance(Standing):
    """How a supplier keeps its word."""

    supplier: str
    rows: list[Kept]


class Aged(Described):
    """Wafers in process by how long ago they were started."""

    from_days: int
    before_days: int | None
    wafers: int


class YieldOfMonth(Ratio):
    """What came out of a month's lots."""

    month: Month


class SupplierRow(Described):
    """A product of a supplier; nothing of what it has never made, or never committed."""

    supplier: str
    product: str
    day: date
    started: int | None
    finished: int | None
    wip: int | None
    wip_by_age: list[Aged] | None
    yield_: Ratio | None = Field(alias="yield")
    yield_by_month: list[YieldOfMonth] | None
    wafers_due: int | None
    wafers_received: int | None
    otif: Ratio | None
    churn: Ratio | None
    bias: Ratio | None
    slip_days: float | None
    slip_greatest: int | None
    open_wafers: int | None


class Suppliers(Standing):
    """What each supplier has in process, and how it keeps its word."""

    lag_days: int
    rows: list[SupplierRow]
    next: str | None


# ---------------------------------------------------------------- sites


class Phase(Described):
    """A phase of a site, as it is planned now."""

    phase: str
    mw: int
    platform: str
    energise_on: date
    status: Literal["planned", "paused", "cancelled", "transferred"]
    source: str
    event: str


class Site(Described):
    """A site: what it was declared to be, its phases, what is due there, how long it lasts, what is short first."""

    site: str
    name: str | None
    country: str | None
    mooring: Literal["onshore", "floating"] | None
    mw: int | None
    pue_percent: int | None
    land_ha: int | None
    waterplane_m2: int | None
    kg_co2_per_mwh: int | None
    evidence: str | None
    confidence: Literal["sourced", "assumed"] | None
    source: str | None
    event: str | None
    co2_tonnes_a_year: int | None
    """At full load all year."""
    mw_energised: int | None
    mw_to_come: int | None
    mw_stopped: int
    phases: list[Phase]
    next_due_day: date | None
    next_due: int
    last_due_day: date | None
    due: int
    on_hand: int
    short_since: date | None
    first_short_day: date | None
    first_short_product: str | None
    shortage: int | None
    cover_days: float | None
    first_uncovered_day: date | None
    least_covered_product: str | None


class Sites(Planned):
    """The sites."""

    firmness: Firmness
    rows: list[Site]
    next: str | None


class Change(Described):
    """What was said before, and what is said now."""

    before: str | int | None
    now: str | int | None


class Entry(Described):
    """Something on a site's time line."""

    day: date
    what: Literal["declared", "planned", "altered", "energises"]
    phase: str | None
    """None: the site itself."""
    mw: int
    changes: dict[str, Change]
    source: str
    event: str


class SiteMonth(Described):
    """A month of a site, on the basis receipt."""

    month: Month
    mw: int
    due: int
    forecast: int
    committed: int
    received: int
    consumed: int
    on_hand: int | None
    """At its end, or on the last complete day in it; none of a month to come."""


class Timeline(Standing):
    """What was said of a site, when its phases are energised, and month by month what is due and comes."""

    site: str
    entries: list[Entry]
    months: list[SiteMonth]


# ---------------------------------------------------------------- alerts, months, state


class Limits(Described):
    """From where on something is an alert (docs/alerts.md)."""

    short_days: int
    cover_days: int
    slip_days: int
    silent_days: int
    firmness: Firmness
    sources: list[str]


class AlertRow(Described):
    """Something that a planner should look at."""

    code: AlertCode
    subject: dict[str, str]
    day: date | None
    detail: dict[str, int | str | None]
    causes: list[str]
    """Events, as `source/id`, the one that matters most first."""


class Alerts(Planned):
    """What a planner should look at, the most urgent first."""

    limits: Limits
    open: dict[AlertCode, int]
    """How many are open of each code."""
    rows: list[AlertRow]
    next: int | None


class OnStart(Described):
    """A month on the basis start."""

    demand: int
    started: int
    net: int
    cumulative_gap: int
    agreed: int
    """What letters of intent and contracts name: a headline, in no other number."""
    share_percent: float
    """Of 900,000 wafers started."""


class OnReceipt(Described):
    """A month on the basis receipt."""

    forecast: int
    due: int
    committed: ByFirmness
    received: int
    net: int
    cumulative_gap: int


class MonthRow(Described):
    """A month on both bases, which are never mixed."""

    month: Month
    start: OnStart
    receipt: OnReceipt


class Months(Standing):
    """The programme by month."""

    rows: list[MonthRow]


class Horizon(Described):
    """The days that are kept apart."""

    start: date
    days: int


class State(Standing):
    """What all numbers follow from."""

    epoch: int | None
    """Which store of the ledger it is."""
    state_hash: str
    """The SHA-256 of all balances (docs/proof.md)."""
    keys: int
    postings: int
    horizon: Horizon
    watermarks: dict[str, date | None]
    """The last day that each source has completed."""
