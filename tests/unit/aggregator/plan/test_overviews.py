"""Overviews of sites and suppliers: against a naive twin of the fabs, and against the routes with the same numbers."""

from collections import Counter, defaultdict, deque
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.aggregator.fold.curves import Curves
from services.aggregator.plan.wip import AGES, age_wip, measure_yield
from shared.wire.events import Event, LotFinished, LotScrapped, LotStarted, PhasePlanned, SiteDeclared, StockOpened
from shared.wire.postings import Measure
from testing.asked import Asked
from testing.fold import Horizon, fold
from testing.lines import KEY, Story
from testing.simulate import told
from testing.twins.curves import batch_of
from testing.twins.ledger import number

START = 20_089  # 2025-01-01
HBM, DDR = ("HBM4-12H", "unallocated", "samsung"), ("DDR5-32G", "unallocated", "samsung")
DAYS = 300


# ---------------------------------------------------------------- the fabs, against a queue


@st.composite
def fabs(draw):
    """Days in order on which wafers are started, and some of those inside finished, scrapped or written off."""
    log, inside = [], Counter()
    for day in sorted(draw(st.lists(st.integers(0, DAYS - 1), max_size=25))):
        key = draw(st.sampled_from([HBM, DDR]))
        wafers = draw(st.integers(1, 40))
        measure = draw(st.sampled_from([Measure.STARTED, Measure.FINISHED, Measure.YIELD_VARIANCE, Measure.SCRAPPED]))
        if measure == Measure.STARTED:
            inside[key] += wafers
        else:
            wafers = min(wafers, inside[key])
            inside[key] -= wafers
        log.append((key, measure, START + day, wafers))
    return log


def queue_up(log, key, until) -> tuple[deque[int], Counter[Measure]]:
    """Return the day on which each wafer in process was started, first in first out, and what left, wafer by wafer."""
    inside, left = deque[int](), Counter[Measure]()
    for what, measure, day, wafers in log:
        if what == key and day <= until:
            for _ in range(wafers):
                if measure == Measure.STARTED:
                    inside.append(day)
                else:
                    inside.popleft()
                    left[measure] += 1
    return inside, left


@settings(max_examples=200, deadline=None)
@given(fabs(), st.integers(0, DAYS - 1))
def test_age_and_yield_are_those_of_a_queue_of_wafers(log, day):
    curves = Curves(date(2025, 1, 1), DAYS)
    curves.add(batch_of(1, log))
    grouping, today = curves.group(("product",)), START + day
    aged, total = age_wip(curves, grouping, today), measure_yield(curves, grouping, today)

    for n, (product,) in enumerate(grouping.labels):
        inside, left = queue_up(log, HBM if product == HBM[0] else DDR, today)
        ages = Counter(max(age for age in AGES if age <= today - started) for started in inside)
        assert aged[:, n].tolist() == [ages[age] for age in AGES]
        assert (int(total.numerator[n]), int(total.denominator[n])) == (
            left[Measure.FINISHED], left[Measure.FINISHED] + left[Measure.YIELD_VARIANCE]
        )  # fmt: skip


def test_the_ages_of_the_programmes_lots_are_never_less_than_told():
    """Postings do not say which lots are WIP: each age and above is a lower bound; the sum is exact."""
    until = date(2026, 5, 31)
    lots: dict[Any, list[Any]] = {}
    gone: Counter[Any] = Counter()
    finished: dict[Any, list[int]] = defaultdict(lambda: [0, 0])
    lot_events = [event for event in told("announced", until) if event.data.type.startswith("lot.")]
    for event in lot_events:
        data, lot = event.data, (event.source, event.data.lot)
        if isinstance(data, LotStarted):
            lots[lot] = [data.supplier, data.product, number(event.time.date()), data.wafers]
        else:
            lost = data.yield_variance if isinstance(data, LotFinished) else 0
            gone[lot] += data.wafers + lost
            if isinstance(data, LotFinished):
                finished[data.supplier, data.product][0] += data.wafers
                finished[data.supplier, data.product][1] += data.wafers + lost
    folded, day = fold(lot_events, horizon=Horizon(date(2025, 1, 1), 800)), number(until)
    grouping = folded.curves.group(("supplier", "product"))
    aged, total = age_wip(folded.curves, grouping, day), measure_yield(folded.curves, grouping, day)

    assert len(lots) > 1_000
    assert sum(ratio[1] for ratio in finished.values()) > 100
    for n, pair in enumerate(grouping.labels):
        left = [(day - on, wafers - gone[lot]) for lot, (*of, on, wafers) in lots.items() if tuple(of) == pair]
        older = [sum(wafers for age, wafers in left if age >= least) for least in AGES]
        assert aged[:, n].sum() == older[0]
        assert [aged[place:, n].sum() <= older[place] for place in range(len(AGES))] == [True] * len(AGES)
        assert [int(total.numerator[n]), int(total.denominator[n])] == finished[pair]


# ---------------------------------------------------------------- the routes


@pytest.fixture
def log() -> list[Event]:
    """Abilene is declared, of one phase, and lacks 20 of 100 on the 12th; narvik is only spoken of; a barge floats."""
    story = Story()
    abilene = SiteDeclared(
        site="abilene", name="Abilene", country="US", mooring="onshore", mw=1200, pue_percent=120, land_ha=350,
        waterplane_m2=None, kg_co2_per_mwh=380, evidence="", confidence="sourced", revision=0,
    )  # fmt: skip
    phase = PhasePlanned(
        site="abilene", phase="a1", mw=200, platform="VR-NVL72", energise_on=date(2026, 4, 3), status="planned",
        revision=0,
    )  # fmt: skip
    barge = {"site": "barge", "mooring": "floating", "land_ha": None, "waterplane_m2": 10_176, "mw": 50}
    story.say(1, abilene)
    story.say(1, abilene.model_copy(update=barge))
    story.say(1, phase)
    story.say(1, phase.model_copy(update={"phase": "a2", "mw": 300, "energise_on": date(2026, 6, 30)}))
    story.say(1, phase.model_copy(update={"phase": "a3", "mw": 50, "status": "cancelled"}))
    story.say(1, StockOpened(wafers=30, **KEY))
    story.order(1, 100, 12)
    story.commit(1, 50, 10)
    story.order(1, 7, 5, line="n", site="narvik")
    lot = LotStarted(lot="l1", fab="P3", wafers=25, due_out=date(2026, 6, 1), **KEY)
    story.say(1, lot)
    story.say(2, lot.model_copy(update={"lot": "l2", "wafers": 20}))
    story.say(3, LotScrapped(lot="l1", wafers=5, cause="", **KEY))
    story.say(4, LotFinished(lot="l1", wafers=15, yield_variance=5, **KEY))
    return story.log


def test_sites_say_what_they_are_what_is_due_and_what_is_short_first(log):
    answer = Asked(log, date(2026, 4, 6))("/sites")

    assert (answer["today"], answer["firmness"], answer["next"]) == ("2026-04-06", "planned", None)
    abilene, barge, narvik = answer["rows"]
    assert abilene | {"phases": [], "event": ""} == {
        "site": "abilene", "name": "Abilene", "country": "US", "mooring": "onshore", "mw": 1200, "pue_percent": 120,
        "land_ha": 350, "waterplane_m2": None, "kg_co2_per_mwh": 380, "evidence": "", "confidence": "sourced",
        "synthetic": False,
        "source": "americas", "event": "", "co2_tonnes_a_year": 3_994_560,
        "energy_mwh": 14_400, "co2_tonnes": 5_472, "power_source": "", "mw_energised": 200, "mw_to_come": 300,
        "mw_populated": None, "mw_waiting": None, "waits_for": [],
        "mw_stopped": 50, "phases": [], "next_due_day": "2026-04-12", "next_due": 100, "last_due_day": "2026-04-12",
        "due": 100, "on_hand": 30, "short_since": None, "first_short_day": "2026-04-12",
        "first_short_product": "HBM4-12H", "shortage": 20, "products": 1, "short_products": [
            {"product": "HBM4-12H", "short_since": None, "first_short_day": "2026-04-12", "first_shortage": 20,
             "shortage": 20},
        ], "cover_days": 6.3, "first_uncovered_day": "2026-04-12",
        "least_covered_product": "HBM4-12H", "notes": [],
    }  # fmt: skip
    assert [(phase["phase"], phase["energise_on"], phase["status"]) for phase in abilene["phases"]] == [
        ("a1", "2026-04-03", "planned"), ("a3", "2026-04-03", "cancelled"), ("a2", "2026-06-30", "planned"),
    ]  # fmt: skip
    assert (barge["mooring"], barge["waterplane_m2"], barge["on_hand"], barge["first_short_day"]) == (
        "floating", 10_176, 0, None,
    )  # fmt: skip
    assert (narvik["name"], narvik["next_due_day"], narvik["short_since"]) == (None, None, "2026-04-05")


def test_sites_agree_with_cover_and_shortages(log):
    ask = Asked(log, date(2026, 4, 6))
    rows = {row["site"]: row for row in ask("/sites?firmness=firm")["rows"]}

    assert len(ask("/shortages?firmness=firm")["rows"]) == 2
    for short in ask("/shortages?firmness=firm")["rows"]:
        assert [rows[short["site"]][name] for name in ("first_short_day", "shortage", "short_since", "on_hand")] == [
            short[name] for name in ("first_short_day", "shortage", "short_since", "on_hand")
        ]
    for cover in ask("/cover")["rows"]:
        assert [rows[cover["site"]][name] for name in ("cover_days", "first_uncovered_day")] == [
            cover[name] for name in ("cover_days", "first_uncovered_day")
        ]


def test_sites_come_in_pages_and_by_name_and_mooring(log):
    ask = Asked(log, date(2026, 4, 6))
    first = ask("/sites?limit=2")

    assert [row["site"] for row in first["rows"]] == ["abilene", first["next"]]
    assert [row["site"] for row in ask("/sites?after=" + first["next"])["rows"]] == ["narvik"]
    assert [row["site"] for row in ask("/sites?mooring=floating")["rows"]] == ["barge"]
    assert [row["site"] for row in ask("/sites?site=narvik")["rows"]] == ["narvik"]


def test_before_a_day_is_complete_sites_say_what_was_declared(log):
    answer = Asked([event for event in log if event.source == "americas"], None)("/sites")

    assert (answer["today"], answer["rows"][0]["mw"]) == (None, 1200)
    assert [answer["rows"][0][name] for name in ("mw_energised", "next_due_day", "cover_days")] == [None] * 3


def test_a_time_line_tells_what_was_said_and_the_months(log):
    answer = Asked(log, date(2026, 4, 6))("/sites/abilene/timeline")

    assert [(entry["day"], entry["what"], entry["phase"]) for entry in answer["entries"]] == [
        ("2026-04-01", "declared", None), ("2026-04-01", "planned", "a1"), ("2026-04-01", "planned", "a2"),
        ("2026-04-01", "planned", "a3"), ("2026-04-03", "energises", "a1"), ("2026-06-30", "energises", "a2"),
    ]  # fmt: skip
    populated = {"mw_populated": None, "mw_waiting": None, "waits_for": None}  # nobody declares the platform
    assert answer["months"] == [populated | month for month in (
        {"month": "2026-04", "mw": 200, "due": 100, "forecast": 0, "committed": 50, "received": 0, "to_come": 50,
         "consumed": 0, "on_hand": 30},
        {"month": "2026-05", "mw": 200, "due": 0, "forecast": 0, "committed": 0, "received": 0, "to_come": 0,
         "consumed": 0, "on_hand": None},
        {"month": "2026-06", "mw": 500, "due": 0, "forecast": 0, "committed": 0, "received": 0, "to_come": 0,
         "consumed": 0, "on_hand": None},
    )]  # fmt: skip


def test_suppliers_say_what_is_in_process_the_yield_and_how_commits_were_kept(log):
    (row,) = Asked(log, date(2026, 4, 30))("/suppliers?lag=0")["rows"]

    assert (row["supplier"], row["product"], row["day"]) == ("samsung", "HBM4-12H", "2026-04-29")
    assert (row["started"], row["finished"], row["wip"]) == (45, 15, 20)
    assert [age["wafers"] for age in row["wip_by_age"]] == [20, 0, 0, 0, 0, 0]
    assert row["scrap"] == {"numerator": 5, "denominator": 45, "percent": 11.1}
    assert row["yield"] == {"numerator": 15, "denominator": 20, "percent": 75.0}
    assert row["yield_by_month"] == [{"month": "2026-04", "numerator": 15, "denominator": 20, "percent": 75.0}]
    assert (row["wafers_due"], row["wafers_received"], row["open_wafers"], row["slip_greatest"]) == (50, 0, 50, 19)
    assert row["otif"] == {"numerator": 0, "denominator": 1, "percent": 0.0}


def test_suppliers_agree_with_their_performance(log):
    ask = Asked(log, date(2026, 4, 30))
    (row,), (kept,) = ask("/suppliers?lag=0")["rows"], ask("/suppliers/samsung/performance")["rows"]

    assert (row["wafers_due"], row["churn"]) == (kept["wafers_due"], kept["churn"])
    assert (row["bias"], row["slip_days"]) == (kept["lags"][0]["bias"], kept["lags"][0]["slip"]["mean_days"])


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("/sites?mooring=afloat", "mooring is 'afloat', not one of onshore, floating"),
        ("/sites?site=atlantis", "site is 'atlantis'; there are abilene, barge, narvik"),
        ("/sites/atlantis/timeline", "site is 'atlantis'; there are abilene, barge, narvik"),
        ("/sites/abilene/timeline?product=HBM5", "product is 'HBM5'; there are HBM4-12H"),
        ("/suppliers?lag=7", "lag is '7', not one of 0, 28, 56, 91, 182"),
        ("/suppliers?supplier=micron", "supplier is 'micron'"),
    ],
)
def test_a_wrong_parameter_is_refused_with_the_allowed_values(log, path, detail):
    answer = Asked(log, date(2026, 4, 6)).response(path)

    assert answer.status_code == (400 if "not one of" in detail else 404)
    assert detail in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/sites", "/suppliers", "/sites/abilene/timeline"])
def test_every_answer_is_there_before_the_first_event(path):
    answer = Asked([], None)(path)

    assert answer["complete_through"] is None
    assert answer.get("rows", []) == answer.get("months", []) == []
