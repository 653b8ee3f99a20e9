"""The dry run of a sheet says what it does to the first short days, and commands ask about what may be a typo."""

import csv
import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.operator.ask.client import ask, ask_all
from services.operator.stack.stack import Stack, started

KEY = {"product": "HBM4-12H", "site": "TX-ABILENE", "supplier": "samsung"}
COMMITS = ["line", "product", "site", "supplier", "due", "wafers", "firmness"]
ORDERS = ["line", "product", "site", "supplier", "due", "start_by", "priority", "wafers"]
FORECASTS = ["line", "product", "site", "supplier", "due", "wafers"]
RECEIPTS = ["shipment", "product", "site", "supplier", "owner", "received", "wafers", "wafers_damaged"]
STOCK = ["product", "site", "supplier", "day", "counted"]
HBM, DDR = (*KEY.values(),), ("DDR5-32G", "TX-MILAM", "samsung")


def event(source: str, kind: str, at: str, **data: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0", "source": source, "type": f"waferline.{kind}.v1", "time": at, "data": data
    }  # fmt: skip


def site(name: str) -> dict[str, Any]:
    return event(
        "texas", "site.declared", "2026-01-01T00:00:00Z", site=name, name=name, country="US", mooring="onshore",
        mw=100, pue_percent=120, land_ha=1, waterplane_m2=None, kg_co2_per_mwh=300, evidence="a permit",
        confidence="sourced",
    )  # fmt: skip


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack whose sources have completed January."""
    stack = Stack(tmp_path_factory.mktemp("look") / "stack")
    stack.suppliers, stack.datacenters, stack.planners = ["samsung"], ["texas"], ["planner"]
    with started(stack):
        through = {"through": "2026-01-31"}
        publish(stack, "supplier-samsung", event("samsung", "source.advanced", "2026-02-01T00:00:00Z", **through))
        publish(
            stack, "datacenter-texas", site("TX-ABILENE"), site("TX-MILAM"),
            event("texas", "stock.opened", "2026-01-02T00:00:00Z", **KEY, wafers=40),
            event("texas", "source.advanced", "2026-02-01T00:00:00Z", **through),
        )  # fmt: skip
        settle(stack)
        yield stack


def publish(stack: Stack, party: str, *events: dict[str, Any]) -> None:
    answer = httpx.post(stack.url(party) + "/events", content=b"\n".join(json.dumps(each).encode() for each in events))
    assert [each["status"] for each in answer.json()] == ["recorded"] * len(events), answer.text


def settle(stack: Stack) -> None:
    """Wait until the plan is of all that is recorded."""
    deadline = time.monotonic() + 30
    head = ask(stack.folder, "ledger", "/head")["position"]
    while ask(stack.folder, "aggregator", "/shortages", limit=1)["position"] < head:
        assert time.monotonic() < deadline, "the plan stays behind"
        time.sleep(0.05)


def write(folder: Path, header: list[str], *rows: list[Any]) -> Path:
    path = folder / "sheet.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def waferline(stack: Stack, *arguments: str, code: int = 0, **options: Any) -> Any:
    command = [sys.executable, "-m", "services.operator", *arguments, "--data", str(stack.folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == code, (done.stdout, done.stderr)
    return done


def short_now(stack: Stack) -> dict[tuple[str, str], tuple[str | None, int, int]]:
    rows = ask(stack.folder, "aggregator", "/shortages")["rows"]
    return {
        (row["product"], row["site"]): (row["first_short_day"], row["first_shortage"], row["shortage"]) for row in rows
    }


STEPS = [
    ("orders", ORDERS, [
        ["PO-1", *HBM, "2026-03-01", "2026-01-01", 1, 100],
        ["PO-2", *HBM, "2026-04-01", "2026-01-01", 1, 50],
        ["PO-3", *DDR, "2026-03-15", "2026-01-01", 1, 30],
    ]),
    ("commits", COMMITS, [
        ["C-1", *HBM, "2026-02-20", 60, "firm"],
        ["C-2", *HBM, "2026-05-01", 50, "planned"],
        ["C-3", *DDR, "2026-03-10", 30, "firm"],
    ]),
    ("commits", COMMITS, [
        ["C-1", *HBM, "2026-03-10", 60, "firm"],
        ["C-2", *HBM, "2026-03-20", 50, "planned"],
        ["C-3", *DDR, "2026-03-10", 0, "firm"],
    ]),
    ("forecasts", FORECASTS, [["F-1", *HBM, "2026-08-01", 500]]),
    ("receipts", RECEIPTS, [["S-1", *DDR, "samsung", "2026-01-20", 25, 0]]),
    ("receipts", RECEIPTS, [["S-1", *DDR, "samsung", "2026-01-20", 20, 5]]),
    ("stock", STOCK, [[*HBM, "2026-01-31", 3]]),
    ("orders", ORDERS, [["PO-1", *HBM, "2026-03-05", "2026-01-01", 1, 90]]),
    ("orders", ORDERS, [["PO-9", "DDR5-32G", "TX-ABILENE", "samsung", "2026-09-01", "2026-01-01", 1, 1]]),
]  # fmt: skip


def test_what_a_dry_run_says_of_the_first_short_days_is_what_the_import_does(stack, tmp_path):
    moved = []
    for kind, header, rows in STEPS:
        file = write(tmp_path, header, *rows)
        settle(stack)
        before = short_now(stack)
        done = waferline(stack, "import", str(file), "--as", kind, "--dry-run", "--json")
        checked = json.loads(done.stdout)
        assert all("cloudevent" not in each for each in checked["events"])
        assert short_now(stack) == before
        waferline(stack, "import", str(file), "--as", kind)
        settle(stack)
        after = short_now(stack)

        effect = checked["effect"]
        assert (effect["today"], effect["refused"]) == ("2026-02-01", [])
        said = {(row["product"], row["site"]): row for row in effect["rows"]}
        assert said.keys() >= {group for group in before.keys() | after.keys() if before.get(group) != after.get(group)}
        for group, row in said.items():
            assert tuple(row["before"].values()) == before.get(group, (None, 0, 0))
            assert tuple(row["after"].values()) == after.get(group, (None, 0, 0)), (kind, group)
            moved += [(kind, *group)] if row["before"] != row["after"] else []
    assert {kind for kind, *_ in moved} == {"orders", "commits", "receipts", "stock"}  # no forecast runs short


def test_the_effect_is_printed_as_a_table(stack, tmp_path):
    more = write(tmp_path, ORDERS, ["PO-20", *DDR, "2026-02-10", "2026-01-01", 1, 400])
    forecast = write(tmp_path / "..", FORECASTS, ["F-20", *HBM, "2026-10-01", 5])

    shown = waferline(stack, "import", str(more), "--as", "orders", "--dry-run").stdout
    none = waferline(stack, "import", str(forecast), "--as", "forecasts", "--dry-run").stdout

    assert "it would move 1 first short day" in shown
    assert "2026-02-10" in shown
    assert "it would move no first short day, and no number of wafers short" in none


def test_without_a_reading_token_the_effect_is_not_known_and_why(stack, tmp_path):
    services = {name: stack.url(name) for name in ("ledger", "supplier-samsung")}
    described = tmp_path / "elsewhere.json"
    described.write_text(json.dumps({"services": services}))
    file = write(tmp_path, COMMITS, ["N-1", *HBM, "2026-02-20", 1, "firm"])

    done = subprocess.run(
        [sys.executable, "-m", "services.operator", "import", str(file), "--as", "commits", "--dry-run",
         "--data", str(described)], capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert "the effect on the first short days is not known: the stack names no aggregator" in done.stdout
    assert "sites and due days are not checked" in done.stdout


# ---------------------------------------------------------------- questions


def typo(tmp_path: Path, line: str) -> Path:
    return write(
        tmp_path, COMMITS, [line, "HBM4-12H", "TX-ABILEN", "samsung", "2026-06-01", 5, "firm"],
        [line + "b", *HBM, "2062-06-01", 5, "firm"], [line + "c", *HBM, "2026-06-01", 5, "firm"],
    )  # fmt: skip


def commits(stack: Stack) -> set[str]:
    rows = ask_all(stack.folder, "/lines", kind="commit", state="all")["rows"]
    return {row["line"] for row in rows}


NEAREST = "no site TX-ABILEN is declared; the nearest names that are: TX-ABILENE, TX-MILAM"
BEYOND = "due is 2062-06-01, outside the horizon, 2025-01-01 to 2030-12-31"


def test_a_dry_run_warns_on_the_row(stack, tmp_path):
    done = waferline(stack, "import", str(typo(tmp_path, "W")), "--as", "commits", "--dry-run", "--json")
    warnings = [(each["place"], each["warning"]) for each in json.loads(done.stdout)["events"]]

    assert warnings == [("row 2", NEAREST), ("row 3", BEYOND), ("row 4", None)]


def test_where_nobody_can_answer_an_import_is_refused_and_goes_on_with_yes(stack, tmp_path):
    file = typo(tmp_path, "R")
    refused = waferline(stack, "import", str(file), "--as", "commits", code=1, stdin=subprocess.DEVNULL)

    assert f"row 2: {NEAREST}" in refused.stderr
    assert f"row 3: {BEYOND}" in refused.stderr
    assert "nothing is stated: correct this, or go on with --yes" in refused.stderr
    assert "R" not in commits(stack)
    waferline(stack, "import", str(file), "--as", "commits", "--yes", stdin=subprocess.DEVNULL)
    settle(stack)
    assert {"R", "Rb", "Rc"} <= commits(stack)


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1), ("", 1)])
def test_on_a_terminal_an_import_asks(stack, tmp_path, answer, code):
    line = f"T{answer or 'none'}"
    found, output = on_terminal(stack, answer, "import", str(typo(tmp_path, line)), "--as", "commits")

    settle(stack)
    assert (found, "State it all the same? [y/N]" in output, NEAREST in output) == (code, True, True)
    assert (line in commits(stack)) == (code == 0)


def events_file(tmp_path: Path, line: str) -> Path:
    path = tmp_path / "events.ndjson"
    data = {**KEY, "line": line, "due": "2026-06-01", "firmness": "firm", "wafers": 5}
    typos = [data, data | {"line": line + "b", "site": "TX-ABILEN"}, data | {"line": line + "c", "site": "TX-ABILEN"}]
    lines = [json.dumps(event("samsung", "supply.committed", "2026-02-01T00:00:00Z", **each)) for each in typos]
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1)])
def test_on_a_terminal_publish_asks_before_it_publishes_anything(stack, tmp_path, answer, code):
    line = f"P{answer}"
    found, output = on_terminal(stack, answer, "publish", str(events_file(tmp_path, line)), "--source", "samsung")

    settle(stack)
    assert found == code, output
    assert f"line 2, and 1 more: {NEAREST}" in output
    assert (line in commits(stack)) == (code == 0)


def test_elsewhere_publish_refuses_and_goes_on_with_yes(stack, tmp_path):
    command = ("publish", str(events_file(tmp_path, "Q")), "--source", "samsung")
    refused = waferline(stack, *command, code=1, stdin=subprocess.DEVNULL)
    assert "go on with --yes" in refused.stderr
    assert "Q" not in commits(stack)

    waferline(stack, *command, "--yes", stdin=subprocess.DEVNULL)
    settle(stack)
    assert {"Q", "Qb"} <= commits(stack)
    alerts = ask_all(stack.folder, "/alerts", code="undeclared_site")["rows"]
    assert any("TX-ABILEN" in json.dumps(alert) for alert in alerts)


def on_terminal(stack: Stack, answer: str, *arguments: str) -> tuple[int, str]:
    """Run a command on a terminal, type an answer, and return its exit code and what it printed."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "services.operator", *arguments, "--data", str(stack.folder)]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True)
    os.close(theirs)
    output = b""
    asked = False
    try:
        while chunk := os.read(ours, 4096):
            output += chunk
            if b"[y/N]" in output and not asked:
                asked = True
                os.write(ours, answer.encode() + b"\n")
    except OSError:  # the other end is closed
        pass
    finally:
        os.close(ours)
    return process.wait(30), " ".join(output.decode().split())
