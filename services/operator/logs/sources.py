"""Sources of log lines: the files in a stack's folder, or one stream as `docker compose logs` prints it."""

import re
import sys
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import IO

from services.operator.logs.follow import follow_lines
from services.operator.logs.lines import Line, LineFilter, log_files, parse_line, process_of
from services.operator.logs.summary import Summary
from services.operator.stack.errors import StackError
from services.operator.stack.location import is_described

_PIECE_BYTES_MAX = 1 << 20
_FOREIGN = "others"  # the summary of a stream's lines that are of another format
_CONTAINER = re.compile(rb"[\w.-]+ +\| ?")  # the container's name, as compose prints it before a line


class LogFolder:
    """The log files in a stack's folder, one for each process."""

    def __init__(self, folder: Path, line_filter: LineFilter, *, required: bool) -> None:
        if is_described(folder):
            raise StackError(
                f"the stack of {folder} runs elsewhere, and so do its logs: print them there, as in"
                " `docker compose logs --no-log-prefix --no-color | waferline logs -`, or name a folder with --data"
            )
        self.folder, self.place = folder, str(folder / "logs")
        files = log_files(folder, line_filter)
        self.width = max((len(path.stem) for path in files), default=0)
        if required and not files:
            names = ", ".join(path.stem for path in log_files(folder, LineFilter()))
            why = f"there are those of {names}" if names else "has a stack run there? Another folder: --data"
            raise StackError(f"no log of {line_filter.service or 'a service'} in {self.place}: {why}")

    def read(self, line_filter: LineFilter, summaries: dict[str, Summary] | None = None) -> Iterator[Line]:
        """Yield the selected lines, file by file; count damaged ones in `summaries`."""
        return read_folder(self.folder, line_filter, summaries)

    def follow(self, line_filter: LineFilter) -> Iterator[Line]:
        """Yield the selected lines as they are written."""
        return follow_lines(self.folder, line_filter)


class LogStream:
    """The lines of all processes in one file or on standard input, as compose prints them."""

    width = 0  # the lines name their processes only as they come

    def __init__(self, file: Path) -> None:
        self.file, self.place = file, "standard input" if str(file) == "-" else str(file)

    def read(self, line_filter: LineFilter, summaries: dict[str, Summary] | None = None) -> Iterator[Line]:
        """Yield the selected lines; count damaged and foreign ones in `summaries`."""
        if str(self.file) == "-":
            yield from read_stream(_lines(sys.stdin.buffer), line_filter, summaries)
            return
        try:
            with self.file.open("rb") as texts:
                yield from read_stream(_lines(texts), line_filter, summaries)
        except OSError as error:
            raise StackError(f"{self.file}: {error.strerror}") from error

    def follow(self, line_filter: LineFilter) -> Iterator[Line]:
        """Yield the lines as they come: `docker compose logs --follow` merges them."""
        return self.read(line_filter)


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the lines of a file; a longer one than any service writes comes in pieces, which no filter selects."""
    return iter(partial(file.readline, _PIECE_BYTES_MAX), b"")


def read_folder(folder: Path, line_filter: LineFilter, summaries: dict[str, Summary] | None = None) -> Iterator[Line]:
    """Yield the selected lines of a stack's folder, file by file; count damaged ones in `summaries`."""
    for path in log_files(folder, line_filter):
        summary = None if summaries is None else summaries.setdefault(path.stem, Summary(path.stem))
        with path.open("rb") as file:
            for text in _lines(file):
                if not text.strip():
                    continue
                line, damaged = parse_line(path.stem, text.strip())
                if damaged and summary is not None:
                    summary.add_damaged(damaged)
                if line is not None and line_filter.accepts(line):
                    yield line


def read_stream(
    texts: Iterable[bytes], line_filter: LineFilter, summaries: dict[str, Summary] | None = None
) -> Iterator[Line]:
    """Yield the selected lines of a stream that merges all processes; each line names its own.

    Lines of another format (Redis, PostgreSQL, other containers of the compose file) are counted and skipped.
    """
    for text in texts:
        content = _CONTAINER.sub(b"", text.strip(), count=1) if text[:1] != b"{" else text.strip()
        if not content:
            continue
        line, damaged = parse_line("", content)
        if damaged and summaries is not None:
            summaries.setdefault(_FOREIGN, Summary(_FOREIGN)).add_damaged(damaged)
        if line is None:
            continue
        line = line._replace(process=process_of(line.fields))
        if line_filter.accepts_process(line.process) and line_filter.accepts(line):
            yield line
