"""Response models of `/balances`, `/months` and `/state`."""

from datetime import date
from typing import Literal

from services.aggregator.http.models.elements import AtPosition, ByFirmness, YearMonth
from shared.http.answering import Described, optional_field
from shared.wire.firmness import Firmness


class Balance(Described):
    """Supply, demand and net in the window, and the wafers in each stage at its end."""

    product: str = optional_field()
    site: str = optional_field()
    supplier: str = optional_field()
    synthetic: bool
    """Whether it is of synthetic sites: such rows come last, and no other row counts their wafers."""
    supply: int | None
    """Null on the start basis where suppliers have moved wafers and none of them reports lots."""
    demand: int
    net: int | None
    """Supply less demand."""
    lacking: int | None
    """What the net lacks of each product at each site, summed: a surplus elsewhere does not cover it. Null of rows and
    filters by supplier: orders name none."""
    wip: int | None
    """Null: no supplier reports lots of the product."""
    finished: int | None
    in_transit: int
    on_hand: int
    open_commit: ByFirmness
    """Wafers committed and not yet dispatched, at the position."""
    lots_not_reported_by: list[str]
    """The suppliers that moved wafers of a product and report no lots of it: the stages leave them out."""


class Balances(AtPosition):
    """The rolling balance."""

    day: date
    """The last day of the window; after `complete_through` it is not complete, and what it lacks is not known."""
    window_days: int
    basis: Literal["start", "receipt"]
    firmness: Firmness | None
    by: list[Literal["product", "site", "supplier"]]
    rows: list[Balance]
    next: str | None
    """The `after` of the next page; null on the last."""


class OnStart(Described):
    """A month on the start basis."""

    demand: int
    started: int | None
    """Null of a month to come, and where suppliers have moved wafers and none of them reports lots."""
    net: int | None
    cumulative_gap: int | None
    agreed: int
    """Wafers of letters of intent and contracts: a headline that enters no other number."""
    share_percent: float | None
    """Wafers started, of the target; null where no programme declares one."""


class ToCome(ByFirmness):
    """Wafers to come from today on: open commits by due day, and wafers in transit; overdue ones are left out."""

    in_transit: int
    """By eta."""


class OnReceipt(Described):
    """A month on the receipt basis."""

    forecast: int
    due: int
    committed: ByFirmness
    received: int
    to_come: ToCome
    net: int
    """Received and to come, less due."""
    cumulative_gap: int
    """Opening stock and all supply up to the month's end, less all that is due by then."""
    share_percent: float | None
    """Wafers received, of the target."""


class MonthRow(Described):
    """A month on both bases, which are never mixed."""

    month: YearMonth
    start: OnStart
    receipt: OnReceipt


class Months(AtPosition):
    """The programme by month."""

    target_wafers: int | None
    """Wafers a month that the programme in force aims at; null where none declares a target."""
    rows: list[MonthRow]
    """Of the site that is asked for; else of all sites but synthetic ones."""
    synthetic: list[MonthRow]
    """Of the synthetic sites together, the same months; empty where there are none, or a site is asked for."""


class Horizon(Described):
    """The days that have a balance of their own."""

    start: date
    days: int


class State(AtPosition):
    """The state from which every number follows."""

    epoch: int | None
    """The ledger's store."""
    state_hash: str
    """The SHA-256 of all balances (docs/proof.md)."""
    keys: int
    """Products, sites and suppliers together that have any wafers on any day."""
    postings: int
    declared: str
    """The SHA-256 of the declarations in force, part of the state hash."""
    horizon: Horizon
    watermarks: dict[str, date | None]
    ended: list[str]
    """The sources that publish no more."""
    """The last day that each source has completed."""
