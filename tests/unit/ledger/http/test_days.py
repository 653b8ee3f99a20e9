"""The days of the log, and the batches of each, are those that the ledger recorded."""

from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from services.ledger.http.days import DayQuery, list_day, list_days
from services.ledger.store.recording import record_entries
from shared.wire.batch import EventBatch
from shared.wire.days import DAY_US, date_of, iso_day
from shared.wire.streams import party_stream
from testing.fold import fresh_store
from tests.unit.ledger.http.test_routes import LOG


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(20_000 * DAY_US, 20_005 * DAY_US), max_size=12), st.integers(1, 4))
def test_each_batch_is_one_of_its_day_and_the_days_add_up(times, limit):
    store = fresh_store()
    entry = EventBatch.of(LOG[:1]).encode()
    for n, time in enumerate(times, 1):
        record_entries(
            store, party_stream("datacenter", "americas"), "americas", "datacenter", [(f"{n}-0", entry)], now=time
        )
    recorded = store.database.query("SELECT batch, recorded, events FROM batches ORDER BY batch")
    by_day = defaultdict(list)
    for batch, time, events in recorded:
        by_day[time // DAY_US].append((batch, events))

    answer = list_days(store)

    assert answer["position"] == store.head.batch
    assert [(row["day"], row["batches"], row["first"], row["last"], row["events"]) for row in answer["rows"]] == [
        (iso_day(day), len(found), found[0][0], found[-1][0], sum(events for _, events in found))
        for day, found in sorted(by_day.items())
    ]
    for day, found in by_day.items():
        after, rows = 0, []
        while after is not None:
            page = list_day(store, DayQuery(day=date_of(day), after=after, limit=limit))
            assert len(page["rows"]) <= limit
            rows += page["rows"]
            after = page["next"]
        assert [(row["batch"], row["events"]) for row in rows] == found
        assert all(row["recorded"].startswith(iso_day(day)) and row["source"] == "americas" for row in rows)
