"""Location of a stack: the folder of one on this machine, or the .json file that describes one elsewhere."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from services.operator.stack.errors import StackError
from services.operator.stack.folder import STACKS, StackFolder, read_facts
from services.operator.stack.machine.running import running_folders


class _Description(BaseModel):
    """The file of a stack elsewhere: the address of each service."""

    model_config = ConfigDict(extra="ignore", strict=True)

    services: dict[str, Annotated[str, StringConstraints(pattern=r"^https?://\S*[^/\s]$")]] = Field(min_length=1)


def is_described(place: Path) -> bool:
    """Return whether a place is a file that describes a stack, and not a stack's folder."""
    return place.suffix == ".json" and not place.is_dir()


def find_stack(folder: Path, *, writes: bool = False) -> Path:
    """Return the folder of a stack; of a folder of stacks the running one, else the demo's, else the other.

    Where none was named (`data`), a stack that runs in any other folder is found, too, those inside the working folder
    before others. For a command that `writes`, or would write, more than one raises `StackError`: the
    events would go into a ledger that nobody named. A file that describes a stack elsewhere is returned as it is.
    """
    if is_described(folder):
        return folder
    files = StackFolder(folder)
    if files.ledger_store.exists() or files.facts.exists():
        return folder
    inside = [folder / "demo", folder / "up"]
    running = [each for each in inside if read_facts(each)]
    if folder == STACKS:
        named = {each.resolve() for each in running}
        elsewhere = [_short(each) for each in running_folders() if each not in named]
        running += sorted(elsewhere, key=lambda each: each.is_absolute())
    if writes and len(running) > 1:
        raise StackError(f"{len(running)} stacks are running, {' and '.join(map(str, running))}: name one with --data")
    found = running or [each for each in inside if StackFolder(each).ledger_store.exists()]
    return found[0] if found else folder


def _short(folder: Path) -> Path:
    """Return a folder as seen from the working folder, where it is inside that."""
    return folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder


def stack_facts(place: Path) -> dict[str, Any] | None:
    """Return the addresses of a stack's services, None if no stack runs in the folder.

    Of a stack elsewhere they are those of its file, whether it runs or not.
    """
    return read_described(place) if is_described(place) else read_facts(place)


def running_stack(place: Path) -> dict[str, Any]:
    """Return the addresses of a stack's services; raise `StackError` if it does not run."""
    facts = stack_facts(place)
    if facts is None:
        raise StackError(f"no stack is running in {place}: start one with `waferline up`")
    return facts


def service_url(facts: Mapping[str, Any], service: str) -> str:
    """Return the address of a service of a stack; raise `StackError` if the stack does not name it."""
    services: Mapping[str, str] = facts["services"]
    if service not in services:
        raise StackError(f"the stack names no {service}; it has {', '.join(services)}")
    return services[service]


def read_described(path: Path) -> dict[str, Any]:
    """Return the addresses in the file of a stack elsewhere; raise `StackError` if the file describes none."""
    try:
        return _Description.model_validate_json(path.read_bytes()).model_dump()
    except OSError as why:
        raise StackError(f"{path}: {why.strerror}; WAFERLINE_STACK or --data names the file of a stack") from why
    except ValidationError as why:
        [first, *_] = why.errors()
        place = ".".join(str(part) for part in first["loc"])
        raise StackError(
            f"{path} describes no stack ({place or 'it'}: {first['msg']}): it is JSON like"
            ' {"services": {"ledger": "https://ledger:8100", "aggregator": "https://aggregator:8100"}}'
        ) from why
