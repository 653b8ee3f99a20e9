"""Filters that stay: a moment in the form, columns on the next page, a party on the log; and pages of all parties."""

import re

import pytest

from testing.cloud_events import Party
from tests.unit.console.http.test_deciding import Console, log_of

SITES = 55


@pytest.fixture(scope="module")
def console() -> Console:
    """Fifty-five sites and Abilene are short; a party with a name is Abilene's tenant."""
    texas, planner = Party("stargate-americas"), Party("planner")
    role = {"role": "tenant", "of": "site", "name": "TX-ABILENE", "basis": "a lease"}
    orders = [texas.order("2026-10-02", f"o{n}", 40, "2026-11-10", site=f"S{n:02}") for n in range(SITES)]
    orders.append(texas.order("2026-10-02", "own", 40, "2026-11-10"))
    party = planner.publish("2026-10-01", "party.declared", party="cloud", name="Cloud", roles=[role], revision=0)
    return Console([*log_of(texas, *orders), party])


def form_of_filters(page):
    [form] = re.findall('<form class="filters"[^>]*aria-label="Filters">.*?</form>', page, re.DOTALL)
    return form


def test_the_moment_of_since_stays_while_its_filters_are_chosen_and_on_no_other_page(console):
    assert '<input type="hidden" name="since" value="1">' in form_of_filters(console.get("/since", since="1"))
    assert 'name="since"' not in form_of_filters(console.get("/shortages", since="1"))


@pytest.mark.parametrize(("path", "columns"), [("/shortages", "shortages:product"), ("/log", "alerts:code")])
def test_the_next_page_has_the_columns_chosen(console, path, columns):
    [address] = re.findall('<a rel="next" href="([^"]*)"', console.get(path, columns=columns))

    assert address == f"{path}?offset=50&amp;columns={columns}"


def test_alerts_of_the_log_are_those_of_the_party(console):
    opened = [re.findall(r"(\d+) open</small>", console.get("/log", **query)) for query in ({}, {"party": "cloud"})]

    assert opened == [[str(2 * SITES + 1)], ["1"]]  # all short, and all but Abilene undeclared


def test_a_page_of_all_parties_says_so_where_one_is_chosen(console):
    notice = '<p class="notice">This page is of all parties, not of Cloud alone.</p>'

    for path in ("/since", "/lines", "/suppliers"):
        assert notice in console.get(path, party="cloud"), path
        assert notice not in console.get(path), path
    assert notice not in console.get("/log", party="cloud")


def test_parties_are_chosen_by_their_names(console):
    assert '<option value="cloud">Cloud</option>' in form_of_filters(console.get("/log"))
    assert '<option value="cloud" selected>Cloud</option>' in form_of_filters(console.get("/log", party="cloud"))


def test_a_row_of_more_than_fifty_items_says_how_many_more_there_are(console):
    page = console.get("/worklist")

    assert '<td colspan="6">6 more: choose a product or a site, or take the CSV</td>' in page
    assert page.count('<tr class="item">') == 51


def test_a_moment_that_cannot_be_compared_with_is_an_error_and_not_being_computed(console):
    page = console.get("/", status=404, since="999")

    assert "there is no batch 999 yet" in page
    assert "being computed" not in page
