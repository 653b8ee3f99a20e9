"""The help of each command shows an example, and the example is one that the command takes."""

import re
import shlex
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from services.operator.cli import app

GROUP: Any = typer.main.get_command(app)


def examples(name: str) -> list[str]:
    return re.findall(r"^Example: (.+)$", GROUP.commands[name].help or "", re.MULTILINE)


@pytest.mark.parametrize("name", GROUP.commands)
def test_the_help_of_a_command_shows_an_example_that_it_takes(name: str) -> None:
    parts = [shlex.split(part) for example in examples(name) for part in re.split(r"&&|\|", example)]
    ours = [words[1:] for words in parts if words[0] == "waferline"]

    assert name in [command for command, *_ in ours]
    for command, *arguments in ours:
        GROUP.commands[command].make_context(command, arguments)  # raises where it does not take them


@pytest.mark.parametrize("name", GROUP.commands)
def test_the_help_that_is_printed_has_the_example_on_lines_of_its_own(name: str) -> None:
    said = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "160", "TERMINAL_WIDTH": "160"}).stdout

    lines = [line.strip() for line in said.splitlines()]
    assert examples(name)
    for example in examples(name):
        assert f"Example: {example}" in lines


@pytest.mark.parametrize("name", GROUP.commands)
def test_the_help_fits_80_columns_and_cuts_no_choice(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", 80)  # typer reads TERMINAL_WIDTH once
    said = CliRunner().invoke(app, [name, "--help"]).stdout

    cut = [line for line in said.splitlines() if re.search(r"<[a-z_]+(\|[a-z_]*)+(?![a-z_|>])", line)]
    assert cut == []
    assert {len(line) for line in said.splitlines() if line.startswith("│")} == {80}


def test_an_example_with_an_option_that_is_none_is_found() -> None:
    with pytest.raises(Exception, match="No such option"):
        GROUP.commands["cover"].make_context("cover", ["--sight", "abilene"])
