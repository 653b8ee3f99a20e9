"""The lock of a stack's folder: the processes that a killed stack has left are named."""

import fcntl
import json
import subprocess
import sys

import pytest

from services.operator.stack.errors import StackError
from services.operator.stack.folder import refuse_running


def test_a_process_that_was_started_anew_is_named_with_those_of_a_killed_stack(tmp_path):
    (tmp_path / "stack.json").write_text(json.dumps({"pid": 2**22 - 1, "pids": {"aggregator": 2**22 - 2}}))
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        left = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[lock.fileno()])

    with left, pytest.raises(StackError, match=rf"was killed and left processes: `kill {left.pid}`"):
        refuse_running(tmp_path)
    refuse_running(tmp_path)
