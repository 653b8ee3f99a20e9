"""Synthetic sites stand apart in every view: in rows of their own, the last, and in no sum of the others."""

import pytest

from testing.cloud_events import Party
from testing.played import numbered, play

POOL, STAGES = {"site": "A-POOL"}, ("supply", "demand", "wip", "in_transit", "on_hand")


@pytest.fixture
def played():
    """Two sites and a pool whose name comes first: each has an order of 100, 10 on hand, and an overdue commit."""
    sites, samsung = Party("stargate-americas"), Party("samsung")
    log = [sites.declare("2026-03-01", site="A-POOL", synthetic=True), sites.declare("2026-03-01")]
    for site in ("A-POOL", "TX-ABILENE", "TX-MILAM"):
        log += [
            sites.order("2026-03-01", f"o-{site}", 100, "2026-10-10", start_by="2026-09-01", site=site),
            sites.forecast("2026-03-01", f"f-{site}", 30, "2026-11-20", site=site),
            sites.open("2026-03-01", 10, site=site),
            samsung.start("2026-08-20", f"L-{site}", 25, site=site),
            samsung.commit("2026-03-01", f"c-{site}", 40, "2026-09-20", site=site),
        ]
    return play(numbered([*log, sites.advance("2026-09-30"), samsung.advance("2026-09-30")]))


@pytest.mark.parametrize("by", ["", "product", "supplier", "product,supplier", "site", "product,site,supplier"])
def test_the_balances_of_synthetic_sites_are_rows_of_their_own(played, by):
    rows = played.rows("/balances", by=by, window=90) if by else played.rows("/balances", window=90)
    kinds = [row["synthetic"] for row in rows]

    assert kinds == sorted(kinds)
    assert {True, False} == set(kinds)
    sums = {kind: [sum(row[name] for row in rows if row["synthetic"] is kind) for name in STAGES] for kind in kinds}
    assert sums == {False: [50, 200, 50, 0, 20], True: [25, 100, 25, 0, 10]}


@pytest.mark.parametrize("by", ["product", "site", "product,site,supplier"])
@pytest.mark.parametrize("limit", [1, 2])
def test_a_page_of_balances_goes_on_where_the_one_before_ended(played, by, limit):
    assert played.rows("/balances", by=by, limit=limit) == played.rows("/balances", by=by)


def test_the_months_of_synthetic_sites_are_a_list_of_their_own(played):
    months = {"from": "2026-08", "to": "2026-11"}
    answer, pool = played.ask("/months", **months), played.ask("/months", **months, **POOL)
    other = [played.ask("/months", **months, site=site)["rows"] for site in ("TX-ABILENE", "TX-MILAM")]

    assert answer["synthetic"] == pool["rows"]
    assert pool["synthetic"] == []
    for row, *each in zip(answer["rows"], *other, strict=True):
        for basis, names in (("start", ("demand", "agreed")), ("receipt", ("forecast", "due", "received", "net"))):
            assert [row[basis][name] for name in names] == [sum(one[basis][name] for one in each) for name in names]
    assert sum(row["receipt"]["due"] for row in answer["rows"]) == 200


def test_a_programme_without_synthetic_sites_has_no_such_months(played):
    assert played.ask("/months", site="TX-ABILENE")["synthetic"] == []


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/sites", {}), ("/sites", {"limit": 1}), ("/cover", {}), ("/shortages", {}), ("/atp", {"at": "sites"}),
        ("/atp", {"at": "sites", "limit": 13}), ("/lines", {"state": "all"}), ("/worklist", {}), ("/alerts", {}),
    ],
)  # fmt: skip
def test_synthetic_sites_are_last(played, path, query):
    rows = played.rows(path, **query)
    kinds = [row.get("synthetic", "A-POOL" in row.get("subject", {}).values()) or False for row in rows]

    assert kinds == sorted(kinds)
    assert {True, False} == set(kinds)


def test_what_is_counted_of_synthetic_sites_is_counted_apart(played):
    short, lines = played.ask("/shortages"), played.ask("/lines", kind="commit")
    work, alerts = played.ask("/worklist"), played.ask("/alerts")

    assert (short["count"], short["synthetic_count"]) == (3, 1)
    assert (lines["count"], lines["wafers"], lines["synthetic_count"], lines["synthetic_wafers"]) == (3, 80, 1, 40)
    assert (alerts["open"]["short_within"], alerts["open_synthetic"]["short_within"]) == (2, 1)
    assert work["synthetic_count"] == sum(line["count"] for line in work["rows"] if line["synthetic"]) > 0
    chased = {line["synthetic"]: line["wafers"] for line in work["rows"] if line["kind"] == "chase"}
    assert chased == {False: 80, True: 40}
    assert all(
        {item["site"] for item in line["items"]} <= {None, "A-POOL"} for line in work["rows"] if line["synthetic"]
    )
    assert played.ask("/suppliers")["synthetic_sites"] == ["A-POOL"]


def test_what_is_made_for_synthetic_sites_is_promised_apart(played):
    rows = played.rows("/atp", buckets=1)

    named = [(row["supplier"], row["site"], row["synthetic"], row["supply"], row["promised"]) for row in rows]
    assert named == [("samsung", None, False, 50, 80), ("samsung", None, True, 25, 40), (None, "A-POOL", True, 10, 0)]


def test_lots_without_a_site_whose_wafers_go_to_a_pool_are_not_promised_twice():
    """Three lots are started without a site: one is in process, one is finished so, and one for the pool.

    Of the 50 finished the pool was sent 40: 10 are left, and the 25 in process.
    """
    sites, samsung = Party("stargate-americas"), Party("samsung")
    nowhere = {"site": "unallocated"}
    log = [
        sites.declare("2026-03-01", **POOL, synthetic=True), sites.declare("2026-03-01"),
        sites.order("2026-03-01", "o", 100, "2026-12-10", start_by="2026-09-01"),
        samsung.start("2026-08-01", "L1", 25, **nowhere), samsung.finish("2026-09-10", "L1", 25, **nowhere),
        samsung.start("2026-08-02", "L2", 25, **nowhere), samsung.finish("2026-09-10", "L2", 25, **POOL),
        samsung.start("2026-08-03", "L3", 25, **nowhere),
        samsung.dispatch("2026-09-12", "S", 40, "2026-10-12", **POOL),
        sites.advance("2026-09-30"), samsung.advance("2026-09-30"),
    ]  # fmt: skip
    played = play(numbered(log))
    supply: dict[tuple[str | None, bool], int] = {}
    for row in played.rows("/atp", buckets=60):
        place = row["supplier"], row["synthetic"]
        supply[place] = supply.get(place, 0) + row["supply"]

    assert supply == {("samsung", False): 10 + 25, ("samsung", True): 0}


def test_a_pool_without_stock_has_no_rows_and_a_page_after_no_row_is_refused(played):
    pools = [row["site"] for row in played.rows("/atp", buckets=1) if row["site"]]
    assert pools == ["A-POOL"]

    sites = Party("stargate-americas")
    log = [sites.declare("2026-03-01", **POOL, synthetic=True), sites.open("2026-03-01", 10, **POOL)]
    log += [sites.consume("2026-03-02", 10, **POOL), sites.advance("2026-09-30")]
    assert play(numbered(log)).rows("/atp", buckets=1) == []

    refused = played.get("/atp", after="supplier/samsung/NONE")
    assert (refused.status_code, refused.json()["parameter"]) == (422, "after")


def test_weeks_of_cover_of_a_product_are_of_its_sites_alone():
    sites = Party("stargate-americas")
    other = {"product": "DDR5-32G", "site": "TX-ZAVALA"}
    log = [sites.order("2026-03-01", "o", 10, "2026-10-10", start_by="2026-09-01")]
    log += [sites.order("2026-03-01", "d", 90, "2026-10-01", start_by="2026-09-01", **other)]
    found = play(numbered([*log, sites.advance("2026-09-30")]))

    for product, site in (("HBM4-12H", "TX-ABILENE"), ("DDR5-32G", "TX-ZAVALA")):
        answer = found.ask("/cover/weeks", product=product, weeks=1, limit=1)
        assert ([row["site"] for row in answer["rows"]], answer["count"], answer["next"]) == ([site], 1, None)
