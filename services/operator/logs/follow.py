"""Following: the log files of a folder as they grow, merged by time."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from services.operator.logs.lines import Line, LineFilter, log_files, parse_line

_POLL_S = 0.25
_TAIL_BYTES = 65_536  # of each file that is there already
_RECENT_LINES = 10


class LogTail:
    """One log file that grows; a line counts once its end is written."""

    def __init__(self, path: Path, tail_bytes: int) -> None:
        self.path = path
        self.inode = 0
        self.offset = max(0, path.stat().st_size - tail_bytes)
        self.begins_within_line = self.offset > 0
        self.unfinished = b""

    def read_new(self) -> list[bytes]:
        """Return the complete lines written since the last call."""
        with self.path.open("rb") as file:
            stat = self.path.stat()
            if stat.st_size < self.offset or (self.inode and stat.st_ino != self.inode):
                self.offset, self.unfinished, self.begins_within_line = 0, b"", False  # another file of this name
            self.inode = stat.st_ino
            file.seek(self.offset)
            new = file.read()
        self.offset += len(new)
        *lines, self.unfinished = (self.unfinished + new).split(b"\n")
        if self.begins_within_line and lines:
            del lines[0]
            self.begins_within_line = False
        return [line for line in lines if line.strip()]


def follow_lines(
    folder: Path, line_filter: LineFilter, *, wait: Callable[[], None] = lambda: time.sleep(_POLL_S)
) -> Iterator[Line]:
    """Yield the selected lines as they are written, merged by time: first the recent ones, or all since a time.

    A line is yielded one poll of all files later, so that an earlier line of another process comes before it. No clock
    decides when: that of this process may be days from that of the lines.
    """
    tails: dict[Path, LogTail] = {}
    waiting: list[Line] = []
    begun = False
    while True:
        last = waiting[-1].order if waiting else None  # of the lines read in earlier polls
        for path in log_files(folder, line_filter):
            if path not in tails:
                tails[path] = LogTail(path, _TAIL_BYTES if not (line_filter.since or begun) else 1 << 62)
            for text in tails[path].read_new():
                line, _ = parse_line(path.stem, text)
                if line is not None and line_filter.accepts(line):
                    waiting.append(line)
        waiting.sort(key=lambda line: line.order)
        if not begun:
            yield from waiting if line_filter.since else deque(waiting, maxlen=_RECENT_LINES)
            waiting, begun = [], True
        elif last is not None:
            due = [line for line in waiting if line.order <= last]
            yield from due
            waiting = waiting[len(due) :]
        wait()
