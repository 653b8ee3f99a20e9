"""Live view of the fold: its state, the plan and the alerts, readable while the fold goes on."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Executor
from functools import partial
from typing import NamedTuple, TypeVar, cast

import numpy as np

from services.aggregator.alerts.explaining import explain_alert
from services.aggregator.alerts.finding import Alert, DueCommits, find_alerts, sum_due_commits
from services.aggregator.alerts.thresholds import AlertThresholds
from services.aggregator.fold.columns import Completion, describe_completion
from services.aggregator.fold.state import FoldState
from services.aggregator.kernels.arrays import Index
from services.aggregator.plan.overviews import SiteFacts, collect_site_facts
from services.aggregator.plan.projection import SupplyPlan, make_plan
from shared.wire.alerts import Cause

Result = TypeVar("Result")

_EXPLAINED_AT_ONCE = 20


class RecordedDay(NamedTuple):
    """The batches of a past state that were recorded by the end of a day, where no position of the log has just them.

    More of them may be recorded later: the day and their number together name them exactly.
    """

    day: str
    batches: int


class LiveView:
    """A state, with the plan and the alerts of one of its positions.

    The fold and short queries run in the event loop one after the other, so each query reads one position. Long work
    runs in a thread, in compiled code that releases the interpreter: the loop answers other queries meanwhile, and only
    the fold waits.
    """

    def __init__(
        self,
        state: FoldState,
        thresholds: AlertThresholds = AlertThresholds(),  # noqa: B008
        recorded_by: RecordedDay | None = None,
        threads: Executor | None = None,
    ) -> None:
        self.thresholds, self.recorded_by = thresholds, recorded_by
        self.threads = threads  # in which long work runs; None: those of the event loop
        self.replace(state)
        self.fold_lock = asyncio.Lock()  # the state does not change while a task holds it
        self.moved = asyncio.Event()  # set when the fold has changed keys since the last plan
        self._compared: tuple[object, object] | None = None

    def replace(self, state: FoldState) -> None:
        """Begin with another state."""
        self.state, self._changed = state, list[Index]()
        self.plan = make_plan(state.curves, lead_days=state.lines.lead_days())
        self.completion = self.completion_now()
        self.remarks = state.remarks.in_force()
        self._sites: SiteFacts | None = None  # at the plan's position, after the first query
        self._due_commits = sum_due_commits(state.curves, self.plan, self.thresholds)
        self.alerts: dict[Cause, Alert] = find_alerts(state, self.plan, self.thresholds, self._due_commits)
        self.alerts_to_publish = self._alerts_as_reached(self.alerts)

    def plan_now(self) -> SupplyPlan:
        """Return the plan of the state's own position; to be called while the fold is paused."""
        curves = self.state.curves
        if self.plan.position == curves.position:
            return self.plan
        return make_plan(curves, lead_days=self.state.lines.lead_days())

    def completion_now(self) -> Completion:
        """Return the findings of the watermarks at the fold's position; `completion` is of the plan's."""
        curves = self.state.curves
        return describe_completion(curves.watermarks, curves.setback, curves.sources, self.thresholds.sources)

    def note_changes(self, keys: Index) -> None:
        """Remember keys that the fold has changed, for the next plan."""
        self._changed.append(keys)
        self.moved.set()

    def compared(self, with_: object, compare: Callable[[], Result]) -> Result:
        """Return the comparison of this past state with another one, the last of which is kept for the next query."""
        if self._compared is None or self._compared[0] != with_:
            self._compared = with_, compare()
        return cast(Result, self._compared[1])

    async def run_paused(self, work: Callable[[], Result]) -> Result:
        """Return the result of a function run in a thread while the fold is paused.

        It reads the state from the view itself: one that was read before may have been replaced meanwhile, as another
        horizon does.
        """
        async with self.fold_lock:
            return await self.run_in_thread(work)

    def run_in_thread(self, work: Callable[[], Result]) -> asyncio.Future[Result]:
        """Return the result of a function run in a thread, while the fold goes on."""
        return asyncio.get_running_loop().run_in_executor(self.threads, work)

    async def explain_alerts(self, alerts: Iterable[Alert]) -> list[Alert]:
        """Return alerts with their causes; the fold goes on after every few of them."""
        waiting, explained = [*alerts], list[Alert]()
        for first in range(0, len(waiting), _EXPLAINED_AT_ONCE):
            explained += await self.run_paused(partial(self._explain, waiting[first : first + _EXPLAINED_AT_ONCE]))
        return explained

    def _explain(self, alerts: Iterable[Alert]) -> list[Alert]:
        return [explain_alert(self.state, alert) for alert in alerts]

    async def read_sites(self) -> tuple[SupplyPlan, SiteFacts]:
        """Return the plan and the facts of the sites at its position; the first call refreshes the plan."""
        if self._sites is None:
            await self.refresh(sites=True)
        assert self._sites is not None
        return self.plan, self._sites

    async def refresh(self, *, sites: bool = False) -> SupplyPlan:
        """Bring the plan and the alerts up to date, with `sites` also the facts of the sites; return the plan."""
        async with self.fold_lock:
            if not sites:  # else the alerts of this plan are still to be published: the plan loop has to wake
                self.moved.clear()
            changed, self._changed = np.unique(np.concatenate([*self._changed, np.empty(0, np.int64)])), []
            plan, due_commits, alerts = await self.run_in_thread(partial(self._make_plan, changed))
            to_publish = await self.run_in_thread(partial(self._alerts_as_reached, alerts))
            collect = partial(collect_site_facts, self.state, plan.today)
            facts = await self.run_in_thread(collect) if sites else None
            self.plan, self._due_commits, self.alerts, self._sites = plan, due_commits, alerts, facts
            self.alerts_to_publish, self.completion = to_publish, self.completion_now()
            self.remarks = self.state.remarks.in_force()
        return self.plan

    def _make_plan(self, changed: Index) -> tuple[SupplyPlan, DueCommits | None, dict[Cause, Alert]]:
        curves = self.state.curves
        curves.precompute_windows()
        plan = make_plan(curves, before=self.plan, changed=changed, lead_days=self.state.lines.lead_days())
        due_commits = sum_due_commits(curves, plan, self.thresholds, before=self._due_commits, changed=changed)
        return plan, due_commits, find_alerts(self.state, plan, self.thresholds, due_commits)

    def _alerts_as_reached(self, alerts: dict[Cause, Alert]) -> dict[Cause, Alert]:
        """Return the alerts found; while the last complete day is back, those as of the day that was reached.

        The going back alone then changes no alert on the stream; events recorded meanwhile do.
        """
        setback = self.state.curves.setback
        if setback is None:
            return alerts
        plan = make_plan(self.state.curves, setback.through + 1)
        return find_alerts(self.state, plan, self.thresholds)


ReadPast = Callable[[str], Awaitable[LiveView]]
"""Returns the view as of a position or a day."""
