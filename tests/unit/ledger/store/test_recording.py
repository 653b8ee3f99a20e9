"""The entries of each transaction: not too many bytes, and of one day where the sender states it."""

from services.ledger.store.recording import TRANSACTION_BYTES_MAX, split_entries
from shared.wire.days import DAY_US as DAY


def bodies(portions: list[list[tuple[str, bytes]]]) -> list[list[bytes]]:
    return [[body for _, body in portion] for portion in portions]


def test_entries_go_together_until_they_are_long():
    body = b"x" * (TRANSACTION_BYTES_MAX // 3)
    portions = list(split_entries([(f"{n}-0", body) for n in range(7)]))

    assert [len(portion) for portion in portions] == [3, 3, 1]


def test_what_says_when_it_was_recorded_goes_together_by_the_day():
    said = [
        b'{"source":"samsung","sequence":1,"recorded":%d,"ids":[]}' % (20_000 * DAY + 5),
        b'{"source":"samsung","sequence":2,"recorded":%d,"ids":[]}' % (20_001 * DAY - 1),
        b'{"source":"samsung","sequence":3,"recorded":%d,"ids":[]}' % (20_001 * DAY),
        b'{"id":"x","recordedtime":"2026-01-05T12:00:00Z"}',
        b'{"id":"y","recordedtime":"2026-01-05T13:00:00Z"}',
        b'{"id":"z","recordedtime":"2026-01-06T13:00:00Z"}',
        b"no JSON",
        b"neither",
    ]
    entries = [(f"{n}-0", body) for n, body in enumerate(said)]

    assert bodies(list(split_entries(entries, by_day=True))) == [said[:2], said[2:3], said[3:5], said[5:6], said[6:]]
    assert bodies(list(split_entries(entries))) == [said]
