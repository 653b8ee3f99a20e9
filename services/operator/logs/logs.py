"""The logs of a stack, read: a summary of what happened, the lines that were asked for, or all of them as they come."""

import json
import re
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, NoReturn

import orjson
import typer

from services.operator.logs.checks import Limits, LogChecks
from services.operator.show.table import open_console, table
from services.operator.stack.finding import find_stack, is_described

Level = Literal["info", "warning", "critical"]

_GRAVITY = {"debug": 0, "info": 1, "warning": 2, "critical": 3}
_COLOURS = {"warning": "yellow", "critical": "red"}
_COUNTED = {"batch_recorded": ("events", "duplicates"), "balances_rolled": ("postings",), "events_taken": ("events",)}
_WORKING = {"batch_recorded", "balances_rolled"}  # their `ms` is work; that of `events_taken` is mostly waiting
_REFUSING = {"event_refused", "refusal_heard"}
_LIVES = {"service_started": True, "service_running": True, "service_stopped": False}
_SHOWN_APART = {"timestamp", "level", "service", "log", "trace"}
_SINCE = re.compile(r"(\d+)([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_BEGINNING = b'{"timestamp":'
_POLL_S = 0.25
_BACK_BYTES = 65_536
_RECENT_LINES = 10
_CRITICALS_SHOWN = 20
_NOT_OURS = "redis"  # Redis writes a log of its own, in its own words
PARTIES = frozenset({"supplier", "datacenter"})
_OTHERS = "others"  # who says what is no line of ours, where all stand in one stream
_PREFIX = re.compile(rb"[\w.-]+ +\| ?")  # which container said it, as compose writes it


class Line(NamedTuple):
    """One line: the process that said it, the fields, and the bytes as they stand in the file."""

    process: str
    fields: Mapping[str, Any]
    text: bytes

    @property
    def timestamp(self) -> str:
        """When it was said; our times are all of one length and zone, so they sort as text."""
        return str(self.fields["timestamp"])

    @property
    def order(self) -> tuple[str, str]:
        """What lines of several processes are sorted by."""
        return self.timestamp, self.process


class Chosen(NamedTuple):
    """Which lines are wanted."""

    service: str | None = None
    level: Level = "info"
    name: str | None = None
    since: str = ""

    def has(self, line: Line) -> bool:
        """Return whether a line is wanted."""
        return (
            line.timestamp >= self.since
            and _GRAVITY.get(line.fields["level"], 1) >= _GRAVITY[self.level]
            and (self.name is None or line.fields["log"] == self.name)
        )

    def reads(self, process: str) -> bool:
        """Return whether the log of a process is wanted: `supplier` is every supplier."""
        return self.service is None or process == self.service or process.startswith(self.service + "-")


@dataclass
class Summary:
    """What one process has said."""

    process: str
    lines: int = 0
    damaged: int = 0  # lines that are none: cut by a kill, or said by nobody of ours
    damaged_last: str = ""
    lost: int = 0  # lines that could not be written: the disk was full
    first: str = ""
    last: str = ""
    levels: Counter[str] = field(default_factory=Counter)
    names: Counter[str] = field(default_factory=Counter)
    totals: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)  # code -> events
    work_ms: float = 0
    restarts: int = 0
    killed: int = 0  # started again without having said that it stopped
    running: Mapping[str, Any] = field(default_factory=dict)  # the last `service_running`
    criticals: list[Line] = field(default_factory=list)
    alive: bool = False

    def add(self, line: Line) -> None:
        """Count a line."""
        fields, name = line.fields, str(line.fields["log"])
        if name == "service_started":  # what it says before, it says while it starts
            self.restarts += any(self.names[life] for life in _LIVES)
            self.killed += self.alive
        if name in _LIVES:
            self.alive = _LIVES[name]
        self.lines += 1
        self.lost += fields.get("lines_lost", 0)
        self.first = min(self.first or line.timestamp, line.timestamp)
        self.last = max(self.last, line.timestamp)
        self.levels[str(fields["level"])] += 1
        self.names[name] += 1
        for counted in _COUNTED.get(name, ()):
            self.totals[counted] += fields.get(counted, 0)
        if name in _WORKING:
            self.work_ms += fields.get("ms", 0)
        if name in _REFUSING:
            self.refused[str(fields.get("code"))] += 1
        elif name == "refusals_left_out":
            self.refused.update(fields.get("codes", {}))
        elif name == "service_running":
            self.running = fields
        if fields["level"] == "critical":
            self.criticals.append(line)

    def add_damaged(self, text: bytes) -> None:
        """Count what is no line."""
        self.damaged += 1
        self.damaged_last = _printable(text.decode(errors="replace"))[:200]

    @property
    def seconds(self) -> float:
        """The time from the first line to the last one."""
        return (
            (datetime.fromisoformat(self.last) - datetime.fromisoformat(self.first)).total_seconds()
            if self.lines
            else 0
        )

    def rates(self) -> dict[str, float]:
        """Return what was done a second, over the time from the first line to the last one."""
        return {name: round(total / self.seconds, 1) for name, total in self.totals.items() if self.seconds}

    def facts(self) -> dict[str, Any]:
        """Return the summary as JSON has it."""
        return {
            "lines": self.lines,
            "damaged": self.damaged,
            "damaged_last": self.damaged_last,
            "lines_lost": self.lost,
            "first": self.first or None,
            "last": self.last or None,
            "s": self.seconds,
            "levels": dict(self.levels),
            "names": dict(self.names.most_common()),
            "totals": dict(self.totals),
            "per_s": self.rates(),
            "busy": round(self.work_ms / 1000 / self.seconds, 4) if self.seconds else None,
            "refused": dict(self.refused.most_common()),
            "restarts": self.restarts,
            "killed": self.killed,
            "running": dict(self.running),
            "criticals": [dict(line.fields) for line in self.criticals],
        }


def parse_line(process: str, text: bytes) -> tuple[Line | None, bytes]:
    """Return the line in a file's line, and what of it is none.

    A process that is killed may leave half a line; the next one then goes on behind it, on the same line.
    """
    fields = _load(text)
    if fields is not None:
        return Line(process, fields, text), b""
    begin = text.rfind(_BEGINNING)
    fields = _load(text[begin:]) if begin > 0 else None
    return (None, text) if fields is None else (Line(process, fields, text[begin:]), text[:begin])


def _load(text: bytes) -> dict[str, Any] | None:
    try:
        fields = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    ours = isinstance(fields, dict) and all(isinstance(fields.get(n), str) for n in ("timestamp", "level", "log"))
    return fields if ours else None


def log_files(folder: Path, chosen: Chosen) -> list[Path]:
    """Return the logs of a stack's processes, in the order of their names."""
    return sorted(
        path for path in (folder / "logs").glob("*.log") if path.stem != _NOT_OURS and chosen.reads(path.stem)
    )


def read_lines(folder: Path, chosen: Chosen, summaries: dict[str, Summary] | None = None) -> Iterator[Line]:
    """Yield the lines that are wanted, file by file; damaged ones are counted in the summaries."""
    for path in log_files(folder, chosen):
        summary = None if summaries is None else summaries.setdefault(path.stem, Summary(path.stem))
        with path.open("rb") as file:
            for text in file:
                if not text.strip():
                    continue
                line, damaged = parse_line(path.stem, text.strip())
                if damaged and summary is not None:
                    summary.add_damaged(damaged)
                if line is not None and chosen.has(line):
                    yield line


def read_stream(texts: Iterable[bytes], chosen: Chosen, summaries: dict[str, Summary] | None = None) -> Iterator[Line]:
    """Yield the lines that are wanted of a stream in which all processes speak; each line names its own.

    What is none of ours (Redis, PostgreSQL and whoever else is in the same compose file) is counted, and passed over.
    """
    for text in texts:
        said = _PREFIX.sub(b"", text.strip(), count=1) if text[:1] != b"{" else text.strip()
        if not said:
            continue
        line, damaged = parse_line("", said)
        if damaged and summaries is not None:
            summaries.setdefault(_OTHERS, Summary(_OTHERS)).add_damaged(damaged)
        if line is None:
            continue
        line = line._replace(process=process_of(line.fields))
        if chosen.reads(line.process) and chosen.has(line):
            yield line


def process_of(fields: Mapping[str, Any]) -> str:
    """Return who says a line, as a stack names its processes: `ledger`, `supplier-samsung`."""
    service = str(fields.get("service"))
    return f"{service}-{fields['source']}" if service in PARTIES and "source" in fields else service


def summarise(lines: Iterable[Line], summaries: dict[str, Summary]) -> list[Summary]:
    """Return a summary of each process; what is damaged is counted by whoever reads the lines."""
    for line in lines:
        summaries.setdefault(line.process, Summary(line.process)).add(line)
    return [summaries[process] for process in sorted(summaries)]


class _Tail:
    """One file that grows; a line counts once its end is there."""

    def __init__(self, path: Path, back: int) -> None:
        self.path = path
        self.inode = 0
        self.offset = max(0, path.stat().st_size - back)
        self.cut = self.offset > 0  # it begins within a line
        self.rest = b""

    def read(self) -> list[bytes]:
        """Return the whole lines that are new."""
        with self.path.open("rb") as file:
            stat = self.path.stat()
            if stat.st_size < self.offset or (self.inode and stat.st_ino != self.inode):
                self.offset, self.rest, self.cut = 0, b"", False  # another file of this name
            self.inode = stat.st_ino
            file.seek(self.offset)
            new = file.read()
        self.offset += len(new)
        *lines, self.rest = (self.rest + new).split(b"\n")
        if self.cut and lines:
            del lines[0]
            self.cut = False
        return [line for line in lines if line.strip()]


def follow_lines(
    folder: Path,
    chosen: Chosen,
    *,
    now: Callable[[], str],
    wait: Callable[[], None] = lambda: time.sleep(_POLL_S),
) -> Iterator[Line]:
    """Yield the lines that are wanted as they come, merged by time: the recent ones (or all since a time) first.

    A line is held back for one look at all files, so that an earlier one of another process comes before it.
    """
    tails: dict[Path, _Tail] = {}
    held: list[Line] = []
    settled, begun = "", False
    while True:
        looked = now()
        for path in log_files(folder, chosen):
            if path not in tails:
                tails[path] = _Tail(path, back=_BACK_BYTES if not (chosen.since or begun) else 1 << 62)
            for text in tails[path].read():
                line, _ = parse_line(path.stem, text)
                if line is not None and chosen.has(line):
                    held.append(line)
        held.sort(key=lambda line: line.order)
        if begun:
            due = [line for line in held if line.timestamp <= settled]
            yield from due
            held = held[len(due) :]
        else:
            yield from held if chosen.since else deque(held, maxlen=_RECENT_LINES)
            held, begun = [], True
        settled = looked
        wait()


def parse_since(text: str, now: datetime) -> str:
    """Return from when on: `30s`, `5m`, `2h`, `1d` ago, or a date, or a time (of UTC, where it does not say)."""
    ago = _SINCE.fullmatch(text)
    if ago is not None:
        since = now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    else:
        since = datetime.fromisoformat(text)
        since = since.replace(tzinfo=UTC) if since.tzinfo is None else since.astimezone(UTC)
    return _timestamp(since)


def _timestamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def one_line(line: Line, width: int = 0) -> str:
    """Return a line for a person: when, who, what, then the fields, coloured by its level; a trace below."""
    fields, level = line.fields, str(line.fields["level"])
    shown = {name: value for name, value in fields.items() if name not in _SHOWN_APART}
    if line.process.partition("-")[2] == shown.get("source"):
        shown.pop("source", None)
    at = line.timestamp[:10] + " " + line.timestamp[11:23]
    name = typer.style(f"{_printable(str(fields['log'])):<18}", fg=_COLOURS.get(level), bold=level != "info")
    rest = " ".join(f"{typer.style(name + '=', dim=True)}{_value(value)}" for name, value in shown.items())
    text = f"{typer.style(at, dim=True)} {line.process:<{width}} {name} {rest}".rstrip()
    trace = [f"    {_printable(row)}" for row in str(fields.get("trace", "")).splitlines()]
    return "\n".join([text, *trace])


def _value(value: Any) -> str:
    """Return a value as it is read best; a partner's text cannot speak to the terminal."""
    if isinstance(value, str) and value.isprintable() and value and " " not in value:
        return value
    return _printable(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def show_summaries(place: Path | str, summaries: Iterable[Summary]) -> None:
    """Print summaries for a person."""
    console, summaries = open_console(), list(summaries)
    columns = ("service", "info", "warn", "crit", "damaged", "restarts", "killed", "first", "last")
    rows = [
        (
            s.process, *(s.levels[level] for level in ("info", "warning", "critical")), s.damaged + s.lost,
            s.restarts, s.killed, s.first[5:19].replace("T", " ") or "–", s.last[5:19].replace("T", " ") or "–",
        )
        for s in summaries
    ]  # fmt: skip
    damaged = "damaged: cut by a kill, not written (disk full), or no line of ours"
    console.print(table(f"Logs in {place}, times of UTC", columns, rows, caption=damaged))
    done = [
        (s.process, what, total, s.rates().get(what), s.work_ms / 10 / s.seconds if s.seconds and s.work_ms else None)
        for s in summaries
        for what, total in s.totals.items()
    ]
    if done:
        caption = "over the time from the first line to the last one; busy: of that time, at this work"
        console.print(table("Done", ("service", "what", "count", "a second", "busy %"), done, caption=caption))
    totals = sum((s.names for s in summaries), Counter[str]())
    names = [
        (name, count, ", ".join(f"{s.process} {s.names[name]:,}" for s in summaries if s.names[name]))
        for name, count in totals.most_common()
    ]
    caption = "docs/logs.md says what each means and what to do"
    console.print(table("What was said", ("log", "lines", "by"), names, caption=caption))
    refused = [(s.process, code, count) for s in summaries for code, count in s.refused.most_common()]
    if refused:
        caption = "the ledger refuses, the party hears it; waferline logs --name event_refused"
        console.print(table("Refused", ("service", "code", "events"), refused, caption=caption))
    _show_criticals(sorted((line for s in summaries for line in s.criticals), key=lambda line: line.order))
    for s in summaries:
        if s.damaged:
            typer.echo(f"{s.process}: the last of {s.damaged} damaged lines: {s.damaged_last}")


def _show_criticals(criticals: list[Line]) -> None:
    """Print the latest stops in full; a process that stops again and again says the same trace each time."""
    shown: set[str] = set()
    if len(criticals) > _CRITICALS_SHOWN:
        typer.echo(f"{len(criticals) - _CRITICALS_SHOWN} critical lines before: waferline logs --level critical")
    for line in criticals[-_CRITICALS_SHOWN:]:
        trace = str(line.fields.get("trace", ""))
        again = trace in shown
        typer.echo(one_line(line._replace(fields={**line.fields, "trace": "(the trace above)"}) if again else line))
        if trace:
            shown.add(trace)


def logs_command(
    file: Annotated[
        Path | None,
        typer.Argument(help="What compose has printed; - for standard input. None: a stack's folder.", allow_dash=True),
    ] = None,
    data: Annotated[Path, typer.Option("--data", envvar="WAFERLINE_STACK", help="The folder of the stack.")] = Path(
        "data"
    ),
    service: Annotated[str | None, typer.Option(help="Of one service: ledger, supplier, supplier-samsung.")] = None,
    level: Annotated[Level | None, typer.Option(help="The lines of this level and above.")] = None,
    name: Annotated[str | None, typer.Option(help="The lines of this name: event_refused.")] = None,
    since: Annotated[str | None, typer.Option(help="30s, 5m, 2h or 1d ago, or a UTC time: 2026-11-23T13:00.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Say what needs a person, and exit with 1 if any.")] = False,
    silent_s: Annotated[float, typer.Option(help="With --check: how long a service may say nothing.")] = 30,
    refused_percent: Annotated[float, typer.Option(help="With --check: how many of a source's events.")] = 1,
    expect: Annotated[str, typer.Option(help="With --check: who must have said something: ledger,aggregator")] = "",
    json_: Annotated[bool, typer.Option("--json", help="The lines as they are; the summary as an object.")] = False,
) -> None:
    """Print a summary of what the services have logged; with --level, --name or --follow the lines themselves.

    Example: waferline logs --level warning --since 1h

    Example: docker compose logs --no-log-prefix --no-color | waferline logs - --check
    """
    try:
        begin = "" if since is None else parse_since(since, datetime.now(UTC))
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(f"{since!r} is neither 5m nor a time", param_hint="--since") from error
    chosen = Chosen(service, level or "info", name, begin)
    source = Streamed(file) if file is not None else _Kept(find_stack(data), chosen, must=not follow)
    summaries: dict[str, Summary] = {}
    if check:
        limits = Limits(silent_s, refused_percent, tuple(each for each in expect.split(",") if each))
        _check(source.read(chosen, summaries), limits, source.place, json_=json_)
    elif follow:
        try:
            for line in source.follow(chosen):
                _print_line(line, source.width, raw=json_)
        except KeyboardInterrupt:
            raise typer.Exit from None
    elif level is not None or name is not None:
        for line in sorted(source.read(chosen, summaries), key=lambda line: line.order):
            _print_line(line, source.width, raw=json_)
    else:
        found = summarise(source.read(chosen, summaries), summaries)
        if json_:
            typer.echo(json.dumps({s.process: s.facts() for s in found}, indent=1))
        else:
            show_summaries(source.place, found)


class _Kept:
    """The logs that a stack keeps in its folder, a file a process."""

    def __init__(self, folder: Path, chosen: Chosen, *, must: bool) -> None:
        if is_described(folder):
            _give_up(
                f"the stack of {folder} runs elsewhere, and so do its logs: have whoever runs it print them, as in"
                " `docker compose logs --no-log-prefix --no-color | waferline logs -`, or name a folder with --data"
            )
        self.folder, self.place = folder, str(folder / "logs")
        files = log_files(folder, chosen)
        self.width = max((len(path.stem) for path in files), default=0)
        if must and not files:
            known = ", ".join(path.stem for path in log_files(folder, Chosen()))
            why = f"there are those of {known}" if known else "has a stack run there? Another folder: --data"
            _give_up(f"no log of {chosen.service or 'a service'} in {self.place}: {why}")

    def read(self, chosen: Chosen, summaries: dict[str, Summary]) -> Iterator[Line]:
        return read_lines(self.folder, chosen, summaries)

    def follow(self, chosen: Chosen) -> Iterator[Line]:
        return follow_lines(self.folder, chosen, now=lambda: _timestamp(datetime.now(UTC)))


class Streamed:
    """The lines of all processes in one stream, as compose prints them."""

    width = 0  # nobody knows who will speak

    def __init__(self, file: Path) -> None:
        self.file, self.place = file, "standard input" if str(file) == "-" else str(file)

    def read(self, chosen: Chosen, summaries: dict[str, Summary] | None = None) -> Iterator[Line]:
        if str(self.file) == "-":
            yield from read_stream(typer.get_binary_stream("stdin"), chosen, summaries)
            return
        try:
            with self.file.open("rb") as texts:
                yield from read_stream(texts, chosen, summaries)
        except OSError as error:
            _give_up(f"{self.file}: {error.strerror}")

    def follow(self, chosen: Chosen) -> Iterator[Line]:
        """Yield the lines as they come: `docker compose logs --follow` merges them."""
        return self.read(chosen)


def _check(lines: Iterable[Line], limits: Limits, place: str, *, json_: bool) -> None:
    """Print what needs a person, one line each, and exit with 1 if anything does; also where nobody said anything."""
    checks = LogChecks()
    for line in lines:
        checks.add(line.process, line.fields)
    if not checks.lines:
        _give_up(f"not a line of a service in {place}: is that their log, and does --since reach back far enough?")
    troubles = checks.troubles(datetime.now(UTC), limits)
    if json_:
        typer.echo(json.dumps([trouble._asdict() for trouble in troubles], indent=1))
    elif troubles:
        for trouble in troubles:
            typer.echo(_printable(str(trouble)))
    else:
        typer.echo(f"nothing needs a person: {checks.lines:,} lines of {len(checks.processes)} services in {place}")
    if troubles:
        raise typer.Exit(1)


def _give_up(why: str) -> NoReturn:
    typer.secho(f"waferline: {why}", fg="red", err=True)
    raise typer.Exit(1)


def _print_line(line: Line, width: int, *, raw: bool) -> None:
    typer.echo(line.text if raw else one_line(line, width))
