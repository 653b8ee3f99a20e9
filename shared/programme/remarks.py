"""The remarks of planners in force: acknowledgements of alerts, and notes on lines, sites, products and alerts."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from hashlib import sha256
from typing import Any, NamedTuple

from shared.programme.revised import Place, RevisedFacts
from shared.wire.alerts import AlertName
from shared.wire.days import DAY_US, day_number
from shared.wire.events import PREFIX, VERSION, AlertAcknowledged, NoteAdded
from shared.wire.rows import REMARKS, Row


class Acknowledgement(NamedTuple):
    """A planner's acknowledgement of an alert."""

    alert: str  # the alert's name as a text
    assignee: str
    note: str
    snoozed_until: int | None  # since 1970; it is snoozed while today is before that day
    by: str
    on: int  # the day of the event
    revision: int
    source: str
    event: str

    def is_snoozed(self, today: int | None) -> bool:
        """Return whether the alert need not be shown first on the state's today."""
        return self.snoozed_until is not None and today is not None and today < self.snoozed_until


class Note(NamedTuple):
    """A planner's note."""

    note: str
    about: str
    text: str
    by: str
    on: int  # the day of the event
    revision: int
    source: str
    event: str


class RemarksInForce(NamedTuple):
    """The remarks in force at a position; immutable."""

    acknowledged: Mapping[str, Acknowledgement]  # by the alert's name
    before: Mapping[str, Sequence[Acknowledgement]]  # by the alert's name without its day, oldest first
    notes: Mapping[str, Sequence[Note]]  # by their subject, oldest first

    def of_alert(self, alert: AlertName) -> tuple[Acknowledgement | None, Acknowledgement | None]:
        """Return the acknowledgement of an alert, and the last one of an earlier alert of the same code and subject."""
        others = [each for each in self.before.get(alert._replace(day=None).text, ()) if each.alert != alert.text]
        return self.acknowledged.get(alert.text), others[-1] if others else None

    def about(self, *things: str) -> list[Note]:
        """Return the notes on some things, the oldest first."""
        found = [note for thing in things for note in self.notes.get(thing, ())]
        return sorted(found, key=lambda note: (note.on, note.event))


class Remarks(RevisedFacts):
    """The fold of the planners' remarks; one acknowledgement holds of an alert, and one text of a planner's note."""

    names = REMARKS

    def __init__(self) -> None:
        super().__init__()
        self._in_force: RemarksInForce | None = None

    def forget(self) -> None:
        super().forget()
        self._in_force = None

    @staticmethod
    def place_of(row: Row) -> Place:
        return row.name, row.others["alert"] if row.name == AlertAcknowledged.type else f"{row.source}/{row.line}"

    def in_force(self) -> RemarksInForce:
        """Return the remarks that neither another one of the same name nor a withdrawal has ended."""
        if self._in_force is None:
            rows = [row for row in self.latest().values() if not row.others["withdrawn"]]
            rows.sort(key=lambda row: (row.time, row.id))
            acknowledged = [_acknowledgement(row) for row in rows if row.name == AlertAcknowledged.type]
            before, notes = defaultdict(list), defaultdict(list)
            for each in acknowledged:
                before[_without_day(each.alert)].append(each)
            for note in (_note(row) for row in rows if row.name == NoteAdded.type):
                notes[note.about].append(note)
            self._in_force = RemarksInForce({each.alert: each for each in acknowledged}, before, notes)
        return self._in_force


def line_about(kind: str, source: str, line: str) -> str:
    """Return the subject of a note on a line."""
    return f"line/{kind}/{source}/{line}"


def note_name(about: str, text: str, now: datetime) -> str:
    """Return a name for a new note, which no other note has."""
    return f"n-{sha256(f'{now.isoformat()} {about} {text}'.encode()).hexdigest()[:12]}"


def remark_event(planner: str, type_: str, data: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Return a planner's remark as a CloudEvent, which its party numbers."""
    return {
        "specversion": "1.0", "source": planner, "type": PREFIX + type_ + VERSION, "time": now.isoformat(),
        "data": dict(data),
    }  # fmt: skip


def _without_day(alert: str) -> str:
    try:
        return AlertName.read(alert)._replace(day=None).text
    except ValueError:  # a day that no calendar has
        return alert


def _acknowledgement(row: Row) -> Acknowledgement:
    data, until = row.others, row.others["snoozed_until"]
    return Acknowledgement(
        data["alert"], data["assignee"], data["note"], None if until is None else day_number(date.fromisoformat(until)),
        data["by"], row.time // DAY_US, row.revision or 0, row.source, row.id,
    )  # fmt: skip


def _note(row: Row) -> Note:
    data = row.others
    return Note(
        str(row.line),
        data["about"],
        data["text"],
        data["by"],
        row.time // DAY_US,
        row.revision or 0,
        row.source,
        row.id,
    )
