"""The tables of a command, and the views of a stack, as workbooks."""

import ast
import re
from pathlib import Path

from openpyxl import load_workbook
from typer.main import get_command

from services.operator import commands
from services.operator.ask.views import VIEWS
from services.operator.cli import app
from shared.play.numbering import Numbering
from shared.wire.events import AlertAcknowledged, NoteAdded
from tests.unit.operator.commands.test_planner import ask, story

__all__ = ["story"]


OPERATOR = Path(commands.__file__).parent.parent
PRINTS_ALONE = {"print_results", "up", "put_out", "print_answer"}
"""The first two print while a stack runs: `waferline months`, `alerts` and `status` have their tables as workbooks."""

is_table_maker = re.compile(r"(?:\w+_)?tables?").fullmatch


def name_of(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def makes_tables(node: ast.AST) -> bool:
    return any(isinstance(each, ast.Call) and is_table_maker(name_of(each.func)) for each in ast.walk(node))


def printed_alone(path: Path) -> list[str]:
    """Return the functions of a module that make tables, print with a console, and do not write a workbook."""
    return [
        f"{path.name}: {function.name}"
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef) and makes_tables(function) and function.name not in PRINTS_ALONE
        for calls in [{name_of(each.func) for each in ast.walk(function) if isinstance(each, ast.Call)}]
        if {"print", "print_answer"} & calls and "put_out" not in calls
    ]


def test_a_table_is_printed_where_a_workbook_can_take_it():
    """A command hands its tables to `put_out`, which has --xlsx."""
    found = [each for path in OPERATOR.rglob("*.py") if "show" not in path.parts for each in printed_alone(path)]

    assert found == []


def test_a_table_that_is_printed_alone_is_found(tmp_path):
    path = tmp_path / "planted.py"
    path.write_text("def planted():\n    for each in lines_tables(1):\n        console.print(each)\n")

    assert printed_alone(path) == ["planted.py: planted"]


def test_a_command_that_writes_csv_writes_a_workbook():
    parameters = {name: {each.name for each in command.params} for name, command in get_command(app).commands.items()}

    assert [name for name, has in parameters.items() if "csv_" in has and "xlsx" not in has] == []
    assert len([name for name, has in parameters.items() if "xlsx" in has]) >= 20


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


def test_an_export_has_the_items_of_the_worklist_with_their_remarks_and_the_remarks(tmp_path, story):
    planner = Numbering("planning")
    alert = AlertAcknowledged(alert="short_within/HBM4-12H/abilene/2026-04-12", revision=0, assignee="Kim")
    note = NoteAdded(note="n1", about="site/abilene", text="the hall is late", revision=0)
    story.log += [planner.emit(story.log[-1].time, each) for each in (alert, note)]
    target = tmp_path / "all.xlsx"
    assert ask(tmp_path, story, "export", "--format", "xlsx", "--to", str(target)).exit_code == 0

    workbook = load_workbook(target)
    columns, *rows = workbook["Worklist"].iter_rows(values_only=True)
    items = [dict(zip(columns, row, strict=True)) for row in rows]
    here = [item for item in items if item["site"] == "abilene" and item["alert"]]
    assert {item["site"] for item in items} >= {"abilene", "narvik"}
    assert sum(item["wafers"] for item in here) == 20
    assert {(item["acknowledged.assignee"], item["notes"]) for item in here} == {("Kim", "the hall is late")}
    assert [len(list(workbook[name].iter_rows(min_row=2))) for name in ("Acknowledged alerts", "Notes")] == [1, 1]
