"""What the aggregator is asked: the parameters of each view, with what is allowed and what each means."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated

from services.aggregator.terms import BASES, LAGS, PARTS, Basis, Part
from shared.http.answering import CSV_FORMATS
from shared.http.query import Choice, Day, Moment, Month, Query, SomeOf, Text, Whole, Yes
from shared.wire.alerts import SUBJECTS, AlertCode
from shared.wire.events import FIRMNESS, Firmness

WINDOWS = (1, 7, 30, 90, 365)
PAGE_MAX = 200
DETAILED_MAX = 2  # rows of a page with details that take long to compute: causes of a shortage, fill rates
MOORINGS = ("onshore", "floating")
BUCKETS = {"day": 1, "week": 7}
_BUCKETS_MAX = 60
_OFFSET_MAX = 10**9

Graded = Annotated[Firmness, Choice(FIRMNESS), "Supply is what is committed at this grade or above."]
Product = Annotated[str | None, Text(), "Of this product alone."]
Site = Annotated[str | None, Text(), "Of this site alone."]
Supplier = Annotated[str | None, Text(), "Of this supplier alone."]
After = Annotated[str | None, Text(), "The page behind this one: `next` of the page before."]
Offset = Annotated[int, Whole(0, _OFFSET_MAX), "The page that begins here: `next` of the page before."]
Limit = Annotated[int, Whole(1, PAGE_MAX), "Rows of a page, at most."]


@dataclass(frozen=True, kw_only=True)
class AsOf(Query):
    """Any view can be asked as it was."""

    as_of: Annotated[
        str | None, Moment(), "What was known after this batch, or at the end of this UTC day; now, if it is left out."
    ] = None


@dataclass(frozen=True, kw_only=True)
class Rows(AsOf):
    """A view with rows is told as CSV, too."""

    format: Annotated[
        str | None, Choice(CSV_FORMATS), "`csv`: the rows alone, as `Accept: text/csv` asks for them, too."
    ] = None


@dataclass(frozen=True, kw_only=True)
class AskBalances(Rows):
    """The parameters of `/balances`."""

    by: Annotated[tuple[Part, ...], SomeOf(PARTS), "A row for each of these; in total, if it is left out."] = ()
    window: Annotated[int, Choice(WINDOWS), "Days of the rolling window."] = 30
    basis: Annotated[Basis, Choice(BASES), "`start`: started against to be started; `receipt`: at the dock."] = "start"
    firmness: Annotated[
        Firmness | None,
        Choice(FIRMNESS),
        "Supply is what is committed due at this grade or above, which only `basis=receipt` has; else what has come.",
    ] = None
    day: Annotated[date | None, Day(), "The last day of the window; the last complete one, if it is left out."] = None
    product: Product = None
    site: Site = None
    supplier: Supplier = None
    after: After = None
    limit: Limit = PAGE_MAX


@dataclass(frozen=True, kw_only=True)
class AskShortages(Rows):
    """The parameters of `/shortages`."""

    firmness: Graded = "planned"
    past_due: Annotated[bool, Yes(), "Whether supply that is overdue is taken to come today."] = False
    why: Annotated[bool, Yes(), "Whether to say which orders run short, and what is to blame; two rows a page."] = False
    product: Product = None
    site: Site = None
    offset: Offset = 0
    limit: Annotated[int | None, Whole(1, PAGE_MAX), "Rows of a page, at most: 200, and 2 with `why`."] = None


@dataclass(frozen=True, kw_only=True)
class AskCover(Rows):
    """The parameters of `/cover`."""

    fill_rate: Annotated[bool, Yes(), "Whether to say how orders were served; two rows a page."] = False
    product: Product = None
    site: Site = None
    offset: Offset = 0
    limit: Annotated[int | None, Whole(1, PAGE_MAX), "Rows of a page, at most: 200, and 2 with `fill_rate`."] = None


@dataclass(frozen=True, kw_only=True)
class AskPromise(Rows):
    """The parameters of `/atp`."""

    firmness: Graded = "planned"
    bucket: Annotated[str, Choice(tuple(BUCKETS)), "What a row is of."] = "week"
    buckets: Annotated[int, Whole(1, _BUCKETS_MAX), "Rows of each product at each site."] = 13
    frozen_days: Annotated[int, Whole(0, 400), "Days from today on in which only orders count."] = 28
    tradeoff_days: Annotated[int, Whole(0, 800), "Days from today on in which forecasts give way to orders."] = 91
    product: Product = None
    site: Site = None
    after: After = None
    limit: Annotated[int, Whole(1, PAGE_MAX), "Rows of a page, at most, but one product at one site in any case."] = (
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
    mooring: Annotated[str | None, Choice(MOORINGS), "On land, or afloat; both, if it is left out."] = None
    after: After = None
    limit: Limit = PAGE_MAX


@dataclass(frozen=True, kw_only=True)
class AskTimeline(AsOf):
    """The parameters of `/sites/{site}/timeline`."""

    site: Annotated[str, Text(), "The site."]
    product: Product = None


@dataclass(frozen=True, kw_only=True)
class AskSuppliers(Rows):
    """The parameters of `/suppliers`."""

    supplier: Supplier = None
    product: Product = None
    lag: Annotated[int, Choice(LAGS), "Bias and slip are against what was committed these days before it was due."] = 28
    after: After = None
    limit: Limit = PAGE_MAX


@dataclass(frozen=True, kw_only=True)
class AskAlerts(Rows):
    """The parameters of `/alerts`."""

    code: Annotated[AlertCode | None, Choice(tuple(SUBJECTS)), "Those of this code alone."] = None
    offset: Offset = 0
    limit: Limit = PAGE_MAX


@dataclass(frozen=True, kw_only=True)
class AskMonths(Rows):
    """The parameters of `/months`."""

    from_: Annotated[date | None, Month(), "The first month; that of the horizon, if it is left out."] = None
    to: Annotated[date | None, Month(), "The last month; that of the horizon, if it is left out."] = None
    product: Product = None
    site: Site = None
    supplier: Supplier = None
