"""The rules for new events alone: an event recorded before a rule was made stays recorded, and is read as it is."""

import re

from shared.wire.days import DAY_US
from shared.wire.events import Refused
from shared.wire.rows import WATERMARKS, Row

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
