"""Programme files for a command: read, with their faults as one error."""

from pathlib import Path

from services.operator.stack.errors import StackError
from shared.play.scenario import load_programme
from shared.programme.programme_file import ProgrammeFile, ProgrammeFileError


def read_programme_file(path: Path | None) -> ProgrammeFile:
    """Return the programme of a file, by default the reference programme; raise `StackError` with each fault."""
    try:
        return load_programme(path)
    except ProgrammeFileError as faults:
        raise StackError(str(faults)) from faults
    except UnicodeDecodeError as wrong:
        raise StackError(f"{path} is no text in UTF-8 ({wrong.reason})") from wrong
