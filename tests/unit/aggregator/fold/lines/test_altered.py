"""Lines altered between two books."""

from services.aggregator.fold.lines.altered import altered_lines, touched_lines
from testing.lines import Story, lines_of

ABILENE = ("HBM4-12H", "abilene")
SHIPMENT, COMMIT = ("samsung", "shipment/HBM4-12H", "s"), ("samsung", "supply.committed", "c")


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

    assert altered_lines(then, now, [ABILENE]) == {COMMIT, SHIPMENT}
    assert altered_lines(then, now, [("HBM4-12H", "elsewhere")]) == set()
    all_then = {("americas", "demand.required", "o"), COMMIT, ("samsung", "supply.committed", "d")}
    assert altered_lines(lines_of([]), then, [ABILENE]) == all_then
    assert altered_lines(now, now, [ABILENE]) == set()


def test_a_commit_is_touched_by_its_shipment_and_a_shipment_by_its_commit():
    story = Story()
    story.commit(1, 100, 10)
    story.commit(1, 50, 10, line="d")
    committed = lines_of(story.log)
    story.send(3, 90, 10, "c")
    sent = lines_of(story.log)
    story.commit(4, 95, 10, 1)
    now = lines_of(story.log)

    assert touched_lines(committed, sent, ABILENE) == {COMMIT, SHIPMENT}
    assert touched_lines(sent, now, ABILENE) == {COMMIT, SHIPMENT}
    assert touched_lines(now, now, ABILENE) == set()
