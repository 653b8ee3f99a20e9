"""A page of the past leads to pages of the same past: `as_of` stays in each link."""

import re
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.unit.console.http.test_tables import PATHS, asked, get, played  # noqa: F401

PAST = "2100-01-01"
find_links = re.compile(r"<a\b([^>]*)>").findall


def links_of(html: str) -> list[tuple[str, str]]:
    """Return the id and the address of each link; the id is empty where it has none."""
    found = []
    for attributes in find_links(html):
        named = dict(re.findall(r'\b(id|href)="([^"]*)"', attributes))
        if not named["href"].startswith("#"):
            found.append((named.get("id", ""), unescape(named["href"])))
    return found


def as_of_in(address: str) -> str:
    return "".join(parse_qs(urlsplit(address).query).get("as_of", []))


@pytest.mark.parametrize("path", [path for path in PATHS if path != "/calendar"])
def test_each_link_of_a_page_keeps_the_past(played, path):  # noqa: F811
    path, query = asked(path)
    page = get(played, path, **query, as_of=PAST)
    assert page.status_code == 200, page.text
    html = re.sub(r'<span class="travel".*?</span>', "", page.text, flags=re.DOTALL)  # to another day
    links = [address for id_, address in links_of(html) if id_ != "remark-now"]

    assert len(links) > 8
    assert [address for address in links if as_of_in(address) != PAST] == []


@pytest.mark.parametrize("path", ["/lines", "/sites", "/remarks"])
def test_a_day_before_or_after_keeps_the_choice_of_the_page(played, path):  # noqa: F811
    chosen = {"state": "all", "sort": "lines:-wafers", "columns": "lines:due,wafers"}
    html = get(played, path, **chosen, offset="0", as_of=PAST).text

    links = dict(links_of(html))
    for name in ("earlier", "later", "now"):
        query = parse_qs(urlsplit(links[name]).query)
        assert {key: query[key] for key in chosen} == {key: [value] for key, value in chosen.items()}
        assert as_of_in(links[name]) != PAST
    form = re.search(r'<form class="filters".*?</form>', html, re.DOTALL)
    assert form
    assert dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]+)"', form[0])) == chosen
