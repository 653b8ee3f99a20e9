"""The summary of each process's log."""

from pathlib import Path

import pytest

from services.operator.logs.lines import LineFilter
from services.operator.logs.sources import read_folder
from services.operator.logs.summary import Summary, summarise
from testing.log_lines import line, write_logs


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    return write_logs(tmp_path)


def summaries_of(stack: Path) -> list[Summary]:
    summaries: dict[str, Summary] = {}
    return summarise(read_folder(stack, LineFilter(), summaries), summaries)


def test_a_summary_counts_what_each_process_said(stack):
    ledger, samsung = summaries_of(stack)

    assert (ledger.process, samsung.process) == ("ledger", "supplier-samsung")
    assert ledger.levels == {"info": 6, "warning": 2, "critical": 1}
    assert ledger.names["batch_recorded"] == 3
    assert ledger.refused == {"fraction": 3, "malformed": 1}
    assert (ledger.first[17:19], ledger.last[17:19], samsung.lines) == ("00", "10", 2)


def test_rates_are_over_the_time_covered(stack):
    ledger, _ = summaries_of(stack)

    assert (ledger.seconds, ledger.rates()["events"], ledger.facts()["busy"]) == (10.0, 20.0, 0.02)


def test_a_start_without_a_stop_before_it_is_a_kill(stack):
    ledger, samsung = summaries_of(stack)

    assert (ledger.restarts, ledger.killed) == (2, 1)
    assert (samsung.restarts, samsung.killed) == (0, 0)


def test_damaged_lines_are_counted_and_what_follows_them_is_read(stack):
    ledger, _ = summaries_of(stack)

    assert (ledger.damaged, ledger.lost) == (2, 4)
    assert ledger.names["service_started"] == 3
    assert "Segmentation fault" in ledger.damaged_last
    assert "\x1b" not in ledger.damaged_last


def test_what_a_service_says_while_it_starts_is_no_life_that_was_killed(stack):
    started_twice = line(1, "service_started") + line(2, "service_stopped") + line(3, "batch_recorded", position=9)
    (stack / "logs" / "ledger.log").write_text(started_twice + line(4, "service_started"))

    ledger, _ = summaries_of(stack)

    assert (ledger.restarts, ledger.killed) == (1, 0)
