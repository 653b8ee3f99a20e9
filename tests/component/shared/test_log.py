"""The log: what a line holds, what it survives, and what a tally says of many."""

import asyncio
import json
import subprocess
import sys
import textwrap

import pytest

from shared.process.log import Tally


def run(program: str) -> tuple[int, list[dict], str]:
    """Run a program that logs; return its exit code, its lines and what it wrote elsewhere."""
    begin = (
        "from shared.process.log import configure_log, open_log\nconfigure_log('ledger')\nlog = open_log('ledger')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", begin + textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def test_a_line_says_when_how_grave_who_and_what_before_the_rest():
    _, [line], _ = run("log.info('batch_recorded', source='samsung', position=3)")

    assert list(line) == ["timestamp", "level", "service", "log", "source", "position"]
    assert len(line["timestamp"]) == len("2026-11-23T14:06:40.000000Z")


def test_a_crash_is_a_line_with_its_trace():
    code, [line], elsewhere = run("1 / 0")

    assert (code, line["level"], line["log"], elsewhere) == (1, "critical", "service_stopped", "")
    assert line["reason"] == "ZeroDivisionError: division by zero"
    assert line["trace"].splitlines()[0] == "Traceback (most recent call last):"


@pytest.mark.parametrize(
    "value", [r"'\ud800'", "2 ** 70", "{1: 2}", "{(1, 2): 3}.keys()", "b'x'", "float('inf')", "object()"]
)
def test_no_value_breaks_the_log(value):
    code, [line], elsewhere = run(f"log.warning('event_refused', id={value})")

    assert (code, line["log"], elsewhere) == (0, "event_refused", "")


def test_a_long_line_is_shortened():
    _, [line], _ = run("log.warning('event_refused', id='a' * 100_000, sequence=7)")

    assert line["sequence"] == 7
    assert len(line["id"]) < 5_000


def test_what_a_library_logs_is_a_line_and_what_it_repeats_is_counted():
    program = """
        import logging, time, warnings
        for n in range(500):
            logging.getLogger("redis").error("no connection to %s", n)
        time.sleep(1.1)
        logging.getLogger("redis").error("no connection to %s", 500)
        logging.getLogger("httpx").info("business as usual")
        logging.getLogger("asyncio").warning("%d", "its arguments do not fit")
        warnings.warn("old")
    """

    _, lines, elsewhere = run(program)

    assert elsewhere == ""
    assert [(line["library"], line["severity"], line["repeated"]) for line in lines] == [
        ("redis", "error", 0),
        ("redis", "error", 499),
        ("asyncio", "warning", 0),
        ("py.warnings", "warning", 0),
    ]


def test_a_full_disk_costs_lines_and_the_next_line_counts_them():
    program = """
        import os, resource, signal, sys, tempfile
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        out = os.dup(1)
        with tempfile.TemporaryFile() as small:
            os.dup2(small.fileno(), 1)
            resource.setrlimit(resource.RLIMIT_FSIZE, (250, resource.RLIM_INFINITY))
            for n in range(5):
                log.info("batch_recorded", position=n)
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            log.info("batch_recorded", position=5)
            small.seek(0)
            lines = small.read().splitlines()
        os.dup2(out, 1)
        whole, cut = len(lines[0]) == len(lines[1]), len(lines[2]) < len(lines[1])
        log.info("checked", whole=whole, cut=cut, last=lines[-1].decode())
    """

    _, [line], elsewhere = run(program)

    assert elsewhere == ""
    assert (line["whole"], line["cut"]) == (True, True)
    last = json.loads(line["last"])
    assert (last["position"], last["lines_lost"]) == (5, 3)


class Heard:
    """A log that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[dict] = []

    def info(self, name: str, **fields: object) -> None:
        self.lines.append({"log": name, **fields})


async def test_a_tally_says_what_comes_alone_at_once():
    heard = Heard()
    tally = Tally(heard, every_s=0.05)

    tally.info("batch_recorded", source="samsung", position=1, events=5)
    tally.info("batch_recorded", source="skhynix", position=2, events=7)

    assert [line["position"] for line in heard.lines] == [1, 2]


async def test_a_tally_adds_up_what_comes_fast():
    heard = Heard()
    tally = Tally(heard, every_s=0.05)

    for position in range(1, 101):
        tally.info("batch_recorded", source="samsung", position=position, batches=1, ms=0.1, ms_max=position / 10)
    await asyncio.sleep(0.1)

    held_ms = heard.lines[1].pop("held_ms")
    assert heard.lines[1:] == [
        {"log": "batch_recorded", "source": "samsung", "position": 100, "batches": 99, "ms": 9.9, "ms_max": 10.0}
    ]
    assert 40 <= held_ms <= 100, "the first of them happened so long before the line"
    assert "held_ms" not in heard.lines[0], "what comes alone is said when it is so"


async def test_a_tally_loses_nothing_when_the_service_stops():
    heard = Heard()
    tally = Tally(heard, every_s=60)

    for position in range(1, 11):
        tally.info("batch_recorded", source="samsung", position=position, batches=1)
    tally.flush()
    tally.flush()

    assert sum(line["batches"] for line in heard.lines) == 10
    assert len(heard.lines) == 2
