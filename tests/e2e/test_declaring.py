"""A programme that no file of the project names runs from its file, and planners declare it on the running stack."""

import json
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from services.operator.stack.calls import call
from services.operator.stack.stack import Stack, started
from shared.play.scenario import DEFAULT_PROGRAMME as REFERENCE

PROGRAMME = """
name: nordic-cloud
target: {wafers_per_month: 1200, basis: a test}
horizon: {starts_on: 2026-01-01, ends_on: 2027-12-31}
facility: {pue: "1", accelerator_share: "0.9", server_share: "0.05", server_kw: "1", server_memory_gb: {}, spares: "0"}
products:
  TALL-16H: {family: HBM, gb_per_die: 4, die_mm2: 140, layers: 16, line_yield: "0.97", probe_yield: "0.7",
             layer_yield: "0.99", final_yield: "0.97", basis: a test}
  PLAIN: {}
platforms: {TOWER: {rack_kw: 100, accelerators: 8, memory_gb: {TALL-16H: 512}}}
parties:
  suppliers: {fjord-memory: {}, taiga-dram: {}, lofoten-chips: {}}
  datacenters: {lulea: {}, oulu: {}}
  planners: {nordic-planning: {}}
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nordic")
    (folder / "nordic.yaml").write_text(PROGRAMME)
    with started(Stack(folder / "stack", programme_file=folder / "nordic.yaml")) as running:
        yield running


def waferline(stack, *arguments, code=0):
    done = subprocess.run(
        [sys.executable, "-m", "services.operator", *arguments, "--data", str(stack.folder), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout) if code == 0 else done.stderr


def test_exactly_its_parties_run(stack):
    assert stack.services()[3:] == [
        "supplier-fjord-memory", "supplier-taiga-dram", "supplier-lofoten-chips", "datacenter-lulea",
        "datacenter-oulu", "planner-nordic-planning",
    ]  # fmt: skip
    streams = call(stack.url("ledger") + "/health").json()["streams"]
    assert sorted(stream.rpartition(":")[2] for stream in streams) == sorted(
        name.partition("-")[2] for name in stack.services()[3:]
    )


def test_a_declaration_without_a_revision_holds_after_the_one_in_force(stack):
    event = {
        "specversion": "1.0", "source": "nordic-planning", "type": "waferline.product.declared.v1",
        "time": "2026-01-05T00:00:00Z", "data": {"product": "PLAIN", "family": "DDR5"},
    }  # fmt: skip
    [verdict] = httpx.post(stack.url("planner-nordic-planning") + "/events", json=event).json()
    listed = waferline(stack, "declare")

    assert verdict["status"] == "recorded"
    assert listed["products"]["PLAIN"] == {"family": "DDR5"}
    [undone] = waferline(stack, "declare", "product", "PLAIN", "family=DDR4")
    assert undone["revision"] == 2
    waferline(stack, "declare", "--file", str(stack.folder.parent / "nordic.yaml"))


def test_its_file_is_declared_at_the_start_and_twice_says_nothing(stack):
    file = str(stack.folder.parent / "nordic.yaml")
    in_force = waferline(stack, "declare")

    assert in_force["programme"]["name"] == "nordic-cloud"
    assert in_force["products"].keys() == {"TALL-16H", "PLAIN"}
    assert waferline(stack, "declare", "--file", file) == []


def test_a_product_is_declared_changed_and_withdrawn_without_a_restart(stack):
    product = ("declare", "product", "HBM4E-16H")

    [planned] = waferline(stack, *product, "family=HBM", "--dry-run")
    [new] = waferline(stack, *product, "family=HBM")
    again = waferline(stack, *product, "family=HBM")
    [changed] = waferline(stack, *product, "basis=A")
    [withdrawn] = waferline(stack, *product, "--withdrawn")

    assert planned["status"] == "dry run"
    assert (new["change"], new["status"], new["revision"]) == ("new", "recorded", 0)
    assert again == []
    assert (changed["change"], changed["fields"], changed["revision"]) == ("changed", ["basis"], 1)
    assert (withdrawn["change"], withdrawn["status"]) == ("withdrawn", "recorded")
    assert "HBM4E-16H" not in waferline(stack, "declare")["products"]


def test_sources_complete_a_day_in_one_command(stack):
    [row] = waferline(stack, "advance", "2026-06", "--source", "lulea")
    every = waferline(stack, "advance", "2026-06-30", "--all")
    watermarks = waferline(stack, "watermarks")["rows"]

    assert (row["source"], row["through"], row["status"]) == ("lulea", "2026-06-30", "recorded")
    assert [each["source"] for each in every] == [*stack.suppliers, *stack.datacenters]
    assert {each["completed_through"] for each in watermarks} == {"2026-06-30"}
    assert "has not ended yet" in waferline(stack, "advance", "2100-01-01", "--all", code=1)
    assert "'nordic-planning' completes no day" in waferline(
        stack, "advance", "2026-06-30", "--source", "nordic-planning", code=1
    )


def test_a_wrong_entry_is_refused_with_its_path(stack):
    partial = waferline(stack, "declare", "product", "X", "gb_per_die=4", code=1)
    unknown = waferline(
        stack, "declare", "platform", "X", "rack_kw=1", "accelerators=1", "memory_gb.TALL-12H=1", code=1
    )

    never = waferline(stack, "declare", "product", "TALL-16", "--withdrawn", code=1)

    assert "products.X.die_mm2 is missing" in partial
    assert "TALL-16 is not declared; the nearest are TALL-16H" in never
    assert "TALL-12H is not declared; the nearest are TALL-16H" in unknown


def test_a_faulty_file_is_refused_with_its_line(stack, tmp_path: Path):
    file = tmp_path / "faulty.yaml"
    file.write_text(PROGRAMME.replace('"0.7"', "0.7"))

    assert "faulty.yaml, line 7: products.TALL-16H.probe_yield is 0.7" in waferline(
        stack, "declare", "--file", str(file), code=1
    )


def test_a_party_is_added_while_the_others_run(stack):
    file = stack.folder.parent / "nordic.yaml"
    pids = {name: process.pid for name, process in stack.processes.items()}

    file.write_text(PROGRAMME.replace("lofoten-chips: {}", "lofoten-chips: {}, svalbard-wafers: {}"))
    assert stack.follow_programme() == ["supplier-svalbard-wafers"]
    assert stack.follow_programme() == []

    stream = "wafers:{0}:supply:svalbard-wafers"
    until(lambda: stream in call(stack.url("ledger") + "/health").json()["streams"])
    until(lambda: is_well(stack, "supplier-svalbard-wafers"))
    event = {
        "specversion": "1.0", "id": "019cacde-ae00-7a43-8f1d-6f1e0ac5d001", "source": "svalbard-wafers",
        "type": "waferline.source.advanced.v1", "time": "2026-03-02T05:00:00Z", "data": {"through": "2026-03-01"},
    }  # fmt: skip
    [verdict] = call(
        stack.url("supplier-svalbard-wafers") + "/events", method="POST", content=json.dumps(event).encode()
    ).json()
    assert verdict["status"] == "recorded"
    assert {name: stack.processes[name].pid for name in pids} == pids
    assert all(stack.processes[name].poll() is None for name in pids)


def test_a_refused_start_names_no_other_programme(stack):
    done = subprocess.run(
        [sys.executable, "-m", "services.operator", "up", "--data", str(stack.folder), "--programme", str(REFERENCE)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 1
    assert not stack.files.programme.exists()


def is_well(stack, name):
    try:
        return call(stack.url(name) + "/health").status_code == 200
    except httpx.TransportError:
        return False


def until(condition, within_s=30):
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
