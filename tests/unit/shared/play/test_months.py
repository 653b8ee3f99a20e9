"""Values between the months of a programme."""

from datetime import date

from shared.play.months import interpolate


def test_between_two_nodes_a_value_moves_evenly():
    nodes = {date(2026, 1, 1): 60, date(2026, 12, 1): 72}

    assert interpolate(nodes, date(2025, 1, 1)) == 60
    assert interpolate(nodes, date(2026, 12, 1)) == 72
    assert round(float(interpolate(nodes, date(2026, 6, 1))), 2) == 65.45
    assert interpolate(nodes, date(2030, 1, 1)) == 72
