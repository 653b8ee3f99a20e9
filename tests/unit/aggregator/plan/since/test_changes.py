"""Phases planned otherwise between two states."""

from datetime import UTC, date, datetime

from services.aggregator.fold.sites import SiteBook
from services.aggregator.plan.since.changes import changed_phases
from shared.play.numbering import Numbering
from shared.wire.events import PhasePlanned
from shared.wire.rows import Row


def test_a_phase_is_changed_where_its_last_statement_says_something_else():
    numbering = Numbering("americas")

    def plan(phase: str, day: int, revision: int, mw: int = 100) -> Row:
        data = PhasePlanned(
            site="abilene", phase=phase, mw=mw, platform="gb300", energise_on=date(2026, 6, day), status="planned",
            revision=revision,
        )  # fmt: skip
        return Row.of(numbering.emit(datetime(2026, 4, 1, tzinfo=UTC), data))

    first = [plan("1", 1, 0), plan("2", 2, 0), plan("3", 3, 0)]
    then, now = SiteBook(), SiteBook()
    then.add(first)
    now.add([*first, plan("1", 9, 1), plan("2", 2, 1), plan("4", 4, 0)])

    changed = changed_phases(then, now, None)

    assert [(each.now.phase, each.before and each.before.energise_on != each.now.energise_on) for each in changed] == [
        ("4", None), ("1", True)
    ]  # fmt: skip
    assert changed_phases(then, now, "elsewhere") == []
