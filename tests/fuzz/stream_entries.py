"""The oracle of `read_entry`: what is taken comes back through each form of an entry, what is refused has a reason."""

import gzip
import json
import random
import re
from pathlib import Path
from typing import Any

import orjson
import rfc8785

from shared.wire.batch import BATCH_MAX, COLUMN_FIELDS, TIME_MAX, TIME_MIN, EventBatch
from shared.wire.entry_reader import read_entry
from shared.wire.events import SEQUENCE_MAX, Event, named_source
from shared.wire.refusal import RefusedEvent
from shared.wire.rows import Row, canonical_bodies, read_rows
from shared.wire.streams import Role
from testing.bad_events import BAD_ENTRIES, BAD_EVENTS, good_columns
from tests.fuzz.mutation import mutate_bytes, mutate_json
from tests.fuzz.strict_json import CODES

TAPE = Path(__file__).parents[1] / "replay/tape.ndjson.gz"
ROLES: dict[object, Role] = {
    "samsung": "supplier", "skhynix": "supplier", "stargate-americas": "datacenter", "stargate-emea": "datacenter",
    "stargate-apac": "datacenter",
}  # fmt: skip
_LENGTH_MAX = 8192
_GOOD_TIMES = 6  # most changes make a good one bad, and none a bad one good
_is_id = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch


def recorded_lines() -> list[bytes]:
    """Return an event of each type from the kept tape, and what is beside it."""
    found: dict[str, bytes] = {}
    with gzip.open(TAPE) as lines:
        for line in lines:
            found.setdefault(json.loads(line)["type"], line.strip())
    return list(found.values())


def seeds() -> list[bytes]:
    """Return each type of event, alone and in columns, and each way of being wrong."""
    lines = recorded_lines()
    batches = [EventBatch.of([Event.read(line)], TIME_MIN).encode() for line in lines]
    bad = [each.cloud_event() for each in BAD_EVENTS] + [each.batch() for each in BAD_EVENTS if each.row is not None]
    bad += [each.body for each in BAD_ENTRIES]
    good = [*lines, *batches, *[orjson.dumps(good_columns())] * 10]
    return [*good * _GOOD_TIMES, *(body for body in bad if len(body) <= _LENGTH_MAX)]


def mutate(data: bytes, dice: random.Random) -> bytes:
    """Change an entry, mostly a value of it."""
    return mutate_bytes(data, dice) if dice.random() < 0.1 else mutate_json(data, dice)


def check(data: bytes) -> str:
    """Read an entry on the stream of the source that it names, or of a supplier's."""
    source = named_source(data)
    source = source if isinstance(source, str) and source in ROLES else "samsung"
    role = ROLES[source]
    rows, refused, recorded = read_entry(data, source, role)

    assert rows or refused
    assert recorded is None or type(recorded) is int
    for each in refused:
        _check_refusal(each, source)
    for row in rows:
        _check_row(row, source, role)
    assert read_rows(canonical_bodies(rows)) == rows
    for run in _runs(rows):
        again = EventBatch.of([row.event() for row in run]).encode()
        assert read_entry(again, source, role) == (run, [], None), "a batch of its rows reads otherwise"
    _check_whole(data, source, role, rows, refused)
    return "mixed" if rows and refused else "read" if rows else refused[0].code


def _check_refusal(refused: RefusedEvent, source: str) -> None:
    assert refused.code in CODES, refused.code
    assert (refused.path + refused.message).isprintable(), (refused.path, refused.message)
    assert refused.source == source
    assert refused.id is None or _is_id(refused.id)
    assert refused.sequence is None or 1 <= refused.sequence <= SEQUENCE_MAX
    named_source(refused.body)


def _check_row(row: Row, source: str, role: Role) -> None:
    content = row.content()
    assert row.source == source
    assert TIME_MIN <= row.time <= TIME_MAX
    assert orjson.dumps(content, option=orjson.OPT_SORT_KEYS) == rfc8785.dumps(content)
    assert read_entry(orjson.dumps(content), source, role) == ([row], [], None), "its content reads otherwise"
    assert read_entry(json.dumps(row.event().cloud_event(), indent=1).encode(), source, role)[0] == [row]


def _runs(rows: list[Row]) -> list[list[Row]]:
    """Return the rows in runs of consecutive sequences, which a batch can hold."""
    runs: list[list[Row]] = []
    for row in rows:
        if row.sequence > SEQUENCE_MAX - BATCH_MAX + 1:
            continue
        if runs and runs[-1][-1].sequence + 1 == row.sequence:
            runs[-1].append(row)
        else:
            runs.append([row])
    return runs


def _check_whole(data: bytes, source: str, role: Role, rows: list[Row], refused: list[RefusedEvent]) -> None:
    """Each event comes to a row or a refusal, and a row says what the entry says."""
    if len(refused) == 1 and not rows and refused[0].body == data:  # refused as a whole
        return
    raw: Any = json.loads(data, parse_int=lambda digits: int(digits[:40]))
    if "ids" not in raw:
        assert (len(rows), rows[0].id, str(rows[0].sequence)) == (1, raw["id"], raw["sequence"])
        stated = raw["data"]
        assert all(value == stated.get(name) for name, value in rows[0].content()["data"].items()), "it says otherwise"
        return
    count, first = len(raw["ids"]), raw["sequence"]
    assert sorted([*(row.sequence for row in rows), *(each.sequence or 0 for each in refused)]) == [
        *range(first, first + count)
    ], "not every event has a verdict"
    for row in rows:
        for column, field in COLUMN_FIELDS.items():
            cells = raw.get(column)
            cell = None if cells is None else cells[row.sequence - first]
            assert field == "rest" or cell == getattr(row, field), f"{column} are otherwise"
    if count == BATCH_MAX:
        return
    beside = {name: [*v, None] if name in COLUMN_FIELDS and v is not None else v for name, v in raw.items()}
    rows_beside, refused_beside, _ = read_entry(json.dumps(beside).encode(), source, role)
    assert rows_beside == rows, "a row is read otherwise beside a wrong one"
    assert [(r.sequence, r.id, r.code, r.path) for r in refused_beside[:-1]] == [
        (r.sequence, r.id, r.code, r.path) for r in refused
    ], "a row is refused otherwise beside a wrong one"
