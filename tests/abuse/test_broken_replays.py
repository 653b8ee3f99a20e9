"""Replays that are killed, lose a service, meet a full disk, or meet each other in one folder."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from services.operator.stack.errors import StackError
from services.operator.stack.folder import expect_finished, refuse_running
from tests.abuse.disks import small_disk
from tests.abuse.test_tapes import TAPE, waferline
from tests.e2e.test_mishaps import until

DISK_MB = 3
FINAL = json.loads((TAPE.parent / "tape.json").read_text())


def start_replay(data: Path) -> "subprocess.Popen[str]":
    """Start a replay of the kept tape, and return once its ledger records."""
    line = [sys.executable, "-m", "services.operator", "replay", str(TAPE), "--data", str(data)]
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    log = data / "logs" / "ledger.log"
    until("the ledger records", lambda: log.exists() and b"batch_recorded" in log.read_bytes())
    return process


def pids(data: Path) -> dict[str, int]:
    found: dict[str, int] = json.loads((data / "stack.json").read_text())["pids"]
    return found


def end_all(data: Path) -> None:
    """End what a killed replay left running, as its message says."""
    for pid in pids(data).values():
        os.kill(pid, signal.SIGKILL)
    until("they have ended", lambda: is_free(data))


def is_free(data: Path) -> bool:
    with suppress(StackError):
        refuse_running(data)
        return True
    return False


def test_a_replay_that_is_killed_leaves_no_whole_looking_store_and_blocks_nothing(tmp_path: Path) -> None:
    data = tmp_path / "replay"
    with start_replay(data) as process:
        process.kill()
    running = waferline("replay", TAPE, "--data", data)
    end_all(data)
    commands = ("verify",), ("up",)
    refused = [waferline(*command, "--data", data)[:2] for command in commands]
    again = waferline("replay", TAPE, "--data", data, "--expect", FINAL["state_hash"])

    assert (running[0], "was killed and left processes: `kill " in running[1]) == (1, True), running
    assert {(code, "did not end" in error) for code, error in refused} == {(1, True)}, refused
    assert again[0] == 0, again


def test_of_two_replays_into_one_folder_one_is_refused_and_the_other_whole(tmp_path: Path) -> None:
    data = tmp_path / "replay"
    line = [sys.executable, "-m", "services.operator", "replay", str(TAPE), "--data", str(data)]
    both = [subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    errors = [process.communicate()[1].strip() for process in both]
    codes = [process.returncode for process in both]

    assert sorted(codes) == [0, 1], errors
    assert any(words in "".join(errors) for words in ("a stack is running in", "is there already")), errors
    assert "Traceback" not in "".join(errors)
    expect_finished(data)


@pytest.mark.parametrize("name", ["ledger", "redis"])
def test_a_replay_that_loses_a_service_ends_with_one_line(tmp_path: Path, name: str) -> None:
    data = tmp_path / "replay"
    with start_replay(data) as process:
        os.kill(pids(data)[name], signal.SIGKILL)
        _, errors = process.communicate(timeout=120)
    again = waferline("verify", "--data", data)

    assert process.returncode == 1
    assert errors.startswith("waferline: "), errors
    assert errors.count("\n") == 1, errors
    assert (again[0], "did not end" in again[1]) == (1, True)


def test_a_replay_on_a_full_disk_ends_with_one_line(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", DISK_MB) as disk:
        data = disk / "replay"
        code, error, _ = waferline("replay", TAPE, "--data", data)
        verified = waferline("verify", "--data", data)

    assert code == 1
    assert error.startswith("waferline: "), error
    assert (verified[0], "did not end" in verified[1]) == (1, True), verified
