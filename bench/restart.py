"""The restart of the aggregator: its state loaded from columns, from an export, and restored from a snapshot.

Ten million postings of 10,000 keys, four measures each, over 1,461 days; and the four years of the reference programme
from the Parquet export of a stack that has played it:

    waferline demo --until 2029-12 --data data/restart
    waferline export --format parquet --to data/restart.parquet --data data/restart
    make bench-restart ARGS="--export data/restart.parquet"

Prints one line of JSON; each figure is the median of some rounds, the first of them left out: it touches the memory.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from services.aggregator.fold.columns import Columns, FoldPosition
from services.aggregator.fold.curves import Curves
from services.aggregator.fold.snapshot import decode, encode
from services.aggregator.fold.state import FoldState
from services.aggregator.live.snapshots import SnapshotFile
from services.operator.record.rebuild import rebuild_export
from shared.programme.declarations import NOTHING_DECLARED
from shared.service.service import calm_collector
from shared.wire.postings import Measure

DAYS, FIRST_DAY, LATE_MAX = 1461, 20_089, 3  # from 2025-01-01
MEASURES = (Measure.STARTED, Measure.RECEIVED, Measure.REQUIRED, Measure.OPEN_FIRM)
PRODUCTS, SITES = 20, 125


def make_postings(count: int, keys: int, seed: int) -> Columns:
    """Return random postings, nearly in the order of their days as a ledger has them."""
    random = np.random.default_rng(seed)
    key = random.integers(0, keys, count, dtype=np.int32)
    suppliers = -(-keys // (PRODUCTS * SITES))
    kinds = (("P", PRODUCTS), ("S", SITES), ("U", suppliers))
    day = FIRST_DAY + np.sort(random.integers(0, DAYS, count, dtype=np.int32)) - random.integers(0, LATE_MAX, count)
    return Columns(
        names=[f"{kind}{n}" for kind, size in kinds for n in range(size)],
        products=key % PRODUCTS,
        sites=PRODUCTS + key // PRODUCTS % SITES,
        suppliers=PRODUCTS + SITES + key // (PRODUCTS * SITES),
        measures=np.array(MEASURES)[random.integers(0, len(MEASURES), count)],
        days=day,
        wafers=random.integers(1, 26, count, dtype=np.int32),
    )


def measure(postings: Columns, export: Path | None, rounds: int) -> dict[str, Any]:
    """Return the medians, in seconds, and the memory of the state."""
    took: dict[str, list[float]] = defaultdict(list)
    facts: dict[str, Any] = {}

    def lap(name: str, began: float) -> None:
        took[name].append(time.perf_counter() - began)

    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds + 1):
            curves = Curves(catalogue=NOTHING_DECLARED)
            began = time.perf_counter()
            curves.load([postings], FoldPosition(1, 1, "", {}, ["bench"]))
            lap("rebuild_s", began)
            began = time.perf_counter()
            state = curves.state_hash()
            lap("hash_s", began)
            file = SnapshotFile(Path(folder) / "snapshot")
            began = time.perf_counter()
            pieces = encode(FoldState(curves))
            lap("encode_s", began)
            began = time.perf_counter()
            size = file.write(pieces, (1, number + 1))
            lap("write_s", began)
            del pieces
            facts |= {
                "bytes": size,
                "keys": len(curves.keys),
                "memory_bytes_per_key": curves.memory_bytes // len(curves.keys),
            }
            start, days, catalogue = curves.start, curves.days, curves.catalogue
            del curves
            began = time.perf_counter()
            restored = decode(file.read(), start, days, catalogue).curves  # which compares the state hash, too
            lap("restore_s", began)
            if restored.state_hash() != state:
                raise RuntimeError("the restored state is another")
            del restored
            if export is not None:
                began = time.perf_counter()
                programme, exported = rebuild_export(export)
                equal = programme.state_hash() == exported
                lap("programme_rebuild_s", began)
                facts |= {"programme_postings": programme.postings, "programme_equal": equal}
                began = time.perf_counter()
                encode(FoldState(programme))
                lap("programme_encode_s", began)
    return {name: round(statistics.median(times[1:]), 4) for name, times in took.items()} | facts


def main() -> None:
    """Measure, and print one line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--postings", type=int, default=10_000_000)
    parser.add_argument("--keys", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--export", type=Path, help="what `waferline export --format parquet` wrote of the programme")
    arguments = parser.parse_args()
    calm_collector()
    postings = make_postings(arguments.postings, arguments.keys, arguments.seed)
    print(json.dumps({"postings": arguments.postings} | measure(postings, arguments.export, arguments.rounds)))


if __name__ == "__main__":
    main()
