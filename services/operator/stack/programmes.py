"""Programme files for a command: read, with their faults as one error."""

from pathlib import Path

from services.operator.stack.errors import StackError
from services.operator.stack.folder import StackFolder
from services.operator.stack.new_file import replace_file
from shared.play.scenario import DEFAULT_PROGRAMME, load_programme
from shared.programme.programme_file import ProgrammeFile, ProgrammeFileError


def read_programme_file(path: Path | None) -> ProgrammeFile:
    """Return the programme of a file, by default the reference programme; raise `StackError` with each fault."""
    try:
        return load_programme(path)
    except ProgrammeFileError as faults:
        raise StackError(str(faults)) from faults
    except UnicodeDecodeError as wrong:
        raise StackError(f"{path} is no text in UTF-8 ({wrong.reason})") from wrong


def programme_of(data: Path, named: Path | None) -> Path:
    """Return the programme file of a stack's folder: the named one, which is kept, else that of the last start, else
    the reference programme. Raise `StackError` if that of the last start is gone.
    """
    kept = StackFolder(data).programme
    if named is not None:
        read_programme_file(named)
        data.mkdir(parents=True, exist_ok=True)
        replace_file(kept, str(named.resolve()))
        return named
    if not kept.exists():
        return DEFAULT_PROGRAMME
    file = Path(kept.read_text(encoding="utf-8"))
    if not file.is_file():
        raise StackError(f"{data} was started with {file}, which is not there: name its programme with --programme")
    return file


def find_programme(name: str) -> Path:
    """Return the file of a programme that comes along, by its name, or of a path; raise `StackError` where none is."""
    along = {path.stem: path for path in DEFAULT_PROGRAMME.parent.glob("*.yaml") if _is_programme(path)}
    path = along.get(name, Path(name))
    if not path.is_file():
        raise StackError(f"{name!r} is no file, and no programme that comes along; there are {', '.join(along)}")
    return path


def _is_programme(path: Path) -> bool:
    return "\nparties:" in path.read_text(encoding="utf-8")
