"""All parts of a status are of one position, also where the ledger records events between two questions."""

import shutil
from datetime import date
from pathlib import Path

import pytest

from services.operator.ask import status
from services.operator.ask.client import ask
from testing.cloud_events import Party
from testing.played import numbered, play


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """A store with a shortage, and the same one with a commit more that covers it."""
    sites, samsung = Party("stargate-americas"), Party("samsung")
    log = [
        sites.order("2026-10-01", "o1", 40, "2026-10-10", start_by="2026-10-01"),
        sites.advance("2026-10-05"),
        samsung.advance("2026-10-05"),
    ]
    covered = [*log, samsung.commit("2026-10-06", "c1", 40, "2026-10-08")]
    for name, events in (("before", log), ("after", covered)):
        (tmp_path / name).mkdir()
        play(numbered(events), on=date(2026, 10, 6), path=tmp_path / name / "ledger.db", batches=1).store.close()
    return tmp_path / "before", tmp_path / "after"


def test_all_parts_of_a_status_are_of_one_position(folders, monkeypatch):
    before, after = folders

    def ask_and_record(*asked, **query):
        answer = ask(*asked, **query)
        shutil.copyfile(after / "ledger.db", before / "ledger.db")
        return answer

    monkeypatch.setattr(status, "ask", ask_and_record)
    found = status.ask_status(before)

    assert (found["position"], found["bridge"]["position"]) == (3, 3)
    assert found["shortages"] == 1
    assert found["verdict"].startswith("Covered until 2026-10-09. One product at a site runs short")
    assert ask(before, "aggregator", "/shortages")["count"] == 0  # of the events recorded since
