"""The process that one contender runs in: told by lines of JSON what to do, it tells what that took, and what is wrong.

    python -m bench.peers.worker MODULE CLASS READ WRITE

READ and WRITE are the numbers of the pipes' ends. This process compares each answer itself, value by value, with the
one that lies in the folder; neither that nor the way to it counts as time of the contender.
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
    """A contender of W3, and the rows that it should tell."""

    def __init__(self, contender: type, folder: Path, full: bool, size: int) -> None:
        """Let it take the history."""
        self.events, self.full, self.size = load_events(folder), full, size
        self.windows = ALL_WINDOWS if full else WINDOWS
        self.next = int(self.events.time.size * HISTORY_SHARE)
        history = self.events.part(0, self.next)
        self.expected = Stream(history)
        self.contender = contender(history, self.windows)

    def run(self, batches: int) -> Answer:
        """Let it take some batches; compare a few of what it told."""
        left = (self.events.time.size - self.next) // self.size
        ends = range(self.next, self.next + min(batches, left) * self.size, self.size)
        told = [self.events.part(first, first + self.size) for first in ends]
        marks = _Marks(self.contender.answer, {len(told) * n // _CHECKED for n in range(_CHECKED)})
        ready = [self.contender.told(batch) for batch in told]
        gc.collect()
        marks.began = time.process_time_ns()
        if hasattr(self.contender, "run"):
            self.contender.run(ready, marks.mark)
        else:
            for batch in ready:
                marks.mark(self.contender.add(batch))
        self.next += len(told) * self.size
        wrong = None if len(marks.taken) == len(told) else f"{len(marks.taken)} answers to {len(told)} batches"
        return {"cpu_us": marks.taken, "wrong": wrong or self._wrong(told, marks.kept)}

    def _wrong(self, told: Sequence[Events], kept: dict[int, Touched]) -> str | None:
        for n, batch in enumerate(told):
            self.expected.add(batch)
            if n in kept:
                rows = self.expected.rows(np.unique(batch.key), self.windows, self.full)
                if (wrong := wrong_rows(kept[n], batch, rows)) is not None:
                    return wrong
        return None


class Gauging:
    """What the machine makes: nothing to compare."""

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
            said = self.answer(result)  # what it is a view of may be written over
            self.kept[len(self.taken) - 1] = Touched(np.array(said.keys), np.array(said.rows))
        self.began = time.process_time_ns()


def serve(contender: type, receive: Any, send: Callable[[Answer], None]) -> None:
    """Do what is asked for, line by line, until there is no more."""
    running: Any = None
    for line in receive:
        asked = json.loads(line)
        task = asked.pop("do")
        try:
            if task == "load":
                folder, workload = Path(asked["folder"]), asked["workload"]
                running = None
                if workload == "w3":
                    running = Streaming(contender, folder, asked["full"], asked["size"])
                elif workload == "limits":
                    running = Gauging(contender, folder)
                else:
                    running = Whole(contender, folder, workload, asked["keys"])
                send({})
            else:
                send(running.run(**asked))
        except Exception as error:  # noqa: BLE001 - whatever a library raises is the answer
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
        except Exception as error:  # noqa: BLE001 - not every library loads wherever it installs
            send({"error": f"{type(error).__name__}: {error}".splitlines()[0][:200]})
            return
        send({})
        serve(contender, receive, send)


if __name__ == "__main__":
    main()
