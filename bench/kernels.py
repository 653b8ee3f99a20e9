"""The aggregator's windows against other libraries on the same events, and against the limits of one core.

The workloads W1, W2 and W3 are those of `bench.workloads`, at 1,000 and at 10,000 keys. Each contender has a process of
its own, on one core, and the events in its preferred form, made before the clock runs. In turn each runs once, then
again, for some rounds; the measure is processor time, user and system, all threads. Every answer is compared, value by
value, with that of plain int64 numpy; a contender with a wrong answer is not ranked.

Some libraries have environments of their own, which this command makes; it reports those that cannot be installed.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np

from bench.docs import DOCS, cpu_name, shown, write_docs
from bench.drawing import Line, draw_ratios
from bench.peers.running import Environment, Failed, Process, make_environment
from bench.workloads import (
    BATCH,
    DAYS,
    HISTORY_SHARE,
    history_of,
    make_events,
    net_at_each,
    save_events,
    save_history,
)

KEYS = (1_000, 10_000)
MARK = "make bench-kernels ARGS=--write"
_PATIENCE_S = 240.0  # for one answer
_STREAMED_MAX = 2_000  # batches of a round
_WARMING = 20  # batches before the first round


class Contender(NamedTuple):
    """A contender of a workload."""

    name: str
    module: str  # of bench.peers, unless it has a dot
    kind: str  # its class
    environment: str = ""  # that of this command
    share: int = 1  # it gets one of so many keys, with all their events, and its time is multiplied
    full: bool = False
    size: int = BATCH

    @property
    def path(self) -> str:
        """Where its class is."""
        return self.module if "." in self.module else f"bench.peers.{self.module}"


OURS = {
    "w1": Contender("`roll_history`", "ours", "Rolled"),
    "w2": Contender("`net_at_instants`", "ours", "Instants"),
    "w3": Contender("`RollingSums.add`", "ours", "Streamed"),
}
SORTED = Contender("`net_at_instants`, sorted before", "ours", "SortedInstants")
FULL = Contender("`LiveWindows.add`, full, five windows", "ours", "FullyStreamed", full=True)
SINGLE = Contender("`RollingSums.add`, one event", "ours", "Streamed", size=1)
LIMITS = Contender("limits", "bench.limits", "Limits")
PEERS = {
    "w1": (
        Contender("numpy: bincount, cumsum", "numpy", "Binned"),
        Contender("bincount, bottleneck", "bottleneck", "Moved", "main"),
        Contender("bincount, numbagg", "numbagg", "Moved", "main"),
        Contender("polars, numpy's windows", "polars", "Grouped", "main"),
        Contender("DuckDB, numpy's windows", "duckdb", "Grouped", "main"),
        Contender("chdb, numpy's windows", "chdb", "Grouped", "main"),
        Contender("polars", "polars", "Rolled", "main"),
        Contender("pandas", "pandas", "Rolled", "main"),
        Contender("chdb", "chdb", "Rolled", "main"),
        Contender("DuckDB", "duckdb", "Rolled", "main"),
        Contender("Python: dict", "plain", "Rolled", share=50),
    ),
    "w2": (
        Contender("polars: rolling_sum_by", "polars", "Instants", "main"),
        Contender("temporian", "temporian", "Instants", "temporian"),
        Contender("numpy: searchsorted", "numpy", "Searched"),
        Contender("DuckDB: RANGE", "duckdb", "Instants", "main"),
        Contender("pandas: rolling", "pandas", "Instants", "main", share=10),
        Contender("Python: dict, deque", "plain", "Instants", share=50),
    ),
    "w3": (
        Contender("numpy, the same design", "numpy", "Streamed"),
        Contender("Python: dict", "plain", "Streamed"),
        Contender("csp", "csp", "Streamed", "csp"),
        Contender("polars", "polars", "Streamed", "main"),
        Contender("pandas", "pandas", "Streamed", "main"),
        Contender("bytewax", "bytewax", "Streamed", "bytewax"),
        Contender("DuckDB", "duckdb", "Streamed", "main"),
        Contender("chdb", "chdb", "Streamed", "main"),
    ),
}


class Settings(NamedTuple):
    """How much is measured."""

    events: int
    rounds: int
    slow_s: float  # a contender that takes longer has fewer rounds
    slow_rounds: int
    streaming_s: float  # of a round of W3, for each


class Measured:
    """A contender's processor time in each round: seconds, or for W3 microseconds of each batch."""

    def __init__(self) -> None:
        """Begin without any."""
        self.rounds: list[float] = []
        self.batches: list[float] = []
        self.rates: list[dict[str, float]] = []
        self.failed: str | None = None  # why it is not ranked

    @property
    def median(self) -> float:
        """Its processor time."""
        return statistics.median(self.rounds)

    def times(self, ours: "Measured") -> float | None:
        """Return its time as a multiple of ours: the median over the rounds of both."""
        if self.failed or ours.failed or not self.rounds:
            return None
        return statistics.median(its / our for its, our in zip(self.rounds, ours.rounds, strict=False))


Table = dict[Contender, Measured]


# ---------------------------------------------------------------- measuring


def measure(
    workload: str,
    contenders: Iterable[Contender],
    folder: Path,
    keys: int,
    settings: Settings,
    places: dict[str, Environment],
) -> Table:
    """Return the times of each contender, in turn, for its number of rounds."""
    table = {contender: Measured() for contender in contenders}
    running: dict[Contender, Process] = {}
    try:
        for contender, measured in table.items():
            place = places[contender.environment]
            if place.missing is not None:
                measured.failed = place.missing
                continue
            running[contender] = Process(place.python, contender.path, contender.kind, folder / "log.txt")
            _try(running, contender, measured, lambda p, c=contender: _load(p, c, workload, folder, keys))  # type: ignore[misc]
        costs: dict[Contender, float] = {}
        for n in range(settings.rounds + 1):  # the first warms
            for contender in [c for c in running if n <= settings.slow_rounds or costs[c] <= settings.slow_s]:
                measured = table[contender]
                _try(
                    running,
                    contender,
                    measured,
                    lambda p, c=contender, m=measured, n=n: costs.update({c: _run(p, c, m, n, costs, settings)}),  # type: ignore[misc]
                )
            if n:
                print(f"  {workload}, {keys:,} keys, round {n}: {_tell(table, n)}", flush=True)
    finally:
        for process in running.values():
            process.stop()
    return table


def _try(running: dict[Contender, Process], contender: Contender, measured: Measured, work: Any) -> None:
    """Do something with a contender's process; one that fails is out."""
    try:
        work(running[contender])
    except Failed as failed:
        measured.failed = str(failed)
        print(f"  {contender.name}: {failed}", flush=True)
        running.pop(contender).stop()


def _load(process: Process, contender: Contender, workload: str, folder: Path, keys: int) -> None:
    process.expect(_PATIENCE_S)
    if contender is LIMITS:
        what: dict[str, Any] = {"workload": "limits"}
    elif workload == "w3":
        what = {"workload": workload, "full": contender.full, "size": contender.size}
    else:
        what = {"workload": workload, "keys": keys // contender.share}
    process.ask(_PATIENCE_S, "load", folder=str(folder), **what)


def _run(
    process: Process,
    contender: Contender,
    measured: Measured,
    n: int,
    costs: dict[Contender, float],
    settings: Settings,
) -> float:
    """Run it once, note its time, and return the seconds that the next run will take."""
    if contender is LIMITS:
        rates = process.ask(_PATIENCE_S, "run")["rates"]
        if n:
            measured.rates.append(rates)
        return 0
    batches = 0
    if streamed := contender in STREAMED:
        left = int(settings.events * (1 - HISTORY_SHARE)) // contender.size - _WARMING
        most = min(_STREAMED_MAX, left // settings.rounds)
        batches = min(most, max(5, int(settings.streaming_s / costs[contender]))) if n else _WARMING
    answer = process.ask(_PATIENCE_S, "run", **({"batches": batches} if streamed else {}))
    if answer["wrong"] is not None:
        raise Failed(f"wrong: {answer['wrong']}")
    taken = answer["cpu_us"] if streamed else [answer["cpu_s"] * contender.share]
    if n:
        measured.rounds.append(statistics.median(taken))
        measured.batches += taken if streamed else []
    return statistics.fmean(taken) / 1e6 if streamed else answer["cpu_s"]


STREAMED = {OURS["w3"], FULL, SINGLE, *PEERS["w3"]}


def _tell(table: Table, n: int) -> str:
    if rates := table.get(LIMITS, Measured()).rates:
        return ", ".join(f"{name} {rate:.3g}" for name, rate in rates[-1].items())
    unit = "µs" if any(measured.batches for measured in table.values()) else "s"
    return ", ".join(f"{c.name} {shown(m.rounds[-1])} {unit}" for c, m in table.items() if len(m.rounds) == n)


def measure_keys(keys: int, folder: Path, settings: Settings, places: dict[str, Environment]) -> dict[str, Table]:
    """Return the tables of all workloads at so many keys."""
    print(f"making {settings.events:,} events of {keys:,} keys, and what the answers are", flush=True)
    events = make_events(settings.events, keys)
    save_events(folder, events)
    save_history(folder, history_of(events))
    np.save(folder / "net.npy", net_at_each(events))
    del events
    return {
        "limits": measure("limits", [LIMITS], folder, keys, settings, places),
        "w1": measure("w1", [OURS["w1"], *PEERS["w1"]], folder, keys, settings, places),
        "w2": measure("w2", [OURS["w2"], SORTED, *PEERS["w2"]], folder, keys, settings, places),
        "w3": measure("w3", [OURS["w3"], FULL, SINGLE, *PEERS["w3"]], folder, keys, settings, places),
    }


# ---------------------------------------------------------------- the report


class Limit(NamedTuple):
    """The least time of any kernel on one core, in seconds."""

    w1: float
    w2: float
    w3: float


def limit_of(limits: Measured, keys: int, events: int) -> Limit:
    """Return the limits from the rates that were measured.

    W1 reads its columns (17 bytes an event) once and writes its results (10 int64 a key and day) once. W2 reads its own
    (16 bytes) and writes a result (8) for each event; each event is also added to its key's sum and later taken from
    it: whichever of the two takes longer. W3 is a batch of the smallest loop that has its result.
    """
    rate = {name: statistics.median(each[name] for each in limits.rates) for name in limits.rates[0]}
    written = max(rate["write"], rate["write past the cache"])
    streamed = events * (16 / rate["read"] + 8 / written)
    return Limit(
        w1=events * 17 / rate["read"] + (10 * DAYS + 1) * 8 * keys / written,
        w2=max(streamed, 2 * events / rate["sum of a key"]),
        w3=rate["batch"],
    )


def best_of(table: Table, workload: str) -> tuple[str, float] | tuple[None, None]:
    """Return the quickest peer that is right, and how many times as long as ours it took."""
    ours = table[OURS[workload]]
    ranked = [(times, c.name) for c in PEERS[workload] if (times := table[c].times(ours)) is not None]
    return (min(ranked)[1], min(ranked)[0]) if ranked else (None, None)


def result_of(tables: dict[int, dict[str, Table]], settings: Settings) -> dict[str, Any]:
    """Return the figures; those without a number of keys are of the greatest."""
    limits = {keys: limit_of(table["limits"][LIMITS], keys, settings.events) for keys, table in tables.items()}
    result: dict[str, Any] = {"bench": "kernels"}
    for keys, table in tables.items():
        name, times = best_of(table["w1"], "w1")
        result[f"w1_k{keys}_vs_best_peer"] = _rounded(times)
        result[f"w1_k{keys}_best_peer"] = name
        result[f"w1_k{keys}_limit_share"] = _share(limits[keys].w1, table["w1"][OURS["w1"]])
    for keys, table in tables.items():
        at = "" if keys == max(tables) else f"_k{keys}"
        w2, w3 = table["w2"], table["w3"]
        name, times = best_of(w2, "w2")
        result[f"w2{at}_vs_best_peer"], result[f"w2{at}_best_peer"] = _rounded(times), name
        result[f"w2{at}_sorted_limit_share"] = _share(limits[keys].w2, w2[SORTED])
        ours, full = w3[OURS["w3"]], w3[FULL]
        result[f"w3{at}_sums_us_per_500"] = _percentile(ours, 50)
        result[f"w3{at}_one_event_us"] = _percentile(w3[SINGLE], 50)
        result[f"w3{at}_full_p50_us"], result[f"w3{at}_full_p99_us"] = _percentile(full, 50), _percentile(full, 99)
        name, times = best_of(w3, "w3")
        result[f"w3{at}_vs_numpy"] = _rounded(w3[PEERS["w3"][0]].times(ours))
        result[f"w3{at}_vs_dict"] = _rounded(w3[PEERS["w3"][1]].times(ours))
        result[f"w3{at}_vs_best_peer"], result[f"w3{at}_best_peer"] = _rounded(times), name
        result[f"w3{at}_limit_us"] = round(limits[keys].w3 * 1e6, 1)
    ratios = {
        f"{workload}_k{keys}": {
            c.name: _rounded(table[workload][c].times(table[workload][ours])) for c in PEERS[workload]
        }
        for keys, table in tables.items()
        for workload, ours in OURS.items()
    }
    return result | {
        "ratios": ratios,
        "events": settings.events,
        "rounds": settings.rounds,
        "cpu": cpu_name(),
        "python": platform.python_version(),
        "numba": numba.__version__,
    }


def _rounded(times: float | None) -> float | None:
    return None if times is None else float(f"{times:.3g}")


def _share(limit: float, measured: Measured) -> float | None:
    return None if measured.failed else round(limit / measured.median, 3)


def _percentile(measured: Measured, percent: int) -> float | None:
    if measured.failed:
        return None
    taken = sorted(measured.batches)
    return round(taken[min(len(taken) - 1, len(taken) * percent // 100)], 2)


# ---------------------------------------------------------------- telling


TITLES = {
    "w1": "W1, a history replayed",
    "w2": "W2, the net at each instant",
    "w3": f"W3, a batch of {BATCH}",
}


def tell(tables: dict[int, dict[str, Table]], settings: Settings) -> list[str]:
    """Return the figures as they stand in the docs."""
    limits = {keys: limit_of(table["limits"][LIMITS], keys, settings.events) for keys, table in tables.items()}
    setting = (
        f"{settings.events:,} events, {settings.rounds} rounds in turn, medians, time of the processor on one core "
        f"({cpu_name()}, Python {platform.python_version()}, numba {numba.__version__}, numpy {np.__version__}); "
        f"every answer compared value by value with plain int64 numpy."
    )
    lines = [setting]
    for workload, title in TITLES.items():
        unit, scale = ("µs", 1.0) if workload == "w3" else ("ms", 1000.0)
        heads = " | ".join(f"{unit}, {keys:,} keys | × ours" for keys in tables)
        lines += ["", f"| {title} | {heads} | |", "|---|" + "---:|---:|" * len(tables) + "---|"]
        floor = " | ".join(
            f"{shown(getattr(limits[keys], workload) * (1e6 if workload == 'w3' else 1e3))} | " for keys in tables
        )
        lines.append(f"| the limit of one core | {floor} | |")
        for contender in tables[max(tables)][workload]:
            cells, marks = [], []
            for table in tables.values():
                measured = table[workload][contender]
                if measured.failed:
                    cells += ["–", ""]
                    marks.append(measured.failed)
                    continue
                times = measured.times(table[workload][OURS[workload]])
                is_ours = contender.module == "ours"
                cells += [shown(measured.median * scale), "" if is_ours or times is None else shown(times)]
                if len(measured.rounds) < settings.rounds:
                    marks.append(f"{len(measured.rounds)} of {settings.rounds} rounds")
            if contender.share > 1:
                marks.append(f"one of {contender.share} keys, its time times {contender.share}")
            lines.append(f"| {contender.name} | {' | '.join(cells)} | {'; '.join(dict.fromkeys(marks))} |")
    tails = ", ".join(
        f"{shown(tail)} µs at {keys:,} keys"
        for keys, table in tables.items()
        if (tail := _percentile(table["w3"][FULL], 99)) is not None
    )
    lines += ["", f"One batch in a hundred of `LiveWindows.add`, one in which a day ends, takes longer than {tails}."]
    for keys, table in tables.items():
        rates = table["limits"][LIMITS].rates
        rate = {name: statistics.median(each[name] for each in rates) for name in rates[0]}
        lines.append(
            f"At {keys:,} keys one core reads {rate['read'] / 1e9:.1f} GB/s, writes {rate['write'] / 1e9:.1f}, past "
            f"the cache {rate['write past the cache'] / 1e9:.1f}, copies {rate['copy'] / 1e9:.1f} (read and written), "
            f"adds {rate['sum of a key'] / 1e9:.2f} G/s to the sum of an event's key and "
            f"{rate['row of a day'] / 1e9:.2f} G/s to the row of a day."
        )
    return lines


def draw(tables: dict[int, dict[str, Table]]) -> str:
    """Return how many times as long as ours each takes, as SVG."""
    groups = {}
    for workload, title in TITLES.items():
        lines = []
        for contender in PEERS[workload]:
            times = {
                keys: table[workload][contender].times(table[workload][OURS[workload]])
                for keys, table in tables.items()
            }
            lines.append(Line(contender.name, {keys: value for keys, value in times.items() if value is not None}))
        groups[title] = sorted((line for line in lines if line.points), key=lambda line: max(line.points.values()))
    return draw_ratios(groups)


def main() -> None:
    """Measure, print tables, and end with the line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="2 million events, not 20, and fewer rounds")
    parser.add_argument("--events", type=int, help="in a history")
    parser.add_argument("--rounds", type=int, help="of each, in turn")
    parser.add_argument("--write", action="store_true", help="write the figures and their plot into docs")
    parser.add_argument("--peers", type=Path, default=Path(".venv/peers"), help="where others are installed")
    parser.add_argument("--folder", type=Path, help="for the events and what the answers are, about 3 GB; in memory")
    arguments = parser.parse_args()
    plain = Settings(2_000_000, 3, 2.5, 1, 0.15) if arguments.quick else Settings(20_000_000, 5, 1.5, 2, 0.7)
    settings = plain._replace(events=arguments.events or plain.events, rounds=arguments.rounds or plain.rounds)
    names = {contender.environment for peers in PEERS.values() for contender in peers} - {""}
    places = {name: make_environment(name, arguments.peers.absolute()) for name in sorted(names)}
    places[""] = Environment(sys.executable, None)
    tables: dict[int, dict[str, Table]] = {}
    for keys in KEYS:
        with tempfile.TemporaryDirectory(prefix="bench-", dir=arguments.folder or _memory()) as folder:
            tables[keys] = measure_keys(keys, Path(folder), settings, places)
    lines = tell(tables, settings)
    print("\n".join(["", *lines, ""]))
    result = result_of(tables, settings)
    if arguments.write:
        picture = "![The time of each, as a multiple of ours](kernels.svg)"
        (DOCS / "kernels.svg").write_text(draw(tables))
        write_docs(MARK, [*lines, "", picture], result)
    print(json.dumps(result))


def _memory() -> str | None:
    """Return a folder that lies in memory, where there is one with room: files are read again and again."""
    shared = "/dev/shm"  # noqa: S108 - a folder of its own is made in it
    return shared if os.access(shared, os.W_OK) and shutil.disk_usage(shared).free > 6 << 30 else None


if __name__ == "__main__":
    main()
