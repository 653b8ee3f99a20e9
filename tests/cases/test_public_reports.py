"""The right value of each tape, in each of four ways; each test is named for the public report of its tape."""

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

import pytest

import testing.played
from shared.party.intake import take_events
from shared.party.outbox import Outbox
from testing.played import completed, numbered
from tests.cases.tapes import RECORDED, THROUGH, TODAY, played, tape
from tests.cases.ways import WAYS, Play, Server, play, playing, stored
from tests.docs.pages import DOCS

ORDERS_ALONE = {"frozen_days": "0", "tradeoff_days": "0"}
"""Whatever the default zones are, they do not hold forecasts back."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


@pytest.fixture(params=WAYS, autouse=True)
def way(request: pytest.FixtureRequest, tmp_path: Path, server: Server) -> Iterator[str]:
    """Play and ask each case in one process, over a socket, from a store that is read again, and on PostgreSQL."""
    chosen: AbstractContextManager[Play]
    numbers = count()
    if request.param == "in process":
        chosen = nullcontext(testing.played.play)
    elif request.param == "on PostgreSQL":
        url = request.getfixturevalue("postgres_store")
        chosen = stored(lambda: url)
    else:
        chosen = stored(lambda: tmp_path / f"ledger-{next(numbers)}.db")
    with chosen as play_case, playing(server.serves(play_case) if request.param == "over HTTP" else play_case):
        yield request.param


def shortage(name: str, **query: str) -> dict[str, Any]:
    """Return the one shortage of a tape: when it begins, and how many wafers are short."""
    row = played(name).row("/shortages", **query)
    return {part: row[part] for part in ("on_hand", "first_short_day", "shortage")}


def promised(name: str) -> list[int]:
    """Return what can be promised of a tape's only product and site, bucket by bucket, discrete and in all."""
    rows = played(name).rows("/atp", at="sites", buckets="26")
    return [row[atp] for row in rows for atp in ("atp", "atp_cumulative")]


def on_hand(name: str) -> dict[str, int]:
    return {row["site"]: row["on_hand"] for row in played(name).rows("/balances", by="site")}


# ---------------------------------------------------------------- consumption that no order asked for


def test_erpnext_37400_medusa_12401_what_was_consumed_does_not_come_back():
    m1 = played("M1_consumed_comes_back")

    assert m1.row("/balances")["on_hand"] == 0
    assert set(promised("M1_consumed_comes_back")) == {0}
    assert m1.row("/cover")["cover"]["left"] == 0


@pytest.mark.parametrize("name", ["A01", "c01_opening_consumed"])
def test_erpnext_35410_stock_used_up_before_the_first_order_is_short_for_it(name):
    assert shortage(name) == {"on_hand": 100, "first_short_day": "2026-12-10", "shortage": 900}
    assert max(promised(name)) <= 0


def test_frepple_709_erpnext_50809_an_order_closed_to_0_after_it_was_built_does_not_pay_the_next():
    assert shortage("A02") == {"on_hand": 0, "first_short_day": "2026-12-10", "shortage": 80}


def test_the_how_tos_own_events_promise_no_more_than_is_on_hand():
    lines = (DOCS / "howto" / "events.ndjson").read_bytes().splitlines()
    howto = play(numbered(completed([json.loads(line) for line in lines], THROUGH)), on=RECORDED)

    assert howto.row("/balances")["on_hand"] == 1456
    assert {row["atp_cumulative"] for row in howto.rows("/atp", at="sites")} == {1456}


# ---------------------------------------------------------------- watermarks


def test_sql_flow_358_laminardb_388_a_watermark_in_the_future_is_refused():
    b01 = played("B01_watermark_typo")

    assert b01.verdict(tape("B01_watermark_typo")[5])["status"] == "refused"
    assert b01.ask("/state")["watermarks"] == {"samsung": "2026-11-01", "stargate-americas": "2026-11-01"}
    assert b01.ask("/alerts")["open"]["source_silent"] == 0


def test_samza_1705_a_source_that_falls_silent_holds_today_back():
    assert played("B03_source_ends").ask("/shortages")["today"] == TODAY


def test_samza_1705_a_source_that_ends_holds_nothing_back():
    ended = {
        "specversion": "1.0",
        "id": "01a1fb67-1418-7f8f-92df-000000000001",
        "source": "skhynix",
        "type": "waferline.source.ended.v1",
        "time": "2026-11-01T12:00:00Z",
        "data": {"through": "2026-10-31", "successor": None},
    }
    b03 = play(numbered([*tape("B03_source_ends"), ended]), on=date(2026, 11, 21))

    assert b03.ask("/shortages")["complete_through"] == "2026-11-20"
    assert b03.ask("/alerts")["open"]["source_silent"] == 0


def test_design_an_event_behind_its_own_watermark_raises_an_alert():
    assert played("F08_behind_its_watermark").ask("/alerts")["open"].get("behind_watermark") == 1


def test_design_facts_that_are_never_refused_raise_an_alert():
    open_alerts = played("F04").ask("/alerts")["open"]

    raised = {code: open_alerts.get(code) for code in ("dispatch_without_commit", "stage_negative")}
    assert raised == {"dispatch_without_commit": 1, "stage_negative": 1}
    assert open_alerts.get("dispatched_beyond_finished") == 1


# ---------------------------------------------------------------- shipments


def test_open_msupply_10991_an_over_receipt_does_not_hide_what_is_out_on_another_shipment():
    a04 = played("A04")

    assert sum(row["receipts"] for row in a04.rows("/atp", at="sites")) == 2
    assert a04.row("/balances")["in_transit"] == 2


def test_oca_2570_a_shipment_sent_on_two_days_and_diverted_is_nowhere_below_0():
    a06 = played("A06")
    in_transit = {row["site"]: row["in_transit"] for row in a06.rows("/balances", by="site", day="2026-10-05")}

    assert sum(in_transit.values()) == 60
    assert min(in_transit.values()) == 0
    assert {row["site"]: row["in_transit"] for row in a06.rows("/balances", by="site")} == {"A06": 0, "A06-B": 100}


def test_erpnext_42754_a_dispatch_of_another_product_leaves_the_commit_open():
    assert played("A27").row("/balances", product="HBM3E-12H")["open_commit"]["firm"] == 100


def test_erpnext_51089_a_commit_served_with_another_product_is_not_on_time_in_full():
    rows = played("A27").ask("/suppliers/samsung/performance", product="HBM3E-12H")["rows"]

    assert [row["otif"]["strict"]["percent"] for row in rows] == [0.0]


def test_erpnext_42754_a_dispatch_of_another_product_raises_an_alert():
    assert played("A27").ask("/alerts")["open"].get("dispatch_of_other_product") == 1


def test_a11_a_receipt_taken_back_and_published_right_is_counted_once():
    a11 = played("A11").row("/balances")

    assert (a11["on_hand"], a11["in_transit"], a11["open_commit"]["planned"]) == (100, 0, 0)


def test_a14_a_commit_withdrawn_after_a_part_was_sent_leaves_that_part_on_its_way():
    a14 = played("A14").row("/balances")

    assert (a14["in_transit"], a14["open_commit"]["planned"]) == (60, 0)
    assert shortage("A14") == {"on_hand": 0, "first_short_day": "2026-11-25", "shortage": 40}


def test_a15_a_commit_re_dated_into_the_past_is_overdue_and_covers_nothing():
    row = played("A15").row("/shortages")

    assert (row["first_short_day"], row["shortage"]) == ("2026-11-10", 100)
    assert row["by_firmness"]["firm"]["past_due_supply"] == 100
    assert played("A15").rows("/shortages", past_due="true") == []


def test_a30_a_shipment_on_an_unallocated_commit_is_diverted_to_a_site():
    a30 = {row["site"]: row for row in played("A30").rows("/balances", by="site")}

    assert {site: row["in_transit"] for site, row in a30.items()} == {"A30": 60, "unallocated": 0}
    assert {site: row["open_commit"]["firm"] for site, row in a30.items()} == {"A30": 0, "unallocated": 40}
    assert played("A30").rows("/shortages") == []


def test_f05_a_commit_re_dated_after_it_was_delivered_has_nothing_open():
    assert played("F05").row("/balances")["open_commit"]["planned"] == 0
    assert shortage("F05") == {"on_hand": 100, "first_short_day": "2026-11-10", "shortage": 50}


def test_f07_two_commits_in_one_shipment_are_received_together():
    assert played("F07").row("/balances")["on_hand"] == 85
    assert played("F07").row("/balances")["open_commit"]["planned"] == 0


def test_f07_no_less_than_nothing_is_on_its_way():
    assert played("F07").row("/balances")["in_transit"] == 0


# ---------------------------------------------------------------- stock


def test_erpnext_37192_31279_a_shelf_counted_as_a_whole_is_what_was_counted():
    assert played("A09").row("/balances")["on_hand"] == 390


def test_snipe_it_17123_more_than_a_million_can_be_counted():
    log = tape("C08_count_beyond_a_million")
    counted = [event for event in log if event["data"].get("counted") != 700_000]

    assert play(counted, on=RECORDED).row("/balances")["on_hand"] == 1_400_000


def test_headsnet_16_of_two_corrections_the_later_one_holds():
    a16 = played("A16")

    assert a16.row("/balances")["on_hand"] == 440
    assert sum(row["orders"] for row in a16.rows("/atp", at="sites")) == 60


def test_a13_what_is_transferred_in_a_circle_is_where_it_was():
    assert on_hand("A13") == {"A13": 100, "A13-B": 0, "A13-C": 0}


def test_a23_a_count_holds_when_a_receipt_before_it_comes_late():
    assert on_hand("A23") == {"A23": 20}
    assert played("A23").row("/balances", day="2026-10-05")["on_hand"] == 0


# ---------------------------------------------------------------- demand


def test_a17_an_order_moved_to_another_site_and_product_stands_where_it_was_last_moved():
    orders = {(row["product"], row["site"]): row["shortage"] for row in played("A17").rows("/shortages")}

    assert orders == {("HBM4-12H", "A17-B"): 100}


def test_a18_an_order_placed_after_it_was_due_is_short_since_then():
    row = played("A18").row("/shortages")

    assert (row["short_since"], row["first_short_day"], row["shortage"]) == ("2026-10-01", TODAY, 30)


def test_a19_years_end_and_leap_day_are_days_as_any():
    assert played("A19").rows("/shortages") == []
    assert played("A19").row("/shortages", firmness="immediate")["first_short_day"] == "2027-01-01"


def test_f06_a_phase_cancelled_or_paused_is_no_megawatt_to_come():
    f06 = played("F06").row("/sites")

    assert (f06["mw_energised"], f06["mw_to_come"], f06["mw_stopped"]) == (0, 0, 300)
    assert played("F06").rows("/shortages") == []


def test_a10_a_forecast_is_no_shortage():
    assert played("A10").rows("/shortages") == []
    assert on_hand("A10") == {"A10": 0}


@pytest.mark.parametrize("through", [date(2026, 10, 28), date(2026, 10, 29), date(2026, 10, 30), date(2026, 10, 31)])
def test_al_1745_a_forecast_consumed_by_an_order_stays_consumed_when_the_order_falls_into_the_past(through):
    rows = played("A10b", through).rows("/atp", at="sites", **ORDERS_ALONE)

    assert sum(row["forecast"] for row in rows) == 350
    assert sum(row["net_forecast"] for row in rows) == 0


def test_qad_oracle_weekly_orders_consume_the_forecast_of_their_month():
    f02 = played("F02").get("/atp", at="sites", buckets="26", early_days="14", late_days="14", **ORDERS_ALONE)

    assert f02.status_code == 200, f02.text
    assert [row["net_forecast"] for row in f02.json()["rows"] if row["net_forecast"]] == []


@pytest.mark.parametrize("day", ["2024-06-30", "2031-06-30"])
def test_hledger_2403_a_day_outside_the_horizon_is_refused_as_a_month_is(day):
    c30 = played("C30_outside_horizon")
    month = c30.get("/months", **{"from": day[:7], "to": day[:7]})
    balances = c30.get("/balances", day=day)

    assert (month.status_code, month.json()["type"]) == (422, "/problems/unfit-parameters")
    assert (balances.status_code, balances.json().get("type")) == (422, "/problems/unfit-parameters")


# ---------------------------------------------------------------- at the door


def test_sdk_php_35_nakadi_185_any_fraction_of_a_second_is_taken():
    i1 = played("I1_times")

    assert [i1.verdict(event)["status"] for event in tape("I1_times")[:2]] == ["recorded", "recorded"]
    assert i1.row("/balances")["on_hand"] == 10


def test_sdk_php_35_a_leap_second_is_refused():
    assert played("I1_times").verdict(tape("I1_times")[2])["status"] == "refused"


def test_sdk_php_35_a_leap_second_is_refused_by_name():
    assert "leap second" in played("I1_times").verdict(tape("I1_times")[2])["message"]


def test_knx_frontend_459_wallets_109_a_retry_written_otherwise_is_a_duplicate_at_the_door(tmp_path):
    outbox = Outbox(tmp_path / "stargate-americas.db")
    (first,) = take_events(_unnumbered("I3_first"), outbox)
    again = take_events(_unnumbered("I3_said_again_otherwise"), outbox)

    assert [each.refused for each in again] == [None] * 5
    assert [(each.duplicate, each.sequence) for each in again] == [(True, first.sequence)] * 5


def test_knx_frontend_459_a_retry_written_otherwise_is_a_duplicate_in_the_ledger():
    (first,) = tape("I3_first", None)
    again = [event | {"sequence": first["sequence"]} for event in tape("I3_said_again_otherwise", None)]

    assert play([first, *again], on=RECORDED).row("/balances")["on_hand"] == 5
    assert play([first, *again], on=RECORDED).store.last_event == 1


# ---------------------------------------------------------------- the sender is told the effect


def test_ledgersmb_6715_a_reversal_cannot_be_reversed():
    assert on_hand("A21") == {"A21": 100}


def test_ledgersmb_6715_a_reversal_of_a_reversal_is_answered_with_its_effect():
    assert played("A21").verdict(tape("A21")[3]).get("effect") == "none"


def test_ledgersmb_6715_a_reversal_holds_though_its_target_was_refused_first():
    c22 = played("C22_refused_reversed_said_right")

    assert sum(row["on_hand"] for row in c22.rows("/balances")) == 0


def test_ledgersmb_6715_an_id_reused_after_its_reversal_is_answered_with_its_effect():
    c22 = played("C22_refused_reversed_said_right")

    assert c22.verdict(tape("C22_refused_reversed_said_right")[2]).get("effect") == "none"


def test_f05_a_revision_is_answered_with_its_effect():
    verdicts = [played("F05").verdict(event) for event in tape("F05") if event["data"].get("line") == "F05-C"]

    assert [verdict.get("effect", "").partition(" ")[0] for verdict in verdicts] == ["superseded", "holds"]


def _unnumbered(name: str) -> bytes:
    return b"\n".join(
        json.dumps({part: value for part, value in event.items() if part != "sequence"}).encode()
        for event in tape(name, None)
    )
