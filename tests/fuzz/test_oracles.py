"""Some inputs of each fuzzer, the same ones each time, and all that broke an oracle once."""

import json
import time
from typing import Any

import orjson
import pytest

from services.operator.record import tapes
from shared.http.query import Whole
from shared.wire.batch import BATCH_MAX, ENTRY_BYTES_MAX, EventBatch
from shared.wire.entry_reader import read_entry
from shared.wire.events import Event, Refused
from shared.wire.streams import Role
from tests.fuzz import http_queries, stream_entries, strict_json
from tests.fuzz.stream_entries import recorded_lines
from tests.fuzz.targets import NAMES, load

SECONDS, INPUTS_MIN = 1.5, 50
SEED = 2026
read_tape_entries = tapes.entries


@pytest.mark.parametrize("name", NAMES)
def test_no_mutation_breaks_an_oracle(name: str) -> None:
    target, outcomes = load(name), set[str]()
    inputs = target.inputs(2_000, SEED)
    until = time.monotonic() + SECONDS

    for data in target.kept().values():
        target.check(data)
    for n, data in enumerate(inputs):
        outcomes.add(target.check(data))
        if n >= INPUTS_MIN and time.monotonic() > until:
            break

    assert len(outcomes) > 1, "all inputs came to the same"


@pytest.mark.parametrize(
    ("path", "values", "query", "status"),
    [
        ("/balances", [], "by=site\xff", "400"),
        ("/suppliers", [], "supplier=\xff%ff", "404"),
        ("/movements", [], "==", "400"),
        ("/batches/{batch}", ["1/"], "\xff", "404"),
    ],
)
def test_a_query_of_any_bytes_has_an_answer(path: str, values: list[str], query: str, status: str) -> None:
    assert http_queries.check(http_queries.write_request(path, values, query)) == status


@pytest.mark.parametrize("bound", ["since", "through"])
def test_an_unknown_bound_of_movements_is_named(bound: str) -> None:
    request = http_queries.write_request("/movements", [], f"product=HBM4-12H&site=TX-ABILENE&{bound}=999999")

    assert http_queries.check(request) == "404"


def forgetful(body: bytes, source: str, role: Role) -> Any:
    rows, refused, recorded = read_entry(body, source, role)
    return rows[:2], refused, recorded


def lenient(body: bytes | str) -> Any:
    try:
        return orjson.loads(body)
    except ValueError as why:
        raise Refused("malformed", "", str(why)) from why


def wide(form: Whole, text: str) -> int:
    return int(text)


@pytest.mark.parametrize(
    ("name", "place", "attribute", "wrong"),
    [
        ("read_entry", stream_entries, "read_entry", forgetful),
        ("parse_strictly", strict_json, "parse_strictly", lenient),
        ("tape", tapes, "entries", lambda lines: list(read_tape_entries(lines))[1:]),
        ("query", Whole, "read", wide),
    ],
)
def test_an_oracle_sees_a_reader_that_is_wrong(
    name: str, place: object, attribute: str, wrong: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = load(name)
    monkeypatch.setattr(place, attribute, wrong)

    with pytest.raises(AssertionError):
        list(map(target.check, target.inputs(500, SEED)))


def test_the_events_of_one_batch_are_replayed_in_entries_that_the_ledger_reads() -> None:
    shipped = next(line for line in recorded_lines() if b"shipment.dispatched" in line)
    event = json.loads(shipped) | {"recordedtime": "2026-03-01T00:00:00.000000Z"}
    event["data"] = event["data"] | {"lots": [f"{n:064}" for n in range(40)]}
    lines = []
    for n in range(BATCH_MAX):
        id_ = f"019c0000-0000-7000-8000-{n:012}"
        lines.append(orjson.dumps(event | {"id": id_, "sequence": str(n + 1)}))
    assert len(EventBatch.of(map(Event.read, lines)).encode()) > 2 * ENTRY_BYTES_MAX

    found = list(tapes.entries(lines))

    assert max(len(entry.body) for entry in found) <= ENTRY_BYTES_MAX
    rows = [row for entry in found for row in read_entry(entry.body, entry.source, "supplier")[0]]
    assert [row.sequence for row in rows] == list(range(1, BATCH_MAX + 1))
