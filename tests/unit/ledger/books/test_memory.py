"""The stock of one key: counts and the adjustments they derive."""

from services.ledger.books.memory import Count, Stock


def test_a_thousand_counts_are_as_quick_as_they_are_right():
    """Each count looks at its neighbours only: the adjustments of the others stand."""
    stock = Stock()
    for day in range(0, 2000, 2):
        stock.count(day, "id/source", Count(0, 0, "id", "source", day))
    stock.move(500, 3)
    stock.uncount(998, "id/source")

    assert [stock.adjustment(day) for day in (0, 2, 500, 502, 998, 999, 1000)] == [0, 2, -1, 2, 0, 0, 4]
    assert stock.next_count(997) == 1000
