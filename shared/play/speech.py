"""What a simulated source says on a day: its events at their times, its mistakes, and in the end the watermark."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from shared.play.scenario import Mistake
from shared.play.voice import Voice
from shared.wire.events import Event, EventData, SourceAdvanced

DAY = timedelta(days=1)
_FIRST = timedelta(hours=6)
_PACE = timedelta(seconds=4)
_LAST = timedelta(hours=23, minutes=59, seconds=59)


class Speech:
    """The days of one source, one after the other."""

    def __init__(self, source: str, mistakes: Sequence[Mistake], start: date, until: date) -> None:
        self.start = start
        self.today = start - DAY
        self._until = until
        self._voice = Voice(source)
        self._mistakes = [mistake for mistake in mistakes if mistake.source == source]
        self._due: list[Mistake] = []
        self._time = datetime.min.replace(tzinfo=UTC)
        self._said: list[Event | dict[str, Any]] = []

    def begin(self, day: date) -> None:
        """Begin a day; it must be the next."""
        if day != self.today + DAY or day > self._until:
            raise ValueError(f"{day} does not follow {self.today} within {self.start} to {self._until}")
        self.today = day
        self._time = datetime(day.year, day.month, day.day, tzinfo=UTC) + _FIRST
        self._due += [mistake for mistake in self._mistakes if mistake.day == day]
        self._said = []

    def say(self, data: EventData, cause: str | None = None) -> str:
        """Say an event, and before it what is due to be said wrong; return the id of the right one."""
        for mistake in self._due:
            if mistake.event == data.type:
                self._due.remove(mistake)
                self._said.append(self._voice.misspeak(self._time, data, **mistake.wrong))
                self._time += _PACE
                break
        event = self._voice.say(self._time, data, cause=cause)
        self._time += _PACE
        self._said.append(event)
        return event.id

    def end(self) -> list[Event | dict[str, Any]]:
        """Say that all is said of this day; return everything said."""
        day = self.today
        self._time = datetime(day.year, day.month, day.day, tzinfo=UTC) + _LAST
        self.say(SourceAdvanced(through=day))
        return self._said
