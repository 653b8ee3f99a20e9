"""Rebuilding: the aggregator's state from the tables of an export alone."""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from services.aggregator.fold.columns import Columns, FoldPosition
from services.aggregator.fold.curves import Curves
from services.operator.stack.finding import StackError
from shared.wire.catalog import digest
from shared.wire.days import day_number
from shared.wire.postings import Measure

_PARTS = ("product", "site", "supplier")
_NUMBERS = {measure.name: int(measure) for measure in Measure}


def rebuild_export(folder: Path) -> tuple[Curves, str]:
    """Return the curves of the postings that an export holds, and the state hash that it says they have.

    Raises `StackError` where the folder holds no such export.
    """
    # no other command is to wait for these
    import pyarrow as pa  # type: ignore[import-untyped] # noqa: PLC0415
    import pyarrow.parquet as pq  # type: ignore[import-untyped] # noqa: PLC0415

    path = folder / "postings.parquet"
    if not path.exists():
        raise StackError(f"{path} is not there: make it with `waferline export --format parquet`")
    curves = Curves(catalogue=digest())
    try:
        with pq.ParquetFile(path, memory_map=True) as file:
            standing, state = _standing(file.schema_arrow.metadata or {})
            curves.load(_columns(file), standing)
    except (KeyError, ValueError, TypeError, pa.ArrowException) as why:
        raise StackError(f"{path} is no table of postings that `waferline export` wrote: {why}") from why
    return curves, state


def read_postings(folder: Path) -> Iterator[Columns]:
    """Yield the postings of an export, page by page; raise `StackError` where there are none."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    path = folder / "postings.parquet"
    if not path.exists():
        raise StackError(f"{path} is not there: make it with `waferline export --format parquet`")
    try:
        with pq.ParquetFile(path, memory_map=True) as file:
            yield from _columns(file)
    except (KeyError, ValueError, TypeError, pa.ArrowException) as why:
        raise StackError(f"{path} is no table of postings that `waferline export` wrote: {why}") from why


def _standing(metadata: dict[bytes, bytes]) -> tuple[FoldPosition, str]:
    said = {name: metadata[name.encode()].decode() for name in ("epoch", "position", "head", "state")}
    days: dict[str, str] = json.loads(metadata[b"watermarks"])
    watermarks = {source: day_number(date.fromisoformat(day)) for source, day in days.items()}
    sources: list[str] = json.loads(metadata[b"sources"])
    return FoldPosition(int(said["epoch"]), int(said["position"]), said["head"], watermarks, sources), said["state"]


def _columns(file: Any) -> Iterator[Columns]:
    """Yield the row groups of a table of postings."""
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
    """Return the different texts of a column, and for each row the index of its own."""
    encoded = column.dictionary_encode().unify_dictionaries().combine_chunks()
    if encoded.null_count:
        raise ValueError("a row names nothing")
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy()
