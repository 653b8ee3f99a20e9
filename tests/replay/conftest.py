"""The demo's play, once for all tests of it: recorded day by day, folded, and asked at the end of each month."""

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import pytest

from services.operator.record.exports import export
from shared.play.scenario import load_scenario
from shared.wire.postings import PostingBatch
from testing.fold import AnyEvent, Folded, Horizon, fresh_store, record
from testing.played import Answer, Played
from testing.simulate import declarations, simulate

UNTIL, SEED = date(2027, 12, 31), 2026  # of `waferline demo`
_REPORT = pytest.StashKey[str]()


class Month(NamedTuple):
    """The answers to a planner at the end of a month."""

    end: date
    position: int
    worklist: Answer
    alerts: list[Answer]


class Demo(NamedTuple):
    """The played demo: the state at its end, its months, and its log as it is exported."""

    played: Played
    months: list[Month]
    documents: Path


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Demo:
    """The whole demo, with the worklist and the alerts of each month's end."""
    horizon = load_scenario().programme.horizon
    assert horizon is not None
    played = Played(fresh_store(), Horizon(horizon.starts_on, (horizon.ends_on - horizon.starts_on).days + 1))
    folded, months = Folded(played.store, played.state.curves), []
    for day, events in _days():
        record(folded, events)
        if (day + timedelta(days=1)).day == 1:
            for batch in played.store.published_batches(played.state.curves.position, 1_000_000):
                played.state.add(PostingBatch.model_validate_json(batch.postings.encode()))
            played.__dict__.pop("view", None)  # the next one is of the new state
            months.append(Month(day, played.state.curves.position, played.ask("/worklist"), played.rows("/alerts")))
    documents = tmp_path_factory.mktemp("demo") / "ledger.jsonl"
    export(played.store, "jsonl", documents)
    request.config.stash[_REPORT] = _report(months)
    return Demo(played, months, documents)


def _days() -> Iterator[tuple[date, list[AnyEvent]]]:
    """Yield the days of the play, each with all that is said on it, the planner first."""
    declared = {day: [*events] for day, events in groupby(declarations(UNTIL), key=lambda event: event.time.date())}
    day, said = load_scenario().starts_on, list[AnyEvent]()
    parties = len(load_scenario().suppliers) + len(load_scenario().datacenters)
    for n, (_, events) in enumerate(simulate("announced", UNTIL, SEED), 1):
        said += events
        if n % parties == 0:
            yield day, [*declared.get(day, ()), *said]
            day, said = day + timedelta(days=1), []


def _report(months: list[Month]) -> str:
    lines = [len(month.worklist["rows"]) for month in months]
    empty = [f"{month.end:%Y-%m}" for month, count in zip(months, lines, strict=True) if not count]
    codes = [alert["code"] for month in months for alert in month.alerts]
    counts = ", ".join(f"{codes.count(code)} {code}" for code in sorted(set(codes)))
    return f"{min(lines)} to {max(lines)} lines at the months' ends, none in {empty or 'no month'}; alerts: {counts}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say how long the worklist of the demo is, in which months it is empty, and which alerts occur."""
    if _REPORT in config.stash:
        terminalreporter.write_line(f"Worklist of the demo: {config.stash[_REPORT]}")
