"""The command line against a stack that runs elsewhere: real HTTPS, a token, and a file that says where."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from services.aggregator.fold.curves import Curves
from services.aggregator.fold.state import FoldState
from services.aggregator.http.routes import routes
from services.aggregator.live.view import LiveView
from services.aggregator.settings import AggregatorSettings
from services.ledger.app import build_app as build_ledger
from services.ledger.settings import LedgerSettings
from services.operator.cli import app
from shared.http.access import digest_of
from shared.party.party import Party
from shared.party.settings import PartySettings
from shared.play.numbering import Numbering
from shared.service.health import HealthMonitor
from shared.service.service import Service
from shared.wire.events import SourceAdvanced
from testing.servers.certificates import Authority
from testing.servers.served import free_port, no_past, served
from testing.twins.curves import batch_of

SCOPES = ("read", "audit", "metrics", "publish:samsung", "publish:skhynix")
PLANNED = [
    ["balances", "--by", "product"], ["shortages"], ["cover"], ["atp"], ["alerts"], ["performance", "samsung"],
    ["programme"], ["months"], ["sites"], ["suppliers"],
]  # fmt: skip


def token_of(scope: str) -> str:
    return f"the-token-{scope.replace(':', '-')}"


@pytest.fixture
def described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file of a stack whose services ask for tokens and answer HTTPS; the environment knows it and its CA."""
    lines = [f"{scope.replace(':', '-')} {scope} {digest_of(token_of(scope))}\n" for scope in SCOPES]
    (tmp_path / "tokens").write_text("".join(lines))
    for scope in SCOPES:
        (tmp_path / scope).write_text(token_of(scope) + "\n")
    authority = Authority(tmp_path)
    certificate, key = authority.sign("127.0.0.1")

    async def no_lags(self: Service) -> dict[str, Any]:
        return {}

    monkeypatch.setattr(HealthMonitor, "lags", no_lags)

    def settings() -> dict[str, Any]:
        door = {"http_port": free_port(), "http_tokens_file": tmp_path / "tokens"}
        return door | {"tls_cert_file": certificate, "tls_key_file": key}

    def aggregator() -> Service:
        service = Service("aggregator", AggregatorSettings(**settings()))
        curves = Curves()
        curves.add(batch_of(1, [], {"samsung": 20_500}, ["samsung"]))
        service.routes += routes(lambda: LiveView(FoldState(curves)), no_past)
        return service

    def supplier() -> Service:
        chosen = PartySettings(source="samsung", outbox_dir=tmp_path, **settings())
        service = Service("supplier", chosen)
        Party(service, chosen, "supplier", verdict_timeout_s=0.01)  # no ledger reads its events
        return service

    stack = {
        "ledger": lambda: build_ledger(LedgerSettings(ledger_store=str(tmp_path / "ledger.db"), **settings())),
        "aggregator": aggregator,
        "supplier-samsung": supplier,
    }
    with ExitStack() as until_the_end:
        services = {name: until_the_end.enter_context(served(build)) for name, build in stack.items()}
        path = tmp_path / "stack.json"
        path.write_text(json.dumps({"services": services, "redis_url": "rediss://redis:6379/0"}))
        monkeypatch.setenv("WAFERLINE_STACK", str(path))
        monkeypatch.setenv("WAFERLINE_TLS_CA_FILE", str(authority.path))
        yield path


def run(*arguments: str, token: Path | None = None) -> Result:
    """Run a command with the token of a file."""
    return CliRunner().invoke(app, arguments, env={"WAFERLINE_TOKEN_FILE": None if token is None else str(token)})


def said_in_a_line(result: Result) -> str:
    """What a command that failed said: a line, and no trace."""
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit)
    [line] = result.stderr.splitlines()
    return line


@pytest.mark.parametrize("command", PLANNED, ids=lambda command: command[0])
def test_a_planner_asks_it_with_the_token_of_a_planner(command: list[str], described: Path) -> None:
    folder = described.parent

    answered = run(*command, "--json", token=folder / "read")
    without = said_in_a_line(run(*command))
    wrong = said_in_a_line(run(*command, token=folder / "audit"))

    assert (answered.exit_code, json.loads(answered.stdout)["position"]) == (0, 1), answered.output
    for line, why in ((without, "needs a token with the scope read"), (wrong, "of audit lacks the scope read")):
        assert why in line
        assert "WAFERLINE_TOKEN_FILE" in line
        assert "waferline secrets" in line


def test_only_the_token_of_the_party_hands_in_its_events(described: Path, tmp_path: Path) -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    said = Numbering("samsung").emit(noon, SourceAdvanced(through=noon.date()))
    events = tmp_path / "events.ndjson"
    events.write_text(json.dumps(said.cloud_event()) + "\n")
    publish = ("publish", str(events), "--source", "samsung", "--json")

    own = run(*publish, token=tmp_path / "publish:samsung")
    foreign = said_in_a_line(run(*publish, token=tmp_path / "publish:skhynix"))
    reader = said_in_a_line(run(*publish, token=tmp_path / "read"))

    assert [answer["status"] for answer in json.loads(own.stdout)] == ["pending"], own.output
    assert "of publish-skhynix lacks the scope publish:samsung" in foreign
    assert "of read lacks the scope publish:samsung" in reader


@pytest.mark.parametrize("scope", [None, "read", "publish:samsung"])
def test_status_tells_each_service_and_more_to_who_may_look(scope: str | None, described: Path) -> None:
    token = None if scope is None else described.parent / scope

    status = run("status", "--json", token=token)
    shown = run("status", token=token)

    healths = json.loads(status.stdout)
    assert list(healths) == ["ledger", "aggregator", "supplier-samsung"]
    assert all(health["well"] for health in healths.values())
    assert all(("streams" in health) == (scope == "read") for health in healths.values())
    assert ("more is told" in shown.stdout) == (scope != "read")
    assert (status.exit_code, shown.exit_code) == (0, 0)


def test_a_token_that_was_replaced_is_told_by_status_too(described: Path, tmp_path: Path) -> None:
    (tmp_path / "old").write_text("replaced-meanwhile\n")

    assert "does not know the token" in said_in_a_line(run("status", token=tmp_path / "old"))


def test_a_certificate_that_is_not_trusted_is_told(described: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WAFERLINE_TLS_CA_FILE")

    line = said_in_a_line(run("shortages", token=described.parent / "read"))
    status = run("status", "--json")

    assert "CERTIFICATE_VERIFY_FAILED" in line
    assert "CERTIFICATE_VERIFY_FAILED" in json.loads(status.stdout)["ledger"]["reason"]
    assert status.exit_code == 1


def test_data_names_another_stack_than_the_environment(described: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    assert "empty/ledger.db is not there" in said_in_a_line(run("shortages", "--data", str(tmp_path / "empty")))
    copy = tmp_path / "other.json"
    copy.write_text(described.read_text().replace("supplier-samsung", "supplier-other"))
    status = run("status", "--json", "--data", str(copy))
    assert list(json.loads(status.stdout)) == ["ledger", "aggregator", "supplier-other"]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["verify"], "--store"),
        (["checkpoint"], "--store"),
        (["export", "--format", "jsonl", "--to", "x"], "--store"),
        (["record", "x.ndjson"], "run this where the store is"),
        (["logs"], "docker compose logs"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_what_needs_the_folder_says_what_to_do_instead(command: list[str], said: str, described: Path) -> None:
    line = said_in_a_line(run(*command, token=described.parent / "read"))

    assert f"{described} runs elsewhere" in line
    assert said in line


def test_with_its_store_named_a_stack_elsewhere_is_checked_and_its_key_asked_for(described: Path) -> None:
    store = str(described.parent / "ledger.db")

    assert "--key" in said_in_a_line(run("checkpoint", "--store", store))
    assert run("verify", "--store", store).exit_code == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file or directory; WAFERLINE_STACK or --data"),
        ("", "describes no stack"),
        ("[]", "describes no stack"),
        ('{"services": {}}', "describes no stack (services:"),
        ('{"services": {"ledger": "ledger:8100"}}', "describes no stack (services.ledger:"),
        ('{"services": {"ledger": "https://ledger:8100/"}}', "describes no stack (services.ledger:"),
        ('{"services": {"ledger": 8100}}', "describes no stack (services.ledger:"),
        ('{"services": {"ledger": "https://ledger:8100"}}', "names no aggregator; it has ledger"),
    ],
)
def test_a_file_that_describes_no_stack_is_named(
    content: str | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "stack.json"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("WAFERLINE_STACK", str(path))

    assert said in said_in_a_line(run("shortages"))
