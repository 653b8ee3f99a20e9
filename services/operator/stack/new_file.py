"""New files and folders that appear under their names only when they are whole."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.operator.stack.errors import StackError

_FORMATS = frozenset(
    (".csv", ".db", ".gz", ".html", ".journal", ".json", ".jsonl", ".key", ".ndjson", ".ods", ".parquet", ".pdf",
     ".png", ".pub", ".svg", ".tsv", ".xls", ".xlsx", ".xml", ".yaml", ".yml", ".zip")
)  # fmt: skip


def expect_ending(target: Path, *endings: str) -> None:
    """Raise `StackError` if a name does not end in one of some endings: the ending says the format."""
    if not target.name.lower().endswith(endings):
        raise StackError(f"{target} does not end in {' or '.join(endings)}, the format that this writes")


def refuse_other_format(target: Path, *endings: str) -> None:
    """Raise `StackError` if the ending of a name is that of another format than those of some endings."""
    ending = target.suffix.lower()
    if ending in _FORMATS and ending not in endings:
        raise StackError(f"{target} ends in {ending}, which is another format than this writes: name another")


def expect_absent(target: Path) -> None:
    """Raise `StackError` if there is something under a name already."""
    if target.exists() or target.is_symlink():
        raise StackError(f"{target} is there already: remove it or name another")


@contextmanager
def new_file(target: Path) -> Iterator[Path]:
    """Yield the path to write a file at; it has its own name, and is on disk, once the block ends well.

    Until then it is named `.part`. One that a killed run has left is written over, one that another run is writing is
    not. Raises `StackError` if the target exists, or another run is writing it.
    """
    expect_absent(target)
    part = _part_of(target)
    handle = os.open(part, os.O_CREAT | os.O_RDWR, 0o666)
    with _locked(handle, part, target):
        try:
            os.ftruncate(handle, 0)
            yield part
            os.fsync(handle)
            expect_absent(target)
            part.rename(target)
        finally:
            part.unlink(missing_ok=True)
    _sync(target.parent)


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Yield the folder to write files in; it has its own name once the block ends well, as in `new_file`."""
    expect_absent(target)
    part = _part_of(target)
    part.mkdir(exist_ok=True)
    handle = os.open(part, os.O_RDONLY | os.O_DIRECTORY)
    with _locked(handle, part, target):
        try:
            for left in part.iterdir():
                shutil.rmtree(left) if left.is_dir() else left.unlink()
            yield part
            for written in part.iterdir():
                _sync(written)
            expect_absent(target)
            part.rename(target)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    _sync(target.parent)


def replace_file(target: Path, text: str, mode: int = 0o644) -> None:
    """Replace a file by one with another text; a run that is killed leaves the old one or the new one."""
    part = _part_of(target)
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode), "w") as file:
        file.write(text)
    part.replace(target)


def _part_of(target: Path) -> Path:
    return target.with_name(target.name + ".part")


@contextmanager
def _locked(handle: int, part: Path, target: Path) -> Iterator[None]:
    """Hold the lock of an open part; raise `StackError` where another run holds it, or has just finished."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not part.exists() or not os.path.samestat(os.fstat(handle), part.stat()):
            raise StackError(f"{target} was written by another run just now: name another")
        yield
    except BlockingIOError as held:
        raise StackError(f"another run is writing {part}: wait for it, or name another") from held
    finally:
        os.close(handle)


def _sync(path: Path) -> None:
    """Have a file, or the names in a folder, survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
