"""A party asks the ledger for the lines of its source with the token of the request that it serves."""

from pathlib import Path

import pytest

from services.ledger.app import build_app
from services.ledger.settings import LedgerSettings
from shared.http.access import digest_of
from shared.http.problem import AWAY, LACKS_SCOPE, Problem
from shared.party.documents.ledger_lines import LedgerLines
from shared.party.settings import PartySettings
from shared.service.service import Service
from testing.cloud_events import Party
from testing.played import play
from testing.servers.served import free_port, served

COMMITS = 1_203  # more than two pages


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory):
    """The address of a ledger that has the commits of two suppliers, and asks for tokens."""
    folder = tmp_path_factory.mktemp("lines")
    log = []
    for source, count in (("samsung", COMMITS), ("skhynix", 1)):
        party = Party(source, supplier=source)
        log += [party.commit("2026-01-05", f"C-{n}", 1 + n, "2026-03-01") for n in range(count)]
    play(log, batches=2, path=str(folder / "ledger.db")).store.close()
    tokens = folder / "tokens"
    tokens.write_text("".join(f"{s} publish:{s} {digest_of(f'token-{s}')}\n" for s in ("samsung", "skhynix")))
    port = free_port()

    def build() -> Service:
        return build_app(
            LedgerSettings(
                ledger_store=str(folder / "ledger.db"), http_port=port, http_tokens_file=tokens,
                redis_url="redis://127.0.0.1:1/0",
            )
        )  # fmt: skip

    with served(build) as url:
        yield url


def lines_of(ledger: str, tmp_path: Path) -> LedgerLines:
    return LedgerLines(PartySettings(source="samsung", outbox_dir=tmp_path, ledger_url=ledger))


def test_all_lines_of_the_own_source_are_read_page_by_page(ledger, tmp_path):
    lines = lines_of(ledger, tmp_path).load("commits", "Bearer token-samsung")

    assert {line.data["line"] for line in lines} == {f"C-{n}" for n in range(COMMITS)}
    assert len(lines) == COMMITS
    assert {line.data["supplier"] for line in lines} == {"samsung"}


@pytest.mark.parametrize("authorization", ["Bearer token-skhynix", "Bearer token-nobody", None])
def test_a_token_of_another_source_is_refused(ledger, tmp_path, authorization):
    with pytest.raises(Problem, match="does not show the lines of samsung") as refused:
        lines_of(ledger, tmp_path).load("commits", authorization)

    assert refused.value.kind == LACKS_SCOPE


def test_a_ledger_that_is_away_is_named(tmp_path):
    with pytest.raises(Problem, match="does not say which lines are in force") as refused:
        lines_of("http://127.0.0.1:1", tmp_path).load("stock", None)

    assert refused.value.kind == AWAY
