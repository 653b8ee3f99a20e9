"""Does the command line do what the README says, as its own process?"""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from services.operator.stack.folder import read_facts

COMMAND = [sys.executable, "-m", "services.operator"]


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run one command of ours to its end."""
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=120, check=False)


def test_the_demo_ends_by_itself_with_the_same_state_hash_each_time(tmp_path: Path) -> None:
    runs = [run("demo", "--until", "2026-01", "--data", str(tmp_path / "demo")) for _ in range(2)]

    hashes = {
        match for done in runs for match in re.findall(r"^state hash: ([0-9a-f]{64})$", done.stdout, re.MULTILINE)
    }
    assert [done.returncode for done in runs] == [0, 0]
    assert len(hashes) == 1
    for part in (
        "Events recorded",
        "lot.started",
        "cumulative gap",
        "% of 900,000",
        "run short",
        "Alerts, today is",
        "Refused",
        "chain head",
    ):
        assert part in runs[0].stdout
    assert read_facts(tmp_path / "demo") is None


def test_what_the_demo_left_can_be_asked_and_proved(tmp_path: Path) -> None:
    data = str(tmp_path / "demo")
    found = json.loads(run("demo", "--until", "2026-01-15", "--data", data, "--json").stdout)

    proof = json.loads(run("verify", "--data", data, "--json").stdout)
    total = json.loads(run("balances", "--by", "", "--data", data, "--json").stdout)
    months = found["months"]["rows"]

    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "ledger.db").write_bytes((tmp_path / "demo" / "ledger.db").read_bytes())
    unsigned = run("verify", "--chain", "--data", str(alone))
    tape = tmp_path / "tape.ndjson.gz"
    for options, said in ((("--after", "99999"), "no batch after 99999"), ((), ""), ((), "is there already")):
        recorded = run("record", str(tape), "--data", str(alone), *options)
        assert (said in recorded.stderr, recorded.returncode) == (True, int(bool(said)))
    assert "proved: chain\nNo checkpoint:" in unsigned.stdout
    with (alone / "ledger.db").open("r+b") as damaged:
        damaged.truncate(100_000)
    for command in ("verify", "balances"):
        refused = run(command, "--data", str(alone))
        assert (refused.returncode, "the store cannot be read" in refused.stderr + refused.stdout) == (1, True)
        assert "Traceback" not in refused.stderr

    assert (proof["proved"], proof["state_hash"]) == (True, found["state_hash"])
    assert total["rows"][0]["supply"] == months[0]["start"]["started"] > 0
    assert sum(found["events_by_type"].values()) == proof["events"]


def test_what_a_planner_sees_is_told_by_commands(tmp_path: Path) -> None:
    data = ("--data", str(tmp_path / "demo"))
    found = json.loads(run("demo", "--until", "2026-01-20", *data, "--json").stdout)

    programme = json.loads(run("programme", *data, "--json").stdout)
    sites = list(csv.DictReader(io.StringIO(run("sites", *data, "--csv").stdout)))
    then = json.loads(run("programme", *data, "--json", "--as-of", "2026-01-10").stdout)
    told = {command: run(*command.split(), *data) for command in ("programme", "months", "suppliers")}
    phase = json.loads(run("site", "TX-MILAM", *data, "--json").stdout)["described"]["phases"][0]
    event = run("event", f"{phase['source']}/{phase['event']}", *data)

    months = {row["month"]: row for row in found["months"]["rows"]}
    assert programme["supply"] == months["2026-01"]["start"]["started"] > then["supply"] > 0
    assert programme["short"]["planned"]["count"] == len(found["shortages"]["rows"])
    assert {row["site"] for row in sites} >= {"TX-ABILENE", "KR-FDC-FLEET", "POOL-US"}
    assert [row["waterplane_m2"] for row in sites if row["mooring"] == "floating"] == ["10176", ""]
    assert [done.returncode for done in told.values()] == [0] * len(told)
    assert (event.returncode, "NOT proved" in event.stdout) == (0, False)
    assert f'"phase": "{phase["phase"]}"' in event.stdout


def complete(words: str) -> list[str]:
    """Return what a command line is completed with, as bash asks once `--install-completion` has told it to."""
    asked = {"_WAFERLINE_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    start = "import sys; sys.argv = ['waferline']; from services.operator.__main__ import main; main()"
    command = [sys.executable, "-c", start]
    done = subprocess.run(command, env=os.environ | asked, capture_output=True, text=True, timeout=60, check=True)
    return sorted(done.stdout.split())


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("waferline sit", ["site", "sites"]),
        ("waferline sites --moo", ["--mooring"]),
        ("waferline sites --mooring f", ["floating"]),
        ("waferline cover --data nowhere --product ", []),
    ],
)
def test_a_shell_completes_commands_options_and_their_values(words: str, expected: list[str]) -> None:
    assert complete(words) == expected


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stack_that_is_up_stops_cleanly_when_it_is_asked_to(tmp_path: Path, number: signal.Signals) -> None:
    data = tmp_path / "up"
    up = subprocess.Popen([*COMMAND, "up", "--data", str(data)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + 60
    while (facts := read_facts(data)) is None or run("status", "--data", str(data)).returncode != 0:
        assert time.monotonic() < deadline, "the stack is not up within a minute"
        time.sleep(0.1)

    status = json.loads(run("status", "--data", str(data), "--json").stdout)
    up.send_signal(number)
    printed, _ = up.communicate(timeout=60)

    assert b"waferline up --data data/demo` shows them on the page" in printed
    assert all(health["well"] for health in status.values())
    assert set(status) == set(facts["services"])
    assert {name for name, health in status.items() if "holds_up" in health} <= {
        name for name in status if name.startswith(("supplier-", "datacenter-"))
    }  # a planner completes no day
    assert '"critical"' not in (data / "logs/ledger.log").read_text(), "an empty store has no checkpoint to sign"
    for pid in facts["pids"].values():
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    with pytest.raises(httpx.ConnectError):
        httpx.get(facts["services"]["ledger"] + "/health")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("balances", "--data", "nowhere"), "nowhere/ledger.db is not there"),
        (("status", "--data", "nowhere"), "no stack is running in nowhere"),
        (("demo", "--until", "2027-13"), "'2027-13' is neither a day"),
        (("replay", "no-such-tape.ndjson", "--data", "nowhere"), "no-such-tape.ndjson is not there"),
    ],
)
def test_an_error_says_in_a_line_what_to_do(arguments: tuple[str, ...], said: str) -> None:
    done = run(*arguments)

    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
