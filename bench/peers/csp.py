"""W3 with csp: a node that takes batches and keeps its state in Python's lists and dicts."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import csp

from bench.peers.plain import Row, Rows
from bench.peers.plain import Streamed as _Streamed
from bench.workloads import Events

_BEGIN = datetime(2025, 1, 1)  # noqa: DTZ001 - csp's times have no zone


@csp.node  # noqa: RET503 - an input that did not tick has no output
def _roll(batch: csp.ts[object], streamed: object, mark: object) -> csp.ts[bool]:
    if csp.ticked(batch):
        mark(streamed.add(batch))
        return True


class Streamed:
    """W3, sums alone: historical batches, a millisecond apart."""

    def __init__(self, history: Events, windows: Sequence[int]) -> None:
        """Take the history."""
        self.streamed = _Streamed(history, windows)
        self.prepare, self.answer = self.streamed.prepare, self.streamed.answer

    def run(self, batches: Sequence[list[Row]], mark: Callable[[Rows], None]) -> None:
        """Add all batches; say each one's rows."""
        times = [_BEGIN + timedelta(milliseconds=n) for n in range(len(batches))]

        @csp.graph
        def graph() -> None:
            batch = csp.curve(object, list(zip(times, batches, strict=True)))
            csp.add_graph_output("done", _roll(batch, self.streamed, mark), tick_count=1)

        csp.run(graph, starttime=_BEGIN, endtime=times[-1])
