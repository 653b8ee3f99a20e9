"""The tapes beside this file: cases that users of other systems reported, with data made up."""

import json
from datetime import date
from pathlib import Path
from typing import Any

from testing.played import Played, completed, numbered
from tests.cases.ways import play

TAPES = Path(__file__).parent / "tapes"
NAMES = sorted(path.stem for path in TAPES.glob("*.ndjson"))

THROUGH = date(2026, 10, 31)
TODAY = "2026-11-01"
RECORDED = date(2026, 11, 1)
"""The day that *today* is in every case, unless it says otherwise."""

RECORDED_ON = {"B01_watermark_typo": date(2026, 11, 2), "B03_source_ends": date(2026, 11, 21)}
"""The tapes that go on after that day."""


def tape(name: str, through: date | None = THROUGH) -> list[dict[str, Any]]:
    """Return the events of a tape with their sequences; sources without a watermark get one, unless there is no day."""
    events = [json.loads(line) for line in (TAPES / f"{name}.ndjson").read_text().splitlines()]
    return numbered(events if through is None else completed(events, through))


def played(name: str, through: date | None = THROUGH, **more: Any) -> Played:
    """Return a tape played in its own order."""
    return play(tape(name, through), **({"on": RECORDED_ON.get(name, RECORDED)} | more))
