"""Numbering of a source's events: sequences without a gap, and ids that repeat when an event is emitted again."""

from datetime import datetime
from typing import Any

from shared.wire.events import Event, EventData, event_id


class Numbering:
    """Numbers the events of one source, from 1."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.sequence = 0

    def emit(self, time: datetime, data: EventData, *, cause: str | None = None) -> Event:
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

    def emit_malformed(self, time: datetime, data: EventData, **wrong: Any) -> dict[str, Any]:
        """Return the next event of this source as a CloudEvent in which some fields of the data are wrong."""
        cloud_event = self.emit(time, data).cloud_event()
        cloud_event["data"] |= wrong
        return cloud_event
