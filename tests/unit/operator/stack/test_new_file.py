"""A file or folder has its name only when it is whole."""

from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from services.operator.stack.errors import StackError
from services.operator.stack.new_file import new_file, new_folder


def test_a_file_has_its_name_at_the_end(tmp_path: Path) -> None:
    with new_file(tmp_path / "tape") as part:
        part.write_text("whole")
        assert not (tmp_path / "tape").exists()

    assert [path.name for path in tmp_path.iterdir()] == ["tape"]
    assert (tmp_path / "tape").read_text() == "whole"


def test_a_folder_has_its_name_at_the_end(tmp_path: Path) -> None:
    with new_folder(tmp_path / "tables") as part:
        (part / "events").write_text("whole")
        assert not (tmp_path / "tables").exists()

    assert [path.name for path in tmp_path.iterdir()] == ["tables"]


def test_a_part_that_a_killed_run_has_left_blocks_nothing(tmp_path: Path) -> None:
    (tmp_path / "tape.part").write_text("much more than is written now")
    (tmp_path / "tables.part" / "old").mkdir(parents=True)

    with new_file(tmp_path / "tape") as part:
        part.write_text("whole")
    with new_folder(tmp_path / "tables") as part:
        (part / "new").write_text("whole")

    assert sorted(path.name for path in tmp_path.rglob("*")) == ["new", "tables", "tape"]
    assert (tmp_path / "tape").read_text() == "whole"


@pytest.mark.parametrize("new", [new_file, new_folder])
def test_of_two_runs_one_writes(tmp_path: Path, new: "type[AbstractContextManager[Path]]") -> None:
    with new(tmp_path / "target") as part:
        with pytest.raises(StackError, match="another run is writing"), new(tmp_path / "target"):  # type: ignore[call-arg]
            pytest.fail("two runs write one part")
        assert part.exists()

    with pytest.raises(StackError, match="is there already"), new(tmp_path / "target"):
        pytest.fail("it is written over")


@pytest.mark.parametrize("new", [new_file, new_folder])
def test_a_run_that_fails_leaves_nothing(tmp_path: Path, new: "type[AbstractContextManager[Path]]") -> None:
    with pytest.raises(OSError, match="disk full"), new(tmp_path / "target"):
        raise OSError("disk full")

    assert list(tmp_path.iterdir()) == []
