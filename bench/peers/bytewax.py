"""W3 with bytewax: batches split by key, and a stateful step for each key."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.inputs import DynamicSource, StatelessSourcePartition
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.testing import run_main

from bench.peers.plain import Row, Rows, Sums, listed_by_day
from bench.peers.plain import Streamed as _Streamed
from bench.workloads import Events


class _KeySums:
    """The running sums of one key, and its wafers of each day in the longest window."""

    def __init__(self, windows: Sequence[int], sums: list[int], daily: dict[int, list[int]], today: int) -> None:
        self.windows, self.sums, self.daily, self.today = windows, sums, daily, today

    def add(self, today: int, rows: list[Row]) -> list[int]:
        """Return the key's row."""
        if today > self.today:
            self._end_days(today)
        for day, _, side, wafers in rows:
            self.daily.setdefault(day, [0, 0])[side] += wafers
            for n, window in enumerate(self.windows):
                if day > today - window:
                    self.sums[2 * n + side] += wafers
        row = []
        for n in range(0, len(self.sums), 2):
            supply, demand = self.sums[n : n + 2]
            row += [supply, demand, supply - demand]
        return row

    def _end_days(self, newest: int) -> None:
        for n, window in enumerate(self.windows):
            for day in range(self.today - window + 1, newest - window + 1):
                for side, wafers in enumerate(self.daily.get(day, ())):
                    self.sums[2 * n + side] -= wafers
        self.today = newest


class _Batches(DynamicSource[Any], StatelessSourcePartition[Any]):
    def __init__(self, batches: Sequence[list[Row]]) -> None:
        self.batches = iter(batches)

    def build(self, *_: Any) -> "_Batches":
        return self

    def next_batch(self) -> list[list[Row]]:
        return [next(self.batches)]


class _Marking(DynamicSink[Any], StatelessSinkPartition[Any]):
    """Collects the rows of a batch, which is complete with its last key's."""

    def __init__(self, due: Iterator[int], mark: Callable[[Rows], None]) -> None:
        self.due, self.mark = due, mark
        self.rows: Rows = {}
        self.keys = next(due)

    def build(self, *_: Any) -> "_Marking":
        return self

    def write_batch(self, items: list[tuple[str, list[int]]]) -> None:
        for key, row in items:
            self.rows[int(key)] = row
            if len(self.rows) == self.keys:
                self.mark(self.rows)
                self.rows, self.keys = {}, next(self.due, 0)


class Streamed:
    """W3, sums alone."""

    def __init__(self, history: Events, windows: Sequence[int]) -> None:
        """Take the history, and deal it to the keys."""
        sums = Sums(history, windows)
        self.today = sums.today
        self.of_key = {key: _KeySums(windows, row, {}, sums.today) for key, row in enumerate(sums.sums)}
        for day, cells in sums.daily.items():
            for (key, side), wafers in cells.items():
                self.of_key[key].daily.setdefault(day, [0, 0])[side] += wafers
        self.prepare, self.answer = listed_by_day, _Streamed.answer

    def run(self, batches: Sequence[list[Row]], mark: Callable[[Rows], None]) -> None:
        """Add all batches and pass on the rows of each."""
        flow = Dataflow("stream")
        batch = op.input("batches", flow, _Batches(batches))
        by_key = op.flat_map("by_key", batch, self._split)
        rows = op.stateful_map("roll", by_key, self._roll)
        due = (len({row[1] for row in batch}) for batch in batches)
        op.output("rows", rows, _Marking(due, mark))
        run_main(flow)

    def _split(self, batch: list[Row]) -> list[tuple[str, tuple[int, list[Row]]]]:
        """Return the rows of each key, with the current day."""
        by_key: dict[int, list[Row]] = {}
        for row in batch:
            by_key.setdefault(row[1], []).append(row)
            self.today = max(self.today, row[0])
        return [(str(key), (self.today, rows)) for key, rows in by_key.items()]

    def _roll(self, sums: _KeySums | None, day_rows: tuple[int, list[Row]]) -> tuple[_KeySums, list[int]]:
        """Return the key's state and row; a state outlives a flow, as a flow that was restarted would have it again."""
        today, rows = day_rows
        sums = sums or self.of_key[rows[0][1]]
        return sums, sums.add(today, rows)
