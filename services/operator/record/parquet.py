"""A store as two Parquet tables, postings and events."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from services.ledger.store.reader import StoreReader
from services.operator.record.curves import fold
from services.operator.record.store import expect_sealed
from services.operator.stack.new_file import expect_absent, new_folder
from shared.wire.days import day_of, is_ended, iso_day
from shared.wire.postings import Measure
from shared.wire.rows import Row

ROW_GROUP = 65_536  # rows of a table in memory at once
_DICTIONARIES = ("measure", "source", "name", "product", "site", "supplier")
_POSTINGS = ("batch", "recorded", "measure", "day", "product", "site", "supplier", "wafers")
_EVENTS = ("batch", "recorded", *Row._fields)
_NUMBERS = ("batch", "sequence", "wafers", "revision")


def write_parquet(
    store: StoreReader, folder: Path, advance: Callable[[int], None], *, row_group: int = ROW_GROUP
) -> None:
    """Write the postings and events of a store as two tables in a new folder; the folder is complete, or absent."""
    expect_absent(folder)
    curves = fold(store)
    metadata = {
        "epoch": str(store.epoch), "position": str(store.head.batch), "head": store.head.hash.hex(),
        "state": curves.state_hash(), "horizon": _json([iso_day(curves.start), curves.days]),
        "declared": curves.catalogue, "sources": _json(sorted(curves.sources)),
        "watermarks": _json({source: iso_day(day_of(day)) for source, day in curves.watermarks.items()}),
    }  # fmt: skip
    ended = sorted(source for source, day in curves.watermarks.items() if is_ended(day))
    metadata |= {"ended": _json(ended)} if ended else {}
    with new_folder(folder) as part:
        _write_tables(store, part, metadata, advance, row_group)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _write_tables(
    store: StoreReader, folder: Path, metadata: dict[str, str], advance: Callable[[int], None], row_group: int
) -> None:
    with (
        _TableWriter(folder / "postings.parquet", _POSTINGS, metadata, row_group) as postings,
        _TableWriter(folder / "events.parquet", _EVENTS, metadata, row_group) as events,
    ):
        for sealed in expect_sealed(store.sealed_batches()):
            header = sealed.batch.header
            [batch] = store.published_batches(header.batch - 1, 1, events=False)
            cells, names = batch.postings, batch.postings.names
            postings.add(
                (header.batch, header.recorded, Measure(measure).name, day, names[product], names[site],
                 names[supplier], wafers)
                for measure, day, product, site, supplier, wafers in zip(
                    cells.measures, cells.days, cells.products, cells.sites, cells.suppliers, cells.wafers, strict=True
                )
            )  # fmt: skip
            events.add((header.batch, header.recorded, *Row.read(body)) for body in sealed.bodies)
            advance(1)


class _TableWriter:
    """Writes rows to a Parquet file, a row group at a time."""

    def __init__(self, path: Path, columns: Iterable[str], metadata: dict[str, str], row_group: int) -> None:
        types = {
            **dict.fromkeys(_DICTIONARIES, pa.dictionary(pa.int32(), pa.string())),
            **dict.fromkeys(_NUMBERS, pa.int64()),
            **dict.fromkeys(("recorded", "time"), pa.timestamp("us", tz="UTC")),
            "day": pa.date32(),
        }
        fields = [(name, types.get(name, pa.string())) for name in columns]
        self.schema = pa.schema(fields, metadata=metadata)
        self.writer = pq.ParquetWriter(path, self.schema)
        self.row_group = row_group
        self.rows: list[tuple[Any, ...]] = []

    def __enter__(self) -> "_TableWriter":
        return self

    def __exit__(self, failed: object, *_: object) -> None:
        if failed is None:
            self._flush()
        self.writer.close()

    def add(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Add rows; a full row group is written."""
        self.rows += rows
        if len(self.rows) >= self.row_group:
            self._flush()

    def _flush(self) -> None:
        if self.rows:
            columns = zip(*self.rows, strict=True)
            arrays = [pa.array(c, field.type) for c, field in zip(columns, self.schema, strict=True)]
            self.writer.write_table(pa.table(arrays, schema=self.schema))
            self.rows.clear()
