"""An alert rests until a day of the state: by the today of the position that is asked, and by no clock."""

import json
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.operator.cli import app
from testing.cloud_events import Party
from testing.played import numbered, play

ALERT = "short_within/HBM4-12H/TX-ABILENE/2026-10-10"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store in which an alert is acknowledged on the 6th and rests until the 8th, today: a batch an event."""
    sites, samsung, planner = Party("stargate-americas"), Party("samsung"), Party("stargate-planning")
    log = [
        sites.order("2026-10-01", "o1", 40, "2026-10-10", start_by="2026-10-01"),
        sites.advance("2026-10-05"), samsung.advance("2026-10-05"),
        planner.publish(
            "2026-10-06", "alert.acknowledged", alert=ALERT, assignee="Kim", note="asked", snoozed_until="2026-10-08",
            by="Park", revision=0,
        ),
        sites.advance("2026-10-07"), samsung.advance("2026-10-07"),
    ]  # fmt: skip
    play(numbered(log), on=date(2026, 10, 8), path=tmp_path / "ledger.db", batches=1).store.close()
    return tmp_path


@pytest.mark.parametrize(
    ("position", "today", "assignee", "rests"),
    [(3, "2026-10-06", None, None), (4, "2026-10-06", "Kim", True), (6, "2026-10-08", "Kim", False)],
)
def test_an_alert_rests_by_the_today_of_the_position(folder, position, today, assignee, rests):
    def ask(*arguments):
        done = CliRunner().invoke(app, [*arguments, "--json", "--as-of", str(position), "--data", str(folder)])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    work, all_work, [alert] = ask("worklist"), ask("worklist", "--resting"), ask("alerts")["rows"]
    [item] = all_work["rows"][0]["items"]
    assert (work["position"], work["today"], alert["name"], item["alert"]) == (position, today, ALERT, ALERT)
    assert (work["resting"], work["count"]) == (int(rests is True), int(not rests))
    assert alert["acknowledged"] == item["acknowledged"]
    said = alert["acknowledged"] or {"assignee": None, "is_snoozed": None}
    assert (said["assignee"], said["is_snoozed"]) == (assignee, rests)
