"""What in the logs needs a person: each sign by its name, and from where on it is one; docs/logs.md lists them."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

_LIVES = {"service_started": True, "service_running": True, "service_stopped": False}
_ALARMING = {"identity_conflict", "foreign_source"}  # refusals that are no mistake in a file
_UNREAD = {"damaged", "unreadable", "ledger_missed"}  # snapshots that are not only of other settings
_NOT_AWAY = {"uvicorn.error", "asyncio"}  # libraries whose errors are ours; those of redis say that it is away
_TOO_MANY_REQUESTS = 429
_OFTEN = 3  # of what is nothing once, and of the looks at what should move
_ONLY_OFTEN = {"resent", "redis_missed"}
_OPENED = {"sequences_missed": "gap", "gap_found": "batches_missing"}
_CLOSED = {"sequences_filled": "gap", "gap_closed": "batches_missing"}
_OPEN_MAX_S = 60.0  # an outbox sends again after 10 s, and the ledger answers within 30 s


class Limits(NamedTuple):
    """From where on something is a sign."""

    silent_s: float = 30.0  # three times what is between two `service_running`
    refused_percent: float = 1.0  # of a source's events
    expected: tuple[str, ...] = ()  # processes that must have said something


class Trouble(NamedTuple):
    """One sign: whose, how often, when last, and what it says."""

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
class _Process:
    """What is remembered of one process."""

    alive: bool = False
    last: str = ""
    steps: list[tuple[int, int]] = field(default_factory=list)  # how far it was, and should have been, when it looked


class LogChecks:
    """Looks at lines, those of each process in their order, and finds the signs in them."""

    def __init__(self) -> None:
        self.lines = 0
        self.processes: dict[str, _Process] = defaultdict(_Process)
        self.noted: Counter[tuple[str, str]] = Counter()  # process, sign
        self.latest: dict[tuple[str, str], tuple[str, str]] = {}  # process, sign -> when, why
        self.open: dict[tuple[str, str], tuple[str, str, str]] = {}  # sign, whose -> process, since when, why
        self.judged: dict[str, Counter[str]] = defaultdict(Counter)  # source -> events, refused
        self.heads: dict[int, str] = {}  # position -> head

    def add(self, process: str, fields: Mapping[str, Any]) -> None:
        """Look at a line."""
        name, at, seen = str(fields["log"]), str(fields["timestamp"]), self.processes[process]
        if name == "service_started" and seen.alive:
            self._note(process, "killed", at, "it started again without having stopped: look at the host")
        for sign, why in _signs_in(name, fields):
            self._note(process, sign, at, why)
        if name == "service_running":
            self._follow(process, at, fields, seen)
        elif name == "batch_recorded":
            self.judged[fields["source"]].update(events=fields.get("events", 0), refused=fields.get("refused", 0))
        elif name in _OPENED:
            why = fields.get("reason") or f"sequences {fields.get('first')} to {fields.get('last')} are missing"
            self.open.setdefault((_OPENED[name], fields.get("source", process)), (process, at, why))
        elif name in _CLOSED:
            self.open.pop((_CLOSED[name], fields.get("source", process)), None)
        seen.alive, seen.last = _LIVES.get(name, seen.alive), max(seen.last, at)
        self.lines += 1

    def _follow(self, process: str, at: str, fields: Mapping[str, Any], seen: _Process) -> None:
        """Look at how far a process says it is."""
        if fields.get("head"):  # before the first batch the aggregator has none
            before = self.heads.setdefault(fields["position"], fields["head"])
            if before != fields["head"]:
                why = f"{fields['head'][:16]} after batch {fields['position']}, and {before[:16]} was said before"
                self._note(process, "heads_differ", at, why + ": waferline verify")
        for done, due in (("told", "position"), ("recorded", "said")):  # of the ledger, of a party
            if done in fields:
                seen.steps = [*seen.steps[1 - _OFTEN :], (fields[done], fields[due])]

    def _note(self, process: str, sign: str, at: str, why: str) -> None:
        self.noted[process, sign] += 1
        self.latest[process, sign] = (at, why)

    def troubles(self, now: datetime, limits: Limits) -> list[Trouble]:
        """Return what needs a person, by process and sign."""
        return sorted((*self._noted(), *self._standing(now, limits), *self._refusing(limits)), key=lambda t: t[:2])

    def _noted(self) -> Iterator[Trouble]:
        for (process, sign), times in self.noted.items():
            if sign not in _ONLY_OFTEN or times >= _OFTEN:
                yield Trouble(process, sign, times, *self.latest[process, sign])

    def _standing(self, now: datetime, limits: Limits) -> Iterator[Trouble]:
        """Yield what has not come though it should have by now."""
        for (sign, whose), (process, at, why) in self.open.items():
            if at < _before(now, _OPEN_MAX_S):
                yield Trouble(process, sign, 1, at, f"{whose}: {why}")
        for process, seen in self.processes.items():
            if seen.alive and seen.last < _before(now, limits.silent_s):
                yield Trouble(process, "silent", 1, seen.last, "it has not said that it stopped: it hangs, or is gone")
            if len(seen.steps) == _OFTEN and len({done for done, _ in seen.steps}) == 1:
                done, due = seen.steps[0]
                if done < due:
                    yield Trouble(process, "stuck", 1, seen.last, f"it stands at {done}, and was to come to {due}")
        for process in limits.expected:
            if process not in self.processes:
                yield Trouble(process, "missing", 1, None, "there is no line of it")

    def _refusing(self, limits: Limits) -> Iterator[Trouble]:
        for source, judged in self.judged.items():
            total = judged.total()
            if judged["refused"] * 100 > limits.refused_percent * total:
                why = f"{judged['refused']:,} of {total:,} events: waferline logs --name event_refused"
                yield Trouble(source, "refused", 1, None, why)


def _signs_in(name: str, fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the signs that one line is by itself, and what it says."""
    reason = str(fields.get("reason", ""))
    code = fields.get("code")
    if "lines_lost" in fields:
        yield "lines_lost", f"{fields['lines_lost']} lines could not be written: the disk was full"
    if name == "service_stopped" and fields["level"] == "critical":
        yield "stopped", reason
    elif name == "ledger_fenced":
        yield "fenced", reason
    elif name == "stream_receded":
        yield "receded", f"{fields['stream']} was read to {fields['position']}, and now ends with {fields['end']}"
    elif name == "stream_waited":
        yield "waited", f"an entry of {fields['stream']} is not read"
    elif name == "event_refused" and code in _ALARMING:
        yield "alarming", f"{code}: {fields['source']}/{fields['id']}"
    elif name == "snapshot_failed" or (name == "snapshot_refused" and code in _UNREAD):
        yield "snapshot", reason
    elif name == "store_changed":
        yield "store_changed", f"epoch {fields['epoch_before']} before, {fields['epoch']} now"
    elif name == "library_warned" and fields["library"] in _NOT_AWAY and fields["severity"] != "warning":
        yield "failed", f"{fields['library']}: {fields['message']}"
    elif name == "request_refused" and fields["status"] == _TOO_MANY_REQUESTS:
        yield "door_closed", reason
    elif name == "events_resent":
        yield "resent", f"{fields['events']:,} events behind {fields['position']:,}: the ledger was silent"
    elif name == "redis_missed":
        yield "redis_missed", reason


def _before(now: datetime, seconds: float) -> str:
    """Return a time as our lines say it; they sort as text."""
    return (now - timedelta(seconds=seconds)).astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"
