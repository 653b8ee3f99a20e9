"""Routes of the aggregator's HTTP API."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext

from services.aggregator.http import balances, bridge, lines, parties, planning, queries, remarks, since, worklist
from services.aggregator.http.models import balances as balance_models
from services.aggregator.http.models import bridge as bridge_models
from services.aggregator.http.models import lines as line_models
from services.aggregator.http.models import parties as party_models
from services.aggregator.http.models import planning as planning_models
from services.aggregator.http.models import remarks as remark_models
from services.aggregator.http.models import since as since_models
from services.aggregator.http.models import worklist as worklist_models
from services.aggregator.http.pages import read_moment
from services.aggregator.live.view import LiveView, ReadPast
from shared.http.access import READ, ScopedRoute
from shared.http.answering import View, serve
from shared.http.problem import AWAY, BUSY, NEVER_KNOWN, UNFIT, UNKNOWN_NAME, Kind

_PAST: tuple[Kind, ...] = (NEVER_KNOWN, AWAY, BUSY)
_NAMED: tuple[Kind, ...] = (*_PAST, UNKNOWN_NAME)


def routes(
    read: Callable[[], LiveView],
    read_past: ReadPast,
    take_turn: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> list[ScopedRoute]:
    """Return the routes over the current view, which `read` returns; a query with `as_of` reads `read_past(as_of)`.

    A query that reads the past holds a turn until it is answered.

    A page is computed without a pause in the event loop, which also folds, so it is of one position. Rankings of all
    groups come from the plan, which is computed beside the fold.
    """

    @asynccontextmanager
    async def find(query: queries.AskAsOf) -> AsyncIterator[LiveView]:
        if query.as_of is None:
            yield read()
            return
        with take_turn():
            yield await read_past(query.as_of)

    @asynccontextmanager
    async def find_bridge(query: queries.AskBridge) -> AsyncIterator[bridge.BridgeViews]:
        with take_turn():
            now = read() if query.as_of is None else await read_past(query.as_of)
            yield await bridge.find_bridge(now, read_past, query)

    @asynccontextmanager
    async def find_since(query: queries.AskSince) -> AsyncIterator[since.SinceViews]:
        with take_turn():
            now = read() if query.to is None else await read_moment(read_past, query.to, "to")
            yield await since.find_since(now, read_past, query)

    compared = View("/since", since.since, queries.AskSince, since_models.SincePage, (*_NAMED, UNFIT))
    joined = View("/bridge", bridge.bridge, queries.AskBridge, bridge_models.BridgePage, (*_NAMED, UNFIT))
    return [
        *(serve(view, find, _version_of, scope=READ) for view in views()),
        serve(joined, find_bridge, _versions_of, scope=READ),
        serve(compared, find_since, _versions_of, scope=READ),
    ]


def views() -> list[View[LiveView]]:
    """Return the views: path, answer, query, response model and problems."""
    past, named = _PAST, _NAMED
    return [
        View("/balances", balances.balances, queries.AskBalances, balance_models.Balances, (*named, UNFIT)),
        View("/shortages", planning.shortages, queries.AskShortages, planning_models.Shortages, (*named, UNFIT)),
        View("/cover", planning.cover, queries.AskCover, planning_models.CoverPage, (*named, UNFIT)),
        View("/cover/weeks", planning.cover_weeks, queries.AskWeeks, planning_models.CoverWeeks, (*named, UNFIT)),
        View("/atp", planning.atp, queries.AskPromise, planning_models.Promises, (*named, UNFIT)),
        View("/suppliers/{supplier:path}/performance", parties.performance, queries.AskPerformance,
             party_models.Performance, (*named, UNFIT)),
        View("/sites", parties.sites, queries.AskSites, party_models.Sites, (*named, UNFIT)),
        View("/sites/{site:path}/timeline", parties.timeline, queries.AskTimeline, party_models.Timeline, named),
        View("/parties", parties.parties, queries.AskParties, party_models.Parties, (*named, UNFIT)),
        View("/footprint", parties.footprint, queries.AskFootprint, party_models.Footprint, (*past, UNFIT)),
        View("/suppliers", parties.suppliers, queries.AskSuppliers, party_models.Suppliers, (*named, UNFIT)),
        View("/lines", lines.lines, queries.AskLines, line_models.ListedLines, (*named, UNFIT)),
        View("/names", lines.names, queries.AskNames, line_models.Names, (*past, UNFIT)),
        View("/watermarks", lines.watermarks, queries.AskWatermarks, line_models.Watermarks, past),
        View("/alerts", worklist.alerts, queries.AskAlerts, planning_models.Alerts, (*named, UNFIT)),
        View("/worklist", worklist.worklist, queries.AskWorklist, worklist_models.Worklist, (*named, UNFIT)),
        View("/remarks", remarks.remarks, queries.AskRemarks, remark_models.RemarksPage, (*past, UNFIT)),
        View("/months", balances.months, queries.AskMonths, balance_models.Months, (*named, UNFIT)),
        View("/state", balances.state, queries.AskAsOf, balance_models.State, past),
    ]  # fmt: skip


def _version_of(view: LiveView) -> tuple[int | None, int, int]:
    """Return the positions of the state and the plan, which decide every answer."""
    curves = view.state.curves
    return curves.epoch, curves.position, view.plan.position


def _versions_of(views: bridge.BridgeViews | since.SinceViews) -> tuple[object, ...]:
    return _version_of(views.now), _version_of(views.then)
