"""How the state is read while it is folded: the plan is worked out beside the fold, and so is what takes long."""

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar

import numpy as np

from services.aggregator.alerts.finding import Alert, Promised, explain, find_alerts, promised_by
from services.aggregator.alerts.thresholds import AlertThresholds
from services.aggregator.fold.state import FoldState
from services.aggregator.kernels.curves import Index
from services.aggregator.plan.overviews import SitesThen, sites_then
from services.aggregator.plan.projection import Plan, plan_ahead
from shared.wire.alerts import Cause

Answer = TypeVar("Answer")


class Reading:
    """A state, and the plan and the alerts of a position that it has been at.

    The fold and what is short run in the loop, one after the other: whoever reads there reads one position. What takes
    long runs in a thread, in compiled code that lets the loop answer others meanwhile; only the fold waits for it.
    """

    def __init__(self, state: FoldState, thresholds: AlertThresholds = AlertThresholds()) -> None:  # noqa: B008
        self.thresholds = thresholds
        self.replace(state)
        self.still = asyncio.Lock()  # whoever holds it has the state stand still
        self.moved = asyncio.Event()

    def replace(self, state: FoldState) -> None:
        """Begin with another state."""
        self.state, self._changed = state, list[Index]()
        self.plan = plan_ahead(state.curves)
        self._sites: SitesThen | None = None  # of the plan's position, once somebody has asked
        self._promised = promised_by(state.curves, self.plan, self.thresholds)
        self.alerts: dict[Cause, Alert] = find_alerts(state, self.plan, self.thresholds, self._promised)

    def note(self, changed: Index) -> None:
        """Remember keys that the fold has changed, for the next plan."""
        self._changed.append(changed)
        self.moved.set()

    async def aside(self, work: Callable[[], Answer]) -> Answer:
        """Return what some work reads in a thread, while the state stands still."""
        async with self.still:
            return await asyncio.to_thread(work)

    async def explained(self, alerts: Iterable[Alert]) -> list[Alert]:
        """Return some alerts with their causes; the fold goes on between two of them."""
        return [await self.aside(partial(explain, self.state, alert)) for alert in alerts]

    async def look_at_sites(self) -> tuple[Plan, SitesThen]:
        """Return the plan, and what there is to say of the sites at its position; it is brought up to date for that."""
        if self._sites is None:
            await self.refresh(sites=True)
        assert self._sites is not None
        return self.plan, self._sites

    async def refresh(self, *, sites: bool = False) -> Plan:
        """Bring the plan and the alerts up to date, and the sites where they are asked for, and return the plan."""
        async with self.still:
            if not sites:  # else whoever tells the alerts is still to be woken
                self.moved.clear()
            changed, self._changed = np.unique(np.concatenate([*self._changed, np.empty(0, np.int64)])), []
            plan, promised, alerts = await asyncio.to_thread(partial(self._look, changed))
            found = await asyncio.to_thread(sites_then, self.state, plan.today) if sites else None
            self.plan, self._promised, self.alerts, self._sites = plan, promised, alerts, found
        return self.plan

    def _look(self, changed: Index) -> tuple[Plan, Promised | None, dict[Cause, Alert]]:
        curves = self.state.curves
        curves.precompute_windows()
        plan = plan_ahead(curves, before=self.plan, changed=changed)
        promised = promised_by(curves, plan, self.thresholds, before=self._promised, changed=changed)
        return plan, promised, find_alerts(self.state, plan, self.thresholds, promised)
