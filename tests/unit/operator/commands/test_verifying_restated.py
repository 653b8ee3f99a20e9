"""`waferline verify` of a store that was posted by earlier rules, before and after a ledger has restated it."""

import gzip
import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from services.ledger.store.writer import open_writer
from services.operator.cli import app
from tests.unit.ledger.store import earlier_rules

EARLIER = Path(next(iter(earlier_rules.__path__))) / "ledger.db.gz"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ledger.db").write_bytes(gzip.decompress(EARLIER.read_bytes()))
    return tmp_path


def run(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--data", str(folder)])


def test_before_it_is_restated_the_chain_is_proved_and_the_next_step_named(folder: Path) -> None:
    before = (folder / "ledger.db").read_bytes()
    done = run(folder, "verify")

    assert done.exit_code == 1
    assert "proved: chain\n" in done.stdout
    assert "NOT proved: its balances were posted by rules 1" in done.stdout
    assert "start the ledger on it, which restates them (docs/proof.md); then verify again" in done.stdout
    proof = json.loads(run(folder, "verify", "--json").stdout)
    assert (proof["proved"], proof["state_hash"], proof["batches"]) == (False, None, 17)
    assert proof["wrong"].startswith("its balances were posted by rules 1")
    assert run(folder, "verify", "--chain").exit_code == 0
    assert (folder / "ledger.db").read_bytes() == before


@pytest.mark.parametrize("command", [("export", "--format", "jsonl", "--to", "-"), ("checkpoint",), ("shortages",)])
def test_before_it_is_restated_no_other_command_reads_it(folder: Path, command: tuple[str, ...]) -> None:
    done = run(folder, *command)

    assert done.exit_code == 1
    assert "posted by rules 1" in " ".join(done.stderr.split())


def test_once_it_is_restated_all_is_proved(folder: Path) -> None:
    open_writer(folder / "ledger.db").close()
    done = run(folder, "verify")

    assert done.exit_code == 0
    assert "batches 1 to 17 were posted by earlier rules, restated in 18 to 19" in done.stdout
    proof = json.loads(run(folder, "verify", "--json").stdout)
    assert (proof["proved"], proof["earlier_rules"], proof["restated_in"]) == (True, 17, [18, 19])
