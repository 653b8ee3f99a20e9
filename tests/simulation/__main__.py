"""python -m tests.simulation: live through many worlds, each a function of its seed, and say what was tried."""

import json
import os
import sys
import time
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import count
from multiprocessing import get_context
from pathlib import Path

from tests.simulation.plants import PLANTS, run_planted
from tests.simulation.world import Ran

ROOT = Path(__file__).parents[2]
_PAGE = ROOT / "docs" / "reliability.md"
_BEGIN, _END = "<!-- simulation: begin -->", "<!-- simulation: end -->"
_WRONG_MAX = 10  # then it is known


def main() -> int:
    """Run the worlds asked for; return 1 where one was found wrong."""
    asked = _read_arguments()
    if asked.seed is not None:
        return _show(asked)
    began, ran, wrong, tried = time.monotonic(), 0, [], Counter[str]()
    for world in _run(asked):
        ran += 1
        tried += world.tried
        if world.wrong is not None:
            wrong.append(world)
            planted = f" --planted {asked.planted}" if asked.planted else ""
            _say(f"\rseed {world.seed}: {world.wrong}\n  python -m tests.simulation --seed {world.seed}{planted}\n")
        if ran % 50 == 0:
            _say(f"\r{ran} of {asked.seeds} worlds, {len(wrong)} wrong, {time.monotonic() - began:.0f} s")
        if len(wrong) == (1 if asked.planted else _WRONG_MAX):
            break
    seconds = round(time.monotonic() - began, 1)
    if asked.json:
        failures = [{"seed": world.seed, "wrong": world.wrong} for world in wrong]
        sys.stdout.write(json.dumps({"worlds": ran, "seconds": seconds, "wrong": failures, "tried": tried}) + "\n")
    else:
        lines = [f"{times:>12,}  {what}" for what, times in sorted(tried.items())]
        sys.stdout.write("\n".join(["", *lines, f"{ran:>12,}  worlds in {seconds} s, {len(wrong)} wrong", ""]))
    if asked.write:
        _write(
            [f"`python -m tests.simulation --seeds {asked.seeds}`: {ran:,} worlds, {len(wrong)} wrong.", *_table(tried)]
        )
    return 1 if wrong else 0


def _table(tried: Counter[str]) -> list[str]:
    """Return what was tried and seen, and the first seed that finds each planted bug, as two tables in Markdown."""
    rows = [f"| {what} | {times:,} |" for what, times in sorted(tried.items(), key=lambda row: row[0].lstrip("("))]
    found = [f"| `{plant}` | {next(seed for seed in count() if run_planted(plant, seed).wrong)} |" for plant in PLANTS]
    return [
        *("", "| tried, or (seen) | times |", "|---|---:|", *rows),
        *("", "| planted bug | found by seed |", "|---|---:|", *found),
    ]


def _write(lines: list[str]) -> None:
    page = _PAGE.read_text()
    before, _, rest = page.partition(_BEGIN)
    _PAGE.write_text("\n".join((f"{before}{_BEGIN}", "", *lines, "", f"{_END}{rest.partition(_END)[2]}")))


def _read_arguments() -> Namespace:
    parser = ArgumentParser(prog="python -m tests.simulation", description=__doc__.partition(": ")[2])
    parser.add_argument("--seeds", type=int, default=10_000, help="how many worlds")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="this one alone, with all that happens in it")
    parser.add_argument("--planted", choices=PLANTS, help="with a bug, until it is found")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--json", action="store_true", help="say it in JSON")
    parser.add_argument("--write", action="store_true", help=f"write the table into {_PAGE.relative_to(ROOT)}")
    return parser.parse_args()


def _run(asked: Namespace) -> Iterator[Ran]:
    """Yield the worlds in the order of their seeds."""
    seeds = range(asked.first, asked.first + asked.seeds)
    with get_context("spawn").Pool(asked.processes) as pool:
        yield from pool.imap(partial(run_planted, asked.planted), seeds, chunksize=8)


def _show(asked: Namespace) -> int:
    ran = run_planted(asked.planted, asked.seed, print)
    for what, times in sorted(ran.tried.items()):
        sys.stdout.write(f"{times:>12,}  {what}\n")
    sys.stdout.write(f"seed {ran.seed}, {ran.digest[:16]}: {ran.wrong or 'nothing wrong'}\n")
    return 1 if ran.wrong else 0


def _say(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
