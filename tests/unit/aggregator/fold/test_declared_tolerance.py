"""The tolerance of deliveries that a programme declares judges all commits, those before its declaration too."""

import pytest

from services.aggregator.fold.snapshot import decode, encode, seal
from services.aggregator.terms import STRICT, TOLERANT, Tolerance
from shared.programme.declarations import NOTHING_DECLARED
from testing.cloud_events import Party
from testing.played import numbered, play

WEEK = {"days_early": 7, "days_late": 2, "percent_short": 10}


def log(first, *declared):
    """A commit of 100 for the 20th, of which 30 come 8 days early, 40 on the day, and 52 two days late."""
    sites, samsung, planner = Party("stargate-americas"), Party("samsung"), Party("stargate-planning")
    programme = []
    for n, each in enumerate(declared):
        on_time = {} if each is None else {"on_time": each}
        programme.append(planner.publish("2026-03-01", "programme.declared", programme="p", revision=n, **on_time))
    deliveries = [samsung.commit("2026-03-01", "c", 100, "2026-04-20")]
    for n, (day, wafers) in enumerate((("2026-04-12", 30), ("2026-04-20", 40), ("2026-04-22", 52))):
        deliveries.append(samsung.dispatch("2026-04-01", f"s{n}", wafers, day, "c"))
        deliveries.append(sites.receive(day, f"s{n}", wafers))
    rest = [*deliveries, sites.advance("2026-05-31"), samsung.advance("2026-05-31")]
    return play(numbered([*programme, *rest] if first else [*rest, *programme]))


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(
    ("declared", "kept"),
    [
        ((), 1),
        ((WEEK,), 1),  # 92 of 100
        (({"days_early": 7, "days_late": 2},), 0),
        (({"days_early": 8, "days_late": 1, "percent_short": 30},), 1),
        (({"days_early": 7, "days_late": 1, "percent_short": 30},), 0),
        (({"days_late": 1, "percent_short": 29}, None), 1),  # the revision tolerates as all do
    ],
)
def test_a_commit_is_kept_within_the_tolerance_in_force(first, declared, kept):
    played = log(first, *declared)
    tolerance = Tolerance(**(TOLERANT._asdict() | (declared[-1] or {}))) if declared else TOLERANT
    [row] = played.ask("/suppliers/samsung/performance")["rows"]
    named = dict(zip(("days_early", "days_of_grace", "percent_of_grace"), tolerance, strict=True))

    assert row["otif"]["tolerant"] == named | {"numerator": kept, "denominator": 1, "percent": kept * 100.0}
    assert row["otif"]["strict"]["numerator"] == 0
    assert played.row("/suppliers", lag=0)["otif_tolerant"]["numerator"] == kept


def test_a_snapshot_judges_as_the_state_that_it_is_of():
    state = log(True, WEEK).state
    pieces = encode(state)
    read = decode(b"".join([*pieces, seal(pieces)]), *state.curves.horizon, NOTHING_DECLARED)

    assert read.lines.tolerances == (STRICT, Tolerance(**WEEK)) == state.lines.tolerances
    kept = [each.lines.record("samsung")["HBM4-12H"].kept.tolist() for each in (state, read)]
    assert kept[0] == kept[1]
