"""Following the log files of a stack."""

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from services.operator.logs.follow import follow_lines
from services.operator.logs.lines import LineFilter
from testing.log_lines import line, write_logs


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    return write_logs(tmp_path)


def take_step(steps: Iterator[Callable[[], Any]]) -> None:
    for step in islice(steps, 1):
        step()


def test_following_merges_what_comes_by_time_and_waits_for_whole_lines(stack):
    ledger, samsung = (stack / "logs" / f"{name}.log" for name in ("ledger", "supplier-samsung"))
    late = stack / "logs" / "aggregator.log"
    steps = iter(
        [
            lambda: append(samsung, line(20.9, "b_said") + line(20.95, "half_said")[:30]),
            lambda: append(ledger, line(20.8, "a_said")),  # written a moment later than it was said
            lambda: append(samsung, line(20.95, "half_said")[30:]),
            lambda: append(late, line(23, "c_said")),
        ]
    )

    def append(path: Path, text: str) -> None:
        with path.open("a") as file:
            file.write(text)

    followed = follow_lines(
        stack,
        LineFilter(),
        wait=lambda: take_step(steps),
    )

    said = [line.fields["log"] for line in islice(followed, 10 + 4)]
    assert said[9] == "batch_recorded"
    assert said[10:] == ["a_said", "b_said", "half_said", "c_said"]


def test_following_goes_on_in_a_new_file_of_the_same_name(stack):
    ledger = stack / "logs" / "ledger.log"
    steps = iter([lambda: ledger.write_text(line(30, "service_started", pid=4))])

    followed = follow_lines(stack, LineFilter(service="ledger"), wait=lambda: take_step(steps))

    assert list(islice(followed, 10))[-1].fields["pid"] == 4


def test_following_asks_no_clock(stack):
    """Lines of years ahead, as where a clock was set back, come as soon as others."""
    ledger = stack / "logs" / "ledger.log"
    steps = iter([lambda: ledger.write_text(line(30, "service_started", pid=4).replace("2026-", "2126-"))])

    followed = follow_lines(stack, LineFilter(service="ledger"), wait=lambda: take_step(steps))

    assert list(islice(followed, 10))[-1].timestamp.startswith("2126-")
