"""python -m tests.chaos: do every fault to the real processes, check what must hold after each, print the table."""

import argparse
import json
import platform
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.chaos.faults import FAULTS, Fault, Skipped
from tests.chaos.forgery import FORGERIES
from tests.chaos.invariants import violations
from tests.chaos.rig import ROOT, Broken, Rig

PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- chaos: begin -->", "<!-- chaos: end -->"
LATER = {18: ("the seeded simulator", "`make simulate`: below")}
ALL = sorted((*FAULTS, *FORGERIES), key=lambda fault: fault.number)


def run(fault: Fault, seed: int, kills: int, folder: Path, redis: str) -> dict[str, Any]:
    """Do one fault to a new rig, and return its row."""
    began = time.monotonic()
    row: dict[str, Any] = {"number": fault.number, "name": fault.name, "tried": fault.name, "times": 0, "wrong": []}
    try:
        with Rig(folder, seed, redis) as rig:
            rig.run_load()
            tried = fault.do(rig, random.Random(f"{seed}:{fault.name}"), kills)  # noqa: S311
            row |= {"tried": tried.what, "times": tried.times, "seen": tried.seen}
            row["wrong"] = violations(rig)
            row["events"] = len(rig.load.attempted) + len(rig.put)
    except Skipped as why:
        row["seen"] = f"not tried: {why}"
    except Broken as why:
        row["wrong"] = [str(why)]
    return row | {"seconds": round(time.monotonic() - began)}


def table(rows: list[dict[str, Any]], command: str) -> str:
    """Return the rows as a table in Markdown, with the command that printed it."""
    lines = [
        f"`{command}`, {platform.machine()}, Python {platform.python_version()}:",
        "",
        "| # | fault | how often | seen | invariants |",
        "|---|---|---|---|---|",
    ]
    cells = {number: f"{what} | – | {where} | –" for number, (what, where) in LATER.items()}
    for row in rows:
        held = "; ".join(row["wrong"]) or (f"all hold, {row['events']:,} events" if "events" in row else "–")
        cells[row["number"]] = f"{row['tried']} | {row['times']:,} | {row.get('seen', '')} | {held}"
    lines += [f"| {number} | {cells[number]} |" for number in sorted(cells)]
    return "\n".join(lines)


def write(text: str) -> None:
    """Put the table between the marks of the page."""
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}")


def main() -> int:
    """Run what was asked for; return 1 if anything does not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=2026, help="of every random choice and of the events")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=[fault.name for fault in ALL], help="some of them")
    parser.add_argument(
        "--kills", type=int, default=100, help="of each service and of Redis; the other faults follow it"
    )
    parser.add_argument("--json", action="store_true", help="print JSON for a script")
    parser.add_argument("--write", action="store_true", help=f"write the table into {PAGE.relative_to(ROOT)}")
    parser.add_argument(
        "--redis", default="", metavar="PATH", help="a redis-server instead of the one that comes with pip"
    )
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # what it started ends with it
    command = f"python -m tests.chaos --seed {asked.seed} --kills {asked.kills}"
    rows = []
    for fault in ALL:
        if asked.only and fault.name not in asked.only:
            continue
        print(f"{fault.number} {fault.name} ...", file=sys.stderr, flush=True)
        folder = Path(tempfile.mkdtemp(prefix=f"chaos-{fault.name}-")) / "stack"
        rows.append(run(fault, asked.seed, asked.kills, folder, asked.redis))
        print(f"  {rows[-1]}", file=sys.stderr, flush=True)
        if rows[-1]["wrong"]:
            print(f"  its logs and stores are in {folder}", file=sys.stderr, flush=True)
        else:
            shutil.rmtree(folder.parent)
    print(json.dumps(rows, indent=1) if asked.json else table(rows, command))
    if asked.write:
        write(table(rows, command))
    return int(any(row["wrong"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
