"""The log: one JSON line for each event of a process, named by a constant `object_verb`; see docs/logs.md."""

import asyncio
import json
import logging
import os
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import orjson
import structlog

LOGGED_REFUSALS_MAX = 20  # lines about refusals in a second; the others are counted by their codes

_LINE_BYTES_MAX = 16_384
_TEXT_MAX = 4_000  # characters of one field, where a line is too long
_REPEAT_INTERVAL_S = 1.0
_KINDS_MAX = 1_000
_STANDARD_OUTPUT = 1


def configure_log(service: str) -> None:
    """Log to standard output, one JSON line each, also the libraries' warnings and an uncaught exception."""
    output = _Output(_STANDARD_OUTPUT)
    structlog.configure(
        processors=[_render],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: output,
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, handlers=[_Bridge(service)], force=True)
    logging.captureWarnings(capture=True)
    sys.excepthook = _Crash(service)


def open_log(service: str) -> Any:
    """Return the log of a service."""
    return structlog.get_logger().bind(service=service)


def why(failure: BaseException) -> str:
    """Return a failure as a line's `reason`; some libraries' `repr` leaves the message out."""
    text = str(failure)
    return f"{type(failure).__name__}: {text}" if text else repr(failure)


class Tally:
    """A log for frequent lines: it writes one a second for each name and source, and adds up those that come faster.

    A lone line is written at once, unchanged. Otherwise numbers are added up, of those named `_max` the greatest is
    kept, of all other fields the last: a line covers all batches up to its `position`, and its `held_ms` is the time
    that the first of them waited.
    """

    def __init__(self, log: Any, every_s: float = _REPEAT_INTERVAL_S) -> None:
        self.log = log
        self.every_s = every_s
        self._written_at: dict[tuple[str, str | None], float] = {}
        self._held: dict[tuple[str, str | None], tuple[float, dict[str, Any]]] = {}  # held since, fields

    def info(self, name: str, **fields: Any) -> None:
        """Log a line, now or together with those that follow within the second."""
        key = (name, fields.get("source"))
        held = self._held.get(key)
        if held is not None:
            _add_up(held[1], fields)
            return
        now = time.monotonic()
        wait_s = self._written_at.get(key, now - self.every_s) + self.every_s - now
        if wait_s <= 0:
            self._written_at[key] = now
            self.log.info(name, **fields)
            return
        self._held[key] = (now, fields)
        asyncio.get_running_loop().call_later(wait_s, self._write, key)

    def flush(self) -> None:
        """Write the lines held back; a service that stops calls it."""
        for key in list(self._held):
            self._write(key)

    def _write(self, key: tuple[str, str | None]) -> None:
        held = self._held.pop(key, None)
        if held is not None:
            since, fields = held
            now = self._written_at[key] = time.monotonic()
            self.log.info(key[0], **fields, held_ms=round((now - since) * 1000))


class LineRation:
    """Twenty lines in each window of time; one line at its end counts those beyond by their codes.

    A partner who sends millions of wrong events would otherwise rotate all other lines out of the log.
    """

    def __init__(self, log_others: Callable[[Counter[str]], None], window_s: float = _REPEAT_INTERVAL_S) -> None:
        self.window_s = window_s
        self._log_others = log_others
        self._began, self._logged = float("-inf"), 0
        self._others: Counter[str] = Counter()

    def admits(self, code: str) -> bool:
        """Return whether a line may be logged now; one that may not is counted under its code."""
        now = time.monotonic()
        if now - self._began >= self.window_s:
            self._began, self._logged = now, 0
        if self._logged < LOGGED_REFUSALS_MAX:
            self._logged += 1
            return True
        if not self._others:
            asyncio.get_running_loop().call_later(self._began + self.window_s - now, self.flush)
        self._others[code] += 1
        return False

    def flush(self) -> None:
        """Log the count of the lines not logged; a service that stops calls it."""
        if self._others:
            others, self._others = self._others, Counter()
            self._log_others(others)


def _add_up(held: dict[str, Any], fields: Mapping[str, Any]) -> None:
    for name, value in fields.items():
        if name == "position" or not isinstance(value, (int, float)):
            held[name] = value
        elif name.endswith("_max"):
            held[name] = max(held[name], value)
        else:
            held[name] = round(held[name] + value, 3)


class _Output:
    """Standard output, one write a line. A full disk costs lines, never the service; the next line counts them."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.lost = 0
        self.cut = False

    def msg(self, line: bytes) -> None:
        rest = b"\n" + line if self.cut else line
        if self.lost:
            rest = rest[:-2] + b',"lines_lost":%d}\n' % self.lost
        whole = len(rest)
        try:
            while rest:
                rest = rest[os.write(self.descriptor, rest) :]
        except OSError:
            self.lost += 1
            self.cut = self.cut or len(rest) < whole
        else:
            self.lost, self.cut = 0, False

    debug = info = warning = error = critical = msg


class _Bridge(logging.Handler):
    """Writes a library's log records as our lines; counts those repeated within a second instead."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self.log = open_log(service)
        self._written: dict[tuple[str, object], tuple[float, int]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        now = time.monotonic()
        kind = (record.name, str(record.msg))
        written_at, repeated = self._written.get(kind, (now - _REPEAT_INTERVAL_S, 0))
        if now - written_at < _REPEAT_INTERVAL_S:
            self._written[kind] = (written_at, repeated + 1)
            return
        if len(self._written) >= _KINDS_MAX:
            self._written.clear()
        self._written[kind] = (now, 0)
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # its arguments do not fit its text; not ours to die of
            message = str(record.msg)
        self.log.warning(
            "library_warned",
            library=record.name,
            severity=record.levelname.lower(),
            message=message,
            repeated=repeated,
            exc_info=record.exc_info,
        )


class _Crash:
    """Logs the exception that ends the process outside the service, which logs its own."""

    def __init__(self, service: str) -> None:
        self.log = open_log(service)

    def __call__(self, kind: type[BaseException], failure: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            self.log.info("service_stopped", reason="interrupted")
        else:
            self.log.critical("service_stopped", reason=why(failure), exc_info=(kind, failure, trace))


def _render(_: Any, level: str, fields: MutableMapping[str, Any]) -> bytes:
    """Return a line: timestamp, level, service and name, then the fields in the order given."""
    line = {
        "timestamp": datetime.now(UTC).isoformat(timespec="microseconds")[:-6] + "Z",
        "level": level,
        "service": fields.pop("service", None),
        "log": fields.pop("event"),
    }
    failure = fields.pop("exc_info", None)
    line |= fields
    if failure and (error := _error(failure)) is not None:
        line["trace"] = "".join(traceback.format_exception(error)).rstrip()
    rendered = _encode(line)
    if len(rendered) > _LINE_BYTES_MAX:
        rendered = _encode({name: _shorten(value) for name, value in line.items()})
    return rendered


def _encode(line: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(line, default=str, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # half a surrogate pair, a number beyond 64 bits: a partner may send anything, we may quote it
        return json.dumps(line, default=str, separators=(",", ":")).encode() + b"\n"


def _error(failure: Any) -> BaseException | None:
    if isinstance(failure, BaseException):
        return failure
    found: BaseException | None = (failure if isinstance(failure, tuple) else sys.exc_info())[1]
    return found


def _shorten(value: Any) -> Any:
    text = value if isinstance(value, str) else None
    if text is None and isinstance(value, (list, dict, bytes)):
        text = str(value)
    if text is None or len(text) <= _TEXT_MAX:
        return value
    return f"{text[: _TEXT_MAX // 2]} … {text[-_TEXT_MAX // 2 :]}"
