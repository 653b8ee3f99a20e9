"""Exports: what a store holds, for the tools of others: a journal for hledger, the proved documents, Parquet."""

import json
import shutil
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO, Literal, NamedTuple

import numpy as np

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.lines.book import LineBook
from services.aggregator.fold.queries import sum_moved, sum_moved_beyond
from services.aggregator.fold.series import SLOTS
from services.aggregator.terms import PARTS
from services.ledger.books.posting import Key, Memory, post_events
from services.ledger.store.store import Store
from services.operator.record.at_rest import fold
from services.operator.record.proof import expect_sealed
from services.operator.stack.finding import StackError
from shared.wire.batch import Row
from shared.wire.days import iso_day, iso_time
from shared.wire.postings import LINE_EVENTS, STAGES, Measure

Format = Literal["hledger", "jsonl", "parquet"]
Advance = Callable[[int], None]
_ROW_GROUP = 65_536  # rows of a table in memory at once
_CLOSING = "waferline"  # who says the last transaction of a journal


def export(store: Store, format_: Format, target: Path | None, advance: Advance = lambda _: None) -> None:
    """Write all that a store holds to a file, or to standard output; Parquet goes to a folder of two files.

    `advance` hears of each batch. The target is whole, or not there. Raises `StackError` where it is there already.
    """
    if target is not None and target.exists():
        raise StackError(f"{target} is there already: remove it or name another")
    if format_ == "parquet":
        if target is None:
            raise StackError("parquet takes a folder for its two files: name it with --to")
        _write_parquet(store, target, advance)
        return
    write = _write_journal if format_ == "hledger" else _write_documents
    with _opened(target) as file:
        write(store, file, advance)


@contextmanager
def _opened(target: Path | None) -> Iterator[BinaryIO]:
    if target is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    part = target.with_name(target.name + ".part")
    try:
        with part.open("wb") as file:
            yield file
        part.rename(target)
    finally:
        part.unlink(missing_ok=True)


# ---------------------------------------------------------------- what is read of the store


class _Posted(NamedTuple):
    """An event, and what it alone moved: the store keeps the sums of a batch."""

    batch: int
    recorded: int
    row: Row
    moved: dict[int, list[tuple[Measure, Key, int]]]  # day -> measure, key, wafers


def _post_again(store: Store, advance: Advance) -> Iterator[_Posted]:
    """Yield each event that moves wafers, in the order of recording."""
    seq = 0

    def load_event(source: str, id_: str) -> Row | None:
        """A reversal that came before its target did not find it."""
        found = store.find_event(source, id_)
        return found[1] if found is not None and found[0] < seq else None

    memory = Memory(load_event=load_event)
    for sealed in expect_sealed(store.sealed_batches()):
        header = sealed.batch.header
        for row in map(Row.read, sealed.bodies):
            seq += 1
            moved: dict[int, list[tuple[Measure, Key, int]]] = {}
            for (measure, day, key), wafers in post_events([row], memory).postings():
                if measure in STAGES:
                    moved.setdefault(day, []).append((measure, key, wafers))
            if moved:
                yield _Posted(header.batch, header.recorded, row, moved)
        advance(1)


# ---------------------------------------------------------------- jsonl


def _write_documents(store: Store, file: BinaryIO, advance: Advance) -> None:
    for sealed in expect_sealed(store.sealed_batches()):
        file.write(sealed.document())
        advance(1)


# ---------------------------------------------------------------- hledger

_HEADER = """\
; The wafers of a Waferline ledger, as a journal of hledger (https://hledger.org).
;
; epoch: {epoch}
; position: {position}
; head: {head}
; state: {state}
;
; A transaction is what one event moved on one day, from a stage to a stage: account is stage:supplier:site, commodity
; the product. It is dated by the day it held; its tag `recorded` says when the ledger knew. A reversal is a transaction
; of its own, the opposite of what it takes back (`reverses`). What a count found, and no movement explains, is taken
; from `adjustment`. What was shipped to one site and ended at another goes through `diverted`, on the day of its
; dispatch: by the event that told, which can be another than the dispatch.
; Plans move no wafers: agreements, commits, forecasts, orders and expected arrivals are left out.
;
; The last transaction asserts every balance as Waferline's own fold has it, at the end of all days:
;     hledger -f FILE check --strict ordereddates payees

"""


def _write_journal(store: Store, file: BinaryIO, advance: Advance) -> None:
    curves = fold(store)
    due = _balances(curves)
    payees, cells = {_CLOSING}, set(due)
    days, ends = array("q"), array("q", [0])
    with TemporaryFile() as spool:  # in the order of arrival: a year of lots would fill the memory
        for posted in _post_again(store, advance):
            payees.add(posted.row.source)
            for day, moved in sorted(posted.moved.items()):
                entries = [entry for movement in moved for entry in _entries(*movement)]
                cells.update((account, product) for account, product, _ in entries)
                days.append(day)
                ends.append(ends[-1] + spool.write(_transaction(day, posted, entries)))
        head = _HEADER.format(
            epoch=store.epoch, position=store.head.batch, head=store.head.hash.hex(), state=curves.state_hash()
        )
        file.write(head.encode())
        file.writelines(f'commodity 1000. "{product}"\n'.encode() for product in sorted({cell[1] for cell in cells}))
        file.writelines(f"account {account}\n".encode() for account in sorted({cell[0] for cell in cells}))
        file.writelines(f"payee {payee}\n".encode() for payee in sorted(payees))
        for n in np.argsort(np.array(days, dtype=np.int64), kind="stable").tolist():
            spool.seek(ends[n])
            file.write(spool.read(ends[n + 1] - ends[n]))
    if cells:
        closing = [
            f'    {account}  0 "{product}" = {due.get((account, product), 0)} "{product}"'
            for account, product in sorted(cells)
        ]
        last = max(days, default=curves.last_day)
        file.write("\n".join([f"\n{iso_day(last)} {_CLOSING} | balances", *closing, ""]).encode())


def _transaction(day: int, posted: _Posted, entries: Iterable[tuple[str, str, int]]) -> bytes:
    row = posted.row
    line = "" if row.line is None else f" {row.line}"
    tags = f"id:{row.id}, source:{row.source}, batch:{posted.batch}, recorded:{iso_time(posted.recorded)}"
    if row.name == "event.reversed":
        tags += f", reverses:{row.others['reversed']}"
    lines = [f'    {account}  {wafers} "{product}"' for account, product, wafers in entries]
    return "\n".join([f"\n{iso_day(day)} {row.source} | {row.name}{line}  ; {tags}", *lines, ""]).encode()


def _entries(measure: Measure, key: Key, wafers: int) -> Iterator[tuple[str, str, int]]:
    """Yield the two entries of a movement: account, product, wafers."""
    product, site, supplier = key
    out, into = STAGES[measure]
    yield _account(into, supplier, site), product, wafers
    yield _account(out, supplier, site), product, -wafers


@lru_cache(maxsize=65_536)
def _account(stage: str, supplier: str, site: str) -> str:
    """A name may hold a colon, which would make an account of its own there."""
    return ":".join(part.replace(":", "%3A") for part in (stage, supplier, site))


def _balances(curves: Curves) -> dict[tuple[str, str], int]:
    """Return what each account holds of each product by the aggregator's sums, zeros left out."""
    grouping = curves.group(PARTS)
    moved = sum_moved(curves, grouping, curves.last_day) + sum_moved_beyond(curves, grouping)
    balances: dict[tuple[str, str], int] = {}
    for column, (product, site, supplier) in enumerate(grouping.labels):
        for measure in STAGES:
            wafers = int(moved[SLOTS[measure], column])
            for account, _, added in _entries(measure, (product, site, supplier), wafers):
                balances[account, product] = balances.get((account, product), 0) + added
    return {cell: wafers for cell, wafers in balances.items() if wafers}


# ---------------------------------------------------------------- parquet

_DICTIONARIES = ("measure", "source", "name", "product", "site", "supplier")
_POSTINGS = ("batch", "recorded", "measure", "day", "product", "site", "supplier", "wafers")
_EVENTS = ("batch", "recorded", *Row._fields)
_NUMBERS = ("batch", "sequence", "wafers", "revision")


def _write_parquet(store: Store, folder: Path, advance: Advance) -> None:
    curves = fold(store)
    said = {
        "epoch": str(store.epoch), "position": str(store.head.batch), "head": store.head.hash.hex(),
        "state": curves.state_hash(), "sources": _json(sorted(curves.sources)),
        "watermarks": _json({source: iso_day(day) for source, day in curves.watermarks.items()}),
    }  # fmt: skip
    part = folder.with_name(folder.name + ".part")
    part.mkdir()
    try:
        _write_tables(store, part, said, advance)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _write_tables(store: Store, folder: Path, metadata: dict[str, str], advance: Advance) -> None:
    with (
        _Table(folder / "postings.parquet", _POSTINGS, metadata) as postings,
        _Table(folder / "events.parquet", _EVENTS, metadata) as events,
    ):
        for sealed in expect_sealed(store.sealed_batches()):
            header = sealed.batch.header
            [told] = store.told_batches(header.batch - 1, 1, said=False)
            said, names = told.postings, told.postings.names
            postings.add(
                (header.batch, header.recorded, Measure(measure).name, day, names[product], names[site],
                 names[supplier], wafers)
                for measure, day, product, site, supplier, wafers in zip(
                    said.measures, said.days, said.products, said.sites, said.suppliers, said.wafers, strict=True
                )
            )  # fmt: skip
            events.add((header.batch, header.recorded, *Row.read(body)) for body in sealed.bodies)
            advance(1)


class _Table:
    """A Parquet file that is written as its rows come, a row group at a time."""

    def __init__(self, path: Path, columns: Iterable[str], said: dict[str, str]) -> None:
        # no other command is to wait for these
        import pyarrow as pa  # type: ignore[import-untyped] # noqa: PLC0415
        import pyarrow.parquet as pq  # type: ignore[import-untyped] # noqa: PLC0415

        types = {
            **dict.fromkeys(_DICTIONARIES, pa.dictionary(pa.int32(), pa.string())),
            **dict.fromkeys(_NUMBERS, pa.int64()),
            **dict.fromkeys(("recorded", "time"), pa.timestamp("us", tz="UTC")),
            "day": pa.date32(),
        }
        fields = [(name, types.get(name, pa.string())) for name in columns]
        self.schema = pa.schema(fields, metadata=said)
        self.writer = pq.ParquetWriter(path, self.schema)
        self.array, self.table = pa.array, pa.table
        self.rows: list[tuple[Any, ...]] = []

    def __enter__(self) -> "_Table":
        return self

    def __exit__(self, failed: object, *_: object) -> None:
        if failed is None:
            self._flush()
        self.writer.close()

    def add(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Take some rows; they are written when there are enough."""
        self.rows += rows
        if len(self.rows) >= _ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self.rows:
            columns = zip(*self.rows, strict=True)
            arrays = [self.array(c, field.type) for c, field in zip(columns, self.schema, strict=True)]
            self.writer.write_table(self.table(arrays, schema=self.schema))
            self.rows.clear()


def read_lines(folder: Path) -> LineBook:
    """Return the lines that the events of a Parquet export come to."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.compute as pc  # type: ignore[import-untyped] # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    lines, numbers = LineBook(), {"time": pa.int64(), "day": pa.int32()}
    for group in pq.ParquetFile(folder / "events.parquet").iter_batches(_ROW_GROUP, columns=Row._fields):
        said = group.filter(pc.is_in(group["name"], value_set=pa.array(LINE_EVENTS)))
        columns = [said[name].cast(numbers.get(name, said[name].type)).to_pylist() for name in Row._fields]
        lines.add_rows(map(Row._make, zip(*columns, strict=True)))
    return lines
