"""All rows of an answer in an order, from pages of one position."""

import asyncio

import pytest

from services.console.http.tables.paging import ask_in_order
from services.console.live.upstream import NoAnswer

ROWS = [{"n": n} for n in (3, 1, 2, 5, 4)]


def pages_of_two(positions):
    """Return how to ask for pages of two rows; each answer is of the next position."""
    left = iter(positions)

    async def ask(path, query):
        first = int(query.get("offset") or 0)
        following = first + 2 if first + 2 < len(ROWS) else None
        return {"rows": ROWS[first : first + 2], "next": following, "position": next(left)}

    return ask


def numbers(answer):
    return [row["n"] for row in answer["rows"]]


def test_an_order_is_that_of_all_rows_and_no_order_is_one_page():
    ask = pages_of_two([7] * 4)

    assert numbers(asyncio.run(ask_in_order(ask, "/rows", {"offset": "2"}, ""))) == [2, 5]
    answer = asyncio.run(ask_in_order(ask, "/rows", {"offset": "2"}, "-n"))
    assert (numbers(answer), answer["next"]) == ([5, 4, 3, 2, 1], None)


def test_pages_of_different_positions_are_asked_for_anew():
    assert numbers(asyncio.run(ask_in_order(pages_of_two([1, 1, 2, 3, 3, 3]), "/rows", {}, "n"))) == [1, 2, 3, 4, 5]
    with pytest.raises(NoAnswer, match="The numbers move"):
        asyncio.run(ask_in_order(pages_of_two(range(99)), "/rows", {}, "n"))
