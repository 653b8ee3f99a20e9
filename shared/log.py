"""The log: one JSON line for each thing that happened, named by a constant `object_verb`."""

import logging
import sys
from typing import Any

import orjson
import structlog


def configure_log(service: str) -> None:
    """Write one JSON line a fact to standard output, the libraries' warnings among them."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.EventRenamer("log"),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=_serialise),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stdout),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.clear_contextvars()
    logging.basicConfig(level=logging.WARNING, handlers=[_Bridge(service)], force=True)


def open_log(service: str) -> Any:
    """Return the log of a service."""
    return structlog.get_logger().bind(service=service)


class _Bridge(logging.Handler):
    """Says what a library logs as a line of ours."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self.log = open_log(service)

    def emit(self, record: logging.LogRecord) -> None:
        trace = logging.Formatter().formatException(record.exc_info) if record.exc_info else None
        self.log.warning("library_warned", library=record.name, message=record.getMessage(), trace=trace)


def _serialise(line: dict[str, Any], **_: Any) -> str:
    first = {name: line[name] for name in ("timestamp", "level", "service", "log") if name in line}
    return orjson.dumps(first | line, default=str).decode()
