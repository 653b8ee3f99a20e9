"""Sites that nobody declares, and due days outside the horizon, among the events of a body."""

from datetime import date

import pytest

from shared.programme.doubtful_values import DeclaredBounds, find_doubtful_values

DECLARED = DeclaredBounds(frozenset({"TX-ABILENE", "TX-MILAM"}), date(2026, 1, 1), date(2027, 12, 31))
COMMIT = {"site": "TX-ABILENE", "due": "2026-03-01"}


def found(*events, declared=DECLARED):
    return [(index, each.code, each.value) for index, each in find_doubtful_values(events, declared)]


def test_a_typo_in_a_site_names_the_nearest_declared_ones():
    [(index, doubtful)] = find_doubtful_values(
        [("supply.committed", COMMIT), ("supply.committed", COMMIT | {"site": "TX-ABILEN"})], DECLARED
    )

    assert (index, doubtful.code, doubtful.value) == (1, "undeclared_site", "TX-ABILEN")
    assert doubtful.reason == "no site TX-ABILEN is declared; the nearest names that are: TX-ABILENE, TX-MILAM"


@pytest.mark.parametrize(
    ("due", "is_doubtful"),
    [("2025-12-31", True), ("2026-01-01", False), ("2027-12-31", False), ("2028-01-01", True), ("soon", False)],
)
def test_a_due_day_outside_the_horizon_is_doubtful(due, is_doubtful):
    for field in ("due", "eta"):
        assert found(("any", {"site": "TX-ABILENE", field: due})) == (
            [(0, "due_outside_horizon", due)] if is_doubtful else []
        )


def test_a_site_that_the_events_declare_is_none():
    declaration = ("site.declared", {"site": "TX-NEW"})

    assert found(("supply.committed", COMMIT | {"site": "TX-NEW"}), declaration) == []
    assert found(declaration) == []


def test_both_sites_of_a_transfer_count_and_an_unallocated_one_never():
    transfer = {"site": "TX-NONE", "to_site": "TX-NOWHERE"}

    assert found(("stock.transferred", transfer)) == [
        (0, "undeclared_site", "TX-NONE"), (0, "undeclared_site", "TX-NOWHERE")
    ]  # fmt: skip
    assert found(("supply.committed", COMMIT | {"site": "unallocated"})) == []
    assert found(("supply.committed", COMMIT | {"site": 5}), ("source.advanced", {"through": "2099-01-01"})) == []


def test_where_no_site_is_declared_any_passes():
    assert found(("supply.committed", {"site": "x"}), declared=DECLARED._replace(sites=frozenset())) == []


def test_the_bounds_are_those_of_the_aggregators_answers():
    rows = [{"site": "TX-ABILENE", "confidence": "sourced"}, {"site": "TX-TYPO", "confidence": None}]
    state = {"horizon": {"start": "2026-01-01", "days": 730}}

    assert DeclaredBounds.of(rows, state) == DECLARED._replace(sites=frozenset({"TX-ABILENE"}))
