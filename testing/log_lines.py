"""Log lines, and the log files of a stack that met bad events, crashed and was killed."""

import json
from pathlib import Path
from typing import Any


def line(second: float, log: str, *, level: str = "info", service: str = "ledger", **fields: Any) -> str:
    head = {"timestamp": f"2026-11-23T14:00:{second:09.6f}Z", "level": level, "service": service, "log": log}
    return json.dumps(head | fields, separators=(",", ":")) + "\n"


def write_logs(folder: Path) -> Path:
    """Write the logs of a stack whose ledger met bad events, crashed, and was killed in mid-line; return its folder."""
    logs = folder / "logs"
    logs.mkdir()
    refused = {"source": "samsung", "sequence": 7, "id": "x", "path": "data.wafers", "reason": "not 12.5"}
    (logs / "ledger.log").write_text(
        line(0, "service_started", pid=1)
        + line(1, "batch_recorded", source="samsung", position=1, events=60, duplicates=2, ms=50.0)
        + line(2, "event_refused", level="warning", code="fraction", **refused)
        + line(2, "refusals_left_out", level="warning", refused=3, codes={"fraction": 2, "malformed": 1})
        + line(3, "service_stopped", level="critical", reason="Fenced()", trace="Traceback:\n  File x\nFenced")
        + line(4, "service_started", pid=2)
        + line(5, "batch_recorded", source="samsung", position=2, events=40, duplicates=0, ms=50.0)
        + line(6, "service_running", position=2, lag_ms=0)[:40]
        + line(9, "service_started", pid=3)
        + "Fatal Python error: \x1b[31mSegmentation fault\n"
        + line(10, "batch_recorded", source="samsung", position=3, events=100, duplicates=0, ms=100.0, lines_lost=4)
    )
    (logs / "supplier-samsung.log").write_text(
        line(0.5, "service_started", service="supplier", source="samsung")
        + line(2.5, "refusal_heard", level="warning", service="supplier", source="samsung", code="fraction", id="x y")
    )
    (logs / "redis.log").write_text("22425:C 23 Nov 2026 14:06:37.135 # Configuration loaded\n")
    return folder
