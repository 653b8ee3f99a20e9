"""What the tests in containers share: the images, the secrets, what an embedded stack comes to, and who keeps logs."""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.compose.stack import FILES, ROOT, Stack, make_secrets, missing, started

UNTIL = date(2026, 4, 30)
KEPT = pytest.StashKey[list[Path]]()
SEEN = pytest.StashKey[list[str]]()

Start = Callable[..., AbstractContextManager[Stack]]


@pytest.fixture(scope="session", autouse=True)
def docker() -> None:
    """Docker, and our images in it; without them there is nothing to try."""
    absent = missing()
    if absent is not None:
        pytest.skip(absent)


@pytest.fixture(scope="session")
def secrets_folder(docker: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The secrets of every stack."""
    return make_secrets(tmp_path_factory.mktemp("secrets"))


@pytest.fixture(scope="session")
def start(secrets_folder: Path, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Start:
    """Starts a stack of its own, with what compose is to be told beyond the defaults."""
    kept = pytestconfig.stash.setdefault(KEPT, [])

    def start(*files: str, **settings: str) -> AbstractContextManager[Stack]:
        project = f"waferline-test-{secrets.token_hex(4)}"
        kept.append(tmp_path_factory.getbasetemp() / f"{project}.log")
        return started(Stack(project, secrets_folder, kept[-1], (*FILES, *files), settings))

    return start


@pytest.fixture(scope="session")
def playing() -> dict[str, str]:
    """What has the parties play the reference programme to the end of April, as `waferline demo` does."""
    return {
        "WAFERLINE_SCENARIO": "/opt/waferline/app/scenarios/stargate-2026.yaml",
        "WAFERLINE_UNTIL": UNTIL.isoformat(),
        "WAFERLINE_TRUST_RECORDED": "1",
    }


@pytest.fixture(scope="session")
def embedded(docker: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], dict[str, Any]]]:
    """Tells what `waferline demo` finds at the same end on this machine, without containers and faults."""
    command = [sys.executable, "-m", "services.operator", "demo", "--until", UNTIL.isoformat(), "--json"]
    log = tmp_path_factory.mktemp("demo") / "demo.json"
    with log.open("w") as out:
        demo = subprocess.Popen(
            [*command, "--data", str(log.parent / "data")], cwd=ROOT, env={**os.environ, "COLUMNS": "120"}, stdout=out
        )

    def found() -> dict[str, Any]:
        assert demo.wait(240) == 0, f"{' '.join(command)} failed"
        return dict(json.loads(log.read_text()))

    yield found
    if demo.poll() is None:
        demo.terminate()
        demo.wait(30)


@pytest.fixture(scope="session")
def seen(pytestconfig: pytest.Config) -> list[str]:
    """The rows of the table that is printed at the end."""
    return pytestconfig.stash.setdefault(SEEN, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what was seen of each fault, and after a failure where the logs of the containers are."""
    rows = config.stash.get(SEEN, [])
    for line in ("| what was done | seconds until it was done, or it played on |", "|---|---|", *rows) if rows else ():
        terminalreporter.write_line(line)
    if terminalreporter.stats.get("failed") or terminalreporter.stats.get("error"):
        for log in config.stash.get(KEPT, []):
            terminalreporter.write_line(f"what the containers logged: {log}")
