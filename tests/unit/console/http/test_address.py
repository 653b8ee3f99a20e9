"""Filters of a page, and links that keep them."""

from urllib.parse import parse_qs, urlsplit

from services.console.http.address import Filters


def test_an_address_is_its_filters_and_a_link_keeps_them():
    filters = Filters.of({"product": "HBM4-12H", "as_of": " 2026-05-31 ", "offset": "50", "nonsense": "1"})

    link = urlsplit(filters.link("/shortages", site="AE-ABUDHABI"))

    assert link.path == "/shortages"
    assert parse_qs(link.query) == {"product": ["HBM4-12H"], "as_of": ["2026-05-31"], "site": ["AE-ABUDHABI"]}
    assert filters.params("product", "site") == {"product": "HBM4-12H", "as_of": "2026-05-31"}
    assert Filters().link("/") == "/"
