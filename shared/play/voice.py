"""How a party says its events: gapless sequences, and ids that are the same when said again."""

from datetime import datetime
from typing import Any

from shared.wire.events import Event, EventData, event_id


class Voice:
    """Numbers the events of one source, from 1."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.sequence = 0

    def say(self, time: datetime, data: EventData, *, cause: str | None = None) -> Event:
        """Return the next event of this source; `cause` is the id of the event it follows from."""
        self.sequence += 1
        return Event(
            id=event_id(time, self.source, cause or "", self.sequence),
            source=self.source,
            sequence=self.sequence,
            time=time,
            data=data,
            causationid=cause,
        )

    def misspeak(self, time: datetime, data: EventData, **wrong: Any) -> dict[str, Any]:
        """Return the next event of this source as a CloudEvent with some fields of its data gone wrong."""
        cloud_event = self.say(time, data).cloud_event()
        cloud_event["data"] |= wrong
        return cloud_event
