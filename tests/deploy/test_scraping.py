"""Does a real Prometheus reach a real stack with what deploy/ says, and is every query answered?"""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from services.operator.stack.stack import ScenarioRun, Stack, started
from tests.deploy.watched import PROMETHEUS, dashboard_queries, rules

EMPTY_WHERE_ALL_IS_WELL = ("> 0", "ALERTS")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def settings_for(stack: Stack, folder: Path) -> Path:
    """Write the settings of deploy/ with this stack's addresses, a second between two looks, and a token of our own."""
    (folder / "token").write_text("tried")
    settings = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    settings["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    [job] = settings["scrape_configs"]
    job["authorization"]["credentials_file"] = str(folder / "token")
    job["static_configs"] = [
        {"targets": [stack.url(name).removeprefix("http://")], "labels": {"service": name}} for name in stack.services()
    ]
    del job["relabel_configs"]  # there the host's name is the service
    shutil.copy(PROMETHEUS / "alerts.yml", folder)
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(settings))
    return path


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A Prometheus that has looked at a stack at work for some seconds."""
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is not installed: apt-get install prometheus, and a real one scrapes a real stack")
    folder = tmp_path_factory.mktemp("scraped")
    with started(Stack(folder / "stack", ScenarioRun(until=date(2026, 12, 31), pace_s=0.2))) as stack:
        port = free_port()
        command = [
            "prometheus", f"--config.file={settings_for(stack, folder)}", f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn",
        ]  # fmt: skip
        with (folder / "prometheus.log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
                deadline = time.monotonic() + 60
                while len(ask(client, "rate(waferline_postings_folded_total[10s]) > 0")) == 0:
                    assert time.monotonic() < deadline, (folder / "prometheus.log").read_text()
                    time.sleep(0.5)
                yield client
        finally:
            process.terminate()
            process.wait(20)


def ask(client: httpx.Client, query: str) -> list[dict[str, Any]]:
    """Return what Prometheus answers; nothing where it is not up yet."""
    try:
        answer = client.get("/api/v1/query", params={"query": query}).json()
    except (httpx.TransportError, ValueError):
        return []
    assert answer["status"] == "success", (query, answer)
    result: list[dict[str, Any]] = answer["data"]["result"]
    return result


def test_every_service_is_up(prometheus: httpx.Client) -> None:
    up = {row["metric"]["service"]: row["value"][1] for row in ask(prometheus, "up")}

    assert up.keys() == set(Stack(Path("unused"), ScenarioRun()).services())
    assert set(up.values()) == {"1"}


@pytest.mark.parametrize("query", dashboard_queries())
def test_every_query_of_the_dashboard_is_answered(prometheus: httpx.Client, query: str) -> None:
    deadline = time.monotonic() + 20
    while not ask(prometheus, query) and not any(part in query for part in EMPTY_WHERE_ALL_IS_WELL):
        assert time.monotonic() < deadline, "the panel would stay empty"
        time.sleep(0.5)  # a rate needs two looks


def evaluated(prometheus: httpx.Client) -> list[dict[str, Any]]:
    groups = prometheus.get("/api/v1/rules").json()["data"]["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_no_rule_fails_and_none_calls_a_person_where_all_is_well(prometheus: httpx.Client) -> None:
    deadline = time.monotonic() + 30
    while any(rule["health"] == "unknown" for rule in evaluated(prometheus)):
        assert time.monotonic() < deadline, "not every group has had its turn"
        time.sleep(0.5)
    found = evaluated(prometheus)

    assert sorted(rule["name"] for rule in found) == sorted(rule["alert"] for rule in rules())
    assert {rule["health"] for rule in found} == {"ok"}
    assert [rule["name"] for rule in found if rule["state"] == "firing"] == []
