"""Each alert is raised once and cleared once, whenever a publisher is killed, and a new store clears all."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.alerts.finding import Alert
from services.aggregator.alerts.published import PublishedAlerts, diff_alerts
from services.aggregator.fold.curves import Curves
from services.aggregator.plan.projection import make_plan
from shared.wire.alerts import AlertBatch, Cause
from tests.unit.aggregator.alerts.test_finding import PRODUCT
from tests.unit.aggregator.plan.test_projection import DAYS, quick


def alert_of(name: str) -> Alert:
    return Alert("short_within", (PRODUCT, name), 7, {"wafers": 1})


def test_a_difference_is_what_is_new_and_what_is_gone():
    open_: set[Cause] = {alert_of(name).cause for name in "dab"}
    now = {alert_of(name).cause: alert_of(name) for name in "xbc"}

    assert diff_alerts(open_, now) == ([alert_of("x"), alert_of("c")], [alert_of("a").cause, alert_of("d").cause])


plan = make_plan(Curves(date(2025, 1, 1), DAYS))
times = st.tuples(st.integers(1, 2), st.sets(st.sampled_from("abcdef")), st.booleans())


@given(st.lists(times, max_size=12).map(lambda drawn: sorted(drawn, key=lambda each: each[0])))
@quick
def test_each_alert_is_raised_once_and_cleared_once_whenever_a_publisher_is_killed(seen):
    stream: list[bytes] = []
    published = PublishedAlerts()
    for epoch, names, is_killed in seen:
        now = {alert_of(name).cause: alert_of(name) for name in sorted(names)}
        for batch in published.batches(epoch, plan, *published.changes(epoch, now)):
            stream.append(batch.encode())
            published.add(batch)
        if is_killed:  # the next one knows what stands on the stream
            published = PublishedAlerts()
            for body in stream:
                published.add(AlertBatch.model_validate_json(body))
        assert published.open == now.keys()

    batches = [AlertBatch.model_validate_json(body) for body in stream]
    for name in "abcdef":
        mine = [change for batch in batches for change in batch.changes if change.cause == alert_of(name).cause]
        assert [change.status for change in mine] == [("raised", "cleared")[n % 2] for n in range(len(mine))]
        assert len({change.id for change in mine}) == len(mine)
    assert [(batch.epoch, batch.number) for batch in batches] == sorted({(b.epoch, b.number) for b in batches})


def test_a_new_store_clears_what_the_old_one_raised():
    published = PublishedAlerts()
    now = {alert_of("a").cause: alert_of("a")}
    for batch in published.batches(1, plan, *published.changes(1, now)):
        published.add(batch)

    (batch,) = published.batches(2, plan, *published.changes(2, now))

    assert [(change.status, change.cause) for change in batch.changes] == [
        ("cleared", alert_of("a").cause),
        ("raised", alert_of("a").cause),
    ]


def test_many_changes_are_several_entries():
    now = {alert_of(str(n)).cause: alert_of(str(n)) for n in range(2_500)}
    published = PublishedAlerts()

    batches = list(published.batches(1, plan, *published.changes(1, now)))

    assert [(batch.number, len(batch.changes)) for batch in batches] == [(1, 1000), (2, 1000), (3, 500)]
