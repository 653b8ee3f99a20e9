"""The kept tape: three sites of the reference programme over two years, every event type and every mistake in it.

`python -m tests.replay.tape` records it and its state hash anew. A changed hash means that a balance has changed:
say in the changelog which, and why.
"""

import gzip
import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import orjson

from services.operator.record.curves import fold as fold_store
from shared.wire.events import EVENTS, Event, EventReversed, MilestoneReported, SourceAdvanced
from shared.wire.rows import DECLARATIONS, REMARKS
from testing.fold import fold
from testing.simulate import simulate

TAPE = Path(__file__).parent / "tape.ndjson.gz"
KEPT = Path(__file__).parent / "tape.json"
SITES = {"GB-STARGATE", "AE-ABUDHABI", "KR-POHANG", "AR-PATAGONIA", "unallocated"}
EVENTS_MAX = 5000
# no supplier or site of the reference programme publishes these; a planner does the declarations, which post nothing
NOT_SIMULATED = {"shipment.returned", "source.ended", *DECLARATIONS, *REMARKS}


def choose() -> list[Event | dict[str, Any]]:
    """Return the events of the kept sites, what was said in error with its reversal, and a watermark a month."""
    said = [event for _, day in simulate("announced", date(2027, 12, 31)) for event in day]
    reversed_ids = {e.data.reversed for e in said if isinstance(e, Event) and isinstance(e.data, EventReversed)}
    chosen: list[Event | dict[str, Any]] = []
    sequences: dict[str, int] = {}
    for event in said:
        if isinstance(event, Event) and not (
            getattr(event.data, "site", "") in SITES
            or isinstance(event.data, MilestoneReported | EventReversed)
            or event.id in reversed_ids
            or (isinstance(event.data, SourceAdvanced) and event.data.through.day == 1)
        ):
            continue
        source = event.source if isinstance(event, Event) else event["source"]
        sequences[source] = sequences.get(source, 0) + 1
        if isinstance(event, Event):
            chosen.append(event.model_copy(update={"sequence": sequences[source], "recordedtime": event.time}))
        else:
            chosen.append(event | {"sequence": str(sequences[source])})
    return chosen


def state_hash(events: Sequence[Event | dict[str, Any]]) -> str:
    """Return the state hash that the aggregator, with the horizon it has, comes to."""
    return fold_store(fold(events).store).state_hash()


def main() -> None:
    """Write the tape and what it comes to."""
    events = choose()
    missing = EVENTS.keys() - NOT_SIMULATED - {event.data.type for event in events if isinstance(event, Event)}
    if missing or len(events) > EVENTS_MAX:
        raise SystemExit(
            f"{len(events)} events, at most {EVENTS_MAX}; no {', '.join(sorted(missing)) or 'type missing'}"
        )
    TAPE.write_bytes(gzip.compress(b"".join(orjson.dumps(_line(event)) + b"\n" for event in events), mtime=0))
    kept = {"events": len(events), "refused": len(fold(events).refusals), "state_hash": state_hash(events)}
    KEPT.write_text(json.dumps(kept, indent=1) + "\n")
    print(f"{len(events)} events in {TAPE.name}; {kept}")  # noqa: T201 (a command's answer)


def _line(event: Event | dict[str, Any]) -> dict[str, Any]:
    return event.cloud_event() if isinstance(event, Event) else event


if __name__ == "__main__":
    main()
