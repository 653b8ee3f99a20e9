"""Refusals: the events that the ledger does not record, each with its reason, and the rules for new events alone.

What was recorded before such a rule was made stays recorded, and is read as it is.
"""

import re
from dataclasses import dataclass
from typing import ClassVar

from pydantic import ConfigDict

from shared.wire.days import DAY_US
from shared.wire.events import Refused
from shared.wire.rows import WATERMARKS, Row


@dataclass(frozen=True, slots=True)
class Refusal:
    """One event that the ledger refused, as its source reads it: identity as far as it is readable, and the reason."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, extra="forbid")

    sequence: int | None
    id: str | None
    code: str  # a ReasonCode
    path: str  # of the wrong field; empty: the whole event
    message: str


@dataclass(frozen=True, slots=True)
class RefusedEvent(Refusal):
    """A refusal with its source and the bytes as they came, which need not be JSON: as the ledger stores it."""

    source: str
    body: bytes


# ---------------------------------------------------------------- rules for new events alone

# C1, marks of direction, and the breaks of line that are no line feed: what shows a text as another one, or steers a
# terminal. `Text` excludes C0 and DEL from every event.
_find_control = re.compile("[\x80-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]").search


def may_break_rules(body: bytes) -> bool:
    """Return whether an entry may hold an event that breaks a rule: a quick look, as nearly none does."""
    return not body.isascii() or b"\\u" in body or b"source." in body


def find_fault(row: Row, recorded: int) -> Refused | None:
    """Return the rule that a new event breaks, None where it breaks none; `recorded` in microseconds since 1970."""
    if row.name in WATERMARKS and row.day is not None and row.day > recorded // DAY_US + 1:
        return Refused("watermark_in_future", "data.through", "is more than a day after the day of its recording")
    if row.rest is None or row.rest.isascii():
        return None
    for field, value in row.others.items():
        found = _find_control(value) if isinstance(value, str) else None
        if found is not None:
            return Refused("malformed", f"data.{field}", f"holds the control character U+{ord(found[0]):04X}")
    return None
