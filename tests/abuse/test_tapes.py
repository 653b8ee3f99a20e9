"""Tapes that were cut, or made to fill the memory; runs of the command line that were killed; numbers without end."""

import gzip
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from redis import Redis

from services.operator.stack.settling import settle
from services.operator.stack.stack import Stack
from shared.wire.streams import DATA, party_stream
from tests.abuse.conftest import Watch, running
from tests.abuse.watch import memory_kb

LINE_MB = 600
COMMAND_MB = 250
TRIES = 20
DIGITS = b"9" * 5000
TAPE = Path(__file__).parents[1] / "replay/tape.ndjson.gz"


def waferline(*arguments: object) -> tuple[int, str, float]:
    """Run a command; return its exit code, its last line of errors, and the memory it took, MB."""
    command = [sys.executable, "-m", "services.operator", *map(str, arguments)]
    took_kb = 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            took_kb = max(took_kb, memory_kb(process.pid, "VmHWM"))
            time.sleep(0.01)
        assert process.stderr is not None
        errors = process.stderr.read()
    return process.returncode, errors.strip().rpartition("\n")[2], took_kb / 1024


def test_a_tape_that_is_a_bomb_is_refused_before_anything_starts(silent: Stack, tmp_path: Path, watch: Watch) -> None:
    bomb = tmp_path / "bomb.ndjson.gz"
    with gzip.open(bomb, "wb", compresslevel=1) as out:
        for _ in range(LINE_MB):
            out.write(b"x" * (1 << 20))
    with watch(silent, f"row 16: a tape of {bomb.stat().st_size >> 20} MB, one line of {LINE_MB} MB") as noted:
        code, error, took_mb = waferline("replay", bomb, "--data", tmp_path / "replay")
        noted.seen = f"exit {code}, the command took {took_mb:.0f} MB"

    assert (code, took_mb < COMMAND_MB) == (1, True), (error, took_mb)
    assert "has more than 4194304 bytes" in error
    assert not (tmp_path / "replay").exists()


def test_a_number_of_5000_digits_is_refused_once_and_recorded_ever_after(tmp_path: Path, watch: Watch) -> None:
    columns = b'"source":"samsung","ids":["a"],"types":["lot.started"],'
    bodies = [
        b'{"source":"samsung","number":%s}' % DIGITS,
        b'{"source":"samsung","number":%s,"twice":1,"twice":2}' % DIGITS,
        b'{%s"sequence":%s,"times":[1]}' % (columns, DIGITS),
        b'{%s"times":[%s]}' % (columns, DIGITS),
        b"[%s]" % DIGITS,
    ]
    tape = tmp_path / "tape.ndjson"
    with (
        running(tmp_path / "stack", None) as stack,
        Redis.from_url(stack.redis_url) as redis,
        watch(stack, "row 10: entries with numbers of 5,000 digits") as noted,
    ):
        for body in bodies:
            redis.xadd(party_stream("supplier", "samsung"), {DATA: body})
        settle(stack)
        commands = ("record", tape), ("verify",), ("export", "--format", "jsonl", "--to", tmp_path / "chain.jsonl")
        codes = [waferline(*command, "--data", stack.folder)[:2] for command in commands]
        noted.seen = f"exits {[code for code, _ in codes]}"

    assert [code for code, _ in codes] == [0, 0, 0], codes
    assert len(tape.read_bytes().splitlines()) == 4
    assert waferline("replay", tape, "--data", tmp_path / "replay")[0] == 0


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a stack that has played the kept tape."""
    data = tmp_path_factory.mktemp("played") / "data"
    assert waferline("replay", TAPE, "--data", data)[0] == 0
    return data


def kill_while_it_writes(arguments: list[str], part: Path, to: Path) -> None:
    """Start a command, and kill it once it has begun to write; where it was faster, again."""
    line = [sys.executable, "-m", "services.operator", *arguments]
    for _ in range(TRIES):
        with subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            while process.poll() is None and not part.exists():
                time.sleep(0.001)
            process.send_signal(signal.SIGKILL)
        if process.returncode == -signal.SIGKILL and not to.exists():
            return
        shutil.rmtree(to) if to.is_dir() else to.unlink()
    pytest.fail(f"it was faster {TRIES} times")


@pytest.mark.parametrize("command", [("record", "{to}"), ("export", "--format", "parquet", "--to", "{to}")])
def test_a_run_that_is_killed_leaves_no_whole_looking_file_and_blocks_nothing(
    played: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    to, part = tmp_path / "out", tmp_path / "out.part"
    arguments = [*(each.format(to=to) for each in command), "--data", str(played)]
    kill_while_it_writes(arguments, part, to)

    assert (part.exists(), to.exists()) == (True, False)
    assert waferline(*arguments)[0] == 0
    assert (part.exists(), to.exists()) == (False, True)
