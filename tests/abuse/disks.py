"""File systems of a few megabytes, and ones that can only be read; both need root."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def _mount(*arguments: str) -> None:
    if os.geteuid() or subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode:  # noqa: S607
        pytest.skip("a mount needs root")


@contextmanager
def small_disk(place: Path, megabytes: int) -> Iterator[Path]:
    """Yield a folder on a file system of its own."""
    place.mkdir()
    _mount("-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(place))
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)  # noqa: S607


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Let nobody write in a folder."""
    _mount("--bind", str(folder), str(folder))
    try:
        _mount("-o", "remount,ro,bind", str(folder))
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)  # noqa: S607
