"""A workbook through a party: read, compared with the lines in force, stated, and judged by the ledger.

Starts a stack of one supplier, and sends a workbook of commits: its dry run, its import, and the import once more.
Prints one line of JSON: the seconds of each, and those of the processor at the party and the ledger, which an idle
machine needs; and whether the dry run was equal to the import.

    make bench-sheets ARGS="--rows 10000"
"""

import argparse
import json
import time
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
from openpyxl import Workbook

from services.operator.stack.stack import Stack, started

HEADER = ("line", "product", "site", "supplier", "due", "wafers", "firmness")
PRODUCTS = ("HBM3E-12H", "HBM4-12H", "DDR5-32G")
SITES = 40
FIRST_DAY = date(2027, 1, 4)
SAME = ("place", "outcome", "id", "type", "line", "due", "wafers")


class OneParty(Stack):
    """A stack without the services that read balances."""

    def services(self) -> list[str]:
        return [name for name in super().services() if name not in ("aggregator", "console")]

    def url(self, name: str) -> str:
        return super().url(name) if name in self.ports else "http://127.0.0.1:1"


def workbook(rows: int) -> bytes:
    """Return a workbook of commits."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet("commits")
    sheet.append(HEADER)
    for n in range(rows):
        due = FIRST_DAY + timedelta(days=n % 700)
        site = f"SITE-{n % SITES:02}"
        sheet.append((f"C-{n:06}", PRODUCTS[n % len(PRODUCTS)], site, "samsung", due, 1 + n % 500, "planned"))
    saved = BytesIO()
    book.save(saved)
    return saved.getvalue()


def cpu_seconds(stack: Stack) -> float:
    """Return the seconds of the processor that the services have used."""
    used = 0.0
    for name in stack.services():
        lines = httpx.get(stack.url(name) + "/metrics").text.splitlines()
        used += next(float(line.split()[1]) for line in lines if line.startswith("process_cpu_seconds_total "))
    return used


def send(url: str, body: bytes, **query: str) -> tuple[float, dict[str, Any]]:
    """Return the seconds and the answer of a document."""
    began = time.perf_counter()
    params = {"as": "commits", "name": "bench.xlsx"} | query
    answer = httpx.post(url + "/documents", params=params, content=body, timeout=300)
    answer.raise_for_status()
    return round(time.perf_counter() - began, 2), answer.json()


def measure(rows: int) -> dict[str, Any]:
    """Return the figures of a workbook of so many rows."""
    body = workbook(rows)
    with TemporaryDirectory() as folder:
        stack = OneParty(Path(folder) / "stack")
        stack.suppliers, stack.datacenters, stack.planners = ["samsung"], [], []
        with started(stack):
            url = stack.url("supplier-samsung")
            used = [cpu_seconds(stack)]
            checked_s, checked = send(url, body, dry_run="true")
            used.append(cpu_seconds(stack))
            taken_s, taken = send(url, body, issued=checked["issued"])
            used.append(cpu_seconds(stack))
            again_s, again = send(url, body)
    events = [[[event[name] for name in SAME] for event in answer["events"]] for answer in (checked, taken)]
    return {
        "rows": rows,
        "bytes": len(body),
        "dry_run_s": checked_s,
        "import_s": taken_s,
        "again_s": again_s,
        "dry_run_cpu_s": round(used[1] - used[0], 2),
        "import_cpu_s": round(used[2] - used[1], 2),
        "equal": events[0] == events[1],
        "recorded": sum(event["status"] == "recorded" for event in taken["events"]),
        "unchanged_again": again["unchanged"],
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    print(json.dumps(measure(parser.parse_args().rows)))
