"""Compares the balances of two versions: every product, site, supplier, measure and day of two Parquet exports.

`python -m tests.replay.compare OLD NEW` reads two folders of `waferline export --format parquet`. It prints the cells
and the wafers of each measure, and fails where a measure of OLD has other wafers in NEW.
"""

import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq  # type: ignore[import-untyped]

Cell = tuple[str, str, str, int]  # product, site, supplier, day since 1970


class Comparison(NamedTuple):
    """The cells of one measure in two exports; a cell is the sum of a day's postings, zeros left out."""

    measure: str
    old_cells: int
    new_cells: int
    old_wafers: int
    new_wafers: int
    different: int  # cells


def compare(old: Path, new: Path) -> list[Comparison]:
    """Return the comparison of each measure that either export has, by name."""
    before, after = _read_cells(old), _read_cells(new)
    return [
        Comparison(
            measure, len(ours), len(theirs), sum(ours.values()), sum(theirs.values()),
            sum(ours[cell] != theirs[cell] for cell in ours.keys() | theirs.keys()),
        )
        for measure in sorted(before.keys() | after.keys())
        for ours, theirs in [(before.get(measure, Counter()), after.get(measure, Counter()))]
    ]  # fmt: skip


def _read_cells(folder: Path) -> dict[str, Counter[Cell]]:
    sums: dict[str, Counter[Cell]] = {}
    columns = ("measure", "product", "site", "supplier", "day", "wafers")
    for group in pq.ParquetFile(folder / "postings.parquet").iter_batches(100_000, columns=columns):
        days = group["day"].cast("int32")
        table = [days if name == "day" else group[name] for name in columns]
        for measure, *cell, wafers in zip(*(column.to_pylist() for column in table), strict=True):
            sums.setdefault(measure, Counter())[tuple(cell)] += wafers
    filled = {measure: Counter({cell: n for cell, n in cells.items() if n}) for measure, cells in sums.items()}
    return {measure: cells for measure, cells in filled.items() if cells}


def main() -> None:
    """Print the comparison of two exports."""
    old, new = map(Path, sys.argv[1:])
    states = [pq.read_schema(folder / "postings.parquet").metadata[b"state"].decode() for folder in (old, new)]
    rows = compare(old, new)
    print("measure", "cells before", "now", "wafers before", "now", "different cells", sep="\t")  # noqa: T201
    for row in rows:
        print(*row, sep="\t")  # noqa: T201
    print("state", *states, sep="\t")  # noqa: T201
    if any(row.different for row in rows if row.old_cells):
        raise SystemExit("balances of a measure that existed before differ")


if __name__ == "__main__":
    main()
