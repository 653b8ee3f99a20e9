"""Checks of log lines: each sign of trouble by its name, and its threshold; docs/logs.md lists the signs."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from services.operator.logs.lines import timestamp

_ALIVE_AFTER = {"service_started": True, "service_running": True, "service_stopped": False}
_ALARMING = {"identity_conflict", "foreign_source"}  # refusals that a mistake in a file does not explain
_UNREADABLE = {"damaged", "unreadable", "ledger_missed"}  # not: a snapshot of other settings
_OUR_LIBRARIES = {"uvicorn.error", "asyncio"}  # an error of redis only means that Redis is away
_TOO_MANY_REQUESTS = 429
_REPEATS_MIN = 3  # of a sign that means nothing once, and of the reports of a position that should advance
_REPEATED_SIGNS = {"resent", "redis_missed", "not_sent"}
_SIGNS_BY_REASON = {"ledger_fenced": "fenced", "redis_missed": "redis_missed"}
_OPENED = {"sequences_missed": "gap", "gap_found": "batches_missing"}
_CLOSED = {"sequences_filled": "gap", "gap_closed": "batches_missing"}
_AHEAD_MAX_S = 60.0  # of the clock of another machine
_OPEN_MAX_S = 60.0  # an outbox sends again after 10 s, and the ledger answers within 30 s


class LogThresholds(NamedTuple):
    """Thresholds above which a sign is reported."""

    silent_s: float = 30.0  # three times the interval of `service_running`
    refused_percent: float = 1.0  # of a source's events
    expected: tuple[str, ...] = ()  # processes that must have logged a line


class Trouble(NamedTuple):
    """One sign: its process, count, last time, and reason."""

    process: str
    sign: str
    times: int
    last: str | None
    why: str

    def __str__(self) -> str:
        often = "" if self.times == 1 else f" {self.times:,} times"
        last = "" if self.last is None else f", last at {self.last[:19]}Z"
        return f"{self.process}: {self.sign}{often}{last}: {self.why}"


@dataclass
class _ProcessState:
    """State of one process, as of its lines so far."""

    alive: bool = False
    last: str = ""
    steps: list[tuple[int, int]] = field(default_factory=list)  # positions reached and due, of its latest reports


class LogChecks:
    """Finds the signs of trouble in lines; the lines of each process come in order."""

    def __init__(self) -> None:
        self.lines = 0
        self.processes: dict[str, _ProcessState] = defaultdict(_ProcessState)
        self.counts: Counter[tuple[str, str]] = Counter()  # process, sign
        self.latest: dict[tuple[str, str], tuple[str, str]] = {}  # process, sign -> when, why
        self.open: dict[tuple[str, str], tuple[str, str, str]] = {}  # sign, source or process -> process, since, why
        self.judged: dict[str, Counter[str]] = defaultdict(Counter)  # source -> events, refused
        self.heads: dict[int, str] = {}  # position -> head

    def add(self, process: str, fields: Mapping[str, Any]) -> None:
        """Check a line."""
        name, at, state = str(fields["log"]), str(fields["timestamp"]), self.processes[process]
        if name == "service_started" and state.alive:
            self._note(process, "killed", at, "it started again without having stopped: look at the host")
        for sign, why in _signs_in(name, fields):
            self._note(process, sign, at, why)
        if name == "service_running":
            self._check_position(process, at, fields, state)
        elif name == "batch_recorded":
            self.judged[fields["source"]].update(events=fields.get("events", 0), refused=fields.get("refused", 0))
        elif name in _OPENED:
            why = fields.get("reason") or f"sequences {fields.get('first')} to {fields.get('last')} are missing"
            self.open.setdefault((_OPENED[name], fields.get("source", process)), (process, at, why))
        elif name in _CLOSED:
            self.open.pop((_CLOSED[name], fields.get("source", process)), None)
        state.alive, state.last = _ALIVE_AFTER.get(name, state.alive), max(state.last, at)
        self.lines += 1

    def _check_position(self, process: str, at: str, fields: Mapping[str, Any], state: _ProcessState) -> None:
        """Check the position that a process reports."""
        if fields.get("head"):  # the aggregator has no head before the first batch
            before = self.heads.setdefault(fields["position"], fields["head"])
            if before != fields["head"]:
                why = f"{fields['head'][:16]} after batch {fields['position']}, and {before[:16]} was reported before"
                self._note(process, "heads_differ", at, why + ": waferline verify")
        for done, due in (("told", "position"), ("recorded", "said")):  # of the ledger, of a party
            if done in fields:
                state.steps = [*state.steps[1 - _REPEATS_MIN :], (fields[done], fields[due])]

    def _note(self, process: str, sign: str, at: str, why: str) -> None:
        self.counts[process, sign] += 1
        self.latest[process, sign] = (at, why)

    def troubles(self, now: datetime, thresholds: LogThresholds) -> list[Trouble]:
        """Return the signs, sorted by process and sign."""
        return sorted(
            (*self._repeated(), *self._overdue(now, thresholds), *self._refusing(thresholds)), key=lambda t: t[:2]
        )

    def _repeated(self) -> Iterator[Trouble]:
        for (process, sign), times in self.counts.items():
            if sign not in _REPEATED_SIGNS or times >= _REPEATS_MIN:
                yield Trouble(process, sign, times, *self.latest[process, sign])

    def _overdue(self, now: datetime, thresholds: LogThresholds) -> Iterator[Trouble]:
        """Yield the signs of lines that are overdue at `now`, and of processes with a later last line."""
        for (sign, subject), (process, at, why) in self.open.items():
            if at < _before(now, _OPEN_MAX_S):
                yield Trouble(process, sign, 1, at, f"{subject}: {why}")
        for process, state in self.processes.items():
            if state.last > _before(now, -_AHEAD_MAX_S):
                why = (
                    f"its last line is later than the clock here, {timestamp(now)[:19]}Z: nothing can be found overdue"
                )
                yield Trouble(process, "clock", 1, state.last, why)
            if state.alive and state.last < _before(now, thresholds.silent_s):
                yield Trouble(process, "silent", 1, state.last, "no line since, and no stop: it hangs, or is gone")
            if len(state.steps) == _REPEATS_MIN and len({done for done, _ in state.steps}) == 1:
                done, due = state.steps[0]
                if done < due:
                    yield Trouble(process, "stuck", 1, state.last, f"it stays at {done}, and {due} is due")
        for process in thresholds.expected:
            if process not in self.processes:
                yield Trouble(process, "missing", 1, None, "no line of it")

    def _refusing(self, thresholds: LogThresholds) -> Iterator[Trouble]:
        for source, judged in self.judged.items():
            total = judged.total()
            if judged["refused"] * 100 > thresholds.refused_percent * total:
                why = f"{judged['refused']:,} of {total:,} events: waferline logs --name event_refused"
                yield Trouble(source, "refused", 1, None, why)


def _signs_in(name: str, fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the signs that one line gives by itself, each with its reason."""
    reason = str(fields.get("reason", ""))
    code = fields.get("code")
    if "lines_lost" in fields:
        yield "lines_lost", f"{fields['lines_lost']} lines could not be written: the disk was full"
    if name == "service_stopped" and fields["level"] == "critical":
        yield "stopped", reason
    elif name in _SIGNS_BY_REASON:
        yield _SIGNS_BY_REASON[name], reason
    elif name == "stream_receded":
        yield "receded", f"{fields['stream']} was read to {fields['position']}, and now ends with {fields['end']}"
    elif name == "ledger_receded":
        yield "lost", f"the ledger has {fields['position']:,} events, and had {fields['position_before']:,}"
    elif name == "entry_garbled":
        yield "garbled", f"entry {fields['entry']} of {fields['stream']}: {reason}"
    elif name == "stream_waited":
        yield "waited", f"an entry of {fields['stream']} is not read"
    elif name == "event_refused" and code in _ALARMING:
        yield "alarming", f"{code}: {fields['source']}/{fields['id']}"
    elif name == "snapshot_failed" or (name == "snapshot_refused" and code in _UNREADABLE):
        yield "snapshot", reason
    elif name == "store_changed":
        yield "store_changed", f"epoch {fields['epoch_before']} before, {fields['epoch']} now"
    elif name == "library_warned" and fields["library"] in _OUR_LIBRARIES and fields["severity"] != "warning":
        yield "failed", f"{fields['library']}: {fields['message']}"
    elif name == "request_refused" and fields["status"] == _TOO_MANY_REQUESTS:
        yield "door_closed", reason
    elif name == "events_resent":
        yield "resent", f"{fields['events']:,} events behind {fields['position']:,}: the ledger was silent"
    elif name == "message_not_sent":
        yield "not_sent", f"to {fields['target']}: {reason}"


def _before(now: datetime, seconds: float) -> str:
    """Return the timestamp `seconds` before `now`; timestamps sort as text."""
    return timestamp(now - timedelta(seconds=seconds))
