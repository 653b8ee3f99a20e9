"""The lnav format knows every field of docs/logs.md, and lnav reads our lines with it."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FORMAT = ROOT / "deploy" / "lnav" / "waferline.json"
PAGE = ROOT / "docs" / "logs.md"
WATCHING = ROOT / "docs" / "watching.md"
KINDS = {"string", "integer", "float", "boolean", "json", "timestamp"}
HEAD = {"timestamp", "level"}  # lnav has columns of its own for them

LINES = [
    {"timestamp": "2026-11-23T14:06:40.732623Z", "level": "info", "service": "ledger", "log": "batch_recorded",
     "source": "samsung", "position": 1, "events": 4, "ms": 2.07, "held_ms": 310},
    {"timestamp": "2026-11-23T14:06:41.732623Z", "level": "warning", "service": "ledger", "log": "event_refused",
     "source": "samsung", "sequence": 5, "code": "fraction", "path": "data.wafers", "position": 2},
    {"timestamp": "2026-11-23T14:06:42.732623Z", "level": "critical", "service": "ledger", "log": "service_stopped",
     "reason": "Fenced()", "trace": "Traceback (most recent call last):\nFenced"},
    # as compose prints them, one container after the other; lnav takes a file's lines as they stand
    {"timestamp": "2026-11-23T14:06:41.500000Z", "level": "info", "service": "supplier", "log": "verdicts_heard",
     "source": "samsung", "position": 5, "batches": 2, "held_ms": 640},
]  # fmt: skip


def lnav_format() -> dict:
    return json.loads(FORMAT.read_text())["waferline"]


def test_the_format_knows_every_field_of_the_page_and_no_other():
    page = PAGE.read_text().split("\n## The fields\n")[1].split("\n## ")[0]

    assert set(lnav_format()["value"]) | HEAD == set(re.findall(r"^\| `(\w+)`", page, re.MULTILINE))


def test_the_format_is_of_json_lines_with_our_time_and_levels():
    format_ = lnav_format()

    assert (format_["json"], format_["timestamp-field"], format_["level-field"]) == (True, "timestamp", "level")
    assert list(format_["level"]) == ["critical", "warning", "info"]
    assert {value["kind"] for value in format_["value"].values()} <= KINDS


def test_the_format_shows_only_fields_that_exist():
    named = {part["field"] for part in lnav_format()["line-format"] if isinstance(part, dict)}

    assert named <= set(lnav_format()["value"]) | {"__timestamp__", "__level__"}


def test_lnav_reads_our_lines(tmp_path):
    lnav = shutil.which("lnav")
    if lnav is None:
        pytest.skip("lnav is not installed: apt-get install lnav, and the format is tried with it")
    environment = os.environ | {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "TERM": "dumb"}
    log = tmp_path / "ledger.log"
    composed = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in LINES) + "1:M * Ready to accept\n"
    [sorted_by] = re.findall(r"docker compose logs .*? \| (.*) > waferline\.log$", WATCHING.read_text(), re.MULTILINE)
    with log.open("wb") as kept:  # by the very command of the page
        subprocess.run(["sh", "-c", sorted_by], input=composed.encode(), stdout=kept, check=True, timeout=60)  # noqa: S607
    query = ";SELECT log_level, service, log, source, position, code, ms, held_ms FROM waferline ORDER BY log_line"
    command = ["-n", "-c", query, "-c", ":write-json-to -", str(log)]

    installed = subprocess.run([lnav, "-i", str(FORMAT)], env=environment, capture_output=True, check=False, timeout=60)
    done = subprocess.run([lnav, *command], env=environment, capture_output=True, text=True, check=False, timeout=60)

    assert installed.returncode == 0, installed.stderr
    answer = [tuple(row.values()) for row in json.loads(done.stdout)]
    assert answer == [
        ("info", "ledger", "batch_recorded", "samsung", 1, None, 2.07, 310),
        ("info", "supplier", "verdicts_heard", "samsung", 5, None, None, 640),
        ("warning", "ledger", "event_refused", "samsung", 2, "fraction", None, None),
        ("critical", "ledger", "service_stopped", None, None, None, None, None),
    ]
