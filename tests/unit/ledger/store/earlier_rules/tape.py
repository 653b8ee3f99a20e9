"""A log on which the first and the second rules of the postings differ, and the store that the first ones made of it.

The store was made once, in a checkout of the last version with rules 1 (the folder on its path):

    python tests/unit/ledger/store/earlier_rules/tape.py ledger.db && gzip -9n ledger.db
"""

import sys

from testing.cloud_events import CloudEvent, Party
from testing.fold import fold

NEW_MEXICO = "NM-DONAANA"
LATER, EARLIER = "f0000000-0000-4000-8000-00000000000a", "00000000-0000-4000-8000-00000000000b"


def tape() -> list[CloudEvent]:
    """Return the log: a line or two for each rule that changed, all sources in turn."""
    samsung, texas, europe = Party("samsung"), Party("stargate-americas"), Party("stargate-emea", site="UK-TEESWORKS")
    unattributed = {"supplier": "unattributed"}
    return [
        # equal revisions: by time, and by id before
        samsung.commit("2026-10-01T08:00:00Z", "c", 100, "2026-10-20", id_=LATER),
        samsung.commit("2026-10-01T09:00:00Z", "c", 90, "2026-10-21", id_=EARLIER),
        texas.order("2026-10-01T08:00:00Z", "o", 80, "2026-10-22", id_=LATER),
        texas.order("2026-10-01T09:00:00Z", "o", 60, "2026-10-22", id_=EARLIER),
        # another product on the commit, and a receipt and a loss under another supplier than the dispatch
        samsung.dispatch("2026-10-02", "s1", 50, "2026-10-05", "c"),
        samsung.dispatch("2026-10-02", "s2", 20, "2026-10-05", "c", product="HBM3E-12H"),
        texas.receive("2026-10-05", "s1", 30, 2, **unattributed),
        texas.lose("2026-10-06", "s1", 5, **unattributed),
        # a receipt before its dispatch, and one that is reversed
        early := texas.receive("2026-10-06", "s3", 11, **unattributed),
        twice := texas.receive("2026-10-06", "s3", 4, **unattributed),
        samsung.dispatch("2026-10-03", "s3", 15, "2026-10-06"),
        texas.reverse("2026-10-07", twice),
        # sent on two days, received elsewhere; and more received than was sent
        samsung.dispatch("2026-10-03", "s4", 20, "2026-10-08"),
        samsung.dispatch("2026-10-04", "s4", 30, "2026-10-09"),
        texas.receive("2026-10-08", "s4", 40, site=NEW_MEXICO),
        samsung.dispatch("2026-10-04", "s5", 10, "2026-10-09"),
        texas.receive("2026-10-08", "s5", 25),
        # a count of the shelf, movements before and after it, two counts of a day
        texas.open("2026-10-01", 40, **unattributed),
        texas.open("2026-10-01", 15, supplier="skhynix"),
        texas.count("2026-10-09T20:00:00Z", 90, **unattributed),
        texas.consume("2026-10-08", 9),
        texas.count("2026-10-10T10:00:00Z", 70, id_=LATER[:-1] + "c"),
        texas.count("2026-10-10T11:00:00Z", 66, id_=EARLIER[:-1] + "d"),
        texas.receive("2026-10-11", "s3", 2, **unattributed),
        # watermarks that are reversed, one of them of another source than the last batch's
        texas.advance("2026-10-09"),
        too_far := texas.advance("2026-10-11"),
        europe.open("2026-10-02", 7),
        europe_too_far := europe.advance("2026-10-10"),
        europe.reverse("2026-10-11", europe_too_far),
        samsung.advance("2026-10-09"),
        texas.reverse("2026-10-11", too_far),
        texas.reverse("2026-10-11", early),
        texas.consume("2026-10-11", 3),
    ]


if __name__ == "__main__":
    fold(tape(), batches=3, path=sys.argv[1]).store.close()
