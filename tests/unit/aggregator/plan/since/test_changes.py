"""Lines altered and phases planned otherwise between two states."""

from datetime import UTC, date, datetime

from services.aggregator.fold.sites import SiteBook
from services.aggregator.plan.since.changes import altered_lines, changed_phases
from shared.play.numbering import Numbering
from shared.wire.events import PhasePlanned
from shared.wire.rows import Row
from testing.lines import Story, lines_of

ABILENE = ("HBM4-12H", "abilene")


def test_a_line_is_altered_by_each_of_its_events_and_counted_once():
    story = Story()
    story.order(1, 100, 12)
    story.commit(1, 100, 10)
    story.commit(1, 50, 10, line="d")
    then = lines_of(story.log)
    story.commit(2, 90, 10, 1)
    story.send(3, 90, 10, "c")
    story.receive(4, 90)

    now = lines_of(story.log)

    shipment = ("samsung", "shipment/HBM4-12H", "s")
    commit = ("samsung", "supply.committed", "c")
    assert altered_lines(then, now, [ABILENE], None) == {commit, shipment}
    assert altered_lines(then, now, [ABILENE], "americas") == set()
    assert altered_lines(then, now, [("HBM4-12H", "elsewhere")], None) == set()
    assert altered_lines(lines_of([]), then, [ABILENE], "americas") == {("americas", "demand.required", "o")}
    assert altered_lines(now, now, [ABILENE], None) == set()


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
