"""A page of postings has a bound on its bytes, too."""

from types import SimpleNamespace
from typing import Any

import pytest

from services.ledger.http.routes import PAGE_BYTES_MAX, encode_page

BATCHES = 50


class Store:
    """A store of so many batches, all of one length."""

    def __init__(self, size: int) -> None:
        self.size = size

    def published_batches(self, after: int, limit: int) -> list[Any]:
        return [
            SimpleNamespace(postings=SimpleNamespace(batch=number, encode=lambda: b"x" * self.size))
            for number in range(after + 1, min(after + limit, BATCHES) + 1)
        ]


@pytest.mark.parametrize(
    ("size", "after", "limit", "batches"),
    [
        (100, 0, 200, BATCHES),
        (100, 0, 20, 20),
        (100, BATCHES - 3, 200, 3),
        (100, BATCHES, 200, 0),
        (PAGE_BYTES_MAX // 4, 0, 200, 4),
        (PAGE_BYTES_MAX // 20, 10, 200, 20),
        (5 * PAGE_BYTES_MAX, 0, 200, 1),
    ],
)
def test_a_page_ends_at_its_limit_its_bytes_or_the_end_of_the_log(
    size: int, after: int, limit: int, batches: int
) -> None:
    assert len(list(encode_page(Store(size), after, limit))) == batches  # type: ignore[arg-type]
