"""A tape holds every published event in order, malformed ones too."""

import gzip
from datetime import UTC, date, datetime
from pathlib import Path

import orjson
import pytest

from services.operator.record import tapes
from services.operator.stack.errors import StackError
from shared.party.outbox import Outbox
from shared.wire.days import microseconds
from shared.wire.entry_reader import read_entry
from shared.wire.events import Event, named_source
from testing.fold import fold
from testing.simulate import simulate

UNTIL = date(2026, 1, 20)
NOW = microseconds(datetime(2030, 1, 1, tzinfo=UTC))


@pytest.fixture(scope="module")
def said() -> list[Event | dict[str, object]]:
    return [event for _, day in simulate("announced_sites_only", UNTIL) for event in day]


def test_a_tape_holds_each_event_once_the_refused_ones_among_them(said: list[Event | dict[str, object]]) -> None:
    folded = fold(said, now=NOW)
    lines = [line for _, batch in tapes.record_lines(folded.store) for line in batch]

    ids = [orjson.loads(line)["id"] for line in lines]
    assert sorted(ids) == sorted(event.id if isinstance(event, Event) else event["id"] for event in said)
    assert len(folded.refusals) == sum(isinstance(event, dict) for event in said) > 0


def test_the_entries_of_a_tape_come_to_the_state_that_was_recorded(said: list[Event | dict[str, object]]) -> None:
    folded = fold(said, now=NOW)
    lines = [line for _, batch in tapes.record_lines(folded.store) for line in batch]
    roles, count = tapes.source_roles(lines)

    again: list[Event | dict[str, object]] = []
    for entry in tapes.entries(lines):
        rows, refused, recorded = read_entry(entry.body, entry.source, roles[entry.source])
        again += [row.event() for row in rows]
        again += [orjson.loads(entry.body)] * len(refused)
        assert recorded is not None or refused
    assert count == len(lines)
    assert fold(again).state_hash == folded.state_hash


def test_from_and_until_choose_by_the_day_of_the_event(said: list[Event | dict[str, object]]) -> None:
    lines = [orjson.dumps(e.cloud_event() if isinstance(e, Event) else e) for e in said]
    first, last = date(2026, 1, 5), date(2026, 1, 7)

    chosen = list(tapes.entries(lines, first, last))

    days = {event.time.date() for event in said if isinstance(event, Event) and first <= event.time.date() <= last}
    assert days == {date(2026, 1, 5), date(2026, 1, 6), date(2026, 1, 7)}
    assert sum(entry.events for entry in chosen) == sum(
        not isinstance(event, Event) or first <= event.time.date() <= last for event in said
    )


@pytest.mark.parametrize("line", [b"not json", b"[1]", b'{"id": 1}'])
def test_a_line_that_is_no_event_of_anybody_is_named(line: bytes) -> None:
    with pytest.raises(StackError, match="line 2 of the tape"):
        list(tapes.entries([b"\n", line]))


def test_a_tape_named_gz_is_compressed(tmp_path: Path) -> None:
    with tapes.write_tape(tmp_path / "tape.gz", compressed=True) as out:
        out.write(b"line\n" * 1000)

    assert (tmp_path / "tape.gz").stat().st_size < 200
    assert len(list(tapes.read_tape(tmp_path / "tape.gz"))) == 1000


@pytest.mark.parametrize("kept", [10, 50, -1])
def test_a_compressed_tape_that_was_cut_is_refused(tmp_path: Path, kept: int) -> None:
    whole = gzip.compress(b"".join(b"line %d\n" % n for n in range(1000)))
    (tmp_path / "tape.gz").write_bytes(whole[:kept])

    with pytest.raises(StackError, match="cut or damaged"):
        list(tapes.read_tape(tmp_path / "tape.gz"))


@pytest.mark.parametrize("content", [b"no gzip at all\n", gzip.compress(b"a\n")[:-8] + b"12345678"])
def test_a_tape_named_gz_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "tape.gz").write_bytes(content)

    with pytest.raises(StackError, match="cut or damaged"):
        list(tapes.read_tape(tmp_path / "tape.gz"))


@pytest.mark.parametrize("name", ["tape", "tape.gz"])
def test_a_line_without_an_end_is_read_no_further_than_its_bound(tmp_path: Path, name: str) -> None:
    with tapes.write_tape(tmp_path / name, compressed=name.endswith("gz")) as out:
        out.write(b"{}\n" + b"x" * (tapes.LINE_BYTES_MAX + 1))

    with pytest.raises(StackError, match=r"line 2 of .* has more than 4194304 bytes"):
        list(tapes.read_tape(tmp_path / name))


def test_a_refused_entry_with_a_number_of_5000_digits_is_recorded() -> None:
    body = b'{"source":"samsung","twice":{"a":1,"a":2},"number":%s}' % (b"9" * 5000)

    rows, refused, _ = read_entry(body, "samsung", "supplier")

    assert (rows, refused[0].code, named_source(refused[0].body)) == ([], "duplicate_key", "samsung")
    assert [entry.source for entry in tapes.entries([body])] == ["samsung"]


def test_the_outbox_of_a_replayed_source_begins_after_its_tape(tmp_path):
    sources = {
        "a": {"through": 7, "ahead": []},
        "b": {"through": 2, "ahead": [[4, 9]]},
        "c": {"through": 0, "ahead": []},
    }
    tapes.fill_outboxes(tmp_path, {"sources": sources}, {"a": {"supply.committed c": 3}, "d": {}})

    assert {path.stem: Outbox(path).last for path in sorted(tmp_path.glob("*.db"))} == {"a": 7, "b": 9}
    assert [Outbox(tmp_path / f"{source}.db").revision("supply.committed c") for source in "ab"] == [3, -1]
