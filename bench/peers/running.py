"""How contenders are run: an environment for each set of packages, a process for each contender."""

import hashlib
import json
import os
import select
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

_HERE = Path(__file__).parent
_ROOT = _HERE.parent.parent


class Environment(NamedTuple):
    """Where a set of packages is installed, or why it is not."""

    python: str
    missing: str | None


def make_environment(name: str, folder: Path) -> Environment:
    """Install the packages of `NAME.txt` into a folder of their own, unless they are there."""
    pinned = _HERE / f"{name}.txt"
    python, stamp = folder / name / "bin" / "python", folder / name / "installed"
    digest = hashlib.sha256(pinned.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return Environment(str(python), None)
    print(f"installing: the packages of bench/peers/{name}.txt into {folder / name}", flush=True)
    commands = (
        [sys.executable, "-m", "venv", "--clear", str(folder / name)],
        [str(python), "-m", "pip", "install", "-qq", "--only-binary", ":all:", "--require-hashes", "-r", str(pinned)],
    )
    for command in commands:
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        except subprocess.TimeoutExpired:
            return Environment(str(python), "not installed: no answer in five minutes")
        if done.returncode:
            errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or [done.stderr.strip()]
            return Environment(str(python), f"not installed: {errors[0].removeprefix('ERROR: ')[:120]}")
    stamp.write_text(digest)
    return Environment(str(python), None)


class Failed(Exception):
    """A contender has no answer; says why."""


class Process:
    """The process of one contender; it runs one command at a time."""

    def __init__(self, python: str, module: str, name: str, log: Path) -> None:
        """Start it."""
        its_read, our_write = os.pipe()
        our_read, its_write = os.pipe()
        with log.open("a") as errors:
            self._process = subprocess.Popen(
                [python, "-m", "bench.peers.worker", module, name, str(its_read), str(its_write)],
                pass_fds=(its_read, its_write),
                stdin=subprocess.DEVNULL,
                stderr=errors,
                cwd=_ROOT,
            )
        os.close(its_read)
        os.close(its_write)
        self._asked, self._answers = os.fdopen(our_write, "w"), os.fdopen(our_read)

    def expect(self, seconds: float) -> dict[str, Any]:
        """Return its next answer; raise if that is an error, or none within some seconds."""
        if not select.select([self._answers], [], [], seconds)[0]:
            self.stop()
            raise Failed(f"no answer in {seconds:.0f} s")
        line = self._answers.readline()
        if not line:
            raise Failed(f"its process ended with {self._process.wait(10)}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise Failed(answer["error"])
        return answer

    def ask(self, seconds: float, do: str, **what: Any) -> dict[str, Any]:
        """Send it a command, and return its answer."""
        try:
            self._asked.write(json.dumps({"do": do, **what}) + "\n")
            self._asked.flush()
        except BrokenPipeError:
            raise Failed(f"its process ended with {self._process.wait(10)}") from None
        return self.expect(seconds)

    def stop(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()
        self._answers.close()
        with suppress(BrokenPipeError):
            self._asked.close()
