"""Summary of a process's log: line counts, events and rates, refusals, restarts, critical lines."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.operator.logs.lines import Line, printable

_COUNTED_FIELDS = {
    "batch_recorded": ("events", "duplicates"), "balances_rolled": ("postings",), "events_taken": ("events",),
}  # fmt: skip
_WORK = {"batch_recorded", "balances_rolled"}  # their `ms` is work; that of `events_taken` is mostly waiting
_REFUSALS = {"event_refused", "refusal_heard"}
_ALIVE_AFTER = {"service_started": True, "service_running": True, "service_stopped": False}


@dataclass
class Summary:
    """Counts over the lines of one process."""

    process: str
    lines: int = 0
    damaged: int = 0  # lines cut by a kill, or of another format
    damaged_last: str = ""
    lost: int = 0  # lines not written because the disk was full
    first: str = ""
    last: str = ""
    levels: Counter[str] = field(default_factory=Counter)
    names: Counter[str] = field(default_factory=Counter)
    totals: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)  # code -> events
    work_ms: float = 0
    restarts: int = 0
    killed: int = 0  # starts without a `service_stopped` before them
    running: Mapping[str, Any] = field(default_factory=dict)  # the last `service_running`
    criticals: list[Line] = field(default_factory=list)
    alive: bool = False

    def add(self, line: Line) -> None:
        """Count a line."""
        fields, name = line.fields, str(line.fields["log"])
        if name == "service_started":  # a process also logs while it starts, before this line
            self.restarts += any(self.names[life] for life in _ALIVE_AFTER)
            self.killed += self.alive
        if name in _ALIVE_AFTER:
            self.alive = _ALIVE_AFTER[name]
        self.lines += 1
        self.lost += fields.get("lines_lost", 0)
        self.first = min(self.first or line.timestamp, line.timestamp)
        self.last = max(self.last, line.timestamp)
        self.levels[str(fields["level"])] += 1
        self.names[name] += 1
        for counted in _COUNTED_FIELDS.get(name, ()):
            self.totals[counted] += fields.get(counted, 0)
        if name in _WORK:
            self.work_ms += fields.get("ms", 0)
        if name in _REFUSALS:
            self.refused[str(fields.get("code"))] += 1
        elif name == "refusals_left_out":
            self.refused.update(fields.get("codes", {}))
        elif name == "service_running":
            self.running = fields
        if fields["level"] == "critical":
            self.criticals.append(line)

    def add_damaged(self, text: bytes) -> None:
        """Count a damaged line."""
        self.damaged += 1
        self.damaged_last = printable(text.decode(errors="replace"))[:200]

    @property
    def seconds(self) -> float:
        """The time from the first line to the last one."""
        if not self.lines:
            return 0
        return (datetime.fromisoformat(self.last) - datetime.fromisoformat(self.first)).total_seconds()

    def rates(self) -> dict[str, float]:
        """Return the totals per second, from the first line to the last one."""
        return {name: round(total / self.seconds, 1) for name, total in self.totals.items() if self.seconds}

    def facts(self) -> dict[str, Any]:
        """Return the summary as JSON values."""
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


def summarise(lines: Iterable[Line], summaries: dict[str, Summary]) -> list[Summary]:
    """Return the summary of each process; the reader of the lines has counted the damaged ones in `summaries`."""
    for line in lines:
        summaries.setdefault(line.process, Summary(line.process)).add(line)
    return [summaries[process] for process in sorted(summaries)]
