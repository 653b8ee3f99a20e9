"""The oracle of tapes: one is read whole, or refused with the line and the reason."""

import gzip
import random
import re
import tempfile
from pathlib import Path

from services.operator.record import tapes
from services.operator.stack.errors import StackError
from shared.wire.batch import ENTRY_BYTES_MAX, TIME_MAX, TIME_MIN
from shared.wire.entry_reader import read_entry
from shared.wire.events import Event, Refused
from testing.bad_events import BAD_EVENTS
from tests.fuzz.mutation import mutate_bytes, mutate_json, mutate_lines
from tests.fuzz.stream_entries import recorded_lines

PLAIN, PACKED, RAW, CUT, LONG = b"PZRCL"
"""The first byte of an input: lines, to be compressed, a compressed file, one cut at its end, a last line too long."""
_names_a_line = re.compile(r"\bline \d+\b").search
_LINES = recorded_lines()
_mutate_lines = mutate_lines(mutate_json, [*_LINES, *(bad.cloud_event() for bad in BAD_EVENTS[:20])])
_FOLDER = tempfile.TemporaryDirectory(prefix="fuzz-")  # it goes with the process


def seeds() -> list[bytes]:
    """Return tapes, some of one source's events in a row, in each form of file."""
    by_source: dict[object, list[bytes]] = {}
    for line in _LINES:
        by_source.setdefault(Event.read(line).source, []).append(line)
    texts = [b"\n".join(lines) + b"\n" for lines in by_source.values()]
    with gzip.open(Path(__file__).parents[1] / "replay/tape.ndjson.gz") as whole:
        texts.append(b"".join(whole.readline() for _ in range(12)))
    bad = [b"not json\n", b"[1]\n", b"", b"\n", b'{"source":"samsung"}\n'] + [b.cloud_event() for b in BAD_EVENTS[::9]]
    plain = [bytes([PLAIN]) + text for text in (*texts, *bad)]
    packed = [bytes([form]) + text for form in (PACKED, CUT, LONG) for text in texts]
    return [*plain, *packed, *(bytes([RAW]) + gzip.compress(text, mtime=0) for text in texts)]


def mutate(data: bytes, dice: random.Random) -> bytes:
    """Change a line, the order of the lines, or the form of the file."""
    if not data or dice.random() < 0.05:
        return bytes([dice.choice(b"PPZRC")]) + data[1:]
    change = mutate_bytes if data[0] == RAW else _mutate_lines
    return data[:1] + change(data[1:], dice)


def check(data: bytes) -> str:
    """Read a tape as `waferline replay` does before it starts anything, and the entries that it would send."""
    form, text = data[:1] or b"P", data[1:]
    path = Path(_FOLDER.name) / ("tape" if form[0] == PLAIN else "tape.gz")
    path.write_bytes(_content(form[0], text))
    try:
        roles, count = tapes.source_roles(tapes.read_tape(path))
        found = list(tapes.entries(tapes.read_tape(path)))
    except StackError as why:
        assert str(why).isprintable()
        assert _names_a_line(str(why)) or str(why).endswith("is empty: a tape has one event a line"), why
        if form[0] == PLAIN and (named := _names_a_line(str(why))):
            line = text.split(b"\n")[int(named[0].removeprefix("line ")) - 1]
            assert not _is_event(line), "the line that it names is an event"
        return "refused"
    lines = [line for line in tapes.read_tape(path) if line.strip()]
    assert count == len(lines) == sum(entry.events for entry in found), "it is not whole"
    ids_read = []
    for entry in found:
        rows, refused, recorded = read_entry(entry.body, entry.source, roles.get(entry.source, "supplier"))
        assert len(rows) + len(refused) == entry.events, "an entry is read otherwise"
        assert TIME_MIN <= entry.recorded <= TIME_MAX or entry.recorded == 0
        assert len(entry.body) <= max(ENTRY_BYTES_MAX, *map(len, lines)), "an entry is too long for the ledger"
        assert recorded is None or recorded == entry.recorded
        ids_read += [row.id for row in rows] + [event.id for event in refused]
    if all(_is_event(line) for line in lines):
        ids = [Event.read(line).id for line in lines]
        assert sorted(ids) == sorted(str(each) for each in ids_read), "other events came of it"
    return "read"


def _content(form: int, text: bytes) -> bytes:
    if form in (PLAIN, RAW):
        return text
    if form == LONG:
        return gzip.compress(text + b"\n" + b"x" * (tapes.LINE_BYTES_MAX + 1), 1)
    packed = gzip.compress(text, 1, mtime=0)
    return packed[: -1 - len(text) % 20] if form == CUT else packed


def _is_event(line: bytes) -> bool:
    try:
        return bool(Event.read(line))
    except Refused:
        return False
