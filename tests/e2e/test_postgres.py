"""Does the ledger on PostgreSQL come to the same, whatever is killed; and does it say when it is not alone?"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest

from services.ledger.store.reader import open_reader
from services.operator.stack.stack import ScenarioRun, Stack, started
from shared.play.numbering import Numbering
from shared.wire.events import Event
from shared.wire.rows import Row
from testing.fold import AnyEvent
from testing.servers.postgres import Server
from testing.simulate import declarations, simulate
from tests.e2e.test_mishaps import hand_in, until
from tests.e2e.test_stack import SEED, is_played, played_days, state_of
from tests.replay.tape import state_hash

UNTIL = date(2026, 2, 15)
COMMAND = [sys.executable, "-m", "services.operator"]


@pytest.fixture(scope="module")
def expected() -> list[AnyEvent]:
    """What the parties say without any process, stream or kill; a dict is wrong, and will be refused."""
    return [*declarations(UNTIL), *(event for _, said in simulate("announced", UNTIL, SEED) for event in said)]


def verified(url: str) -> dict[str, Any]:
    """What `waferline verify` prints of a store."""
    done = subprocess.run([*COMMAND, "verify", "--store", url, "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    proof: dict[str, Any] = json.loads(done.stdout)
    return proof


def recorded(url: str) -> list[tuple[str, str]]:
    """The source and the id of each event in a store."""
    store = open_reader(url)
    rows = [Row.read(body) for sealed in store.sealed_batches() for body in sealed.bodies]
    store.close()
    return [(row.source, row.id) for row in rows]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines() if line.startswith("{")]


def kill_backend(server: Server) -> None:
    """Kill what serves the ledger, as the kernel does where memory is short; the server then drops everybody."""
    asked = "SELECT pid FROM pg_stat_activity WHERE application_name = 'waferline ledger'"
    with psycopg.connect(server.url, autocommit=True) as connection:
        [(pid,)] = connection.execute(asked).fetchall()
    server.kill(pid)


def restart(server: Server) -> None:
    server.end(signal.SIGQUIT)
    time.sleep(0.5)
    server.start()


def test_a_ledger_on_postgresql_loses_and_doubles_nothing_whatever_is_killed(
    folder: Path, redis_url: str, own_postgres: Server, expected: list[AnyEvent]
) -> None:
    chance = random.Random(SEED)  # noqa: S311
    stack = Stack(folder, ScenarioRun(until=UNTIL, seed=SEED, pace_s=0.2), redis_url=redis_url, store=own_postgres.url)
    mishaps = [lambda: stack.kill("ledger"), lambda: kill_backend(own_postgres), lambda: restart(own_postgres)]

    with started(stack):
        for days, mishap in zip((3, 13, 23), mishaps, strict=True):
            until(f"day {days} is played", lambda days=days: stack.tend() or played_days(stack) >= days)
            time.sleep(chance.uniform(0, 0.3))
            mishap()
            until("the ledger stops", lambda: stack.processes["ledger"].poll() is not None)
        until("the programme is played", lambda: is_played(stack, UNTIL))
        live = state_of(stack)

    found = recorded(own_postgres.url)
    reasons = [line["reason"] for line in lines(folder / "logs" / "ledger.log") if line["level"] == "critical"]
    assert live["state_hash"] == verified(own_postgres.url)["state_hash"] == state_hash(expected)
    assert len(found) == len(set(found))
    assert set(found) == {(event.source, event.id) for event in expected if isinstance(event, Event)}
    assert len(reasons) >= 2, "it stopped at the backend's death and at the server's"
    assert all("psycopg" in reason or "OperationalError" in reason for reason in reasons), reasons
    assert not (folder / "ledger.db").exists()


@contextmanager
def another_ledger(stack: Stack) -> Iterator[Path]:
    """Run a second ledger on the store and the streams of a stack; yield its log."""
    log = stack.folder / "logs" / "another.log"
    environment = os.environ | stack.environment("ledger", "") | {"WAFERLINE_HTTP_PORT": "0"}
    with log.open("wb") as out:
        process = subprocess.Popen([sys.executable, "-m", "services.ledger"], env=environment, stdout=out, stderr=out)
    try:
        until("it reads", lambda: "service_started" in log.read_text() or process.poll() is not None)
        yield log
    finally:
        process.terminate()
        process.wait(20)


def test_of_two_ledgers_on_one_postgresql_store_one_is_fenced_and_says_so(
    folder: Path, redis_url: str, postgres: str
) -> None:
    numbering, verdicts = Numbering("samsung"), []
    own = folder / "logs" / "ledger.log"

    with started(Stack(folder, redis_url=redis_url, store=postgres)) as stack:
        verdicts += hand_in(stack, numbering, 2)
        with another_ledger(stack) as log:

            def one_is_fenced() -> bool:
                stack.tend()
                verdicts.extend(hand_in(stack, numbering, 2))
                return any(line["log"] == "ledger_fenced" for path in (own, log) for line in lines(path))

            until("one is fenced", one_is_fenced)
        stack.tend()
        verdicts += hand_in(stack, numbering, 2)

    assert set(verdicts) == {"recorded"}
    assert verified(postgres)["events"] == len(verdicts)


def test_a_store_that_is_not_there_is_told_in_a_line() -> None:
    nowhere = "postgresql://nobody:secret@127.0.0.1:1/nothing"
    done = subprocess.run([*COMMAND, "verify", "--store", nowhere], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "the store cannot be read (connection failed" in done.stderr
    assert not any(word in done.stderr for word in ("Traceback", "secret"))
