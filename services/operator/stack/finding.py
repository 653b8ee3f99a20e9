"""Finding a stack: the folder of one that runs here, or the file that describes one that runs elsewhere."""

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

_OURS = {
    "ledger.db", "ledger.db-wal", "ledger.db-shm", "ledger.db-journal", "ledger.key", "ledger.key.pub",
    "checkpoints.txt", "aggregator.snapshot", "aggregator.snapshot.part", "redis", "outbox", "logs", "lock",
    "stack.json", "made-by-demo",
}  # fmt: skip


class StackError(Exception):
    """The stack does not do what was asked of it; the message says what to do next."""


class _Described(BaseModel):
    """What a file says of a stack that runs elsewhere: where its services answer."""

    model_config = ConfigDict(extra="ignore", strict=True)

    services: dict[str, Annotated[str, StringConstraints(pattern=r"^https?://\S*[^/\s]$")]] = Field(min_length=1)


def is_described(place: Path) -> bool:
    """Whether a place is a file that describes a stack, not the folder of one."""
    return place.suffix == ".json" and not place.is_dir()


def read_described(path: Path) -> dict[str, Any]:
    """Return the addresses that the file of a stack names; raise `StackError` where it is none."""
    try:
        return _Described.model_validate_json(path.read_bytes()).model_dump()
    except OSError as why:
        raise StackError(f"{path}: {why.strerror}; WAFERLINE_STACK or --data names the file of a stack") from why
    except ValidationError as why:
        [first, *_] = why.errors()
        place = ".".join(str(part) for part in first["loc"])
        raise StackError(
            f"{path} describes no stack ({place or 'it'}: {first['msg']}): it is JSON like"
            ' {"services": {"ledger": "https://ledger:8100", "aggregator": "https://aggregator:8100"}}'
        ) from why


def service_url(facts: Mapping[str, Any], service: str) -> str:
    """Return where a service of a stack answers; raise `StackError` where the stack does not name it."""
    services: Mapping[str, str] = facts["services"]
    if service not in services:
        raise StackError(f"the stack names no {service}; it has {', '.join(services)}")
    return services[service]


def running(folder: Path) -> dict[str, Any] | None:
    """Return where the services of the stack in a folder are, None if none is running there.

    Of a stack that runs elsewhere it is what the file says; whether it runs is for its services to say.
    """
    if is_described(folder):
        return read_described(folder)
    path = folder / "stack.json"
    if not path.exists():
        return None
    facts: dict[str, Any] = json.loads(path.read_text())
    return facts if _is_alive(facts["pid"]) else None


def refuse_running(folder: Path) -> None:
    """Raise `StackError` if a stack runs in a folder, or if one was killed there and its processes live on."""
    path = folder / "lock"
    if not path.is_file():
        return
    with path.open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StackError(taken(folder)) from error


def strangers_in(folder: Path) -> list[str]:
    """Return what lies in a folder, or is there in its place, that no stack has made; sorted."""
    if not folder.exists():
        return []
    if not folder.is_dir():
        return [folder.name]
    return sorted(path.name for path in folder.iterdir() if path.name not in _OURS)


def taken(folder: Path) -> str:
    """Return why a stack cannot start in a folder where another one is, and what to do."""
    path = folder / "stack.json"
    if running(folder) or not path.exists():
        return f"a stack is running in {folder}: stop it, or choose another folder with --data"
    left = " ".join(str(pid) for pid in json.loads(path.read_text())["pids"].values() if _is_alive(pid))
    return f"a stack in {folder} was killed and left processes: `kill {left}`, or choose another folder with --data"


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def find_stack(folder: Path) -> Path:
    """Return the folder of a stack; of a folder of stacks the one that runs, else the demo's, else the other.

    Of a stack that runs elsewhere it is the file that describes it.
    """
    if is_described(folder):
        return folder
    if (folder / "ledger.db").exists() or (folder / "stack.json").exists():
        return folder
    inside = [folder / "demo", folder / "up"]
    running_ones = [each for each in inside if running(each)]
    there = running_ones or [each for each in inside if (each / "ledger.db").exists()]
    return there[0] if there else folder
