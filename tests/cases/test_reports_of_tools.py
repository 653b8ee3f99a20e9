"""The right value of the public reports on tapes, the page and the command line; each test is named for its report."""

import gzip
from datetime import date, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.console.http.address import Filters
from services.operator.cli import app
from services.operator.show.table import escape_controls
from tests.cases.tapes import TAPES

LINES = (TAPES / "A06.ndjson").read_bytes()


def replayed(tape: Path, content: bytes) -> tuple[int, str]:
    """Return the exit code of a replay that is refused before anything is started, and its message."""
    tape.write_bytes(content)
    refused = CliRunner().invoke(app, ["replay", str(tape), "--data", str(tape.parent / "store")])
    assert not (tape.parent / "store").exists()
    return refused.exit_code, " ".join(refused.stderr.split())


def test_volatility3_800_a_truncated_tape_is_said_to_be_cut(tmp_path):
    half = gzip.compress(LINES)[:-200]

    code, message = replayed(tmp_path / "cut.ndjson.gz", half)

    assert code == 1
    assert "is cut or damaged at line" in message


def test_volatility3_800_an_empty_tape_is_said_to_be_empty(tmp_path):
    for name, content in (("empty.ndjson", b""), ("empty.ndjson.gz", gzip.compress(b""))):
        code, message = replayed(tmp_path / name, content)

        assert code == 1
        assert f"{name} is empty" in message


@pytest.mark.parametrize("day", ["2026-01-29", "2026-01-30", "2026-01-31", "2028-02-29", "2026-12-31"])
def test_journal_200_a_day_on_is_the_day_after(day):
    assert Filters(as_of=day).day_beside("2026-10-31", 1) == f"{date.fromisoformat(day) + timedelta(days=1)}"


def test_a_terminal_gets_no_control_of_a_text():
    assert escape_controls("a\x9b31mb\u202ec") == "a\\u009b31mb\\u202ec"
