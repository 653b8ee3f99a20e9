"""A programme that no file of the project names has exactly its parties in every file of its deployment."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.operator.deployment.deployment_secrets import provision
from services.operator.deployment.generation import SERVICES, write_deployment
from services.operator.stack.errors import StackError
from shared.http.access import read_tokens
from shared.play.scenario import DEFAULT_PROGRAMME
from shared.programme.programme_file import read_programme

ROOT = Path(__file__).parents[4]
PARTIES = [
    "supplier-fjord-memory", "supplier-taiga-dram", "supplier-lofoten-chips", "datacenter-lulea", "datacenter-oulu",
    "planner-nordic-planning",
]  # fmt: skip
TEXT = """
name: nordic-cloud
products: {TALL-16H: {}}
parties:
  suppliers: {fjord-memory: {}, taiga-dram: {}, lofoten-chips: {}}
  datacenters: {lulea: {}, oulu: {}}
  planners: {nordic-planning: {}}
"""


def write(folder: Path, text: str = TEXT) -> list[str]:
    return [path.name for path in write_deployment(read_programme(text), text, folder, f"./{folder.name}")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "nordic")
    return tmp_path / "nordic"


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def test_its_containers_are_its_parties(folder: Path) -> None:
    compose = read(folder / "compose.yml")

    services = compose["services"]
    assert [name for name in services if "-" in name] == PARTIES
    for name in PARTIES:
        party, (role, _, source) = services[name], name.partition("-")
        assert party["image"].startswith(f"waferline/{role}:")
        assert party["environment"]["WAFERLINE_SOURCE"] == source
        assert party["secrets"] == ["tokens", f"redis-{name}"]
        assert party["volumes"] == [f"{name}:/var/lib/waferline", "./nordic:/etc/waferline:ro"]
        assert party["read_only"] is True
        assert party["cap_drop"] == ["ALL"]
        assert ("WAFERLINE_PROGRAMME" in party["environment"]) == (role == "planner")
    assert [*compose["volumes"]] == PARTIES
    assert [*compose["secrets"]] == [f"redis-{name}" for name in PARTIES]


def test_a_notifier_is_asked_for_its_health_and_metrics_where_one_runs(tmp_path: Path) -> None:
    write_deployment(read_programme(TEXT), TEXT, tmp_path, "./nordic", notifier=True)

    for file, scheme in (("stack.json", "http"), ("stack-tls.json", "https")):
        assert json.loads((tmp_path / file).read_text())["services"]["notifier"] == f"{scheme}://notifier:8100"
    [targets] = json.loads((tmp_path / "targets.json").read_text())
    assert targets["targets"] == [f"{name}:8100" for name in ("notifier", *PARTIES)]


def test_its_addresses_and_targets_are_its_parties(folder: Path) -> None:
    for file, scheme in (("stack.json", "http"), ("stack-tls.json", "https")):
        services = json.loads((folder / file).read_text())["services"]
        assert services == {name: f"{scheme}://{name}:8100" for name in (*SERVICES, *PARTIES)}
    assert json.loads((folder / "targets.json").read_text()) == [{"targets": [f"{name}:8100" for name in PARTIES]}]
    assert json.loads((folder / "parties.json").read_text()) == {
        "suppliers": ["fjord-memory", "taiga-dram", "lofoten-chips"],
        "datacenters": ["lulea", "oulu"],
        "planners": ["nordic-planning"],
    }
    tls = read(folder / "tls.yml")
    assert [name for name in tls["services"] if "-" in name] == PARTIES
    assert [*tls["secrets"]] == [f"tls-{name}.{end}" for name in PARTIES for end in ("crt", "key")]


def test_its_users_tokens_and_certificates_are_its_parties(tmp_path: Path) -> None:
    parties = read_programme(TEXT).parties
    provision(tmp_path, list(parties.suppliers), list(parties.datacenters), list(parties.planners))

    users = [line.split()[1] for line in (tmp_path / "users.acl").read_text().splitlines()]
    assert [name for name in users if "-" in name] == PARTIES
    scopes = {scope for token in read_tokens(tmp_path / "tokens") for scope in token.scopes if ":" in scope}
    assert scopes == {f"publish:{name.partition('-')[2]}" for name in PARTIES}
    assert {path.stem for path in (tmp_path / "tls").glob("*-*.crt")} == set(PARTIES)


def test_a_party_that_comes_or_goes_changes_no_other_container(folder: Path) -> None:
    before = {file: read(folder / file)["services"] for file in ("compose.yml", "tls.yml")}
    write(folder, TEXT.replace("fjord-memory: {}, ", "").replace("nordic-planning: {}", "nordic-planning: {}, b: {}"))

    for file, services in before.items():
        after = read(folder / file)["services"]
        assert after.keys() ^ services.keys() == {"supplier-fjord-memory", "planner-b"}
        assert all(after[name] == services[name] for name in after.keys() & services.keys())


def test_ports_stay_when_parties_come_and_go(folder: Path) -> None:
    def ports() -> dict[str, str]:
        services = read(folder / "compose.yml")["services"]
        return {name: services[name]["ports"][0].split(":-")[1].split("}")[0] for name in services if "-" in name}

    before = ports()
    assert [*before.values()] == ["8111", "8112", "8113", "8114", "8115", "8116"]

    changed = TEXT.replace("fjord-memory: {}, ", "").replace("oulu: {}", "oulu: {}, kiruna: {}")
    write(folder, changed)
    after = ports()

    assert after.pop("datacenter-kiruna") == "8117"
    assert after == {name: port for name, port in before.items() if name != "supplier-fjord-memory"}
    write(folder)
    assert ports() == before


def test_nothing_is_written_twice_and_no_two_share_a_setting(folder: Path) -> None:
    assert write(folder) == []
    with pytest.raises(StackError, match="WAFERLINE_OULU_1_PORT"):
        write(folder, TEXT.replace("oulu: {}", "oulu.1: {}, oulu-1: {}"))


def test_the_files_of_the_reference_programme_are_as_it_has_them(tmp_path: Path) -> None:
    kept = ROOT / "deploy" / "programmes" / "stargate"
    copy = shutil.copytree(kept, tmp_path / "stargate")
    text = DEFAULT_PROGRAMME.read_text(encoding="utf-8")

    place = "./deploy/programmes/stargate"
    assert write_deployment(read_programme(text), text, copy, place) == [], (
        "run `waferline deployment` as its help shows"
    )


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="docker-compose is not installed")
def test_compose_takes_the_files_together(folder: Path) -> None:
    files = [ROOT / "docker-compose.yml", folder / "compose.yml", ROOT / "deploy/tls.yml", folder / "tls.yml"]
    command = ["docker-compose", *(part for file in files for part in ("--file", str(file))), "config"]

    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=60)

    assert done.returncode == 0, done.stderr
    services = yaml.safe_load(done.stdout)["services"]
    tools = {"operator", "demo", "notifier", "prometheus", "grafana"}  # of profiles, which not every version leaves out
    assert set(services) - tools == {"redis", "postgres", *SERVICES, *PARTIES}
    assert "samsung" not in done.stdout
