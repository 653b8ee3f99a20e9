"""Schemathesis asks a stack what its HTTP API is described to take, and what it is not, with a token and without."""

import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from services.operator.ask.client import ask
from services.operator.stack.stack import ScenarioRun, Stack, started
from shared.http.access import digest_of
from shared.wire.days import day_number
from tests.e2e.test_stack import PARTIES, wait_until

UNTIL = date(2026, 3, 31)
SCHEMATHESIS = [sys.executable, "-m", "schemathesis.cli", "--no-color"]
# 422: every parameter is as described, and there is no answer to all of them together, which no description can say.
# Every text is a body of events: each line that is none is refused in the answer.
SETTINGS = """
hooks = "hooks.py"

[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", "401", "403", "404", "409", "422", "429", "5xx"]

[[operations]]
include-method = "POST"

[operations.checks.negative_data_rejection]
enabled = false
"""
HOOKS = """
import schemathesis

schemathesis.serializer.alias("application/x-ndjson", "text/plain")
"""


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A token that may read all, in an environment in which every service asks for one."""
    token = "token-of-operator"  # noqa: S105 (of nobody)
    (tmp_path / "tokens").write_text(f"operator read,audit,metrics {digest_of(token)}\n")
    (tmp_path / "token").write_text(token)
    monkeypatch.setenv("WAFERLINE_HTTP_TOKENS_FILE", str(tmp_path / "tokens"))
    monkeypatch.setenv("WAFERLINE_TOKEN_FILE", str(tmp_path / "token"))
    return token


def is_played(folder: Path) -> bool:
    head = ask(folder, "ledger", "/head")
    days = [source["advanced"] for source in head["sources"].values() if source["advanced"] is not None]
    state = ask(folder, "aggregator", "/state")
    shortages = ask(folder, "aggregator", "/shortages")
    return (
        len(days) == PARTIES
        and min(days) >= day_number(UNTIL)
        and state["position"] == shortages["position"] == head["position"]
    )


def test_the_api_is_as_it_is_described(folder: Path, redis_url: str, token: str, tmp_path: Path) -> None:
    settings = tmp_path / "schemathesis.toml"
    settings.write_text(SETTINGS)
    (tmp_path / "hooks.py").write_text(HOOKS)

    with started(Stack(folder, ScenarioRun(until=UNTIL), redis_url=redis_url)) as stack:
        wait_until("the programme is played", lambda: is_played(folder), within_s=120)
        for service, of_it in {"aggregator": 10, "ledger": 8}.items():
            url = stack.url(service) + "/openapi.json"
            command = [*SCHEMATHESIS, "--config-file", str(settings), "run", url, "--max-examples", "20", "--seed", "1"]
            command += ["--header", f"Authorization: Bearer {token}", "--continue-on-failure"]
            found = subprocess.run(command, check=False, capture_output=True, text=True, cwd=tmp_path, timeout=240)
            described = ask(folder, service, "/openapi.json")["paths"].keys() - {
                "/openapi.json"
            }  # what it reads itself
            assert found.returncode == 0, found.stdout
            assert len(described) >= of_it
            assert f"Tested: {len(described)}" in found.stdout
