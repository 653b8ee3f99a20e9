"""The stacks that this user runs on this machine, wherever their folders are."""

import os
from hashlib import sha256
from pathlib import Path

from services.operator.stack.folder import read_facts


def note_running(folder: Path) -> None:
    """Note that a stack runs in a folder, for the commands that name none."""
    notes = _notes()
    notes.mkdir(parents=True, exist_ok=True)
    _note_of(folder).write_text(str(folder.resolve()))


def forget_running(folder: Path) -> None:
    """Take back the note on a stack."""
    _note_of(folder).unlink(missing_ok=True)


def running_folders() -> list[Path]:
    """Return the folders in which a stack runs, sorted; a note on one that was killed is dropped."""
    found = []
    for note in sorted(_notes().glob("*")) if _notes().is_dir() else ():
        folder = Path(note.read_text())
        if read_facts(folder) is None:
            note.unlink(missing_ok=True)
        else:
            found.append(folder)
    return sorted(found)


def _notes() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "waferline" / "running"


def _note_of(folder: Path) -> Path:
    return _notes() / sha256(os.fsencode(folder.resolve())).hexdigest()[:16]
