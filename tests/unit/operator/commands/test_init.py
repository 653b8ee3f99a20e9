"""A new folder gets a programme file that can be read, or a copy of another; nothing is replaced."""

from pathlib import Path

from typer.testing import CliRunner

from services.operator.cli import app
from services.operator.stack.programmes import read_programme_file
from shared.play.scenario import DEFAULT_PROGRAMME


def init(*arguments: object):
    return CliRunner().invoke(app, ["init", *map(str, arguments)])


def test_the_new_file_is_a_programme_with_a_comment_on_each_part(tmp_path: Path) -> None:
    assert init(tmp_path / "new").exit_code == 0

    programme = read_programme_file(tmp_path / "new" / "programme.yaml")
    assert len([*programme.parties.sources()]) == 3
    assert any(product.wafer_model is None for product in programme.products.values())
    assert (tmp_path / "new" / "programme.yaml").read_text().count("\n# ") > 8


def test_a_copy_is_the_file_itself(tmp_path: Path) -> None:
    assert init(tmp_path, "--from", "stargate").exit_code == 0

    assert (tmp_path / "programme.yaml").read_text() == DEFAULT_PROGRAMME.read_text()


def test_nothing_is_replaced_and_a_stranger_is_named(tmp_path: Path) -> None:
    init(tmp_path)

    assert init(tmp_path).exit_code == 1
    assert init(tmp_path / "other", "--from", "nobody").exit_code == 1
    assert not (tmp_path / "other" / "programme.yaml").exists()
