"""`waferline demo` empties the folder of an earlier demo, and no other."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.operator.cli import app
from services.operator.stack.errors import StackError
from services.operator.stack.folder import foreign_files


def test_a_folder_with_anything_that_is_no_stacks_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "thesis.txt").write_text("mine")

    refused = CliRunner().invoke(app, ["demo", "--data", str(tmp_path)])

    assert refused.exit_code == 1
    assert "thesis.txt" in " ".join(refused.output.split())
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_an_earlier_demo_gives_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_: object) -> None:
        raise StackError("that far")

    monkeypatch.setattr("services.operator.stack.stack.started", start)
    for name in ("logs", "redis", "outbox"):
        (tmp_path / name).mkdir()
    (tmp_path / "ledger.db").touch()
    (tmp_path / "made-by-demo").touch()

    assert foreign_files(tmp_path) == []
    assert "that far" in CliRunner().invoke(app, ["demo", "--data", str(tmp_path)]).output
    assert not (tmp_path / "ledger.db").exists()


def test_a_file_is_no_folder_of_a_stack(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert foreign_files(tmp_path / "file") == ["file"]
    assert foreign_files(tmp_path / "nowhere") == []
