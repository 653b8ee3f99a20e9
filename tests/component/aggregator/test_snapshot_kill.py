"""A process that is killed while it writes snapshots leaves a whole one."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from testing.twins.curves import batch_of
from tests.unit.aggregator.fold.test_curves import empty
from tests.unit.aggregator.fold.test_snapshot import LOG, restore

_WRITES = """
import sys
from pathlib import Path
from services.aggregator.live.snapshots import SnapshotFile
from services.aggregator.fold.snapshot import encode
from services.aggregator.fold.state import FoldState
from testing.twins.curves import batch_of
from tests.unit.aggregator.fold.test_curves import empty
from tests.unit.aggregator.fold.test_snapshot import LOG
curves, file = empty(), SnapshotFile(Path(sys.argv[1]))
for number in range(1, 1_000_000):
    curves.add(batch_of(number, LOG, {}, ["samsung"]))
    file.write(encode(FoldState(curves)), (7, number))
"""


@pytest.mark.parametrize("kill_after_s", [0.0, 0.003, 0.01])
def test_a_process_killed_while_it_writes_leaves_a_whole_snapshot(tmp_path, kill_after_s):
    path = tmp_path / "kept"
    process = subprocess.Popen([sys.executable, "-c", _WRITES, str(path)], cwd=Path(__file__).parents[3])
    while not path.exists() and process.poll() is None:
        time.sleep(0.001)
    time.sleep(kill_after_s)
    process.kill()
    process.wait()

    restored = restore(path.read_bytes())

    curves = empty()
    for number in range(1, restored.position + 1):
        curves.add(batch_of(number, LOG, {}, ["samsung"]))
    assert restored.position > 0
    assert restored.state_hash() == curves.state_hash()
