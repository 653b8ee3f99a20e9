"""The effect of an event: as its source is told with the verdict, and as it is when asked later."""

from datetime import UTC, date, datetime

import pytest

from shared.wire.days import microseconds
from shared.wire.postings import POSTING_WAFERS_MAX, EventEffect, Measure
from testing.cloud_events import CloudEvent, Party
from testing.fold import Folded
from testing.fold import fold as fold_now
from testing.played import HORIZON, Played

DUE = "2026-12-01"


@pytest.fixture
def samsung() -> Party:
    return Party("samsung")


@pytest.fixture
def texas() -> Party:
    return Party("stargate-americas")


def fold(log: list[CloudEvent], **how: int) -> Folded:
    """Record a log in November 2026."""
    return fold_now(log, now=microseconds(datetime(2026, 11, 1, tzinfo=UTC)), **how)


def effects(folded: Folded, event: CloudEvent) -> list[str]:
    """Return the effect that the verdict tells, nothing where it holds, and the one of today."""
    told = [each.effect for verdict in folded.verdicts for each in verdict.effects if each.id == event["id"]]
    return [*told, Played(folded.store, HORIZON).verdict(event)["effect"]]


def test_a_statement_that_holds_is_told_nothing(samsung):
    commit = samsung.commit("2026-10-01", "c", 5, DUE)
    folded = fold([commit])

    assert effects(folded, commit) == ["holds"]
    assert b"effects" not in folded.store.published_batches(0, 1)[0].verdict.encode()


def test_an_older_revision_is_told_what_supersedes_it_and_a_superseded_one_when_it_is_asked(samsung):
    first, second, older = (samsung.commit("2026-10-01", "c", 5, DUE, revision=n) for n in (1, 2, 0))
    folded = fold([first, second, older], batches=1)

    assert effects(folded, first) == [f"superseded by {second['id']}"]
    assert effects(folded, older) == [f"superseded by {second['id']}"] * 2
    assert effects(folded, second) == ["holds"]


def test_of_two_counts_of_a_day_the_earlier_is_superseded(texas):
    later, earlier = (texas.count(f"2026-10-10T{hour}:00:00Z", 5) for hour in (18, 10))
    folded = fold([later, earlier])

    assert effects(folded, earlier) == [f"superseded by {later['id']}"] * 2
    assert effects(folded, later) == ["holds"]


def test_an_id_that_is_reversed_has_no_effect_and_a_reversal_is_not_reversed(texas):
    opened = texas.open("2026-10-01", 5)
    early = texas.reverse("2026-10-02", opened)
    twice = texas.reverse("2026-10-03", early)
    folded = fold([early, twice, opened], batches=1)

    assert effects(folded, opened) == ["none", "none"]
    assert effects(folded, twice) == ["none", "none"]
    assert effects(folded, early) == ["none", "holds"]  # when it was recorded, its event was unknown


def test_a_reversal_of_anothers_event_or_of_a_refused_one_says_so(samsung, texas):
    opened, refused = texas.open("2026-10-01", 5), texas.open("2026-10-01", 0)
    others, own = samsung.reverse("2026-10-02", opened), texas.reverse("2026-10-02", refused)
    folded = fold([opened, refused, samsung.commit("2026-10-01", "c", 5, DUE), others, own])
    whys = [Played(folded.store, HORIZON).verdict(event)["why"] for event in (others, own)]

    assert effects(folded, others) == effects(folded, own) == ["none", "none"]
    assert "the event is of stargate-americas" in whys[0]
    assert "was refused" in whys[1]


def test_the_verdict_names_the_event_and_the_reason(texas):
    unknown = texas.reverse("2026-10-02", {"id": "00000000-0000-4000-8000-000000000000"})

    assert fold([unknown]).verdicts[0].effects == [
        EventEffect(
            1, unknown["id"], "none",
            "its source has recorded no event of that id: if it comes later, it will have no effect",
        )
    ]  # fmt: skip


def test_an_adjustment_beyond_what_a_posting_holds_is_posted_in_parts(texas):
    log = [
        *(texas.count("2026-10-10", 10**12, supplier=supplier) for supplier in ("samsung", "skhynix", "micron")),
        texas.count("2026-10-11", 0, supplier="unattributed"),
    ]
    folded = fold(log)
    wafers = folded.store.published_batches(0, 1)[0].postings.wafers

    assert max(map(abs, wafers)) == POSTING_WAFERS_MAX
    assert sum(wafers) == 0
    assert folded.stages(date(2026, 10, 11))["on_hand"] == 0
    assert sum(each for (measure, _, _), each in folded.cells().items() if measure == Measure.ADJUSTED) == 0
