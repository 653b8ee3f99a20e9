"""A file that may change while the process runs."""

from pathlib import Path


class WatchedFile:
    """Tells once of each change of a file: of its content, its absence, or another file in its place."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._state: tuple[int, ...] | None = ()  # none that a file can have: the first look finds a change

    def has_changed(self) -> bool:
        """Return whether the file has changed since it was looked at last."""
        before = self._state
        try:
            found = self.path.stat()
            self._state = (found.st_ino, found.st_mtime_ns, found.st_size)
        except OSError:
            self._state = None
        return self._state != before
