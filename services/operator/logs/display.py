"""Log lines and summaries as text for a terminal."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import typer

from services.operator.logs.lines import Line, printable
from services.operator.logs.summary import Summary
from services.operator.show.table import FittedTable, table

_COLOURS = {"warning": "yellow", "critical": "red"}
_LEADING_FIELDS = {"timestamp", "level", "service", "log", "trace"}
_CRITICALS_SHOWN = 20


def format_line(line: Line, width: int = 0) -> str:
    """Return a line as text, coloured by its level: time, process, name, fields; a trace below."""
    fields, level = line.fields, str(line.fields["level"])
    shown = {name: value for name, value in fields.items() if name not in _LEADING_FIELDS}
    if line.process.partition("-")[2] == shown.get("source"):
        shown.pop("source", None)
    at = line.timestamp[:10] + " " + line.timestamp[11:23]
    name = typer.style(f"{printable(str(fields['log'])):<18}", fg=_COLOURS.get(level), bold=level != "info")
    rest = " ".join(f"{typer.style(name + '=', dim=True)}{_format_value(value)}" for name, value in shown.items())
    text = f"{typer.style(at, dim=True)} {line.process:<{width}} {name} {rest}".rstrip()
    trace = [f"    {printable(row)}" for row in str(fields.get("trace", "")).splitlines()]
    return "\n".join([text, *trace])


def _format_value(value: Any) -> str:
    """Return a value as JSON, a single word without its quotes."""
    if isinstance(value, str) and value.isprintable() and value and " " not in value:
        return value
    return printable(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def summary_tables(place: Path | str, summaries: Sequence[Summary]) -> Iterator[FittedTable]:
    """Yield summaries as tables."""
    columns = ("service", "info", "warn", "crit", "damaged", "restarts", "killed", "first", "last")
    rows = [
        (
            s.process, *(s.levels[level] for level in ("info", "warning", "critical")), s.damaged + s.lost,
            s.restarts, s.killed, s.first[5:19].replace("T", " ") or "–", s.last[5:19].replace("T", " ") or "–",
        )
        for s in summaries
    ]  # fmt: skip
    caption = "damaged: cut by a kill, not written (disk full), or of another format"
    yield table(f"Logs in {place}, times of UTC", columns, rows, caption=caption)
    totals = [
        (s.process, unit, total, s.rates().get(unit), s.work_ms / 10 / s.seconds if s.seconds and s.work_ms else None)
        for s in summaries
        for unit, total in s.totals.items()
    ]
    if totals:
        caption = "per second and busy: over the time from the first line to the last one"
        yield table("Done", ("service", "count of", "count", "a second", "busy %"), totals, caption=caption)
    counts = sum((s.names for s in summaries), Counter[str]())
    names = [
        (name, count, ", ".join(f"{s.process} {s.names[name]:,}" for s in summaries if s.names[name]))
        for name, count in counts.most_common()
    ]
    caption = "docs/logs.md explains each log and the action it needs"
    yield table("Logs by name", ("log", "lines", "by"), names, caption=caption)
    refused = [(s.process, code, count) for s in summaries for code, count in s.refused.most_common()]
    if refused:
        caption = "the ledger refuses an event, its party logs it too; waferline logs --name event_refused"
        yield table("Refused", ("service", "code", "events"), refused, caption=caption)


def print_criticals(summaries: Sequence[Summary]) -> None:
    """Print the latest critical lines of some summaries in full, and the last damaged line of each."""
    _print_criticals(sorted((line for s in summaries for line in s.criticals), key=lambda line: line.order))
    for s in summaries:
        if s.damaged:
            typer.echo(f"{s.process}: the last of {s.damaged} damaged lines: {s.damaged_last}")


def _print_criticals(criticals: list[Line]) -> None:
    """Print the latest critical lines in full; a process that stops repeatedly logs the same trace each time."""
    printed: set[str] = set()
    if len(criticals) > _CRITICALS_SHOWN:
        typer.echo(f"{len(criticals) - _CRITICALS_SHOWN} critical lines before: waferline logs --level critical")
    for line in criticals[-_CRITICALS_SHOWN:]:
        trace = str(line.fields.get("trace", ""))
        repeated = line._replace(fields={**line.fields, "trace": "(the trace above)"})
        typer.echo(format_line(repeated if trace in printed else line))
        if trace:
            printed.add(trace)
