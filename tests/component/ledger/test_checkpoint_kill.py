"""A ledger that is killed while it moves its write-ahead log into the store, or appends a signed checkpoint."""

import random
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from services.ledger.checkpoint.files import append_checkpoint, make_key, read_checkpoints, read_signer
from services.ledger.checkpoint.notes import Checkpoint, sign_checkpoint
from services.ledger.store.reader import open_reader
from services.ledger.store.writer import open_writer
from services.operator.record.proof import verify

ROOT = Path(__file__).parents[3]
KILLS = 3

_RECORDS = """
import json, sys
from services.ledger.store.recording import record_entries
from services.ledger.store.writer import open_writer
from testing.bad_events import good_events
store = open_writer(sys.argv[1], epoch=7)
store.database.connection.execute("PRAGMA wal_autocheckpoint=1")  # each commit moves the log into the file
lot, moment = good_events()[0].cloud_event(), 1772434801000000
for n in range(store.last_event + 1, 1_000_000):
    event = lot | {"id": f"019cad3f-1b00-7036-aec2-{n:012x}", "sequence": str(n), "subject": f"L{n}"}
    event["data"] = lot["data"] | {"lot": f"L{n}"}
    entry = (f"{n}-0", json.dumps(event).encode())
    record_entries(store, "wafers:{0}:supply:samsung", "samsung", "supplier", [entry], now=moment)
    print(n, flush=True)
"""

_SIGNS = """
import sys
from pathlib import Path
from services.ledger.checkpoint.files import append_checkpoint, read_signer
from services.ledger.checkpoint.notes import Checkpoint, sign_checkpoint
signer, first = read_signer(Path(sys.argv[1])), int(sys.argv[3])
for n in range(first, 1_000_000):
    append_checkpoint(Path(sys.argv[2]), sign_checkpoint(Checkpoint(7, n, bytes(32), n, n), signer))
    print(n, flush=True)
"""


def kill_while_it_runs(script: str, *arguments: object, after_s: float) -> int:
    """Run a script for a while, and kill it; return the last number that it printed."""
    line = [sys.executable, "-c", script, *map(str, arguments)]
    with subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(after_s)
        process.kill()
        lines = (first + process.stdout.read()).split("\n")
        return int(lines[-2])  # what follows the last line end may be cut


@pytest.mark.parametrize("seed", range(KILLS))
def test_a_store_whose_ledger_is_killed_in_a_checkpoint_has_all_that_was_committed(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "ledger.db"
    printed = kill_while_it_runs(_RECORDS, path, after_s=random.Random(seed).uniform(0.05, 0.3))  # noqa: S311
    with closing(open_reader(path)) as store:
        proof = verify(store)
    open_writer(path).close()  # the next ledger takes it

    assert proof.wrong is None
    assert proof.events in (printed, printed + 1)


def test_a_file_of_checkpoints_whose_ledger_is_killed_in_one_goes_on(tmp_path: Path) -> None:
    key, file = tmp_path / "key", tmp_path / "checkpoints.txt"
    verifier, printed = make_key(key, "killed"), 0
    for seed in range(KILLS):
        first = printed + 1 + (seed > 0)
        printed = kill_while_it_runs(_SIGNS, key, file, first, after_s=random.Random(seed).uniform(0, 0.1))  # noqa: S311
        kept = read_checkpoints(file, verifier).checkpoints

        assert kept[-1].batch in (printed, printed + 1)
    append_checkpoint(file, sign_checkpoint(Checkpoint(7, printed + 2, bytes(32), 1, 1), read_signer(key)))
    assert read_checkpoints(file, verifier).checkpoints[-1].batch == printed + 2
