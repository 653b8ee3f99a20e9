"""Exports hold the content of the store, and foreign tools agree."""

import csv
import json
import re
import shutil
import struct
import subprocess
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime
from hashlib import sha256
from operator import itemgetter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from services.aggregator.fold.lines.book import LineBook
from services.ledger.store.reader import StoreReader, open_reader
from services.ledger.store.writer import open_writer
from services.operator.cli import app
from services.operator.record.curves import fold as fold_store
from services.operator.record.exports import export
from services.operator.record.formats import Format
from services.operator.record.parquet import write_parquet
from services.operator.record.rebuild import rebuild_export
from services.operator.record.tapes import record_lines
from services.operator.stack.errors import StackError
from shared.play.numbering import Numbering
from shared.programme.declarations import NOTHING_DECLARED
from shared.wire.days import day_number, microseconds
from shared.wire.events import (
    Event,
    EventReversed,
    LotStarted,
    ShipmentDispatched,
    ShipmentLost,
    ShipmentReceived,
    ShipmentReturned,
    ShipmentRevised,
    SourceAdvanced,
    StockCounted,
    StockOpened,
    StockTransferred,
    SupplyCommitted,
    WafersConsumed,
)
from shared.wire.postings import LINE_EVENTS, STAGES
from shared.wire.rows import Row
from testing.fold import Folded, cells_of, fold, fresh_store
from testing.lines import fold_lines
from testing.simulate import simulate
from tests.unit.ledger.books.test_posting import logs

FORMATS: tuple[Format, ...] = ("hledger", "jsonl", "parquet")
KEY = {"product": "HBM4-12H", "site": "abilene", "supplier": "samsung"}
NOW = microseconds(datetime(2026, 2, 1, 12, tzinfo=UTC))
LATE = microseconds(datetime(2100, 12, 31, tzinfo=UTC))
Sums = Counter[tuple[str, str]]  # (account, product) -> wafers

needs_hledger = pytest.mark.skipif(
    shutil.which("hledger") is None, reason="hledger is not installed: apt-get install hledger"
)


def everything() -> list[Any]:
    """Every way to move wafers: also back, twice, late, elsewhere, and where a name holds a colon."""
    samsung, texas = Numbering("samsung"), Numbering("americas")

    def on(day: int, hour: int = 12) -> datetime:
        return datetime(2026, 1, day, hour, tzinfo=UTC)

    odd = KEY | {"site": "a:b", "supplier": "c"}
    even = KEY | {"site": "a", "supplier": "b:c"}
    shipped = {"commit": None, "lots": [], "eta": date(2026, 1, 20)}
    milam = KEY | {"site": "milam"}
    opened = texas.emit(on(1), StockOpened(wafers=500, **KEY))
    early = texas.emit(on(3), StockOpened(wafers=7, **KEY))
    return [
        samsung.emit(
            on(2), SupplyCommitted(line="c1", due=on(9).date(), firmness="firm", wafers=99, revision=0, **KEY)
        ),
        samsung.emit(on(2), LotStarted(lot="l1", fab="P4L", due_out=date(2026, 5, 1), wafers=25, **KEY)),
        opened,
        texas.emit(on(4), StockOpened(wafers=30, **odd)),
        texas.emit(on(4), StockOpened(wafers=40, **even)),
        texas.emit(on(5), WafersConsumed(phase="p1", wafers=20, **KEY)),
        texas.emit(on(6), StockCounted(counted=470, **KEY)),
        texas.emit(on(3), StockTransferred(to_site="milam", wafers=10, **KEY)),  # before the count, told after it
        samsung.emit(on(5), ShipmentDispatched(shipment="s1", wafers=100, **shipped, **KEY)),
        samsung.emit(on(7), ShipmentDispatched(shipment="s2", wafers=50, **shipped, **KEY)),
        samsung.emit(on(8), ShipmentRevised(shipment="s2", eta=date(2026, 1, 25), revision=0, **milam)),
        texas.emit(on(9), ShipmentReceived(shipment="s1", owner="samsung", wafers=60, wafers_damaged=5, **milam)),
        samsung.emit(on(11), ShipmentLost(shipment="s1", owner="samsung", wafers=3, **KEY)),
        texas.emit(on(11), ShipmentReturned(shipment="s1", owner="samsung", wafers=4, reason="warped", **milam)),
        texas.emit(on(12), EventReversed(reversed=opened.id, reason="; twice = 3")),
        texas.emit(on(12), EventReversed(reversed=early.id, reason="before it is known")),
        early,
        texas.emit(on(13), SourceAdvanced(through=date(2026, 1, 13))),
    ]  # fmt: skip


@pytest.fixture(params=[1, 1000], ids=["one a batch", "all in a batch"])
def folded(request: pytest.FixtureRequest) -> Folded:
    refused = everything()[0].cloud_event() | {"id": "nonsense", "sequence": "99"}
    return fold([*everything(), refused], batches=request.param, now=NOW)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a stack that played some weeks."""
    folder = tmp_path_factory.mktemp("stack")
    events = [event for _, said in simulate("announced_sites_only", date(2026, 2, 8)) for event in said]
    fold(events, path=folder / "ledger.db").store.close()
    return folder


def journal_of(store: StoreReader, tmp_path: Path) -> Path:
    export(store, "hledger", tmp_path / "journal")
    return tmp_path / "journal"


def transactions(journal: str) -> list[list[str]]:
    """The transactions of a journal, each as its lines, without the last, which moves nothing."""
    blocks = [block.splitlines() for block in journal.split("\n\n")]
    return [block for block in blocks if re.match(r"\d{4}-", block[0]) and "waferline | balances" not in block[0]]


def entries(block: Sequence[str]) -> Sums:
    sums: Sums = Counter()
    for line in block[1:]:
        read = re.fullmatch(r'    (\S+)  (-?\d+) "(\S+)"', line)
        assert read is not None, line
        sums[read[1], read[3]] += int(read[2])
    return sums


def due_in(store: StoreReader) -> Sums:
    """What the stored postings come to, account by account."""
    sums: Sums = Counter()
    for (measure, _, (product, site, supplier)), wafers in cells_of(store).items():
        for stage, sign in zip(STAGES.get(measure, ()), (-1, +1), strict=False):
            account = ":".join(part.replace(":", "%3A") for part in (stage, supplier, site))
            sums[account, product] += sign * wafers
    return Counter({cell: wafers for cell, wafers in sums.items() if wafers})


def hledger(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = ["hledger", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def check(journal: Path) -> str:
    """What hledger has against a journal."""
    checked = hledger("-f", journal, "check", "--strict", "ordereddates", "payees")
    assert (checked.returncode == 0) == (not checked.stderr)
    return checked.stderr


# ---------------------------------------------------------------- hledger


@given(logs(), st.integers(1, 5))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
def test_the_transactions_of_a_journal_come_to_the_stored_postings(
    tmp_path: Path, log: list[Event], batches: int
) -> None:
    store = fold(log, batches=batches, now=LATE).store
    (tmp_path / "journal").unlink(missing_ok=True)
    blocks = transactions(journal_of(store, tmp_path).read_text())

    assert all(sum(entries(block).values()) == 0 for block in blocks)
    total: Sums = Counter()
    for block in blocks:
        total.update(entries(block))
    assert {cell: wafers for cell, wafers in total.items() if wafers} == due_in(store)


def test_an_event_moves_wafers_in_a_transaction_of_its_own_dated_by_the_day(folded: Folded, tmp_path: Path) -> None:
    blocks = transactions(journal_of(folded.store, tmp_path).read_text())
    heads = [re.sub(r"  ;.*", "", block[0]) for block in blocks]

    assert heads == sorted(heads, key=lambda head: head[:10])
    assert [head for head in heads if "2026-01-06" in head] == [
        "2026-01-06 americas | stock.counted",
        "2026-01-06 americas | stock.transferred",  # what the count had not known moves its adjustment
        "2026-01-06 americas | event.reversed",
    ]
    assert "supply.committed" not in str(heads)


def test_a_diversion_is_of_the_day_of_the_dispatch_by_a_revision_and_of_its_own_day_by_a_receipt(
    folded: Folded, tmp_path: Path
) -> None:
    found = {
        block[0].partition("  ;")[0]: {a: n for (a, _), n in entries(block).items() if a.startswith("diverted")}
        for block in transactions(journal_of(folded.store, tmp_path).read_text())
    }

    assert {head: moved for head, moved in found.items() if moved} == {
        "2026-01-07 samsung | shipment.revised s2": {"diverted:samsung:abilene": 50, "diverted:samsung:milam": -50},
        "2026-01-09 americas | shipment.received s1": {"diverted:samsung:abilene": 65, "diverted:samsung:milam": -65},
    }


def test_a_reversal_is_the_opposite_and_names_what_it_takes_back(folded: Folded, tmp_path: Path) -> None:
    opened = everything()[2]
    blocks = transactions(journal_of(folded.store, tmp_path).read_text())
    (said,) = [block for block in blocks if f"id:{opened.id}" in block[0]]
    back, *_ = [block for block in blocks if f"reverses:{opened.id}" in block[0]]

    assert {cell: -wafers for cell, wafers in entries(said).items()} == entries(back)
    assert (said[0][:10], back[0][:10]) == ("2026-01-01", "2026-01-01")
    assert "recorded:2026-02-01T12:00:00.000000Z" in back[0]


@needs_hledger
def test_hledger_takes_a_journal_strictly(folded: Folded, tmp_path: Path) -> None:
    assert check(journal_of(folded.store, tmp_path)) == ""


@needs_hledger
def test_hledger_finds_a_wafer_too_many(folded: Folded, tmp_path: Path) -> None:
    journal = journal_of(folded.store, tmp_path)
    journal.write_text(journal.read_text().replace('  500 "HBM4', '  501 "HBM4', 1))

    assert "balance" in check(journal)


@needs_hledger
def test_hledger_finds_a_movement_that_balances_and_never_was(folded: Folded, tmp_path: Path) -> None:
    journal = journal_of(folded.store, tmp_path)
    text = journal.read_text()
    journal.write_text(text.replace('  25 "HBM4', '  26 "HBM4', 1).replace('  -25 "HBM4', '  -26 "HBM4', 1))

    assert "assertion" in check(journal)


@needs_hledger
def test_the_balances_that_hledger_comes_to_are_ours(simulated: Path, tmp_path: Path) -> None:
    store = open_reader(simulated / "ledger.db")
    journal = journal_of(store, tmp_path)
    told = hledger("-f", journal, "balance", "--flat", "--no-total", "--layout=bare", "-O", "csv").stdout
    found = {(row["account"], row["commodity"]): int(row["balance"]) for row in csv.DictReader(told.splitlines())}

    assert check(journal) == ""
    assert found == due_in(store)
    assert len({account.split(":")[0] for account, _ in found}) > 5


@needs_hledger
def test_the_stages_of_the_aggregator_are_what_hledger_comes_to(tmp_path: Path) -> None:
    events = [event for _, said in simulate("announced_sites_only", date(2026, 1, 20)) for event in said]
    folded = fold(events)
    journal = journal_of(folded.store, tmp_path)

    for account, stage in (("wip", "wip"), ("on_hand", "on_hand")):
        told = hledger("-f", journal, "balance", f"^{account}:", "--depth=1", "--layout=bare", "-O", "csv").stdout
        rows = [row for row in csv.DictReader(told.splitlines()) if row["account"] == account]
        ours = {p: folded.stages(product=p)[stage] for p, _, _ in folded.curves.keys}
        assert {row["commodity"]: int(row["balance"]) for row in rows} == {p: n for p, n in ours.items() if n}


# ---------------------------------------------------------------- jsonl


def test_the_hash_of_each_document_is_in_the_next(folded: Folded, tmp_path: Path) -> None:
    export(folded.store, "jsonl", tmp_path / "jsonl")
    documents = re.findall(rb"\{[^\n]*\n(?:\[[^\n]*\n)*", (tmp_path / "jsonl").read_bytes())
    headers = [json.loads(document.split(b"\n")[0]) for document in documents]

    assert b"".join(documents) == (tmp_path / "jsonl").read_bytes()
    assert [header["previous"] for header in headers] == [
        "0" * 64, *(sha256(document).hexdigest() for document in documents[:-1]),
    ]  # fmt: skip
    assert [header["batch"] for header in headers] == list(range(1, folded.store.head.batch + 1))
    assert sum(header["events"] for header in headers) == len(everything())
    assert sum(header["refusals"] for header in headers) == 1


def test_the_documents_hold_the_rows(folded: Folded, tmp_path: Path) -> None:
    export(folded.store, "jsonl", tmp_path / "jsonl")
    lines = [json.loads(line) for line in (tmp_path / "jsonl").read_bytes().splitlines()]
    arrays = [line for line in lines if isinstance(line, list)]
    said = [Row(*line).content() for line in arrays if len(line) == len(Row._fields)]
    (refused,) = [line for line in arrays if len(line) == 7]

    assert sorted(said, key=itemgetter("id")) == sorted((e.content() for e in everything()), key=itemgetter("id"))
    assert refused[:5] == ["samsung", 99, None, "malformed", "id"]


@pytest.mark.parametrize("format_", FORMATS)
def test_no_folder_is_made_for_a_misspelt_one(format_: Format, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        export(fresh_store(), format_, tmp_path / "misspelt" / "out")

    assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------- parquet


def test_a_table_of_postings_comes_to_the_stored_ones(simulated: Path, tmp_path: Path) -> None:
    store = open_reader(simulated / "ledger.db")
    export(store, "parquet", tmp_path / "parquet")
    sums: Counter[Any] = Counter()
    for row in pq.read_table(tmp_path / "parquet" / "postings.parquet").to_pylist():
        sums[row["measure"], day_number(row["day"]), (row["product"], row["site"], row["supplier"])] += row["wafers"]

    assert {cell: wafers for cell, wafers in sums.items() if wafers} == {
        (measure.name, *others): wafers for (measure, *others), wafers in cells_of(store).items()
    }


def test_a_table_of_events_holds_the_rows(folded: Folded, tmp_path: Path) -> None:
    export(folded.store, "parquet", tmp_path / "parquet")
    table = pq.read_table(tmp_path / "parquet" / "events.parquet")
    microseconds = table.set_column(table.schema.get_field_index("time"), "time", table["time"].cast("int64"))
    rows = [
        Row(**{name: row[name] for name in Row._fields} | {"day": row["day"] and day_number(row["day"])})
        for row in microseconds.to_pylist()
    ]

    assert sorted(rows) == sorted(map(Row.of, everything()))
    assert table["batch"][0].as_py() == 1
    assert str(table["recorded"][0].as_py()) == "2026-02-01 12:00:00+00:00"


def read_lines(folder: Path) -> LineBook:
    """Return the lines that the events of a Parquet export come to."""
    lines, numbers = LineBook(), {"time": pa.int64(), "day": pa.int32()}
    for group in pq.ParquetFile(folder / "events.parquet").iter_batches(500, columns=Row._fields):
        events = group.filter(pc.is_in(group["name"], value_set=pa.array(LINE_EVENTS)))
        columns = [events[name].cast(numbers.get(name, events[name].type)).to_pylist() for name in Row._fields]
        lines.add_rows(map(Row._make, zip(*columns, strict=True)))
    return lines


def test_the_lines_of_a_table_are_those_of_the_store(simulated: Path, tmp_path: Path) -> None:
    store = open_reader(simulated / "ledger.db")
    export(store, "parquet", tmp_path / "parquet")
    lines = read_lines(tmp_path / "parquet")

    assert lines.digest() == fold_lines(store.published_events()).digest()
    assert lines.suppliers()


def test_a_table_says_what_it_was_read_from(folded: Folded, tmp_path: Path) -> None:
    export(folded.store, "parquet", tmp_path / "parquet")
    said = {
        b"epoch": b"7",
        b"position": str(folded.store.head.batch).encode(),
        b"head": folded.store.head.hash.hex().encode(),
        b"state": folded_anew(folded.store).encode(),
        b"sources": b'["americas","samsung"]',
        b"watermarks": b'{"americas":"2026-01-13"}',
        b"horizon": b'["2025-01-01",2191]',
        b"declared": NOTHING_DECLARED.encode(),
    }

    assert pq.read_schema(tmp_path / "parquet" / "postings.parquet").metadata == said
    assert pq.read_schema(tmp_path / "parquet" / "events.parquet").metadata == said


def folded_anew(store: StoreReader) -> str:
    """The state hash as `waferline verify` prints it."""
    return fold_store(store).state_hash()


def test_the_state_hash_can_be_had_from_the_tables(simulated: Path, tmp_path: Path) -> None:
    """As docs/proof.md tells it, without our code; all days lie within the horizon."""
    export(open_reader(simulated / "ledger.db"), "parquet", tmp_path / "parquet")
    postings = pq.read_table(tmp_path / "parquet" / "postings.parquet")
    events = pq.read_table(tmp_path / "parquet" / "events.parquet").to_pylist()
    cells: dict[tuple[str, ...], Counter[int]] = {}
    for row in postings.to_pylist():
        name = (row["product"], row["site"], row["supplier"], row["measure"])
        cells.setdefault(name, Counter())[(row["day"] - date(1970, 1, 1)).days] += row["wafers"]
    watermarks: dict[str, int] = {}
    for row in events:
        if row["name"] == "source.advanced":
            day = (row["day"] - date(1970, 1, 1)).days
            watermarks[row["source"]] = max(day, watermarks.get(row["source"], day))
    sources = sorted({row["source"] for row in events})

    def number(value: int) -> bytes:
        return struct.pack("<q", value)

    def text(value: str) -> bytes:
        return number(len(value.encode())) + value.encode()

    said = [text("waferline.state.v1"), text(NOTHING_DECLARED), number(20089), number(2191)]
    said += [number(len(sources)), *map(text, sources), number(len(watermarks))]
    said += [text(source) + number(day) for source, day in sorted(watermarks.items())]
    for name, days in sorted(cells.items()):
        filled = sorted((day, wafers) for day, wafers in days.items() if wafers)
        if filled:
            said += [*map(text, name), number(len(filled)), *(number(d) + number(w) for d, w in filled)]
    assert sha256(b"".join(said)).hexdigest().encode() == postings.schema.metadata[b"state"]


def test_the_state_is_rebuilt_from_the_tables(simulated: Path, tmp_path: Path) -> None:
    store = open_reader(simulated / "ledger.db")
    write_parquet(store, tmp_path / "parquet", lambda _: None, row_group=500)

    curves, state = rebuild_export(tmp_path / "parquet")

    expected = fold_store(store)
    assert curves.state_hash() == state == expected.state_hash()
    assert (curves.epoch, curves.position, curves.head) == (expected.epoch, expected.position, expected.head)
    assert (curves.postings, curves.last_day) == (expected.postings, expected.last_day)


def test_the_command_tells_whether_a_rebuilt_state_is_the_one_exported(folded: Folded, tmp_path: Path) -> None:
    export(folded.store, "parquet", tmp_path / "parquet")
    path = tmp_path / "parquet" / "postings.parquet"

    said = CliRunner().invoke(app, ["rebuild", str(tmp_path / "parquet"), "--json"])
    assert said.exit_code == 0
    assert (json.loads(said.stdout)["equal"], json.loads(said.stdout)["keys"]) == (True, 4)

    table = pq.read_table(path)
    pq.write_table(table.slice(1), path)
    said = CliRunner().invoke(app, ["rebuild", str(tmp_path / "parquet")])
    assert said.exit_code == 1
    assert "NOT the one exported" in said.stdout


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop_columns("day"), "day"),
        (lambda table: table.replace_schema_metadata({}), "epoch"),
        (lambda table: table.set_column(2, "measure", [["NONE"] * len(table)]), "wrote"),
    ],
)
def test_a_table_of_somebody_else_is_refused(folded: Folded, tmp_path: Path, change: Any, message: str) -> None:
    with pytest.raises(StackError, match="is not there"):
        rebuild_export(tmp_path)
    export(folded.store, "parquet", tmp_path / "parquet")
    path = tmp_path / "parquet" / "postings.parquet"
    pq.write_table(change(pq.read_table(path)), path)

    with pytest.raises(StackError, match=message):
        rebuild_export(tmp_path / "parquet")


def test_a_table_is_written_as_it_is_read(simulated: Path, tmp_path: Path) -> None:
    store = open_reader(simulated / "ledger.db")
    export(store, "parquet", tmp_path / "whole")
    write_parquet(store, tmp_path / "pieces", lambda _: None, row_group=500)

    for name in ("postings.parquet", "events.parquet"):
        whole, pieces = (pq.ParquetFile(tmp_path / folder / name) for folder in ("whole", "pieces"))
        assert whole.metadata.num_row_groups == 1 < pieces.metadata.num_row_groups
        assert whole.read().to_pylist() == pieces.read().to_pylist()


# ---------------------------------------------------------------- all of them


@pytest.mark.parametrize("format_", FORMATS)
def test_an_export_is_the_same_every_time(folded: Folded, tmp_path: Path, format_: Format) -> None:
    for name in ("a", "b"):
        export(folded.store, format_, tmp_path / name)

    a, b = (
        {
            file.relative_to(tmp_path / n): file.read_bytes()
            for file in [tmp_path / n, *(tmp_path / n).rglob("*")]
            if file.is_file()
        }
        for n in "ab"
    )
    assert a == b
    assert a


@pytest.mark.parametrize("format_", FORMATS)
def test_nothing_is_written_over(folded: Folded, tmp_path: Path, format_: Format) -> None:
    (tmp_path / "there").write_text("kept")

    with pytest.raises(StackError, match="is there already"):
        export(folded.store, format_, tmp_path / "there")
    assert (tmp_path / "there").read_text() == "kept"


@pytest.mark.parametrize("format_", FORMATS)
def test_an_export_that_breaks_off_leaves_nothing(folded: Folded, tmp_path: Path, format_: Format) -> None:
    def advance(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(folded.store, format_, tmp_path / "export", advance)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format_", FORMATS)
def test_each_batch_is_told(folded: Folded, tmp_path: Path, format_: Format) -> None:
    heard: list[int] = []
    export(folded.store, format_, tmp_path / "export", heard.append)

    assert sum(heard) == folded.store.head.batch


@pytest.mark.parametrize("format_", FORMATS)
def test_an_empty_store_is_an_empty_export(tmp_path: Path, format_: Format) -> None:
    export(open_writer(":memory:", epoch=7), format_, tmp_path / "export")

    assert (tmp_path / "export").exists()
    if format_ == "hledger" and shutil.which("hledger"):
        assert check(tmp_path / "export") == ""


def test_the_command_writes_to_standard_output_or_to_a_file(simulated: Path, tmp_path: Path) -> None:
    command = ["export", "--data", str(simulated), "--format", "jsonl", "--to"]
    shown = CliRunner().invoke(app, [*command, "-"])
    told = CliRunner().invoke(app, [*command, str(tmp_path / "jsonl")])

    assert shown.stdout_bytes == (tmp_path / "jsonl").read_bytes()
    assert "chain head" in told.stdout


def test_the_command_says_that_parquet_is_a_folder(simulated: Path) -> None:
    refused = CliRunner().invoke(app, ["export", "--data", str(simulated), "--format", "parquet", "--to", "-"])

    assert refused.exit_code == 1
    assert "parquet takes a folder" in refused.stderr


@pytest.mark.parametrize("format_", FORMATS)
def test_what_is_not_as_it_was_sealed_is_not_exported(folded: Folded, tmp_path: Path, format_: Format) -> None:
    folded.store.database.execute("UPDATE events SET body = replace(body, ',500,', ',501,')")

    with pytest.raises(StackError, match=r"batch \d+ is not what was sealed"):
        export(folded.store, format_, tmp_path / "export")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(StackError, match="is not what was sealed"):
        list(record_lines(folded.store))
