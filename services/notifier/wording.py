"""Words of a message: its title and its lines, of some changes of alerts."""

from collections import Counter
from collections.abc import Sequence
from urllib.parse import quote

from shared.wire.alerts import AlertChange
from shared.wire.days import iso_day

_LINES_MAX = 50


def title_of(changes: Sequence[AlertChange]) -> str:
    """Return the title of a message about some changes."""
    counts = Counter(change.status for change in changes)
    parts = [f"{counts[status]} {status}" for status in ("raised", "cleared") if counts[status]]
    if len(changes) == 1:
        return f"Waferline: {changes[0].status} {_subject(changes[0])}"
    return f"Waferline: alerts {', '.join(parts)}"


def body_of(changes: Sequence[AlertChange], key: str, page_url: str = "") -> str:
    """Return the text of a message: a line for each change, and the key that a message sent again has again."""
    lines = [_line(change, page_url) for change in changes[:_LINES_MAX]]
    if len(changes) > _LINES_MAX:
        lines.append(f"and {len(changes) - _LINES_MAX} more: waferline alerts")
    return "\n".join([*lines, "", f"Message {key}"])


def _line(change: AlertChange, page_url: str) -> str:
    facts = [
        f"{name.replace('_', ' ')} {iso_day(value) if name.endswith('_day') else f'{value:,}'}"
        for name, value in change.detail.items()
    ]
    day = [] if change.day is None else [iso_day(change.day)]
    line = f"{change.status}: {_subject(change)}"
    if day or facts:
        line += f": {', '.join([*day, *facts])}"
    link = f" {page_url.rstrip('/')}/remarks?about={quote(f'alert/{change.alert.text}', safe='')}" if page_url else ""
    return line + link


def _subject(change: AlertChange) -> str:
    return f"{change.code.replace('_', ' ')} {' '.join(change.subject.values())}"
