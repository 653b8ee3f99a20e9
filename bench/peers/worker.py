"""The process of one contender: it reads commands as lines of JSON, and answers with times and faults.

    python -m bench.peers.worker MODULE CLASS READ WRITE

READ and WRITE are the numbers of the pipes' ends. This process compares each answer, value by value, with the
one in the folder; the comparison does not count as time of the contender.
"""

import gc
import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.workloads import (
    ALL_WINDOWS,
    HISTORY_SHARE,
    WINDOWS,
    Events,
    Stream,
    Touched,
    differs,
    load_events,
    wrong_history,
    wrong_rows,
)

Answer = dict[str, Any]
_CHECKED = 5  # batches of a round of W3


class Whole:
    """A contender of W1 or W2, and of some keys only where it says so."""

    def __init__(self, contender: type, folder: Path, workload: str, keys: int) -> None:
        """Let it prepare itself."""
        events = load_events(folder)
        self.folder, self.workload, self.all_keys = folder, workload, events.keys
        self.is_in = events.key < keys if keys < events.keys else None
        if self.is_in is not None:
            events = events._replace(
                **{name: getattr(events, name)[self.is_in] for name in Events._fields[:4]}, keys=keys
            )
        self.keys = keys
        self.contender = contender(events)

    def run(self) -> Answer:
        """Run it once."""
        wall, cpu = time.perf_counter(), time.process_time()
        result = self.contender.run()
        took = {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall}
        return took | {"wrong": self._wrong(self.contender.answer(result))}

    def _wrong(self, answer: Any) -> str | None:
        if self.workload == "w1":
            return wrong_history(self.folder, answer, self.keys)
        expected = np.load(self.folder / "net.npy", mmap_mode="r")
        return differs("net", answer, expected if self.is_in is None else expected[self.is_in])


class Streaming:
    """A contender of W3, and the rows that it should return."""

    def __init__(self, contender: type, folder: Path, full: bool, size: int) -> None:
        """Let it take the history."""
        self.events, self.full, self.size = load_events(folder), full, size
        self.windows = ALL_WINDOWS if full else WINDOWS
        self.next = int(self.events.time.size * HISTORY_SHARE)
        history = self.events.part(0, self.next)
        self.expected = Stream(history)
        self.contender = contender(history, self.windows)

    def run(self, batches: int) -> Answer:
        """Run it on some batches, and compare a few of its answers."""
        left = (self.events.time.size - self.next) // self.size
        ends = range(self.next, self.next + min(batches, left) * self.size, self.size)
        parts = [self.events.part(first, first + self.size) for first in ends]
        marks = _Marks(self.contender.answer, {len(parts) * n // _CHECKED for n in range(_CHECKED)})
        ready = [self.contender.prepare(batch) for batch in parts]
        gc.collect()
        marks.began = time.process_time_ns()
        if hasattr(self.contender, "run"):
            self.contender.run(ready, marks.mark)
        else:
            for batch in ready:
                marks.mark(self.contender.add(batch))
        self.next += len(parts) * self.size
        wrong = None if len(marks.taken) == len(parts) else f"{len(marks.taken)} answers to {len(parts)} batches"
        return {"cpu_us": marks.taken, "wrong": wrong or self._wrong(parts, marks.kept)}

    def _wrong(self, batches: Sequence[Events], kept: dict[int, Touched]) -> str | None:
        for n, batch in enumerate(batches):
            self.expected.add(batch)
            if n in kept:
                rows = self.expected.rows(np.unique(batch.key), self.windows, self.full)
                if (wrong := wrong_rows(kept[n], batch, rows)) is not None:
                    return wrong
        return None


class Gauging:
    """The rates of the machine, without an answer to compare."""

    def __init__(self, contender: type, folder: Path) -> None:
        """Let it take the events."""
        self.contender = contender(load_events(folder))

    def run(self) -> Answer:
        """Run it once."""
        return {"rates": self.contender.run()}


class _Marks:
    """When each batch was done, in microseconds of processor after the one before; some of the answers are kept."""

    def __init__(self, answer: Callable[[Any], Touched], wanted: set[int]) -> None:
        self.answer, self.wanted = answer, wanted
        self.taken: list[float] = []
        self.kept: dict[int, Touched] = {}
        self.began = 0

    def mark(self, result: Any) -> None:
        """Note a batch's end."""
        now = time.process_time_ns()
        self.taken.append((now - self.began) / 1000)
        if len(self.taken) - 1 in self.wanted:
            answer = self.answer(result)  # a view of arrays that may be overwritten
            self.kept[len(self.taken) - 1] = Touched(np.array(answer.keys), np.array(answer.rows))
        self.began = time.process_time_ns()


def serve(contender: type, receive: Any, send: Callable[[Answer], None]) -> None:
    """Run the commands, line by line, to the end of the input."""
    running: Any = None
    for line in receive:
        command = json.loads(line)
        task = command.pop("do")
        try:
            if task == "load":
                folder, workload = Path(command["folder"]), command["workload"]
                running = None
                if workload == "w3":
                    running = Streaming(contender, folder, command["full"], command["size"])
                elif workload == "limits":
                    running = Gauging(contender, folder)
                else:
                    running = Whole(contender, folder, workload, command["keys"])
                send({})
            else:
                send(running.run(**command))
        except Exception as error:  # noqa: BLE001 - any error of a library is the answer
            send({"error": f"{type(error).__name__}: {error}".splitlines()[0][:200]})
        gc.collect()


def main() -> None:
    """Serve over the pipes that were named."""
    module, name, read, write = sys.argv[1:]
    os.environ |= {"POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    sys.stdout = sys.stderr
    with os.fdopen(int(read)) as receive, os.fdopen(int(write), "w") as answers:

        def send(answer: Answer) -> None:
            answers.write(json.dumps(answer) + "\n")
            answers.flush()

        try:
            contender = getattr(importlib.import_module(module), name)
        except Exception as error:  # noqa: BLE001 - some libraries install and do not load
            send({"error": f"{type(error).__name__}: {error}".splitlines()[0][:200]})
            return
        send({})
        serve(contender, receive, send)


if __name__ == "__main__":
    main()
