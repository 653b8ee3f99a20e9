"""A programme that no file of the project names runs in containers: exactly its parties, and its products declared."""

import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compose.stack import OPERATOR, Stack, run, started, until

PARTIES = {
    "supplier-fjord-memory", "supplier-taiga-dram", "supplier-lofoten-chips", "datacenter-lulea", "datacenter-oulu",
    "planner-nordic-planning",
}  # fmt: skip
TEXT = """
name: nordic-cloud
horizon: {starts_on: 2026-01-01, ends_on: 2027-12-31}
products: {TALL-16H: {}, PLAIN: {}}
parties:
  suppliers: {fjord-memory: {}, taiga-dram: {}, lofoten-chips: {}}
  datacenters: {lulea: {}, oulu: {}}
  planners: {nordic-planning: {}}
"""


@pytest.fixture(scope="module")
def stack(docker: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("nordic")
    (folder / "made").mkdir()
    (folder / "secrets").mkdir()
    (folder / "programme.yaml").write_text(TEXT)
    operate = (
        "docker", "run", "--rm", "--network", "none", "--user", f"{os.getuid()}:{os.getgid()}",
        "--volume", f"{folder}:/work", OPERATOR,
    )  # fmt: skip
    run(*operate, "deployment", "/work/programme.yaml", "--to", "/work/made", "--at", str(folder / "made"))
    run(*operate, "secrets", "--to", "/work/secrets", "--programme", "/work/programme.yaml")
    ports = ("FJORD_MEMORY", "TAIGA_DRAM", "LOFOTEN_CHIPS", "LULEA", "OULU", "NORDIC_PLANNING")
    files = ("docker-compose.yml", str(folder / "made" / "compose.yml"))
    settings = {f"WAFERLINE_{name}_PORT": "0" for name in ports}
    project = f"waferline-test-{secrets.token_hex(4)}"
    with started(Stack(project, folder / "secrets", folder / "containers.log", files, settings)) as running:
        yield running


def test_exactly_its_parties_run_and_are_well(stack: Stack) -> None:
    containers = set(stack.compose("ps", "--services").split())
    status = json.loads(stack.operator("status", "--json"))

    assert {name for name in containers if "-" in name} == PARTIES
    assert {name for name in status if "-" in name} == PARTIES
    assert all(health["well"] for health in status.values())


def test_its_planner_declares_its_products(stack: Stack) -> None:
    with stack.http("token-operator") as client:
        url = stack.url("planner-nordic-planning") + "/declarations"
        until(lambda: client.get(url).json()["programme"] is not None, "the programme is declared", 60)
        declared = client.get(url).json()

    assert declared["programme"]["name"] == "nordic-cloud"
    assert declared["products"].keys() == {"TALL-16H", "PLAIN"}
