"""A workbook through a party: read, compared with the lines in force, stated, and judged by the ledger.

Starts a stack of two parties, and sends a workbook of commits: its dry run, the effect on the first short days, its
import, and the import once more. Prints one line of JSON: the seconds of each, and those of the processor at the
services, which an idle machine needs; and whether the dry run, and its effect, were equal to the import.

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

from services.operator.ask.client import ask
from services.operator.ask.first_look import ask_effect
from services.operator.stack.stack import Stack, started

HEADER = ("line", "product", "site", "supplier", "due", "wafers", "firmness")
PRODUCTS = ("HBM3E-12H", "HBM4-12H", "DDR5-32G")
SITES = 40
FIRST_DAY = date(2027, 1, 4)
SAME = ("place", "outcome", "id", "type", "line", "due", "wafers")


class OneParty(Stack):
    """A stack without the page."""

    def services(self) -> list[str]:
        return [name for name in super().services() if name != "console"]

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


def begin(stack: Stack) -> None:
    """Have a day completed, from which on balances are projected, and wafers ordered that are short."""
    envelope = {"specversion": "1.0", "time": "2026-01-01T00:00:00Z"}
    advanced = {"type": "waferline.source.advanced.v1", "data": {"through": "2025-12-31"}}
    orders = [
        {
            "line": f"PO-{site:02}-{product}", "product": product, "site": f"SITE-{site:02}", "supplier": "samsung",
            "due": f"2027-{1 + site % 12:02}-15", "start_by": "2026-06-01", "priority": 1, "wafers": 3_000,
        }
        for site in range(SITES)
        for product in PRODUCTS
    ]  # fmt: skip
    required = [{"type": "waferline.demand.required.v1", "data": order} for order in orders]
    for party, source, events in (
        ("supplier-samsung", "samsung", [advanced]), ("datacenter-texas", "texas", [*required, advanced])
    ):  # fmt: skip
        body = "\n".join(json.dumps({**envelope, "source": source, **event}) for event in events)
        httpx.post(f"{stack.url(party)}/events", content=body, timeout=60).raise_for_status()


def shortages(stack: Stack) -> dict[tuple[str, str], list[Any]]:
    """Return the first short day of each product-site, the wafers short then and at worst, as they are by now."""
    settled_by = time.monotonic() + 60
    head = ask(stack.folder, "ledger", "/head")["position"]
    while ask(stack.folder, "aggregator", "/cover", limit=1)["position"] < head and time.monotonic() < settled_by:
        time.sleep(0.05)
    figures = ("first_short_day", "first_shortage", "shortage")
    short = {
        (row["product"], row["site"]): [row[name] for name in figures] for row in ask_rows(stack.folder, "/shortages")
    }
    return {
        (row["product"], row["site"]): short.get((row["product"], row["site"]), [None, 0, 0])
        for row in ask_rows(stack.folder, "/cover")
    }


def ask_rows(folder: Path, path: str) -> list[dict[str, Any]]:
    """Return the rows of all pages of a ranking."""
    page = ask(folder, "aggregator", path)
    rows = list(page["rows"])
    while page["next"] is not None:
        page = ask(folder, "aggregator", path, offset=page["next"])
        rows += page["rows"]
    return rows


def measure(rows: int) -> dict[str, Any]:
    """Return the figures of a workbook of so many rows."""
    body = workbook(rows)
    with TemporaryDirectory() as folder:
        stack = OneParty(Path(folder) / "stack")
        stack.suppliers, stack.datacenters, stack.planners = ["samsung"], ["texas"], []
        with started(stack):
            url = stack.url("supplier-samsung")
            begin(stack)
            used = [cpu_seconds(stack)]
            checked_s, checked = send(url, body, dry_run="true", whole="true")
            used.append(cpu_seconds(stack))
            began = time.perf_counter()
            effect = ask_effect(stack.folder, [event.pop("cloudevent") for event in checked["events"]])
            effect_s = round(time.perf_counter() - began, 2)
            used.append(cpu_seconds(stack))
            taken_s, taken = send(url, body, issued=checked["issued"])
            used.append(cpu_seconds(stack))
            again_s, again = send(url, body)
            after = shortages(stack)
    events = [[[event[name] for name in SAME] for event in answer["events"]] for answer in (checked, taken)]
    return {
        "rows": rows,
        "bytes": len(body),
        "dry_run_s": checked_s,
        "effect_s": effect_s,
        "import_s": taken_s,
        "again_s": again_s,
        "dry_run_cpu_s": round(used[1] - used[0], 2),
        "effect_cpu_s": round(used[2] - used[1], 2),
        "import_cpu_s": round(used[3] - used[2], 2),
        "equal": events[0] == events[1],
        "groups": len(effect["rows"]),
        "moved": sum(row["before"] != row["after"] for row in effect["rows"]),
        "effect_equal": {(row["product"], row["site"]): [*row["after"].values()] for row in effect["rows"]} == after,
        "recorded": sum(event["status"] == "recorded" for event in taken["events"]),
        "unchanged_again": again["unchanged"],
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    print(json.dumps(measure(parser.parse_args().rows)))
