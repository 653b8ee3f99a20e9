"""Killed at any step, no message is lost, and one goes out once more only where the kill came before it was noted."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.component.notifier.killed import STEPS
from tests.component.notifier.receivers import receivers

KILLS = int(os.environ.get("WAFERLINE_TEST_KILLS", "100"))  # at each step


@pytest.mark.parametrize("target", ["mail", "hook"])
@pytest.mark.parametrize("step", STEPS)
def test_a_hundred_kills_at_a_step_lose_nothing_and_repeat_no_more_than_they_must(
    step: str, target: str, tmp_path: Path
) -> None:
    with receivers() as receiver:
        rules = tmp_path / "rules.yaml"
        url = receiver.mail_url if target == "mail" else receiver.post_url
        rules.write_text(f"targets:\n  {target}: {{url: '{url}'}}\nrules:\n  - {{name: all, to: [{target}]}}\n")

        done = subprocess.run(
            [sys.executable, "-m", "tests.component.notifier.killed", step, str(KILLS), rules, tmp_path / "out.db"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

        came = receiver.mails if target == "mail" else receiver.posts
        assert int(done.stdout) == KILLS
        assert len(came) == KILLS  # each message, under a key of its own
        assert set(came.values()) == ({2} if step == "sent" else {1})
