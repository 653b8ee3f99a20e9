"""An outbox whose disk is full: the intake says so, takes nothing, and takes all later."""

import json
from pathlib import Path

import pytest

from shared.http.problem import NO_ROOM, Problem
from shared.party.intake import take_events
from shared.party.outbox import Outbox
from testing.bad_events import good_events


def test_a_full_disk_is_named_and_nothing_of_the_body_is_taken(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "samsung.db")
    [pages] = outbox.connection.execute("PRAGMA page_count").fetchone()
    outbox.connection.execute(f"PRAGMA max_page_count={pages}")
    lots = good_events()[0].cloud_event()
    body = "\n".join(json.dumps(lots | {"id": f"019cad3f-1b00-7036-aec2-{n:012x}"}) for n in range(100)).encode()

    with pytest.raises(Problem, match="disk is full") as refused:
        take_events(body, outbox)
    assert (refused.value.kind, outbox.last, len(outbox)) == (NO_ROOM, 0, 0)

    outbox.connection.execute("PRAGMA max_page_count=1000000")
    assert {line.refused for line in take_events(body, outbox)} == {None}
    assert outbox.last == 100
