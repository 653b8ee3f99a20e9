"""Log of a simulated source: on each day its events at their times, its mistakes, and at the end the watermark."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from shared.play.numbering import Numbering
from shared.play.script import Mistake
from shared.wire.days import DAY
from shared.wire.events import Event, EventData, SourceAdvanced

_FIRST_EVENT_AT = timedelta(hours=6)
_EVENT_INTERVAL = timedelta(seconds=4)
_WATERMARK_AT = timedelta(hours=23, minutes=59, seconds=59)


class SourceLog:
    """The events of one source, day after day."""

    def __init__(self, source: str, mistakes: Sequence[Mistake], start: date, until: date) -> None:
        self.start = start
        self.today = start - DAY
        self._until = until
        self._numbering = Numbering(source)
        self._mistakes = [mistake for mistake in mistakes if mistake.source == source]
        self._due: list[Mistake] = []
        self._time = datetime.min.replace(tzinfo=UTC)
        self._events: list[Event | dict[str, Any]] = []

    def begin(self, day: date) -> None:
        """Begin a day; it must be the next."""
        if day != self.today + DAY or day > self._until:
            raise ValueError(f"{day} does not follow {self.today} within {self.start} to {self._until}")
        self.today = day
        self._time = datetime(day.year, day.month, day.day, tzinfo=UTC) + _FIRST_EVENT_AT
        self._due += [mistake for mistake in self._mistakes if mistake.day == day]
        self._events = []

    def emit(self, data: EventData, cause: str | None = None) -> str:
        """Add an event to the day, before it the malformed one of a mistake that is due; return the valid one's id."""
        for mistake in self._due:
            if mistake.event == data.type:
                self._due.remove(mistake)
                self._events.append(self._numbering.emit_malformed(self._time, data, **mistake.wrong))
                self._time += _EVENT_INTERVAL
                break
        event = self._numbering.emit(self._time, data, cause=cause)
        self._time += _EVENT_INTERVAL
        self._events.append(event)
        return event.id

    def end(self) -> list[Event | dict[str, Any]]:
        """End the day with its watermark; return the day's events."""
        day = self.today
        self._time = datetime(day.year, day.month, day.day, tzinfo=UTC) + _WATERMARK_AT
        self.emit(SourceAdvanced(through=day))
        return self._events
