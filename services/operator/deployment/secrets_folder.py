"""A folder of secret files: each is written whole, and only its owner can read it while it is written."""

import os
from collections.abc import Callable
from pathlib import Path

from services.operator.stack.errors import StackError

READABLE = 0o444  # the user of a container reads it; the folder's mode keeps everyone else out


class SecretsFolder:
    """Writes secret files atomically, and lists the files made, changed and kept."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.made: list[str] = []
        self.changed: list[str] = []
        self.kept: list[str] = []
        for each in (path, path / "tls"):
            try:
                each.mkdir(parents=True, exist_ok=True, mode=0o700)
                each.chmod(0o700)  # an existing folder may be open to others
            except OSError as error:
                raise StackError(f"{each}: {error.strerror}; choose another folder with --to") from error

    def open_folder(self, name: str) -> None:
        """Make a folder of files that are the operator's own, and have the user of a container read them."""
        folder = self.path / name
        try:
            folder.mkdir(exist_ok=True)
            for each in (folder, *folder.iterdir()):
                each.chmod(0o755 if each.is_dir() else 0o644)
        except OSError as error:
            raise StackError(
                f"{error.filename}: {error.strerror}; it must belong to the user of this command"
            ) from error

    def make(self, name: str, content: Callable[[], bytes], *, renew: bool = False, mode: int = READABLE) -> None:
        """Make a file that is missing, or is to be renewed."""
        path = self.path / name
        if path.exists() and not renew:
            path.chmod(mode)
            self.kept.append(name)
            return
        self.write(name, content(), mode)
        self.made.append(name)

    def derive(self, name: str, content: bytes) -> None:
        """Write a file that is derived from others, if its content changes.

        An existing file is written in place: a container that has it mounted would not see another one of its name. A
        reader that finds a part of it keeps what it read before, and reads again.
        """
        path = self.path / name
        if not path.exists():
            self.made.append(name)
            self.write(name, content, READABLE)
        elif path.read_bytes() != content:
            self.changed.append(name)
            path.chmod(0o644)
            with path.open("r+b") as file:
                file.write(content)
                file.truncate()
                file.flush()
                os.fsync(file.fileno())
            path.chmod(READABLE)
        else:
            self.kept.append(name)

    def write(self, name: str, content: bytes, mode: int = READABLE) -> None:
        """Write a file, or replace it atomically."""
        path = self.path / name
        part = path.with_name(path.name + ".part")
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
