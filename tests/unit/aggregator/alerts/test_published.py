"""Each alert is raised once and cleared once, whenever a publisher is killed, and a new store clears all."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.alerts.finding import Alert
from services.aggregator.alerts.published import PublishedAlerts, diff_alerts
from services.aggregator.fold.curves import Curves
from services.aggregator.plan.projection import make_plan
from shared.wire.alerts import AlertBatch, AlertName
from tests.unit.aggregator.alerts.test_finding import PRODUCT
from tests.unit.aggregator.plan.test_projection import DAYS, quick


def alert_of(name: str) -> Alert:
    return Alert("short_within", (PRODUCT, name), 7, {"wafers": 1})


def test_a_difference_is_what_is_new_and_what_is_gone():
    open_ = {alert_of(name).name for name in "dab"}
    now = {alert_of(name).cause: alert_of(name) for name in "xbc"}

    assert diff_alerts(open_, now) == ([alert_of("x"), alert_of("c")], [alert_of("a").name, alert_of("d").name])


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
        assert published.open == {alert.name for alert in now.values()}

    batches = [AlertBatch.model_validate_json(body) for body in stream]
    for name in "abcdef":
        mine = [change for batch in batches for change in batch.changes if change.alert == alert_of(name).name]
        assert [change.status for change in mine] == [("raised", "cleared")[n % 2] for n in range(len(mine))]
        assert len({change.id for change in mine}) == len(mine)
    assert [(batch.epoch, batch.number) for batch in batches] == sorted({(b.epoch, b.number) for b in batches})


def test_a_new_store_clears_what_the_old_one_raised():
    published = PublishedAlerts()
    now = {alert_of("a").cause: alert_of("a")}
    for batch in published.batches(1, plan, *published.changes(1, now)):
        published.add(batch)

    (batch,) = published.batches(2, plan, *published.changes(2, now))

    assert [(change.status, change.alert) for change in batch.changes] == [
        ("cleared", alert_of("a").name),
        ("raised", alert_of("a").name),
    ]


def test_an_alert_whose_day_moves_is_cleared_before_it_is_raised_under_its_new_name():
    published, before = PublishedAlerts(), alert_of("a")
    moved = before._replace(day=9)
    for batch in published.batches(1, plan, *published.changes(1, {before.cause: before})):
        published.add(batch)

    (batch,) = published.batches(1, plan, *published.changes(1, {moved.cause: moved}))

    assert [(change.status, change.alert.day) for change in batch.changes] == [("cleared", 7), ("raised", 9)]


def test_an_entry_of_an_earlier_version_is_read_and_its_alert_published_once_under_its_name():
    published, alert = PublishedAlerts(), alert_of("a")
    change = {
        "id": "0", "code": alert.code, "status": "raised", "subject": {"product": PRODUCT, "site": "a"}, "day": 7,
        "detail": {}, "causes": [],
    }  # fmt: skip
    published.add(AlertBatch(epoch=1, number=1, position=1, complete_through=None, changes=[change]))  # type: ignore[list-item]

    raised, cleared = published.changes(1, {alert.cause: alert})

    assert ([each.name for each in raised], cleared) == ([alert.name], [AlertName(*alert.cause, None)])


def test_many_changes_are_several_entries():
    now = {alert_of(str(n)).cause: alert_of(str(n)) for n in range(2_500)}
    published = PublishedAlerts()

    batches = list(published.batches(1, plan, *published.changes(1, now)))

    assert [(batch.number, len(batch.changes)) for batch in batches] == [(1, 1000), (2, 1000), (3, 500)]
