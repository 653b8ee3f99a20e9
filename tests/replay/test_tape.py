"""Do the kept tape's events come to the kept state, in whatever order and however often they are said?"""

import gzip
import json
import random
from pathlib import Path

import pytest

from services.operator.record.exports import export
from shared.wire.events import EVENTS, PREFIX, VERSION, Event, Refused
from testing.fold import fold, source_of
from tests.replay.compare import compare
from tests.replay.tape import EVENTS_MAX, KEPT, NOT_SIMULATED, TAPE, state_hash

LINES = gzip.decompress(TAPE.read_bytes()).splitlines()
OLD_LINES, SINCE_LINES = (
    gzip.decompress(TAPE.with_name(f"tape_{version}_shelf_counts.ndjson.gz").read_bytes()).splitlines()
    for version in ("before", "since")  # of one play, which is not that of the kept tape
)
EXPECTED = json.loads(KEPT.read_text())


def read(line: bytes) -> Event | dict[str, object]:
    """The event of a line; the CloudEvent as it is where it was said wrong."""
    try:
        return Event.read(line)
    except Refused:
        wrong: dict[str, object] = json.loads(line)
        return wrong


SAID = [read(line) for line in LINES]


def test_the_tape_holds_every_event_type_in_at_most_5000_events() -> None:
    types = {event.data.type for event in SAID if isinstance(event, Event)}

    assert types == EVENTS.keys() - NOT_SIMULATED
    assert len(LINES) == EXPECTED["events"] <= EVENTS_MAX
    assert all(json.loads(line)["type"].removeprefix(PREFIX).removesuffix(VERSION) in EVENTS for line in LINES)


def test_the_tape_comes_to_its_kept_state() -> None:
    assert state_hash(SAID) == EXPECTED["state_hash"]
    assert len(fold(SAID).refusals) == EXPECTED["refused"]


@pytest.mark.parametrize("seed", range(100))
def test_the_tape_shuffled_with_duplicates_comes_to_the_same_state(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    shuffled = SAID + chance.choices(SAID, k=len(SAID) // 5)
    chance.shuffle(shuffled)

    # a batch is of one source: within a stretch, the sources take turns
    stretches = [shuffled[n : n + 1000] for n in range(0, len(shuffled), 1000)]
    said = [event for stretch in stretches for event in sorted(stretch, key=source_of)]
    assert state_hash(said) == EXPECTED["state_hash"]


def test_a_tape_of_an_earlier_version_differs_only_where_unattributed_stock_was_counted(tmp_path: Path) -> None:
    """There a count of the supplier `unattributed` was of its own stock; now it is of the whole shelf."""
    for name, lines in (("old", OLD_LINES), ("new", SINCE_LINES)):
        export(fold([read(line) for line in lines]).store, "parquet", tmp_path / name)
    rows = {row.measure: row for row in compare(tmp_path / "old", tmp_path / "new")}

    assert {measure: row.different for measure, row in rows.items() if row.different} == {"ADJUSTED": 10}
    assert rows["DISPATCHED"].old_wafers == rows["DISPATCHED"].new_wafers > 0
