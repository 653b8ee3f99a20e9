"""Fields that a sender may leave out at a party's door, made from the event alone: `id`, `revision`, `owner`.

An event that is sent again letter for letter is the same event, so it gets the same values, and counts once.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, NamedTuple

import orjson

from shared.wire.events import (
    EVENTS,
    PREFIX,
    VERSION,
    Event,
    EventData,
    ProductDeclared,
    ProgrammeDeclared,
    event_id,
)

_UNTIMED = datetime(2000, 1, 1, tzinfo=UTC)  # of an event with an unreadable time, which the ledger refuses


class LineRevision(NamedTuple):
    """The line that an event revises, and the revision that it states; None: the door gives the next one."""

    line: str  # type and name
    stated: int | None


class CompletedEvent(NamedTuple):
    """An event with its `id` and `owner`, and the digest of the event as it was sent where anything was missing."""

    content: dict[str, Any]
    digest: bytes | None
    revision: LineRevision | None


def complete(event: Mapping[str, Any], source: str) -> CompletedEvent:
    """Return an event with the fields that can be made of it.

    `id`: a UUIDv7 of the event's time and a hash of the event as it was sent. `owner` of a shipment that was received,
    damaged or lost: its supplier. A missing `revision` is left to the outbox, which knows the last one of the line.
    """
    data, kind = event.get("data"), str(event.get("type")).removeprefix(PREFIX).removesuffix(VERSION)
    model = EVENTS.get(kind)
    if model is None or not isinstance(data, dict):
        return CompletedEvent(dict(event), None, None)
    fields, completed = model.model_fields, dict(data)
    if "owner" in fields and isinstance(data.get("supplier"), str):
        completed.setdefault("owner", data["supplier"])
    revision = None
    if "revision" in fields:
        line, stated = data.get(_line_field(model)) if _line_field(model) else "", data.get("revision")
        if isinstance(line, str) and ("revision" not in data or isinstance(stated, int)):
            revision = LineRevision(f"{kind} {line}", stated)
    is_whole = "id" in event and completed == data and (revision is None or revision.stated is not None)
    if is_whole:
        return CompletedEvent(dict(event), None, revision)
    as_sent = orjson.dumps(dict(event), option=orjson.OPT_SORT_KEYS)
    made = {} if "id" in event else {"id": event_id(_time_of(event), source, as_sent.decode())}
    return CompletedEvent({**made, **event, "data": completed}, sha256(as_sent).digest(), revision)


def revision_of(data: EventData) -> LineRevision | None:
    """Return the line that an event revises, None for an event that revises none."""
    stated = getattr(data, "revision", None)
    if stated is None:
        return None
    field = _line_field(type(data))
    line = getattr(data, field, None) if field else ""
    return None if line is None else LineRevision(f"{data.type} {line}", stated)


def greatest_revisions(events: Iterable[Event]) -> dict[str, int]:
    """Return the greatest revision of each line that some events revise."""
    greatest: dict[str, int] = {}
    for event in events:
        note_revision(greatest, event.data)
    return greatest


def note_revision(greatest: dict[str, int], data: EventData) -> None:
    """Note the revision of an event's line, if it has one, among the greatest of each line."""
    revision = revision_of(data)
    if revision is not None and revision.stated is not None:
        greatest[revision.line] = max(greatest.get(revision.line, -1), revision.stated)


def _line_field(model: type[EventData]) -> str:
    """Return the field that names the line which an event revises; nothing for the programme, as there is one."""
    if model is ProgrammeDeclared:
        return ""
    if model is ProductDeclared:
        return "product"
    return model.revised or model.columns.get("line", "line")


def _time_of(event: Mapping[str, Any]) -> datetime:
    try:
        time = datetime.fromisoformat(str(event.get("time")))
    except ValueError:
        return _UNTIMED
    return time if time.tzinfo is not None and time >= _UNTIMED else _UNTIMED
