"""The worklist: each item on one line, at most four lines of a kind; its wafers are those that the balance lacks."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from services.aggregator.fold.state import FoldState
from services.aggregator.plan.projection import make_plan
from services.aggregator.plan.worklist.grouping import LINES_OF_KIND_MAX, rank_work
from services.aggregator.plan.worklist.items import WORK_KINDS, WorkItem, find_work
from services.operator.show.balances import cover_tables
from testing.cloud_events import CloudEvent, Party
from testing.played import numbered, play
from testing.projection import project
from tests.unit.aggregator.plan.test_projection import DAYS, START, fold, logs, quick

names = st.sampled_from("abcdefgh")
items = st.builds(
    WorkItem,
    st.sampled_from(WORK_KINDS), names, names | st.none(), st.none(), st.integers(1, 500),
    st.none() | st.fractions(0, 100), st.none() | st.integers(20_000, 20_100), st.none() | st.integers(-9, 90),
).map(lambda item: item if item.site else item._replace(supplier="s"))  # fmt: skip


@given(st.lists(items, max_size=60))
@quick
def test_each_item_is_on_one_line_and_no_kind_floods(found):
    lines = rank_work(found)

    assert sorted((item for line in lines for item in line.items), key=repr) == sorted(found, key=repr)
    for kind in WORK_KINDS:
        assert sum(line.kind == kind for line in lines) <= LINES_OF_KIND_MAX
    assert all(item.kind == line.kind for line in lines for item in line.items)
    assert sum(line.wafers for line in lines) == sum(item.wafers for item in found)


@given(
    st.lists(items, max_size=60, unique_by=lambda item: (item.kind, item.product, item.site, item.supplier)),
    st.randoms(use_true_random=False),
)
@quick
def test_the_lines_do_not_depend_on_the_order_of_the_items(found, dice):
    assert rank_work(dice.sample(found, len(found))) == rank_work(found)


def test_the_earlier_week_comes_first_then_the_megawatts_then_the_wafers_and_last_what_no_day_presses():
    def item(name: str, days_left: int | None, megawatts: int | None, wafers: int) -> WorkItem:
        return WorkItem(
            "expedite", name, "s", None, wafers, None if megawatts is None else Fraction(megawatts), 1, days_left
        )

    ranked = [
        item("a", 6, 9, 1),
        item("b", -2, 8, 1),
        item("c", 0, None, 5),
        item("d", 0, None, 4),
        item("e", 7, 99, 9)._replace(kind="promise"),
    ]
    surplus = item("f", None, None, 900)._replace(kind="surplus", day=None)

    assert [line.items[0].product for line in rank_work([surplus, *reversed(ranked)])] == list("abcdef")


@given(logs, st.integers(START, START + DAYS - 1), st.integers(0, 40) | st.none())
@quick
def test_short_wafers_are_those_that_the_projected_balance_lacks(log, today, lead):
    curves = fold(log)
    products = {product for product, *_ in curves.keys}
    lead_days = {} if lead is None else dict.fromkeys(products, lead)
    plan = make_plan(curves, today, lead_days=lead_days)

    found = {(item.kind, item.product, item.site): item for item in find_work(FoldState(curves), plan, "planned")}

    if plan.today is None:
        assert found == {}
        return
    for group in project(curves, today=today):
        balance = np.array(group.balance)
        label, inside = (group.product, group.site), lead_days.get(group.product, balance.size)
        soon = max(0, -int(balance[:inside].min(initial=0)))
        later = max(0, -int(balance[inside:].min(initial=0)) - soon)
        of_kind = {kind: found.get((kind, *label)) for kind in ("expedite", "promise", "pull_in")}
        assert (of_kind["expedite"].wafers if of_kind["expedite"] else 0) == soon
        beyond = of_kind["promise"] or of_kind["pull_in"]
        assert (of_kind["promise"] is None) or (of_kind["pull_in"] is None)
        assert (beyond is not None) == (later > 0)
        if of_kind["pull_in"]:
            assert of_kind["pull_in"].wafers == later
            assert -int(balance[-1]) <= soon
        if of_kind["promise"]:
            assert 0 < of_kind["promise"].wafers == -int(balance[-1]) - soon <= later


@pytest.fixture
def two_sites():
    sites, samsung = Party("stargate-americas"), Party("samsung")
    log = [
        sites.order("2026-09-01", "o1", 40, "2026-10-10", start_by="2026-10-01"),
        sites.open("2026-09-01", 25, site="TX-MILAM"),
        sites.order("2026-09-01", "o2", 5, "2026-10-20", start_by="2026-10-11", site="TX-MILAM"),
        samsung.commit("2026-09-01", "c1", 7, "2026-09-20"),
        sites.advance("2026-10-05"), samsung.advance("2026-10-05"),
    ]  # fmt: skip
    return play(numbered(log))


def test_only_the_items_of_some_names_are_found(two_sites):
    def found(**query):
        return {
            (line["kind"], item["site"] or item["supplier"])
            for line in two_sites.ask("/worklist", **query)["rows"]
            for item in line["items"]
        }

    assert {("expedite", "TX-ABILENE"), ("chase", "samsung"), ("move", "TX-MILAM")} <= found()
    assert found(supplier="samsung") == {("chase", "samsung")}
    assert found(site="TX-MILAM") <= {(kind, "TX-MILAM") for kind in WORK_KINDS}
    assert two_sites.get("/worklist", site="nowhere").status_code == 404


def thin_stock() -> list[CloudEvent]:
    """Of 60 wafers due within days 40 are on hand, and 20 come in time."""
    sites, samsung = Party("stargate-americas"), Party("samsung")
    return [
        sites.order("2026-09-01", "o1", 30, "2026-10-07", start_by="2026-10-01"),
        sites.order("2026-09-01", "o2", 30, "2026-10-09", start_by="2026-10-03"),
        sites.open("2026-09-01", 40), samsung.commit("2026-09-01", "c1", 20, "2026-10-08"),
        sites.advance("2026-10-05"), samsung.advance("2026-10-05"),
    ]  # fmt: skip


def test_thin_stock_that_is_not_short_is_to_be_secured():
    played = play(numbered(thin_stock()))
    [line] = [line for line in played.ask("/worklist")["rows"] if line["kind"] == "secure"]
    [alert] = [row["name"] for row in played.rows("/alerts", code="cover_below")]

    assert (line["wafers"], line["day"], line["days_left"]) == (20, "2026-10-09", 3)
    assert [item["alert"] for item in line["items"]] == [alert]


def test_the_stock_of_a_synthetic_pool_is_moved_after_that_of_sites():
    """Abilene lacks 30: a site has 20 to spare and the pool 50, of which no more than the last 10 are to move."""
    sites, samsung = Party("stargate-americas"), Party("samsung")
    log = [
        sites.declare("2026-03-01", site="A-POOL", synthetic=True), sites.declare("2026-03-01"),
        sites.order("2026-09-01", "o1", 30, "2026-10-10", start_by="2026-10-01"),
        sites.open("2026-09-01", 20, site="TX-MILAM"), sites.open("2026-09-01", 50, site="A-POOL"),
        sites.advance("2026-10-05"), samsung.advance("2026-10-05"),
    ]  # fmt: skip
    moves = [line for line in play(numbered(log)).ask("/worklist")["rows"] if line["kind"] == "move"]

    assert [(line["site"], line["wafers"]) for line in moves] == [("TX-MILAM", 20), ("A-POOL", 10)]


def test_at_another_firmness_an_item_finds_the_open_alert_of_its_shortage():
    """Firm supply alone runs short on the 8th, all of it on the 12th, for which the alert is open and snoozed."""
    sites, samsung, planner = Party("stargate-americas"), Party("samsung"), Party("planner")
    alert = "short_within/HBM4-12H/TX-ABILENE/2026-10-12"
    log = [
        sites.order("2026-09-01", "o1", 10, "2026-10-08", start_by="2026-10-01"),
        sites.order("2026-09-01", "o2", 10, "2026-10-12", start_by="2026-10-05"),
        samsung.commit("2026-09-01", "c", 10, "2026-10-07", firmness="planned"),
        planner.publish("2026-10-05", "alert.acknowledged", alert=alert, assignee="Kim", note="", revision=0,
                        snoozed_until="2026-10-20"),
        *(party.advance("2026-10-05") for party in (sites, samsung, planner)),
    ]  # fmt: skip
    played = play(numbered(log))
    assert [row["name"] for row in played.rows("/alerts", code="short_within")] == [alert]

    for firmness, wafers, day in (("planned", 10, "2026-10-12"), ("firm", 20, "2026-10-08")):
        assert played.ask("/worklist", firmness=firmness)["resting"] == 1
        rows = played.ask("/worklist", firmness=firmness, resting="true")["rows"]
        [item] = [item for line in rows if line["kind"] == "expedite" for item in line["items"]]
        assert (item["wafers"], item["day"]) == (wafers, day)
        assert (item["alert"], item["acknowledged"]["assignee"]) == (alert, "Kim")


def test_cover_has_the_acknowledgement_of_its_alert_and_the_notes_on_its_product_and_site():
    planner, log = Party("planner"), thin_stock()
    log.append(Party("milam").open("2026-09-01", 5, site="TX-MILAM"))
    [alert] = play(numbered(log)).rows("/alerts", code="cover_below")
    remark = {"alert": alert["name"], "assignee": "Kim", "note": "", "snoozed_until": None, "revision": 0}
    note = {"note": "n", "about": "site/TX-ABILENE", "text": "a hall is late", "revision": 0}
    log += [planner.publish("2026-10-05", "alert.acknowledged", **remark)]
    log += [planner.publish("2026-10-05", "note.added", **note), planner.advance("2026-10-05")]

    answer = play(numbered(log)).ask("/cover")
    of_site = {row["site"]: row for row in answer["rows"]}
    acknowledged, notes = of_site["TX-ABILENE"]["acknowledged"], of_site["TX-ABILENE"]["notes"]
    assert (acknowledged["assignee"], [note["text"] for note in notes]) == ("Kim", ["a hall is late"])
    assert (of_site["TX-MILAM"]["acknowledged"], of_site["TX-MILAM"]["notes"]) == (None, [])
    [table, _] = cover_tables(answer, Text())
    assert [(row[0], row[-1]) for row in table.rows] == [("TX-ABILENE", "Kim; a hall is late"), ("TX-MILAM", "")]


def test_another_silence_of_a_source_is_another_alert():
    """It is named by the day that the source has completed: who has seen the first has not seen the second."""
    sites, samsung, planner = Party("stargate-americas"), Party("samsung"), Party("planner")
    first, second = "source_silent/samsung/2026-09-10", "source_silent/samsung/2026-09-25"
    seen = planner.publish(
        "2026-09-20", "alert.acknowledged", alert=first, assignee="Kim", note="", revision=0, snoozed_until=None
    )
    log = [sites.open("2026-09-01", 5), samsung.advance("2026-09-10"), seen]
    log += [party.advance("2026-09-20") for party in (sites, planner)]

    def silent(*more: dict) -> tuple[str, str | None, str | None]:
        [row] = play(numbered([*log, *more])).rows("/alerts", code="source_silent")
        return row["name"], *((row[name] or {}).get("assignee") for name in ("acknowledged", "acknowledged_before"))

    assert silent() == (first, "Kim", None)
    later = [samsung.advance("2026-09-25"), *(party.advance("2026-10-05") for party in (sites, planner))]
    assert silent(*later) == (second, None, "Kim")
