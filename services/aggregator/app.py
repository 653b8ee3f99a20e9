"""Wiring of the aggregator: postings in, balances, alerts and HTTP answers out."""

from functools import partial
from pathlib import Path

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.state import FoldState
from services.aggregator.http.routes import routes
from services.aggregator.http.what_if import PATH as WHAT_IF
from services.aggregator.http.what_if import what_if
from services.aggregator.live.fold_loop import FoldLoop
from services.aggregator.live.past import PastStates
from services.aggregator.live.plan_loop import PlanLoop
from services.aggregator.live.rehearsals import Rehearsals
from services.aggregator.live.snapshots import SnapshotLoop
from services.aggregator.live.view import LiveView
from services.aggregator.settings import AggregatorSettings
from shared.http.access import READ
from shared.http.peers import read_caller
from shared.http.request_bounds import BodyBound
from shared.http.turns import PastTurns
from shared.programme.declarations import NOTHING_DECLARED
from shared.service.service import Service
from shared.wire.streams import POSTINGS


def build_app(settings: AggregatorSettings) -> Service:
    """Return the aggregator: it folds the postings after its snapshot, or all of them if it has none."""
    service, caller = Service("aggregator", settings), read_caller(settings)
    make_state, thresholds = partial(_empty_state, settings), settings.alert_thresholds()
    view = LiveView(make_state(), thresholds)
    fold_loop = FoldLoop(service, view, make_state, settings.ledger_url, caller, names_max=settings.all_names_max)
    plan_loop = PlanLoop(service, view)
    past = PastStates(
        service, make_state, settings.ledger_url, caller, thresholds, settings.past_states, settings.past_mb << 20,
        settings.past_wait_s, lambda: view.state.curves.horizon,
    )  # fmt: skip
    turns = PastTurns(settings.past_queries_max, "WAFERLINE_PAST_QUERIES_MAX")
    turns.export(service.registry)
    rehearsals = Rehearsals(settings.ledger_url, caller)
    service.routes += [
        *routes(lambda: view, past.read, turns.take),
        what_if(lambda: view, rehearsals, turns.take),
    ]
    service.bodies[WHAT_IF] = BodyBound(settings.what_if_bytes_max, "WAFERLINE_WHAT_IF_BYTES_MAX")
    service.describe(Path(__file__).parent / "http" / "examples.json", scope=READ)
    service.facts = lambda: {
        "position": view.state.curves.position,
        "head": view.state.curves.head,
        "keys": len(view.state.curves.keys),
        "complete_through": view.state.curves.complete_through,
        "planned": view.plan.position,
    }
    service.readiness = lambda: not fold_loop.folds_anew
    service.reads(POSTINGS, after="0-0")(fold_loop.roll_balances)
    service.run_beside(plan_loop.run)
    if settings.snapshot is not None:
        snapshots = SnapshotLoop(
            service, fold_loop, settings.snapshot, settings.snapshot_every_s, settings.ledger_url, caller
        )
        service.at_start.append(snapshots.restore)
        service.run_beside(snapshots.run)
        service.at_end.append(snapshots.write_last)
    return service


def _empty_state(settings: AggregatorSettings, horizon: tuple[int, int] | None = None) -> FoldState:
    """Return the state before the first posting, with a declared horizon, or with that of the settings."""
    default = settings.default_horizon()
    return FoldState(Curves.of(*(horizon or default), NOTHING_DECLARED), default_horizon=default)
