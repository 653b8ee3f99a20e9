"""How the state is read while it is folded: the plan is worked out beside the fold, and so is what takes long."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import numpy as np

from services.aggregator.kernels import Index
from services.aggregator.planning import Plan, plan_ahead
from services.aggregator.state import State

Answer = TypeVar("Answer")


class Reading:
    """A state, and the plan of a position that it has been at.

    The fold and what is short run in the loop, one after the other: whoever reads there reads one position. What takes
    long runs in a thread, in compiled code that lets the loop answer others meanwhile; only the fold waits for it.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self.plan: Plan = plan_ahead(state.curves)
        self.still = asyncio.Lock()  # whoever holds it has the state stand still
        self.moved = asyncio.Event()
        self._changed: list[Index] = []

    def replace(self, state: State) -> None:
        """Begin with another state."""
        self.state, self.plan, self._changed = state, plan_ahead(state.curves), []

    def note(self, changed: Index) -> None:
        """Remember keys that the fold has changed, for the next plan."""
        self._changed.append(changed)
        self.moved.set()

    async def aside(self, work: Callable[[], Answer]) -> Answer:
        """Return what some work reads in a thread, while the state stands still."""
        async with self.still:
            return await asyncio.to_thread(work)

    async def refresh(self) -> Plan:
        """Bring the plan up to date, and return it."""
        async with self.still:
            self.moved.clear()
            changed, self._changed = np.unique(np.concatenate([*self._changed, np.empty(0, np.int64)])), []
            work = partial(plan_ahead, self.state.curves, before=self.plan, changed=changed)
            self.plan = await asyncio.to_thread(work)
        return self.plan
