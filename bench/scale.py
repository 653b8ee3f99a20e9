"""The cost of an event as a function of events, keys, windows, the share of late events, and their lateness.

Four things are measured on one core, the values of each sweep in turn, some rounds: `roll_history` (W1 of
`bench.workloads`, 1,096 days), `RollingSums.add` and `LiveWindows.add` (W3), and `Curves.add`, the fold of postings.
The last three add batches of 500 in the third year, 36 of them a day, after all events of a history; their mean is
taken, with the ends of days and late events in it. Cost is time of the processor, in nanoseconds an event.
"""

import argparse
import gc
import json
import math
import os
import platform
import statistics
import time
from collections.abc import Callable
from datetime import date
from itertools import islice
from typing import Any, NamedTuple

import numba
import numpy as np

from bench.docs import DOCS, cpu_name, shown, write_docs
from bench.drawing import Line, Panel, draw_growth
from bench.peers import ours
from bench.workloads import BATCH, DAYS, LATE, LATE_DAYS, SUPPLY, Events, make_events
from services.aggregator.fold import windows as rolling
from services.aggregator.fold.curves import Curves
from shared.wire.days import day_number
from shared.wire.postings import Measure, PostingBatch
from testing.rolling_sums import RollingSums

MARK = "make bench-scale ARGS=--write"
START = date(2023, 1, 1)
LIVE_FROM = 730  # the day of the first batch
BATCHES = 100  # of a round
A_DAY = 18_250  # events, as in 20 million over the days
MORE_WINDOWS = (1, 7, 30, 90, 365, 14, 60, 180, 270, 545)
THINGS = ("roll_history", "RollingSums.add", "LiveWindows.add", "Curves.add")


class Point(NamedTuple):
    """The parameters of a measurement: one of them grows, the others stay."""

    events: int
    keys: int = 1_000
    windows: int = 5
    late: float = LATE
    late_days: int = LATE_DAYS

    @property
    def spans(self) -> tuple[int, ...]:
        """The windows, in days."""
        return tuple(sorted(MORE_WINDOWS[: self.windows]))


def sweeps_of(events: int, most: int) -> dict[str, dict[float, Point]]:
    """Return the points of each sweep by the value that grows; every sweep has the others at the same."""
    base = Point(events)
    counts = [n for n in (100_000, 300_000, 1_000_000, 3_000_000, 10_000_000) if n <= most]
    return {
        "events": {n: base._replace(events=n) for n in counts},
        "keys": {n: base._replace(keys=n) for n in (100, 1_000, 5_000, 20_000)},
        "windows": {n: base._replace(windows=n) for n in (1, 2, 5, 10)},
        "% late": {n: base._replace(late=n / 100) for n in (0, 2, 10, 50)},
        "days late": {n: base._replace(late=0.1, late_days=n) for n in (1, 10, 100, 365)},
    }


# ---------------------------------------------------------------- measuring


def prepare(point: Point, rounds: int) -> dict[str, Callable[[], float]]:
    """Return functions that measure each operation at a point, in nanoseconds an event; calls continue the last."""
    history = make_events(point.events, point.keys, late=point.late, late_days=point.late_days)
    earlier = make_events(point.events, point.keys, LIVE_FROM, point.late, point.late_days)
    days = math.ceil(rounds * BATCHES * BATCH / A_DAY)
    live = make_events(days * A_DAY, point.keys, LIVE_FROM + days, point.late, point.late_days, LIVE_FROM, seed=8)
    measured = {"roll_history": _measure_history(history, point)}
    for name, kind in (("RollingSums.add", RollingSums), ("LiveWindows.add", rolling.LiveWindows)):
        if point.windows > 1:  # they want two at least
            windows = kind(START, DAYS, point.spans, keys=point.keys)
            measured[name] = _measure_batches(lambda batch, add=windows.add: add(*batch), prepare_batch, earlier, live)  # type: ignore[misc]
    curves = Curves(START, DAYS, "catalogue")
    return measured | {"Curves.add": _measure_batches(curves.add, _Postings().batch_of, earlier, live)}


prepare_batch = ours.Streamed.prepare


def _measure_history(events: Events, point: Point) -> Callable[[], float]:
    out: rolling.WindowHistory | None = None

    def measure() -> float:
        nonlocal out
        began = time.process_time()
        out = rolling.roll_history(
            events.time,
            events.key,
            events.side,
            events.wafers,
            keys=events.keys,
            start=START,
            days=events.days,
            windows=point.spans,
            out=out,
        )
        return (time.process_time() - began) / events.time.size * 1e9

    measure()
    return measure


def _measure_batches(
    add: Callable[[Any], object], prepare_batch: Callable[[Events], Any], earlier: Events, live: Events
) -> Callable[[], float]:
    for first in range(0, earlier.time.size, 100_000):
        add(prepare_batch(earlier.part(first, first + 100_000)))
    batches = (prepare_batch(live.part(n, n + BATCH)) for n in range(0, live.time.size, BATCH))

    def measure() -> float:
        ready = list(islice(batches, BATCHES))
        gc.collect()
        began = time.process_time()
        for batch in ready:
            add(batch)
        return (time.process_time() - began) / (len(ready) * BATCH) * 1e9

    return measure


class _Postings:
    """Makes batches of the ledger: supply is received, demand consumed, a key is a site."""

    def __init__(self) -> None:
        self.batches = 0

    def batch_of(self, events: Events) -> PostingBatch:
        """Return the next batch."""
        self.batches += 1
        sites, site = np.unique(events.key, return_inverse=True)
        rows = events.time.size
        return PostingBatch.model_construct(
            epoch=1,
            batch=self.batches,
            previous=self.batches - 1,
            events=rows,
            head="",
            names=["HBM4-12H", "samsung", *(f"site-{number}" for number in sites.tolist())],
            products=[0] * rows,
            sites=(site + 2).tolist(),
            suppliers=[1] * rows,
            measures=np.where(events.side == SUPPLY, int(Measure.RECEIVED), int(Measure.CONSUMED)).tolist(),
            days=(events.day + day_number(START)).tolist(),
            wafers=events.wafers.tolist(),
            watermarks={},
            sources=[],
        )


Costs = dict[str, dict[float, float]]  # by operation, then by point: nanoseconds an event


def measure_sweep(points: dict[float, Point], rounds: int) -> Costs:
    """Return the cost of an event at each point, the median of rounds in which every point has its turn."""
    prepared = {grown: prepare(point, rounds) for grown, point in points.items()}
    taken: dict[str, dict[float, list[float]]] = {name: {} for name in THINGS}
    for _ in range(rounds):
        for grown, measured in prepared.items():
            for name, measure in measured.items():
                taken[name].setdefault(grown, []).append(measure())
    return {
        name: {grown: statistics.median(costs) for grown, costs in by_grown.items()} for name, by_grown in taken.items()
    }


# ---------------------------------------------------------------- telling


def tell(sweeps: dict[str, Costs], events: int, rounds: int) -> list[str]:
    """Return the figures as they stand in the docs."""
    setting = (
        f"Nanoseconds of processor an event, medians of {rounds} rounds in turn, on one core ({cpu_name()}, Python "
        f"{platform.python_version()}, numba {numba.__version__}). By default {events:,} events, "
        f"1,000 keys, windows of 1, 7, 30, 90 and 365 days, {LATE:.0%} late by up to {LATE_DAYS} days."
    )
    lines = [setting, "", f"| | {' | '.join(f'`{name}`' for name in THINGS)} |", "|---|" + "---:|" * len(THINGS)]
    for what, costs in sweeps.items():
        for grown in costs[THINGS[0]]:
            cells = (shown(costs[name][grown]) if grown in costs[name] else "" for name in THINGS)
            lines.append(f"| {grown:,} {what} | {' | '.join(cells)} |")
    return lines


def main() -> None:
    """Measure, print tables, and end with the line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=2_000_000, help="where it is not they that grow")
    parser.add_argument("--most", type=int, default=10_000_000, help="events, where it is they that grow")
    parser.add_argument("--rounds", type=int, default=3, help="of each, in turn")
    parser.add_argument("--quick", action="store_true", help="200,000 events, a million at most")
    parser.add_argument("--write", action="store_true", help="write the figures and their plot into docs")
    arguments = parser.parse_args()
    events, most = (200_000, 1_000_000) if arguments.quick else (arguments.events, arguments.most)
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    sweeps: dict[str, Costs] = {}
    for what, points in sweeps_of(events, most).items():
        print(f"{what}: {', '.join(f'{grown:,}' for grown in points)}", flush=True)
        sweeps[what] = measure_sweep(points, arguments.rounds)
        gc.collect()
    lines = tell(sweeps, events, arguments.rounds)
    print("\n".join(["", *lines, ""]))
    result = {
        "bench": "scale",
        "ns_per_event": {
            what: {name: {f"{grown:g}": round(cost, 1) for grown, cost in by.items()} for name, by in costs.items()}
            for what, costs in sweeps.items()
        },
        "events": events,
        "rounds": arguments.rounds,
        "cpu": cpu_name(),
        "python": platform.python_version(),
        "numba": numba.__version__,
    }
    if arguments.write:
        panels = [
            Panel(f"ns an event, by {what}", [Line(name, by) for name, by in costs.items()])
            for what, costs in sweeps.items()
        ]
        (DOCS / "scale.svg").write_text(draw_growth(panels))
        write_docs(MARK, [*lines, "", "![The cost of an event as things grow](scale.svg)"], result)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
