"""Compare the answers over random logs with the oracle's; `--seed 7` shows one."""

import argparse
import sys
import time

from testing.oracle.book import iso, name_of
from testing.oracle.comparison import compared

SEEDS = 300
SHOWN_MAX = 20


def main() -> int:
    parser = argparse.ArgumentParser(prog="make oracle", description=__doc__)
    parser.add_argument("--seed", type=int, help="show the log of one seed, and where it is answered otherwise")
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"how many seeds, from 0; {SEEDS} by default")
    asked = parser.parse_args()
    if asked.seed is not None:
        return show(asked.seed)
    return compare_all(asked.seeds)


def show(seed: int) -> int:
    """Print a log in the order of its times, and the differences."""
    found = compared(seed)
    for event in sorted(found.book.events, key=lambda each: each["time"]):
        data = " ".join(f"{field}={value}" for field, value in event["data"].items() if field != "lots")
        gone = "" if event in found.book.holding else "  (reversed, or a reversal)"
        print(f"{event['time']} {event['source']:18} {event['id'][:8]} {name_of(event):20} {data}{gone}")
    print(f"complete through {iso(found.planner.through)}; {found.numbers:,} numbers compared")
    print("\n".join(found.differences) or "no difference")
    return bool(found.differences)


def compare_all(seeds: int) -> int:
    """Compare a number of logs, and print the first differences."""
    numbers, differing, begun = 0, [], time.monotonic()
    for seed in range(seeds):
        found = compared(seed)
        numbers += found.numbers
        if found.differences:
            differing.append(seed)
            print(f"seed {seed}: {len(found.differences)} differences", *found.differences[:SHOWN_MAX], sep="\n  ")
        if (seed + 1) % 25 == 0 or seed + 1 == seeds:
            print(f"{seed + 1} of {seeds} logs, {numbers:,} numbers, {time.monotonic() - begun:.0f} s", flush=True)
    print(f"{len(differing)} of {seeds} logs are answered otherwise than by the oracle")
    return bool(differing)


if __name__ == "__main__":
    sys.exit(main())
