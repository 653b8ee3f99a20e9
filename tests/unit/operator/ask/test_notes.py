"""A note is found by its name on whichever page it is."""

from datetime import date
from pathlib import Path

from services.operator.ask.client import ask
from services.operator.ask.remarks import find_note
from testing.cloud_events import Party
from testing.played import play


def test_a_note_is_found_on_a_later_page(tmp_path: Path):
    planner, about = Party("planning"), "site/TX-ABILENE"
    notes = [
        planner.publish("2026-10-01", "note.added", note=f"n{n}", about=about, text="x", revision=0) for n in range(205)
    ]
    play(notes, on=date(2026, 10, 2), path=tmp_path / "ledger.db").store.close()
    first = {row["note"] for row in ask(tmp_path, "aggregator", "/remarks", about=about)["rows"]}
    [last, *_] = sorted({f"n{n}" for n in range(205)} - first)

    found = find_note(tmp_path, about, last)

    assert found is not None
    assert found["note"] == last
    assert find_note(tmp_path, about, "typo") is None
