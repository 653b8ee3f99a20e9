"""Cases in a few events of what was settled about each number, asked over HTTP; each test names the number."""

from datetime import date

import pytest

from shared.play.scenario import load_scenario
from testing.cloud_events import Party
from testing.played import Played, play
from tests.cases.tapes import RECORDED, TODAY


@pytest.fixture
def samsung() -> Party:
    return Party("samsung")


@pytest.fixture
def texas() -> Party:
    return Party("stargate-americas")


def declare_target(wafers_per_month: int = 900_000):
    """Return a planner's declaration of a target."""
    target = {"wafers_per_month": wafers_per_month, "basis": "a letter"}
    return Party("planner").publish(
        "2026-10-01", "programme.declared", programme="a-programme", revision=0, target=target
    )


def played_through(*events, through="2026-10-31", **more) -> Played:
    """Play the events of some parties, who all have completed a day; a planner completes none."""
    sources = {
        event["source"]: int(event["sequence"]) for event in sorted(events, key=lambda each: int(each["sequence"]))
    }
    watermarks = []
    for source, last in sources.items():
        if source == "planner":
            continue
        party = Party(source)
        party.sequence = last
        watermarks.append(party.advance(through))
    return play([*events, *watermarks], **({"on": RECORDED} | more))


def stock(played: Played, **query: str) -> dict[tuple[str, str], int]:
    """Return what is on hand, by site and supplier."""
    rows = played.rows("/balances", by="site,supplier", **query)
    return {(row["site"], row["supplier"]): row["on_hand"] for row in rows if row["on_hand"]}


# ---------------------------------------------------------------- 1: consumption


def owed(played: Played) -> tuple[int, int, list[int]]:
    """Return the backorder and what is on hand, and the orders of the next weeks."""
    row = played.row("/cover")
    return row["backorder"], row["on_hand"], [row["orders"] for row in played.rows("/atp", at="sites", buckets="4")]


def test_what_is_consumed_for_an_order_before_it_is_due_is_not_required_again(texas):
    log = [texas.open("2026-10-01", 100), texas.order("2026-10-02", "o", 60, "2026-11-10")]
    named, unnamed = (texas.consume("2026-10-10", 40, **order) for order in ({"order": "o"}, {}))

    assert owed(played_through(*log, named)) == (0, 60, [0, 20, 0, 0])
    assert owed(played_through(*log, unnamed)) == (0, 60, [0, 60, 0, 0])
    assert owed(played_through(named, *log, unnamed, texas.reverse("2026-10-11", named))) == (0, 60, [0, 60, 0, 0])


def test_what_is_consumed_beyond_an_order_pays_no_other_order(texas):
    log = [
        texas.open("2026-10-01", 100), texas.order("2026-10-02", "o", 30, "2026-11-10"),
        texas.order("2026-10-02", "other", 30, "2026-10-15"), texas.consume("2026-10-16", 50, order="o"),
    ]  # fmt: skip

    assert owed(played_through(*log)) == (30, 50, [0, 0, 0, 0])


def test_consumption_for_an_order_of_another_site_serves_none(texas):
    log = [
        texas.open("2026-10-01", 100), texas.order("2026-10-02", "o", 30, "2026-11-10", site="TX-MILAM"),
        texas.consume("2026-10-16", 50, order="o"),
    ]  # fmt: skip
    rows = played_through(*log).rows("/atp", buckets="4", site="TX-MILAM")

    assert [row["orders"] for row in rows] == [0, 30, 0, 0]


def test_a_shortage_names_the_orders_that_are_not_consumed_for(texas):
    log = [
        texas.open("2026-10-01", 50), texas.order("2026-10-02", "a", 30, "2026-10-10"),
        texas.order("2026-10-02", "b", 30, "2026-10-12"), texas.consume("2026-10-20", 40),
        texas.order("2026-10-02", "c", 10, "2026-11-20"), texas.consume("2026-10-21", 5, order="c"),
    ]  # fmt: skip
    row = played_through(*log).row("/shortages", why="true")

    assert (row["on_hand"], row["shortage"]) == (5, 20)
    assert [(order["line"], order["wafers"], order["short"]) for order in row["why"]["orders"]] == [
        ("b", 20, 15), ("c", 5, 5)
    ]  # fmt: skip


# ---------------------------------------------------------------- 2: in transit


def test_each_part_of_a_shipment_comes_on_its_own_eta(samsung):
    parts = played_through(
        samsung.dispatch("2026-10-01", "s", 60, "2026-11-03"), samsung.dispatch("2026-10-02", "s", 40, "2026-11-20")
    )

    rows = parts.rows("/atp", at="sites", bucket="day", buckets="25")
    assert {row["from"]: row["receipts"] for row in rows if row["receipts"]} == {"2026-11-03": 60, "2026-11-20": 40}


# ---------------------------------------------------------------- 3: the shipment's supplier


def test_a_receipt_under_another_supplier_stands_under_the_shipments(samsung, texas):
    for order in ([0, 1], [1, 0]):
        both = [
            samsung.dispatch("2026-10-01", "s", 50, "2026-10-05"),
            texas.receive("2026-10-05", "s", 50, supplier="unattributed"),
        ]
        received = played_through(*(both[n] for n in order))

        assert stock(received) == {("TX-ABILENE", "samsung"): 50}
        assert sum(row["in_transit"] for row in received.rows("/balances", by="supplier")) == 0


def test_a_loss_under_another_supplier_is_taken_off_the_shipment(samsung, texas):
    lost = played_through(
        samsung.dispatch("2026-10-01", "s", 50, "2026-11-05"),
        texas.lose("2026-10-05", "s", 20, supplier="unattributed"),
    )

    assert {row["supplier"]: row["in_transit"] for row in lost.rows("/balances", by="supplier")} == {"samsung": 30}


def test_a_supplier_that_contradicts_the_shipment_raises_an_alert(samsung, texas):
    received = played_through(
        samsung.dispatch("2026-10-01", "s", 50, "2026-10-05"),
        texas.receive("2026-10-05", "s", 50, supplier="unattributed"),
    )

    assert received.ask("/alerts")["open"].get("supplier_contradicts_shipment") == 1


def test_a_receipt_of_another_product_is_posted_as_published(samsung, texas):
    other = played_through(
        samsung.dispatch("2026-10-01", "s", 50, "2026-10-05"),
        texas.receive("2026-10-05", "s", 50, product="DDR5-32G"),
    )
    rows = {row["product"]: row for row in other.rows("/balances", by="product")}

    assert {product: row["on_hand"] for product, row in rows.items()} == {"HBM4-12H": 0, "DDR5-32G": 50}
    assert rows["HBM4-12H"]["in_transit"] == 50


# ---------------------------------------------------------------- 4: one promise at each lag


def test_a_commit_re_dated_after_it_was_due_is_one_promise_at_each_lag(samsung):
    late = played_through(
        samsung.commit("2026-06-01", "c", 100, "2026-09-10"),
        samsung.commit("2026-09-12", "c", 100, "2026-10-20", revision=1),
    )
    (row,) = late.ask("/suppliers/samsung/performance")["rows"]

    assert [lag["committed"] for lag in row["lags"] if lag["lag_days"] <= 91] == [100] * 4
    assert row["wafers_due"] == 100


def test_otif_is_measured_against_the_day_that_stood_when_it_was_due(samsung, texas):
    late = played_through(
        samsung.commit("2026-06-01", "c", 100, "2026-09-10"),
        samsung.commit("2026-09-12", "c", 100, "2026-10-10", revision=1),
        samsung.dispatch("2026-10-01", "s", 100, "2026-10-05", "c"),
        texas.receive("2026-10-05", "s", 100),
    )
    (row,) = late.ask("/suppliers/samsung/performance")["rows"]

    assert (row["otif"]["strict"]["numerator"], row["otif"]["strict"]["denominator"]) == (0, 1)


@pytest.mark.parametrize(("lost_on", "kept"), [("2026-10-15", 1), ("2026-10-16", 0), ("2026-10-17", 0)])
def test_what_is_lost_of_a_shipment_ends_its_parts_before_what_is_received_later(samsung, texas, lost_on, kept):
    parts = played_through(
        samsung.commit("2026-10-01", "c", 5, "2026-10-20"),
        samsung.dispatch("2026-10-05", "s", 78, "2026-10-12"),
        samsung.dispatch("2026-10-11", "s", 70, "2026-10-22", "c"),
        texas.lose(lost_on, "s", 71),
        texas.receive("2026-10-16", "s", 56),
    )
    (row,) = parts.ask("/suppliers/samsung/performance")["rows"]

    assert (row["otif"]["strict"]["numerator"], row["otif"]["strict"]["denominator"]) == (kept, 1)


def test_what_a_supplier_delivered_is_counted_where_nothing_was_committed(samsung, texas):
    nine = played_through(samsung.dispatch("2026-10-01", "s", 9, "2026-10-05"), texas.receive("2026-10-05", "s", 9))
    row = nine.row("/suppliers", lag="91")

    assert (row["wafers_received"], row["wafers_due"]) == (9, 0)
    assert row["otif"] == {"numerator": 0, "denominator": 0, "percent": None}


# ---------------------------------------------------------------- 5 and 17: watermarks


def test_a_watermark_taken_back_holds_no_longer(samsung, texas):
    typo = samsung.advance("2026-10-31", on="2026-10-20T12:00:00Z")
    log = [
        texas.open("2026-10-01", 5), texas.advance("2026-10-31"), samsung.commit("2026-10-01", "c", 5, "2026-12-01"),
        samsung.advance("2026-10-19"), typo, samsung.reverse("2026-10-21", typo),
    ]  # fmt: skip

    assert play(log, on=RECORDED).ask("/shortages")["complete_through"] == "2026-10-19"


def test_a_party_that_publishes_for_the_first_time_takes_no_day_back(samsung, texas):
    log = [texas.order("2026-10-01", "o", 70, "2026-12-01"), texas.advance("2026-10-31")]
    first = samsung.commit("2026-10-15", "c", 10, "2026-12-20")
    before, after = play(log, on=RECORDED), play([*log, first], on=RECORDED)

    assert after.ask("/shortages")["complete_through"] == before.ask("/shortages")["complete_through"] == "2026-10-31"
    assert after.row("/shortages")["shortage"] == 70
    assert after.ask("/alerts")["open"]["short_within"] == before.ask("/alerts")["open"]["short_within"]


def test_nothing_is_complete_before_the_first_watermark(texas):
    assert play([texas.open("2026-10-01", 5)], on=RECORDED).ask("/shortages")["complete_through"] is None


def test_the_line_of_a_source_that_ends_goes_on_under_its_successor(samsung, texas):
    successor = Party("skhynix", supplier="skhynix")
    log = [
        texas.order("2026-10-01", "o", 100, "2026-12-01"), samsung.commit("2026-10-01", "c", 100, "2026-11-20"),
        samsung.commit("2026-10-10", "c", 0, "2026-11-20", revision=1),
        samsung.end_on("2026-10-10", "2026-10-09", "skhynix"),
        successor.commit("2026-10-10", "c", 100, "2026-11-27"),
        successor.advance("2026-10-31"), texas.advance("2026-10-31"),
    ]  # fmt: skip
    played = play(log, on=RECORDED)

    assert played.ask("/shortages")["complete_through"] == "2026-10-31"
    assert played.rows("/shortages") == []
    assert played.row("/balances")["open_commit"]["firm"] == 100
    assert played.ask("/alerts")["open"]["source_silent"] == 0


# ---------------------------------------------------------------- 6: counts


def test_a_whole_shelf_counted_is_adjusted_without_a_supplier(texas):
    log = [
        texas.open("2026-10-01", 300), texas.open("2026-10-01", 200, supplier="skhynix"),
        texas.count("2026-10-10", 440, supplier="unattributed"), texas.count("2026-10-10", 290),
    ]  # fmt: skip
    late = texas.consume("2026-10-09", 30, supplier="skhynix")

    assert stock(played_through(*log)) == {
        ("TX-ABILENE", "samsung"): 290, ("TX-ABILENE", "skhynix"): 200, ("TX-ABILENE", "unattributed"): -50,
    }  # fmt: skip
    assert stock(played_through(*log, late)) == {
        ("TX-ABILENE", "samsung"): 290, ("TX-ABILENE", "skhynix"): 170, ("TX-ABILENE", "unattributed"): -20,
    }  # fmt: skip


def test_a_count_of_a_greater_revision_holds(texas):
    log = [
        texas.open("2026-10-01", 300), texas.count("2026-10-10T08:00:00Z", 290, revision=1),
        texas.count("2026-10-10T18:00:00Z", 280),
    ]  # fmt: skip

    assert stock(played_through(*log)) == {("TX-ABILENE", "samsung"): 290}


# ---------------------------------------------------------------- 8: outside the horizon


@pytest.mark.parametrize("day", ["2025-12-31", "2029-01-01"])
def test_no_view_answers_for_a_day_outside_the_horizon(texas, day):
    played = played_through(texas.open("2026-10-01", 5))
    answers = [played.get("/balances", day=day), played.get("/months", **{"from": day[:7], "to": day[:7]})]

    assert [(answer.status_code, answer.json().get("type")) for answer in answers] == [
        (422, "/problems/unfit-parameters")
    ] * 2


# ---------------------------------------------------------------- 11 and 18: the effect


def test_an_older_revision_is_answered_with_what_supersedes_it(samsung):
    newer, older = (samsung.commit("2026-10-01", "c", 5, "2026-12-01", revision=n) for n in (2, 1))

    assert played_through(newer, older).verdict(older).get("effect") == f"superseded by {newer['id']}"


def test_a_reversal_of_an_unknown_event_or_of_anothers_is_answered_with_its_effect(samsung, texas):
    opened = texas.open("2026-10-01", 5)
    others, nobodys = (
        samsung.reverse("2026-10-02", opened),
        samsung.reverse("2026-10-02", {"id": opened["id"][:-1] + "f"}),
    )
    played = played_through(opened, others, nobodys)

    assert [played.verdict(event).get("effect") for event in (others, nobodys)] == ["none", "none"]
    assert played.row("/balances")["on_hand"] == 5


def test_of_equal_revisions_the_later_one_holds_whatever_its_id(samsung):
    ids = ("f0000000-0000-4000-8000-000000000000", "00000000-0000-4000-8000-00000000000f")
    first, correction = (
        samsung.commit(f"2026-10-01T1{n}:00:00Z", "c", wafers, "2026-12-01", id_=id_)
        for n, (wafers, id_) in enumerate(zip((300, 280), ids, strict=True))
    )

    assert played_through(correction, first).row("/balances")["open_commit"]["firm"] == 280


# ---------------------------------------------------------------- 15: as of


def test_one_label_never_stands_on_two_answers(samsung, texas):
    late, soon = (
        texas.open("2026-03-01", wafers) | {"recordedtime": f"2026-03-0{day}T12:00:00Z"}
        for wafers, day in ((100, 3), (20, 2))
    )
    played = play([late, samsung.advance("2026-03-01") | {"recordedtime": "2026-03-02T12:00:00Z"}, soon],
                  on=date(2026, 3, 3), trust_recorded=True)  # fmt: skip
    labels = {}
    for as_of in ("1", "2", "3", "2026-03-02", "2026-03-03"):
        answer = played.get("/balances", as_of=as_of, day="2026-03-01")
        if answer.status_code == 200:
            label = (answer.json()["position"], answer.json()["head"])
            labels.setdefault(label, []).append([row["on_hand"] for row in answer.json()["rows"]])

    assert all(len({str(rows) for rows in answers}) == 1 for answers in labels.values())


# ---------------------------------------------------------------- 16 and 20: what is no place, and not reported


def test_the_scenario_states_which_sites_are_announced():
    sites = {site.id: site for center in load_scenario().datacenters.values() for site in center.sites}

    assert sites["WI-PORTWASHINGTON"].declared[0].sources
    assert sites["AE-ABUDHABI-2"].declared[0].sources
    assert not any(revision.sources for site in sites.values() if site.pool for revision in site.declared)


def test_unallocated_is_no_site_in_cover(samsung):
    assert played_through(samsung.commit("2026-10-01", "c", 5, "2026-12-01", site="unallocated")).rows("/cover") == []


def test_yield_counts_lots_that_have_left(samsung):
    lots = played_through(
        samsung.start("2026-06-01", "a", 25),
        samsung.finish("2026-09-01", "a", 20, 5),
        samsung.start("2026-09-01", "b", 25),
    )

    assert lots.row("/suppliers")["yield"] == {"numerator": 20, "denominator": 25, "percent": 80.0}


def test_stages_that_nobody_reports_are_not_below_zero(samsung, texas):
    played = played_through(
        declare_target(), samsung.dispatch("2026-10-01", "s", 9, "2026-10-05"), texas.receive("2026-10-05", "s", 9)
    )
    row, made = played.row("/balances"), played.row("/suppliers")
    month = played.ask("/months", **{"from": "2026-10", "to": "2026-10"})["rows"][0]

    assert [row[name] for name in ("supply", "net", "wip", "finished")] == [None] * 4
    assert row["lots_not_reported_by"] == ["samsung"]
    assert [made[name] for name in ("started", "finished", "wip", "wip_by_age", "scrap", "yield")] == [None] * 6
    assert [month["start"][name] for name in ("started", "net", "share_percent")] == [None] * 3
    assert (month["receipt"]["received"], month["receipt"]["share_percent"]) == (9, 0.0)
    assert played.row("/balances", basis="receipt", window=30)["supply"] == 9


def test_a_supplier_without_lots_takes_nothing_from_the_stages_of_one_with_lots(samsung, texas):
    hynix = Party("skhynix", supplier="skhynix")
    row = played_through(
        samsung.start("2026-06-01", "a", 25), samsung.finish("2026-09-01", "a", 25, 0),
        hynix.dispatch("2026-10-01", "s", 90, "2026-10-05"),
        texas.receive("2026-10-05", "s", 90, owner="skhynix", supplier="skhynix"),
    ).row("/balances")  # fmt: skip

    assert (row["wip"], row["finished"], row["lots_not_reported_by"]) == (0, 25, ["skhynix"])


def test_a_supplier_that_reports_lots_may_be_below_zero(samsung):
    row = played_through(
        samsung.start("2026-06-01", "a", 25), samsung.dispatch("2026-10-01", "s", 9, "2026-11-05")
    ).row("/balances")

    assert (row["wip"], row["finished"], row["in_transit"]) == (25, -9, 9)
    assert row["lots_not_reported_by"] == []


def test_no_yield_is_known_before_a_lot_has_finished(samsung):
    row = played_through(samsung.start("2026-06-01", "a", 25), samsung.scrap("2026-07-01", "a", 1)).row("/suppliers")

    assert row["yield"] == {"numerator": 0, "denominator": 0, "percent": None}
    assert row["scrap"] == {"numerator": 1, "denominator": 25, "percent": 4.0}


def test_a_sites_surplus_of_one_product_hides_no_shortage_of_another(texas):
    played = played_through(
        texas.order("2026-10-01", "o", 60, "2026-10-20"),
        texas.open("2026-10-01", 900, product="DDR5-32G"),
        texas.order("2026-10-01", "p", 40, "2026-12-01", product="DDR5-32G"),
    )
    row = played.row("/sites")

    assert (row["on_hand"], row["products"]) == (900, 2)
    assert [(each["product"], each["shortage"]) for each in row["short_products"]] == [("HBM4-12H", 60)]


def test_a_net_over_products_states_what_it_hides(samsung, texas):
    played = played_through(
        texas.order("2026-10-01", "o", 60, "2026-10-20"),
        samsung.dispatch("2026-10-01", "s", 90, "2026-10-05", product="DDR5-32G"),
        texas.receive("2026-10-05", "s", 90, product="DDR5-32G"),
    )
    row = played.row("/balances", by="site", basis="receipt", window=30)

    assert (row["supply"], row["demand"], row["net"], row["lacking"]) == (90, 60, 30, 60)


def test_a_stock_is_covered_until_the_day_before_the_first_short_day(texas):
    row = played_through(texas.open("2026-10-01", 5), texas.order("2026-10-01", "o", 6, "2026-11-20")).row("/cover")

    assert row.get("covered_until") == "2026-11-19"


# ---------------------------------------------------------------- 19: causes


@pytest.mark.parametrize(
    ("cause", "take"),
    [
        ("counted", lambda texas: texas.count("2026-10-10", 60)),
        ("consumed_beyond", lambda texas: texas.consume("2026-10-10", 40)),
        ("transferred", lambda texas: texas.transfer("2026-10-10", 40, "TX-MILAM")),
        ("returned", lambda texas: texas.send_back("2026-10-10", "s", 40)),
    ],
)
def test_what_takes_stock_away_is_a_cause(texas, cause, take):
    log = [texas.open("2026-10-01", 100), texas.order("2026-10-02", "o", 100, "2026-11-20"), take(texas)]
    played = played_through(*log)
    bridge = played.ask("/bridge", product="HBM4-12H", site="TX-ABILENE")

    assert played.row("/shortages", site="TX-ABILENE")["shortage"] == 40
    assert (bridge["projected_then"], bridge["projected_now"]) == (0, -40)
    assert {bar["cause"]: bar["wafers"] for bar in bridge["rows"]} == {
        "never_promised": -100, "opened": 100, cause: -40
    }  # fmt: skip


# ---------------------------------------------------------------- 22: definitions


def test_cumulative_atp_looks_beyond_the_buckets_asked_for(texas):
    short = played_through(texas.open("2026-10-01", 10), texas.order("2026-10-02", "o", 30, "2026-12-20"))
    few, many = (short.rows("/atp", at="sites", buckets=buckets) for buckets in ("2", "13"))

    assert [row["atp_cumulative"] for row in few] == [row["atp_cumulative"] for row in many[:2]] == [-20, -20]


def test_the_fill_rate_counts_all_that_came_to_hand(texas):
    log = [
        texas.open("2026-10-01", 10), texas.transfer("2026-10-02", 5, "TX-ABILENE", site="TX-MILAM"),
        texas.count("2026-10-03", 17), texas.order("2026-10-01", "o", 20, "2026-10-05"),
    ]  # fmt: skip
    (row,) = played_through(*log).rows("/cover", fill_rate="true", site="TX-ABILENE")

    assert (row["fill_rate"]["numerator"], row["fill_rate"]["denominator"]) == (17, 20)


def test_the_tradeoff_zone_counts_from_today_as_the_frozen_zone_does(texas):
    rows = played_through(texas.open("2026-10-01", 5)).rows(
        "/atp", at="sites", bucket="day", buckets="60", frozen_days="10", tradeoff_days="40"
    )
    zones = [row["zone"] for row in rows]

    assert rows[0]["from"] == TODAY
    assert [zones.count(zone) for zone in ("frozen", "tradeoff", "free")] == [10, 30, 20]


def test_an_order_due_beyond_the_horizon_has_no_day(texas):
    site = played_through(texas.order("2026-10-01", "o", 30, "2031-06-15")).row("/sites")

    assert (site["due"], site["last_due_day"]) in ((30, None), (30, "beyond"))


@pytest.mark.parametrize(("started", "percent"), [(450, 0.1), (449, 0.0), (1350, 0.2), (1349, 0.1)])
def test_a_share_of_the_target_is_rounded_half_up(samsung, started, percent):
    lots = [samsung.start("2026-10-05", f"l{n}", min(25, started - n)) for n in range(0, started, 25)]
    (row,) = played_through(declare_target(), *lots).ask("/months", **{"from": "2026-10", "to": "2026-10"})["rows"]

    assert (row["start"]["started"], row["start"]["share_percent"]) == (started, percent)


def test_no_share_is_shown_without_a_declared_target(samsung, texas):
    log = [
        samsung.start("2026-10-05", "l", 25), samsung.dispatch("2026-10-06", "s", 9, "2026-10-07"),
        texas.receive("2026-10-07", "s", 9),
    ]  # fmt: skip
    (row,) = played_through(*log).ask("/months", **{"from": "2026-10", "to": "2026-10"})["rows"]

    assert (row["start"]["started"], row["receipt"]["received"]) == (25, 9)
    assert (row["start"]["share_percent"], row["receipt"]["share_percent"]) == (None, None)


def test_of_two_deficits_the_earliest_is_paid_first_and_what_none_can_pay_stays(samsung, texas):
    log = [
        *(samsung.commit("2026-10-01", due, 10, due) for due in ("2026-11-02", "2026-11-09", "2026-11-16")),
        *(
            texas.order("2026-10-01", f"o{n}", wafers, due)
            for n, (wafers, due) in enumerate([(5, "2026-11-03"), (12, "2026-11-10"), (25, "2026-11-17")])
        ),
    ]  # fmt: skip

    assert [row["atp"] for row in played_through(*log).rows("/atp", at="sites", buckets="4")] == [0, 0, -12, 0]
