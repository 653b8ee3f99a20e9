"""The workloads with the aggregator's kernels."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import numpy as np

from bench.workloads import INSTANT_MS, OPENING, START_MS, SUPPLY, WINDOWS, Events, History, Ints, Touched
from services.aggregator.fold import windows as rolling
from services.aggregator.fold.instants import Scratch, net_at_instants
from shared.wire.days import day_number
from testing.rolling_sums import RollingSums, TouchedSums

_START: date = datetime.fromtimestamp(START_MS / 1000, UTC).date()
_FIRST = day_number(_START)


class Rolled:
    """W1."""

    def __init__(self, events: Events) -> None:
        """Take the events."""
        self.events = events
        self.out: rolling.WindowHistory | None = None

    def run(self) -> rolling.WindowHistory:
        """Return the history, by day; written over the one before."""
        events = self.events
        self.out = rolling.roll_history(
            events.time,
            events.key,
            events.side,
            events.wafers,
            keys=events.keys,
            start=_START,
            days=events.days,
            windows=WINDOWS,
            opening=OPENING,
            out=self.out,
        )
        return self.out

    @staticmethod
    def answer(result: rolling.WindowHistory) -> History:
        """Say it by day."""
        supply, demand, net = zip(*result.sums, strict=True)
        return History(True, supply, demand, net, result.balance, result.first_short)


class Instants:
    """W2."""

    def __init__(self, events: Events) -> None:
        """Sign the wafers, make the arrays of the answer and on the way to it."""
        self.keys, self.columns = events.keys, (events.time, events.key, events.signed)
        self.out, self.scratch = np.zeros_like(events.time), Scratch.of(events.time.size)

    def run(self) -> Ints:
        """Return the net at each event."""
        return net_at_instants(*self.columns, INSTANT_MS, keys=self.keys, out=self.out, scratch=self.scratch)

    def answer(self, result: Ints) -> Ints:
        """Return it as it is."""
        return result


class SortedInstants(Instants):
    """W2, of events that were sorted by time beforehand."""

    def __init__(self, events: Events) -> None:
        """Sort them."""
        super().__init__(events)
        self.order = np.argsort(events.time, kind="stable")
        self.columns = (events.time[self.order], events.key[self.order], events.signed[self.order])

    def answer(self, result: Ints) -> Ints:
        """Say it in the order of arrival."""
        net = np.empty_like(result)
        net[self.order] = result
        return net


class _Streamed:
    """W3: the history is one batch a day, the opening balance a movement before it."""

    kind: type[rolling.LiveWindows]

    def __init__(self, history: Events, windows: Sequence[int]) -> None:
        """Take the history."""
        self.windows = self.kind(_START, history.days, windows, keys=history.keys)
        keys = np.arange(history.keys)
        self.windows.add(np.full_like(keys, _FIRST - 1), keys, np.full_like(keys, SUPPLY), np.full_like(keys, OPENING))
        for first in range(0, history.time.size, 100_000):
            self.windows.add(*self.prepare(history.part(first, first + 100_000)))

    @staticmethod
    def prepare(batch: Events) -> tuple[Ints, ...]:
        """Make columns of int64, with the day instead of the time."""
        columns = (batch.day + _FIRST, batch.key, batch.side, batch.wafers)
        return tuple(column.astype(np.int64) for column in columns)

    def add(self, batch: tuple[Ints, ...]) -> Any:
        """Return the rows of the batch's keys."""
        return self.windows.add(*batch)


class Streamed(_Streamed):
    """W3, sums alone."""

    kind = RollingSums

    @staticmethod
    def answer(result: TouchedSums) -> Touched:
        """Say it by key."""
        return Touched(result.keys, result.windows.reshape(result.keys.size, -1))


class FullyStreamed(_Streamed):
    """W3 with all that the aggregator keeps up with."""

    kind = rolling.LiveWindows

    @staticmethod
    def answer(result: rolling.TouchedWindows) -> Touched:
        """Say it by key."""
        windows = result.windows.reshape(-1, result.keys.size)
        first_short = np.where(result.first_short < 0, -1, result.first_short - _FIRST)
        return Touched(result.keys, np.vstack([windows, result.balance, first_short, result.cover]).T)
