"""The reason of a stop is read from the log since the last start: an earlier stop explains nothing."""

import json
from pathlib import Path

from services.operator.stack.stack import Stack


def test_the_reason_is_that_of_the_last_start(tmp_path: Path) -> None:
    stack = Stack(tmp_path)
    log = stack.files.log("ledger")
    log.parent.mkdir()
    log.write_text(json.dumps({"log": "service_stopped", "reason": "asked to"}) + "\n")
    stack.log_begins["ledger"] = log.stat().st_size

    assert stack.stop_reason("ledger") == ""

    with log.open("a") as lines:
        lines.write("ModuleNotFoundError: no module\n")
    assert stack.stop_reason("ledger") == "ModuleNotFoundError: no module"

    with log.open("a") as lines:
        lines.write(json.dumps({"log": "service_stopped", "reason": "no room"}) + "\nexit\n")
    assert stack.stop_reason("ledger") == "no room"
    assert str(stack.stopped("ledger")) == f"ledger has stopped (no room); see {log}"
