"""The tables of a command, and the views of a stack, as workbooks."""

from openpyxl import load_workbook

from services.operator.ask.views import VIEWS
from tests.unit.operator.commands.test_planner import ask, story

__all__ = ["story"]


def test_a_command_writes_a_sheet_for_each_table_and_its_notes(tmp_path, story):
    target = tmp_path / "out" / "shortages.xlsx"
    target.parent.mkdir()
    said = ask(tmp_path, story, "shortages", "--xlsx", str(target)).stdout

    workbook = load_workbook(target)
    assert f"sheets in {target}" in said
    assert workbook.sheetnames[-1] == "About"
    header = [cell.value for cell in workbook.worksheets[0][1]]
    row = dict(zip(header, (cell.value for cell in workbook.worksheets[0][2]), strict=True))
    assert (row["site"], f"{row['first short day']:%Y-%m-%d}") == ("abilene", "2026-04-12")


def test_a_workbook_has_another_ending_or_is_there_already(tmp_path, story):
    for name, why in (("a.csv", "does not end in .xlsx"), ("b.xlsx", "is there already")):
        target = tmp_path / "out" / name
        target.parent.mkdir(exist_ok=True)
        (tmp_path / "out" / "b.xlsx").touch()
        (tmp_path / name[0]).mkdir()
        done = ask(tmp_path / name[0], story, "months", "--xlsx", str(target))

        assert done.exit_code == 1
        assert why in " ".join(done.stderr.split())


def test_an_export_has_a_sheet_for_each_view(tmp_path, story):
    target = tmp_path / "all.xlsx"
    done = ask(tmp_path, story, "export", "--format", "xlsx", "--to", str(target))

    assert done.exit_code == 0
    workbook = load_workbook(target)
    assert workbook.sheetnames == [*VIEWS, "About"]
    assert {workbook["About"].cell(row, 3).value for row in range(2, len(VIEWS) + 2)} != {None}
    commits = [[cell.value for cell in row] for row in workbook["Commits"].iter_rows(min_row=2)]
    assert {row[2] for row in commits} == {"c", "n"}
