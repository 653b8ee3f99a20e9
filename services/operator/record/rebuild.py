"""Rebuild of the aggregator's state from the Parquet tables of an export alone."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from services.aggregator.fold.columns import Columns, FoldPosition
from services.aggregator.fold.curves import Curves
from services.aggregator.settings import AggregatorSettings
from services.operator.stack.errors import StackError
from shared.programme.declarations import NOTHING_DECLARED
from shared.wire.days import ENDED, day_number
from shared.wire.postings import Measure

_PARTS = ("product", "site", "supplier")
_NUMBERS = {measure.name: int(measure) for measure in Measure}


def rebuild_export(folder: Path) -> tuple[Curves, str]:
    """Return the curves of an export's postings, and the state hash that the export records.

    Raises `StackError` if the folder holds no such export.
    """
    with _opened(folder) as file:
        metadata = file.schema_arrow.metadata or {}
        position, state_hash = _read_metadata(metadata)
        curves = Curves.of(*_read_horizon(metadata), metadata.get(b"declared", NOTHING_DECLARED.encode()).decode())
        curves.load(_columns(file), position)
    return curves, state_hash


def read_postings(folder: Path) -> Iterator[Columns]:
    """Yield the postings of an export, a row group at a time; raise `StackError` if the folder holds no export."""
    with _opened(folder) as file:
        yield from _columns(file)


def read_horizon(folder: Path) -> tuple[int, int]:
    """Return the horizon of an export: its first day (since 1970), and its days; raise `StackError` as above."""
    with _opened(folder) as file:
        return _read_horizon(file.schema_arrow.metadata or {})


@contextmanager
def _opened(folder: Path) -> Iterator[pq.ParquetFile]:
    """Open the table of postings; raise `StackError` if it is missing, or `waferline export` did not write it."""
    path = folder / "postings.parquet"
    if not path.exists():
        raise StackError(f"{path} is not there: make it with `waferline export --format parquet`")
    try:
        with pq.ParquetFile(path, memory_map=True) as file:
            yield file
    except (KeyError, ValueError, TypeError, pa.ArrowException) as why:
        raise StackError(f"{path} is no table of postings that `waferline export` wrote: {why}") from why


def _read_metadata(metadata: dict[bytes, bytes]) -> tuple[FoldPosition, str]:
    texts = {name: metadata[name.encode()].decode() for name in ("epoch", "position", "head", "state")}
    days: dict[str, str] = json.loads(metadata[b"watermarks"])
    watermarks = {source: day_number(date.fromisoformat(day)) for source, day in days.items()}
    for source in json.loads(metadata.get(b"ended", b"[]")):
        watermarks[source] += ENDED
    sources: list[str] = json.loads(metadata[b"sources"])
    return FoldPosition(int(texts["epoch"]), int(texts["position"]), texts["head"], watermarks, sources), texts["state"]


def _read_horizon(metadata: dict[bytes, bytes]) -> tuple[int, int]:
    """Return the horizon that an export states; those made before programmes could declare one have the default."""
    if b"horizon" not in metadata:
        return AggregatorSettings().default_horizon()
    start, days = json.loads(metadata[b"horizon"])
    return day_number(date.fromisoformat(start)), int(days)


def _columns(file: Any) -> Iterator[Columns]:
    """Yield the row groups of a table of postings as columns."""
    for group in range(file.num_row_groups):
        table = file.read_row_group(group, columns=["measure", "day", *_PARTS, "wafers"])
        names: list[str] = []
        parts: list[Any] = []
        for part in _PARTS:
            texts, codes = _dictionary(table[part])
            parts.append(codes + len(names))
            names += texts
        measures, measure = _dictionary(table["measure"])
        number = np.array([_NUMBERS[name] for name in measures], dtype=np.int64)
        days, wafers = table["day"].cast("int32").to_numpy(), table["wafers"].to_numpy()
        product, site, supplier = parts
        yield Columns(names, product, site, supplier, number[measure], days, wafers)


def _dictionary(column: Any) -> tuple[list[str], Any]:
    """Return the distinct texts of a column, and for each row the index of its text."""
    encoded = column.dictionary_encode().unify_dictionaries().combine_chunks()
    if encoded.null_count:
        raise ValueError("a row has an empty name")
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy()
