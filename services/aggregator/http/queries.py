"""Queries of the HTTP API: the parameters of each view, their allowed values and their meaning."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated

from services.aggregator.terms import BASES, LAGS, LINE_COLUMNS, LINE_KINDS, NETTING_DAYS, PARTS, Basis, LineKind, Part
from shared.http.answering import CSV_FORMATS
from shared.http.query import Choice, Day, Moment, Month, Query, SomeOf, Text, Whole, Yes
from shared.wire.alerts import SUBJECTS, AlertCode
from shared.wire.firmness import FIRMNESS, Firmness

WINDOWS = (1, 7, 30, 90, 365)
PAGE_MAX = 200
DETAILED_MAX = 2  # rows of a page with details that take long to compute: causes of a shortage, fill rates
DUE_SPANS = ("overdue", "this_week", "next_week")
LINE_STATES = ("open", "all")
MOORINGS = ("onshore", "floating")
FOOTPRINT_PARTS = ("mooring", "power_source", "country", "site")
PROMISED_AT = ("supply", "sites")
BUCKETS = {"day": 1, "week": 7}
SHORTAGE_ORDERS = ("first_short", "act_by")
_BUCKETS_MAX = 60
WEEKS_MAX = 26
_OFFSET_MAX = 10**9

Graded = Annotated[Firmness, Choice(FIRMNESS), "Supply: commits of this grade or above."]
Product = Annotated[str | None, Text(), "Only this product."]
Site = Annotated[str | None, Text(), "Only this site."]
Supplier = Annotated[str | None, Text(), "Only this supplier."]
Party = Annotated[
    str | None,
    Text(),
    "Only the sites at which this declared party has a role; of alerts and overdue lines also the suppliers.",
]
After = Annotated[str | None, Text(), "The rows after this one: `next` of the page before."]
Offset = Annotated[int, Whole(0, _OFFSET_MAX), "Index of the first row: `next` of the page before."]
Limit = Annotated[int, Whole(1, PAGE_MAX), "Rows of a page, at most."]


@dataclass(frozen=True, kw_only=True)
class AskAsOf(Query):
    """The parameter of every view."""

    as_of: Annotated[
        str | None,
        Moment(),
        "Day of knowledge: answer from what was recorded by the end of this UTC day, or up to this batch; default: "
        "all. It is not the day of a balance.",
    ] = None


@dataclass(frozen=True, kw_only=True)
class Rows(AskAsOf):
    """The parameters of every view with rows, which CSV can hold."""

    format: Annotated[str | None, Choice(CSV_FORMATS), "`csv`: only the rows, as with `Accept: text/csv`."] = None


@dataclass(frozen=True, kw_only=True)
class AskBalances(Rows):
    """The parameters of `/balances`."""

    by: Annotated[tuple[Part, ...], SomeOf(PARTS), "A row for each combination of these; default: one total row."] = ()
    window: Annotated[int, Choice(WINDOWS), "Days of the rolling window."] = 30
    basis: Annotated[
        Basis, Choice(BASES), "`start`: wafers started against those to be started; `receipt`: received against due."
    ] = "start"
    firmness: Annotated[
        Firmness | None,
        Choice(FIRMNESS),
        "Supply: commits due of this grade or above, with `basis=receipt` only; default: actual wafers.",
    ] = None
    day: Annotated[
        date | None, Day(), "The day of the balance, the last of the window; default: the last complete day."
    ] = None
    product: Product = None
    site: Site = None
    supplier: Supplier = None
    after: After = None
    limit: Limit = PAGE_MAX


@dataclass(frozen=True, kw_only=True)
class AskShortages(Rows):
    """The parameters of `/shortages`."""

    firmness: Graded = "planned"
    past_due: Annotated[bool, Yes(), "Count overdue supply as received today."] = False
    why: Annotated[bool, Yes(), "Add the orders that run short, and the causes; two rows a page."] = False
    order: Annotated[
        str,
        Choice(SHORTAGE_ORDERS),
        "`first_short`: the earliest first short day first; `act_by`: first those that wafers can still be "
        "started for, in full, then in part, the soonest first.",
    ] = "first_short"
    product: Product = None
    site: Site = None
    party: Party = None
    offset: Offset = 0
    limit: Annotated[int | None, Whole(1, PAGE_MAX), "Rows of a page, at most: 200, and 2 with `why`."] = None


@dataclass(frozen=True, kw_only=True)
class AskBridge(Rows):
    """The parameters of `/bridge`."""

    product: Annotated[str, Text(), "The product."]
    site: Annotated[str, Text(), "The site."]
    day: Annotated[
        date | None, Day(), "The day of the balance; default: the first short day, or today where nothing runs short."
    ] = None
    since: Annotated[
        str | None,
        Moment(),
        "The earlier day of knowledge, or batch, as in `as_of`; default: since when as much is ordered by the day as "
        "now, or the empty log (0).",
    ] = None
    firmness: Graded = "planned"


@dataclass(frozen=True, kw_only=True)
class AskSince(Query):
    """The parameters of `/since`."""

    from_: Annotated[
        str | None,
        Moment(),
        "The earlier day of knowledge, or batch; default: the day before the last complete one, or the empty log (0).",
    ] = None
    to: Annotated[str | None, Moment(), "The later day of knowledge, or batch; default: all that is recorded."] = None
    firmness: Graded = "planned"
    product: Product = None
    site: Site = None
    supplier: Annotated[str | None, Text(), "Only the effects of this supplier's lines and stock."] = None
    offset: Offset = 0
    limit: Limit = 50
    format: Annotated[str | None, Choice(CSV_FORMATS), "`csv`: only the rows, as with `Accept: text/csv`."] = None


@dataclass(frozen=True, kw_only=True)
class AskCover(Rows):
    """The parameters of `/cover`."""

    fill_rate: Annotated[bool, Yes(), "Add the fill rate of the orders; two rows a page."] = False
    product: Product = None
    site: Site = None
    party: Party = None
    offset: Offset = 0
    limit: Annotated[int | None, Whole(1, PAGE_MAX), "Rows of a page, at most: 200, and 2 with `fill_rate`."] = None


@dataclass(frozen=True, kw_only=True)
class AskWeeks(Rows):
    """The parameters of `/cover/weeks`."""

    firmness: Graded = "planned"
    weeks: Annotated[int, Whole(1, WEEKS_MAX), "Rows of each site."] = 13
    product: Product = None
    site: Site = None
    party: Party = None
    offset: Annotated[int, Whole(0, _OFFSET_MAX), "Index of the first site: `next` of the page before."] = 0
    limit: Annotated[int, Whole(1, PAGE_MAX), "Sites of a page, at most."] = 50


@dataclass(frozen=True, kw_only=True)
class AskPromise(Rows):
    """The parameters of `/atp`."""

    at: Annotated[
        str | None,
        Choice(PROMISED_AT),
        "`supply`: wafers that suppliers and synthetic pools can still promise; `sites`: the orders of each site, and "
        "the wafers promised to it; default: `sites` where a site is named, else `supply`.",
    ] = None
    firmness: Graded = "planned"
    bucket: Annotated[str, Choice(tuple(BUCKETS)), "The bucket of a row."] = "week"
    buckets: Annotated[int, Whole(1, _BUCKETS_MAX), "Rows of each product at each supplier or site, at most."] = 13
    frozen_days: Annotated[int, Whole(0, 400), "At sites: days from today in which only orders count."] = 28
    tradeoff_days: Annotated[int, Whole(0, 800), "At sites: days from today after which the free zone begins."] = 119
    early_days: Annotated[int, Whole(0, 400), "At sites: days before its due day whose forecast an order consumes."] = (
        NETTING_DAYS
    )
    late_days: Annotated[int, Whole(0, 400), "At sites: days after its due day whose forecast an order consumes."] = (
        NETTING_DAYS
    )
    product: Product = None
    site: Site = None
    supplier: Annotated[str | None, Text(), "Only this supplier; with `at=supply` alone."] = None
    after: After = None
    limit: Annotated[int, Whole(1, PAGE_MAX), "Rows of a page, at most, but at least one product at one place."] = (
        PAGE_MAX
    )


@dataclass(frozen=True, kw_only=True)
class AskPerformance(Rows):
    """The parameters of `/suppliers/{supplier}/performance`."""

    supplier: Annotated[str, Text(), "The supplier."]
    product: Product = None


@dataclass(frozen=True, kw_only=True)
class AskSites(Rows):
    """The parameters of `/sites`."""

    firmness: Graded = "planned"
    site: Site = None
    party: Party = None
    mooring: Annotated[str | None, Choice(MOORINGS), "On land, or afloat; default: both."] = None
    after: After = None
    limit: Limit = PAGE_MAX


@dataclass(frozen=True, kw_only=True)
class AskParties(Rows):
    """The parameters of `/parties`."""

    firmness: Graded = "planned"
    party: Annotated[str | None, Text(), "Only this declared party."] = None


@dataclass(frozen=True, kw_only=True)
class AskFootprint(Rows):
    """The parameters of `/footprint`."""

    by: Annotated[
        tuple[str, ...], SomeOf(FOOTPRINT_PARTS), "A row for each combination of these; empty: one of all sites."
    ] = ("mooring",)


@dataclass(frozen=True, kw_only=True)
class AskTimeline(AskAsOf):
    """The parameters of `/sites/{site}/timeline`."""

    site: Annotated[str, Text(), "The site."]
    product: Product = None


@dataclass(frozen=True, kw_only=True)
class AskSuppliers(Rows):
    """The parameters of `/suppliers`."""

    supplier: Supplier = None
    product: Product = None
    lag: Annotated[
        int, Choice(LAGS), "Bias and slip compare receipts with the commits of this many days before the due day."
    ] = 28
    after: After = None
    limit: Limit = PAGE_MAX


@dataclass(frozen=True, kw_only=True)
class AskLines(Rows):
    """The parameters of `/lines`."""

    kind: Annotated[LineKind | None, Choice(LINE_KINDS), "Only lines of this kind; default: all."] = None
    due: Annotated[
        str | None,
        Choice(DUE_SPANS),
        "`overdue`: before today; `this_week`, `next_week`: from Monday to Sunday; default: all days.",
    ] = None
    state: Annotated[str, Choice(LINE_STATES), "`open`: with wafers still open; `all`."] = "open"
    product: Product = None
    site: Site = None
    supplier: Supplier = None
    source: Annotated[str | None, Text(), "Only lines of this party."] = None
    like: Annotated[
        str | None,
        Text(),
        "Only lines with this text in their id, in any case; one that is this text comes first, then open ones.",
    ] = None
    sort: Annotated[
        str | None,
        Choice((*LINE_COLUMNS, *(f"-{name}" for name in LINE_COLUMNS))),
        "By this column, after `-` the greatest first; lines without a value come last, equal ones by due day. "
        "Default: by due day.",
    ] = None
    offset: Offset = 0
    limit: Limit = PAGE_MAX


@dataclass(frozen=True, kw_only=True)
class AskWatermarks(Rows):
    """The parameters of `/watermarks`."""


@dataclass(frozen=True, kw_only=True)
class AskAlerts(Rows):
    """The parameters of `/alerts`."""

    code: Annotated[AlertCode | None, Choice(tuple(SUBJECTS)), "Only this code."] = None
    product: Annotated[str | None, Text(), "Leave out alerts of other products; those that name none stay."] = None
    site: Annotated[str | None, Text(), "Leave out alerts of other sites; those that name none stay."] = None
    supplier: Annotated[str | None, Text(), "Leave out alerts of other suppliers; those that name none stay."] = None
    party: Party = None
    offset: Offset = 0
    limit: Limit = PAGE_MAX


@dataclass(frozen=True, kw_only=True)
class AskNames(Rows):
    """The parameters of `/names`."""

    like: Annotated[str | None, Text(), "Only names with each of these words in their id or name, in any case."] = None
    after: After = None
    limit: Limit = PAGE_MAX


@dataclass(frozen=True, kw_only=True)
class AskRemarks(Rows):
    """The parameters of `/remarks`."""

    about: Annotated[
        str | None,
        Text(),
        "Only remarks on this: `alert/NAME`, `line/KIND/PARTY/LINE`, `site/SITE` or `product/PRODUCT`.",
    ] = None
    offset: Offset = 0
    limit: Limit = PAGE_MAX


@dataclass(frozen=True, kw_only=True)
class AskWorklist(Rows):
    """The parameters of `/worklist`."""

    firmness: Graded = "planned"
    resting: Annotated[bool, Yes(), "Also items whose alert is snoozed until a later day."] = False
    product: Product = None
    site: Site = None
    party: Party = None
    supplier: Annotated[str | None, Text(), "Only the overdue lines of this supplier."] = None


@dataclass(frozen=True, kw_only=True)
class AskMonths(Rows):
    """The parameters of `/months`."""

    from_: Annotated[date | None, Month(), "The first month; default: that of the horizon."] = None
    to: Annotated[date | None, Month(), "The last month; default: that of the horizon."] = None
    product: Product = None
    site: Site = None
    supplier: Supplier = None
