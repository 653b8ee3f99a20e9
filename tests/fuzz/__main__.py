"""Fuzz the readers of all that comes from outside: python -m tests.fuzz [--target tape] [--seconds 60] [--together]."""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.fuzz.targets import FOUND, NAMES, load

ROOT = Path(__file__).parents[2]
_MEMORY_MB, _INPUT_S = 1024, 30  # an input may take as much, and as long
_RESTARTS_MAX = 20
_units = re.compile(r"stat::number_of_executed_units: +(\d+)").findall
_peaks = re.compile(r"stat::peak_rss_mb: +(\d+)").findall
_edges = re.compile(r" cov: (\d+) ft: (\d+) corp: (\d+)/").findall


class Run:
    """The fuzzing of one target: its process, started again where an input has ended it."""

    def __init__(self, name: str, seconds: float, folder: Path, packages: Path) -> None:
        self.name, self.folder, self.packages = name, folder / name, packages
        self.began, self.until = time.monotonic(), time.monotonic() + seconds
        self.inputs, self.restarts, self.seconds = 0, 0, 0.0
        self.outcomes: dict[str, int] = {}
        self.findings: list[str] = []
        for each in ("corpus", "seeds"):
            (self.folder / each).mkdir(parents=True, exist_ok=True)
        for log in self.folder.glob("log-*.txt"):
            log.unlink()
        for n, seed in enumerate(dict.fromkeys(load(name).seeds)):
            (self.folder / "seeds" / f"{n:04}").write_bytes(seed)
        (FOUND / name).mkdir(parents=True, exist_ok=True)
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        self.counts, self.log = self.folder / f"counts-{self.restarts}.json", self.folder / f"log-{self.restarts}.txt"
        self.counts.unlink(missing_ok=True)
        left = max(1, round(self.until - time.monotonic()))
        command = [
            sys.executable, "-m", "tests.fuzz.worker", self.name, str(self.counts),
            str(self.folder / "corpus"), str(self.folder / "seeds"), f"-max_total_time={left}", "-max_len=65536",
            f"-rss_limit_mb={_MEMORY_MB}", f"-timeout={_INPUT_S}", f"-artifact_prefix={FOUND / self.name}/",
            "-print_final_stats=1",
        ]  # fmt: skip
        environment = os.environ | {"PYTHONPATH": f"{ROOT}:{self.packages}"}
        with self.log.open("wb") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=ROOT)

    def is_over(self) -> bool:
        """Return whether the time is over; a process that has ended before, an input's doing, is started again."""
        if self.process.poll() is None:
            return False
        self._add()
        self.seconds = time.monotonic() - self.began
        text = self.log.read_text(errors="replace")
        if self.process.returncode == 0:
            return True
        kept = re.findall(r"Test unit written to (\S+)", text)
        last = text.strip().rpartition("\n")[2]
        self.findings += [f"{Path(path).name}: the process ended" for path in kept] or [f"it ended: {last[:200]}"]
        self.restarts += 1
        if self.restarts > _RESTARTS_MAX or self.until - time.monotonic() < 1:
            return True
        self.process = self._start()
        return False

    def _add(self) -> None:
        counts = self._read()
        counted = _units(self.log.read_text(errors="replace"))
        self.inputs += int(counted[0]) if counted else counts["inputs"]
        self.findings += counts["findings"]
        for outcome, count in counts["outcomes"].items():
            self.outcomes[outcome] = self.outcomes.get(outcome, 0) + count

    def _read(self) -> dict[str, Any]:
        with suppress(OSError, ValueError):
            return dict(json.loads(self.counts.read_text()))
        return {"inputs": 0, "outcomes": {}, "findings": []}

    def progress(self) -> str:
        """Return how far it is."""
        now = self._read()
        count, found = self.inputs + now["inputs"], len(self.findings) + len(now["findings"])
        return f"{self.name} {count:,} inputs, {self.edges} edges, {found} findings"

    @property
    def edges(self) -> int:
        """The branches of our modules that some input has reached."""
        found = [_edges(log.read_text(errors="replace")) for log in self.folder.glob("log-*.txt")]
        return max((int(each[-1][0]) for each in found if each), default=0)

    @property
    def peak_mb(self) -> int:
        """The most memory that its process took."""
        found = [_peaks(log.read_text(errors="replace")) for log in self.folder.glob("log-*.txt")]
        return max((int(each[-1]) for each in found if each), default=0)

    def row(self) -> str:
        """Return the row of the table."""
        came = ", ".join(f"{what} {n:,}" for what, n in sorted(self.outcomes.items(), key=lambda each: -each[1])[:5])
        counts = f"{self.inputs:,} | {self.seconds:,.0f} | {self.edges:,} | {self.peak_mb} MB"
        return f"| `{self.name}` | {counts} | {came} | {len(self.findings)} |"


def install(folder: Path) -> str | None:
    """Install the fuzzer into a folder of its own, unless it is there; return why it is not."""
    pinned = Path(__file__).with_name("atheris.txt")
    stamp = folder / "installed"
    if stamp.exists() and stamp.read_text() == pinned.read_text():
        return None
    print(f"installing: atheris into {folder}", flush=True)
    command = [
        sys.executable, "-m", "pip", "install", "-qq", "--upgrade", "--no-deps", "--only-binary", ":all:",
        "--require-hashes", "--target", str(folder), "-r", str(pinned),
    ]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        return "no answer in five minutes"
    if done.returncode:
        return done.stderr.strip().rpartition("\n")[2]
    stamp.write_text(pinned.read_text())
    return None


def fuzz(runs: Sequence[Run]) -> None:
    """Wait until all runs are over; print how far they are."""
    printed_at, open_ = time.monotonic(), list(runs)
    while open_:
        time.sleep(0.5)
        open_ = [run for run in open_ if not run.is_over()]
        if time.monotonic() - printed_at > 10 and open_:
            printed_at = time.monotonic()
            far = "; ".join(run.progress() for run in open_)
            print(f"{max(0, open_[0].until - printed_at):5.0f} s left: {far}", flush=True)


def main() -> int:
    """Fuzz each target, and print a table; 1 where there is a finding."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--target", choices=NAMES, action="append", help="default: each")
    parser.add_argument("--seconds", type=float, default=60, help="for each target")
    parser.add_argument("--together", action="store_true", help="all targets at once")
    parser.add_argument("--folder", type=Path, default=ROOT / ".venv/fuzz", help="of the fuzzer, and of what it learnt")
    arguments = parser.parse_args()
    folder = arguments.folder.absolute()
    missing = install(folder / "packages")
    if missing is not None:
        print(f"not run: atheris is not installed: {missing}")
        return 0
    names, done = arguments.target or NAMES, list[Run]()
    for group in [names] if arguments.together else [[name] for name in names]:
        runs = [Run(name, arguments.seconds, folder, folder / "packages") for name in group]
        try:
            fuzz(runs)
        finally:
            for run in runs:
                run.process.kill()
        done += runs
    print("| target | inputs | seconds | edges | memory | what came of most | findings |")
    print("|---|---:|---:|---:|---:|---|---:|")
    for run in done:
        print(run.row())
    for run in done:
        for finding in run.findings:
            print(f"{run.name}: {finding}")
    return int(any(run.findings for run in done))


if __name__ == "__main__":
    sys.exit(main())
