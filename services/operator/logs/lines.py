"""Log lines: parsing, the process of a line, and the filter that selects lines."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple

import orjson

Level = Literal["info", "warning", "critical"]

PARTIES = frozenset({"supplier", "datacenter"})

_SEVERITY = {"debug": 0, "info": 1, "warning": 2, "critical": 3}
_AGE = re.compile(r"(\d+)([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LINE_START = b'{"timestamp":'
_FOREIGN_LOG = "redis"  # Redis writes a log in its own format


class Line(NamedTuple):
    """One log line: its process, its fields, and its bytes as they are in the file."""

    process: str
    fields: Mapping[str, Any]
    text: bytes

    @property
    def timestamp(self) -> str:
        """The time of the line; all times have one length and zone, so they sort as text."""
        return str(self.fields["timestamp"])

    @property
    def order(self) -> tuple[str, str]:
        """The key that sorts the lines of several processes."""
        return self.timestamp, self.process


class LineFilter(NamedTuple):
    """Conditions that a selected line meets."""

    service: str | None = None
    level: Level = "info"
    name: str | None = None
    since: str = ""

    def accepts(self, line: Line) -> bool:
        """Return whether a line meets the conditions on time, level and name."""
        return (
            line.timestamp >= self.since
            and _SEVERITY.get(line.fields["level"], 1) >= _SEVERITY[self.level]
            and (self.name is None or line.fields["log"] == self.name)
        )

    def accepts_process(self, process: str) -> bool:
        """Return whether the service of the filter includes a process: `supplier` includes every supplier."""
        return self.service is None or process == self.service or process.startswith(self.service + "-")


def log_files(folder: Path, line_filter: LineFilter) -> list[Path]:
    """Return the log files of a stack's processes, sorted by name."""
    return sorted(
        path
        for path in (folder / "logs").glob("*.log")
        if path.stem != _FOREIGN_LOG and line_filter.accepts_process(path.stem)
    )


def parse_line(process: str, text: bytes) -> tuple[Line | None, bytes]:
    """Return the log line in a line of a file, and the damaged bytes before it.

    A killed process may leave half a line, and the next process continues on it.
    """
    fields = _parse_fields(text)
    if fields is not None:
        return Line(process, fields, text), b""
    begin = text.rfind(_LINE_START)
    fields = _parse_fields(text[begin:]) if begin > 0 else None
    return (None, text) if fields is None else (Line(process, fields, text[begin:]), text[:begin])


def _parse_fields(text: bytes) -> dict[str, Any] | None:
    try:
        fields = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    complete = isinstance(fields, dict) and all(isinstance(fields.get(n), str) for n in ("timestamp", "level", "log"))
    return fields if complete else None


def process_of(fields: Mapping[str, Any]) -> str:
    """Return the process that wrote a line, named as in a stack: `ledger`, `supplier-north`."""
    service = str(fields.get("service"))
    return f"{service}-{fields['source']}" if service in PARTIES and "source" in fields else service


def parse_since(text: str, now: datetime) -> str:
    """Return the timestamp of an age (`30s`, `5m`, `2h`, `1d`), a date or a time; a time without a zone is UTC."""
    age = _AGE.fullmatch(text)
    if age is not None:
        since = now - timedelta(**{_UNITS[age[2]]: int(age[1])})
    else:
        since = datetime.fromisoformat(text)
        since = since.replace(tzinfo=UTC) if since.tzinfo is None else since.astimezone(UTC)
    return timestamp(since)


def timestamp(at: datetime) -> str:
    """Return a time in the format of the log lines."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def printable(text: str) -> str:
    """Return a text with its control characters replaced: a partner's text must not control the terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
