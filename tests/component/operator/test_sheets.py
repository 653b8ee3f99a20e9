"""Sheets go through a real party, ledger and Redis: by HTTP, and by the command."""

import csv
import io
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from openpyxl import load_workbook
from typer.testing import CliRunner

from services.operator.cli import app
from services.operator.stack.stack import Stack, started

HEADER = ["line", "product", "site", "supplier", "due", "wafers", "firmness"]
PLAN = [
    ["C-1", "HBM4-12H", "TX-ABILENE", "samsung", "2027-03-01", 100, "firm"],
    ["C-2", "HBM4-12H", "TX-ABILENE", "samsung", "2027-04-01", 200, "planned"],
    ["C-3", "DDR5-32G", "TX-MILAM", "samsung", "2027-04-01", 300, "planned"],
]


class Parties(Stack):
    """A stack without the services that read balances."""

    def services(self) -> list[str]:
        return [name for name in super().services() if name not in ("aggregator", "console")]

    def url(self, name: str) -> str:
        return super().url(name) if name in self.ports else "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parties]:
    """A stack of two parties, for all tests of this module: each has its own lines."""
    stack = Parties(tmp_path_factory.mktemp("sheets") / "stack")
    stack.suppliers, stack.datacenters, stack.planners = ["samsung"], ["texas"], ["planner"]
    with started(stack):
        declared = sheet([["HBM4-12H"], ["DDR5-32G"]], ["product"])
        send(stack, declared, "planner-planner", **{"as": "products"}).raise_for_status()
        deadline = time.monotonic() + 30
        while send(stack, sheet([["x", "NEW-PRODUCT", *PLAN[0][2:]]]), dry_run="true").json()["problems"] == []:
            assert time.monotonic() < deadline, "the party has not read what is declared"
        yield stack


def sheet(rows: list[list[Any]], header: list[str] = HEADER) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([header, *rows])
    return text.getvalue().encode()


def send(stack: Stack, body: bytes, party: str = "supplier-samsung", **query: str) -> httpx.Response:
    params = {"as": "commits", "name": "plan.csv"} | query
    return httpx.post(stack.url(party) + "/documents", params=params, content=body, timeout=60)


def counts(answer: dict[str, Any]) -> list[int]:
    return [answer[name] for name in ("new", "changed", "withdrawn", "unchanged")]


def lines(stack: Stack, **query: str) -> dict[str, Any]:
    found = httpx.get(stack.url("ledger") + "/lines", params=query).json()["rows"]
    return {row["line"]: row for row in found}


def named(prefix: str) -> list[list[Any]]:
    """The rows of the plan under names of their own."""
    return [[prefix + row[0], *row[1:]] for row in PLAN]


def test_a_dry_run_says_what_the_import_then_does(stack):
    checked = send(stack, sheet(named("a")), dry_run="true").json()
    before = lines(stack, source="samsung")
    taken = send(stack, sheet(named("a")), issued=checked["issued"])

    assert not any(name.startswith("a") for name in before)
    assert (checked["status"], taken.json()["status"], taken.status_code) == ("checked", "taken", 200)
    assert counts(checked) == counts(taken.json()) == [3, 0, 0, 0]
    same = ("place", "outcome", "id", "type", "line", "due", "wafers")
    assert [[event[n] for n in same] for event in checked["events"]] == [
        [event[n] for n in same] for event in taken.json()["events"]
    ]
    assert {event["status"] for event in taken.json()["events"]} == {"recorded"}
    after = lines(stack, source="samsung")
    assert [(after[f"aC-{n}"]["wafers"], after[f"aC-{n}"]["revision"]) for n in (1, 2, 3)] == [
        (100, 0), (200, 0), (300, 0)
    ]  # fmt: skip


def test_a_sheet_read_again_states_nothing_and_a_changed_one_only_what_differs(stack):
    send(stack, sheet(named("b")))
    again = send(stack, sheet(named("b"))).json()
    rows = named("b")
    rows[0][5], rows[1][5] = 150, 0
    changed = send(stack, sheet(rows)).json()

    assert counts(again) == [0, 0, 0, 3]
    assert again["events"] == []
    assert counts(changed) == [0, 1, 1, 1]
    after = lines(stack, source="samsung")
    assert (after["bC-1"]["wafers"], after["bC-1"]["revision"]) == (150, 1)
    assert (after["bC-2"]["state"], after["bC-2"]["revision"]) == ("withdrawn", 1)


def test_a_sheet_with_problems_states_nothing_and_comes_back_with_them(stack):
    rows = named("c")
    rows[0][1], rows[1][4], rows[2][5] = "HBM4-12", "soon", "1.5"
    refused = send(stack, sheet(rows))
    marked = send(stack, sheet(rows), marked="true", dry_run="true")

    assert refused.status_code == 422
    answer = refused.json()
    assert [(each["code"], each["row"]) for each in answer["problems"]] == [
        ("unknown_product", 2), ("bad_day", 3), ("fraction", 4)
    ]  # fmt: skip
    assert "HBM4-12H" in answer["problems"][0]["reason"]
    assert not any(name.startswith("c") for name in lines(stack, source="samsung"))
    assert marked.headers["content-disposition"] == 'attachment; filename="plan-problems.csv"'
    given_back = list(csv.reader(io.StringIO(marked.text.lstrip("\ufeff"))))
    assert given_back[0][-2:] == ["place", "problem"]
    for row, mended in zip(given_back[1:], named("c"), strict=True):
        row[: len(mended)] = map(str, mended)
    corrected = send(stack, sheet(given_back[1:], given_back[0])).json()
    assert counts(corrected) == [3, 0, 0, 0]


@pytest.mark.parametrize(
    ("kind", "header", "row"),
    [
        (
            "orders",
            ["line", "product", "site", "supplier", "due", "start_by", "priority", "wafers"],
            ["PO-1", "HBM4-12H", "TX-ABILENE", "samsung", "2027-03-01", "2026-12-01", 1, 70],
        ),
        (
            "forecasts",
            ["line", "product", "site", "supplier", "due", "wafers"],
            ["F-1", "HBM4-12H", "TX-ABILENE", "samsung", "2027-09-01", 70],
        ),
        (
            "receipts",
            ["shipment", "product", "site", "supplier", "owner", "received", "wafers", "wafers_damaged"],
            ["S-1", "HBM4-12H", "TX-ABILENE", "samsung", "samsung", "2026-01-05", 70, 0],
        ),
        (
            "stock",
            ["product", "site", "supplier", "day", "counted"],
            ["HBM4-12H", "TX-ABILENE", "samsung", "2026-01-31", 7],
        ),
        (
            "sites",
            ["site", "name", "country", "mooring", "mw", "pue_percent", "land_ha", "waterplane_m2", "kg_co2_per_mwh",
             "evidence", "confidence"],
            ["TX-ABILENE", "Abilene", "US", "onshore", 1200, 120, 350, "", 380, "a permit", "sourced"],
        ),
        (
            "products",
            ["product", "gb_per_die", "die_mm2", "layers", "line_yield", "probe_yield", "layer_yield", "final_yield"],
            ["HBM4E-16H", 3, 130, 16, "0.97", "0.70", "0.99", "0.97"],
        ),
    ],
)  # fmt: skip
def test_every_kind_is_taken_once_and_corrected(stack, kind, header, row):
    party = "planner-planner" if kind == "products" else "datacenter-texas"
    first = send(stack, sheet([row], header), party, **{"as": kind})
    again = send(stack, sheet([row], header), party, **{"as": kind}).json()
    corrected = [{1200: 1300, 70: 71, 7: 8, 130: 131}.get(cell, cell) for cell in row]
    changed = send(stack, sheet([corrected], header), party, **{"as": kind}).json()
    at_last = send(stack, sheet([corrected], header), party, **{"as": kind}).json()

    assert first.status_code == 200, first.text
    assert counts(first.json()) == [1, 0, 0, 0]
    assert {event["status"] for event in first.json()["events"]} == {"recorded"}
    assert counts(again) == [0, 0, 0, 1]
    assert counts(changed) == [0, 1, 0, 0]
    assert {event["status"] for event in changed["events"]} == {"recorded"}
    assert counts(at_last) == [0, 0, 0, 1]


def test_the_register_lists_the_documents_that_were_taken(stack):
    send(stack, sheet(named("d")), number="R7", dry_run="true")
    taken = send(stack, sheet(named("d")), number="R7").json()

    listed = httpx.get(stack.url("supplier-samsung") + "/documents").json()
    [document] = [each for each in listed["documents"] if each["number"] == "R7"]
    assert listed["kinds"] == ["commits"]
    assert (document["id"], document["sha256"]) == (taken["document"], taken["sha256"])
    assert (document["kind"], document["name"], document["new"]) == ("commits", "plan.csv", 3)
    assert document["last"] - document["first"] == 2


def test_a_profile_is_sent_along(stack, tmp_path):
    path = tmp_path / "partner.yaml"
    path.write_text("partner: acme\ncolumns: {wafers: Qty}\ncodes: {firmness: {confirmed: firm}}\n")
    file = tmp_path / "call.csv"
    header = [name if name != "wafers" else "Qty" for name in HEADER]
    file.write_bytes(sheet([["e1", *PLAN[0][1:6], "confirmed"]], header))

    done = run("import", str(file), "--as", "commits", "--profile", str(path), "--data", str(stack.folder), "--json")
    assert done.exit_code == 0, done.output
    assert counts(json.loads(done.stdout)) == [1, 0, 0, 0]
    unknown = run("import", str(file), "--as", "commits", "--profile", "acme", "--data", str(stack.folder))
    assert unknown.exit_code == 1
    assert "keeps no profile 'acme'" in unknown.stderr


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, arguments)


def test_the_command_prints_counts_and_writes_the_sheet_with_its_problems(stack, tmp_path):
    file, problems = tmp_path / "plan.csv", tmp_path / "problems.csv"
    rows = named("f")
    rows[1][4] = "soon"
    file.write_bytes(sheet(rows))
    command = ("import", str(file), "--as", "commits", "--data", str(stack.folder))

    refused = run(*command, "--problems", str(problems))
    assert refused.exit_code == 1
    assert "bad_day" in refused.stdout
    assert "bad_day" in problems.read_text()
    file.write_bytes(sheet(named("f")))
    checked, taken = run(*command, "--dry-run"), run(*command)
    assert (checked.exit_code, taken.exit_code) == (0, 0)
    assert "checked" in checked.stdout
    assert "taken" in taken.stdout


def test_a_template_with_the_lines_in_force_reads_back_to_nothing_new(stack, tmp_path):
    send(stack, sheet(named("g")))
    file, empty = tmp_path / "commits.xlsx", tmp_path / "empty.xlsx"
    options = ("--data", str(stack.folder))
    written = run("import", "--template", "commits", "--to", str(file), "--source", "samsung", *options)
    assert written.exit_code == 0, written.output
    assert run("import", "--template", "commits", "--to", str(empty), *options).exit_code == 0
    assert load_workbook(empty)["commits"].max_row == 1

    done = run("import", str(file), "--as", "commits", *options, "--json")
    assert done.exit_code == 0, done.output
    assert counts(json.loads(done.stdout))[:3] == [0, 0, 0]


@pytest.mark.parametrize(
    ("query", "party", "status", "said"),
    [
        ({"as": "orders"}, "supplier-samsung", 400, "samsung states commits, not orders"),
        ({"as": "lots"}, "supplier-samsung", 400, "not one of"),
        ({"profile": "none"}, "supplier-samsung", 422, "keeps no profile"),
        ({"issued": "2026-01-05"}, "supplier-samsung", 400, "with an offset"),
    ],
)
def test_a_wrong_request_is_refused(stack, query, party, status, said):
    answer = send(stack, sheet(PLAN), party, **query)

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert said in answer.json()["detail"]


def test_a_body_may_be_longer_than_that_of_events_and_has_a_bound(stack):
    long = sheet([["x" * 60, *PLAN[0][1:]] for _ in range(20_000)])
    too_long = send(stack, b"x" * ((16 << 20) + 1))

    assert len(long) > 1 << 20
    assert send(stack, long, dry_run="true").json()["problems"][0]["code"] == "repeated"
    assert too_long.status_code == 413
    assert "WAFERLINE_DOCUMENT_BYTES_MAX" in too_long.json()["detail"]
