"""Standard output in any encoding, the version, and CSV for the spreadsheet of a locale."""

import os
import re
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from services.operator.cli import app
from services.operator.commands.output import ascii_of
from services.operator.show.sparklines import SHADES, sparkline

PRINT = """
from rich.console import Console
from services.operator.commands.output import open_output
from services.operator.show.table import table
open_output()
Console(width=80).print(table("São Paulo – 2 × 3 → ┃", ("a",), [(None,), ("▁█",), ("東京",)]))
"""


@pytest.mark.parametrize(
    ("encoding", "words"), [("ascii", "Sao Paulo - 2 x 3 > |"), ("latin-1", "São Paulo - 2 × 3 > |"),
                            ("utf-8", "São Paulo – 2 × 3 → ┃")]
)  # fmt: skip
def test_a_table_is_printed_in_any_encoding(encoding, words):
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    done = subprocess.run([sys.executable, "-c", PRINT], env=environment, capture_output=True, check=True)

    assert words in done.stdout.decode(encoding)


def test_the_heights_of_a_curve_and_the_shades_of_a_bar_stay_distinct_in_ascii():
    for drawn in (SHADES, sparkline(range(8))):
        assert len({ascii_of(each) for each in drawn}) == len(drawn)


def test_the_version_is_printed():
    assert re.fullmatch(r"waferline \d+\.\d+\.\d+\n", CliRunner().invoke(app, ["--version"]).stdout)


def test_without_a_command_the_commands_are_listed():
    done = CliRunner().invoke(app, [])

    assert (done.exit_code, "shortages" in done.output) == (2, True)


def test_a_locale_that_is_not_known_is_refused_with_those_that_are():
    done = CliRunner().invoke(app, ["--locale", "xx_XX", "schemas"])

    assert done.exit_code == 1
    assert "'xx_XX'; the languages known are ar, bg" in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    "command",
    [
        ("import", "sheet.csv", "--as", "orders"), ("publish", "events.ndjson", "--source", "samsung"),
        ("advance", "2026-06-30", "--all"), ("declare", "product", "X", "family=DRAM"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    ("option", "reason"),
    [(("--xlsx", "there.xlsx"), "is there already"), (("--xlsx", "there.csv"), "does not end in .xlsx"),
     (("--json", "--csv"), "choose one of them")],
)  # fmt: skip
def test_a_wrong_output_is_refused_before_anything_is_stated(tmp_path, monkeypatch, command, option, reason):
    monkeypatch.chdir(tmp_path)  # where no stack runs: a command that looked for one first would say so
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "there.xlsx").touch()

    outcome = CliRunner().invoke(app, [*command, *option])

    assert outcome.exit_code != 0
    assert reason in " ".join(outcome.output.split())
