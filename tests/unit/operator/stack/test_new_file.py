"""A file or folder has its name only when it is whole."""

from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from services.operator.stack.errors import StackError
from services.operator.stack.new_file import expect_ending, new_file, new_folder, refuse_other_format


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


@pytest.mark.parametrize("name", ["r.xlsx", "r", "r.parquet.gz"])
def test_a_name_whose_ending_says_another_format_is_refused(name):
    with pytest.raises(StackError, match=r"does not end in \.parquet or \.csv"):
        expect_ending(Path(name), ".parquet", ".csv")


def test_an_ending_is_known_in_capitals():
    expect_ending(Path("R.CSV"), ".parquet", ".csv")


def test_a_name_of_no_known_format_is_taken_and_one_of_another_format_is_not():
    refuse_other_format(Path("store.2026-08"), ".jsonl")
    refuse_other_format(Path("store.jsonl"), ".jsonl")
    with pytest.raises(StackError, match=r"ends in \.xlsx, which is another format"):
        refuse_other_format(Path("store.xlsx"), ".jsonl")
