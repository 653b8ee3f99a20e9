"""A stack that asks for tokens: who has the right one comes through to the balance, and nobody else in."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import httpx
import pytest
from redis import Redis

from services.operator.ask.client import ask
from services.operator.stack.errors import StackError
from services.operator.stack.settling import settle
from services.operator.stack.stack import Stack, started
from shared.http.access import digest_of
from shared.play.numbering import Numbering
from shared.wire.events import LotStarted, SourceAdvanced
from shared.wire.streams import POSTINGS

KEY = {"product": "HBM4-12H", "site": "TX-ABILENE", "supplier": "samsung"}
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SCOPES = {
    "operator": "read,audit,metrics", "planner": "read", "samsung": "publish:samsung", "skhynix": "publish:skhynix"
}  # fmt: skip


@pytest.fixture
def secured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An environment in which every service asks for tokens; the folder of the secrets."""
    lines = [f"{name} {scopes} {digest_of(f'token-of-{name}')}\n" for name, scopes in SCOPES.items()]
    (tmp_path / "tokens").write_text("".join(lines))
    for name in SCOPES:
        (tmp_path / f"token-{name}").write_text(f"token-of-{name}")
    for setting, path in {
        "HTTP_TOKENS_FILE": tmp_path / "tokens",
        "TOKEN_FILE": tmp_path / "token-operator",  # the aggregator's, too
    }.items():
        monkeypatch.setenv(f"WAFERLINE_{setting}", str(path))
    return tmp_path


def lines() -> Iterator[str]:
    numbering = Numbering("samsung")
    started_ = LotStarted(**KEY, lot="L1", fab="P3", wafers=25, due_out=date(2026, 9, 1))
    for n in range(3):
        yield json.dumps(numbering.emit(NOON, started_.model_copy(update={"lot": f"L{n}"})).cloud_event())
    yield json.dumps(numbering.emit(NOON, SourceAdvanced(through=NOON.date())).cloud_event())


def post(stack: Stack, name: str | None, body: str) -> httpx.Response:
    headers = {} if name is None else {"Authorization": f"Bearer token-of-{name}"}
    return httpx.post(stack.url("supplier-samsung") + "/events", content=body, headers=headers, timeout=30)


def test_the_right_token_reaches_the_balance_and_another_partys_nothing(
    folder: Path, redis_url: str, secured: Path
) -> None:
    events = list(lines())

    with started(Stack(folder, redis_url=redis_url)) as stack:
        refused = {name: post(stack, name, events[0]).status_code for name in ("skhynix", "planner", None)}
        taken = post(stack, "samsung", "\n".join(events))
        settle(stack)
        [balance] = ask(folder, "aggregator", "/balances", by="product,site,supplier", window=1)["rows"]
        head = ask(folder, "ledger", "/head")

    assert refused == {"skhynix": 403, "planner": 403, None: 401}
    assert [answer["status"] for answer in taken.json()] == ["recorded"] * 4
    assert (balance["supply"], head["events"]) == (75, 4)
    log = (folder / "logs" / "supplier-samsung.log").read_text()
    said = [json.loads(line) for line in log.splitlines() if '"access_refused"' in line]
    assert [(line["source"], line["code"], line["caller"]) for line in said] == [
        ("samsung", "lacks_scope", "skhynix"),
        ("samsung", "lacks_scope", "planner"),
        ("samsung", "no_token", None),
    ]
    assert not any("token-of-" in path.read_text() for path in (folder / "logs").glob("*.log"))


def test_the_aggregator_fetches_what_its_stream_lost_with_its_token(
    folder: Path, redis_url: str, secured: Path
) -> None:
    with started(Stack(folder, redis_url=redis_url)) as stack:
        aggregator = stack.processes.pop("aggregator")
        aggregator.kill()
        aggregator.wait()
        for line in lines():
            post(stack, "samsung", line)
        deadline = time.monotonic() + 30
        with Redis.from_url(stack.redis_url) as redis:
            while redis.xlen(POSTINGS) < 4:
                assert time.monotonic() < deadline, "the ledger has not told its batches in time"
                time.sleep(0.05)
            redis.xtrim(POSTINGS, maxlen=1, approximate=False)
        stack.processes["aggregator"] = aggregator
        stack.tend()
        while "gap_closed" not in (folder / "logs" / "aggregator.log").read_text():
            assert time.monotonic() < deadline, "the gap is not closed in time"
            time.sleep(0.05)
        settle(stack)
        [balance] = ask(folder, "aggregator", "/balances", by="", window=1)["rows"]

    assert balance["supply"] == 75


def test_a_service_that_anybody_could_ask_does_not_start(
    folder: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAFERLINE_HTTP_HOST", "0.0.0.0")  # noqa: S104 (it is refused)

    with (
        pytest.raises(StackError, match=r"ledger has stopped.*WAFERLINE_HTTP_TOKENS_FILE"),
        started(Stack(folder, redis_url=redis_url)),
    ):
        pass
