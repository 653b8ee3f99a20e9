"""A programme that no file of the project names runs in containers, and its parties come and go while it runs."""

import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from shared.play.numbering import Numbering
from shared.wire.events import EventData, LotFinished, LotStarted, SourceAdvanced, SourceEnded
from tests.compose.stack import ROOT, Stack, run, until

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
SOURCES = (*(name.partition("-")[2] for name in PARTIES), "svalbard-wafers", "arctic-planning")
PROFILE = """
partner: lulea
columns: {product: Vare, site: Sted, supplier: Leverandor, due: Dato, wafers: Antall}
items: {Hoy: TALL-16H}
"""
SHEET = "Vare;Sted;Leverandor;Dato;Antall\nHoy;LULEA-1;fjord-memory;2026-09-01;120\n"
NOON, DAY = datetime(2026, 3, 1, 12, tzinfo=UTC), date(2026, 3, 1)


class Nordic(Stack):
    """The containers of a copy of the checkout, brought up by `make` as its user would."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.folder = Path(self.files[0]).parent
        self.numbering = {source: Numbering(source) for source in SOURCES}

    def up(self) -> None:
        """Have the containers be those of the programme file."""
        self.make_parties()

    def make_parties(self, text: str = TEXT) -> str:
        """Run `make parties` with a programme file; return what it prints."""
        (self.folder / "nordic.yaml").write_text(text)
        settings = {name: value for name, value in self.settings.items() if name != "WAFERLINE_SECRETS"}
        done = subprocess.run(
            ["make", "parties", "PROGRAMME=nordic.yaml"],  # noqa: S607
            cwd=self.folder, env={**os.environ, **settings}, capture_output=True, text=True, timeout=200, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return done.stdout

    def started_at(self) -> dict[str, tuple[str, str]]:
        """Return the id of each container, and when it was started."""
        ids = run("docker", "ps", "--quiet", "--filter", f"label=com.docker.compose.project={self.project}").split()
        found = json.loads(run("docker", "inspect", *ids))
        return {
            each["Config"]["Labels"]["com.docker.compose.service"]: (each["Id"], each["State"]["StartedAt"])
            for each in found
        }

    def publish(self, role: str, source: str, *said: EventData) -> list[str]:
        """Return what becomes of some events that a source hands in at its door."""
        events = [self.numbering[source].emit(NOON, each) for each in said]
        body = "\n".join(json.dumps(event.cloud_event()) for event in events)
        with self.http(f"token-{source}") as client:
            answer = client.post(self.url(f"{role}-{source}") + "/events", content=body)
        assert answer.status_code == 200, answer.text
        return [verdict["status"] for verdict in answer.json()]

    def watermarks(self) -> dict[str, dict[str, Any]]:
        return {row["source"]: row for row in self.ask("aggregator", "/watermarks")["rows"]}


def lot(source: str, wafers: int) -> tuple[EventData, EventData]:
    key = {"product": "TALL-16H", "site": "LULEA-1", "supplier": source, "lot": f"{source}-1"}
    return LotStarted(**key, fab="F1", wafers=25, due_out=date(2026, 9, 1)), LotFinished(
        **key, wafers=wafers, yield_variance=25 - wafers
    )


@pytest.fixture(scope="module")
def stack(docker: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nordic]:
    folder = tmp_path_factory.mktemp("nordic")
    for name in ("Makefile", "docker-compose.yml", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    left = shutil.ignore_patterns("airgap", "secrets", "programmes", "programme.mk")
    shutil.copytree(ROOT / "deploy", folder / "deploy", ignore=left)
    files = (str(folder / "docker-compose.yml"), str(folder / "deploy/programmes/nordic/compose.yml"))
    settings = {f"WAFERLINE_{source.upper().replace('-', '_')}_PORT": "0" for source in SOURCES}
    project = f"waferline-test-{secrets.token_hex(4)}"
    running = Nordic(project, folder / "deploy/secrets", folder / "containers.log", files, settings)
    try:
        running.up()
        yield running
    finally:
        running.down("--volumes", "--remove-orphans")


def test_exactly_its_parties_run_and_are_well(stack: Nordic) -> None:
    containers = set(stack.compose("ps", "--services").split())
    status = json.loads(stack.operator("status", "--json"))

    assert {name for name in containers if "-" in name} == PARTIES
    assert {name for name in status if "-" in name} == PARTIES
    assert all(health["well"] for health in status.values())


def declared(stack: Nordic) -> dict[str, Any]:
    with stack.http("token-operator") as client:
        return dict(client.get(stack.url("planner-nordic-planning") + "/declarations").json())


def test_its_planner_declares_its_products(stack: Nordic) -> None:
    until(lambda: declared(stack)["programme"] is not None, "the programme is declared", 60)

    assert declared(stack)["programme"]["name"] == "nordic-cloud"
    assert declared(stack)["products"].keys() == {"TALL-16H", "PLAIN"}


def test_a_profile_in_the_folder_of_the_deployment_reads_a_sheet_at_once(stack: Nordic) -> None:
    (stack.folder / "deploy/programmes/nordic/profiles/lulea.yaml").write_text(PROFILE)
    with stack.http("token-lulea") as client:
        query = {"as": "forecasts", "name": "plan.csv", "profile": "lulea"}
        answer = client.post(stack.url("datacenter-lulea") + "/documents", params=query, content=SHEET.encode())

    assert answer.status_code == 200, answer.text
    assert [(event["outcome"], event["status"]) for event in answer.json()["events"]] == [("new", "recorded")]
    mounts = {mount["Destination"]: mount["RW"] for mount in stack.inspect("datacenter-lulea")["Mounts"]}
    assert mounts["/etc/waferline"] is False


def test_parties_and_products_are_added_while_all_others_run_on(stack: Nordic) -> None:
    advanced = SourceAdvanced(through=DAY)
    assert set(stack.publish("supplier", "fjord-memory", *lot("fjord-memory", 24), advanced)) == {"recorded"}
    until(lambda: stack.ask("aggregator", "/state")["postings"] > 0, "the lot is folded", 30)
    before, position = stack.started_at(), stack.ask("ledger", "/head")["position"]

    text = TEXT.replace("lofoten-chips: {}", "lofoten-chips: {}, svalbard-wafers: {}")
    text = text.replace("nordic-planning: {}", "nordic-planning: {}, arctic-planning: {}")
    stack.make_parties(text.replace("PLAIN: {}", "PLAIN: {}, WIDE-8H: {}"))
    after = stack.started_at()

    added = {"supplier-svalbard-wafers", "planner-arctic-planning"}
    assert after.keys() - before.keys() == added
    assert {name: after[name] for name in before} == before
    assert {name for name in json.loads(stack.operator("status", "--json")) if "-" in name} == PARTIES | added
    # the new party's events come through, and so do the others', on a ledger that never stopped
    assert stack.publish("supplier", "svalbard-wafers", *lot("svalbard-wafers", 23)) == ["recorded", "recorded"]
    assert stack.publish("supplier", "fjord-memory", SourceAdvanced(through=date(2026, 3, 2))) == ["recorded"]
    assert stack.ask("ledger", "/head")["position"] > position

    def finished() -> dict[str, int]:
        rows = stack.ask("aggregator", "/balances", by="product,site,supplier", window="1")["rows"]
        return {row["supplier"]: row["finished"] for row in rows if row["finished"]}

    until(lambda: finished() == {"fjord-memory": 24, "svalbard-wafers": 23}, "both lots are folded", 30)
    until(lambda: "WIDE-8H" in declared(stack)["products"], "the product of the changed file is declared", 30)
    with stack.http("token-svalbard-wafers") as client:
        assert client.post(stack.url("supplier-fjord-memory") + "/events", content=b"{}").status_code == 403
        assert client.post(stack.url("supplier-svalbard-wafers") + "/events", content=b"{}").status_code == 200
    with stack.http("token-operator") as client:
        until(lambda: "arctic-planning" in client.get(stack.url("console") + "/log").text, "the page asks it, too", 30)
        streams = client.get(stack.url("supplier-taiga-dram") + "/health").json()["streams"]
    assert "wafers:{0}:plan:arctic-planning" in streams


def test_a_party_that_has_ended_is_retired_while_all_others_run_on(stack: Nordic) -> None:
    assert stack.publish("supplier", "lofoten-chips", SourceAdvanced(through=date(2026, 2, 1))) == ["recorded"]
    until(lambda: stack.watermarks()["lofoten-chips"]["holds_up"], "it holds up the last complete day", 30)
    ended = SourceEnded(through=date(2026, 2, 1), successor="svalbard-wafers")
    assert stack.publish("supplier", "lofoten-chips", ended) == ["recorded"]
    until(lambda: stack.watermarks()["lofoten-chips"]["ended"], "it has ended", 30)
    before = stack.started_at()

    text = TEXT.replace("lofoten-chips: {}", "svalbard-wafers: {}")
    stack.make_parties(text.replace("nordic-planning: {}", "nordic-planning: {}, arctic-planning: {}"))
    after = stack.started_at()

    assert before.keys() - after.keys() == {"supplier-lofoten-chips"}
    assert after == {name: before[name] for name in after}
    assert stack.publish("supplier", "fjord-memory", SourceAdvanced(through=date(2026, 3, 3))) == ["recorded"]
    until(lambda: stack.ask("aggregator", "/state")["complete_through"] == "2026-03-03", "the others complete days", 30)
    assert "NOAUTH" in stack.redis("supplier-lofoten-chips", "PING")  # its login fails
    with stack.http("token-lofoten-chips") as client:
        url = stack.url("supplier-fjord-memory") + "/events"
        until(lambda: client.post(url, content=b"{}").status_code == 401, "its token is good no more", 30)
    assert all(health["well"] for health in json.loads(stack.operator("status", "--json")).values())
    proof = json.loads(stack.operator("verify", "--store", "postgresql://ledger@postgres/ledger", "--json"))
    assert proof["proved"], proof["wrong"]
