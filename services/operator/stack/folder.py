"""The folder of a stack that runs on this machine: its files, its lock, and the facts of a running stack."""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from services.operator.stack.errors import StackError

STACKS = Path("data")
"""The folder of stacks that a command looks in where none is named."""
_OWN_FILES = {
    "ledger.db", "ledger.db-wal", "ledger.db-shm", "ledger.db-journal", "ledger.key", "ledger.key.pub",
    "checkpoints.txt", "aggregator.snapshot", "aggregator.snapshot.part", "redis", "outbox", "logs", "lock",
    "stack.json", "stack.json.part", "ports.json", "ports.json.part", "parties.json", "parties.json.part",
    "made-by-demo", "replay.part", "programme.path", "programme.path.part",
}  # fmt: skip


class StackFolder(NamedTuple):
    """Paths of the files in a stack's folder."""

    path: Path

    @property
    def ledger_store(self) -> Path:
        """The ledger's store, where it is a file."""
        return self.path / "ledger.db"

    @property
    def checkpoints(self) -> Path:
        """The file of signed checkpoints; a copy that is kept elsewhere proves more."""
        return self.path / "checkpoints.txt"

    @property
    def checkpoint_key(self) -> Path:
        """The ledger's private key."""
        return self.path / "ledger.key"

    @property
    def checkpoint_public_key(self) -> Path:
        """The public key that verifies the checkpoints."""
        return self.path / "ledger.key.pub"

    @property
    def snapshot(self) -> Path:
        """The snapshot that the aggregator starts from."""
        return self.path / "aggregator.snapshot"

    @property
    def facts(self) -> Path:
        """The file that names the addresses and process ids of a running stack."""
        return self.path / "stack.json"

    @property
    def ports(self) -> Path:
        """The file that keeps the port of each service from start to start."""
        return self.path / "ports.json"

    @property
    def programme(self) -> Path:
        """The file that keeps the path of the programme file from start to start."""
        return self.path / "programme.path"

    @property
    def parties(self) -> Path:
        """The sources of which the running ledger reads the streams."""
        return self.path / "parties.json"

    @property
    def lock(self) -> Path:
        """The file that the processes of a running stack hold locked."""
        return self.path / "lock"

    @property
    def unfinished(self) -> Path:
        """The file that is there until a replay into the folder has come to the end of its tape."""
        return self.path / "replay.part"

    def log(self, process: str) -> Path:
        """Return the log file of a process."""
        return self.path / "logs" / f"{process}.log"


def read_facts(folder: Path) -> dict[str, Any] | None:
    """Return the facts of the stack that runs in a folder, None if none runs there."""
    path = StackFolder(folder).facts
    if not path.exists():
        return None
    facts: dict[str, Any] = json.loads(path.read_text())
    return facts if _is_alive(facts["pid"]) else None


def refuse_running(folder: Path) -> None:
    """Raise `StackError` if a stack runs in a folder, or if processes of a killed one still do."""
    path = StackFolder(folder).lock
    if not path.is_file():
        return
    with path.open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StackError(explain_lock(folder)) from error


def expect_finished(folder: Path) -> None:
    """Raise `StackError` if a replay that did not end has left a part of its tape; a running one may be read."""
    if StackFolder(folder).unfinished.exists() and read_facts(folder) is None:
        raise StackError(f"the replay into {folder} did not end, and its store has a part of the tape: replay it again")


def remove_unfinished(folder: Path) -> None:
    """Remove a folder that a replay has left unfinished; raise `StackError` if its processes still run."""
    if not StackFolder(folder).unfinished.exists():
        return
    refuse_running(folder)
    foreign = foreign_files(folder)
    if foreign:
        raise StackError(f"{folder} holds a file of no stack ({foreign[0]}), and would be emptied: name another")
    shutil.rmtree(folder)


def explain_lock(folder: Path) -> str:
    """Return the reason why a folder is locked, and the next step."""
    path = StackFolder(folder).facts
    if read_facts(folder) or not path.exists():
        return f"a stack is running in {folder}: stop it, or choose another folder with --data"
    left = " ".join(map(str, _holders(StackFolder(folder).lock)))
    if not left:
        return f"the last processes of a stack in {folder} are ending: try again"
    return f"a stack in {folder} was killed and left processes: `kill {left}`, or choose another folder with --data"


def _holders(lock: Path) -> Iterator[int]:
    """Yield the processes that hold a lock file open: those of a killed stack, restarted ones too, inherit it."""
    for process in Path("/proc").iterdir():
        if not process.name.isdecimal() or process.name == str(os.getpid()):
            continue
        with suppress(OSError):  # it has ended, or is another user's
            if any(descriptor.samefile(lock) for descriptor in (process / "fd").iterdir()):
                yield int(process.name)


def foreign_files(folder: Path) -> list[str]:
    """Return the names in a folder that no stack has made, sorted; of a file in its place, its name."""
    if not folder.exists():
        return []
    if not folder.is_dir():
        return [folder.name]
    return sorted(path.name for path in folder.iterdir() if path.name not in _OWN_FILES)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
