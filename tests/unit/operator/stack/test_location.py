"""The stack that a command means where it names none: the one that runs, wherever its folder is."""

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.operator.cli import app
from services.operator.stack.errors import StackError
from services.operator.stack.folder import STACKS
from services.operator.stack.location import find_stack
from services.operator.stack.machine.running import forget_running, note_running, running_folders


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(folder: Path, pid: int | None = None) -> Path:
    """Have a stack run in a folder, as its own facts and its note say."""
    folder.mkdir(parents=True)
    (folder / "stack.json").write_text(json.dumps({"pid": pid or os.getpid(), "services": {}}))
    note_running(folder)
    return folder


def test_a_stack_that_runs_elsewhere_is_found(place):
    assert find_stack(STACKS, writes=True) == STACKS
    elsewhere = run(place / "far" / "away")
    os.chdir(place / "far")

    assert find_stack(STACKS, writes=True) == Path("away")
    os.chdir(elsewhere)
    assert find_stack(STACKS) == Path()


def test_a_stack_in_the_folder_of_stacks_comes_first_and_counts_once(place):
    run(place / "elsewhere")
    run(place / "data" / "up")

    assert find_stack(STACKS) == Path("data/up")


def test_a_command_that_writes_asks_which_of_two(place):
    run(place / "data" / "demo")
    other = run(place / "data" / "up")

    with pytest.raises(StackError, match="2 stacks are running, data/demo and data/up: name one with --data"):
        find_stack(STACKS, writes=True)
    assert find_stack(other, writes=True) == other


@pytest.mark.parametrize(
    "command",
    ["publish - --source samsung", "declare product X", "declare --file x.yaml", "import x.csv --as commits"],
)
def test_each_command_that_writes_asks(place, command):
    (place / "x.yaml").write_text("name: x\n")
    run(place / "data" / "demo")
    run(place / "data" / "up")

    done = CliRunner().invoke(app, command.split())

    assert (done.exit_code, "2 stacks are running, data/demo and data/up" in done.stderr) == (1, True)


def test_a_stack_that_has_ended_is_not_found(place):
    folder = run(place / "ended")
    forget_running(folder)
    run(place / "killed", pid=2**22 - 1)

    assert running_folders() == []
    assert not [*(place / "state" / "waferline" / "running").iterdir()]


def test_a_stack_inside_the_working_folder_comes_before_others(place):
    run(place / "a-far")
    run(place / "work" / "mine")
    os.chdir(place / "work")

    assert find_stack(STACKS) == Path("mine")
