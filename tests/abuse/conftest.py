"""Stacks to abuse, and a watch on them: each test says what it did, and the table at the end what came of it."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from services.operator.stack.stack import Stack, started
from shared.http.access import digest_of
from tests.abuse.damaged import Killed, make_killed

HEALTH_S = 1.0
BUDGETS_MB = {"ledger": 1024, "aggregator": 4096, "console": 1024, "supplier": 512, "datacenter": 512, "planner": 512}
"""What docker-compose.yml allows each service, and the file of a programme's parties each of them."""

TOKENS = {
    "operator": "read,audit,metrics",
    "planner": "read",
    "auditor": "audit",
    "samsung": "publish:samsung",
    "skhynix": "publish:skhynix",
    "stargate-americas": "publish:stargate-americas",
    "stargate-emea": "publish:stargate-emea",
}
_TABLE = pytest.StashKey[list["Row"]]()
_WATCH = Path(__file__).with_name("watch.py")


class Row(NamedTuple):
    """What was done, and what came of it."""

    what: str
    seconds: float
    service: str  # the one that grew most
    before_mb: float
    peak_mb: float
    health_s: float
    seen: str


class Noted:
    """What a test adds to its row of the table."""

    seen = ""


Watch = Callable[..., AbstractContextManager[Noted]]


def bearer(name: str) -> dict[str, str]:
    """The header that lets a name of `TOKENS` in."""
    return {"Authorization": f"Bearer token-of-{name}"}


@pytest.fixture(scope="session")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the file of tokens, and each token in a file of its own."""
    folder = tmp_path_factory.mktemp("secrets")
    lines = [f"{name} {scopes} {digest_of(f'token-of-{name}')}\n" for name, scopes in TOKENS.items()]
    (folder / "tokens").write_text("".join(lines))
    for name in TOKENS:
        (folder / f"token-{name}").write_text(f"token-of-{name}")
    os.environ["WAFERLINE_TOKEN_FILE"] = str(folder / "token-operator")  # of the services, and of these tests
    yield folder
    del os.environ["WAFERLINE_TOKEN_FILE"]


@dataclass
class SetStack(Stack):
    """A stack whose services have settings of their own."""

    settings: Mapping[str, str] = field(default_factory=dict)

    def environment(self, name: str, source: str) -> Mapping[str, str]:
        return {**super().environment(name, source), **self.settings}


@contextmanager
def running(folder: Path, secrets: Path | None, **settings: object) -> Iterator[Stack]:
    """Run a stack, with tokens where there are secrets, and with these settings in every service."""
    names = {f"WAFERLINE_{name.upper()}": str(value) for name, value in settings.items()}
    if secrets is not None:
        names["WAFERLINE_HTTP_TOKENS_FILE"] = str(secrets / "tokens")
    with started(SetStack(folder, settings=names)) as stack:
        yield stack


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, secrets: Path) -> Iterator[Stack]:
    """A stack with tokens on, in which the parties take events over HTTP; one for all tests of a module."""
    with running(tmp_path_factory.mktemp("guarded"), secrets) as stack:
        yield stack


@pytest.fixture(scope="module")
def silent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack without tokens, where nobody has spoken yet: a test that publishes there runs one of its own."""
    with running(tmp_path_factory.mktemp("silent"), None) as stack:
        yield stack


@pytest.fixture(scope="session")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Killed:
    """A stack whose processes were killed; a test damages a copy of its folder."""
    return make_killed(tmp_path_factory.mktemp("killed") / "stack")


@pytest.fixture
def folder(killed: Killed, tmp_path: Path) -> Path:
    """A copy of the killed stack's folder."""
    return Path(shutil.copytree(killed.folder, tmp_path / "stack"))


@pytest.fixture
def watch(request: pytest.FixtureRequest) -> Watch:
    """Watch a stack while something is done to it; every service must keep its budget, and answer /health in time.

    `budgets` are megabytes by service, where less than the container's limit is to be shown. `except_` names the
    services that are stopped on purpose, whose health is not asked.
    """
    table = request.config.stash.setdefault(_TABLE, [])

    @contextmanager
    def watched(
        stack: Stack, what: str, budgets: Mapping[str, float] | None = None, except_: tuple[str, ...] = ()
    ) -> Iterator[Noted]:
        names = [name for name in stack.services() if name not in except_]
        services = {name: (stack.url(name), stack.processes[name].pid) for name in names}
        with subprocess.Popen(
            [sys.executable, str(_WATCH), json.dumps(services)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            noted, began = Noted(), time.perf_counter()
            try:
                yield noted
            finally:
                seconds = time.perf_counter() - began
                out, _ = process.communicate(timeout=120)
        found: dict[str, Any] = json.loads(out)
        worst = max(found, key=lambda name: found[name]["peak_mb"] - found[name]["before_mb"])
        health_s = max(each["health_s"] for each in found.values())
        grew = found[worst]
        table.append(Row(what, seconds, worst, grew["before_mb"], grew["peak_mb"], health_s, noted.seen))
        for name, each in found.items():
            budget = {**BUDGETS_MB, **(budgets or {})}[name.partition("-")[0]]
            assert each["alive"], f"{name} has ended"
            assert each["peak_mb"] <= budget, f"{name} took {each['peak_mb']:.0f} MB, {budget} at most: {found}"
            assert not each["failures"], f"{name} did not answer: {each['failures']}"
            assert each["health_s"] <= HEALTH_S, f"{name} took {each['health_s']} s to say how it is: {found}"

    return watched


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table."""
    rows = config.stash.get(_TABLE, [])
    if rows:
        lines = [("what was done", "seconds", "memory, MB", "health, s", "what came of it")]
        for row in rows:
            memory = f"{row.service} {row.before_mb:.0f} -> {row.peak_mb:.0f}"
            lines.append((row.what, f"{row.seconds:.1f}", memory, f"{row.health_s:.2f}", row.seen))
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        terminalreporter.write_line("")
        for line in lines:
            terminalreporter.write_line("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)))
